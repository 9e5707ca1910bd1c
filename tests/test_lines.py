"""Candidate functions: their goodness, all of a grid, and downhill (S211, S456, W53)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.errors import InputError, UsageError

maths = cy.maths
CANDIDATES = {"f1": (10.0, 9.0), "f2": (9.8, 9.2), "f3": (-0.8, -1.2)}  # of the course


def rows(seed: int = 0, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.uniform(0, 10, n)
    return x, 10 + 9 * x + random.normal(0, 2, n)


def test_the_lines_of_the_course() -> None:
    """W53: values at 1 and 10; f1 and f2 meet at x = 1, where both are 19."""
    values = {name: (b + w * 1, b + w * 10) for name, (b, w) in CANDIDATES.items()}
    assert values["f1"] == (19, 100)
    assert values["f2"] == pytest.approx((19.0, 101.8))
    assert values["f3"] == pytest.approx((-2.0, -12.8))
    assert maths.meeting_point(CANDIDATES["f1"], CANDIDATES["f2"]) == pytest.approx((1, 19))
    assert maths.meeting_point((1.0, 2.0), (3.0, 2.0)) is None


@settings(max_examples=30, deadline=None)
@given(*[st.floats(-10, 10) for _ in range(4)])
def test_lines_meet_where_numpy_says(b1: float, w1: float, b2: float, w2: float) -> None:
    if abs(w1 - w2) > 1e-3:
        x, y = np.linalg.solve([[-w1, 1], [-w2, 1]], [b1, b2])
        assert maths.meeting_point((b1, w1), (b2, w2)) == pytest.approx((x, y), abs=1e-6)


def test_candidates_in_the_order_of_their_goodness() -> None:
    x, y = rows()
    functions = {name: (lambda x, b=b, w=w: b + w * x) for name, (b, w) in CANDIDATES.items()}
    found = maths.goodness(functions | {"flat": lambda x: 55.0}, x, y)
    assert list(found) == ["f1", "f2", "flat", "f3"]
    assert found["f1"] == pytest.approx(((y - 10 - 9 * x) ** 2).mean())
    with pytest.raises(InputError, match="one value for each row"):
        maths.goodness({"bad": lambda x: x[:2]}, x, y)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-100, 100))
def test_the_best_of_a_grid_against_trying_each(seed: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    x, y = random.normal(size=8) + shift, random.normal(size=8)
    intercepts, slopes = random.normal(size=5) * 3, random.normal(size=4)
    each = {(b, w): ((y - b - w * x) ** 2).mean() for b in intercepts for w in slopes}
    found = maths.brute_force(x, y, intercepts, slopes)
    assert found.evaluations == 20
    assert found.loss == pytest.approx(min(each.values()), rel=1e-9)
    assert each[found.intercept, found.slope] == pytest.approx(found.loss, rel=1e-9)


def test_what_a_grid_costs_beside_descent() -> None:
    """S211: 401 x 401 lines, against descent to the loss of the best of them."""
    x, y = rows()
    grid = np.linspace(0, 20, 401)
    brute = maths.brute_force(x, y, grid, grid)
    downhill = maths.descend(x, y, loss=brute.loss)
    assert (brute.evaluations, downhill.evaluations) == (160_801, 881)
    slope, intercept = np.polyfit(x, y, 1)
    least = ((y - intercept - slope * x) ** 2).mean()
    assert least <= downhill.loss <= brute.loss <= least * 1.01
    centered = maths.descend(x - x.mean(), y - y.mean(), loss=brute.loss)
    assert centered.evaluations == 2  # at its own rate a line through the middle is one step away


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(InputError, match="one length"):
        maths.brute_force([1, 2], [1], [0], [0])
    with pytest.raises(InputError, match="finite"):
        maths.brute_force([1, np.nan], [1, 2], [0], [0])
    with pytest.raises(InputError, match="no finite candidates"):
        maths.brute_force([1, 2], [1, 2], [], [0])
    with pytest.raises(UsageError, match="too many"):
        maths.brute_force([1, 2], [1, 2], np.zeros(10_000), np.zeros(10_000))
    with pytest.raises(InputError, match="does not reach"):
        maths.descend([0, 1, 2], [0, 1, 0], loss=0.0, most=50)
    with pytest.raises(InputError, match="does not reach"):
        maths.descend([0, 1, 2], [0, 1, 0], loss=0.0, rate=1e9)
