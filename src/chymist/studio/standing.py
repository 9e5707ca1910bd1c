"""What a folder holds and how it stands, from its files alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chymist.engine.status import is_trained, status_of
from chymist.errors import InputError

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
    """How a run stands, in a word of `engine.status`; most studies appear complete."""
    kind = kind_of(folder)
    if kind == "population":
        return population_state(folder)
    return status_of(folder).state if kind == "run" else "finished"


def trained(folder: Path) -> Path:
    """The folder of a run that was trained by itself, for pages that look into its model or record.

    Raises:
        InputError: it is a study or a population, whose members are others.
    """
    kind = kind_of(folder)
    if kind not in ("run", "log"):
        page = "its population page" if kind == "population" else "what it found as a whole"
        raise InputError("there are several models here, and this page is about one",
                         do=f"see its overview, and {page}")  # fmt: skip
    return folder


class _Population(msgspec.Struct):
    state: str = ""


def population_state(folder: Path) -> str:
    """ "running", "interrupted" or "finished", by what a population's folder says."""
    try:
        content = (folder / "population.json").read_bytes()
        told = msgspec.json.decode(content, type=_Population).state
    except (OSError, msgspec.MsgspecError):
        return "finished"
    if not told:
        return "finished"
    return "running" if told == "running" and is_trained(folder) else "interrupted"
