"""Floors against scikit-learn, at the edges, and within their budget."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from chymist.evidence import fit_floors
from chymist.evidence.floors import _within
from chymist.keys import generator

CLASSES = tuple("0123456789")


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    rows = generator(0, "digits").permutation(len(y))
    return (
        (x / 16).astype(np.float32).reshape(-1, 1, 8, 8),
        y.astype(np.int64),
        rows[:1078],
        rows[1078:1438],
    )


def floors_of(x, y, train, rows, task="classification", classes=CLASSES, metric="accuracy", **more):
    return fit_floors(
        x[train], y[train], x[rows], rows, y[rows], task, classes, metric, "valid", **more
    )


def test_digits_equal_scikit_learn(digits):
    x, y, train, rows = digits
    flat = x.reshape(len(x), -1)
    made = floors_of(*digits)
    by_name = {floor.name: floor for floor in made}
    assert [f.name for f in made] == ["nearest neighbour", "softmax regression", "majority class"]
    nearest = (
        KNeighborsClassifier(1, algorithm="brute").fit(flat[train], y[train]).predict(flat[rows])
    )
    np.testing.assert_array_equal(by_name["nearest neighbour"].predictions.labels, nearest)
    linear = LogisticRegression(max_iter=1000).fit(flat[train], y[train]).predict_proba(flat[rows])
    found = by_name["softmax regression"].predictions
    assert np.mean(found.labels == linear.argmax(1)) > 0.99
    np.testing.assert_allclose(found.outputs.sum(1), 1, atol=1e-6)
    majority = np.bincount(y[train]).argmax()
    assert by_name["majority class"].score.value == np.mean(y[rows] == majority)
    np.testing.assert_array_equal(found.rows, rows)
    assert made[0].floor.name == "nearest neighbour"
    assert made[0].floor.score == made[0].score


def test_digits_are_quick(digits):
    floors_of(*digits)
    start = process_time()
    floors_of(*digits)
    assert process_time() - start < 1.0  # all threads together; about 0.15 s


def test_same_seed_same_floors(digits):
    a, b = (floors_of(*digits, seed=3, budget=3e6) for _ in range(2))
    assert [f.name for f in a] == [f.name for f in b]
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.predictions.outputs, two.predictions.outputs)


def test_a_small_budget_takes_fewer_rows_and_says_so(digits):
    made = floors_of(*digits, budget=1e7)
    assert {f.name for f in made} == {"majority class", "nearest neighbour on 430 rows"}
    made = floors_of(*digits, budget=1e8)
    assert "softmax regression on 190 rows" in {f.name for f in made}


def test_log_loss_ranks_the_smaller_first(digits):
    made = floors_of(*digits, metric="log_loss")
    values = [f.score.value for f in made]
    assert values == sorted(values)
    assert made[0].name == "softmax regression"


def test_a_subsample_keeps_the_shares_of_classes():
    y = np.repeat([0, 1, 3], [900, 90, 10])
    kept, suffix = _within(1.0, y, 0, 200.0, stratify=True)
    assert np.bincount(y[kept]).tolist() == [180, 18, 0, 2]
    assert suffix == " on 200 rows"
    assert np.all(np.diff(kept) > 0)
    assert len(_within(1.0, y, 0, 49.0, stratify=True)[0]) == 0
    assert _within(1.0, y, 0, 1000.0, stratify=True)[1] == ""
    assert len(_within(1.0, y, 0, 777.0, stratify=False)[0]) == 770


def test_regression_equals_scikit_learn():
    x, y = load_diabetes(return_X_y=True)
    x32, train, rows = x.astype(np.float32), np.arange(300), np.arange(300, 442)
    made = floors_of(x32, y, train, rows, "regression", (), "rmse")
    by_name = {floor.name: floor.predictions.outputs for floor in made}
    linear = LinearRegression().fit(x[train], y[train]).predict(x[rows])
    np.testing.assert_allclose(by_name["linear regression"], linear, rtol=1e-3)
    nearest = KNeighborsRegressor(1).fit(x32[train], y[train]).predict(x32[rows])
    np.testing.assert_allclose(by_name["nearest neighbour"], nearest)
    np.testing.assert_allclose(by_name["mean of the training rows"], y[train].mean())
    assert made[0].name == "linear regression"


def test_several_outputs():
    rng = generator(0, "outputs")
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = x @ rng.normal(size=(4, 2)) + 3.0
    made = floors_of(x, y, np.arange(40), np.arange(40, 60), "regression", 0, "r2")
    assert made[0].name == "linear regression"
    assert made[0].score.value > 0.9999
    assert all(f.predictions.outputs.shape == (20, 2) for f in made)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_two_rows_of_ten_thousand_features(task):
    x = generator(0, "wide").normal(size=(4, 10_000)).astype(np.float32)
    y = np.array([0, 1, 1, 0]) if task == "classification" else np.array([0.0, 1.0, 2.0, 3.0])
    metric = "accuracy" if task == "classification" else "rmse"
    made = floors_of(x, y, np.arange(2), np.arange(2, 4), task, 2, metric)
    assert len(made) == 3
    assert all(np.isfinite(f.predictions.outputs).all() for f in made)


def test_one_class_in_training_leaves_the_majority():
    x, y = np.eye(6, dtype=np.float32), np.array([1, 1, 1, 0, 1, 1])
    made = floors_of(x, y, np.arange(3), np.arange(3, 6), classes=2)
    assert [f.name for f in made] == ["majority class"]
    np.testing.assert_array_equal(made[0].predictions.outputs, [[0, 1]] * 3)


def test_a_class_without_training_rows_has_probability_zero():
    x, y = np.eye(6, dtype=np.float32), np.array([0, 2, 0, 2, 1, 1])
    made = floors_of(x, y, np.arange(4), np.arange(4, 6), classes=3)
    assert len(made) == 3
    for floor in made:
        np.testing.assert_array_equal(floor.predictions.outputs[:, 1], 0)
        assert floor.score.value == 0.0


def test_constant_columns_and_one_row():
    x = np.ones((5, 3), dtype=np.float32)
    assert (
        len(floors_of(x, np.array([0, 1, 0, 1, 0]), np.arange(4), np.arange(4, 5), classes=2)) == 3
    )
    y = np.arange(5.0)
    made = floors_of(x, y, np.arange(1), np.arange(1, 5), "regression", 0, "rmse")
    assert {f.score.value for f in made} == {made[0].score.value}


def test_an_unfinished_linear_model_says_so():
    rng = generator(0, "slow")
    x = (rng.normal(size=(300, 40)) * np.logspace(0, 4, 40)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    names = {f.name for f in floors_of(x, y, np.arange(250), np.arange(250, 300), classes=2)}
    assert "logistic regression, stopped at 200 iterations" in names
