"""Scores, paired differences and verdicts."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as oracle

from chymist.errors import InputError, UsageError
from chymist.evidence import compare_paired, headline, out_of_fold_score, score, verdict
from chymist.evidence.floors import FloorResult
from chymist.evidence.intervals import wilson
from chymist.evidence.scores import RANGES
from chymist.evidence.verdict import mcnemar
from chymist.keys import generator
from chymist.metrics import METRICS, Undefined, all_metrics, measure
from chymist.values import Predictions

LABELS = [m.name for m in METRICS.values() if m.task == "classification"]
VALUES = [m.name for m in METRICS.values() if m.task == "regression"]


def classifier(seed, n, classes, skill, name="model"):
    """A model that puts extra weight on the right class; the targets depend on seed only."""
    targets = generator(seed, "targets").integers(0, classes, n)
    raw = generator(seed, name).normal(size=(n, classes)) + skill * np.eye(classes)[targets]
    share = np.exp(raw)
    return Predictions(np.arange(n), targets, share / share.sum(1, keepdims=True))


def regressor(seed, n, noise, name="model", outputs=None):
    shape = (n,) if outputs is None else (n, outputs)
    targets = generator(seed, "targets").normal(size=shape)
    return Predictions(
        np.arange(n), targets, targets + noise * generator(seed, name).normal(size=shape)
    )


def test_headlines():
    assert (headline("classification"), headline("regression")) == ("accuracy", "rmse")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 5), st.floats(-3, 6))
def test_classification_scores_stay_in_range(seed, n, classes, skill):
    made = classifier(seed, n, classes, skill)
    for metric in all_metrics(made):
        found = score(made, metric, "valid", seed=seed)
        assert found.value == measure(made, metric)
        assert (found.n, found.split, found.selected_on) == (n, "valid", None)
        least, most = RANGES.get(metric, (0.0, 1.0))
        assert least <= found.low <= found.value <= found.high <= most
        assert found.low < found.high or metric == "auc" or found.value in (0, 1) or n > 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.sampled_from([None, 1, 2]), st.booleans())
def test_regression_scores_stay_in_range(seed, n, outputs, exact):
    made = regressor(seed, n, 0.0 if exact else 2.0, outputs=outputs)
    for metric in all_metrics(made):
        found = score(made, metric, "test")
        least, most = RANGES[metric]
        assert least <= found.low <= found.value <= found.high <= most


def test_one_row_of_an_unbounded_metric_has_no_finite_interval():
    found = score(regressor(0, 1, 1.0), "rmse", "valid")
    assert (found.low, found.high) == (0.0, inf)


def test_a_perfect_share_is_not_certain():
    made = Predictions(np.arange(30), np.arange(30) % 3, np.eye(3)[np.arange(30) % 3])
    for metric in ("accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "auc"):
        found = score(made, metric, "valid")
        assert found.value == found.high == 1.0
        assert 0.7 < found.low < 0.99, metric
    assert score(made, "error", "valid").high == pytest.approx(1 - wilson(30, 30)[0])


def test_accuracy_has_wilson_and_error_mirrors_it():
    made = classifier(1, 360, 3, 2.0)
    right, wrong = score(made, "accuracy", "valid", "val_loss"), score(made, "error", "valid")
    assert (right.low, right.high) == wilson(round(right.value * 360), 360)
    assert (1 - wrong.high, 1 - wrong.low) == pytest.approx((right.low, right.high))
    assert right.selected_on == "val_loss"


@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_intervals_are_near_a_plain_bootstrap(metric):
    n = 250
    made = classifier(2, n, 3, 1.5) if metric in LABELS else regressor(2, n, 0.7)
    rng, values = generator(0, "plain"), []
    for _ in range(500):
        rows = rng.integers(0, n, n)
        values.append(measure(Predictions(rows, made.targets[rows], made.outputs[rows]), metric))
    low, high = np.quantile(values, [0.025, 0.975])
    found = score(made, metric, "valid")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.2 * (high - low))


def test_scores_refuse_what_has_no_value():
    made = Predictions(np.arange(3), np.zeros(3, int), np.full((3, 2), 0.5))
    with pytest.raises(Undefined):
        score(made, "auc", "valid")
    with pytest.raises(UsageError):
        score(made, "r2", "valid")


@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_repeats_are_no_more_rows(metric):
    once = classifier(3, 120, 3, 1.0) if metric in LABELS else regressor(3, 120, 0.5)
    places = np.tile(np.arange(120), 4)
    often = Predictions(once.rows[places], once.targets[places], once.outputs[places])
    a, b = out_of_fold_score(once, metric), out_of_fold_score(often, metric)
    assert a.split == b.split == "out-of-fold"
    assert a.n == b.n == 120
    assert b.value == pytest.approx(a.value)
    assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.15)


def test_mcnemar_p_equals_statsmodels_and_scipy():
    for a, b in [(0, 0), (5, 0), (6, 0), (12, 3), (30, 30), (1, 9), (200, 150)]:
        found = mcnemar(a, b, 1000)
        assert found.p == pytest.approx(oracle([[0, a], [b, 0]], exact=True).pvalue, abs=1e-9)
        if a + b:
            assert found.p == pytest.approx(stats.binomtest(a, a + b).pvalue, abs=1e-9)


@pytest.mark.parametrize("spare", [0, 10, 10_000])
def test_mcnemar_interval_and_p_never_disagree(spare):
    for a in range(0, 70):
        for b in range(0, 70):
            if a + b + spare:
                found = mcnemar(a, b, a + b + spare)
                assert found.clear == (found.p < 0.05), (a, b, spare)
                assert -1 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.1, 0.03), (0.3, 0.05)])
def test_mcnemar_interval_covers(shares):
    rng, hits, n = generator(0, "mcnemar", *map(str, shares)), 0, 100
    for a, b, _ in rng.multinomial(n, [*shares, 1 - sum(shares)], size=1000):
        found = mcnemar(int(a), int(b), n)
        hits += found.low <= shares[0] - shares[1] <= found.high
    assert hits / 1000 >= 0.945


@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_paired_differences(metric):
    if metric in LABELS:
        good, poor = classifier(4, 400, 3, 3.0, "good"), classifier(4, 400, 3, 0.5, "poor")
    else:
        good, poor = regressor(4, 400, 0.2, "good"), regressor(4, 400, 1.5, "poor")
    found, back = compare_paired(good, poor, metric), compare_paired(poor, good, metric)
    assert found.value == pytest.approx(measure(good, metric) - measure(poor, metric))
    assert found.clear
    assert (found.value > 0) == METRICS[metric].greater_is_better
    assert back.value == pytest.approx(-found.value)
    assert (-back.high, -back.low) == pytest.approx((found.low, found.high), rel=0.1)
    same = compare_paired(good, good, metric)
    assert same.value == 0.0
    assert same.p == 1.0
    assert not same.clear


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "balanced_accuracy", "auc", "log_loss"])
def test_equal_models_are_seldom_told_apart(metric):
    told = sum(
        compare_paired(
            classifier(s, 120, 2, 1.0, "one"), classifier(s, 120, 2, 1.0, "two"), metric, s
        ).clear
        for s in range(120)
    )
    assert told <= 13  # 5 % of 120 is 6; 13 or fewer has probability 0.996


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("metric", [*LABELS, *VALUES])
def test_few_rows_claim_nothing(n, metric):
    if metric in LABELS:
        a, b = classifier(5, n, 2, 50.0, "a"), classifier(5, n, 2, -50.0, "b")
        if "auc" not in all_metrics(a) and metric == "auc":
            return
    else:
        a, b = regressor(5, n, 0.1, "a"), regressor(5, n, 0.2, "b")
        if metric == "r2" and n == 1:
            return
    found = compare_paired(a, b, metric)
    assert found.low <= found.value <= found.high
    assert metric not in ("accuracy", "error") or not found.clear


def test_paired_needs_the_same_rows():
    a = classifier(6, 10, 2, 1.0)
    for other in (
        Predictions(a.rows + 1, a.targets, a.outputs),
        Predictions(a.rows, 1 - a.targets, a.outputs),
        classifier(6, 9, 2, 1.0),
    ):
        with pytest.raises(InputError, match="same rows"):
            compare_paired(a, other, "accuracy")


def sentence(model, floor, metric, split="valid", name="cnn", floor_name="nearest neighbour"):
    result = FloorResult(floor_name, floor, score(floor, metric, split))
    return verdict(name, model, score(model, metric, split), [result])


def hits(n, right):
    """A two-class model that is right on the first rows only."""
    truth = np.zeros(n, dtype=int)
    return Predictions(np.arange(n), truth, np.eye(2)[(np.arange(n) >= right).astype(int)])


def test_verdicts_in_words():
    assert sentence(hits(360, 340), hits(360, 320), "accuracy") == (
        "cnn is better than the strongest floor, nearest neighbour, by 5.6 points [3.0, 8.0] "
        "(360 validation rows, paired)."
    )
    assert sentence(hits(360, 320), hits(360, 340), "accuracy").startswith(
        "cnn is WORSE than the strongest floor, nearest neighbour, by 5.6 points [3.0, 8.0]"
    )
    assert sentence(hits(360, 341), hits(360, 340), "accuracy").startswith(
        "cannot tell cnn from nearest neighbour: difference 0.3 points ["
    )
    assert "(1 test row, paired)" in sentence(hits(1, 1), hits(1, 0), "accuracy", "test")
    training = sentence(hits(360, 340), hits(360, 320), "accuracy", "train")
    assert "(360 training rows, paired). These are training rows" in training
    lonely = verdict("cnn", hits(5, 5), score(hits(5, 5), "accuracy", "valid"), [])
    assert lonely == "cnn has no floor to compare with (5 validation rows)."


def test_verdicts_know_which_direction_is_better():
    good, poor = regressor(7, 200, 0.2, "good"), regressor(7, 200, 1.0, "poor")
    assert sentence(good, poor, "rmse").startswith("cnn is better than the strongest floor")
    assert sentence(poor, good, "rmse").startswith("cnn is WORSE than the strongest floor")
    assert "in rmse (200 validation rows, paired)" in sentence(good, poor, "rmse")
    assert sentence(good, poor, "r2").startswith("cnn is better")


def test_a_difference_of_rounding_has_no_winner() -> None:
    from chymist.evidence import FloorResult, score, verdict
    from chymist.values import Predictions

    targets = np.linspace(0.0, 100.0, 40)
    exact, rounded = targets + 3.0, (targets + 3.0).astype(np.float32) + 1e-5
    a, b = (Predictions(np.arange(40), targets, values) for values in (rounded, exact))
    floor = FloorResult("linear regression", b, score(b, "rmse", "valid"))
    said = verdict("linear", a, score(a, "rmse", "valid"), [floor])
    assert said == "linear says the same as linear regression, to rounding (40 validation rows)."
