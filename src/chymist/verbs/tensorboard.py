"""Runs as TensorBoard shows them: an observer of `fit`, and event files of runs that have ended."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from chymist.data.event_files import messages
from chymist.data.log_names import tag_of
from chymist.doctor.reading_loss import FAILS
from chymist.engine.assembly import Assembly
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.folder import next_folder
from chymist.engine.randomness import unchanged_randomness
from chymist.errors import ChymistError, InputError
from chymist.reports.dataflow import dataflow
from chymist.reports.event_files import EventFile
from chymist.reports.examples import example_losses
from chymist.reports.pictures import enlarged, tiled, to_bytes
from chymist.reports.tracing import trace
from chymist.values import Recipe, Run
from chymist.verbs.diagnosing import Diagnosis, StoredFindings, evidence_text, read_findings
from chymist.verbs.showing_weights import weights_on_pixels

_log = logging.getLogger("chymist")

LOOKS = 20  # epochs whose weights and gradients are counted, at most, spread over the run
MOST_TENSORS = 30  # of a model that are counted
PICTURES = 16  # images of a batch, and of the worst rows
FLUSH_SECONDS = 1.0
NO_TIMES: Mapping[str, np.ndarray] = {}
NO_TAGS: Mapping[str, str] = {}


class Board:
    """Writes what a run says as event files; it looks, and changes nothing.

    What cannot be written, as on a full disk, ends the writing and not the run.

    Args:
        folder: of the event file; None writes nothing.
        assembly: the run.
    """

    def __init__(self, folder: Path | None, assembly: Assembly) -> None:
        self.assembly, self.notes = assembly, list[str]()
        self._file: EventFile | None = None
        self._began = self._flushed = perf_counter()
        if folder is not None:
            with self._writing():
                self._file = EventFile(folder)
                self._begin(self._file)
                self._file.flush()
        self._began = perf_counter()

    def __call__(self, event: Event) -> None:
        """Write an event of the loop."""
        file = self._file
        if file is None:
            return
        with self._writing():
            if isinstance(event, Step):
                file.scalars(event.step, {tag_of("loss"): event.loss, tag_of("rate"): event.rate})
                if perf_counter() - self._flushed < FLUSH_SECONDS:
                    return
            else:
                self._epoch(file, event)
            file.flush()
            self._flushed = perf_counter()

    def catch_up(self, history: Mapping[str, np.ndarray]) -> None:
        """Write what was recorded before a run was resumed."""
        if self._file is not None:
            with self._writing():
                write_series(self._file, history)

    def end(self, run: Run) -> None:
        """Write what is known when the run has ended: findings, the worst rows, the weights."""
        file = self._file
        if file is None:
            return
        step = int(run.facts["steps"])
        with self._writing():
            doctor = {n: run.history[n] for n in ("gradient_norm", "update_ratio")
                      if n in run.history}  # fmt: skip
            write_series(file, doctor)
            file.text(step, "findings", findings_text(read_findings(run.path)))
            file.text(step, "verdict", run.verdict)
            self._kernels(file, step)
            if run.data.kind == "image":
                self._worst(file, step, run)
            file.flush()

    def close(self) -> None:
        """Write what waits."""
        if self._file is not None:
            with self._writing():
                self._file.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What cannot be written, or looked at in a foreign module, ends the writing."""
        try:
            with unchanged_randomness(), torch.no_grad():
                yield
        except (OSError, *FAILS) as error:
            if isinstance(error, ChymistError):
                raise
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._file = None
            self.notes.append(f"nothing more was written for TensorBoard: {str(why).lower()[:80]}")

    def _begin(self, file: EventFile) -> None:
        """What is known before the first step."""
        assembly, step = self.assembly, self.assembly.state.step
        file.text(step, "recipe", recipe_text(assembly.recipe))
        model, row = assembly.state.model, assembly.train.take(torch.tensor([0]))
        with suppress(*FAILS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file.graph(dataflow(model, trace(model, (row,), batch=1)))
        self._kernels(file, step)
        if assembly.preparation.kind == "image" and len(assembly.preparation.shape) == 3:
            self._batch(file, step)

    def _batch(self, file: EventFile, step: int) -> None:
        """The first images of the first batch, as they are trained on."""
        program = self.assembly.program
        picked = program.visits(0)[:PICTURES]
        inputs, targets = program.rows.take(picked), program.rows.targets[picked]
        if program.augment:
            inputs, _ = program.augment(inputs, targets, 0, picked)
        images = inputs.double().cpu().permute(0, 2, 3, 1).numpy()
        file.image(step, "images/batch", tiled(enlarged(to_bytes(images)[0]), 8))

    def _kernels(self, file: EventFile, step: int) -> None:
        found = weights_on_pixels(self.assembly.state.model, self.assembly.preparation.shape)
        if found is not None:
            file.image(step, "images/first layer", found.sheet)

    def _worst(self, file: EventFile, step: int, run: Run) -> None:
        """The rows with the largest loss, and what was said of them."""
        losses = example_losses(run)
        order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:PICTURES]
        rows, found, classes = run.predictions.rows[order], run.predictions, run.data.classes
        if not len(rows):
            return
        pictures = enlarged(to_bytes(np.asarray(run.data.take(rows)))[0])
        file.image(step, f"images/worst {run.score.split}", tiled(pictures, 8))
        lines = ["| row | true | said | loss |", "|---|---|---|---|"]
        for place, row in zip(order, rows, strict=True):
            truth, said = found.targets[place], found.labels[place]
            names = [classes[int(v)] if classes else f"{np.ravel(v)[0]:.4g}" for v in (truth, said)]
            lines.append(f"| {row + 1} | {names[0]} | {names[1]} | {losses[place]:.3g} |")
        file.text(step, f"worst {run.score.split} rows", "\n".join(lines))

    def _epoch(self, file: EventFile, event: Epoch) -> None:
        """What an epoch says, and of some epochs the weights and gradients."""
        now, rows = perf_counter(), len(self.assembly.program.rows)
        values = {tag_of(name): value for name, value in event.values.items()}
        values[tag_of("rows_per_second")] = rows / max(now - self._began, 1e-9)
        self._began = now
        file.scalars(event.step, values)
        program = self.assembly.program
        every = max(1, ceil(program.total_steps / program.steps_per_epoch / LOOKS))
        if event.epoch != 1 and event.epoch % every and not event.last:
            return
        for name, parameter in list(self.assembly.state.model.named_parameters())[:MOST_TENSORS]:
            file.histogram(event.step, f"weights/{name}", numbers(parameter))
            if parameter.grad is not None:
                file.histogram(event.step, f"gradients/{name}", numbers(parameter.grad))


def numbers(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as an array, wherever and in whatever precision it is."""
    return np.asarray(tensor.detach().float().cpu().numpy())


class MemberBoards:
    """What the epochs of many fits say, in a folder of its own for each.

    Args:
        folder: that holds the folders; None writes nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._numbered = folder, 0
        self._files: dict[str, EventFile] = {}

    @classmethod
    def at(cls, place: str | Path | None, name: str) -> MemberBoards:
        """Boards in a new folder of this name; `place` None writes nothing.

        Raises:
            InputError, UsageError: as in `check_board`.
        """
        checked = check_board(place)
        return cls(None if checked is None else board_folder(checked, name))

    def numbers(self, count: int) -> int:
        """The first of so many numbers that no fit had before."""
        self._numbered += count if self._folder else 0
        return max(0, self._numbered - count)

    def write(self, name: str, epoch: Epoch, recipe: Recipe) -> None:
        """Write an epoch of a fit, and first what it trains."""
        if self._folder is None:
            return
        try:
            if name not in self._files:
                (self._folder / name).mkdir()
                self._files[name] = EventFile(self._folder / name)
                self._files[name].text(0, "recipe", recipe_text(recipe))
            values = {tag_of(series): value for series, value in epoch.values.items()}
            self._files[name].scalars(epoch.step, values)
            self._files[name].flush()
        except OSError as error:  # a log is not worth a population
            _log.warning("nothing more is written for TensorBoard: %s", error.strerror)
            self._folder = None


NO_BOARDS = MemberBoards(None)


def check_board(folder: str | Path | None) -> Path | None:
    """The folder for event files, known before any work is done.

    Raises:
        InputError: a file is in the way.
        UsageError: the package `tensorboard` is not installed.
    """
    if folder is None:
        return None
    messages()
    place = Path(folder)
    near = place.absolute()
    while not near.exists():
        near = near.parent
    writable = near.is_dir() and os.access(near, os.W_OK)
    if not writable:
        raise InputError(
            "the folder for TensorBoard cannot be made", where=str(folder),
            received="no permission to write there" if near.is_dir() else "a file in the way",
            do="choose another folder",
        )  # fmt: skip
    return place


def board_folder(place: Path, name: str) -> Path:
    """Make a new folder for the event files of a run; what is there stays, and has its own.

    Args:
        place: folder of all runs.
        name: of the run; a name that is taken gets a number.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp())
        >>> [board_folder(place, "digits-0001").name for _ in range(2)]
        ['digits-0001', 'digits-0001-0001']
    """
    place.mkdir(parents=True, exist_ok=True)
    clean = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:60].strip(".-")
    folder = place / (clean or "run")
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            folder = next_folder(clean, place)
        else:
            return folder


def board_of(place: str | Path | None, assembly: Assembly, name: str) -> Board:
    """The board of a run that is about to start.

    Args:
        place: folder of all runs; None writes nothing.
        assembly: the run.
        name: of the run.

    Raises:
        InputError, UsageError: as in `check_board`.
    """
    checked = check_board(place)
    if checked is None:
        return Board(None, assembly)
    try:
        return Board(board_folder(checked, name), assembly)
    except OSError as error:
        board = Board(None, assembly)
        board.notes.append(f"nothing was written for TensorBoard: {str(error.strerror).lower()}")
        return board


def write_series(
    file: EventFile, history: Mapping[str, np.ndarray],
    times: Mapping[str, np.ndarray] = NO_TIMES, tags: Mapping[str, str] = NO_TAGS,
) -> int:  # fmt: skip
    """Write series into an event file; returns the number of points.

    Args:
        file: the file.
        history: by name, (points, 2) of step and value.
        times: by name, seconds since 1970, where they are known.
        tags: by name, the tag, where it is not the usual one.
    """
    for name, points in history.items():
        tag, walls = tags.get(name, tag_of(name)), times.get(name)
        for number, (step, value) in enumerate(points.tolist()):
            wall = None if walls is None or np.isnan(walls[number]) else float(walls[number])
            file.scalars(int(step), {tag: value}, wall)
    return sum(map(len, history.values()))


def recipe_text(recipe: Recipe) -> str:
    """A recipe as Markdown."""
    return "    " + recipe.to_toml().replace("\n", "\n    ")


def findings_text(stored: StoredFindings | None) -> str:
    """What the doctor found, as Markdown, or what he looked at."""
    told = Diagnosis("", tuple(stored.findings), stored.checked) if stored else Diagnosis("", ())
    lines = [f"- **{f.code}** ({f.level}): {f.claim}. {evidence_text(f.evidence)}" for f in told]
    return "\n".join(lines) or told.silence
