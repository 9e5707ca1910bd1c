"""What `chymist show` says of the course of a run: its state, history and checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from chymist.cli.terminal import Screen
from chymist.engine.history import read_history
from chymist.engine.manifest import kept_checkpoints
from chymist.engine.status import status_of


def print_course(screen: Screen, folder: Path, history: bool, checkpoints: bool) -> None:
    """Print history and checkpoints of a run, as far as they are wanted."""
    if history:
        show_history(screen, folder)
    if checkpoints:
        show_checkpoints(screen, folder)


def plain_course(folder: Path, checkpoints: bool) -> dict[str, Any]:
    """Where a run stands and what happened to it, as plain values."""
    found: dict[str, Any] = {
        "state": status_of(folder).to_dict(),
        "history": [entry.to_dict() for entry in read_history(folder)],
    }
    if checkpoints:
        found["checkpoints"] = [one._asdict() for one in kept_checkpoints(folder)]
    return found


def show_history(screen: Screen, folder: Path) -> None:
    """What happened to a run, a line each."""
    for entry in read_history(folder):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        who = "" if entry.by == "trainer" else f" (asked by {entry.by})"
        screen.line("History", f"{when}  {entry.effect}{who}", result=True)


def show_checkpoints(screen: Screen, folder: Path) -> None:
    """The checkpoints of a run, each read and verified."""
    found = kept_checkpoints(folder)
    for one in found:
        sound = one.damage or "verified"
        screen.line("Kept", f"step {one.step:,} · {one.size / 1e6:,.2f} MB · {sound}", result=True)
    if not found:
        screen.line("Kept", "no checkpoint", result=True)
