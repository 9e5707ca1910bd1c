"""`evolve`: population-based training, a schedule of hyperparameters found in one run of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from chymist.engine.allocation import keeping_memory
from chymist.engine.assembly import HEADLINE
from chymist.engine.defaults import check_split, complete
from chymist.engine.population import copy_member, with_recipe
from chymist.engine.running import settle
from chymist.engine.threads import Threads, using_threads
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.reports.markup import safe
from chymist.space import Axis, Point, Range, drawn, fitted, written
from chymist.values import Data, Length, Recipe, Run, Score, Split, whole_number
from chymist.verbs.fitting import threads_of, with_rate
from chymist.verbs.histories import Histories
from chymist.verbs.jobs import Desk, Job, Race, Watcher
from chymist.verbs.populating import Population
from chymist.verbs.sources import as_split

CHANGEABLE = ("optimizer.lr", "optimizer.weight_decay", "model.dropout")
FACTORS = (0.8, 1.2)  # of Jaderberg et al.


@dataclass(frozen=True)
class Exchange:
    """A member that became a changed copy of a better one.

    Args:
        step: when.
        member, source: their numbers.
        point: the values that it went on with, by dotted name.
    """

    step: int
    member: int
    source: int
    point: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Evolution:
    """What population-based training gave.

    Args:
        population: all members as they ended.
        best: number of the member with the lowest validation loss.
        score: of that member; optimistic, because these rows chose it and its hyperparameters.
        start: the values that each member began with.
        lineage: all exchanges, in order.
        verdict: one sentence.
    """

    population: Population
    best: int
    score: Score
    start: tuple[Point, ...]
    lineage: tuple[Exchange, ...]
    verdict: str

    def run(self) -> Run:
        """The best member as an ordinary run, in a temporary folder."""
        return self.population.run(self.best)

    def schedule(self, member: int | None = None) -> list[tuple[int, Point]]:
        """From which step on the ancestors of a member used which values; of the best if None."""
        who, found = self.best if member is None else member, []
        for exchange in reversed(self.lineage):
            if exchange.member == who:
                found.append((exchange.step, dict(exchange.point)))
                who = exchange.source
        return [(0, dict(self.start[who])), *reversed(found)]

    def _repr_html_(self) -> str:
        return f"<p>{safe(self.verdict)}</p>{self.population._repr_html_()}"

    def __repr__(self) -> str:
        return f"Evolution({self.verdict})"


def evolve(
    recipe: Recipe,
    split: Split | Data,
    space: Mapping[str, Axis],
    members: int = 16,
    every: str = "2 epochs",
    seed: int = 0,
    *,
    share: float = 0.2,
    threads: Threads = None,
    watcher: Watcher | None = None,
) -> Evolution:
    """Population-based training: again and again, the worst become changed copies of the best.

    Members begin at points of the space and with seeds of their own. After every stretch they are
    ranked by validation loss; each of the worst fifth takes weights and moments of a random one of
    the best fifth, and its values times 0.8 or 1.2. All are trained as one program. The recipe's
    early stopping is left out: members end together.

    Args:
        recipe: what to train.
        split: the rows, or data that is split with the defaults of `cy.split`; validation rows
            rank the members.
        space: ranges of "optimizer.lr", "optimizer.weight_decay", "model.dropout".
        members: their number, at least 4.
        every: length of a stretch.
        seed: of the points and exchanges; member k has the seed `seed` + k.
        share: of the members that is replaced after each stretch, at most 0.5.
        threads: as in `fit`.
        watcher: called with the number of a member and each epoch of its training.

    Returns:
        An `Evolution`.

    Raises:
        UsageError: another field than those, a range that is none, too few members.
        InputError: no validation rows, every member diverged, or they do not fit into memory.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="mlp", length="6 epochs")
        >>> space = {"optimizer.lr": cy.space.log(1e-4, 1e-1)}
        >>> found = cy.evolve(recipe, cy.load("iris"), space, members=8)
        >>> len(found.population), len(found.lineage)
        (8, 2)

    Source: Jaderberg et al. 2017, arXiv:1711.09846, with truncation selection.
    """
    began = perf_counter()
    seed, members = whole_number(seed, "seed", 0), whole_number(members, "members", 4, 10**5)
    split = as_split(split, seed)
    check_split(split)
    if not len(split.valid):
        raise InputError("members are ranked on validation rows", received="a split without any",
                         do="give cy.split(data, valid=0.2)")  # fmt: skip
    full = with_rate(complete(recipe.replace(stop="none"), split), split, seed)
    axes = _axes(space, full)
    points = drawn(axes, members, seed)
    unsealed = replace(split, test=np.array([], np.int64))
    jobs = [Job(written(full, p, _same), unsealed, seed + n) for n, p in enumerate(points)]
    histories = Histories(len(jobs), watcher)
    with keeping_memory():
        race = Race(jobs, Desk().assembled(jobs, cut=False), histories)
        with using_threads(threads_of(threads, race.runs[0], len(jobs))):
            lineage = _generations(race, points, axes, full, every, share, seed)
    for run in race.runs:
        settle(run.state)
    losses = _losses(race)
    if not np.isfinite(losses).any():
        raise InputError("every member diverged", received=f"{members} members",
                         do="lower the range of the learning rate")  # fmt: skip
    facts = {"executor": "population", "reason": "", "seconds": round(perf_counter() - began, 3)}
    population = Population(split, tuple(race.trained(range(members))), histories.series, facts)
    return _evolution(population, int(np.argmin(losses)), points, lineage)


def exchanges(
    losses: Sequence[float], share: float, seed: int, stage: int
) -> list[tuple[int, int]]:
    """Which members are replaced by copies of which, after a stretch.

    Args:
        losses: of each member on validation rows; infinite for one that diverged.
        share: of the members that is replaced.
        seed: of the draw.
        stage: number of the stretch.

    Returns:
        (member, source) pairs: the worst, each with a random one of as many best.

    Example:
        >>> exchanges([0.3, 0.1, 0.9, 0.2], 0.25, seed=0, stage=0)
        [(2, 1)]
    """
    order = np.argsort(losses, kind="stable")
    count = max(1, int(share * len(order)))
    best = [n for n in order[:count].tolist() if np.isfinite(losses[n])]
    if not best:
        return []
    draw = generator(seed, "exchange", stage)
    return [(member, best[int(draw.integers(len(best)))]) for member in order[-count:].tolist()]


def perturbed(point: Point, axes: Mapping[str, Range], seed: int, stage: int, member: int) -> Point:
    """A point with each value times 0.8 or 1.2, within its range.

    Example:
        >>> found = perturbed({"optimizer.lr": 0.1}, {"optimizer.lr": Range(0.01, 0.11)}, 0, 0, 0)
        >>> found["optimizer.lr"] in (0.08, 0.11)
        True
    """
    draw = generator(seed, "perturb", stage, member)
    return {
        name: axes[name].from_number(value * FACTORS[int(draw.integers(2))])
        for name, value in point.items()
    }


def _generations(
    race: Race, points: Sequence[Point], axes: Mapping[str, Range], recipe: Recipe, every: str,
    share: float, seed: int,
) -> list[Exchange]:  # fmt: skip
    """Train to the end, with an exchange after every stretch but the last."""
    if not 0 < share <= 0.5:
        raise UsageError("a share of the members", where="share", received=str(share),
                         do="give a number above 0, at most 0.5")  # fmt: skip
    program = race.runs[0].program
    stretch = Length.parse(every, "every").steps(program.steps_per_epoch)
    current, lineage = list(points), list[Exchange]()
    for stage, step in enumerate(range(stretch, program.total_steps, stretch)):
        race.advance(f"{step} steps")
        for member, source in exchanges(_losses(race).tolist(), share, seed, stage):
            current[member] = perturbed(current[source], axes, seed, stage, member)
            copy_member(race.runs[source], race.runs[member])
            race.put(
                member, with_recipe(race.runs[member], written(recipe, current[member], _same))
            )
            lineage.append(Exchange(step, member, source, current[member]))
    race.advance(None)
    return lineage


def _losses(race: Race) -> np.ndarray:
    """Validation loss of each member as it stands; infinite for one that diverged."""
    return np.array([
        np.inf if n in race.lost else run.program.evaluate(run.state.model.eval())["val_loss"]
        for n, run in enumerate(race.runs)
    ])  # fmt: skip


def _axes(space: Mapping[str, Axis], recipe: Recipe) -> dict[str, Range]:
    """The space, if a run can change all of it while it is paused."""
    axes = fitted(space, recipe, _same)
    for name, axis in axes.items():
        if name not in CHANGEABLE:
            raise UsageError(
                "a run cannot change this while it is trained", where="space", received=name,
                do=f"use {', '.join(CHANGEABLE)}, or cy.search",
            )  # fmt: skip
        if not isinstance(axis, Range):
            raise UsageError("values that are multiplied need a range", where=name,
                             do="use cy.space.log or uniform")  # fmt: skip
    return {name: axis for name, axis in axes.items() if isinstance(axis, Range)}


def _evolution(
    population: Population, best: int, points: Sequence[Point], lineage: Sequence[Exchange]
) -> Evolution:
    """The result in words."""
    found = population.scores[best]
    assert found is not None  # its loss is finite
    number = replace(found, selected_on="val_loss")
    sentence = (
        f"member {best} of {len(population)} is best after {len(lineage)} exchanges: "
        f"{HEADLINE[population.split.data.task]} {number} (selected, so optimistic)"
    )
    return Evolution(population, best, number, tuple(points), tuple(lineage), sentence)


def _same(recipe: Recipe) -> Recipe:
    """The recipe is complete."""
    return recipe
