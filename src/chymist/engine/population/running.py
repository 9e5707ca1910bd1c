"""Driving many runs: those of one kind together, the others by themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from threading import Event

import numpy as np
import torch

from chymist.engine.assembly import Assembly
from chymist.engine.checkpoint import check_finite
from chymist.engine.events import Epoch
from chymist.engine.loop import train
from chymist.engine.population.abreast import merged
from chymist.engine.population.activations import programs_for
from chymist.engine.population.apart import (
    LOOP,
    PROCESSES,
    members_apart,
    train_apart,
    workers_for,
)
from chymist.engine.population.grouping import Group, together
from chymist.engine.population.plan import FORMS, Plan, step_work
from chymist.engine.population.shared import in_common
from chymist.engine.population.training import Form, MemberEvent, train_together
from chymist.engine.randomness import foreign_randomness, random_states, set_random_states
from chymist.engine.running import settle
from chymist.engine.solving import solve
from chymist.engine.threads import using_threads
from chymist.errors import Diverged
from chymist.optim import is_solved

_log = logging.getLogger("chymist")

Watcher = Callable[[MemberEvent], object]
CREW_WORK = 1.2e7  # multiply-adds of a step below which a further program only waits for Python
FASTER = "was measured to be faster"


def execute_all(
    runs: Sequence[Assembly],
    watcher: Watcher | None = None,
    alone: bool = False,
    until: int | None = None,
    plan: Plan | None = None,
) -> tuple[list[Group], dict[int, Diverged]]:
    """Train assembled runs to their ends, or to a step; each is then what it would be alone.

    Args:
        runs: assembled; their states are changed. Those that have ended are left as they are.
        watcher: sees the epochs of the runs, by their numbers.
        alone: train every run by itself, whether or not it could be trained with others.
        until: a step to pause at; None trains to the end. What pauses can go on from there, with
            the same or with other runs beside it.
        plan: says which form is fastest; None is the plan of this machine.

    Returns:
        How the runs were trained, and the errors of those that diverged, by number.
    """
    going = [number for number, run in enumerate(runs) if not has_ended(run)]
    groups = []
    for found in together([runs[number] for number in going]):
        group = replace(found, members=tuple(going[place] for place in found.members))
        if any(runs[number].program.shared for number in group.members):
            group = in_common([runs[number] for number in group.members], group)
        elif alone:
            group = replace(group, reason="as asked for")
        else:
            group = _planned(runs, group, plan, until)
        groups.append(group)
    watch = watcher or (lambda event: None)
    lost = _side_by_side(runs, [group for group in groups if not group.reason], watch, until)
    for place, group in enumerate(groups):
        if group.workers > 1:
            groups[place], errors = _in_processes(runs, group, watch)
            lost |= errors
        elif group.reason:
            lost |= _one_by_one(runs, group.members, watch, until)
    return groups, lost


def _planned(runs: Sequence[Assembly], group: Group, plan: Plan | None, until: int | None) -> Group:
    """A group with the one form that it is trained in, or the loop, or the processes for it."""
    members = [runs[number] for number in group.members]
    workers = 1 if until is not None or len(members) == 1 else workers_for(members)
    if group.reason and workers == 1:
        return group
    plan = plan or Plan.of()
    form = plan.form_for(members, () if group.reason else group.forms, workers)
    if form == LOOP:
        return group if group.reason else replace(group, reason=f"one after the other {FASTER}")
    if form != PROCESSES:
        return replace(group, forms=(form,))
    how = f"in {workers} processes {FASTER}"
    reason = f"{group.reason}; {how}" if group.reason else how
    apart = members_apart(len(members), workers, plan.seconds(members))
    return replace(group, reason=reason, workers=workers, apart=apart)


def has_ended(run: Assembly) -> bool:
    """Whether a run has taken its last step, and been evaluated after it."""
    state = run.state
    return state.stopped or (state.step >= run.program.total_steps and not state.loss_rows)


def _side_by_side(
    runs: Sequence[Assembly], groups: Sequence[Group], watch: Watcher, until: int | None
) -> dict[int, Diverged]:
    """Train groups as programs, with a thread of its own for each where there are several.

    Members need nothing of each other, so threads meet at the end only; threads inside of the
    products of one program would wait for each other hundreds of times a step.
    """
    threads = torch.get_num_threads()
    parts = [
        (part, FORMS[group.forms[0]])
        for group in groups
        for part in np.array_split(group.members, _crews(runs, group.members, threads))
    ]
    everybody = [number for group in groups for number in group.members]
    count = min(len(parts), crews_of(runs, everybody, threads))
    lost: dict[int, Diverged] = {}

    def programs(halt: Event) -> list[Iterator[MemberEvent]]:
        return [_as_one(runs, part.tolist(), form, until, halt) for part, form in parts]

    with using_threads(max(1, threads // count) if count > 1 else 1):
        for member in merged(programs, count):
            if isinstance(member.event, Diverged):
                lost[member.member] = member.event
            watch(member)
    return lost


def _crews(runs: Sequence[Assembly], members: Sequence[int], threads: int) -> int:
    """Programs that members are trained as, at once or, where memory is short, in turn."""
    at_once = crews_of(runs, members, threads)
    return max(at_once, programs_for(runs[members[0]], members, at_once))


def crews_of(runs: Sequence[Assembly], members: Sequence[int], threads: int) -> int:
    """Programs that some runs are trained as at once: as many as threads, if each has work enough.

    Args:
        runs: assembled.
        members: numbers of those that are trained.
        threads: that may be used.
    """
    if threads == 1 or len(members) < 2:
        return 1
    work = step_work(runs[members[0]]) * len(members)
    return max(1, min(threads, len(members), int(work / CREW_WORK)))


def _as_one(
    runs: Sequence[Assembly], numbers: Sequence[int], form: Form, until: int | None, halt: Event
) -> Iterator[MemberEvent]:
    """Train members as one program, and conclude each; yields what happened, by their numbers."""
    sound = set(numbers)
    for place, event in train_together([runs[n] for n in numbers], until, form, halt.is_set):
        sound -= {numbers[place]} if isinstance(event, Diverged) else set()
        yield MemberEvent(numbers[place], event)
    for number in sorted(sound) if not halt.is_set() else ():
        try:
            _conclude(runs[number])
        except Diverged as error:
            yield MemberEvent(number, error)


def _in_processes(
    runs: Sequence[Assembly], group: Group, watch: Watcher
) -> tuple[Group, dict[int, Diverged]]:
    """Train the members of a group by themselves, several at once.

    What comes back from no process is trained here. It is the same run once more, so the epochs
    that have been seen of it are not shown again.
    """
    reached: dict[int, int] = {}
    lost: dict[int, Diverged] = {}

    def show(member: MemberEvent) -> None:
        if isinstance(member.event, Epoch) and member.event.step > reached.get(member.member, 0):
            watch(member)

    sent = group.members[: group.apart]
    with closing(train_apart(runs, sent, group.workers, _by_itself)) as events:
        for number, event in events:
            show(MemberEvent(number, event))
            if isinstance(event, Diverged):
                lost[number] = event
            else:
                reached[number] = event.step
    left = [n for n in group.members if n not in lost and not has_ended(runs[n])]
    again = len(left) - (len(group.members) - group.apart)
    if again:
        note = f"{group.reason}; {again} trained once more, as nothing came back from a process"
        group = replace(group, reason=note)
        _log.warning("nothing came back from a process: %d members are trained once more", again)
    return group, lost | _one_by_one(runs, left, show, None)


def _one_by_one(
    runs: Sequence[Assembly], numbers: Sequence[int], watch: Watcher, until: int | None
) -> dict[int, Diverged]:
    """Train some runs one after the other."""
    lost: dict[int, Diverged] = {}
    for number in numbers:
        with closing(_by_itself(runs[number], until)) as events:
            try:
                for event in events:
                    watch(MemberEvent(number, event))
            except Diverged as error:
                lost[number] = error
    return lost


def _by_itself(run: Assembly, until: int | None = None) -> Generator[Epoch]:
    """Train a run by the loop to its end, or to a step, under global generators of its own."""
    with foreign_randomness(run.program.seed):
        if run.state.streams is not None:
            set_random_states(*run.state.streams)
        try:
            yield from _epochs(run, until)
            _conclude(run)
        finally:
            run.state.streams = random_states()


def _epochs(run: Assembly, until: int | None) -> Iterator[Epoch]:
    """The epochs of a run that is trained by the loop, to its end or to a step."""
    program, state, solved = run.program, run.state, is_solved(run.recipe)
    until = None if solved else until  # what a solver remembers of its steps is not in the state
    events = solve(program, state, run.recipe) if solved else train(program, state)
    with closing(events):  # with the workers that prepare their batches
        for event in events:
            if isinstance(event, Epoch):
                yield event
            if until is not None and state.step >= until and not _owes_evaluation(run):
                return


def _owes_evaluation(run: Assembly) -> bool:
    """Whether a run stands at the end of an epoch that it has not been evaluated after."""
    step, program = run.state.step, run.program
    at_end = step % program.steps_per_epoch == 0 or step == program.total_steps
    return at_end and run.state.loss_rows > 0


def _conclude(run: Assembly) -> None:
    """Check the weights of a run, and settle it if it has ended."""
    check_finite(run.state)
    if has_ended(run):
        settle(run.state)
