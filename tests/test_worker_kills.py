"""Loader workers that die, hang, or lose their trainer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Server, differences, fingerprint, judge, leftovers

JOB: dict[str, Any] = {"job_name": "cnn-adam", "length": "120 steps", "batch_size": 2}
NOTICED = 90.0  # seconds: what only the time-out notices takes 60, as a death that kept a lock


@pytest.fixture(scope="module")
def reference(server: Server, swift: Path) -> dict[str, Any]:
    """What the run gives without workers."""
    assert server.train(swift / "whole", **JOB).code == 0
    return fingerprint(swift / "whole")


@pytest.fixture
def folder(swift: Path, request: pytest.FixtureRequest) -> Path:
    """Where a run of the test goes."""
    return swift / "".join(c for c in request.node.name if c.isalnum())


def children(pid: int) -> list[int]:
    """Processes that a process has started and that are alive."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(n) for n in path.read_text().split() if alive(int(n))] if path.exists() else []


def alive(pid: int) -> bool:
    """Whether a process is there and no mere entry in a table."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def standing(server: Server, folder: Path, **words: Any) -> tuple[int, list[int]]:
    """A run with two workers that stands in the middle of an epoch."""
    pid = server.start(
        "train", folder.parent, folder=folder, stand_at=[12], workers=2, every=0.02, **JOB, **words
    )
    assert server.wait(pid).state == "stands"
    end = time.monotonic() + 10
    while len(workers := children(pid)) != 2:  # those of an earlier pool may still be dying
        assert time.monotonic() < end, workers
        time.sleep(0.01)
    return pid, workers


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_is_killed_changes_nothing(
    server: Server, folder: Path, reference: dict[str, Any], count: int
) -> None:
    pid, workers = standing(server, folder)
    for worker in workers[:count]:
        os.kill(worker, signal.SIGKILL)
    os.kill(pid, signal.SIGCONT)
    ending = server.end(pid, NOTICED)
    assert ending.code == 0, ending
    # One that is left may do the rest of an epoch before its fellow's death is looked at.
    assert "a loader worker died at batch" in ending.output or count == 1, ending
    assert differences(reference, fingerprint(folder)) + leftovers(folder) == []


def test_workers_that_die_again_and_again_end_the_run_in_one_line(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    pid, _ = standing(server, folder)
    os.kill(pid, signal.SIGCONT)
    began = time.monotonic()
    while server.wait(pid, 0.0).state == "runs" and time.monotonic() - began < 30:
        for worker in children(pid):
            try:
                os.kill(worker, signal.SIGKILL)
            except ProcessLookupError:
                continue
    ending = server.end(pid, 5)
    assert ending.code == 1, ending
    assert "worker" in ending.answer["error"]
    assert "Traceback" not in ending.output
    assert judge(server, folder, reference, set(range(121)), workers=2, **JOB) == []


def test_workers_that_hang_end_the_run_in_one_line(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    pid, workers = standing(server, folder, patience=2.0)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    ending = server.end(pid, 30)
    assert ending.code == 1, ending
    assert "does not answer" in ending.answer["error"]
    assert not any(alive(worker) for worker in workers)
    assert judge(server, folder, reference, set(range(121)), workers=2, **JOB) == []


def test_no_worker_outlives_its_trainer(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    pid, workers = standing(server, folder)
    os.kill(pid, signal.SIGKILL)
    assert server.end(pid).signal == 9
    end = time.monotonic() + NOTICED
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < end, "a worker is still there"
        time.sleep(0.05)
    assert judge(server, folder, reference, set(range(121)), workers=1, **JOB) == []


def test_an_interrupt_of_the_whole_group(server: Server, swift: Path) -> None:
    """Ctrl-C in a terminal reaches the workers too; they leave it to the trainer."""
    words = ["fit", "iris", "--model", "mlp", "--length", "100000 steps", "--workers", "2",
             "--batch-size", "4", "--out", "group"]  # fmt: skip
    pid = server.start("command", swift, words=words, every=0.02)
    server.until_saved(pid, swift / "group")
    os.killpg(pid, signal.SIGINT)
    ending = server.end(pid, 10)
    assert ending.code == 130, ending
    assert "chymist resume group" in ending.output
    assert "Traceback" not in ending.output
