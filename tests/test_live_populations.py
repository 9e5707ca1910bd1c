"""A population's folder while it trains: whole at every moment, and in the end what it always was."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.engine.member_record import (
    FILE,
    MemberRecorder,
    is_trained,
    read_members,
    write_members,
)
from chymist.verbs.histories import curves_of, read_curves, write_curves

RECIPE = cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="4 epochs", stop="none")
SLOW = """
import chymist as cy, sys, time
recipe = cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="300 epochs", stop="none")
split = cy.split(cy.load("iris"), seed=0)
cy.fit_population(recipe, split, seeds=3, out=sys.argv[1], watcher=lambda n, e: time.sleep(0.01))
"""


@pytest.fixture(scope="module")
def split() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


def test_the_folder_is_there_from_the_start_and_grows(split: cy.Split, tmp_path: Path) -> None:
    out, seen = tmp_path / "p", []

    def watch(number: int, epoch: object) -> None:
        table = json.loads((out / "population.json").read_text())
        seen.append((table["state"], len(table["members"]), is_trained(out)))
        time.sleep(0.03)

    found = cy.fit_population(RECIPE, split, seeds=3, out=out, watcher=watch)
    assert set(seen) == {("running", 3, True)}
    assert len(seen) == 12
    table = json.loads((out / "population.json").read_text())
    assert "state" not in table
    assert not is_trained(out)
    assert [m["score"]["value"] for m in table["members"]] == [s.value for s in found.scores if s]
    assert sorted(p.name for p in out.iterdir()) == [
        FILE, "members", "population.json", "report.html",
    ]  # fmt: skip
    assert len(list((out / "members").iterdir())) == 3
    curves = read_curves(out)
    assert curves.keys() == found.curves.keys()
    assert all(np.array_equal(curves[name], found.curves[name]) for name in curves)
    assert read_members(out / FILE).ends == dict.fromkeys(range(3), ("ended", 4))


def test_training_with_a_folder_is_the_same_to_the_bit(split: cy.Split, tmp_path: Path) -> None:
    plain = cy.fit_population(RECIPE, split, seeds=3)
    kept = cy.fit_population(RECIPE, split, seeds=3, out=tmp_path / "p")
    assert all(np.array_equal(plain.curves[name], kept.curves[name]) for name in plain.curves)
    saved = plain.save(tmp_path / "q")
    assert (saved / FILE).is_file()
    one, other = (
        (tmp_path / name / "members/0001/model.safetensors").read_bytes() for name in "pq"
    )
    assert one == other


def test_a_member_that_diverges_is_seen(tmp_path: Path) -> None:
    data = cy.split(cy.load("diabetes"), seed=0)
    recipes = [RECIPE.replace(precision="float32", loss="mse", schedule="constant",
                              optimizer=cy.optim.sgd(lr=lr)) for lr in (1e-3, 1e30)]  # fmt: skip
    cy.fit_population(recipes, data, seeds=1, out=tmp_path / "p")
    ends = read_members(tmp_path / "p" / FILE).ends
    assert {number: state for number, (state, _) in ends.items()} == {0: "ended", 1: "diverged"}
    assert len(read_curves(tmp_path / "p")["train_loss"]) == 2


def test_what_fails_before_training_leaves_nothing(split: cy.Split, tmp_path: Path) -> None:
    with pytest.raises(cy.ChymistError):
        cy.fit_population(RECIPE.replace(loss="mse"), split, seeds=2, out=tmp_path / "p")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine").write_text("kept")
    with pytest.raises(cy.InputError, match="not empty"):
        cy.fit_population(RECIPE, split, seeds=2, out=tmp_path / "p")
    assert (tmp_path / "p" / "mine").read_text() == "kept"


def test_an_interrupted_population_says_so(split: cy.Split, tmp_path: Path) -> None:
    def stop(number: int, epoch: cy.engine.events.Epoch) -> None:  # type: ignore[name-defined]
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    out = tmp_path / "p"
    with pytest.raises(KeyboardInterrupt):
        cy.fit_population(RECIPE, split, seeds=2, out=out, watcher=stop)
    assert json.loads((out / "population.json").read_text())["state"] == "interrupted"
    assert read_curves(out)["val_loss"].shape[0] == 2
    assert not is_trained(out)
    with pytest.raises(cy.InputError, match="not ended"):
        cy.report(out)


def test_a_killed_population_leaves_what_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "p"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(out)])
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (out / FILE).is_file() and read_members(out / FILE).series:
                break
            time.sleep(0.05)
        first = read_members(out / FILE)
        assert is_trained(out)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    found = read_members(out / FILE)
    assert found.curves()["val_loss"].shape[1] > first.curves()["val_loss"].shape[1] > 0
    assert json.loads((out / "population.json").read_text())["state"] == "running"
    assert not is_trained(out)
    assert [row["kind"] for row in cy.list_runs(tmp_path)] == ["population"]


def test_old_folders_are_read(split: cy.Split, tmp_path: Path) -> None:
    found = cy.fit_population(RECIPE, split, seeds=2, out=tmp_path / "new")
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "new", old)
    (old / FILE).unlink()
    write_curves(old, found.curves)
    new_page = cy.report(tmp_path / "new").read_bytes()
    assert cy.report(old).read_bytes() == new_page


POINTS = st.lists(st.floats(-1e9, 1e9), max_size=7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": POINTS, "b": POINTS}), min_size=1, max_size=5))
def test_what_is_read_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, list[float]]]
) -> None:
    histories = [
        {name: list(enumerate(values, 1)) for name, values in one.items() if values}
        for one in written
    ]
    path = tmp_path_factory.mktemp("m") / FILE
    write_members(path, histories)
    made, wanted = read_members(path).curves(), curves_of(histories)
    assert made.keys() == wanted.keys()
    assert all(np.array_equal(made[name], wanted[name], equal_nan=True) for name in made)


def test_a_damaged_file_is_said_as_such(tmp_path: Path) -> None:
    with closing(MemberRecorder(tmp_path / FILE, 1)) as record:
        record.add("val_loss", 4, 1, 0.0)
    with pytest.raises(cy.InputError, match="curves"):
        read_members(tmp_path / FILE)
    (tmp_path / FILE).write_bytes(b"what is this" * 100)
    with pytest.raises(cy.InputError, match="curves"):
        read_curves(tmp_path)
