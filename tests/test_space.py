"""Search spaces: what texts and axes mean, and what is drawn from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chymist as cy
from chymist.errors import UsageError
from chymist.space import Choice, Range, drawn, fitted, grid, parse, takes_list, written
from chymist.values import Recipe

QUICK = Recipe(model="softmax", optimizer="adam", length="6 epochs", batch_size=16)


def unchanged(recipe: Recipe) -> Recipe:
    return recipe


@pytest.mark.parametrize(
    ("text", "single", "axis"),
    [
        ("1e-4..1e-1:log", True, Range(1e-4, 0.1, log=True)),
        ("0..0.5", True, Range(0.0, 0.5)),
        ("-1...5", True, Range(-1.0, 5.0)),
        ("32|128|128,64", False, Choice(("32", "128", "128,64"))),
        ("1e-3,1e-2", True, Choice(("1e-3", "1e-2"))),
        ("128,64", False, None),
        ("0.1", True, None),
        ("adam | sgd", True, Choice(("adam", "sgd"))),
    ],
)
def test_texts_are_ranges_choices_or_values(text: str, single: bool, axis: Any) -> None:
    assert parse(text, single, "model.hidden") == axis


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1..1", "empty"),
        ("2..1", "empty"),
        ("0..1:log", "positive"),
        ("-1..1:log", "positive"),
        ("a..b", "not a range"),
        ("1..2:exp", "not a range"),
        ("1..", "not a range"),
        ("1e400..2", "finite"),
        ("7|7", "two different"),
        ("7,7", "two different"),
    ],
)
def test_texts_that_are_none_are_refused_with_their_field(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse(text, True, "optimizer.lr")
    assert caught.value.where == "optimizer.lr"
    assert len(caught.value.line()) <= 200


@pytest.mark.parametrize("ends", [(1, 0), (0.0, math.inf), (math.nan, 1.0), ("a", 1), (True, 2)])
def test_ranges_need_two_finite_numbers_in_order(ends: tuple[Any, Any]) -> None:
    with pytest.raises(UsageError):
        cy.space.uniform(*ends)


@given(
    st.floats(1e-6, 1e6), st.floats(1.001, 1e3), st.booleans(), st.floats(0, 1, exclude_max=True)
)
def test_values_lie_in_their_range_where_their_share_says(
    low: float, ratio: float, log: bool, share: float
) -> None:
    axis = Range(low, low * ratio, log)
    value = axis.at(share)
    assert axis.low <= value <= axis.high
    # Six digits are kept: a share is found again as exactly as the width of the range allows.
    step = 1e-5 / math.log(ratio) if log else 1e-5 * ratio / (ratio - 1)
    assert abs(axis.share(value) - share) <= step


@given(st.integers(1, 50), st.integers(1, 60), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_whole_ranges_give_whole_numbers(low: int, more: int, log: bool, share: float) -> None:
    axis = Range(low, low + more, log, whole=True)
    value = axis.at(share)
    assert isinstance(value, int)
    assert low <= value <= low + more
    assert axis.at(0.0) == low
    assert axis.at(math.nextafter(1, 0)) == low + more
    assert len(axis.values) == more + 1


def test_whole_numbers_are_equally_likely() -> None:
    counts = np.bincount([Range(1, 4, whole=True).at(s) for s in np.arange(0, 1, 0.001)])
    assert counts[1:].tolist() == [250, 250, 250, 250]


def test_an_axis_takes_the_type_of_its_field() -> None:
    recipe = Recipe(model="mlp", optimizer="adam")
    space = {
        "model.hidden": cy.space.log(8, 64),
        "batch-size": cy.space.uniform(8, 32),
        "model.dropout": cy.space.uniform(0, 0.5),
        "optimizer.lr": Choice(("1e-3", "1e-2")),
    }
    made = fitted(space, recipe, unchanged)
    assert made["model.hidden"].at(0.0) == (8,)
    assert made["batch_size"].at(0.5) == 20
    assert made["model.dropout"].at(0.5) == 0.25
    assert made["optimizer.lr"].values == (1e-3, 1e-2)


@pytest.mark.parametrize(
    ("name", "axis", "said"),
    [
        ("optimzer.lr", cy.space.log(1e-4, 1), "did you mean 'optimizer'"),
        ("optimizer.lrr", cy.space.log(1e-4, 1), "did you mean 'lr'"),
        ("batch_sise", cy.space.uniform(8, 16), "did you mean 'batch_size'"),
        ("batch_size.x", cy.space.uniform(8, 16), "unknown recipe field"),
        ("batch_size", cy.space.uniform(0, 16), "at least one row"),
        ("batch_size", cy.space.uniform(8, 16.5), "whole"),
        ("model.dropout", cy.space.uniform(0, 1.5), "does not fit"),
        ("model.activation", cy.space.uniform(0, 1), "takes no range"),
        ("optimizer.betas", cy.space.uniform(0, 1), "takes no range"),
        ("length", cy.space.uniform(1, 9), "takes no range"),
        ("model", cy.space.choice("mlp", "mpl"), "did you mean 'mlp'"),
        ("optimizer.lr", (1e-4, 1e-1), "neither a range nor a choice"),
    ],
)
def test_a_space_that_does_not_fit_fails_at_once(name: str, axis: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        fitted({name: axis}, Recipe(model="mlp", optimizer="adam"), unchanged)
    assert said in caught.value.line()
    assert len(caught.value.line()) <= 200


def test_nothing_to_search_and_own_modules() -> None:
    with pytest.raises(UsageError, match="nothing to search"):
        fitted({}, QUICK, unchanged)
    own = Recipe(model=lambda shapes: None)
    with pytest.raises(UsageError, match="your own"):
        fitted({"model.hidden": cy.space.choice(1, 2)}, own, unchanged)


def test_fields_that_take_lists_are_known() -> None:
    recipe = Recipe(model="mlp", optimizer="adam")
    names = ("model.hidden", "optimizer.betas", "optimizer.lr", "model", "batch_size")
    assert [takes_list(n, recipe, unchanged) for n in names] == [True, True, False, False, False]


def test_what_is_left_open_is_filled_before_its_options_are_written() -> None:
    made = written(
        Recipe(), {"optimizer.lr": 0.5, "stop": "none"}, lambda r: r.replace(optimizer="sgd")
    )
    assert (made.optimizer.name, made.optimizer.options, made.stop.name) == (
        "sgd",
        {"lr": 0.5},
        "none",
    )
    assert made.model is None


def test_draws_are_by_key() -> None:
    space = {"a": Range(0, 1), "b": Choice((1, 2, 3))}
    points = drawn(space, 20, seed=3)
    assert points[:7] == drawn(space, 7, seed=3)
    assert points != drawn(space, 20, seed=4)
    assert [p["a"] for p in drawn({"a": space["a"]}, 20, seed=3)] == [p["a"] for p in points]
    assert len({repr(p) for p in points}) == 20
    both = drawn({"a": space["a"], "c": space["a"]}, 20, seed=3)
    assert all(point["a"] != point["c"] for point in both)


def test_no_point_is_drawn_twice() -> None:
    space = {"a": Choice((1, 2, 3, 4)), "b": Choice((1, 2, 3, 4))}
    assert len({repr(p) for p in drawn(space, 15, seed=0)}) == 15
    assert drawn(space, 16, seed=0) == drawn(space, 99, seed=5) == grid(space)


def test_grids() -> None:
    assert len(grid({"a": Range(1, 4, whole=True), "b": Choice((1, 2))})) == 8
    with pytest.raises(UsageError, match="values, not a range"):
        grid({"a": Range(0, 1)})
    with pytest.raises(UsageError, match="too large"):
        grid({"a": Range(1, 500, whole=True), "b": Range(1, 500, whole=True)})
