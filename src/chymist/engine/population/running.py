"""Driving many runs: those of one kind together, the others one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chymist.engine.assembly import Assembly
from chymist.engine.checkpoint import check_finite
from chymist.engine.events import Epoch, Event
from chymist.engine.population.grouping import Group, together
from chymist.engine.population.training import MemberEvent, train_together
from chymist.engine.randomness import foreign_randomness
from chymist.engine.running import execute, settle
from chymist.engine.store import Recorder
from chymist.errors import Diverged

Watcher = Callable[[MemberEvent], object]


def execute_all(
    runs: Sequence[Assembly], watcher: Watcher | None = None, alone: bool = False
) -> tuple[list[Group], dict[int, Diverged]]:
    """Train assembled runs to their ends; each is then what it would be alone.

    Args:
        runs: assembled, none of them started; their states are changed.
        watcher: sees the epochs of the runs, by their numbers.
        alone: train every run by itself, whether or not it could be trained with others.

    Returns:
        How the runs were trained, and the errors of those that diverged, by number.
    """
    groups = together(runs)
    if alone:
        groups = [replace(group, reason=group.reason or "as asked for") for group in groups]
    lost: dict[int, Diverged] = {}
    for group in groups:
        lost |= _one_by_one(runs, group, watcher) if group.reason else _as_one(runs, group, watcher)
    return groups, lost


def _as_one(runs: Sequence[Assembly], group: Group, watcher: Watcher | None) -> dict[int, Diverged]:
    """Train the members of a group as one program."""
    members = [runs[number] for number in group.members]
    lost: dict[int, Diverged] = {}
    for place, event in train_together(members):
        number = group.members[place]
        if isinstance(event, Diverged):
            lost[number] = event
        if watcher:
            watcher(MemberEvent(number, event))
    for number in set(group.members) - set(lost):
        try:
            check_finite(runs[number].state)
        except Diverged as error:
            lost[number] = error
        settle(runs[number].state)
    return lost


def _one_by_one(
    runs: Sequence[Assembly], group: Group, watcher: Watcher | None
) -> dict[int, Diverged]:
    """Train the members of a group one after the other."""
    lost: dict[int, Diverged] = {}
    for number in group.members:
        run = runs[number]

        def observe(event: Event, number: int = number) -> None:
            if watcher and isinstance(event, Epoch):
                watcher(MemberEvent(number, event))

        with foreign_randomness(run.program.seed), Recorder(None) as recorder:
            try:
                execute(run.recipe, run, recorder, None, observe)
            except Diverged as error:
                lost[number] = error
    return lost
