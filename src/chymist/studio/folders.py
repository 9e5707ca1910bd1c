"""Run folders by name: what the studio shows, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chymist.engine.kinds import kind_in
from chymist.errors import InputError

RECORD = "records.sqlite"


class Folders:
    """Run folders by a name that is good for addresses.

    Args:
        given: run folders, or folders that hold run folders.

    Example:
        >>> Folders([]).all()
        {}
    """

    def __init__(self, given: Sequence[Path]) -> None:
        self.given = tuple(given)

    def all(self) -> dict[str, Path]:
        """Every run folder that is there now, by its name; of two equal names one gets "~2"."""
        found: dict[str, Path] = {}
        for folder in self.given:
            for path in [folder] if is_run(folder) else sorted(folder.glob("*")):
                if not is_run(path) or path.is_symlink():
                    continue
                name, number = path.name, 2
                while name in found:
                    name, number = f"{path.name}~{number}", number + 1
                found[name] = path
        return found

    def find(self, name: str) -> Path:
        """The folder of a run.

        Raises:
            InputError: there is none of that name.
        """
        found = self.all().get(name)
        if found is None:
            raise InputError("no such run", received=name[:80], do="see the list of runs")
        return found


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run or a study."""
    return kind_in(folder) != ""


def trained(folder: Path) -> Path:
    """The folder of a run or a log, for pages that look into one model or one record.

    Raises:
        InputError: it is a study or a population, whose members are others.
    """
    kind = kind_in(folder)
    if kind not in ("fit", "import"):
        page = "its population page" if kind == "population" else "what it found as a whole"
        raise InputError("there are several models here, and this page is about one",
                         do=f"see its overview, and {page}")  # fmt: skip
    return folder
