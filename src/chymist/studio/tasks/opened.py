"""Finished runs as the worker keeps them: read once, and again when their folder has changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from chymist.data import reload
from chymist.engine.folder import Saved, open_folder
from chymist.engine.steps import STEPWISE
from chymist.errors import ChymistError, InputError, UsageError
from chymist.reports.examples import row_losses
from chymist.values import Predictions, Run, Score, Split
from chymist.verbs import load_run
from chymist.verbs.chosen_rows import pixel_range
from chymist.verbs.records import finished, scored_rows

KEPT = 3  # runs that are kept: their rows stay in memory


@dataclass(frozen=True, eq=False)
class Opened:
    """A finished run whose scored rows are at hand; its model is read when it is asked for.

    Args:
        saved: the run folder.
        split: the rows.
        found: per-example results on the scored rows.
    """

    saved: Saved
    split: Split
    found: Predictions

    @cached_property
    def run(self) -> Run:
        """The run with its model."""
        return load_run(self.saved.path, data=self.split.data)

    @cached_property
    def score(self) -> Score:
        """The headline score."""
        return Score.from_dict(self.saved.result["score"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.split.data.classes

    @property
    def full(self) -> bool:
        """Whether all classes have their probability: of very many only that of the right one."""
        return bool(self.classes) and self.found.outputs.shape[1] == len(self.classes)

    @property
    def stepwise(self) -> bool:
        """Whether every step of a row has an answer."""
        return self.split.data.task in STEPWISE

    @cached_property
    def losses(self) -> np.ndarray:
        """Of each answer, as the report shows them; what is no number is the largest."""
        found: np.ndarray = np.nan_to_num(row_losses(self.found, self.classes), nan=np.inf)
        return found

    @cached_property
    def steps(self) -> np.ndarray:
        """Number of the step of each answer among those of its row that have a target."""
        seen: Counter[int] = Counter()
        made = np.zeros(len(self.found.rows), np.int64)
        for place, row in enumerate(self.found.rows.tolist()):
            made[place] = seen[row]
            seen[row] += 1
        return made

    @cached_property
    def pixels(self) -> tuple[float, float]:
        """Least and largest raw pixel."""
        return pixel_range(self.split)

    def sealed(self) -> int:
        """How many test rows there are, none of which is shown."""
        return len(self.split.test)

    def place_of(self, row: int) -> int:
        """Where a row is among the scored ones.

        Raises:
            UsageError: it is none of them.
        """
        places = np.flatnonzero(self.found.rows == row)
        if not len(places):
            sealed = row in self.split.test
            raise UsageError("test rows are sealed" if sealed else "not a scored row", where="row",
                             received=f"row {row + 1:,} of the data",
                             do="take a row of the list")  # fmt: skip
        return int(places[0])


def opened(folder: str) -> Opened:
    """A finished run, kept from the question before if its folder is as it was then.

    Args:
        folder: the run folder.

    Raises:
        InputError: the run has not ended, its data cannot be read again, or has changed.
    """
    return _opened(folder, stamp(folder))


def stamp(folder: str) -> tuple[int, ...]:
    """What changes when the result of a run does."""
    files = (Path(folder) / name for name in ("result.json", "valid.npz", "model.safetensors"))
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


@lru_cache(maxsize=KEPT)
def _opened(folder: str, _: tuple[int, ...]) -> Opened:
    saved = open_folder(folder)
    finished(saved)
    if not saved.source:
        raise InputError("the rows came from arrays in memory: the studio cannot read them again",
                         where=saved.schema.name, do="chymist report shows what is known of them"
                         )  # fmt: skip
    try:
        split = saved.split_of(reload(saved.source))
    except ChymistError as error:
        raise InputError("the rows of the run cannot be read again", where=saved.schema.name,
                         received=str(error)[:160], do="restore the data") from None  # fmt: skip
    return Opened(saved, split, scored_rows(saved, split))
