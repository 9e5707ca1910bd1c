"""Intervals by group: they cover what they claim where rows of a group are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chymist.evidence import compare_paired, out_of_fold_score, score, verdict
from chymist.evidence.clusters import grouped_area, grouped_bca, grouped_share
from chymist.evidence.floors import FloorResult
from chymist.evidence.intervals import wilson
from chymist.keys import generator
from chymist.metrics import METRICS
from chymist.values import Predictions, Score

LABELS = [m.name for m in METRICS.values() if m.task == "classification"]
VALUES = [m.name for m in METRICS.values() if m.task == "regression"]


def shares(rng, groups, each, alike=3.0):
    """Hits of rows whose chance 0.75 varies between groups (beta, intra-class 1/(1 + alike))."""
    chance = rng.beta(0.75 * alike, 0.25 * alike, groups)
    return (rng.random((groups, each)) < chance[:, None]).ravel().astype(int)


@pytest.mark.parametrize(("groups", "low"), [(5, 0.92), (12, 0.92), (40, 0.93)])
def test_a_share_by_group_covers_and_by_row_does_not(groups, low):
    rng, each, rounds = generator(0, f"share {groups}"), 20, 400
    place = np.repeat(np.arange(groups), each)
    inside = np.zeros(2)
    for _ in range(rounds):
        hits = shares(rng, groups, each)
        ends = grouped_share(hits, place, len(hits)), wilson(int(hits.sum()), len(hits))
        inside += [a <= 0.75 <= b for a, b in ends]
    by_group, by_row = inside / rounds
    assert low <= by_group <= 0.99
    assert by_row < 0.75


def test_rmse_by_group_covers_and_by_row_does_not():
    rng, groups, each, rounds = generator(0, "rmse"), 40, 10, 120
    place = np.repeat(np.arange(groups), each)
    inside = np.zeros(2)
    for _ in range(rounds):
        wrong = rng.normal(size=groups)[place] + 0.5 * rng.normal(size=groups * each)
        made = Predictions(np.arange(len(place)), np.zeros(len(place)), wrong)
        grouped = Predictions(made.rows, made.targets, made.outputs, place)
        found = [score(p, "rmse", "valid") for p in (grouped, made)]
        inside += [s.low <= np.sqrt(1.25) <= s.high for s in found]
    by_group, by_row = inside / rounds
    assert by_group >= 0.88
    assert by_row < 0.6


def test_area_by_group_covers():
    rng, groups, each, rounds = generator(0, "area"), 30, 12, 200
    place, targets = np.repeat(np.arange(groups), each), np.tile([0, 1], groups * each // 2)
    truth, shift, inside = 0.7365, 0.5, 0  # Phi(1 / sqrt(2 (1 + shift^2)))
    for _ in range(rounds):
        line = targets + shift * rng.normal(size=groups)[place] + rng.normal(size=len(place))
        p = 1 / (1 + np.exp(-line))
        outputs = np.stack([1 - p, p], 1)
        low, high = grouped_area(targets, outputs, place)
        inside += low <= truth <= high
    assert 0.91 <= inside / rounds <= 0.99


@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_groups_of_one_row_are_rows(metric):
    rng, n = generator(3, "one"), 400
    if metric in LABELS:
        targets = rng.integers(0, 2, n)
        raw = np.exp(rng.normal(size=(n, 2)) + np.eye(2)[targets])
        made = Predictions(np.arange(n), targets, raw / raw.sum(1, keepdims=True))
    else:
        targets = rng.normal(size=n)
        made = Predictions(np.arange(n), targets, targets + 0.5 * rng.normal(size=n))
    alone = Predictions(made.rows, made.targets, made.outputs, np.arange(n))
    a, b = score(made, metric, "valid"), score(alone, metric, "valid")
    assert (a.groups, b.groups) == (None, n)
    assert a.value == b.value
    assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=0.1 * (a.high - a.low))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=12),
    repeats=st.integers(1, 3),
)
def test_a_share_by_group_is_never_narrower_than_by_row(counts, repeats):
    hits = np.concatenate([np.arange(n) < k for n, k in counts]).astype(int)
    groups = np.repeat(np.arange(len(counts)) * 5, [n for n, _ in counts])
    low, high = grouped_share(hits, groups, len(hits))
    a, b = wilson(int(hits.sum()), len(hits))
    assert 0 <= low <= a + 1e-9
    assert b - 1e-9 <= high <= 1
    often = grouped_share(np.tile(hits, repeats), np.tile(groups, repeats), len(hits))
    assert often == pytest.approx((low, high))


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "auc"])
def test_all_right_counts_groups(metric):
    targets, groups = np.tile([0, 1], 60), np.repeat(np.arange(6), 20)
    made = Predictions(np.arange(120), targets, np.eye(2)[targets], groups)
    found = score(made, metric, "test")
    assert found.value == found.high == 1
    assert found.low < score(Predictions(*vars_of(made)), metric, "test").low - 0.1


def vars_of(made):
    return made.rows, made.targets, made.outputs


@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_one_group_says_nothing(metric):
    targets = np.array([0, 1, 1, 0, 1]) if metric in LABELS else np.arange(5.0)
    outputs = np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]])
    outputs = outputs if metric in LABELS else targets[::-1]
    found = score(Predictions(np.arange(5), targets, outputs, np.zeros(5, int)), metric, "valid")
    assert found.groups == 1
    assert found.high - found.low >= 0.99
    assert not np.isnan([found.low, found.high]).any()


def test_repeats_of_grouped_rows_stay_in_their_group():
    rng = generator(0, "repeats")
    groups, hits = np.repeat(np.arange(10), 12), shares(rng, 10, 12)
    once = Predictions(np.arange(120), np.zeros(120, int), np.eye(2)[1 - hits], groups)
    again = Predictions(*(np.concatenate([v, v]) for v in (*vars_of(once), groups)))
    a, b = out_of_fold_score(once, "accuracy"), out_of_fold_score(again, "accuracy")
    assert (a.n, a.groups) == (b.n, b.groups) == (120, 10)
    assert (b.low, b.high) == pytest.approx((a.low, a.high))
    assert out_of_fold_score(Predictions(*vars_of(once)), "accuracy").low > a.low


def test_unequal_groups_are_a_ratio_of_means():
    columns, groups = np.array([[1.0], [1.0], [4.0]]), np.array([3, 3, 9])
    found = grouped_bca(columns, lambda means: means[..., 0], groups)
    assert found.value == pytest.approx(2.0)


def test_a_winner_needs_groups_that_agree():
    groups = np.repeat(np.arange(6), 20)
    targets, blind = np.zeros(120, int), np.eye(2)[np.ones(120, int)]
    right = groups == 0  # all that the model knows is one group
    good = Predictions(np.arange(120), targets, np.eye(2)[1 - right.astype(int)], groups)
    poor = Predictions(np.arange(120), targets, blind, groups)
    assert not compare_paired(good, poor, "accuracy").clear
    assert compare_paired(
        Predictions(*vars_of(good)), Predictions(*vars_of(poor)), "accuracy"
    ).clear
    number = score(good, "accuracy", "valid")
    said = verdict("mlp", good, number, [FloorResult("majority class", poor, number)])
    assert said.startswith("cannot tell mlp from majority class")
    assert said.endswith("(120 validation rows in 6 groups, paired).")


@pytest.mark.parametrize(("count", "clear"), [(2, False), (5, False), (6, True), (12, True)])
def test_the_same_difference_in_every_group_is_a_test_of_signs(count, clear):
    groups, targets = np.repeat(np.arange(count), 8), np.zeros(8 * count, int)
    good = Predictions(np.arange(8 * count), targets, np.eye(2)[targets], groups)
    poor = Predictions(np.arange(8 * count), targets, np.eye(2)[1 - targets], groups)
    found = compare_paired(good, poor, "accuracy")
    assert found.value == 1
    assert found.clear is clear
    assert found.p == pytest.approx(min(1.0, 2 * 0.5**count))
    back = compare_paired(poor, good, "accuracy")
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_a_score_says_its_groups_only_where_there_are_some():
    plain = Score("accuracy", 0.5, 0.4, 0.6, 100, "valid")
    grouped = Score("accuracy", 0.5, 0.3, 0.7, 100, "valid", groups=12)
    assert "groups" not in plain.to_dict()
    assert grouped.to_dict()["groups"] == 12
    assert Score.from_dict(grouped.to_dict()) == grouped
    assert str(grouped).endswith("(valid, n=100 in 12 groups)")
