"""The checkpoint protocol: what is kept, what is set aside, and what a full disk does."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from time import sleep
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine import space
from chymist.engine.checkpoint import load_checkpoint, load_newest, save_checkpoint, set_aside
from chymist.engine.files import write_file
from chymist.engine.loop import State
from chymist.engine.manifest import list_checkpoints
from chymist.engine.space import Patience, check_space
from chymist.engine.store import Recorder, read_series
from chymist.errors import DiskFull, InputError


def state(step: int = 0) -> State:
    torch.manual_seed(step)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return State(model, optimizer, 0.1, step=step)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damage(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def test_a_new_checkpoint_survives_damaged_newer_ones(tmp_path: Path) -> None:
    """Resumed from step 2 with 7 and 9 damaged, a save at step 3 must not be pruned as oldest."""
    for step in (2, 7, 9):
        save_checkpoint(tmp_path, state(step))
    save_checkpoint(tmp_path, state(2))  # two are kept: write the first anew
    for path in list_checkpoints(tmp_path)[1:]:
        damage(path)
    here = state()
    found, problems = load_newest(tmp_path, here)
    assert (found.name, here.step, len(problems)) == ("step-00000002", 2, 2)
    here.step = 3
    assert save_checkpoint(tmp_path, here).is_dir()
    assert names(tmp_path) == [
        "damaged-step-00000007", "damaged-step-00000009", "step-00000002", "step-00000003"
    ]  # fmt: skip


def test_a_damaged_checkpoint_of_the_same_step_is_written_anew(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, state(4))
    damage(path)
    save_checkpoint(tmp_path, state(4))
    load_checkpoint(path, state())
    damage(path)
    set_aside(path)
    assert names(tmp_path) == ["damaged-step-00000004", "damaged-step-00000004-2"]


def test_a_folder_without_manifest_is_named_and_set_aside(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1))
    (save_checkpoint(tmp_path, state(5)) / "MANIFEST.json").unlink()
    found, problems = load_newest(tmp_path, state())
    assert found.name == "step-00000001"
    assert "step-00000005" in problems[0]
    assert "damaged-step-00000005" in names(tmp_path)


def test_drafts_of_killed_saves_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".tmp-step-00000003").mkdir(parents=True)
    (tmp_path / ".tmp-old-step-00000001").mkdir()
    save_checkpoint(tmp_path, state(4))
    assert names(tmp_path) == ["step-00000004"]


def test_a_checkpoint_that_cannot_be_loaded_leaves_the_state_alone(tmp_path: Path) -> None:
    """Sound by its manifest, but with a moment of another shape."""
    from safetensors.torch import load_file, save

    from chymist.engine.manifest import Manifest, digest

    path = save_checkpoint(tmp_path, state(6))
    moments = load_file(path / "optimizer.safetensors")
    moments["0.exp_avg"] = torch.zeros(2, 2)
    (path / "optimizer.safetensors").write_bytes(save(moments))
    files = {p.name: digest(p) for p in path.iterdir() if p.name != "MANIFEST.json"}
    (path / "MANIFEST.json").write_bytes(msgspec.json.encode(Manifest(2, files)))
    here = state()
    before = [p.clone() for p in here.model.parameters()]
    with pytest.raises(InputError, match=r"damaged.*exp_avg of another shape"):
        load_checkpoint(path, here)
    assert here.step == 0
    assert all(torch.equal(a, b) for a, b in zip(before, here.model.parameters(), strict=True))


class FullFor:
    """Fails with a full disk the first few times."""

    def __init__(self, times: int, number: int = errno.ENOSPC) -> None:
        self.times, self.number, self.calls = times, number, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise OSError(self.number, "no space left")
        return "written"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_pauses_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    monkeypatch.setattr(space, "PAUSE_SECONDS", 0.001)
    action = FullFor(5, number)
    assert Patience(Path("runs/a")).write(action) == "written"
    assert action.calls == 6
    assert caplog.text.count("the disk is full: paused until there is space in runs/a") == 1


def test_a_wait_for_space_can_be_interrupted_and_other_errors_are_no_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(space, "PAUSE_SECONDS", 0.001)
    with pytest.raises(DiskFull, match="no space left; free some space, then resume"):
        Patience(Path("runs/a"), lambda: True).write(FullFor(5))
    with pytest.raises(OSError, match="no space left"):
        Patience(Path("runs/a")).write(FullFor(5, errno.EIO))


def test_a_paused_run_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at two of eleven writes."""
    from chymist.engine import checkpoint, running

    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="mlp", length="8 epochs", batch_size=8)
    through = cy.fit(recipe, split, threads=1)
    calls: list[str] = []

    def fill(path: Path, content: bytes) -> None:
        calls.append(path.name)
        if len(calls) % 11 in (3, 4):
            raise OSError(errno.ENOSPC, "no space left")
        write_file(path, content)

    monkeypatch.setattr(checkpoint, "write_file", fill)
    monkeypatch.setattr(running, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(running, "CHECKPOINT_SHARE", 1e9)
    monkeypatch.setattr(space, "PAUSE_SECONDS", 0.001)
    run = cy.fit(recipe, split, threads=1, out=tmp_path / "run")
    assert len(calls) > 100
    for a, b in zip(through.model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert (through.history["loss"] == run.history["loss"]).all()
    kept = names(tmp_path / "run" / "checkpoints")
    assert len(kept) == 2
    assert all(name.startswith("step-") for name in kept)


def test_a_record_that_could_not_be_written_keeps_its_points(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with Recorder(path) as record:
        record.add("loss", 1, 0.5)
        record.sync()
        pages = record._base.execute("PRAGMA page_count").fetchone()[0]
        record._base.execute(f"PRAGMA max_page_count = {pages}")
        for step in range(2, 3000):
            record.add("loss", step, step / 2)
        with pytest.raises(OSError, match="no space left") as error:
            record.flush()
        assert error.value.errno == errno.ENOSPC
        record._base.execute("PRAGMA max_page_count = 1000000")
    found = read_series(path)["loss"]
    assert found[:, 0].tolist() == list(range(1, 3000))


def test_a_run_that_cannot_fit_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**20 + 100))
    with pytest.raises(
        DiskFull, match=r"would not fit on the disk.*1.0 MB free, about 1.1 MB need"
    ):
        cy.fit(cy.Recipe(model="mlp"), cy.load("iris"), out=tmp_path / "run")
    assert names(tmp_path) == []
    check_space(tmp_path / "a" / "b", nn.Linear(1, 1))


def test_space_that_comes_back_ends_the_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real wait: another thread makes room while the writer sleeps."""
    monkeypatch.setattr(space, "PAUSE_SECONDS", 0.01)
    full = tmp_path / "full"
    full.touch()

    def action() -> str:
        if full.exists():
            raise OSError(errno.ENOSPC, "no space left")
        return "written"

    def clear() -> None:
        sleep(0.1)
        full.unlink()

    thread = threading.Thread(target=clear)
    thread.start()
    assert Patience(tmp_path).write(action) == "written"
    thread.join()


def test_what_the_machine_fails_at_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split, out=tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr("chymist.engine.checkpoint._optimizer_from_files", full)
    with pytest.raises(torch.OutOfMemoryError):
        cy.resume(tmp_path / "run")
    assert [p.name[:4] for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step"]


def test_checkpoints_of_another_model_stay(tmp_path: Path) -> None:
    width = [4]

    def model(shapes: cy.Shapes) -> torch.nn.Module:
        return torch.nn.Sequential(
            torch.nn.Linear(shapes.inputs[0], width[0]), torch.nn.Linear(width[0], 3)
        )

    data = cy.load("iris")
    cy.fit(cy.Recipe(model=model, length="2 epochs"), cy.split(data), out=tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    width[0] = 5
    with pytest.raises(cy.InputError, match="does not fit the model"):
        cy.resume(tmp_path / "run", model=model)
    assert [p.name[:4] for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step"]


def test_a_watched_value_that_is_not_finite_is_no_best_one() -> None:
    rule = cy.stop.early("val_loss").build(10)
    assert not rule.improved(float("inf"), None)
    assert not rule.improved(float("nan"), 1.0)
    assert rule.improved(2.0, None)


def test_two_processes_do_not_train_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chymist.engine.folder.LOCK_SECONDS", 0.1)
    refused = []

    def again(event: object) -> None:
        if not refused:
            with pytest.raises(cy.InputError, match="another process is training this run") as e:
                cy.resume(tmp_path / "run")
            refused.append(e)

    recipe = cy.Recipe(model="softmax", length="1 epoch")
    cy.fit(recipe, cy.load("iris"), out=tmp_path / "run", observer=again)
    assert refused


def test_a_closed_form_that_was_interrupted_is_recorded_once(tmp_path: Path) -> None:
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.closed_form())
    split = cy.split(cy.load("diabetes"), seed=0)
    whole = cy.fit(recipe, split)
    with pytest.raises(cy.errors.Interrupted):
        cy.fit(recipe, split, out=tmp_path / "run", interrupted=lambda: True)
    again = cy.resume(tmp_path / "run")[0]
    for name, series in whole.history.items():
        assert np.array_equal(again.history[name], series)


def test_a_run_without_a_folder_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(cy.errors.Interrupted):
        cy.fit(cy.Recipe(model="softmax"), cy.load("iris"), interrupted=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(cy.errors.Interrupted):
        cy.fit(cy.Recipe(), cy.load("iris"), out=tmp_path / "run", interrupted=lambda: True)
    (tmp_path / "run" / "records.sqlite").unlink()
    with pytest.raises(cy.InputError, match="record of the run is missing"):
        cy.resume(tmp_path / "run")


@pytest.mark.parametrize("seed", [1.5, -1, True, "a", 2**63])
def test_seeds_that_are_none(seed: object) -> None:
    data = cy.load("iris")
    with pytest.raises(cy.UsageError, match="in seed"):
        cy.fit(cy.Recipe(), data, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(cy.UsageError, match="in seed"):
        cy.split(data, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [{"threads": 0}, {"threads": 2.5}, {"workers": True}])
def test_numbers_of_threads_and_workers_that_are_none(words: dict[str, Any]) -> None:
    with pytest.raises(cy.UsageError, match="not a whole number in range"):
        cy.fit(cy.Recipe(model="softmax", length="1 epoch"), cy.load("iris"), **words)


def test_numbers_of_numpy_are_numbers() -> None:
    recipe = cy.Recipe(model="softmax", length="1 epoch")
    split = cy.split(cy.load("iris"), seed=np.int64(3))  # type: ignore[arg-type]
    found = cy.fit(recipe, split, seed=np.int64(3))  # type: ignore[arg-type]
    assert found.score == cy.fit(recipe, split, seed=3).score
