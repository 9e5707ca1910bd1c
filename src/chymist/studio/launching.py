"""Trainings that the studio starts: nobody's children, which go on when the studio has ended."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chymist.errors import InputError, from_dict

WAIT_SECONDS = 60.0  # for a training to begin; loading the data is part of it
MOST = 4  # trainings of one studio at a time


class Launcher:
    """Starts commands that train, in sessions of their own.

    Example:
        >>> Launcher().busy
        0
    """

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def busy(self) -> int:
        """How many of them still run."""
        self._running = [one for one in self._running if one.poll() is None]
        return len(self._running)

    async def start(self, words: Sequence[str], begun: Callable[[], bool]) -> None:
        """Start a command, and wait until its training has begun.

        Args:
            words: of the command, without `--json`.
            begun: whether its training can be seen.

        Raises:
            ChymistError: as the command does; or too many run.
        """
        if self.busy >= MOST:
            raise InputError("other trainings that were started here run",
                             received=str(MOST), do="wait for one of them")  # fmt: skip
        told, name = tempfile.mkstemp(prefix="chymist-")
        os.unlink(name)  # it is there as long as somebody has it open
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "chymist", *words, "--json"], stdin=subprocess.DEVNULL,
                stdout=told, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self._running.append(process)
            for _ in range(int(WAIT_SECONDS / 0.05)):
                ended = process.poll()
                if begun():
                    return
                if ended is not None:
                    self._failed(told, ended)
                    return
                await asyncio.sleep(0.05)
        finally:
            os.close(told)

    def _failed(self, told: int, code: int) -> None:
        """Say why a command has ended, unless it went well."""
        said: Any = {}
        with suppress(ValueError):
            said = json.loads(os.pread(told, os.fstat(told).st_size, 0))
        if isinstance(said, dict) and "error" in said:
            raise from_dict(said["error"])
        if code:
            raise InputError("the command has failed", received=f"exit code {code}",
                             do="try it in a terminal")  # fmt: skip


def free_name(folder: Path) -> Path:
    """The next free folder for a branch of a run, beside it.

    Example:
        >>> free_name(Path("/nowhere/digits-0001")).name
        'digits-0001-branch-0001'
    """
    name, number = f"{folder.name}-branch", 1
    while (found := folder.with_name(f"{name}-{number:04d}")).exists():
        number += 1
    return found
