"""Where the run of a folder stands, in a word."""

from __future__ import annotations

from pathlib import Path

from chymist.engine.status import status_of


def state_of(folder: Path) -> str:
    """One of `engine.status.STATES`; a study and an imported log have been written whole."""
    return status_of(folder).state if (folder / "environment.json").is_file() else "finished"
