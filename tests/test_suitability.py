"""Is deep learning the right tool: local correlation, shuffled pixels, and the verdict."""

from __future__ import annotations

import json
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import chymist as cy
from chymist.cli import main
from chymist.evidence import Pair
from chymist.evidence.locality import locality
from chymist.models.blocks import Reordered
from chymist.verbs.suiting import (
    NETWORK,
    SHUFFLED,
    _locality,
    _said_of_shuffling,
    _verdict,
    some_rows,
)


def test_a_random_walk_is_local_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    walk = locality(random.normal(size=(300, 20)).cumsum(1))
    assert walk.local
    assert walk.p == 1 / 200
    noise = [locality(random.normal(size=(100, 20))).p for _ in range(200)]
    assert np.mean(np.array(noise) <= 0.05) <= 0.09  # 5 % of 200, and three deviations


def test_neighbours_on_a_grid_are_counted_by_hand() -> None:
    values = np.random.default_rng(1).normal(size=(50, 12))
    found = locality(values, (3, 4))
    grid = np.arange(12).reshape(3, 4)
    beside = [(a, b) for row in grid for a, b in pairwise(row)]
    below = [(a, b) for col in grid.T for a, b in pairwise(col)]
    hand = [abs(np.corrcoef(values[:, a], values[:, b])[0, 1]) for a, b in beside + below]
    assert found.pairs == 17
    assert found.neighbours == pytest.approx(np.mean(hand), rel=1e-10)


@given(st.integers(0, 1000), st.floats(0.01, 100.0))
def test_locality_does_not_see_units(seed: int, scale: float) -> None:
    values = np.random.default_rng(seed).normal(size=(30, 6)).cumsum(1)
    one, other = locality(values, orders=20), locality(scale * values - 3, orders=20)
    assert one == pytest.approx(other, rel=1e-6)


def test_columns_that_do_not_vary_are_left_out() -> None:
    values = np.random.default_rng(2).normal(size=(40, 5)).cumsum(1)
    with_constant = np.concatenate([values, np.ones((40, 2))], 1)
    assert locality(with_constant).neighbours == pytest.approx(locality(values).neighbours)
    assert np.isnan(locality(np.ones((10, 5))).neighbours)


def test_all_pictures_are_shuffled_alike_and_nothing_is_lost() -> None:
    x = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    seen = Reordered((3, 4, 5))(x)
    assert seen.shape == x.shape
    assert not torch.equal(seen, x)
    assert torch.equal(seen.flatten(2).sort(2).values, x.flatten(2))
    assert torch.equal(seen[1] - seen[0], x[1] - x[0])  # 60 everywhere: the same places


def pair(a: str, b: str, difference: float, better: str | None) -> Pair:
    low, high = difference - 0.01, difference + 0.01
    return Pair(a, b, difference, low, high, 0.01, 0.03, None, better, "corrected t")


@pytest.mark.parametrize(
    ("better", "difference", "said", "apart"),
    [
        (NETWORK, 0.05, "a network is worth it: it is better than forest", "5.0 points [4.0, 6.0]"),
        ("forest", -0.05, "no need of a network: forest, the best", "-5.0 points [-6.0, -4.0]"),
        (None, 0.005, "no need of a network: it gains less than 2 points on forest", "0.5 points"),
        (None, 0.011, "cannot tell whether a network is worth it: beside forest", "1.1 points"),
    ],
)
def test_the_verdict_names_the_better_one(better, difference, said, apart) -> None:
    entries = [SimpleNamespace(name=name) for name in (NETWORK, SHUFFLED, "forest", "linear")]
    shuffling = pair(SHUFFLED, NETWORK, -0.02, None)
    for forest in (
        pair(NETWORK, "forest", difference, better),
        pair("forest", NETWORK, -difference, better),
    ):
        found: Any = SimpleNamespace(
            entries=entries, pairs=(forest, shuffling), out={}, metric="accuracy"
        )
        assert _verdict(found).startswith(said)
        if forest.a == NETWORK:
            assert f"(network - forest: {apart}" in _verdict(found)
        assert (
            "uses the neighbourhood (network, pixels shuffled - network: -2.0 points [-3.0, -1.0]"
            in (_said_of_shuffling(found)[0])
        )


@pytest.mark.parametrize(("level", "said"), [(1.0, "no need of a network: it gains less than 2 % of"),
                                             (0.5, "cannot tell")])  # fmt: skip
def test_a_gain_in_error_is_a_share_of_it(level: float, said: str) -> None:
    forest = SimpleNamespace(name="forest", score=SimpleNamespace(value=level))
    for lower in (pair(NETWORK, "forest", -0.005, None), pair("forest", NETWORK, 0.005, None)):
        found: Any = SimpleNamespace(
            entries=[SimpleNamespace(name=NETWORK), forest], pairs=(lower,), out={}, metric="rmse"
        )
        assert _verdict(found).startswith(said)


def test_a_network_that_cannot_be_trained_has_no_verdict() -> None:
    found: Any = SimpleNamespace(entries=[], out={NETWORK: "diverged"}, metric="accuracy")
    assert _verdict(found) == "cannot say: network: diverged"


def test_columns_of_an_array_have_neighbours_and_those_of_a_table_none() -> None:
    random = np.random.default_rng(0)
    walk = random.normal(size=(200, 8)).cumsum(1)
    for values, local in ((walk, True), (random.normal(size=(200, 8)), False)):
        found = _locality(some_rows(cy.load((values, walk[:, 0])), 150, 0))
        assert found is not None
        assert found.local == local
    assert _locality(some_rows(cy.load("iris"), 150, 0)) is None
    near = _locality(some_rows(cy.load("digits"), 300, 0))
    assert near is not None
    assert near.local
    assert near.neighbours > 2 * near.others


def test_a_table_of_health_has_no_neighbours() -> None:
    draw = np.random.default_rng(0)
    age, income = draw.integers(20, 80, 200), draw.normal(40, 9, 200)
    work = np.array(["clerk", "cook", "nurse"])[draw.integers(0, 3, 200)]
    columns = {"age": age, "occupation": work, "income": income, "family": draw.integers(1, 6, 200)}
    data = cy.load((columns, np.where(age - income > 10, "poor", "good")))
    assert [column.kind for column in data.columns] == ["number", "category", "number", "number"]
    assert _locality(some_rows(data, 150, 0)) is None


def test_so_many_rows_are_drawn_and_none_of_the_test_part() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    drawn = some_rows(split, 60, 0)
    assert len(drawn.train) == 60
    assert not set(drawn.train) & set(split.test)
    assert np.bincount(split.data.targets[drawn.train]).tolist() == [20, 20, 20]


def test_flowers_need_no_network(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["suitability", "iris", "--folds", "2", "--seeds", "1", "--rows", "60", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"].startswith("cannot tell whether a network is worth it: ")
    assert said["locality"] is None
    assert said["rows"] == 60
    assert len(said["reasons"]) == 3
