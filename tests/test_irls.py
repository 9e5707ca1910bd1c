"""Newton's method for affine models against scikit-learn and statsmodels, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, PoissonRegressor

import chymist as cy
from chymist.engine.closed_form import dependence
from chymist.engine.irls import Objective, newton, separated
from chymist.errors import InputError, Interrupted, UsageError
from chymist.losses import cross_entropy, poisson
from chymist.values import Split

NONE = np.array([], np.int64)


def all_rows(data: cy.Data) -> Split:
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


def solved(model, data: cy.Data, **options) -> cy.Run:
    optimizer = cy.optim.irls(**options)
    recipe = cy.Recipe(model=model, optimizer=optimizer, precision="float64")
    return cy.fit(recipe, all_rows(data), doctor=False)


def prepared(run: cy.Run) -> np.ndarray:
    return run.preparation.inputs(run.data.inputs, np.float64)


@pytest.mark.parametrize(("model", "name"), [("softmax", "iris"), ("softmax", "wine"),
                                             ("logistic", "breast_cancer")])  # fmt: skip
def test_penalised_classifiers_equal_scikit_learn(model, name):
    data = cy.load(name)
    run = solved(model, data, l2=0.5)
    oracle = LogisticRegression(C=2.0, tol=1e-12, max_iter=5000, solver="newton-cg")
    oracle.fit(prepared(run), data.targets)
    np.testing.assert_allclose(
        run.predictions.outputs, oracle.predict_proba(prepared(run)), atol=1e-6
    )
    assert run.facts["notes"] == []
    assert 4 < run.facts["steps"] < 15


def test_every_iteration_is_a_step_and_an_epoch_that_lowers_the_loss():
    run = solved("softmax", cy.load("iris"), l2=0.1)
    losses = run.history["train_loss"]
    assert losses[:, 0].tolist() == list(range(1, run.facts["steps"] + 1))
    assert (np.diff(losses[:, 1]) < 1e-9).all()
    assert len(run.history["loss"]) == len(losses) == run.facts["epochs"]


def counts(rows: int = 200) -> cy.Data:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    return cy.load((x, rng.poisson(np.exp(1 + x @ [0.5, -0.3, 0.0])).astype(float)),
                   task="regression")  # fmt: skip


def test_poisson_regression_equals_statsmodels_and_scikit_learn():
    data = counts()
    run = solved(cy.models.generalized_linear(link="log"), data)
    assert run.recipe.loss.name == "poisson"
    x = sm.add_constant(data.inputs)
    oracle = sm.GLM(data.targets, x, family=sm.families.Poisson()).fit(tol=1e-14)
    np.testing.assert_allclose(run.predictions.outputs, oracle.predict(x), rtol=1e-8)
    found = run.model(torch.from_numpy(prepared(run)))
    deviance = poisson(found, torch.from_numpy(data.targets)[:, None]).item()
    assert deviance * len(data) == pytest.approx(oracle.deviance, rel=1e-10)
    # scikit-learn minimises half the mean deviance + alpha / 2 |w|^2, we the sum + l2 / 2 |w|^2.
    with_l2 = solved(cy.models.generalized_linear(link="log"), data, l2=2 * 200 * 0.1)
    oracle = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=1000).fit(prepared(run), data.targets)
    np.testing.assert_allclose(
        with_l2.predictions.outputs, oracle.predict(prepared(run)), rtol=1e-6
    )


def test_the_links_of_the_generalised_linear_model():
    cells, sides = load_breast_cancer(return_X_y=True)
    made = {
        "identity": (cy.load("diabetes"), sm.families.Gaussian()),
        "logit": (cy.load((cells[:, :3], sides), task="classification"),
                  sm.families.Binomial()),
    }  # fmt: skip
    for link, (rows, family) in made.items():
        run = solved(cy.models.generalized_linear(link=link), rows)
        x = sm.add_constant(prepared(run))
        oracle = sm.GLM(rows.targets, x, family=family).fit(tol=1e-14).predict(x)
        found = run.predictions.outputs
        found = found if found.ndim == 1 else found[:, 1]
        np.testing.assert_allclose(found, oracle, rtol=1e-7, atol=1e-7)
    with pytest.raises(UsageError, match="use poisson"):
        cy.fit(cy.Recipe(model=cy.models.generalized_linear(link="log"), loss="mse"), counts())
    with pytest.raises(InputError, match="counts"):
        cy.fit(cy.Recipe(model=cy.models.generalized_linear(link="log")),
               cy.load((np.eye(4), np.array([-1.0, 2, 3, 5])), task="regression"))  # fmt: skip


def test_counts_are_learnt_by_descent_too_and_predicted_in_their_unit():
    data = counts()
    exact = solved(cy.models.generalized_linear(link="log"), data)
    recipe = cy.Recipe(model=cy.models.generalized_linear(link="log"),
                       optimizer=cy.optim.adam(lr=0.05), length="60 epochs")  # fmt: skip
    run = cy.fit(recipe, all_rows(data))
    np.testing.assert_allclose(run.predictions.outputs, exact.predictions.outputs, rtol=0.05)
    again = cy.predict(run, data.inputs[:5])
    np.testing.assert_allclose(np.ravel(again), run.predictions.outputs[:5], rtol=1e-6)


def test_members_of_a_population_of_counts_are_what_they_are_alone():
    recipe = cy.Recipe(model=cy.models.generalized_linear(link="log"), precision="float64",
                       optimizer=cy.optim.adam(lr=0.05), length="5 epochs")  # fmt: skip
    made = [cy.cross_validate(recipe, counts(60), folds=3, executor=how, floors=False)
            for how in ("auto", "loop")]  # fmt: skip
    np.testing.assert_allclose(made[0].predictions.outputs, made[1].predictions.outputs, rtol=1e-9)


def two_clouds(gap: float) -> cy.Data:
    rng = np.random.default_rng(0)
    side = np.repeat([0, 1], 40)
    return cy.load((rng.normal(size=(80, 2)) + gap * side[:, None], side), task="classification")


@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_separable_rows_are_noticed_whoever_fits_them(model):
    apart, mixed = two_clouds(9.0), two_clouds(1.0)
    run = solved(model, apart)
    assert "separates the training rows" in run.facts["notes"][0]
    assert run.facts["steps"] < 5
    assert run.score.value == 1.0
    assert solved(model, mixed).facts["notes"] == []
    assert solved(model, apart, l2=1.0).facts["notes"] == []
    short = cy.Recipe(model=model, length="20 epochs")
    descended = cy.fit(short, apart, doctor=False)
    assert "separates the training rows" in descended.facts["notes"][0]
    assert cy.fit(short, mixed, doctor=False).facts["notes"] == []
    decayed = short.replace(optimizer=cy.optim.sgd(weight_decay=0.01))
    assert cy.fit(decayed, apart, doctor=False).facts["notes"] == []


def test_rows_that_are_partly_separated_are_noticed():
    """Left of zero all are of class 0; at zero both classes are: weights grow, rows stay wrong."""
    x = np.repeat([-1.0, 0.0, 1.0], 10)[:, None]
    y = np.r_[np.zeros(10), np.tile([0, 1], 5), np.ones(10)].astype(int)
    run = solved("logistic", cy.load((x, y), task="classification"))
    assert "may separate some of the training rows" in run.facts["notes"][0]


def test_columns_that_depend_on_each_other_get_the_shortest_weights_and_a_note():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    y = (x[:, 0] + rng.normal(size=60) > 0).astype(int)
    once = solved("logistic", cy.load((x, y), task="classification"))
    twice = solved("logistic", cy.load((x[:, [0, 1, 0]], y), task="classification"))
    np.testing.assert_allclose(once.predictions.outputs, twice.predictions.outputs, atol=1e-9)
    weights = [run.model[1].weight.detach()[0].tolist() for run in (once, twice)]
    assert weights[1] == pytest.approx([weights[0][0] / 2, weights[0][1], weights[0][0] / 2])
    assert "rank 2 of 3" in twice.facts["notes"][0]
    line = cy.load((x[:, [0, 1, 0]], x[:, 0]), task="regression")
    assert "rank 2 of 3" in cy.fit(cy.Recipe(model="linear"), line).facts["notes"][0]


def test_what_cannot_be_solved_is_refused():
    recipe = cy.Recipe(model="mlp", optimizer="irls")
    with pytest.raises(UsageError, match="one affine layer"):
        cy.fit(recipe, cy.load("iris"))
    with pytest.raises(UsageError, match="curvature"):
        cy.fit(cy.Recipe(model="linear_svm", optimizer="irls"), cy.load("iris"))
    few = solved("softmax", cy.load("iris"), iterations=3)
    assert "not converged in 3" in few.facts["notes"][0]


def test_solving_goes_through_folds_comparisons_and_folders(tmp_path):
    data = cy.load("iris")
    recipe = cy.Recipe(model="softmax", optimizer=cy.optim.irls(l2=1.0))
    folds = cy.cross_validate(recipe, data, folds=5)
    assert folds.score.value > 0.94
    run = cy.fit(recipe, data, out=tmp_path / "run")
    found, step, _ = cy.resume(run.path)
    assert step == run.facts["steps"]
    assert torch.equal(cy.load_run(run.path).model[1].weight, run.model[1].weight)
    assert found.score == run.score


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(1, 4), st.integers(0, 99))
def test_newton_ends_where_the_gradient_is_zero(classes, columns, seed):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(np.c_[rng.normal(size=(30, columns)), np.ones(30)])
    t = torch.from_numpy(rng.integers(classes, size=30))
    weights = torch.from_numpy(rng.random(30))
    objective = Objective(x, t, cross_entropy, weights / weights.mean(),
                          torch.tensor([0.3] * columns + [0.0]).double())  # fmt: skip
    iterates = list(newton(objective, classes))
    values = [found.value for found in iterates]
    gradient, hessian = objective.derivatives(iterates[-1].theta)
    assert gradient.abs().max() < 1e-8
    assert (np.diff(values) < 1e-9).all()
    size = gradient.numel()
    whole = torch.autograd.functional.hessian(
        lambda theta: (cross_entropy(x @ theta, t, "none") * objective.weights).sum()
        + 0.15 * theta[:-1].square().sum(), iterates[-1].theta,
    )  # fmt: skip
    torch.testing.assert_close(hessian.reshape(size, size), whole.reshape(size, size))


def test_separation_by_hand():
    scores = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    ones = torch.ones(2)
    assert separated(scores, torch.tensor([0, 1]), ones)
    assert not separated(scores, torch.tensor([0, 0]), ones)
    assert separated(scores, torch.tensor([0, 0]), torch.tensor([1.0, 0.0]))
    odds = torch.tensor([[0.0], [1.0]])
    assert not separated(odds, torch.tensor([[0.0], [1.0]]), ones)  # one stands on the line


# NIST's Longley data set (public domain): response, deflator, product, unemployed, armed, population,
# year; certified coefficients, the intercept first.
LONGLEY = """60323 83.0 234289 2356 1590 107608 1947
61122 88.5 259426 2325 1456 108632 1948
60171 88.2 258054 3682 1616 109773 1949
61187 89.5 284599 3351 1650 110929 1950
63221 96.2 328975 2099 3099 112075 1951
63639 98.1 346999 1932 3594 113270 1952
64989 99.0 365385 1870 3547 115094 1953
63761 100.0 363112 3578 3350 116219 1954
66019 101.2 397469 2904 3048 117388 1955
67857 104.6 419180 2822 2857 118734 1956
68169 108.4 442769 2936 2798 120445 1957
66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959
69564 114.2 502601 3931 2514 125368 1960
69331 115.7 518173 4806 2572 127852 1961
70551 116.9 554894 4007 2827 130081 1962"""
CERTIFIED = [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683,
             -1.03322686717359, -0.511041056535807e-01, 1829.15146461355]  # fmt: skip


def test_longley_to_ten_digits_and_its_condition():
    rows = np.array([line.split() for line in LONGLEY.splitlines()], float)
    data = all_rows(cy.load((rows[:, 1:], rows[:, 0]), task="regression"))
    for optimizer in ("closed_form", "irls"):
        recipe = cy.Recipe(model="linear", optimizer=optimizer, precision="float64")
        run = cy.fit(recipe, data)
        found = cy.coefficients(run)
        made = np.r_[found.intercept, found.weights[:, 0]]
        np.testing.assert_allclose(made, CERTIFIED, rtol=1e-10)
        assert "condition number 111" in run.facts["notes"][0]
    x = rows[:, 1:] - rows[:, 1:].mean(0)
    condition = np.linalg.cond(x / np.sqrt((x**2).sum(0)))
    assert condition == pytest.approx(110.5, abs=0.1)  # said as 111


def test_dependence_is_said_of_dependent_columns_only():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    assert dependence(x) == []
    assert "rank 3 of 4" in dependence(np.c_[x, x[:, 0] - 2 * x[:, 1]])[0]
    assert "rank 3 of 4" in dependence(np.c_[x, np.ones(50)])[0]
    assert "nearly" in dependence(np.c_[x, x[:, 0] + 1e-3 * rng.normal(size=50)])[0]


def test_an_interrupted_solution_is_found_again(tmp_path):
    data, recipe = cy.load("iris"), cy.Recipe(model="softmax", optimizer=cy.optim.irls(l2=1.0))
    whole = cy.fit(recipe, data)
    with pytest.raises(Interrupted):
        cy.fit(recipe, data, out=tmp_path / "run", interrupted=lambda: True)
    again, step, problems = cy.resume(tmp_path / "run")
    assert (step, problems) == (0, [])
    assert torch.equal(again.model[1].weight, whole.model[1].weight)
    assert again.history["loss"].tolist() == whole.history["loss"].tolist()
