"""A run that starts from the weights of another (S227)."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import chymist as cy
from chymist.cli import main
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.errors import InputError, UsageError

MLP = cy.Recipe(model=cy.models.mlp(hidden=(6,), norm="batch"), length="3 epochs", stop="none")


@pytest.fixture
def split() -> cy.Split:
    return cy.split(cy.load("iris"), test=0.2, valid=0.2, seed=0)


@pytest.fixture
def first(tmp_path: Path, split: cy.Split) -> Path:
    cy.fit(MLP, split, out=tmp_path / "first")
    return tmp_path / "first"


def test_the_start_is_the_end_of_the_other_run(first: Path, split: cy.Split) -> None:
    recipe = complete(MLP.replace(init=cy.initializers.from_run(path=str(first))), split)
    assembly = assemble(recipe, split, seed=5)
    saved = load_file(first / "model.safetensors")
    found = assembly.state.model.state_dict()
    assert set(found) == set(saved)
    for name, values in saved.items():
        assert torch.equal(found[name], values), name
    digest = hashlib.sha256((first / "model.safetensors").read_bytes()).hexdigest()
    assert recipe.init.options == {"path": str(first), "sha256": digest}


def test_it_goes_on_where_the_other_ended(first: Path, split: cy.Split, tmp_path: Path) -> None:
    recipe = MLP.replace(init=cy.initializers.from_run(path=str(first)))
    run = cy.fit(recipe, split, seed=1, out=tmp_path / "second")
    before = cy.load_run(first)
    assert run.history["train_loss"][0, 1] < before.history["train_loss"][0, 1]
    again = cy.load_run(tmp_path / "second")  # read back without the first folder
    assert again.recipe == run.recipe
    shutil.rmtree(first)
    assert cy.load_run(tmp_path / "second").score == run.score
    assert len(cy.predict(tmp_path / "second", split.data.inputs)) == 150


def test_weights_that_do_not_fit_or_were_changed(first: Path, split: cy.Split) -> None:
    start = cy.initializers.from_run(path=str(first))
    wider = MLP.replace(model=cy.models.mlp(hidden=(7,), norm="batch"), init=start)
    with pytest.raises(InputError, match="do not fit the model") as told:
        cy.fit(wider, split)
    assert "\n" not in str(told.value)
    assert "in 1.bias: got shapes (7,) and (6,)" in str(told.value)
    pinned = complete(MLP.replace(init=start), split)
    other = cy.fit(MLP, split, seed=9)
    shutil.copy(other.path / "model.safetensors", first / "model.safetensors")
    with pytest.raises(InputError, match="have changed since the recipe was written"):
        cy.fit(pinned, split)
    (first / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="do not load"):
        cy.fit(MLP.replace(init=start), split)


def test_no_run_is_told(split: cy.Split, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run to start from"):
        cy.fit(MLP.replace(init="from_run"), split)
    with pytest.raises(InputError, match="no weights of a finished run"):
        cy.fit(MLP.replace(init=cy.initializers.from_run(path=str(tmp_path / "none"))), split)


def test_rows_that_the_other_run_has_learned_from_are_not_scored(
    first: Path, split: cy.Split
) -> None:
    recipe = MLP.replace(init=cy.initializers.from_run(path=str(first)))
    with pytest.raises(InputError, match="has learned from rows that are to be scored"):
        cy.fit(recipe, cy.split(split.data, test=0.2, valid=0.2, seed=1))
    with pytest.raises(InputError, match="has learned from rows that are to be scored"):
        cy.cross_validate(recipe, split.data, folds=3)
    fewer = replace(split, train=split.train[:50])
    assert cy.fit(recipe, fewer).score.n == len(split.valid)


def test_from_the_command_line(first: Path, tmp_path: Path,
                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    second = tmp_path / "second"
    options = ["--model", "mlp", "--model.hidden", "6", "--model.norm", "batch", "--length",
               "1 epoch", "--stop", "none", "--init", "from_run"]  # fmt: skip
    assert main(["fit", "iris", *options, "--init.path", str(first), "--out", str(second)]) == 0
    text = (second / "recipe.toml").read_text("utf-8")
    assert 'name = "from_run"' in text
    assert "sha256 = " in text
    again = ["fit", "iris", "--recipe", str(second / "recipe.toml"), "--out", str(tmp_path / "3")]
    assert main(again) == 0
    one, two = (load_file(f / "model.safetensors") for f in (second, tmp_path / "3"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert main(["fit", "iris", *options, "--out", str(tmp_path / "4")]) == 2
    assert "no run to start from" in capsys.readouterr().err
    assert main(["resume", str(second)]) == 0
