"""`to_tensorboard`: runs that are on record, as TensorBoard reads them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chymist.engine.folder import open_folder
from chymist.engine.imported import is_imported, read_imported
from chymist.engine.store import check_record, read_series
from chymist.errors import ChymistError
from chymist.reports.event_files import EventFile
from chymist.values import Run
from chymist.verbs.diagnosing import read_findings, signals_of
from chymist.verbs.populating import Population
from chymist.verbs.showing_weights import show_weights
from chymist.verbs.tensorboard import (
    board_folder,
    check_board,
    findings_text,
    recipe_text,
    write_series,
)

Series = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Written:
    """Event files that were written.

    Args:
        folder: what to give to `tensorboard --logdir`.
        runs: the folder of each run.
        points: how many numbers they hold.
    """

    folder: Path
    runs: tuple[Path, ...]
    points: int

    def __repr__(self) -> str:
        many = "runs" if len(self.runs) != 1 else "run"
        return (f"{len(self.runs)} {many}, {self.points:,} points; "
                f"look with: tensorboard --logdir {self.folder}")  # fmt: skip


def to_tensorboard(
    runs: Run | Population | str | Path | Sequence[Run | str | Path], out: str | Path
) -> Written:
    """Write the record of runs as event files: all points, recipe, findings, first weights.

    A record has no clock: its points have the time of writing. Imported ones keep theirs.

    Args:
        runs: a run, finished or not, or its folder; several of them; a population.
        out: folder that gets a folder for each run; what is in it stays.

    Raises:
        InputError: no run folder, or nothing can be written there.
        UsageError: the package `tensorboard` is not installed.

    Example:
        >>> import tempfile
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), cy.load("iris"))
        >>> written = cy.to_tensorboard(run, tempfile.mkdtemp())
        >>> len(written.runs), written.points > 10
        (1, True)
    """
    check_board(out)
    place, made = Path(out), list[tuple[Path, int]]()
    if isinstance(runs, Population):
        for number, history in enumerate(runs.histories):
            with _whole(place, f"{runs.split.data.name}-member-{number:04d}") as folder:
                points = _series(folder, {n: np.array(p) for n, p in history.items()})
            made.append((folder, points))
    else:
        for run in [runs] if isinstance(runs, Run | str | Path) else runs:
            made += _written(run, place)
    return Written(place, tuple(folder for folder, _ in made), sum(n for _, n in made))


def _written(run: Run | str | Path, place: Path) -> list[tuple[Path, int]]:
    """Write one run, or each member of the folder of a population."""
    path = run.path if isinstance(run, Run) else Path(run)
    if is_imported(path):
        log = read_imported(path)
        with _whole(place, path.resolve().name) as folder, EventFile(folder) as file:
            return [(folder, write_series(file, log.series, log.times, log.tags))]
    if (path / "population.json").is_file():
        members = sorted(p for p in (path / "members").iterdir() if p.is_dir())
        with _whole(place, path.resolve().name) as group:
            return [pair for member in members for pair in _written(member, group)]
    saved = open_folder(path)
    stored = read_findings(path)
    history = {**read_series(check_record(path / "records.sqlite")), **signals_of(stored)}
    last = max((int(points[-1, 0]) for points in history.values() if len(points)), default=0)
    with _whole(place, path.resolve().name) as folder, EventFile(folder) as file:
        file.text(0, "recipe", recipe_text(saved.recipe))
        file.text(last, "findings", findings_text(stored))
        if saved.result.get("status") == "finished":
            file.text(last, "verdict", saved.result["verdict"])
            with suppress(ChymistError):  # no images, or a module that is not at hand
                file.image(last, "images/first layer", show_weights(run).sheet)
        return [(folder, write_series(file, history))]


def _series(folder: Path, history: Series) -> int:
    with EventFile(folder) as file:
        return write_series(file, history)


@contextmanager
def _whole(place: Path, name: str) -> Iterator[Path]:
    """A new folder for a run, which is gone again if it is not written whole."""
    folder = board_folder(place, name)
    with ExitStack() as failing:
        failing.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
        failing.pop_all()
