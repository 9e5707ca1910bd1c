"""Models that are linear in fixed features: polynomials and random features."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

import chymist as cy
from chymist.errors import UsageError
from chymist.models import build_model
from chymist.values import Shapes


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 100))
def test_monomials_are_those_of_scikit_learn(inputs, degree, seed):
    x = np.random.default_rng(seed).normal(size=(7, inputs))
    model = cy.models.polynomial(degree=degree).build(Shapes((inputs,), 2))
    expected = PolynomialFeatures(degree, include_bias=False).fit_transform(x)
    found = model[0](torch.from_numpy(x)).numpy()
    assert found.shape[1] == comb(inputs + degree, degree) - 1
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_closed_form_is_least_squares_on_the_monomials():
    data = cy.load("diabetes")
    recipe = cy.Recipe(model=cy.models.polynomial(degree=2), precision="float64")
    run = cy.fit(recipe, data)
    assert run.recipe.optimizer.name == "closed_form"
    split, x = run.split, run.preparation.inputs(data.inputs).astype(float)
    basis = PolynomialFeatures(2, include_bias=False).fit_transform(x)
    line = LinearRegression().fit(basis[split.train], data.targets[split.train])
    error = line.predict(basis[split.valid]) - data.targets[split.valid]
    assert run.score.value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_features_that_depend_on_each_other_get_no_large_weights():
    """The square of a column of two values is a line in it; rounding must not tell them apart."""
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 2, 80) * 0.37, rng.normal(size=80)], axis=1)
    data = cy.load((x, x[:, 0] + x[:, 1] + 0.1 * rng.normal(size=80)))
    run = cy.fit(cy.Recipe(model=cy.models.polynomial(degree=3)), data)
    assert max(float(w.detach().abs().max()) for w in run.model.parameters()) < 2
    assert run.score.value < 0.2


def test_degree_one_is_linear():
    data = cy.load("diabetes")
    line = cy.fit(cy.Recipe(model="linear"), data)
    same = cy.fit(cy.Recipe(model=cy.models.polynomial(degree=1)), data)
    assert same.score.value == pytest.approx(line.score.value, rel=1e-6)


def test_too_many_monomials_are_refused():
    with pytest.raises(UsageError, match="monomials"):
        cy.fit(cy.Recipe(model=cy.models.polynomial(degree=5)), cy.load("digits"))


def test_classes_are_learnt_by_descent():
    run = cy.fit(cy.Recipe(model="polynomial"), cy.load("iris"))
    assert run.recipe.optimizer.name == "adamw"
    assert run.score.value > 0.85


def test_random_features_are_a_function_of_the_seed_and_stay():
    data, recipe = cy.load("diabetes"), cy.Recipe(model=cy.models.random_features(width=30))
    build = [build_model(recipe.model, Shapes((10,), 1), seed) for seed in (0, 0, 1)]
    weights = [model.state_dict()["0.weight"] for model in build]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    run = cy.fit(recipe, data)
    assert torch.equal(run.model.state_dict()["0.weight"], weights[0])
    assert cy.load_run(run.path).model.state_dict()["0.weight"].equal(weights[0])
    assert cy.fit(recipe, data).score == run.score
    x = torch.from_numpy(run.preparation.inputs(data.inputs)).double()
    features = torch.relu(x @ weights[0].double().T + build[0].state_dict()["0.bias"].double())
    rows = run.split.train
    line = LinearRegression().fit(features.numpy()[rows], data.targets[rows])
    error = line.predict(features.numpy()[run.split.valid]) - data.targets[run.split.valid]
    assert run.score.value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_several_seeds_are_wanted_where_features_are_random():
    from chymist.verbs.designs import starts_at_random

    closed = cy.optim.closed_form()
    assert starts_at_random(cy.Recipe(model="random_features", optimizer=closed))
    assert not starts_at_random(cy.Recipe(model="polynomial", optimizer=closed))
