"""Runs that train in a process of their own, to be steered, killed and looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chymist.engine.status import status_of

RECIPE = ("--model", "mlp", "--model.hidden", "32", "--model.dropout", "0.2", "--threads", "1")


def command(*words: str | Path) -> subprocess.Popen[str]:
    """The command `chymist` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "chymist", *map(str, words)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@contextmanager
def trainer(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command that trains; it is killed at the end if it still does."""
    process = command(*words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def fitting(folder: Path, epochs: int, *words: str) -> tuple[str, ...]:
    """The words of a training on digits."""
    return ("fit", "digits", *RECIPE, "--length", f"{epochs} epochs", "--out", str(folder),
            "--json", *words)  # fmt: skip


def until(folder: Path, state: str, step: int = 0, seconds: float = 60.0) -> Any:
    """Wait until a run is in a state, and so far; its status."""
    end = time.monotonic() + seconds
    while True:
        found = status_of(folder) if (folder / "environment.json").exists() else None
        if found and found.state == state and (found.step or 0) >= step:
            return found
        assert time.monotonic() < end, f"{found}, not {state}"
        time.sleep(0.02)
