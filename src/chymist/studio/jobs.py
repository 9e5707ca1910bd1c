"""Commands that the studio has started: processes of their own, which go on without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from chymist.errors import InputError, UsageError

MOST = 2  # of one studio at a time: the machine is there for training


@dataclass(eq=False)
class Job:
    """One command.

    Args:
        number: by which it is asked for.
        run: name of the run that it is about.
        kind: what it does, a word.
        process: that does it, in a session of its own.
        told: the open file that it writes into.
        began: on the clock of this process.
    """

    number: int
    run: str
    kind: str
    process: subprocess.Popen[bytes]
    told: int
    began: float = field(default_factory=monotonic)
    ended: float | None = None
    cancelled: bool = False

    def look(self) -> dict[str, Any]:
        """How it stands: "running", "done", "cancelled" or "failed", with what it said."""
        code = self.process.poll()
        if code is None:
            state, said = "running", {}
        else:
            self.ended = self.ended or monotonic()
            said = self._said()
            state = "cancelled" if self.cancelled else "done" if code == 0 else "failed"
        return {"number": self.number, "kind": self.kind, "state": state,
                "seconds": (self.ended or monotonic()) - self.began, "said": said}  # fmt: skip

    def _said(self) -> dict[str, Any]:
        """The JSON object that the command has written; nothing if it wrote none."""
        written = os.pread(self.told, os.fstat(self.told).st_size, 0)
        with suppress(ValueError):
            found = json.loads(written)
            return found if isinstance(found, dict) else {}
        return {}


class Jobs:
    """The commands of one studio.

    Example:
        >>> Jobs().of("digits-0001")
        []
    """

    def __init__(self) -> None:
        self._all: list[Job] = []

    def start(self, run: str, kind: str, words: Sequence[str]) -> dict[str, Any]:
        """Start a command of chymist that gives one JSON object.

        Args:
            run: that it is about.
            kind: what it does.
            words: of the command, without `--json`.

        Raises:
            UsageError: the run has one already, or too many are at work.
        """
        busy = [job for job in self._all if job.process.poll() is None]
        if any(job.run == run for job in busy):
            raise UsageError("this run has a command at work", received=run[:80],
                             do="wait for it, or cancel it")  # fmt: skip
        if len(busy) >= MOST:
            raise UsageError("other commands are at work", received=f"{len(busy)}",
                             do="wait for one of them")  # fmt: skip
        told, name = tempfile.mkstemp()
        os.unlink(name)  # it is there as long as somebody has it open
        process = subprocess.Popen(
            [sys.executable, "-m", "chymist", *words, "--json"], stdin=subprocess.DEVNULL,
            stdout=told, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        job = Job(len(self._all), run, kind, process, told)
        self._all.append(job)
        return job.look()

    def of(self, run: str) -> list[dict[str, Any]]:
        """Commands about a run, the last one first."""
        return [job.look() for job in reversed(self._all) if job.run == run]

    def cancel(self, run: str, number: int) -> dict[str, Any]:
        """End a command as Ctrl-C does.

        Raises:
            InputError: the run has no such command.
        """
        for job in self._all:
            if (job.run, job.number) == (run, number):
                if job.process.poll() is None:
                    job.cancelled = True
                    with suppress(ProcessLookupError):
                        os.killpg(job.process.pid, signal.SIGINT)
                return job.look()
        raise InputError("no such command", received=str(number), do="see the page of the run")
