"""What a folder holds and how it stands, from its files alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

KINDS = {  # a file that only one kind of folder has, and what pages call the kind
    "cv.json": "cv",
    "comparison.json": "comparison",
    "search.json": "search",
    "race.json": "race",
    "population.json": "population",
    "imported.json": "log",
    "environment.json": "run",
}


def kind_of(folder: Path) -> str:
    """The kind of a run folder: one of `KINDS`; "run" if nothing tells.

    Example:
        >>> kind_of(Path("/nowhere"))
        'run'
    """
    return next((kind for mark, kind in KINDS.items() if (folder / mark).is_file()), "run")


def state_of(folder: Path) -> str:
    """How a run stands: "running", "finished", "diverged" or "interrupted".

    Studies appear when they are complete, so they are finished.
    """
    if kind_of(folder) != "run":
        return "finished"
    try:
        ended = json.loads((folder / "result.json").read_bytes()).get("status", "finished")
        return ended if ended in ("finished", "diverged") else "finished"
    except (OSError, ValueError, AttributeError):
        return "running" if is_written(folder) else "interrupted"


def is_written(folder: Path) -> bool:
    """Whether a process trains this run now: it holds the lock of the folder."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
