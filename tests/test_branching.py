"""A branch goes on from a checkpoint of another run, and without a change to the same bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.cli import main as chymist
from chymist.cli import run as carry_out
from chymist.engine.history import read_history
from chymist.engine.manifest import kept_checkpoints
from chymist.keys import order
from tests.faults import differences, fingerprint

SPLIT = cy.split(cy.load("wine"), seed=0)
RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(16,), dropout=0.2), optimizer=cy.optim.adam(lr=0.01),
    length="200 steps", batch_size=16, stop=cy.stop.early("val_loss", patience="30 epochs"),
)  # fmt: skip


def halfway(folder: Path, recipe: cy.Recipe = RECIPE, step: int = 60) -> Path:
    """A run that was interrupted after some steps, and its checkpoint of that step."""
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(
            recipe, SPLIT, seed=3, out=folder, threads=1, observer=seen.append,
            interrupted=lambda: seen[-1].step == step,
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return halfway(tmp_path_factory.mktemp("branch") / "parent")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in sorted(folder.rglob("*")) if p.is_file()}  # fmt: skip


def test_without_a_change_it_ends_with_the_bits_of_its_parent(parent: Path, tmp_path: Path) -> None:
    before = content(parent)
    child = cy.branch(parent, out=tmp_path / "child")
    assert content(parent) == before  # which stays untouched
    whole = shutil.copytree(parent, tmp_path / "parent")
    run, step, _ = cy.resume(whole)
    assert step == 60
    assert differences(fingerprint(whole), fingerprint(tmp_path / "child")) == []
    assert child.score == run.score
    assert child.facts["notes"] == [f"branched from step 60 of {parent}: no change"]


def test_a_changed_rate_is_that_of_torch_from_the_same_moments(
    parent: Path, tmp_path: Path
) -> None:
    """The first step of the branch, done by hand with torch's own Adam."""
    from safetensors.torch import load_file

    recipe = RECIPE.replace(model=cy.models.mlp(hidden=(16,)), schedule="constant", stop="none")
    halfway(tmp_path / "plain", recipe)
    change = {"optimizer": {"lr": 0.001}, "length": "61 steps"}
    child = cy.branch(tmp_path / "plain", change, out=tmp_path / "child", doctor=False)
    place = tmp_path / "plain/checkpoints/step-00000060"
    weights, memory = (load_file(place / f"{n}.safetensors") for n in ("model", "optimizer"))
    names = [name for name, _ in child.model.named_parameters()]
    mine = [nn.Parameter(weights[name].clone()) for name in names]
    adam = torch.optim.Adam(mine, lr=0.001)
    state = {n: {key: memory[f"{n}.{key}"].reshape(p.shape) if memory[f"{n}.{key}"].ndim else
                 memory[f"{n}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
             for n, p in enumerate(mine)}  # fmt: skip
    adam.load_state_dict({**adam.state_dict(), "state": state})
    per_epoch = child.facts["steps_per_epoch"]
    epoch, at = divmod(60, per_epoch)
    visits = order(3, epoch, len(SPLIT.train))[16 * at : 16 * (at + 1)]
    rows = SPLIT.train[visits]
    inputs = torch.from_numpy(child.preparation.inputs(SPLIT.data.take(rows))).float()
    targets = torch.from_numpy(SPLIT.data.targets[rows])
    first, first_bias, second, second_bias = mine
    hidden = torch.relu(inputs @ first.T + first_bias)
    nn.functional.cross_entropy(hidden @ second.T + second_bias, targets).backward()
    adam.step()
    for name, expected in zip(names, mine, strict=True):
        found = child.model.state_dict()[name]
        torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-6)


def test_what_changed_and_what_was_lost_is_said(parent: Path, tmp_path: Path) -> None:
    change = {"optimizer": cy.optim.sgd(lr=0.05), "stop": cy.stop.early("val_accuracy")}
    run = cy.branch(parent, change, out=tmp_path / "child")
    notes = run.facts["notes"]
    assert "optimizer adam -> sgd" in notes[0]
    assert "the moments of the optimizer could not be carried over: they start anew" in notes
    entry = read_history(tmp_path / "child")[0]
    assert (entry.action, entry.step, entry.facts["parent"]) == ("branch", 60, str(parent))
    assert [e.action for e in read_history(tmp_path / "child")] == ["branch", "start", "end"]
    losses = run.history["loss"]
    theirs = cy.load_run(tmp_path / "child").history["loss"]
    assert losses[:, 0].tolist() == list(range(1, run.facts["steps"] + 1))
    assert np.array_equal(losses, theirs)


def test_a_finished_run_goes_on_for_longer(tmp_path: Path) -> None:
    recipe = RECIPE.replace(stop="none", schedule="constant", length="60 steps")
    cy.fit(recipe, SPLIT, seed=3, out=tmp_path / "short", threads=1)
    longer = cy.branch(tmp_path / "short", {"length": "120 steps"}, out=tmp_path / "longer")
    at_once = cy.fit(recipe.replace(length="120 steps"), SPLIT, seed=3, threads=1)
    for one, other in zip(longer.model.parameters(), at_once.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert longer.score == at_once.score


def test_a_branch_that_is_killed_goes_on(parent: Path, tmp_path: Path) -> None:
    change = {"optimizer": {"lr": 0.002}}
    whole = cy.branch(parent, change, out=tmp_path / "whole")

    def dies(event: Any) -> None:
        if event.step == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cy.branch(parent, change, out=tmp_path / "killed", observer=dies)
    run, step, _ = cy.resume(tmp_path / "killed")
    assert step == 60  # not 0: it was born with the checkpoint of its parent
    assert differences(fingerprint(tmp_path / "whole"), fingerprint(tmp_path / "killed")) == []
    assert run.score == whole.score


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch_size": 32}, "cannot change this, in batch_size"),
        ({"precision": "float64"}, "cannot change this, in precision"),
        ({"model": {"hidden": (8,)}}, "does not fit the changed model"),
        ({"length": "59 steps"}, "nothing is left to train"),
        ({"length": "10 steps"}, "nothing is left to train"),
        ({"optimizer": "closed_form"}, "solver has no steps|closed"),
        ({"lenght": "10 steps"}, "did you mean 'length'"),
        ({"optimizer": {"rate": 3}}, "unknown option|rate"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    change: dict[str, Any], said: str, parent: Path, tmp_path: Path
) -> None:
    with pytest.raises(cy.ChymistError, match=said):
        cy.branch(parent, change, out=tmp_path / "child")
    assert list(tmp_path.iterdir()) == []


def test_only_kept_checkpoints_can_be_taken(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(cy.InputError, match=r"no such checkpoint.*step 7; kept: 60"):
        cy.branch(parent, out=tmp_path / "child", step=7)
    copy = shutil.copytree(parent, tmp_path / "copy")
    next(copy.glob("checkpoints/step-*/model.safetensors")).write_bytes(b"x")
    with pytest.raises(cy.InputError, match=r"no such checkpoint.*none is kept"):
        cy.branch(copy, out=tmp_path / "child")
    with pytest.raises(cy.InputError, match="the checkpoint is damaged"):
        cy.branch(copy, out=tmp_path / "child", step=60)


def test_the_command(parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--optimizer.lr", "0.002", "--length", "80 steps", "--penalty", "l2", "--json"]
    assert chymist(["branch", str(parent), "--out", str(tmp_path / "b"), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 80
    assert told["parent"] == str(parent)
    for change in ("optimizer.lr 0.01 -> 0.002", "length 200 steps -> 80 steps", "penalty"):
        assert change in told["notes"][0]
    assert carry_out(["show", str(tmp_path / "b"), "--history", "--checkpoints"]) == 0
    printed = capsys.readouterr().out
    assert "branched from step 60" in printed
    assert "step 80" in printed
    assert "verified" in printed
    assert [one.step for one in kept_checkpoints(tmp_path / "b")] == [60, 80]
    assert chymist(["branch", str(parent), "--batch-size", "8", "--out", str(tmp_path / "c")]) == 2
    assert chymist(["steer", str(parent), "pause"]) == 1
    assert "nobody trains this run" in capsys.readouterr().err
