"""Solvers: what they do not read is refused, units and places of columns do not matter, and rows
that weigh nothing are not there."""

from __future__ import annotations

import json

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

import chymist as cy
from chymist.cli import main
from chymist.engine import solving
from chymist.engine.closed_form import dependence, least_squares
from chymist.engine.defaults import complete
from chymist.engine.ignored import unread
from chymist.engine.stored import read_recipe
from chymist.errors import Diverged, UsageError
from chymist.models import build_model
from chymist.models.gaussian import counted_columns
from chymist.optim import AT_ONCE, ITERATED
from chymist.parts import part, registered
from chymist.values import Recipe, Shapes, Split

NONE = np.array([], np.int64)
GIVEN = {
    "schedule": "cosine", "clip": "norm", "gradient_noise": "annealed", "accumulate": 2,
    "init": "he_normal", "precision": "bfloat16", "batch_size": 16, "length": "5 epochs",
    "stop": "early",
}  # fmt: skip
STEPPED = {"schedule", "clip", "gradient_noise", "accumulate", "batch_size"}
IGNORED = {
    "closed_form": {*GIVEN}, "direct": {*GIVEN}, "irls": {*GIVEN} - {"stop"},
    "lbfgs": STEPPED, "newton": STEPPED, "bgd": {"batch_size", "accumulate"}, "adam": set(),
}  # fmt: skip
MODELS = {"closed_form": "linear", "direct": "cart"}
SOLVERS = (*AT_ONCE, *ITERATED)


def recipe_for(optimizer: str, **given) -> Recipe:
    return Recipe(model=MODELS.get(optimizer, "linear"), optimizer=optimizer, **given)


@pytest.mark.parametrize("optimizer", sorted(IGNORED))
@pytest.mark.parametrize("slot", sorted(GIVEN))
def test_what_an_optimizer_does_not_read_is_refused(optimizer, slot):
    split = cy.split(cy.load("diabetes"))
    recipe = recipe_for(optimizer, **{slot: GIVEN[slot]})
    if slot in IGNORED[optimizer]:
        with pytest.raises(UsageError, match=f"'{optimizer}' does not read this, in {slot}"):
            complete(recipe, split)
    else:
        full = complete(recipe, split)
        assert getattr(full, slot) == getattr(recipe, slot)
        assert complete(full, split) == full


def test_every_solver_is_held_to_it():
    assert set(SOLVERS) <= set(IGNORED)
    assert {name for name in registered("optimizer") if unread(Recipe(optimizer=name))} == {
        name for name, slots in IGNORED.items() if slots
    }


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_a_solver_records_no_schedule(optimizer, tmp_path, capsys):
    run = cy.fit(recipe_for(optimizer), cy.split(cy.load("diabetes")), out=tmp_path / "run")
    text = (run.path / "recipe.toml").read_text()
    assert run.recipe.schedule is None
    assert "schedule" not in text
    assert read_recipe(run.path / "recipe.toml") == run.recipe
    assert "<dt>schedule</dt><dd><code>none</code></dd>" in (run.path / "report.html").read_text()
    assert main(["show", str(run.path)]) == 0
    assert "no schedule" in capsys.readouterr().out


def test_old_folders_hold_what_their_solvers_did_not_read(tmp_path):
    split = cy.split(cy.load("diabetes"))
    run = cy.fit(recipe_for("closed_form"), split, out=tmp_path / "run", doctor=False)
    path = run.path / "recipe.toml"
    old = path.read_text().replace("accumulate = 1", "accumulate = 4")
    old = old.replace('[clip]\nname = "none"', '[clip]\nname = "norm"\nmax = 1.0')
    path.write_text(old + '\n[schedule]\nname = "one_cycle"\n')
    assert read_recipe(path) == run.recipe
    (run.path / "result.json").unlink()
    again, *_ = cy.resume(run.path)
    assert again.recipe.schedule is None
    assert again.score.value == run.score.value
    assert cy.fit(again.recipe, split, doctor=False).score.value == run.score.value


def test_options_for_several_models_are_for_those_that_read_them(tmp_path, capsys):
    words = ["compare", "iris", "--models", "gaussian,softmax,cart", "--length", "2 epochs",
             "--batch-size", "32", "--folds", "3", "--json", "--out", str(tmp_path / "c")]  # fmt: skip
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 3


def test_a_solver_that_diverges_is_not_told_to_lower_a_rate(monkeypatch):
    def lost(problem):
        with torch.no_grad():
            problem.parameters[0].fill_(torch.nan)
        yield True

    monkeypatch.setitem(solving.SOLVERS, "lbfgs", lost)
    with pytest.raises(Diverged, match="lbfgs, step 1: got nan; scale inputs") as caught:
        cy.fit(recipe_for("lbfgs"), cy.split(cy.load("diabetes")), doctor=False)
    assert "rate" not in str(caught.value)


UNITS = 10.0 ** np.array([-8, 8, 0, 3, -5, 6])


def columns(rows: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Good columns, the same in units from 1e-8 to 1e8, and a score."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, len(UNITS))) + rng.normal(size=len(UNITS))
    return x, x * UNITS, x @ [1.0, -0.5, 0.3, 0.0, 0.8, -1.0] + 0.5 * rng.normal(size=rows)


def fitted(x: np.ndarray, y: np.ndarray, task: str, weights=None, **recipe) -> cy.Run:
    if weights is None:
        data, prepare = cy.load((x, y), task=task), cy.prepare(scale="none")
    else:
        data = cy.load((np.c_[x, weights], y), task=task)
        prepare = cy.prepare(scale="none", weights=data.columns[-1].name)
    split = Split(data, np.arange(len(x)), NONE, NONE, 0, "all rows")
    recipe = {"precision": "float64", "data": prepare, **recipe}
    return cy.fit(Recipe(**recipe), split, doctor=False)


@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_units_of_columns_do_not_matter_to_least_squares(l2):
    x, raw, y = columns()
    weights, bias = least_squares(raw, y[:, None], l2)
    if l2:  # the penalty is on the raw weights: scikit-learn's on each scaled weight
        wide = np.vstack([(raw - raw.mean(0)) / UNITS, np.diag(np.sqrt(l2) / UNITS)])
        scaled = np.linalg.lstsq(wide / np.linalg.norm(wide, axis=0),
                                 np.r_[y - y.mean(), np.zeros(6)], rcond=None)[0]  # fmt: skip
        expected = scaled / np.linalg.norm(wide, axis=0)
    else:
        expected = sm.OLS(y, sm.add_constant(x)).fit().params[1:]
    np.testing.assert_allclose(weights[:, 0] * UNITS, expected, rtol=1e-7)
    assert dependence(raw) == []
    run = fitted(raw, y, "regression", model="linear", optimizer=cy.optim.closed_form(l2=l2))
    assert run.facts["notes"] == []
    if not l2:  # which is on the weights of the standardised target there
        said = np.ravel(raw @ weights + bias)
        np.testing.assert_allclose(run.predictions.outputs, said, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("far", [0.0, 1e9])
def test_units_and_places_of_columns_do_not_matter_to_newton(far):
    x, raw, score = columns()
    y = (score + np.random.default_rng(1).logistic(scale=2, size=len(x)) > 0.0).astype(int)
    run = fitted(raw + far * UNITS, y, "classification", model="logistic", optimizer="irls")
    oracle = sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-14, maxiter=100)
    found = run.model[1].weight[0].detach().numpy() * UNITS
    np.testing.assert_allclose(found, oracle.params[1:], rtol=1e-5 if far else 1e-8)
    assert run.facts["notes"] == []


@pytest.mark.parametrize("covariance", ["shared", "separate", "diagonal"])
@pytest.mark.parametrize("far", [0.0, 1e6])
def test_units_and_places_of_columns_do_not_matter_to_gaussians(covariance, far):
    x, raw, score = columns()
    y = (score > 0.5).astype(int)
    oracle = {"shared": LinearDiscriminantAnalysis(), "separate": QuadraticDiscriminantAnalysis(),
              "diagonal": GaussianNB(var_smoothing=0.0)}[covariance]  # fmt: skip
    model = cy.models.gaussian(covariance=covariance)
    run = fitted(raw + far * UNITS, y, "classification", model=model)
    expected = oracle.fit(x, y).predict_proba(x)
    np.testing.assert_allclose(run.predictions.outputs, expected, atol=1e-6)
    assert run.facts["notes"] == []


def test_units_of_columns_do_not_matter_to_naive_bayes():
    x, raw, score = columns()
    y = (score > 0.5).astype(int)
    run = fitted(raw, y, "classification", model="naive_bayes")
    np.testing.assert_allclose(
        run.predictions.outputs, GaussianNB().fit(x / x.std(0), y).predict_proba(x / x.std(0)),
        atol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["gaussian", "naive_bayes"])
def test_single_precision_is_enough_far_from_zero(model):
    x, _, score = columns()
    y, x = (score > 0.5).astype(int), np.round(x * 64) / 64 + 4096.0  # exact in single precision
    exact = fitted(x - 4096.0, y, "classification", model=model)
    run = fitted(x, y, "classification", model=model, precision="float32")
    np.testing.assert_allclose(run.predictions.outputs, exact.predictions.outputs, atol=2e-5)


def test_a_column_of_one_number_within_each_class_decides_in_any_unit():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=60)
    for unit in (1e-6, 1.0, 1e6):
        x = np.c_[rng.normal(size=60), unit * y]
        run = fitted(x, y, "classification", model="gaussian")
        assert run.predictions.outputs[np.arange(60), y].min() > 0.999
        assert "rank 1 of 2" in run.facts["notes"][0]


def test_of_dependent_columns_the_shortest_weights_in_raw_units():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 3))
    x = np.c_[x, x @ [3.0, 0.0, -2.0] + 4.0, np.full(40, 7.0)]
    y = x @ [1.0, 2.0, 3.0, 0.5, 0.0] + rng.normal(size=40)
    expected = np.linalg.pinv(x - x.mean(0)) @ (y - y.mean())
    weights, _ = least_squares(x, y[:, None])
    np.testing.assert_allclose(weights[:, 0], expected, atol=1e-9)
    run = fitted(x, y, "regression", model="linear", optimizer="irls")
    scale = np.std(y)  # the model's target is standardised
    np.testing.assert_allclose(run.model[1].weight[0].detach() * scale, expected, atol=1e-8)
    assert "rank 3 of 5" in run.facts["notes"][0]


@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_rows_of_no_weight_do_not_count_in_least_squares(l2):
    x, _, y = columns(60)
    weights = np.where(np.arange(60) % 3 == 0, 0.0, 1.0 + np.arange(60) % 2)
    kept = weights > 0
    without = least_squares(x[kept], y[kept, None], l2, weights[kept])
    for found, expected in zip(least_squares(x, y[:, None], l2, weights), without, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    ridge = Ridge(alpha=l2).fit(x[kept], y[kept], weights[kept] / weights[kept].mean())
    np.testing.assert_allclose(without[0][:, 0], ridge.coef_, rtol=1e-8)


def test_rows_of_no_weight_do_not_count_in_newtons_method():
    x, _, score = columns(60)
    y = (score + np.random.default_rng(1).logistic(size=60) > 0).astype(int)
    weights = np.where(np.arange(60) % 3 == 0, 0.0, 1.0)
    kept = weights > 0
    given = {"model": "logistic", "optimizer": cy.optim.irls(l2=2.0)}
    whole = fitted(x, y, "classification", weights, **given).model[1]
    few = fitted(x[kept], y[kept], "classification", **given).model[1]
    np.testing.assert_allclose(whole.weight.detach(), few.weight.detach(), rtol=1e-8)
    # Columns that are one and the same among the rows that count depend on each other.
    x[kept, 1] = x[kept, 0]
    free = {**given, "optimizer": "irls"}
    assert "rank 5 of 6" in fitted(x, y, "classification", weights, **free).facts["notes"][-1]


@pytest.mark.parametrize("name", ["gaussian", "naive_bayes"])
def test_a_class_of_no_weight_is_never_said(name):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    x[y == 2] += 1000.0
    model = part("model", name).build(Shapes((2,), 3)).double()
    with torch.no_grad():
        model.solve(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(y < 2).double())
        far = model(torch.from_numpy(x)).exp().numpy()
        assert far[:, 2].max() < 1e-29
        np.testing.assert_allclose(far.sum(1), 1.0)
        few = part("model", name).build(Shapes((2,), 2)).double()
        few.solve(torch.from_numpy(x[y < 2]), torch.from_numpy(y[y < 2]), None)
        np.testing.assert_allclose(far[:, :2], few(torch.from_numpy(x)).exp().numpy(), atol=1e-12)


def test_a_column_of_zeros_is_no_category_of_those_after_it():
    codes = np.array([0, 1, 2, 1, 0, 2])
    x = np.c_[np.zeros(6), np.eye(3)[codes]]
    assert counted_columns(torch.from_numpy(x)) == [range(1), range(1, 4)]


@pytest.mark.parametrize("name", sorted(registered("init")))
@pytest.mark.parametrize("value", [0, -1, 1e300, 10**9, float("nan"), float("inf")])
def test_weights_start_finite_or_are_refused(name, value):
    for option in registered("init")[name].options:
        try:
            init = part("init", name, **{option: value})
            model = build_model(part("model", "mlp", hidden=(4,)), Shapes((3,), 2), 0, init)
        except UsageError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert isinstance(model, torch.nn.Module)


def test_numbers_that_cannot_be_drawn_and_layers_without_end():
    for value in (1e300, 3e38):
        with pytest.raises(UsageError, match=r"out of range, in init\.bound"):
            build_model(part("model", "linear"), Shapes((3,), 1), 0,
                        part("init", "uniform", bound=value))  # fmt: skip
    for pieces in (10**9, -1, 0):
        with pytest.raises(UsageError, match="pieces"):
            cy.activations.maxout(pieces=pieces)


@pytest.mark.parametrize("model", ["id3", "c45", "cart", "random_forest", "boosting"])
def test_trees_in_double_precision_part_what_single_cannot(model):
    x, y = (1e9 + np.arange(64.0))[:, None], (np.arange(64) >= 37).astype(int)
    assert fitted(x, y, "classification", model=model).score.value == 1.0
    single = fitted(x, y, "classification", model=model, precision="float32")
    assert single.score.value < 1.0


def test_a_threshold_is_told_with_the_digits_it_needs():
    x, y = (1e9 + np.arange(64.0))[:, None], (np.arange(64) >= 37).astype(int)
    tree = cy.tree_of(fitted(x, y, "classification", model="cart"))
    assert "<= 1000000036.5" in str(tree)


@pytest.mark.parametrize(("model", "other"), [("c45", "cart"), ("gaussian", "linear"),
                                              ("svm", "svr")])  # fmt: skip
def test_advice_for_another_task_names_a_model_that_works(model, other):
    split = cy.split(cy.load("diabetes"))
    for loss in (None, "mse", "cross_entropy"):
        with pytest.raises(UsageError, match=f"'{model}' is for classification.*use {other}"):
            cy.fit(Recipe(model=model, loss=loss), split)
    assert cy.fit(Recipe(model=other), split, doctor=False).score.n
