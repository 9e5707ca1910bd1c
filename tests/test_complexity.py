"""Validation curves: every point a cross-validation, checked against scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import validation_curve as sklearn_curve
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import chymist as cy
from chymist.cli import main
from chymist.data import folds as make_folds
from chymist.errors import Diverged, UsageError
from chymist.evidence.complexity import complexity_verdict, read_curve
from chymist.evidence.memoriser import memorisers
from chymist.keys import generator
from chymist.values import Score
from chymist.verbs.complexity import places

POLYNOMIAL = cy.Recipe(model="polynomial", precision="float64")


def sine(rows=30, noise=0.3, seed=0):
    rng = generator(seed, "sine")
    x = rng.uniform(-3, 3, rows)
    return cy.load((x[:, None], np.sin(x) + rng.normal(0, noise, rows)))


@pytest.fixture(scope="module")
def degrees():
    data = sine(20, 0.2)
    return cy.validation_curve(POLYNOMIAL, data, "model.degree", [1, 3, 5, 9, 12, 15], seeds=5)


def test_the_numbers_are_those_of_scikit_learn():
    data, degrees = sine(60), [1, 3, 5, 7]
    found = cy.validation_curve(POLYNOMIAL, data, "model.degree", degrees, folds=4, seed=2)
    held = make_folds(data, 4, seed=2, rows=np.arange(60))
    cuts = [(np.setdiff1d(np.arange(60), one), one) for one in held]
    x = np.asarray(data.take(np.arange(60))).reshape(60, 1)
    pipeline = make_pipeline(
        StandardScaler(), PolynomialFeatures(include_bias=False), LinearRegression()
    )
    train, test = sklearn_curve(
        pipeline, x, data.targets, param_name="polynomialfeatures__degree", param_range=degrees,
        cv=cuts, scoring="neg_root_mean_squared_error",
    )  # fmt: skip
    for part, expected in (("train", train), ("held", test)):
        made = np.array([one[part] for one in found.folds]).reshape(4, 4)
        np.testing.assert_allclose(made, -expected, rtol=1e-4)


def test_a_point_is_a_cross_validation():
    recipe = cy.Recipe(model="mlp", length="3 epochs", precision="float64")
    iris = cy.load("iris")
    curve = cy.validation_curve(recipe, iris, "model.hidden", [(8,), (2,)], folds=3, seed=1)
    assert curve.values == ((2,), (8,))
    assert curve.parameters == (2 * 4 + 2 + 3 * 2 + 3, 8 * 4 + 8 + 3 * 8 + 3)
    for value, score in zip(curve.values, curve.held, strict=True):
        one = recipe.replace(model=cy.models.mlp(hidden=value))
        assert cy.cross_validate(one, iris, folds=3, seed=1, floors=False).score == score


def test_polynomials_underfit_then_overfit(degrees):
    """The course's example: a line is too little for a sine, degree 15 too much for 16 rows."""
    own = np.array([score.value for score in degrees.train])
    assert (np.diff(own) < 0.02).all()  # sets are nested: training error falls
    kinds = degrees.reading.kinds
    assert (kinds[0], kinds[-1]) == ("under", "over")
    assert degrees.best == degrees.simplest == 3
    assert "; 1 underfits (worse on training rows too); 15 overfits" in degrees.verdict


def test_double_descent_is_not_seen_in_a_u(degrees):
    assert degrees.descent is None or not degrees.descent.clear


def test_drawings(degrees):
    assert "best" in degrees.svg()
    assert "polyline" in degrees.svg() or "path" in degrees.svg()
    axes = degrees.plot()
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(n) for n in degrees.values]
    assert degrees.verdict.split(";")[0].split(":")[0] in degrees._repr_html_()
    assert json.loads(json.dumps(degrees.to_dict()))["best"] == degrees.best


def test_worse_on_training_rows_is_never_overfitting():
    """A deep plain network that loses on its own rows has an optimisation problem."""
    noise = 0.01 * generator(0, "noise").normal(size=(3, 10))
    held = np.array([[0.8], [0.95], [0.7]]) + noise
    train = np.array([[0.85], [0.99], [0.75]]) + noise
    assert read_curve(held, train, [10, 20, 30], True, 0.2).kinds == ("under", "best", "under")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans())
def test_a_curve_reads_the_same_in_either_direction_and_sign(seed, values, greater):
    rng = np.random.default_rng(seed)
    held = rng.normal(size=(values, 1)) + 0.3 * rng.normal(size=(values, 8))
    train, counts = held + rng.normal(size=(values, 1)), rng.permutation(values)
    found = read_curve(held, train, counts, greater, 0.2)
    back = read_curve(held[::-1], train[::-1], counts[::-1], greater, 0.2)
    assert back.kinds == found.kinds[::-1]
    assert back.simplest == values - 1 - found.simplest
    assert read_curve(-held, -train, counts, not greater, 0.2) == found


def test_the_simplest_is_within_one_standard_error():
    held = np.array([[0.80], [0.895], [0.90]]) + 0.02 * np.array([-1, 0, 1, 0.5, -0.5])
    found = read_curve(held, held, [1, 2, 3], True, 0.2)
    spread = held[2].std(ddof=1) / np.sqrt(5)
    assert found.best == 2
    assert held[2].mean() - held[1].mean() < spread < held[2].mean() - held[0].mean()
    assert found.simplest == 1


def test_the_verdict_sends_beyond_the_end():
    score = Score("accuracy", 0.9, 0.8, 0.95, 60, "out-of-fold")
    noise = 0.01 * generator(0, "noise").normal(size=(3, 10))
    climbing = np.array([[0.5], [0.7], [0.9]]) + noise
    reading = read_curve(climbing, climbing, [1, 2, 3], True, 0.2)
    assert "go on beyond it" in complexity_verdict("x", list("123"), reading, score)
    assert "go on beyond" not in complexity_verdict("x", list("123"), reading, score, False)


def test_memorisers_know_their_rows_and_little_else():
    digits = cy.load("digits")
    x, y = np.asarray(digits.inputs, float).reshape(len(digits), -1), digits.targets
    said = memorisers(x[:900], y[:900], x, "classification", 10)
    nearest = KNeighborsClassifier(1).fit(x[:900], y[:900]).score(x[900:], y[900:])
    right = {name: outputs.argmax(1) == y for name, outputs in said.items()}
    assert all(one[:900].all() for one in right.values())
    assert right["nearest neighbour"][900:].mean() == pytest.approx(nearest, abs=0.003)
    assert right["lookup table"][900:].mean() == pytest.approx(0.1, abs=0.04)
    assert memorisers(x, y, np.zeros((10**6, 64), np.int8), "classification", 10) == {}


def test_perfect_training_scores_are_put_in_their_place():
    iris = cy.load("iris")
    rng = generator(0, "labels")  # random labels: memory is all there is
    data = cy.load((iris.take(np.arange(150))["petal length (cm)"][:, None], rng.normal(size=150)))
    curve = cy.validation_curve(POLYNOMIAL, data, "model.degree", [1, 2])
    names = [one.name for one in curve.memorisers]
    assert names == ["nearest neighbour", "lookup table"]
    wide = rng.normal(size=(60, 40))
    labels = np.array(["a", "b"])[rng.integers(0, 2, 60)]
    recipe = cy.Recipe(model="softmax", length="200 epochs")
    found = cy.validation_curve(recipe, cy.load((wide, labels)), "optimizer.lr", [0.01, 0.05])
    assert "100 % on training rows is what memory alone gives" in found.verdict
    assert [one.train.value for one in found.memorisers] == [1.0, 1.0]


def test_values_that_diverge_are_left_out():
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.sgd(lr=0.01), length="60 epochs",
                       batch_size=16, schedule="constant")  # fmt: skip
    diabetes = cy.load("diabetes")
    found = cy.validation_curve(recipe, diabetes, "optimizer.lr", [0.01, 1e6, 0.02], folds=3)
    assert found.values == (0.01, 0.02)
    assert list(found.diverged) == ["1e+06"]
    assert "diverged: 1e+06" in found.verdict
    with pytest.raises(Diverged, match="every value"):
        cy.validation_curve(recipe, diabetes, "optimizer.lr", [1e6, 1e7], folds=3)


def test_places_on_the_axis():
    assert places([0.0, 1e-3, 1.0]) == ((0.0, 1.0, 2.0), False)  # no logarithm of zero
    assert places([1e-4, 1e-1]) == ((1e-4, 1e-1), True)
    assert places([(8,), (16, 16)]) == ((0.0, 1.0), False)


def test_steps_of_a_range():
    found = cy.validation_curve(POLYNOMIAL, sine(), "model.degree", cy.space.uniform(1, 9),
                                folds=3, points=3)  # fmt: skip
    assert found.values == (1, 5, 9)


def test_refusals():
    data = sine()
    with pytest.raises(UsageError, match="unknown"):
        cy.validation_curve(POLYNOMIAL, data, "model.depth", [1, 2])
    with pytest.raises(UsageError, match="two different"):
        cy.validation_curve(POLYNOMIAL, data, "model.degree", [2, 2])
    with pytest.raises(UsageError, match="several rows"):
        cy.validation_curve(POLYNOMIAL, data, "model.degree", [1, 2], folds="loo")


def test_the_command_line(capsys):
    words = ["curve", "diabetes", "--model", "polynomial", "--folds", "3"]
    assert main([*words, "--model.degree", "1..2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["value"] for row in said["rows"]] == [1, 2]
    assert said["memorisers"][0]["train"]["value"] == 0.0
    assert main([*words, "--model.degree", "1,2"]) == 0
    out = capsys.readouterr().out
    assert "memoriser: nearest neighbour" in out
    assert "is best of 2" in out
    assert main([*words, "--model.degree", "1|2", "--sizes", "0.5,1.0"]) == 2
    assert "goes over one thing" in capsys.readouterr().err


@pytest.mark.hard
def test_the_rate_of_false_claims_on_noise():
    """All values alike: the best is selected, so some value is called worse in more than 5 %."""
    claims, times = {"under": 0, "over": 0, "worse": 0}, 200
    for seed in range(times):
        rng = generator(seed, "claims")
        held = rng.normal(size=(8, 5)) + np.sqrt(0.25) * rng.normal(size=(8, 1))
        train = rng.normal(size=(8, 5))
        for kind in set(read_curve(held, train, range(8), True, 0.2).kinds) & set(claims):
            claims[kind] += 1
    print({kind: f"{100 * count / times:.1f} %" for kind, count in claims.items()})
    assert sum(claims.values()) / times < 0.12  # measured: 0.085
