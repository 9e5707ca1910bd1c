"""Gaussian classifiers and naive Bayes against scikit-learn and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB

import chymist as cy
from chymist.errors import UsageError
from chymist.maths import covariance_parameters
from chymist.models.gaussian import counted_columns
from chymist.parts import part
from chymist.values import Shapes, Split

NONE = np.array([], np.int64)


def fitted(model, data: cy.Data) -> tuple[cy.Run, np.ndarray]:
    split = Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")
    run = cy.fit(cy.Recipe(model=model, precision="float64"), split, doctor=False)
    return run, run.preparation.inputs(data.inputs, np.float64)


def solved(name: str, x: np.ndarray, y: np.ndarray, **options) -> torch.nn.Module:
    classes = int(y.max()) + 1
    model = part("model", name, **options).build(Shapes((x.shape[1],), classes)).double()
    with torch.no_grad():
        model.solve(torch.from_numpy(x), torch.from_numpy(y), None)
    return model


SHARED, SEPARATE = LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis


@pytest.mark.parametrize(
    ("name", "covariance", "oracle"),
    [("iris", "shared", SHARED), ("iris", "separate", SEPARATE), ("wine", "shared", SHARED),
     ("wine", "separate", SEPARATE), ("breast_cancer", "shared", SHARED)],
)  # fmt: skip
def test_posteriors_equal_those_of_scikit_learn(name, covariance, oracle):
    run, x = fitted(cy.models.gaussian(covariance=covariance), cy.load(name))
    expected = oracle().fit(x, run.data.targets).predict_proba(x)
    np.testing.assert_allclose(run.predictions.outputs, expected, atol=1e-7)
    assert run.recipe.optimizer.name == "direct"
    assert run.facts["notes"] == []


def test_a_diagonal_covariance_is_gaussian_naive_bayes():
    run, x = fitted(cy.models.gaussian(covariance="diagonal"), cy.load("wine"))
    y = run.data.targets
    oracle = GaussianNB(var_smoothing=0.0).fit(x, y)
    np.testing.assert_allclose(run.predictions.outputs, oracle.predict_proba(x), atol=1e-9)


def test_iris_leave_one_out_gives_147_of_150():
    recipe = cy.Recipe(model=cy.models.gaussian(), precision="float64")
    found = cy.cross_validate(recipe, cy.load("iris"), folds="loo", floors=False)
    assert round(found.score.value * 150) == 147


def test_a_shared_covariance_has_the_form_of_logistic_regression():
    run, x = fitted(cy.models.gaussian(), cy.load("breast_cancer"))
    y = run.data.targets
    means = [x[y == k].mean(0) for k in (0, 1)]
    within = sum((x[y == k] - means[k]).T @ (x[y == k] - means[k]) for k in (0, 1))
    expected = np.linalg.solve(within / len(x), means[1] - means[0])
    weights, intercepts = run.model.affine()
    np.testing.assert_allclose((weights[1] - weights[0]).numpy(), expected, rtol=1e-7)
    odds = x @ (weights[1] - weights[0]).numpy() + float(intercepts[1] - intercepts[0])
    sigmoid = 1 / (1 + np.exp(-odds))
    np.testing.assert_allclose(run.predictions.outputs[:, 1], sigmoid, atol=1e-9)
    raw = cy.coefficients(run)  # in the units of the file
    scores = np.asarray(run.data.inputs) if not isinstance(run.data.inputs, dict) else np.stack(
        [run.data.inputs[n] for n in raw.names], 1)  # fmt: skip
    scores = scores.astype(float) @ raw.weights + raw.intercept
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], odds, rtol=1e-6, atol=1e-6)
    with pytest.raises(UsageError, match="not linear"):
        cy.models.gaussian(covariance="separate").build(Shapes((2,), 2)).affine()


def test_numbers_of_covariance_parameters():
    # Course: W86.
    for features, (separate, shared) in {2: (6, 3), 7: (56, 28), 100: (10100, 5050)}.items():
        assert covariance_parameters(features, 2, "separate") == separate == features * (
            features + 1)  # fmt: skip
        assert covariance_parameters(features, 2, covariance="shared") == shared
        assert covariance_parameters(features, 2, "diagonal") == 2 * features
    made = cy.models.gaussian(covariance="separate").build(Shapes((7,), 2))
    assert made.roots.shape == (2, 7, 7)


def test_singular_covariances_are_said_and_still_classify():
    run = cy.fit(cy.Recipe(model=cy.models.gaussian(covariance="separate")), cy.load("digits"))
    assert "singular" in run.facts["notes"][0]
    assert run.score.value > 0.7
    better = cy.Recipe(model=cy.models.gaussian(covariance="separate", ridge=0.1))
    run = cy.fit(better, cy.load("digits"))
    assert run.facts["notes"] == []
    assert run.score.value > 0.95


def test_a_class_without_rows_never_wins():
    x = np.random.default_rng(0).normal(size=(20, 2))
    y = np.repeat([0, 2], 10)
    for name in ("gaussian", "naive_bayes"):
        found = solved(name, x, y)(torch.from_numpy(x)).exp()
        assert found.isfinite().all()
        assert found[:, 1].max() < 1e-6


def test_naive_bayes_equals_scikit_learn_column_by_column():
    rng = np.random.default_rng(2)
    y = rng.integers(3, size=120)
    numbers = rng.normal(size=(120, 2)) + y[:, None]
    codes = (rng.integers(4, size=120) + y) % 4
    flags = (rng.random((120, 2)) < 0.2 + 0.3 * y[:, None]).astype(float)
    x = np.c_[numbers, np.eye(4)[codes], numbers[:, :1] ** 2, flags]
    model = solved("naive_bayes", x, y)
    expected = (
        GaussianNB().fit(x[:, [0, 1, 6]], y).predict_joint_log_proba(x[:, [0, 1, 6]])
        + CategoricalNB().fit(codes[:, None], y).predict_joint_log_proba(codes[:, None])
        + BernoulliNB().fit(flags, y).predict_joint_log_proba(flags)
        - 2 * np.log(np.bincount(y) / 120)
    )
    expected -= np.logaddexp.reduce(expected, 1, keepdims=True)
    np.testing.assert_allclose(model(torch.from_numpy(x)).numpy(), expected, atol=1e-9)
    # A category that nobody has seen says nothing: the answer is that of the other columns.
    x[:, 2:6] = 0
    unseen = model(torch.from_numpy(x)).numpy()
    expected = (
        GaussianNB().fit(x[:, [0, 1, 6]], y).predict_joint_log_proba(x[:, [0, 1, 6]])
        + BernoulliNB().fit(flags, y).predict_joint_log_proba(flags)
        - np.log(np.bincount(y) / 120)
    )
    np.testing.assert_allclose(
        unseen, expected - np.logaddexp.reduce(expected, 1, keepdims=True), atol=1e-9
    )


def test_naive_bayes_reads_a_table(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    lines = [f"{v + 2 * s:.3f},{'ab'[int(c)]},{['no', 'yes'][s]}" for v, c, s in
             zip(rng.normal(size=200), rng.random(200) < 0.2 + 0.6 * y, y, strict=True)]  # fmt: skip
    (tmp_path / "rows.csv").write_text("size,kind,bought\n" + "\n".join(lines))
    run = cy.fit(cy.Recipe(model="naive_bayes"), cy.load(tmp_path / "rows.csv", target="bought"))
    assert run.score.value > 0.8
    assert cy.load_run(run.path).model.log_ones.equal(run.model.log_ones)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 50))
def test_categories_are_found_among_columns(widths, seed):
    rng = np.random.default_rng(seed)
    parts, at, expected = [], 0, []
    for width in widths:  # every category has at least one row, as in what is fitted on rows
        codes = rng.permutation(np.arange(12) % width) if width > 1 else rng.integers(2, size=12)
        parts.append(np.eye(width)[codes] if width > 1 else np.linspace(0.1, 0.9, 12)[:, None])
        expected += [range(at, at + width)] if width > 1 else []
        at += width
    assert counted_columns(torch.from_numpy(np.hstack(parts))) == expected


def test_generative_models_want_classes():
    for name in ("gaussian", "naive_bayes"):
        with pytest.raises(UsageError, match="for classification"):
            cy.fit(cy.Recipe(model=name), cy.load("diabetes"))
        with pytest.raises(UsageError, match="each class"):
            cy.fit(cy.Recipe(model=name, loss="binary_cross_entropy"), cy.load("breast_cancer"))
