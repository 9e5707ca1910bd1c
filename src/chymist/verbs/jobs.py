"""Jobs: many trainings, carried out as one program wherever they are of one kind.

Cross-validation, comparisons, searches and learning curves are lists of jobs. What they have in
common is here: rows are prepared once for all jobs that prepare them alike, runs are trained
together as far as they fit into memory, and each is scored on the rows that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chymist.engine.allocation import keeping_memory, uncollected
from chymist.engine.assembly import (
    Assembly,
    Prepared,
    assemble,
    check_loss,
    predict_rows,
    prepare_split,
    prepared_rows,
)
from chymist.engine.defaults import complete
from chymist.engine.events import Epoch
from chymist.engine.place import MEMORY, free_memory
from chymist.engine.population import Group, MemberEvent, Plan, execute_all, sharing, together
from chymist.engine.population.apart import workers_for
from chymist.engine.rows import InMemory, Rows, in_turn
from chymist.engine.running import settle
from chymist.engine.steps import STEPWISE, step_predictions
from chymist.engine.threads import SMALL_WORK, Threads, using_threads
from chymist.errors import Diverged, InputError, UsageError
from chymist.parts import Part
from chymist.values import Length, Predictions, Recipe, Split
from chymist.verbs.fitting import threads_of, with_rate

CHUNK_SHARE = 0.25  # of the free memory, for runs that are trained together
WEIGHT_COPIES = 6  # own, stacked, gradient, two moments, best

Watcher = Callable[[int, Epoch], object]


@dataclass(frozen=True, eq=False)
class Common:
    """What jobs read together, batch by batch.

    Args:
        rows: row numbers, ascending; all those that any of the jobs is trained on.
        seed: of the order.
    """

    rows: np.ndarray
    seed: int


@dataclass(frozen=True, eq=False)
class Job:
    """One training: a recipe on the training rows of a split, scored on its test rows.

    Args:
        recipe: what to train; what it leaves open is filled from the table of defaults.
        split: its validation rows decide early stopping. Jobs that are given one and the same split
            share its prepared rows.
        seed: of initialisation, order and dropout.
        common: rows whose batches it shares with the other jobs, or None.
    """

    recipe: Recipe
    split: Split
    seed: int
    common: Common | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A job that has been carried out.

    Args:
        job: what was asked for.
        run: what came of it.
        held: the test rows of its split, prepared.
        group: how it was trained: with others as one program, or by itself and why.
        error: how it diverged, or None.
    """

    job: Job
    run: Assembly
    held: Rows
    group: Group
    error: Diverged | None

    @property
    def reason(self) -> str:
        """Why it was trained by itself; empty if it was trained with others, as one program."""
        return self.group.reason

    @property
    def epochs(self) -> float:
        """Epochs that it was trained for."""
        return round(self.run.state.step / self.run.program.steps_per_epoch, 2)

    def predictions(self) -> Predictions:
        """What the trained model says about the test rows of its split."""
        run, split = self.run, self.job.split
        model = run.state.model
        small = sum(p.numel() for p in model.parameters()) * len(self.held) < SMALL_WORK
        if split.data.task in STEPWISE:
            lanes = run.program.batch_size
            return step_predictions(model, run.form, self.held, split.test, split.data, lanes)
        with using_threads(1 if small else None):
            outputs = predict_rows(model, run.form, run.preparation, in_turn(self.held))
        truth = split.data.targets[split.test]
        if split.data.task == "regression" and truth.ndim == 1:
            outputs = outputs[:, 0]
        groups = split.groups_of(split.test)
        return Predictions(split.test, truth, outputs, groups, run.form.estimated)


def train_jobs(
    jobs: Sequence[Job],
    threads: Threads = None,
    alone: bool = False,
    watcher: Watcher | None = None,
    plan: Plan | None = None,
    lost: Callable[[int, Diverged], object] | None = None,
) -> Iterator[Trained]:
    """Carry out jobs, as many together as surely fit into memory.

    Every run is what it would be alone; a run that diverges does not touch the others.

    Args:
        jobs: what to train; those of one kind should stand together.
        threads: as in `fit`.
        alone: whether to train every run by itself.
        watcher: called with the number of a job and each epoch of its training.
        plan: says which form of a population is fastest; None is the plan of this machine.
        lost: called with the number of a job that diverges, when it does.

    Yields:
        The trained jobs, in their order.
    """
    at, desk = 0, Desk(alone, threads)

    def watch(member: MemberEvent) -> None:
        if watcher and isinstance(member.event, Epoch):
            watcher(at + member.member, member.event)
        if lost and isinstance(member.event, Diverged):
            lost(at + member.member, member.event)

    while at < len(jobs):
        with keeping_memory():
            with uncollected():
                made = desk.assembled(jobs[at:])
            runs = [run for run, _ in made]
            with using_threads(threads_of(threads, runs[0], desk.joinable)):
                groups, errors = execute_all(runs, watch, alone, plan=plan)
        group_of = {number: group for group in groups for number in group.members}
        for number, (run, held) in enumerate(made):
            yield Trained(jobs[at + number], run, held, group_of[number], errors.get(number))
        at += len(made)


def train_in_rungs(
    jobs: Sequence[Job],
    rungs: Sequence[str],
    keep: Callable[[int, Sequence[Trained]], Collection[int]],
    threads: Threads = None,
    watcher: Watcher | None = None,
    plan: Plan | None = None,
) -> Iterator[Trained]:
    """Carry out jobs in stages, after each of which some are dropped.

    Args:
        jobs: what to train.
        rungs: lengths of the stages from the start, ascending: "3 epochs", "9 epochs". An epoch has
            the steps of the longest among the jobs, so that all pause at the same step.
        keep: given the number of the stage and the jobs still going, as they stand, says which go
            on, by their places in that list; one that has diverged never does.
        threads: as in `fit`.
        watcher: called with the number of a job and each epoch of its training.
        plan: as in `train_jobs`.

    Yields:
        All jobs in their order: those kept to the end trained to theirs, the others as they stood
        when they were dropped.

    Raises:
        InputError: the jobs do not fit into memory together.
    """
    with keeping_memory():
        race = Race(jobs, Desk().assembled(jobs, cut=False), watcher, plan)
        with using_threads(threads_of(threads, race.runs[0], len(jobs))):
            for stage, rung in enumerate(rungs):
                race.advance(rung)
                race.drop_others(keep(stage, race.trained(race.standing)))
            race.advance(None)
    for run in race.runs:
        settle(run.state)
    yield from race.trained(range(len(jobs)))


class Race:
    """Jobs that are carried out in stages.

    Args:
        jobs: what was asked for.
        made: their runs and test rows.
        watcher, plan: as in `train_in_rungs`.
    """

    def __init__(
        self, jobs: Sequence[Job], made: Sequence[tuple[Assembly, Rows]],
        watcher: Watcher | None, plan: Plan | None = None,
    ) -> None:  # fmt: skip
        self.jobs, self.made, self.watcher, self.plan = jobs, list(made), watcher, plan
        self.runs = [run for run, _ in made]
        self.standing = list(range(len(made)))
        self.lost: dict[int, Diverged] = {}
        self.group_of: dict[int, Group] = {}

    def advance(self, rung: str | None) -> None:
        """Train what still stands to a length from the start, or to the end."""
        per_epoch = max(run.program.steps_per_epoch for run in self.runs)
        until = None if rung is None else Length.parse(rung).steps(per_epoch)
        groups, lost = execute_all(
            [self.runs[n] for n in self.standing], self._watch, until=until, plan=self.plan
        )
        self.lost |= {self.standing[place]: error for place, error in lost.items()}
        for group in groups:
            self.group_of |= {self.standing[place]: group for place in group.members}

    def _watch(self, member: MemberEvent) -> None:
        if self.watcher and isinstance(member.event, Epoch):
            self.watcher(self.standing[member.member], member.event)

    def put(self, number: int, run: Assembly) -> None:
        """Let another run stand in the place of a job; it has not diverged."""
        self.runs[number], self.made[number] = run, (run, self.made[number][1])
        self.lost.pop(number, None)

    def drop_others(self, kept: Collection[int]) -> None:
        """Go on with some of those that stand, by their places among them."""
        numbers = [self.standing[place] for place in sorted(kept)]
        self.standing = [number for number in numbers if number not in self.lost]

    def trained(self, numbers: Iterable[int]) -> list[Trained]:
        """Jobs as they stand."""
        return [
            Trained(self.jobs[n], *self.made[n], self.group_of[n], self.lost.get(n))
            for n in numbers
        ]


class Desk:
    """Where jobs become runs; what jobs share is made once.

    Args:
        alone: whether every run is to be trained by itself.
        threads: as in `fit`; 1 lets runs that cannot be joined come one by one.
    """

    def __init__(self, alone: bool = False, threads: Threads = 1) -> None:
        self.alone, self.threads = alone, threads
        self.kinds: dict[tuple[Part | str | int | None, ...], tuple[bool, bool]] = {}
        self.joinable = 1  # of the runs that were assembled last
        self.rows: dict[tuple[int | str, ...], tuple[Prepared, Rows]] = {}

    def assembled(self, jobs: Sequence[Job], cut: bool = True) -> list[tuple[Assembly, Rows]]:
        """The next runs with their test rows: one, or as many as can be trained at once.

        Raises:
            InputError: `cut` is off, and not all fit into memory.
        """
        self.rows.clear()
        made: list[tuple[Assembly, Rows]] = []
        count, room = 0, 0.0 if self.alone else free_memory() * CHUNK_SHARE
        for job in jobs:
            run, held, size, (joined, at_once) = self._assembled(job)
            made.append((run, held))
            count, room = count + joined, room - size
            self.joinable = 1 if self.alone else max(1, count)
            if cut and (room < 0 or not at_once):
                break
            if room < 0:
                raise InputError(
                    "the models do not fit into memory together",
                    received=f"{len(jobs)} of {size / 2**20:.0f} MB, room for {len(made)}",
                    do="search fewer at a time, or by the method random",
                )
        return made

    def _assembled(self, job: Job) -> tuple[Assembly, Rows, int, tuple[bool, bool]]:
        """A run, its test rows, the bytes that it takes, and how it goes with others of its kind.

        Whether they can be joined into one program; whether, so or in processes, they can be
        trained at once.
        """
        recipe = with_rate(complete(job.recipe, job.split), job.split, job.seed)
        key = (id(job.split), str(recipe.data), recipe.loss.name, recipe.precision)
        size = 0
        if key not in self.rows:
            self.rows[key] = _prepared(recipe, job.split)
            size = _size_of_rows(self.rows[key][0])
        prepared, held = self.rows[key]
        kind = (recipe.model, recipe.optimizer.name, recipe.precision, recipe.accumulate)
        known = kind in self.kinds
        run = assemble(recipe, job.split, job.seed, check=not known, prepared=prepared)
        if not known:
            joined = not together([run, run])[0].reason
            with using_threads(threads_of(self.threads, run)):
                self.kinds[kind] = joined, joined or workers_for([run, run]) > 1
        if job.common is not None:
            run = _sharing(run, job, job.common)
            size += _size_of(run.program.rows)
        return run, held, size + _size_of_weights(run), self.kinds[kind]


def _prepared(recipe: Recipe, split: Split) -> tuple[Prepared, Rows]:
    """The rows of a split: to train on, to stop by, and to be scored on."""
    prepared, form = prepare_split(recipe, split), check_loss(recipe, split.data)
    held = prepared_rows(recipe, form, prepared.preparation, split.data, split.test, MEMORY)
    return prepared, held


def _size_of_rows(prepared: Prepared) -> int:
    """Bytes of prepared rows; they count twice, because populations join them."""
    return _size_of(prepared.train) + _size_of(prepared.valid)


def _size_of(rows: Rows) -> int:
    """Twice the bytes of rows that are not views of the data."""
    return 2 * rows.inputs.nbytes if isinstance(rows, InMemory) and rows.among is None else 0


def _sharing(run: Assembly, job: Job, common: Common) -> Assembly:
    """A run that shares its order with others.

    Raises:
        UsageError: its rows are streamed.
    """
    data = job.split.data
    rows = prepared_rows(run.recipe, run.form, run.preparation, data, common.rows, MEMORY)
    if not isinstance(rows, InMemory):
        raise UsageError("rows that are streamed cannot share an order", where="order",
                         received=data.name, do="leave it out")  # fmt: skip
    return sharing(run, rows, np.searchsorted(common.rows, job.split.train), common.seed)


def _size_of_weights(run: Assembly) -> int:
    """Bytes that the weights of a run take while it is trained with others."""
    return WEIGHT_COPIES * sum(p.nbytes for p in run.state.model.parameters())
