"""What a trainer does for its user between two steps: it pauses, saves, or ends where it is told.

The clock decides when it looks, and nothing that it does is read by the loop but the step at which
the run ends. So a run that was paused or saved gives the same bits as one that was left in peace.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

import msgspec

from chymist.engine.assembly import Assembly
from chymist.engine.control import FILE, Request, discard, waiting
from chymist.engine.history import Entry, ending_of, read_history, write_history
from chymist.engine.status import LIVE, Live
from chymist.errors import Interrupted

POLL_SECONDS = 0.05  # between two looks for a request
LIVE_SECONDS = 1.0  # between two words on how far the run is
STRETCHES = 60  # of which the pace is known

_log = logging.getLogger("chymist")


class Steering:
    """Answers the requests to one run, and keeps its history.

    Args:
        folder: of the run; the caller has it to itself.
        assembly: the run, where it begins or goes on.
        interrupted: asked while the run waits; True ends the wait.
    """

    def __init__(
        self, folder: Path, assembly: Assembly, interrupted: Callable[[], bool] | None = None
    ) -> None:
        self.folder, self.program, self.state = folder, assembly.program, assembly.state
        self.interrupted = interrupted or (lambda: False)
        self.waited = 0.0  # seconds
        self.paused = False
        self._file = str(folder / FILE)
        self._history = list(read_history(folder))
        self._paces: deque[tuple[float, int]] = deque(maxlen=STRETCHES)
        self._due = self._told = 0.0
        self._since = (perf_counter(), self.state.step)
        self._begin()

    def _begin(self) -> None:
        ending = ending_of(self._history)
        if ending is not None:
            self.state.ends = ending.facts["ends"]
        action = "continue" if any(e.action == "start" for e in self._history) else "start"
        if self.state.step and not self._history:  # from before there was a history
            action = "continue"
        steps, per_epoch = self.program.total_steps, self.program.steps_per_epoch
        self.note(action, steps=steps, per_epoch=per_epoch, process=os.getpid())

    def note(self, action: str, by: str = "trainer", request: str = "", **facts: object) -> Entry:
        """Write into the history what has happened."""
        entry = Entry(time.time(), self.state.step, action, by, request, facts)
        write_history(self.folder, [*self._history, entry])
        self._history.append(entry)
        if request:
            _log.warning("%s", entry.effect)
        return entry

    def heed(self, save: Callable[[], object], flush: Callable[[], object]) -> None:
        """After a step: do what was asked for since the last look; while it is paused, wait.

        Args:
            save: saves a checkpoint.
            flush: writes what waits for the record.

        Raises:
            Interrupted: its user wants to resume it some other time; it is saved.
        """
        now = perf_counter()
        if now < self._due:
            return
        self._due = now + POLL_SECONDS
        if now - self._told > LIVE_SECONDS:
            self._tell(now)
        if not os.path.lexists(self._file):
            return
        self._answer(save)
        if not self.paused:
            return
        flush()
        self._tell(perf_counter())
        while self.paused and not self.interrupted():
            sleep(POLL_SECONDS)
            if perf_counter() - self._told > LIVE_SECONDS:
                self._tell(perf_counter())
            if os.path.lexists(self._file):
                self._answer(save)
        self.paused = False
        self.waited += perf_counter() - now
        self._since = (perf_counter(), self.state.step)

    def close(self) -> None:
        """Say no more: the run has ended, or will be resumed."""
        with suppress(OSError):
            (self.folder / LIVE).unlink()

    @property
    def notes(self) -> list[str]:
        """What the report of the run has to say of it."""
        found = []
        branched = next((e for e in self._history if e.action == "branch"), None)
        if branched is not None:
            changes = "; ".join(branched.facts.get("changes", ())) or "no change"
            found.append(f"{branched.effect}: {changes}")
            found += branched.facts.get("lost", ())
        ending = ending_of(self._history)
        if ending is not None:
            steps = self.program.total_steps
            found.append(f"stopped by its user at step {self.state.step:,} of {steps:,}")
        return found

    def _answer(self, save: Callable[[], object]) -> None:
        """Do what the request that is there says, and write that down."""
        request = waiting(self.folder)
        discard(self.folder)  # first: as soon as it is answered there may be another
        if request is not None:
            why = self._refusal(request.action)
            if why:
                self.note("refuse", request.by, request.id, why=why)
            else:
                self._do(request, save)

    def _refusal(self, action: str) -> str:
        """Why an action makes no sense now; nothing if it does."""
        if action == "pause" and self.paused:
            return "the run is paused already"
        if action == "resume" and not self.paused:
            return "the run is not paused"
        if action in ("stop", "finish-epoch") and self.state.step >= self.program.total_steps:
            return "the run has taken its last step"
        if action == "finish-epoch" and self._epoch_end() >= self.program.total_steps:
            return "the epoch under way is the last one"
        return ""

    def _epoch_end(self) -> int:
        """The last step of the epoch under way."""
        per_epoch = self.program.steps_per_epoch
        return math.ceil(self.state.step / per_epoch) * per_epoch

    def _do(self, request: Request, save: Callable[[], object]) -> None:
        action, state = request.action, self.state
        facts: dict[str, int] = {}
        if action in ("checkpoint", "stop-now"):
            save()
        if action in ("stop", "finish-epoch"):
            facts = {"ends": state.step if action == "stop" else self._epoch_end()}
        self.note(action, request.by, request.id, **facts)
        state.ends = facts.get("ends", state.ends)
        self.paused = action == "pause" or (self.paused and action == "checkpoint")
        if action == "stop-now":
            raise Interrupted("stopped by its user", where=f"step {state.step}")

    def _tell(self, now: float) -> None:
        """Say how far the run is; not kept over a crash, and never waited for."""
        first, self._told = not self._told, now
        (since, before), step = self._since, self.state.step
        if first:  # a first step takes longer than those after it
            self._since = (now, step)
        elif step > before and not self.paused:
            self._paces.append(((now - since) / (step - before), step - before))
            self._since = (now, step)
        paces, lengths = [p for p, _ in self._paces], [n for _, n in self._paces]
        program = self.program
        live = Live(
            time.time(), step, program.total_steps if self.state.ends is None else self.state.ends,
            program.steps_per_epoch, tuple(paces), sum(lengths) / max(1, len(lengths)),
            len(program.rows) / program.steps_per_epoch, self.paused,
        )  # fmt: skip
        path = self.folder / LIVE
        draft = path.with_name(f".tmp-{LIVE}")
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(live))
            draft.replace(path)
