"""`fit` and `resume`: from a recipe and rows to a trained, scored, saved run."""

from __future__ import annotations

import io
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from chymist.data import reload
from chymist.engine.allocation import keeping_memory
from chymist.engine.assembly import HEADLINE, Assembly, assemble, predictions_for
from chymist.engine.checkpoint import tensors_to_bytes
from chymist.engine.defaults import check_split, complete
from chymist.engine.events import Event
from chymist.engine.files import write_file
from chymist.engine.folder import (
    alone_in,
    check_place,
    create_folder,
    open_folder,
    versions,
    write_result,
)
from chymist.engine.place import Place, choose_device
from chymist.engine.randomness import foreign_randomness
from chymist.engine.rates import find_rate
from chymist.engine.running import Observer, continue_from, execute, facts_of
from chymist.engine.space import Patience, check_space
from chymist.engine.steering import Steering
from chymist.engine.store import Recorder, check_record
from chymist.engine.threads import Threads, choose_threads, using_threads
from chymist.errors import Diverged
from chymist.evidence import FloorResult, score, verdict
from chymist.schedules import monitored
from chymist.values import Data, Floor, Predictions, Recipe, Run, Score, Split, whole_number
from chymist.verbs.diagnosing import read_findings, signals_of, write_findings
from chymist.verbs.flooring import floors_beside
from chymist.verbs.layer_watching import LayerWatcher
from chymist.verbs.reporting import write_report
from chymist.verbs.scoring import metrics_of
from chymist.verbs.sources import as_split, with_model
from chymist.verbs.tensorboard import Board, board_of, check_board
from chymist.verbs.watching import Doctor, RunWatcher

Interrupt = Callable[[], bool]
Started = Callable[[Assembly, Path], object]


@dataclass(frozen=True)
class Heard:
    """Who hears the events of a run.

    Args:
        observer: of the caller, or None.
        interrupted: asked after every event, or None.
        watcher: the doctor; comes last, so that nobody's time counts as waiting for rows.
        board: writes event files, if any are wanted.
        layers: looks at layers now and then.
    """

    observer: Observer | None
    interrupted: Interrupt | None
    watcher: RunWatcher
    board: Board
    layers: LayerWatcher

    def __call__(self, event: Event) -> None:
        if self.observer:
            self.observer(event)
        self.board(event)
        self.layers(event)
        self.watcher(event)

    def catch_up(self, history: Mapping[str, np.ndarray]) -> None:
        """Take note of what was recorded before a run was resumed."""
        self.watcher.catch_up(history)
        self.board.catch_up(history)
        self.layers.catch_up()

    @property
    def notes(self) -> list[str]:
        """What those who write beside the run could not do."""
        return [*self.board.notes, *self.layers.notes]


@contextmanager
def _heard(
    assembly: Assembly, folder: Path, whose: tuple[Observer | None, Interrupt | None],
    doctor: Doctor, layers: bool, tensorboard: str | Path | None, name: str,
) -> Iterator[Heard]:  # fmt: skip
    """Be alone in the folder of a run, with those who hear its events."""
    with (
        alone_in(folder),
        closing(board_of(tensorboard, assembly, name)) as board,
        closing(RunWatcher(assembly, doctor)) as watcher,
        closing(LayerWatcher(watcher.assembly, folder, layers)) as looks,
    ):
        yield Heard(*whose, watcher, board, looks)


def fit(
    recipe: Recipe,
    split: Split | Data,
    seed: int = 0,
    *,
    out: str | Path | None = None,
    threads: Threads = None,
    workers: int | None = None,
    device: str | None = None,
    observer: Observer | None = None,
    interrupted: Interrupt | None = None,
    started: Started | None = None,
    doctor: Doctor = True,
    layers: bool = True,
    tensorboard: str | Path | None = None,
) -> Run:
    """Train one model and score it on the validation rows; the test rows are not touched.

    Args:
        recipe: what to train; what it leaves open is filled from the table of defaults.
        split: the rows, or data that is split with the defaults of `cy.split`.
        seed: seed of initialisation, order and dropout.
        out: the run folder (absent or empty); None keeps the run in a temporary folder that goes
            away with the `Run`, unless `run.save(DIR)` is called.
        threads: threads of torch for this run; "auto" takes one for small work; None leaves
            torch's setting. Results are bit-identical for the same number only.
        workers: processes that prepare batches while the run trains; 0 prepares each batch when
            it is needed; None holds all prepared rows in memory if they fit. The result is the
            same, to the bit.
        device: "cpu", "cuda", "cuda:1"; None takes a GPU if there is one.
        observer: called with every event of the loop; must not draw from global random generators.
        interrupted: asked after every event; True saves a checkpoint and raises `Interrupted`.
        started: called once with the assembled run and its folder, before the first step.
        doctor: whether the doctor looks on, which changes no bit of the result; or a function that
            is called with each finding when it arises, once.
        layers: whether what the layers do is recorded now and then, see `layer_history`; changes
            no bit of the result.
        tensorboard: folder that gets a folder of event files for this run; changes no bit of the
            result. None writes none.

    Returns:
        A `Run` with model, score, floors and record.

    Raises:
        InputError: data, model and loss do not fit each other; nothing is left behind.
        UsageError: a name or value is wrong; nothing is left behind.
        Diverged: the loss became non-finite; the run folder keeps the record if `out` is given.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> run = cy.fit(cy.Recipe(model="softmax", length="60 epochs"), split, seed=0)
        >>> run.score.metric, run.score.split, run.score.value > 0.8
        ('accuracy', 'valid', True)
    """
    began = perf_counter()
    seed = whole_number(seed, "seed", 0)
    split = as_split(split, seed)
    place = _checked(split, out, tensorboard, device, workers)
    with foreign_randomness(seed):
        recipe = with_rate(complete(recipe, split), split, seed)
    with keeping_memory(), foreign_randomness(seed), ExitStack() as failing:
        assembly = assemble(recipe, split, seed, place)
        with using_threads(threads_of(threads, assembly)):
            folder = _folder_for(out, recipe, split, assembly, seed, place)
            if out is None:  # what comes to nothing leaves nothing
                failing.callback(shutil.rmtree, folder, ignore_errors=True)
            if started:
                started(assembly, folder)
            name = split.data.name if out is None else folder.name
            who = observer, interrupted
            with _heard(assembly, folder, who, doctor, layers, tensorboard, name) as by:
                run = _train(recipe, split, seed, assembly, folder, by, began)
        failing.pop_all()
    if out is None:
        weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    else:
        write_report(run)
    return run


def _checked(
    split: Split, out: str | Path | None, tensorboard: str | Path | None, device: str | None,
    workers: int | None,
) -> Place:  # fmt: skip
    """Where a run is computed; rows and places that will not do are refused before any work."""
    check_split(split)
    if out is not None:
        check_place(Path(out))
    check_board(tensorboard)
    return Place(choose_device(device), check_workers(workers))


def _folder_for(
    out: str | Path | None, recipe: Recipe, split: Split, assembly: Assembly, seed: int,
    place: Place,
) -> Path:  # fmt: skip
    """The folder of a run that is about to start, if there is room for it."""
    where = None if out is None else Path(out)
    check_space(where or Path(tempfile.gettempdir()), assembly.state.model)
    return create_folder(where, recipe, split, assembly.preparation, assembly.shapes, seed, place)


def resume(
    folder: str | Path,
    *,
    model: Any = None,
    data: Data | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
    interrupted: Interrupt | None = None,
    started: Started | None = None,
    doctor: Doctor = True,
    layers: bool = True,
    tensorboard: str | Path | None = None,
) -> tuple[Run, int, list[str]]:
    """Continue a run from its newest good checkpoint, to the same result.

    Args:
        folder: the run folder.
        model: the user's own module or factory, if the run was made with one.
        data: the rows, if they came from arrays in memory.
        workers: as in `fit`; None takes what the run was started with.
        observer, interrupted, started, doctor, layers, tensorboard: as in `fit`; event files begin
            with what was recorded before.

    Returns:
        The finished run, the step it was resumed from (its last one if it had ended already), and
        a line for each damaged checkpoint that was passed over.

    Raises:
        InputError: no run folder, changed data, damaged files.
    """
    from chymist.verbs.records import load_run

    began = perf_counter()
    saved = open_folder(folder)
    if saved.result.get("status") == "finished":
        run = load_run(folder, model=model, data=data)
        if not (saved.path / "report.html").exists():  # killed while it was written
            write_report(run)
        return run, int(run.facts["steps"]), []
    recipe = with_model(saved.recipe, model)
    split = saved.split_of(data if data is not None else reload(saved.source))
    seed = int(saved.environment["seed"])
    workers = saved.environment.get("workers") if workers is None else workers
    device = choose_device(saved.environment.get("device", "cpu"))
    place = Place(device, check_workers(workers))
    threads = int(saved.environment["threads"])
    with keeping_memory(), foreign_randomness(seed), using_threads(threads):
        assembly = assemble(recipe, split, seed, place)
        who, name = (observer, interrupted), saved.path.name
        with _heard(assembly, saved.path, who, doctor, layers, tensorboard, name) as heard:
            with Recorder(check_record(saved.path / "records.sqlite")) as recorder:
                step, problems = continue_from(saved.path, assembly, recorder)
                heard.catch_up(recorder.series())
            if started:
                started(assembly, saved.path)
            run = _train(recipe, split, seed, assembly, saved.path, heard, began)
    write_report(run)
    return run, step, problems


def _train(
    recipe: Recipe, split: Split, seed: int, assembly: Assembly, folder: Path, heard: Heard,
    began: float,
) -> Run:  # fmt: skip
    """Run the loop and write what came out."""
    first, watcher, interrupted = assembly.state.step, heard.watcher, heard.interrupted
    before = perf_counter() - began
    with (
        Recorder(folder / "records.sqlite") as recorder,
        closing(Steering(folder, heard.layers.assembly, interrupted)) as steering,
    ):
        try:
            parts = recipe, heard.layers.assembly, recorder, folder / "checkpoints"
            seconds = execute(*parts, heard, interrupted, steering)
        except Diverged as error:
            steering.note("diverge")
            watcher.diverged(error)
            _examine(folder, watcher)
            write_result(folder, {"status": "diverged", "error": error.to_dict()})
            raise
        history = recorder.series()
        Patience(folder, interrupted).write(partial(steering.note, "end"))
    facts = facts_of(assembly, seconds, assembly.state.step - first)
    facts["notes"] += steering.notes
    watcher.waited = facts["waiting_for_data"], seconds
    Patience(folder, interrupted).write(partial(_examine, folder, watcher))
    stored = read_findings(folder)
    history |= signals_of(stored)
    run = conclude(recipe, split, seed, assembly, folder, history, facts)
    whole = perf_counter() - began - steering.waited
    spent = {"before": before, "training": seconds, "after": whole - before - seconds}
    run = replace(
        run, findings=tuple(stored.findings) if stored else (),
        facts={**run.facts, "seconds": round(whole, 3),
               "spent": {name: round(part, 3) for name, part in spent.items()}},
    )  # fmt: skip
    heard.board.end(run)
    run = replace(run, facts={**run.facts, "notes": [*run.facts["notes"], *heard.notes]})
    Patience(folder, interrupted).write(partial(write_run, run))
    return run


def _examine(folder: Path, watcher: RunWatcher) -> None:
    """Write what the doctor found, if there was one."""
    if watcher.on:
        write_findings(folder, watcher.findings(), watcher.checked(), watcher.signals())


def write_run(run: Run) -> None:
    """Write what came out of a run; its result comes last, and says that all is there."""
    write_file(run.path / "model.safetensors", tensors_to_bytes(run.model.state_dict()))
    found, content = run.predictions, io.BytesIO()
    np.savez(content, rows=found.rows, targets=found.targets, outputs=found.outputs)
    write_file(run.path / "valid.npz", content.getvalue())
    write_result(run.path, result_of(run))


def conclude(
    recipe: Recipe, split: Split, seed: int, assembly: Assembly, folder: Path,
    history: Mapping[str, np.ndarray], facts: Mapping[str, Any],
) -> Run:  # fmt: skip
    """Score a trained assembly against its floors."""
    name = "valid" if len(split.valid) else "train"
    predictions = predictions_for(assembly, split, name)
    assembly.state.model.cpu()  # what comes now is small, and the user's
    number = score_of(assembly, split, predictions, seed)
    floors = floors_of_run(assembly, split, predictions, seed)
    sentence = verdict(recipe.model.name, predictions, number, floors, seed)
    facts = {**facts, "versions": versions(), "filled": dict(assembly.preparation.filled)}
    found = metrics_of(predictions, split.data)
    if "rmse_pooled" in found:
        told = f"rmse is the mean over {predictions.outputs.shape[1]:,} outputs; "
        told += f"pooled over all of them it is {found['rmse_pooled']:.4g}"
        facts["notes"] = [*facts["notes"], told]
    return Run(
        folder, recipe, split, seed, assembly.state.model, assembly.preparation, number,
        tuple(Floor(f.name, f.score) for f in floors), sentence,
        found, predictions, history, facts,
    )  # fmt: skip


def score_of(assembly: Assembly, split: Split, predictions: Predictions, seed: int) -> Score:
    """Headline score of a run on its validation rows, or its training rows if there are none."""
    name, rule = "valid" if len(split.valid) else "train", assembly.program.rule
    watched = rule.monitor if rule else monitored(assembly.recipe)
    selected = watched if watched and name == "valid" and watched.startswith("val_") else None
    return score(predictions, HEADLINE[split.data.task], name, selected, seed)


def floors_of_run(
    assembly: Assembly, split: Split, predictions: Predictions, seed: int
) -> list[FloorResult]:
    """Floors on the rows that a run is scored on."""
    name = "valid" if len(split.valid) else "train"
    matrices = assembly.matrix(assembly.train), assembly.matrix(assembly.rows(name))
    return floors_beside(
        assembly.preparation, assembly.recipe.data.options, split.data, split.train, predictions,
        matrices, name, seed,
    )  # fmt: skip


def result_of(run: Run) -> dict[str, Any]:
    """What a run gave, as plain values for `result.json`."""
    return {
        "status": "finished",
        "score": run.score.to_dict(),
        "floors": [{"name": f.name, "score": f.score.to_dict()} for f in run.floors],
        "verdict": run.verdict,
        "metrics": dict(run.metrics),
        "facts": dict(run.facts),
    }


def with_rate(recipe: Recipe, split: Split, seed: int) -> Recipe:
    """A complete recipe with the learning rate "auto" replaced by one that a range test finds."""
    if recipe.optimizer.options.get("lr") != "auto":
        return recipe
    rate = float(f"{find_rate(recipe, split, seed).rate:.2g}")
    return recipe.replace(optimizer=recipe.optimizer.replace(lr=rate))


def check_workers(workers: int | None) -> int | None:
    """The number of loader workers, if it is one."""
    return None if workers is None else whole_number(workers, "workers", 0, 256)


def threads_of(threads: Threads, assembly: Assembly, members: int = 1) -> int | None:
    """Number of threads for a run, or many of its kind; None leaves torch's setting."""
    if threads is None or threads != "auto":
        return None if threads is None else whole_number(threads, "threads", 1, 4096)
    one = assembly.train.take(torch.tensor([0]))
    return choose_threads(assembly.state.model, one, assembly.program.batch_size, members)
