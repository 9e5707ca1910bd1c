"""Double descent: noticed where it is, and not in what chance, a U or a plateau draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.errors import InputError
from chymist.evidence.double_descent import double_descent
from chymist.keys import generator

WIDTHS = [20, 60, 100, 119, 140, 250, 600]


def noisy(shape, fits=10, sigma=0.1, seed=0):
    shape = np.asarray(shape, float)
    return shape[:, None] + sigma * generator(seed, "noise").normal(size=(len(shape), fits))


def test_a_peak_between_two_valleys_is_named():
    found = double_descent(noisy([3, 1, 2, 5, 2, 0.5]), 0.2)
    assert (found.valley, found.peak, found.second) == (1, 3, 5)
    assert found.clear
    assert found.rise.value == pytest.approx(4, abs=0.2)
    assert found.fall.value == pytest.approx(4.5, abs=0.2)


@pytest.mark.parametrize(
    "shape",
    [[5, 3, 1, 2, 4, 6], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5], [3, 3, 3, 3, 3, 3],
     [3, 1, 5, 5, 5, 5], [5, 5, 5, 5, 1, 3]],
    ids=["u", "falls", "rises", "flat", "plateau", "late rise"],
)  # fmt: skip
def test_other_shapes_are_no_double_descent(shape):
    for seed in range(5):
        found = double_descent(noisy(shape, seed=seed), 0.2)
        assert found is None or not found.clear


def test_too_little_to_say_anything():
    assert double_descent(noisy([1, 5, 1]), 0.2) is None
    assert double_descent(noisy([1, 3, 5, 1], fits=1), 0.2) is None
    with pytest.raises(InputError, match="finite"):
        double_descent(np.array([[1.0, np.nan]] * 5), 0.2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_unit_of_the_loss_does_not_matter(seed, factor, shift):
    losses = noisy([3, 1, 2, 4, 2, 1], sigma=1.0, seed=seed)
    first, again = double_descent(losses, 0.2), double_descent(factor * losses + shift, 0.2)
    assert (first is None) == (again is None)
    if first:
        assert (first.valley, first.peak, first.second) == (again.valley, again.peak, again.second)
        assert first.p == again.p


def generated(rows=150, noise=0.5, seed=0):
    rng = generator(seed, "linear")
    x, w = rng.normal(size=(rows, 10)), rng.normal(size=10)
    return cy.load((x, x @ w / 3 + rng.normal(0, noise, rows)))


def test_real_double_descent_peaks_where_rows_are_interpolated():
    recipe = cy.Recipe(model="random_features", precision="float64")
    curve = cy.validation_curve(recipe, generated(), "model.width", WIDTHS, seeds=3)
    assert curve.needed == 120  # of 150 rows in 5 folds, one output
    assert curve.parameters == tuple(width + 1 for width in WIDTHS)
    assert curve.descent.clear
    assert curve.values[curve.descent.peak] in (119, 140)
    assert "double descent" in curve.verdict
    assert "at 119 the parameters (120) reach rows x outputs (120)" in curve.verdict
    own = np.array([score.value for score in curve.train])
    assert own[WIDTHS.index(100)] > 0.05  # too few parameters to interpolate
    assert (own[WIDTHS.index(119) :] < 1e-3).all()
    peak = curve.held[curve.descent.peak].value
    assert peak > 2 * curve.held[-1].value
    assert "interpolates" in curve.svg()


def test_a_penalty_takes_the_peak_away():
    recipe = cy.Recipe(model="random_features", optimizer=cy.optim.closed_form(l2=10.0))
    curve = cy.validation_curve(recipe, generated(), "model.width", WIDTHS[:-1])
    assert curve.descent is None or not curve.descent.clear
    assert "double descent" not in curve.verdict


@pytest.mark.hard
@pytest.mark.parametrize(("levels", "fits", "repeats"), [(6, 5, 1), (10, 5, 1), (10, 15, 3)])
@pytest.mark.parametrize("shape", ["flat", "rises once", "falls once"])
def test_the_rate_of_false_alarms(levels, fits, repeats, shape):
    at = np.arange(levels)
    means = {"flat": 0.0 * at, "rises once": 50.0 * (at > 1), "falls once": 50.0 * (at < 2)}[shape]
    rng, alarms, times = generator(0, "alarms", levels, fits, shape), 0, 1000
    for _ in range(times):  # what a level does on all folds, since they share most rows, as well
        noise = np.sqrt(0.8) * rng.normal(size=(levels, fits))
        noise += np.sqrt(0.2) * rng.normal(size=(levels, 1))
        found = double_descent(means[:, None] + noise, 0.2, repeats)
        alarms += found is not None and found.clear
    print(f"{shape}, {levels} levels, {fits} fits: {100 * alarms / times:.1f} % false alarms")
    assert alarms / times < 0.05 + 2 * np.sqrt(0.05 * 0.95 / times)
