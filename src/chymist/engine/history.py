"""What happened to a run, in order: `history.json` in its folder, written by its trainer alone.

A run that its user stopped at a step ends at that step when it is resumed as well: that is read
here. Runs made before there was a history have none. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from chymist.engine.files import read_file, write_file
from chymist.errors import InputError

FILE = "history.json"

EFFECTS = {  # of each entry, in words; {n} is the step
    "start": "training started",
    "continue": "training continued from step {n}",
    "branch": "branched from step {n} of {parent}",
    "pause": "paused after step {n}; memory is kept",
    "resume": "went on after step {n}, bit-identically",
    "checkpoint": "checkpoint of step {n} saved and read back",
    "finish-epoch": "the epoch under way is finished, then the run concludes at step {ends}",
    "stop": "stopped by its user at step {ends}; the best weights are kept and scored",
    "stop-now": "saved and ended at step {n}; it can be resumed",
    "interrupt": "interrupted and saved at step {n}; it can be resumed",
    "diverge": "the loss or a weight was not finite after step {n}",
    "end": "training ended at step {n}",
    "refuse": "nothing changed: {why}",
}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to a run.

    Args:
        at: when, in seconds since 1970.
        step: optimiser steps taken by then.
        action: one of `EFFECTS`.
        by: who asked: "command", "studio", "python", "signal", or "trainer" where nobody did.
        request: what tells the request from others; empty if there was none.
        facts: numbers and names that belong to it, by name.
    """

    at: float
    step: Annotated[int, msgspec.Meta(ge=0)]
    action: str
    by: str = "trainer"
    request: str = ""
    facts: Mapping[str, Any] = {}

    @property
    def effect(self) -> str:
        """What it did, as a sentence.

        Example:
            >>> Entry(0.0, 1200, "pause", "studio").effect
            'paused after step 1,200; memory is kept'
        """
        given = {name: f"{v:,}" if isinstance(v, int) else v for name, v in self.facts.items()}
        known = {"n": f"{self.step:,}", "ends": f"{self.step:,}", "parent": "?", "why": ""}
        return EFFECTS.get(self.action, self.action).format(**known | given)

    def to_dict(self) -> dict[str, Any]:
        """The entry and its effect, as plain values."""
        return {"at": self.at, "step": self.step, "action": self.action, "by": self.by,
                "effect": self.effect, "facts": dict(self.facts)}  # fmt: skip


def read_history(folder: Path) -> tuple[Entry, ...]:
    """What happened to a run, oldest first; nothing for a run from before this was kept.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(read_file(path), type=tuple[Entry, ...])
    except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError("the history of the run cannot be read", where=str(path),
                         received=str(error)[:90],
                         do="restore the file, or remove it") from None  # fmt: skip


def write_history(folder: Path, entries: Sequence[Entry]) -> None:
    """Write what happened to a run, whole or not at all."""
    write_file(folder / FILE, msgspec.json.format(msgspec.json.encode(list(entries)), indent=1))


def ending_of(entries: Sequence[Entry]) -> Entry | None:
    """The entry by which its user has ended a run early; None if nobody has.

    Example:
        >>> ending_of([Entry(0.0, 7, "stop", "command", facts={"ends": 7})]).facts["ends"]
        7
    """
    found = [e for e in entries if e.action in ("stop", "finish-epoch")
             and isinstance(e.facts.get("ends"), int)]  # fmt: skip
    return found[-1] if found else None
