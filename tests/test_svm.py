"""Perceptrons and support vector machines against hand-written rules and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC, SVR, LinearSVC

import chymist as cy
from chymist import losses
from chymist.errors import InputError, UsageError
from chymist.keys import order
from chymist.models import build_model
from chymist.parts import part
from chymist.values import Shapes, Split

NONE = np.array([], np.int64)


def all_rows(data: cy.Data) -> Split:
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


def fitted(model, data: cy.Data, **fields) -> tuple[cy.Run, np.ndarray]:
    recipe = cy.Recipe(model=model, precision="float64", **fields)
    run = cy.fit(recipe, all_rows(data), doctor=False)
    return run, run.preparation.inputs(data.inputs, np.float64)


def clouds(seed: int = 0, rows: int = 40, gap: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    return rng.normal(size=(rows, 2)) + gap * y[:, None], y


def rosenblatt(x, y, weights, visits) -> tuple[np.ndarray, int]:
    """The classic algorithm: w <- w + y x after each mistake, a row on the boundary being one."""
    x, signs, mistakes = np.c_[x, np.ones(len(x))], 2 * y - 1, 0
    for row in visits:
        if signs[row] * (x[row] @ weights) <= 0:
            weights, mistakes = weights + signs[row] * x[row], mistakes + 1
    return weights, mistakes


def test_the_default_perceptron_is_rosenblatts_rule():
    x, y = clouds(gap=2.0)
    run, z = fitted("perceptron", cy.load((x, y), task="classification"), length="5 epochs")
    assert run.recipe.batch_size == 1
    start = build_model(part("model", "perceptron"), Shapes((2,), 1), 0)[1]
    weights = np.r_[start.weight.detach().numpy()[0], start.bias.detach().numpy()]
    visits = np.concatenate([order(0, epoch, 40) for epoch in range(5)])
    expected, mistakes = rosenblatt(z, y, weights.astype(float), visits)
    assert 0 < mistakes < 200
    found = [run.model[1].weight.detach().numpy()[0], run.model[1].bias.detach().numpy()]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-12)


def test_many_classes_move_the_right_and_the_best_wrong_one():
    scores = torch.tensor([[1.0, 3.0, 2.0]], requires_grad=True)
    for loss, value in ((losses.perceptron, 2.0), (losses.hinge, 3.0)):
        found = loss(scores, torch.tensor([0]))
        assert found.item() == value
        (slope,) = torch.autograd.grad(found, scores)
        assert slope.tolist() == [[-1.0, 1.0, 0.0]]
    run, _ = fitted("perceptron", cy.load("iris"), length="2 epochs")
    assert run.score.value > 0.8


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_mistakes_are_within_the_bound_of_novikoff(seed):
    x, y = clouds(seed, gap=5.0)
    try:
        bound = cy.mistake_bound(x, y)
    except InputError:
        return
    visits = np.random.default_rng(seed).integers(40, size=20_000)
    weights, mistakes = rosenblatt(x, y, np.zeros(3), visits)
    assert 1 <= mistakes <= bound.bound
    assert ((np.c_[x, np.ones(40)] @ weights > 0) == y).all()  # it has come to rest


def test_the_margin_of_the_bound_by_hand():
    found = cy.mistake_bound(np.array([[3.0, 4.0], [-3.0, -4.0]]), np.array([1, 0]))
    assert found.radius == pytest.approx(np.sqrt(26))
    assert found.margin == pytest.approx(5.0, rel=1e-4)  # the intercept is 0 by symmetry
    assert found.bound == pytest.approx(26 / 25, rel=1e-4)
    with pytest.raises(InputError, match="separates"):
        cy.mistake_bound(np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0]))
    with pytest.raises(UsageError, match="two classes"):
        cy.mistake_bound(np.eye(3), np.arange(3))


def test_a_mistake_bound_of_data_is_that_of_their_prepared_rows():
    data = cy.load("iris")
    columns = np.column_stack([data.inputs[name] for name in data.inputs]).astype(float)
    scaled = (columns - columns.mean(0)) / columns.std(0)
    wanted = cy.mistake_bound(scaled, data.targets == 0)
    assert cy.mistake_bound(data, against="setosa") == pytest.approx(wanted, rel=1e-4)
    for call, said in (
        (lambda: cy.mistake_bound(data.inputs, data.targets), "the data itself, not its columns"),
        (lambda: cy.pca(data.inputs), "the data itself, not its columns"),
        (lambda: cy.mistake_bound(data), "two classes.*against=setosa"),
        (lambda: cy.mistake_bound(data, against="setos"), "unknown class.*setosa"),
        (lambda: cy.mistake_bound(cy.load("diabetes")), "two classes"),
        (lambda: cy.mistake_bound(scaled), "need targets"),
        (lambda: cy.mistake_bound(data, data.targets), "of their own"),
    ):
        with pytest.raises(cy.ChymistError, match=said):
            call()


def test_a_descended_linear_svm_reaches_the_objective_of_libsvm():
    """mean hinge + decay |w|^2 / 2, with the intercept in w, as LinearSVC has it."""
    x, y = clouds(gap=1.5, rows=100)
    decay = 0.01
    recipe = {"optimizer": cy.optim.sgd(lr=0.5, weight_decay=decay), "batch_size": "all",
              "length": "250 epochs"}  # fmt: skip
    run, z = fitted("linear_svm", cy.load((x, y), task="classification"), **recipe)
    oracle = LinearSVC(loss="hinge", C=1 / (decay * 100), tol=1e-10, max_iter=1_000_000).fit(z, y)

    def objective(weights, intercept):
        hinge = np.maximum(0, 1 - (2 * y - 1) * (z @ weights + intercept)).mean()
        return hinge + decay / 2 * (weights @ weights + intercept**2)

    best = objective(oracle.coef_[0], oracle.intercept_[0])
    layer = run.model[1]
    ours = objective(layer.weight.detach().numpy()[0], layer.bias.item())
    assert best - 1e-9 <= ours <= best * 1.005
    few = fitted("linear_svm", cy.load("iris"), length="20 epochs")[0]
    assert few.recipe.loss.name == "hinge"
    assert few.score.value > 0.9


KERNELS = [("rbf", {}), ("linear", {"C": 0.1}), ("poly", {"degree": 2, "gamma": 0.3})]


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "digits"])
@pytest.mark.parametrize(("kernel", "options"), KERNELS)
def test_scores_equal_those_of_scikit_learn(name, kernel, options):
    data = cy.load(name)
    run, x = fitted(cy.models.svm(kernel=kernel, **options), data)
    x = x.reshape(len(x), -1).astype(np.float64)
    moved = x - x.mean(0) if kernel == "linear" else x  # the same problem, solved by other steps
    oracle = SVC(kernel=kernel, **options).fit(moved, data.targets)
    expected = oracle.decision_function(moved).reshape(len(x), -1)
    with torch.no_grad():
        found = run.model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    wins = expected.argmax(1) if expected.shape[1] > 1 else expected[:, 0] > 0
    assert (run.predictions.labels == wins).all()  # as SVC(break_ties=True) predicts
    assert run.facts["notes"][0].startswith(f"{len(oracle.support_):,} of {len(x):,}")
    assert cy.support_vectors(run).rows.tolist() == oracle.support_.tolist()


def test_the_margin_is_that_of_the_primal():
    x, y = clouds(gap=6.0)
    run, z = fitted(cy.models.svm(kernel="linear"), cy.load((x, y), task="classification"))
    oracle = SVC(kernel="linear").fit(z, y)
    found = cy.support_vectors(run)
    assert found.margins[0] == pytest.approx(1 / np.linalg.norm(oracle.coef_), rel=1e-6)
    assert f"margin {found.margins[0]:.3g}" in run.facts["notes"][0]
    assert found.pairs == (("0", "1"),)
    with pytest.raises(InputError, match="no support vector machine"):
        cy.support_vectors(cy.fit(cy.Recipe(model="softmax", length="1 epoch"), cy.load("iris")))


def test_regression_equals_scikit_learn():
    data = cy.load("diabetes")
    run, x = fitted(cy.models.svr(C=2.0, epsilon=0.2), data)
    y = run.preparation.targets(data.targets, np.float64)[:, 0]
    oracle = SVR(C=2.0, epsilon=0.2).fit(x, y)
    expected = run.preparation.outputs(oracle.predict(x)[:, None])[:, 0]
    np.testing.assert_allclose(run.predictions.outputs, expected, rtol=1e-6)


def test_classes_that_a_fold_does_not_have_never_win():
    x = np.random.default_rng(0).normal(size=(30, 2))
    for y in (np.repeat([0, 2, 3], 10), np.repeat([0, 2], 15), np.repeat([2], 30)):
        model = part("model", "svm").build(Shapes((2,), 4)).double()
        with torch.no_grad():
            model.solve(torch.from_numpy(x), torch.from_numpy(y), None)
            found = model(torch.from_numpy(x)).argmax(1).numpy()
        assert set(found) <= set(y)
        if len(set(y)) > 1:
            assert (found == SVC().fit(x, y).predict(x)).all()
    model = part("model", "svm").build(Shapes((2,), 1))
    model.solve(torch.from_numpy(x).float(), torch.zeros(30, dtype=torch.int64), None)
    assert (model(torch.zeros(1, 2)) < 0).all()


def test_two_outputs_are_half_the_score_each_way():
    data = cy.load("breast_cancer")
    one, _ = fitted("svm", data)
    two, _ = fitted("svm", data, loss="cross_entropy")
    np.testing.assert_allclose(one.predictions.outputs, two.predictions.outputs, atol=1e-9)


def test_svms_go_through_folders_folds_and_comparisons(tmp_path):
    data = cy.load("iris")
    run = cy.fit(cy.Recipe(model="svm"), data, out=tmp_path / "run")
    again = cy.load_run(run.path)
    assert torch.equal(again.model.support, run.model.support)
    raw = data.take(np.arange(20))
    np.testing.assert_array_equal(cy.predict(run.path, raw), cy.predict(run, raw))
    assert cy.evaluate(run.path, split="test").score.value > 0.8
    found, _, _ = cy.resume(run.path)
    assert found.score == run.score
    assert cy.cross_validate(cy.Recipe(model="svm"), data, folds=5).score.value > 0.93
    recipes = {name: cy.Recipe(model=name) for name in ("svm", "gaussian", "naive_bayes")}
    found = cy.compare(recipes, data, folds=5)
    assert {entry.name for entry in found.entries} == set(recipes)


def test_a_kernel_far_from_zero_is_that_of_scikit_learn():
    from sklearn.metrics.pairwise import rbf_kernel

    draw = np.random.default_rng(0)
    near, other = draw.normal(size=(30, 3)), draw.normal(size=(20, 3))
    far = 1e4  # squares of float32 rows would be known to within 10 there
    module = cy.models.svm().build(cy.Shapes((3,), 2))
    module.gamma = torch.tensor(0.5)
    rows, support = (torch.tensor(part + far, dtype=torch.float32) for part in (near, other))
    wanted = rbf_kernel(rows.double().numpy(), support.double().numpy(), gamma=0.5)
    assert np.abs(module._kernel(rows, support).numpy() - wanted).max() < 1e-5
