"""Races: configurations that are trained on the same folds, and compared while they are trained.

All configurations of all races, on all folds and with all seeds, are jobs of one program.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

import numpy as np

from chymist.engine import population
from chymist.engine.events import Epoch
from chymist.engine.population.running import has_ended
from chymist.engine.threads import Threads
from chymist.evidence.searches import END, Rank, rank_of
from chymist.metrics import measure
from chymist.values import Predictions, Recipe
from chymist.verbs.designs import Design
from chymist.verbs.jobs import Job, Trained, Watcher, train_in_rungs, train_jobs
from chymist.verbs.rungs import Plan
from chymist.verbs.tensorboard import NO_BOARDS, MemberBoards
from chymist.verbs.validation import joined, stops_early

LOST: Rank = (inf, inf)  # the rank of what diverged


@dataclass(frozen=True, eq=False)
class Setting:
    """What all races of a search have in common.

    Args:
        design: how rows are cut.
        metric: what configurations are compared by.
        plan: which form of a population is fastest.
        threads: as in `fit`.
        started: called with the number of fits that begin.
        watcher: called with the number of a fit and each epoch of its training.
        boards: write event files of the fits, if any are wanted.
    """

    design: Design
    metric: str
    plan: population.Plan
    threads: Threads
    started: Callable[[int], object] | None
    watcher: Watcher | None
    boards: MemberBoards = NO_BOARDS


class Place(NamedTuple):
    """Which race, which of its configurations, and which of its folds a job is for."""

    race: int
    trial: int
    fold: int


@dataclass(frozen=True, eq=False)
class Result:
    """How one configuration did in one race.

    Args:
        predictions: on the rows that its models had not seen; None if one of them diverged.
        values: the metric of each fit, in the order of folds and repeats.
        rank: what results are ordered by, smaller is better.
        epochs: of all its fits together.
        full: epochs that all its fits would have taken, had they not been dropped or stopped.
        reached: the rung at which it was dropped, or "".
        reason: how it diverged, or "".
        standing: its value at each rung that it reached, and at the end.
        curve: epochs and mean training loss of its fits, (epochs, 2).
        alone: why its fits were not trained as one program; "" if they were.
        fits: their number.
    """

    predictions: Predictions | None
    values: np.ndarray
    rank: Rank
    epochs: float
    full: float
    reached: str
    reason: str
    standing: dict[str, float]
    curve: np.ndarray
    alone: str
    fits: int


def carry_out(
    setting: Setting,
    races: Sequence[np.ndarray],
    recipes: Sequence[Sequence[Recipe]],
    plan: Plan,
) -> list[list[Result]]:
    """Train the configurations of all races as one program.

    Args:
        setting: what the races have in common.
        races: the rows of each race.
        recipes: the configurations of each race, equally many.
        plan: which of them are dropped when.

    Returns:
        For each race, the results of its configurations in their order.
    """
    places, jobs = _laid_out(setting, races, recipes)
    board = _Board(places, jobs, setting, plan)
    if setting.started:
        setting.started(len(jobs))
    if plan.rungs:
        rungs = [str(rung) for rung in plan.rungs]
        found = train_in_rungs(jobs, rungs, board.keep, setting.threads, board.watch, setting.plan)
    else:
        found = train_jobs(jobs, setting.threads, watcher=board.watch, plan=setting.plan)
    for place, trained in zip(places, found, strict=True):
        board.take(place, trained)
    return [
        [board.result(race, n) for n in range(len(recipes[race]))] for race in range(len(races))
    ]


def _laid_out(
    setting: Setting, races: Sequence[np.ndarray], recipes: Sequence[Sequence[Recipe]]
) -> tuple[list[Place], list[Job]]:
    """All jobs, those of one architecture one after the other, and what each is for."""
    stopping = {stops_early(recipe) for some in recipes for recipe in some}
    cut = {(n, s): setting.design.splits(s, rows) for n, rows in enumerate(races) for s in stopping}
    order = sorted(
        ((race, n) for race, some in enumerate(recipes) for n in range(len(some))),
        key=lambda pair: (_kind(recipes[pair[0]][pair[1]]), pair),
    )
    places, jobs = [], []
    for race, trial in order:
        recipe = recipes[race][trial]
        for fold, split in enumerate(cut[race, stops_early(recipe)]):
            places.append(Place(race, trial, fold))
            jobs.append(Job(recipe, split, split.seed))
    return places, jobs


def _kind(recipe: Recipe) -> str:
    """What runs that can be trained together have in common; dropout and rates may differ."""
    shape = recipe.model and [item for item in recipe.model.items if not isinstance(item[1], float)]
    rule = recipe.optimizer and recipe.optimizer.name
    return str((recipe.model and recipe.model.name, shape, rule, recipe.batch_size))


@dataclass(eq=False)
class _Tally:
    """What is noted of one configuration while it is trained."""

    parts: dict[int, Predictions] = field(default_factory=dict)
    costs: list[tuple[float, float]] = field(default_factory=list)  # epochs taken, and in full
    reached: str = ""
    reason: str = ""
    alone: str = ""
    standing: dict[str, float] = field(default_factory=dict)
    losses: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


class _Board:
    """Where the configurations of all races stand.

    Args:
        places: what each job is for.
        jobs: the jobs.
        setting: what the races have in common.
        plan: which configurations are dropped when.
    """

    def __init__(
        self, places: Sequence[Place], jobs: Sequence[Job], setting: Setting, plan: Plan
    ) -> None:
        self.places, self.jobs, self.setting, self.plan = places, jobs, setting, plan
        self.first = setting.boards.numbers(1 + max((place.trial for place in places), default=-1))
        self.place_of = dict(zip(jobs, places, strict=True))
        self.tallies: dict[tuple[int, int], _Tally] = defaultdict(_Tally)

    def watch(self, number: int, event: Epoch) -> None:
        """Note the loss of an epoch."""
        place = self.places[number]
        self.tallies[place[:2]].losses[event.epoch].append(event.values["train_loss"])
        outer = f"outer-{place.race}-" if place.race else ""
        name = f"{outer}trial-{self.first + place.trial:04d}-fold-{place.fold:02d}"
        self.setting.boards.write(name, event, self.jobs[number].recipe)
        if self.setting.watcher:
            self.setting.watcher(number, event)

    def keep(self, rung: int, standing: Sequence[Trained]) -> list[int]:
        """Which jobs go on after a rung: those of the best configurations of each bracket."""
        positions: dict[tuple[int, int], list[int]] = defaultdict(list)
        for position, trained in enumerate(standing):
            positions[self.place_of[trained.job][:2]].append(position)
        brackets: dict[tuple[int, int], list[tuple[Rank, tuple[int, int]]]] = defaultdict(list)
        for pair, held in positions.items():
            rank = self._rank(pair, [standing[p] for p in held], str(self.plan.rungs[rung]))
            brackets[pair[0], self.plan.brackets[pair[1]]].append((rank, pair))
        going_on: list[int] = []
        for (_, bracket), ranked in brackets.items():
            most = self.plan.going_on[rung][bracket]
            for number, (rank, pair) in enumerate(sorted(ranked)):
                if rank != LOST and (most is None or number < most):
                    going_on += positions[pair]
                elif not all(has_ended(standing[p].run) for p in positions[pair]):
                    self.tallies[pair].reached = str(self.plan.rungs[rung])
        return sorted(going_on)

    def _rank(self, pair: tuple[int, int], fits: Sequence[Trained], length: str) -> Rank:
        """Rank a configuration by all its fits, and note its value."""
        if any(fit.error for fit in fits):
            return LOST
        fits = sorted(fits, key=lambda fit: self.place_of[fit.job].fold)
        made = joined([fit.predictions() for fit in fits])
        self.tallies[pair].standing[length] = measure(made, self.setting.metric)
        return rank_of(made, self.setting.metric)

    def take(self, place: Place, trained: Trained) -> None:
        """Note what came of a job; of its model nothing is kept."""
        tally = self.tallies[place[:2]]
        program = trained.run.program
        tally.costs.append((trained.epochs, program.total_steps / program.steps_per_epoch))
        tally.alone = tally.alone or trained.reason
        if trained.error:
            tally.reason = trained.error.line()
        else:
            tally.parts[place.fold] = trained.predictions()

    def result(self, race: int, trial: int) -> Result:
        """How a configuration did."""
        tally, metric = self.tallies[race, trial], self.setting.metric
        steps = sorted(tally.losses.items())
        curve = np.array([(e, np.mean(losses)) for e, losses in steps]).reshape(-1, 2)
        common: dict[str, Any] = {
            "epochs": sum(cost[0] for cost in tally.costs),
            "full": sum(cost[1] for cost in tally.costs), "fits": len(tally.costs),
            "reason": tally.reason,
            "standing": tally.standing, "curve": curve, "alone": tally.alone,
        }  # fmt: skip
        if tally.reason:
            return Result(None, np.zeros(0), LOST, reached="", **common)
        parts = [tally.parts[fold] for fold in sorted(tally.parts)]
        values = np.array([measure(part, metric) for part in parts])
        whole = joined(parts)
        if not tally.reached:
            tally.standing[END] = measure(whole, metric)
        return Result(whole, values, rank_of(whole, metric), reached=tally.reached, **common)
