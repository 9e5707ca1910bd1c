"""Toy sets: points made from a seed, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.parts import registered
from chymist.values import Data

NAMES = ("xor", "circles", "moons", "spirals", "gaussians", "plane", "bumps")


def columns(data: Data) -> tuple[np.ndarray, np.ndarray]:
    assert not isinstance(data.inputs, np.ndarray)
    return data.inputs["x1"], data.inputs["x2"]


def test_the_sets_are_those_of_the_registry() -> None:
    assert tuple(registered("toy")) == NAMES


@settings(max_examples=30)
@given(st.sampled_from(NAMES), st.integers(4, 300), st.integers(0, 2**40), st.floats(0, 1))
def test_a_name_is_its_whole_source(name: str, rows: int, seed: int, noise: float) -> None:
    text = f"{name}(rows={rows}, seed={seed}, noise={noise})"
    made, again = cy.load(text), cy.load(cy.load(text).source["load"])
    assert made == again
    assert len(made) == rows
    if made.classes:  # the classes are of one size, to a row
        assert np.ptp(made.class_counts()) <= 1


@pytest.mark.parametrize("seed", [0, 7])
def test_without_noise_the_points_are_where_the_formula_has_them(seed: int) -> None:
    def points(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        data = cy.load(f"{name}(rows=500, noise=0, seed={seed})")
        return (*columns(data), data.targets)

    x, y, kind = points("xor")
    assert ((x * y > 0) == (kind == 1)).all()
    assert np.abs([x, y]).min() >= 0.06
    x, y, kind = points("circles")
    radius = np.hypot(x, y)
    assert radius[kind == 1].max() <= 0.5
    assert 0.75 <= radius[kind == 0].min() <= radius.max() <= 1
    x, y, kind = points("moons")
    np.testing.assert_allclose((x + 0.5)[kind == 0] ** 2 + (y + 0.25)[kind == 0] ** 2, 1)
    np.testing.assert_allclose((x - 0.5)[kind == 1] ** 2 + (y - 0.25)[kind == 1] ** 2, 1)
    x, y, kind = points("spirals")
    turned = np.arctan2(y, x) - 2 * np.pi * 1.75 * np.hypot(x, y) - np.pi * kind
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-9)
    x, y, value = points("plane")
    np.testing.assert_allclose(value, (x + y) / 2)
    x, y, value = points("bumps")
    wanted = sum(
        (-1) ** k * np.exp(-((x - 0.6 * np.cos(a)) ** 2 + (y - 0.6 * np.sin(a)) ** 2) / 0.1)
        for k, a in enumerate(np.arange(6) * np.pi / 3)
    )
    np.testing.assert_allclose(value, wanted, atol=1e-12)


def test_noise_is_a_deviation_and_gaussians_have_their_middles() -> None:
    data = cy.load("gaussians(rows=6000, classes=3, noise=0.1)")
    x, y = columns(data)
    for kind in range(3):
        angle = 2 * np.pi * kind / 3 + np.pi / 4
        mine = data.targets == kind
        assert x[mine].mean() == pytest.approx(np.cos(angle) / 2, abs=0.01)
        assert y[mine].std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("xor(row=3)", UsageError, "did you mean 'rows'"),
        ("xor(rows=1)", UsageError, "toy.rows"),
        ("xor(rows=50", InputError, "no such file"),
        ("spiral", InputError, "did you mean 'spirals'"),
    ],
)
def test_wrong_names_and_options(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cy.load(text)


def test_options_of_files_do_not_suit_them() -> None:
    with pytest.raises(UsageError, match="target does not suit toy sets"):
        cy.load("xor", target="class")
    assert cy.load("xor", name="mine").name == "mine"
