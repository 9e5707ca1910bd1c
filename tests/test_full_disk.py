"""A disk that is really full: the run pauses, keeps what it saved, and goes on by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Ending, Server, differences, fingerprint, judge, leftovers, newest_step

JOB: dict[str, Any] = {"job_name": "cnn-adam", "length": "40 steps"}


@pytest.fixture
def small(swift: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    place = swift / "disk"
    place.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    try:
        made = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()[:80]}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="module")
def reference(server: Server, swift: Path) -> dict[str, Any]:
    """What the run gives when there is space."""
    assert server.train(swift / "whole", **JOB).code == 0
    return fingerprint(swift / "whole")


def fill(place: Path, leave: int) -> Path:
    """Fill a disk up to some bytes."""
    filler = place / "filler"
    status = os.statvfs(place)
    with suppress(OSError):  # somebody else has filled it in between
        filler.write_bytes(b"0" * max(0, status.f_bavail * status.f_frsize - leave))
    return filler


def paused(server: Server, folder: Path, leave: int) -> tuple[int, Path]:
    """A run that saves after every event, on a disk that becomes full after its tenth."""
    pid = server.start("train", folder.parent, folder=folder, every=-1, stand_at=[10], **JOB)
    assert server.wait(pid).state == "stands"
    filler = fill(folder.parent, leave)
    os.kill(pid, signal.SIGCONT)
    return pid, filler


def printed(server: Server, pid: int, limit: float = 20.0) -> str:
    """What a run that waits for space says."""
    end = time.monotonic() + limit
    while True:
        found: Ending = server.wait(pid, 0.05)
        assert found.state == "runs", found
        if "full" in found.output:
            return found.output
        assert time.monotonic() < end, f"it says nothing: {found}"


@pytest.mark.parametrize("leave", [0, 8_192, 20_480])
def test_a_run_pauses_and_goes_on(
    server: Server, small: Path, reference: dict[str, Any], leave: int
) -> None:
    folder = small / "run"
    pid, filler = paused(server, folder, leave)
    said = printed(server, pid)
    assert "paused" in said
    assert str(folder) in said
    assert len(said.splitlines()) == 1
    assert newest_step(folder) >= 7  # what was saved before is still there
    filler.unlink()
    ending = server.end(pid)
    assert ending.code == 0, ending
    assert differences(reference, fingerprint(folder)) + leftovers(folder) == []


def test_a_run_that_is_killed_while_it_waits(
    server: Server, small: Path, reference: dict[str, Any]
) -> None:
    folder = small / "run"
    pid, filler = paused(server, folder, 0)
    printed(server, pid)
    saved = newest_step(folder)
    os.kill(pid, signal.SIGKILL)
    server.end(pid)
    filler.unlink()
    assert judge(server, folder, reference, {saved}, **JOB) == []


def test_a_command_that_is_interrupted_while_it_waits(server: Server, small: Path) -> None:
    words = ["fit", "iris", "--model", "mlp", "--length", "100000 steps", "--out", "run"]
    pid = server.start("command", small, words=words, every=0.02)
    server.until_saved(pid, small / "run")
    filler = fill(small, 0)
    printed(server, pid)
    os.kill(pid, signal.SIGTERM)
    ending = server.end(pid, 10)
    assert ending.code == 5, ending
    assert "full" in ending.output.splitlines()[-1]
    assert "Traceback" not in ending.output
    filler.unlink()
    assert newest_step(small / "run") > 0
