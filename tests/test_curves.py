"""Learning curves: nested subsets, every point a plain fit, the last one cross-validation."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.data.subsets import nested_subsets
from chymist.errors import Diverged, InputError, UsageError
from chymist.evidence import PairedDifference, corrected_t
from chymist.keys import generator
from chymist.verbs import curves as module
from chymist.verbs.curves import curve_verdict, default_sizes

DOUBLE = cy.Recipe(model="softmax", length="5 epochs", batch_size=16, precision="float64")


@pytest.fixture(scope="module")
def iris():
    return cy.load("iris")


@pytest.fixture
def jobs(monkeypatch):
    """The jobs of every call of `train_jobs`."""
    calls = []
    real = module.train_jobs

    def caught(given, *args, **named):
        calls.append(list(given))
        return real(given, *args, **named)

    monkeypatch.setattr(module, "train_jobs", caught)
    return calls


def labelled(targets, classes):
    """Data with one column and these classes."""
    names = [f"c{k}" for k in targets]
    data = cy.load((np.arange(float(len(targets)))[:, None], names), task="classification")
    assert len(data.classes) == classes
    return data


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), st.data(), st.integers(0, 3))
def test_subsets_are_nested_and_keep_the_proportions_of_the_classes(counts, data, seed):
    targets = np.repeat(np.arange(len(counts)), counts)
    whole = labelled(targets, len(counts))
    n = len(targets)
    sizes = sorted(data.draw(st.lists(st.integers(len(counts), n), min_size=1, max_size=4)))
    parts = nested_subsets(whole, np.arange(n), sizes, seed=seed)
    for size, part in zip(sizes, parts, strict=True):
        assert len(part) == size
        assert (np.diff(part) > 0).all()
        found = np.bincount(whole.targets[part], minlength=len(counts))
        assert found.min() >= 1
        # One row of each class first, then in proportion: rare classes may push others down by one.
        expected = np.maximum(1, np.bincount(whole.targets) * size / n)
        assert (found - expected <= 1).all()
        assert np.abs(found - expected).sum() <= 2 * len(counts)
    for small, large in pairwise(parts):
        assert np.isin(small, large).all()


def test_subsets_depend_on_the_seed_and_on_nothing_else(iris):
    rows = np.arange(150)
    first, again = (nested_subsets(iris, rows, [30, 60], seed=1) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    alone = nested_subsets(iris, rows, [30], seed=1)[0]
    np.testing.assert_array_equal(first[0], alone)
    assert not np.array_equal(alone, nested_subsets(iris, rows, [30], seed=2)[0])


def test_groups_come_one_after_the_other():
    data = cy.load((np.arange(60.0)[:, None], np.arange(60.0)))
    groups = np.arange(60) % 12
    for part in nested_subsets(data, np.arange(60), [7, 23, 50], seed=0, groups=groups):
        counts = np.bincount(groups[part], minlength=12)
        assert np.sum((counts > 0) & (counts < 5)) <= 1  # one group of five may be cut


def test_the_last_point_is_cross_validation(iris):
    curve = cy.learning_curve(DOUBLE, iris, [0.3, 1.0], folds=4, seeds=2, seed=5)
    whole = cy.cross_validate(DOUBLE, iris, folds=4, repeats=2, seed=5, floors=False)
    assert curve.held[-1] == whole.score
    assert [r["held"] for r in curve.folds if r["size"] == 112] == [r["value"] for r in whole.folds]
    assert curve.sizes == (34, 112)  # of folds with 112 and 113 training rows


def test_the_last_point_is_cross_validation_with_early_stopping_too(iris):
    recipe = DOUBLE.replace(stop="early")
    curve = cy.learning_curve(recipe, iris, [0.5, 1.0], folds=4)
    whole = cy.cross_validate(recipe, iris, folds=4, floors=False)
    assert curve.held[-1] == whole.score
    assert [r["epochs"] for r in curve.folds[-4:]] == [r["epochs"] for r in whole.folds]


def test_every_point_is_a_plain_fit(iris, jobs):
    curve = cy.learning_curve(DOUBLE, iris, [20, 50, 100], folds=3, seed=2)
    (made,) = jobs  # one program
    sizes = [len(job.split.train) for job in made]
    assert sizes == sorted(sizes)  # equal sizes stand together
    for number in (0, 4, 8):
        job, record = made[number], curve.folds[number]
        split = replace(job.split, valid=job.split.test, test=job.split.valid)
        run = cy.fit(DOUBLE, split, seed=job.seed)
        assert run.score.value == record["held"]
        assert cy.evaluate(run, split="train").score.value == record["train"]
        assert run.facts["epochs"] == record["epochs"]
        assert record["n"] == len(split.valid)


def test_no_model_sees_its_held_rows_and_subsets_are_nested(iris, jobs):
    cy.learning_curve(DOUBLE.replace(stop="early"), iris, [0.2, 0.5, 1.0], folds=3, seeds=2)
    used = {}
    for number, job in enumerate(jobs[0]):
        seen = np.concatenate([job.split.train, job.split.valid])
        assert len(job.split.valid) == np.ceil(0.1 * len(seen))
        assert not np.isin(seen, job.split.test).any()
        assert len(np.unique(seen)) == len(seen)
        used.setdefault(number % 6, []).append(seen)
    for small, middle, large in used.values():
        assert np.isin(small, middle).all()
        assert np.isin(middle, large).all()


def test_the_targets_of_held_rows_change_no_training(jobs):
    rng = generator(0, "leak")
    x = rng.normal(size=(60, 3))
    data = cy.load((x, x.sum(1) + rng.normal(size=60)))
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.sgd(lr=0.02), length="3 epochs",
                       precision="float64", stop="early")  # fmt: skip
    first = cy.learning_curve(recipe, data, [0.5, 1.0], folds=3)
    held = jobs[0][0].split.test
    targets = data.targets.copy()
    targets[held] = rng.normal(100, 50, len(held))
    again = cy.learning_curve(recipe, replace(data, targets=targets), [0.5, 1.0], folds=3)
    for number in (0, 3):  # fold 0 of both sizes
        assert first.folds[number]["train"] == again.folds[number]["train"]
        assert first.folds[number]["epochs"] == again.folds[number]["epochs"]
        assert first.folds[number]["held"] != again.folds[number]["held"]
    assert first.folds[1]["train"] != again.folds[1]["train"]


def test_every_fold_and_repeat_draws_its_own_subsets(iris, monkeypatch):
    seen, real = [], module.nested_subsets

    def caught(*args, seed, **named):
        seen.append(seed)
        return real(*args, seed=seed, **named)

    monkeypatch.setattr(module, "nested_subsets", caught)
    cy.learning_curve(DOUBLE, iris, [0.5, 1.0], folds=3, seeds=2, seed=1)
    cy.learning_curve(DOUBLE, iris, [0.5, 1.0], folds=3, seed=2)
    assert len(set(seen[:6])) == 6
    assert seen[3:6] == seen[6:]  # repeat 1 of seed 1 is repeat 0 of seed 2


def test_training_scores_are_over_models_and_count_different_rows(iris):
    curve = cy.learning_curve(DOUBLE, iris, [20, 100], folds=3)
    values = [r["train"] for r in curve.folds]
    assert curve.train[0].value == pytest.approx(np.mean(values[:3]), abs=1e-12)
    assert curve.train[1].n == 150
    assert 20 < curve.train[0].n <= 60
    for found in curve.train:
        assert found.split == "train"
        assert found.groups is None
        assert found.low <= found.value <= found.high


def test_gain_and_gap_are_paired_by_fold(iris):
    curve = cy.learning_curve(DOUBLE, iris, [10, 20, 100], folds=5, seeds=2)
    held = np.array([r["held"] for r in curve.folds]).reshape(3, 10)
    train = np.array([r["train"] for r in curve.folds]).reshape(3, 10)
    assert curve.gain == corrected_t(held[2] - held[1], 1 / 5)
    assert curve.gap == corrected_t(train[2] - held[2], 1 / 5)
    assert {(r["repeat"], r["fold"]) for r in curve.folds} == {
        (r, f) for r in (0, 1) for f in range(5)
    }


@pytest.mark.parametrize(
    ("metric", "gain", "begins"),
    [
        ("accuracy", (0.012, 0.004, 0.02), "more rows help: accuracy rises by 1.2 points [0.4, 2.0] from 720 to 1,440 rows"),
        ("accuracy", (-0.012, -0.02, -0.004), "more rows do HARM: accuracy falls by 1.2 points [0.4, 2.0] from 720"),
        ("accuracy", (0.002, -0.006, 0.01), "cannot tell that more rows help: difference 0.2 points [-0.6, 1.0] from 720"),
        ("rmse", (-2.0, -3.0, -1.0), "more rows help: rmse falls by 2 [1, 3] from 720"),
        ("rmse", (2.0, 1.0, 3.0), "more rows do HARM: rmse rises by 2 [1, 3] from 720"),
    ],
)  # fmt: skip
def test_the_verdict_claims_what_the_interval_shows(metric, gain, begins):
    gap = PairedDifference(0.02, 0.01, 0.03, 0.01)
    found = curve_verdict(metric, [720, 1440], PairedDifference(*gain, 0.5), gap)
    assert found.startswith(begins)
    word = "better" if metric == "accuracy" else "WORSE"
    assert f"{metric} is {word} on training than on held-out rows by" in found


def test_more_rows_help_where_they_do():
    rng = generator(0, "curve")
    x = rng.normal(size=(240, 20))
    data = cy.load((x, x @ rng.normal(size=20) + rng.normal(size=240)))
    recipe = cy.Recipe(model="linear", optimizer="closed_form")
    curve = cy.learning_curve(recipe, data, [30, 180], folds=4, seeds=3)
    assert curve.verdict.startswith("more rows help: rmse falls by")
    assert curve.held[0].value > 1.3 * curve.held[1].value
    assert 0.9 < curve.held[1].value < 1.3  # the noise is 1
    assert curve.facts["executor"] == "loop"
    assert curve.facts["reason"] == "it is solved, not trained in steps"


def claims(runs, seed):
    """How often two sizes of a design without any signal are called different."""
    clear = 0
    for run in range(runs):
        rng = generator(seed, "noise", run)
        x, y = rng.normal(size=(120, 3)), rng.integers(0, 2, 120)
        order, gains = rng.permutation(120), []
        for fold in range(5):
            held, train = order[fold::5], np.setdiff1d(order, order[fold::5])
            subset = rng.permutation(train)
            right = []
            for size in (48, 96):
                own = subset[:size]
                means = [x[own[y[own] == c]].mean(0) for c in (0, 1)]
                far = [((x[held] - m) ** 2).sum(1) for m in means]
                right.append(np.mean((far[1] < far[0]) == y[held]))
            gains.append(right[1] - right[0])
        clear += corrected_t(np.array(gains), 1 / 5).clear
    return clear / runs


def test_noise_is_rarely_called_a_gain():
    assert claims(300, 0) <= 0.05


@pytest.mark.hard
def test_noise_is_rarely_called_a_gain_in_many_runs():
    assert claims(5000, 1) <= 0.04


def test_the_page_runs():
    page = Path(__file__).parent.parent / "docs" / "learning-curves.md"
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert (failed, tried) == (0, 17)


def test_default_sizes_halve_and_leave_out_what_is_too_small():
    assert default_sizes(55_000, 10) == (3438, 6875, 13_750, 27_500, 55_000)
    assert default_sizes(12, 2) == (6, 12)
    assert default_sizes(40) == (10, 20, 40)


def test_groups_stay_on_one_side(iris, jobs):
    groups = np.arange(150) // 5 % 10 + 10 * iris.targets
    curve = cy.learning_curve(DOUBLE, iris, [60, 1.0], folds=3, group=groups)
    for job in jobs[0]:
        seen = set(groups[job.split.train])
        assert not seen & set(groups[job.split.test])
    assert curve.held[0].groups == 30
    assert curve.train[-1].groups == 30


def test_test_rows_of_a_split_are_never_given(iris, jobs):
    split = cy.split(iris, seed=3)
    curve = cy.learning_curve(DOUBLE, split, [0.5, 1.0], folds=3)
    assert curve.sealed
    for job in jobs[0]:
        used = np.concatenate([job.split.train, job.split.test])
        assert not np.isin(used, split.test).any()


def test_observer_and_watcher_see_every_model(iris):
    records, epochs = [], []
    cy.learning_curve(DOUBLE, iris, [0.5, 1.0], folds=2, observer=records.append,
                      watcher=lambda number, event: epochs.append(number))  # fmt: skip
    assert [r["size"] for r in records] == [38, 38, 75, 75]
    assert set(epochs) == {0, 1, 2, 3}


def test_pictures_show_sizes_and_both_scores(iris):
    curve = cy.learning_curve(DOUBLE, iris, [15, 30, 1.0], folds=3)
    axes = curve.plot()
    assert [line.get_label() for line in axes.get_lines()] == ["training", "held out"]
    np.testing.assert_allclose(axes.get_lines()[1].get_ydata(), [100 * s.value for s in curve.held])
    assert list(axes.get_xticks()) == [15, 30, 100]
    svg = curve.svg()
    assert svg.startswith("<svg")
    assert svg.count("<circle") == 6
    page = curve._repr_html_()
    assert curve.verdict[:30] in page
    assert page.count("<tr") == 4
    assert repr(curve) == f"LearningCurve({curve.verdict})"


@pytest.mark.parametrize(
    ("sizes", "error", "says"),
    [
        ([0.5], UsageError, "at least two sizes"),
        ([50, 0.5], UsageError, "at least two sizes"),
        ([0.0, 1.0], UsageError, "not a size"),
        ([True, 1.0], UsageError, "not a size"),
        ([1.5, 1.0], UsageError, "not a size"),
        ([101, 50], InputError, "give 100 at most"),
        ([2, 50], InputError, "give 3 to 100"),
    ],
)
def test_sizes_that_cannot_be(iris, sizes, error, says):
    with pytest.raises(error, match=says):
        cy.learning_curve(DOUBLE, iris, sizes, folds=3)


def test_a_model_that_diverges_is_named(iris):
    wild = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=1e30), length="3 epochs")
    with pytest.raises(Diverged, match=r"repeat 0, fold 0, 50 rows"):
        cy.learning_curve(wild, iris, [0.5, 1.0], folds=3)


def run_curve(capsys, *words):
    code = main(["curve", "iris", "--model", "softmax", "--length", "4 epochs", *words])
    return code, capsys.readouterr()


def test_the_command_line_answers_with_the_curve(capsys):
    code, streams = run_curve(
        capsys, "--sizes", "20,0.5,1.0", "--folds", "3", "--seed", "4", "--json"
    )
    answer = json.loads(streams.out)
    recipe = cy.Recipe(model="softmax", length="4 epochs")
    curve = cy.learning_curve(recipe, cy.load("iris"), [20, 0.5, 1.0], folds=3, seed=4)
    assert code == 0
    assert list(answer) == ["verdict", "rows", "folds", "plan", "seconds"]
    assert answer["verdict"] == curve.verdict
    assert [row["size"] for row in answer["rows"]] == [20, 50, 100]
    assert [row["held"] for row in answer["rows"]] == [s.to_dict() for s in curve.held]
    assert [row["train"]["value"] for row in answer["rows"]] == [s.value for s in curve.train]
    assert answer["folds"] == [dict(r) for r in curve.folds]


def test_the_command_line_says_the_verdict(capsys):
    code, streams = run_curve(
        capsys, "--sizes", "0.2,1.0", "--folds", "2", "--seeds", "2", "--quiet"
    )
    lines = streams.out.splitlines()
    assert code == 0
    assert lines[0].startswith("Verdict ")
    assert lines[1].startswith("Rows    15   accuracy")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--sizes", "a,b"), "not a size of a training set"),
        (("--sizes", "nan,1.0"), "not a size of a training set"),
        (("--valid", "0.2"), "curve takes no --valid"),
        (("--time", "x"), "curve takes no --time"),
        (("--folds", "1"), "not a whole number in range"),
        (("--model.hidden", "3"), "hidden"),
    ],
)
def test_the_command_line_refuses(capsys, words, says):
    code, streams = run_curve(capsys, *words)
    assert code == 2
    assert says in streams.err
