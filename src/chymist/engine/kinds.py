"""What a folder holds and how it stands, from its files alone; the same words for every face.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import msgspec

from chymist.engine.files import read_file
from chymist.engine.status import is_trained, status_of

KINDS = {  # a file that only one kind of folder has
    "environment.json": "fit",
    "cv.json": "cv",
    "comparison.json": "compare",
    "search.json": "search",
    "race.json": "race",
    "population.json": "population",
    "imported.json": "import",
}


class _Population(msgspec.Struct):
    state: str = ""


def kind_of(names: Container[str]) -> str:
    """The kind of a folder by the names of its files; "" if it is no folder of runs.

    Example:
        >>> kind_of({"cv.json", "report.html"})
        'cv'
    """
    return next((kind for mark, kind in KINDS.items() if mark in names), "")


def kind_in(folder: Path) -> str:
    """The kind of a folder, one of `KINDS`; "" if it is no folder of runs.

    Example:
        >>> kind_in(Path("/nowhere"))
        ''
    """
    return next((kind for mark, kind in KINDS.items() if (folder / mark).is_file()), "")


def state_of(folder: Path) -> str:
    """One of `engine.status.STATES`; a study and an imported log have been written whole."""
    kind = kind_in(folder)
    if kind == "fit":
        return status_of(folder).state
    return population_state(folder) if kind == "population" else "finished"


def population_state(folder: Path) -> str:
    """ "running", "interrupted" or "finished", by what a population's folder says."""
    try:
        content = read_file(folder / "population.json")
        told = msgspec.json.decode(content, type=_Population).state
    except (OSError, msgspec.MsgspecError):
        return "finished"
    if not told:
        return "finished"
    return "running" if told == "running" and is_trained(folder) else "interrupted"
