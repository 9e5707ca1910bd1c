"""`compare_runs`: two runs on the same rows, what differs, and which cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.errors import InputError
from chymist.values import Recipe

MLP = Recipe(model=cy.models.mlp(hidden=(8,)), length="4 epochs", precision="float64")
SOFTMAX = Recipe(model="softmax", length="4 epochs", precision="float64")


def fitted(recipe: Recipe, out: Path, seed: int = 0, split_seed: int = 0) -> Any:
    return cy.fit(recipe, cy.split(cy.load("iris"), seed=split_seed), seed=seed, out=out)


def test_two_runs_are_compared_on_their_rows(tmp_path: Path) -> None:
    good = fitted(MLP.replace(length="60 epochs"), tmp_path / "good")
    poor = fitted(SOFTMAX.replace(length="1 epoch"), tmp_path / "poor", seed=1)
    found = cy.compare_runs(good, poor)
    assert found.verdict.startswith("good is better than poor by ")
    assert found.verdict.endswith("(30 validation rows, paired, one training each).")
    assert found.differs["length"] == ("60 epochs", "1 epoch")
    assert found.differs["model"] == ("mlp", "softmax")
    assert found.differs["model.hidden"] == ((8,), None)
    assert found.differs["seed"] == (0, 1)
    assert "training rows" not in found.differs
    swapped = cy.compare_runs(str(poor.path), good.path)
    assert swapped.difference.value == -found.difference.value
    assert swapped.verdict == found.verdict
    assert swapped.to_dict()["pairs"][0]["better"] == str(good.path)
    assert found.to_dict()["pairs"][0]["better"] == str(good.path)
    assert len(repr(found).splitlines()) == 1 + len(found.differs) + len(found.notes)
    same = cy.compare_runs(good, good.path)
    assert same.verdict.startswith("cannot tell ")
    assert same.notes[0].startswith("nothing differs")


def test_a_loss_is_better_where_it_is_lower(tmp_path: Path) -> None:
    split = cy.split(cy.load("diabetes"), seed=0)
    good = cy.fit(Recipe(model="linear"), split, out=tmp_path / "good")
    poor = cy.fit(MLP.replace(length="1 step"), split, out=tmp_path / "poor")
    found = cy.compare_runs(poor, good)
    assert found.difference.low > 0
    assert found.verdict.startswith("good is better than poor by ")
    assert found.to_dict()["pairs"][0]["better"] == str(good.path)


def test_runs_that_cannot_be_compared(tmp_path: Path) -> None:
    a = fitted(SOFTMAX, tmp_path / "a")
    other_rows = fitted(SOFTMAX, tmp_path / "b", split_seed=1)
    other_data = cy.fit(SOFTMAX, cy.split(cy.load("wine"), seed=0), out=tmp_path / "c")
    for b, words in ((other_rows, "different rows"), (other_data, "different data"),
                     (tmp_path, "not a run folder")):  # fmt: skip
        with pytest.raises(InputError, match=words) as caught:
            cy.compare_runs(a, b)
        assert "\n" not in caught.value.line()
