"""Where a run stands, read from its folder alone; the same words for every face. Imports no torch.

starting     a process has the folder and has taken no step
running      it trains
paused       it waits for its user, with everything in memory
finished     it has ended with a score
stopped      its user has ended it early, with a score
diverged     its loss was not finite
interrupted  its process has ended and saved; it can be resumed
crashed      its process is gone without a word; it can be resumed
damaged      its files cannot be read
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from chymist.engine.files import read_file
from chymist.engine.history import Entry, ending_of, read_history
from chymist.errors import InputError

LIVE = "live.json"  # how far the trainer is, written while it trains
RECORD = "records.sqlite"
YOUNG = 10.0  # seconds that a folder may be old without a trainer or a history
STATES = ("starting", "running", "paused", "finished", "stopped", "diverged", "interrupted",
          "crashed", "damaged")  # fmt: skip
RESUMABLE = ("interrupted", "crashed")


class Live(msgspec.Struct, frozen=True):
    """What a trainer says of itself while it trains.

    Args:
        at: when, in seconds since 1970.
        step: optimiser steps taken.
        steps: that are planned.
        per_epoch: steps of an epoch.
        paces: seconds a step, each over a stretch of time without pauses, oldest first.
        stretch: steps of such a stretch, on average.
        rows: of a step, on average.
        paused: whether it waits for its user.
    """

    at: float
    step: int
    steps: int
    per_epoch: int
    paces: tuple[float, ...] = ()
    stretch: float = 1.0
    rows: float = 0.0
    paused: bool = False


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Args:
        state: one of `STATES`.
        alive: whether a process trains it now.
        step: optimiser steps taken; None if that is not known.
        steps: that are planned, or were taken if it has ended well.
        per_epoch: steps of an epoch.
        updated: when its trainer wrote last, in seconds since 1970.
        pace: seconds a step.
        left: seconds that are left: the middle, and the ends of a 95 % prediction interval.
        rows_per_second: training rows.
    """

    state: str
    alive: bool = False
    step: int | None = None
    steps: int | None = None
    per_epoch: int | None = None
    updated: float | None = None
    pace: float | None = None
    left: tuple[float, float, float] | None = None
    rows_per_second: float | None = None

    @property
    def epoch(self) -> float | None:
        """Epochs so far."""
        return self.step / self.per_epoch if self.step is not None and self.per_epoch else None

    @property
    def resumable(self) -> bool:
        """Whether `resume` goes on with it."""
        return self.state in RESUMABLE

    def to_dict(self) -> dict[str, Any]:
        """The status as plain values."""
        return {**asdict(self), "epoch": self.epoch, "resumable": self.resumable}


def status_of(folder: str | Path) -> Status:
    """Where a run stands.

    Args:
        folder: of a run of `fit`, finished or not.

    Example:
        >>> import chymist as cy, tempfile
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 steps"), cy.load("iris"))
        >>> found = status_of(run.path)
        >>> found.state, found.step, found.alive
        ('finished', 20, False)
    """
    folder = Path(folder)
    alive = is_trained(folder)  # before its files: what they say is then no older
    try:
        history, result = read_history(folder), _result(folder)
    except InputError:
        return Status("damaged", alive)
    live = None if result else read_live(folder)
    facts = dict(result.get("facts") or {})
    state = _state(folder, alive, history, str(result.get("status", "")), live)
    taken, planned = _steps(history)
    step = facts.get("steps", live.step if live else None)
    if step is None:
        step = max(taken, _recorded(folder))
    steps = step if state in ("finished", "stopped") else live.steps if live else planned
    per_epoch = facts.get("steps_per_epoch") or (live.per_epoch if live else _per_epoch(history))
    pace, left = (None, None) if live is None else remaining(live)
    return Status(
        state, alive, step, steps, per_epoch, _updated(folder, live), pace,
        left if alive and state != "paused" else None,
        facts.get("samples_per_second", live.rows / pace if live and pace else None),
    )  # fmt: skip


def is_trained(folder: Path) -> bool:
    """Whether a process has a run folder to itself, see `engine.folder.alone_in`."""
    try:
        import fcntl
    except ImportError:  # a system without such locks: a trainer that writes is alive
        live = read_live(folder)
        return live is not None and time.time() - live.at < YOUNG
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def read_live(folder: Path) -> Live | None:
    """What the trainer said last of itself; None if it said nothing."""
    try:
        return msgspec.json.decode(read_file(folder / LIVE), type=Live)
    except (OSError, msgspec.DecodeError):
        return None


def remaining(live: Live) -> tuple[float | None, tuple[float, float, float] | None]:
    """Seconds a step, and the seconds that are left with a 95 % prediction interval.

    The steps that are left make k' stretches as those that were timed, k of them with mean m and
    deviation s; their mean pace is m +- 2 s sqrt(1/k + 1/k').

    Example:
        >>> remaining(Live(0.0, 50, 100, 10, paces=(0.5, 0.5, 0.5), stretch=10))
        (0.5, (25.0, 25.0, 25.0))
    """
    k, left = len(live.paces), live.steps - live.step
    if k == 0:
        return None, None
    pace = math.fsum(live.paces) / k
    if k < 3 or left <= 0:
        return pace, None
    spread = math.sqrt(math.fsum((p - pace) ** 2 for p in live.paces) / (k - 1))
    half = 2 * spread * math.sqrt(1 / k + max(live.stretch, 1) / left)
    return pace, (left * pace, left * max(0.0, pace - half), left * (pace + half))


def _state(
    folder: Path, alive: bool, history: Sequence[Entry], result: str, live: Live | None
) -> str:
    if result == "finished":
        return "stopped" if ending_of(history) else "finished"
    if result:
        return result if result in STATES else "damaged"
    last = next((e.action for e in reversed(history) if e.action not in ("refuse", "checkpoint")),
                "")  # fmt: skip
    if not alive:
        if last in ("", "branch") and time.time() - _mtime(folder) < YOUNG:
            return "starting"  # between the folder and its trainer
        known = last in ("", "branch", "interrupt", "stop-now")
        return "interrupted" if known else "crashed"
    if last == "pause":
        return "paused"
    return "running" if live is not None or _recorded(folder) else "starting"


def _result(folder: Path) -> Mapping[str, Any]:
    """The result of a run; nothing if it has none yet."""
    path = folder / "result.json"
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(read_file(path), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise InputError("the result cannot be read", where=str(path),
                         received=str(error)[:90]) from None  # fmt: skip


def _steps(history: Sequence[Entry]) -> tuple[int, int | None]:
    """Steps taken and planned, as far as the history knows."""
    planned = [e.facts["steps"] for e in history if isinstance(e.facts.get("steps"), int)]
    return max((e.step for e in history), default=0), planned[-1] if planned else None


def _per_epoch(history: Sequence[Entry]) -> int | None:
    found = [e.facts["per_epoch"] for e in history if isinstance(e.facts.get("per_epoch"), int)]
    return found[-1] if found else None


def _recorded(folder: Path) -> int:
    """The last step whose loss is in the record."""
    path = (folder / RECORD).absolute()
    with suppress(sqlite3.Error, OSError):
        uri = f"{path.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as base:
            asked = "SELECT max(last_step) FROM blocks WHERE series = 'loss' AND level = 0"
            return int(base.execute(asked).fetchone()[0] or 0)
    return 0


def _updated(folder: Path, live: Live | None) -> float | None:
    """When the trainer wrote last."""
    names = (RECORD, f"{RECORD}-wal", "history.json", "result.json", "checkpoints")
    found = [_mtime(folder / name) for name in names]
    return max([*found, live.at if live else 0.0]) or None


def _mtime(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
