"""Runs that are trained by themselves, several at once, each in one of a few worker processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from statistics import median
from time import perf_counter

import msgspec
import torch
from safetensors.torch import load
from torch import Tensor

from chymist.engine.assembly import Assembly
from chymist.engine.checkpoint import Counters, counters_of, set_counters, tensors_to_bytes
from chymist.engine.events import Epoch, Step
from chymist.engine.loop import State, train
from chymist.engine.population.training import MemberEvent
from chymist.engine.rows import InMemory
from chymist.engine.running import settle
from chymist.engine.workers import DONE, Worker, answers, can_fork, forked
from chymist.errors import Diverged
from chymist.optim import is_solved

LOOP, PROCESSES = "loop", "processes"
WORTH = 2.0  # seconds of the loop below which processes are not thought of; starting two takes 0.1
ROUND = 0.05  # seconds that each is measured for at a time, so that asking costs nothing beside it
ROUNDS = 5
PATIENCE = 60.0  # seconds for a round, after which the processes count as stuck


class Outcome(msgspec.Struct, frozen=True):
    """What a run that has ended in a worker sends back; the optimiser's memory is not needed.

    Args:
        counters: of its state.
        waited: seconds that it has waited for batches.
        weights, best: in the safetensors format.
        error: how it diverged, or None.
    """

    counters: Counters
    waited: float
    weights: bytes
    best: bytes | None
    error: dict[str, str] | None


def workers_for(runs: Sequence[Assembly]) -> int:
    """Processes that some runs could be trained in: as many as threads; 1 is none beside this one.

    Rows that are streamed have workers already, a closed form takes no time, and what a run leaves
    anywhere but in its `state_dict` does not come back.
    """
    count = min(torch.get_num_threads(), len(runs))
    return count if count > 1 and can_fork() and all(map(_can_be_sent, runs)) else 1


def _can_be_sent(run: Assembly) -> bool:
    model = run.state.model
    return (
        not is_solved(run.recipe)
        and isinstance(run.train, InMemory)
        and isinstance(run.valid, InMemory)
        and not any(layer._non_persistent_buffers_set for layer in model.modules())
        and all(isinstance(value, Tensor) for value in model.state_dict().values())
    )


def members_apart(members: int, workers: int, seconds: dict[str, float]) -> int:
    """How many members are trained in processes; the loop takes the others, with all threads.

    In a last round that does not occupy every process the loop may be faster.

    Args:
        members: their number.
        workers: processes.
        seconds: of a step of one member, by form.

    Example:
        >>> members_apart(5, 2, {"loop": 1.0, "processes": 0.8})
        4
        >>> members_apart(5, 2, {"loop": 1.0, "processes": 0.4})
        5
    """
    rest = members % workers
    return members if rest * seconds[LOOP] >= workers * seconds[PROCESSES] else members - rest


def train_apart(
    runs: Sequence[Assembly], numbers: Sequence[int], workers: int,
    epochs: Callable[[Assembly], Iterator[Epoch]],
) -> Generator[MemberEvent]:  # fmt: skip
    """Train runs to their ends in worker processes.

    A run of which the outcome does not come back, because its worker has died or anything has gone
    wrong in it, is left as it was.

    Args:
        runs: assembled; their states are changed.
        numbers: of those that are trained, in the order in which they begin.
        workers: processes; they share the threads of this one.
        epochs: trains a run and yields its epochs; called in the workers.

    Yields:
        The epochs of the runs, or how they diverged, by their numbers.
    """

    def work(number: int) -> Iterator[bytes]:
        run, error = runs[number], None
        try:
            for event in epochs(run):
                yield msgspec.msgpack.encode(event)
        except Diverged as found:
            error = found.to_dict()
        yield msgspec.msgpack.encode(_outcome(run, error))
        _forget(run.state)

    with forked(work, workers, max(1, torch.get_num_threads() // workers)) as team:
        for number, message in answers(team, numbers):
            if message == DONE:
                continue
            found = msgspec.msgpack.decode(message, type=Epoch | Outcome)
            if isinstance(found, Epoch):
                yield MemberEvent(number, found)
                continue
            _put_back(runs[number], found)
            if found.error is not None:
                yield MemberEvent(number, Diverged(**found.error))


def _outcome(run: Assembly, error: dict[str, str] | None) -> Outcome:
    """What there is to say of a run that has ended."""
    state = run.state
    weights = tensors_to_bytes(state.model.state_dict())
    best = None if state.best is None else tensors_to_bytes(state.best)
    return Outcome(counters_of(state), state.waited, weights, best, error)


def _forget(state: State) -> None:
    """Let go of what a run that has ended takes beside its weights: the worker goes on."""
    state.optimizer.state.clear()
    state.optimizer.zero_grad()
    state.best = None


def _put_back(run: Assembly, outcome: Outcome) -> None:
    """Let a run stand where it has ended in a worker."""
    state = run.state
    state.model.load_state_dict(load(outcome.weights))
    state.best = None if outcome.best is None else load(outcome.best)
    state.waited = outcome.waited
    set_counters(state, outcome.counters)
    if outcome.error is None:
        settle(state)


def measured_apart(runs: Sequence[Assembly], workers: int) -> dict[str, float]:
    """Seconds of a step of one member by the loop, and in several processes at once.

    Everything is measured in processes, so that the runs stay as they are. Rounds of both are taken
    in turn.

    Args:
        runs: of one kind.
        workers: processes.

    Returns:
        Medians by form; the loop alone if processes are not worth their start, nothing if a model
        does not survive it.
    """
    threads = torch.get_num_threads()
    steps = (event for run in runs for event in train(run.program, run.state))

    def work(count: int) -> tuple[bytes, ...]:
        while count:
            count -= isinstance(next(steps), Step)
        return ()

    with forked(work, 1, threads) as whole:
        loop = min([_round(whole, 1) for _ in range(3)][1:])  # the first step is slower
        if not is_worth(runs, loop):
            return {LOOP: loop} if math.isfinite(loop) else {}
        with forked(work, workers, max(1, threads // workers)) as parts:
            length = math.ceil(ROUND / loop)
            pairs = [(_round(whole, length), _round(parts, length)) for _ in range(ROUNDS + 1)][1:]
    loop, apart = median(a for a, _ in pairs), median(b / a for a, b in pairs) / workers
    found = {LOOP: loop, PROCESSES: loop * apart}
    return found if all(map(math.isfinite, found.values())) else {}


def is_worth(runs: Sequence[Assembly], seconds: float) -> bool:
    """Whether the loop would take long enough for processes to be thought of.

    Args:
        runs: where they stand.
        seconds: of a step.
    """
    steps = sum(run.program.total_steps - run.state.step for run in runs)
    return WORTH <= steps * seconds < math.inf


def _round(team: Sequence[Worker], steps: int) -> float:
    """Seconds of a step while every worker takes some; infinite if one of them does not answer."""
    began = perf_counter()
    count = sum(message == DONE for _, message in answers(team, [steps] * len(team), PATIENCE))
    return (perf_counter() - began) / steps if count == len(team) > 0 else math.inf
