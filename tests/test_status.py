"""Where a run stands, by its folder alone: the words, the steps, the seconds that are left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chymist as cy
from chymist.engine.folder import alone_in
from chymist.engine.history import EFFECTS, Entry, ending_of, read_history, write_history
from chymist.engine.manifest import kept_checkpoints
from chymist.engine.status import LIVE, STATES, Live, Status, is_trained, remaining, status_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a finished run."""
    folder = tmp_path_factory.mktemp("status") / "run"
    split = cy.split(cy.load("iris"), seed=0)
    cy.fit(cy.Recipe(model="softmax", length="40 steps", stop="none"), split, out=folder)
    return folder


def like(run: Path, tmp_path: Path, *actions: str, live: Live | None = None) -> Path:
    """The folder of a run that has not ended, with a history."""
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "result.json").unlink()
    (folder / "records.sqlite").unlink()
    entries = [Entry(1e9 + n, 5 * n, action) for n, action in enumerate(actions)]
    write_history(folder, entries)
    if live:
        (folder / LIVE).write_bytes(json.dumps(as_dict(live)).encode())
    return folder


def as_dict(live: Live) -> dict[str, object]:
    return {name: getattr(live, name) for name in live.__struct_fields__}


@pytest.mark.parametrize(
    ("actions", "alive", "state"),
    [
        (("start",), True, "starting"),
        (("start", "pause"), True, "paused"),
        (("start", "pause", "checkpoint"), True, "paused"),
        (("start", "pause", "refuse"), True, "paused"),
        (("start",), False, "crashed"),
        (("start", "pause"), False, "crashed"),
        (("start", "interrupt"), False, "interrupted"),
        (("start", "stop-now"), False, "interrupted"),
        (("start", "interrupt", "continue"), False, "crashed"),
        (("start", "end"), False, "crashed"),  # while it was scored
    ],
)
def test_the_words_for_a_run_without_a_result(
    actions: tuple[str, ...], alive: bool, state: str, run: Path, tmp_path: Path
) -> None:
    folder = like(run, tmp_path, *actions)
    if not alive:
        assert status_of(folder).state == state
        assert status_of(folder).resumable
        return
    with alone_in(folder):
        found = status_of(folder)
    assert (found.state, found.alive, found.resumable) == (state, True, False)
    assert found.state in STATES


def test_a_run_that_trains_says_how_far_it_is(run: Path, tmp_path: Path) -> None:
    live = Live(1e9, 30, 100, 10, (0.1, 0.1, 0.2), 10.0, 16.0)
    folder = like(run, tmp_path, "start", live=live)
    with alone_in(folder):
        found = status_of(folder)
    assert (found.state, found.step, found.steps, found.epoch) == ("running", 30, 100, 3.0)
    assert found.pace == pytest.approx(0.4 / 3)
    assert found.left is not None
    assert found.left[1] < found.left[0] < found.left[2]
    assert found.rows_per_second == pytest.approx(16 / (0.4 / 3))


def test_a_finished_run(run: Path) -> None:
    found = status_of(run)
    assert (found.state, found.step, found.steps, found.alive) == ("finished", 40, 40, False)
    assert not is_trained(run)
    assert [row["state"] for row in cy.list_runs(run.parent)] == ["finished"]


def test_old_and_damaged_folders(run: Path, tmp_path: Path) -> None:
    folder = like(run, tmp_path)
    (folder / "history.json").unlink()
    import os

    os.utime(folder, (1e9, 1e9))
    assert status_of(folder).state == "interrupted"
    assert read_history(folder) == ()
    (folder / "history.json").write_text("{")
    assert status_of(folder).state == "damaged"
    with pytest.raises(cy.InputError, match="history of the run cannot be read"):
        read_history(folder)
    (folder / "history.json").unlink()
    (folder / "result.json").write_text('{"status": "diverged", "error": {}}')
    assert status_of(folder).state == "diverged"
    assert status_of(tmp_path / "nothing").state in STATES


def test_the_status_needs_no_torch(run: Path) -> None:
    asked = (
        "import sys; from chymist.engine.status import status_of;"
        "from chymist.engine.manifest import kept_checkpoints; from pathlib import Path;"
        f"print(status_of({str(run)!r}).state, len(kept_checkpoints(Path({str(run)!r}))),"
        "'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["finished", "1", "False"]


def test_checkpoints_are_checked_against_their_manifest(run: Path, tmp_path: Path) -> None:
    folder = like(run, tmp_path, "start")
    (one,) = kept_checkpoints(folder)
    assert (one.step, one.damage) == (40, "")
    assert one.size == sum(p.stat().st_size for p in folder.glob("checkpoints/step-*/*"))
    weights = folder / "checkpoints/step-00000040/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (one,) = kept_checkpoints(folder)
    assert one.damage == "model.safetensors differs"


@given(st.integers(3, 40), st.integers(0, 2**31), st.integers(1, 40))
def test_the_interval_is_that_of_a_mean_to_come(k: int, seed: int, more: int) -> None:
    paces = tuple(np.random.default_rng(seed).uniform(0.5, 1.5, k).tolist())
    pace, left = remaining(Live(0.0, 10 * k, 10 * (k + more), 10, paces, 10.0))
    assert pace == pytest.approx(np.mean(paces))
    assert left is not None
    assert left[0] == pytest.approx(10 * more * np.mean(paces))
    half = 2 * np.std(paces, ddof=1) * np.sqrt(1 / k + 1 / more) * 10 * more
    assert left[2] == pytest.approx(left[0] + half)
    assert left[1] == pytest.approx(max(0.0, left[0] - half))


def test_the_interval_covers_as_often_as_it_says() -> None:
    chance, covered = np.random.default_rng(0), 0
    for _ in range(500):
        paces = chance.gamma(20.0, 0.01, 40)
        _, left = remaining(Live(0.0, 300, 400, 10, tuple(paces[:30].tolist()), 10.0))
        assert left is not None
        covered += left[1] <= 10 * paces[30:].sum() <= left[2]
    assert 0.92 <= covered / 500 <= 0.98


def test_effects_are_sentences() -> None:
    for action in EFFECTS:
        said = Entry(0.0, 1200, action, facts={"ends": 1300, "why": "so", "parent": "a"}).effect
        assert "{" not in said
    assert Entry(0.0, 3, "something new").effect == "something new"
    assert ending_of([Entry(0.0, 1, "stop", facts={"ends": "x"})]) is None
    assert Status("running").to_dict()["state"] == "running"
