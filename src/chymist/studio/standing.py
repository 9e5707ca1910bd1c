"""What a folder holds and how it stands, from its files alone."""

from __future__ import annotations

from pathlib import Path

from chymist.engine.status import status_of

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
    """How a run stands, in a word of `engine.status`; studies appear when they are complete."""
    return status_of(folder).state if kind_of(folder) == "run" else "finished"
