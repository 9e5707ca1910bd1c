"""The training loop: one function, readable from top to bottom.

It yields events and is never called back: whatever changes a run is a field of `Program`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chymist.engine.events import Epoch, Event, Step
from chymist.errors import Diverged
from chymist.keys import order
from chymist.models import Dropout
from chymist.stop import Rule


@dataclass(frozen=True)
class Program:
    """What a run is made of and never changes.

    Args:
        inputs, targets: all training rows, in memory, ready for model and loss.
        loss: (outputs, targets) -> scalar.
        schedule: step -> factor of the learning rate.
        clip: called between backward pass and step, or None.
        evaluate: model -> recorded values, after every epoch.
        rule: early stopping, or None.
        batch_size: rows per step.
        total_steps: length of the run.
        seed: seed of order and dropout.
    """

    inputs: Tensor
    targets: Tensor
    loss: Callable[..., Tensor]
    schedule: Callable[[int], float]
    clip: Callable[[], object] | None
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    rule: Rule | None
    batch_size: int
    total_steps: int
    seed: int


@dataclass
class State:
    """Where a run stands: everything that a checkpoint must hold.

    Args:
        model, optimizer: hold the weights and the moments.
        rate: learning rate before the schedule.
        step: optimiser steps taken.
        loss_sum, loss_rows: the running mean of the epoch under way.
        best_value, best_step: what the stopping rule remembers.
        best: weights at the best step, or None.
        stopped: whether the rule has ended the run.
        waited: seconds spent on getting batches, since the start or the resume.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    rate: float
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    best_value: float | None = None
    best_step: int = 0
    best: dict[str, Tensor] | None = None
    stopped: bool = False
    waited: float = 0.0
    noise: list[tuple[str, Dropout]] = field(init=False)

    def __post_init__(self) -> None:
        modules = self.model.named_modules()
        self.noise = [(name, layer) for name, layer in modules if isinstance(layer, Dropout)]


def train(program: Program, state: State) -> Iterator[Event]:
    """Train from where the state stands to the end of the program.

    Args:
        program: what the run is made of.
        state: where it stands; changed step by step.

    Yields:
        A `Step` after every optimiser step, an `Epoch` after every pass over the rows.

    Raises:
        Diverged: a loss is not finite; no step is taken with it.
    """
    model, optimizer = state.model, state.optimizer
    rows = len(program.targets)
    per_epoch = steps_per_epoch(rows, program.batch_size)
    while not state.stopped and (state.step < program.total_steps or state.loss_rows):
        epoch, start = divmod(state.step, per_epoch)
        stop = min(per_epoch, start + program.total_steps - state.step)
        if state.loss_rows and start == 0:
            stop = 0  # resumed between the last step of an epoch and its evaluation
        visits = torch.from_numpy(order(program.seed, epoch, rows))
        model.train()
        for number in range(start, stop):
            began = perf_counter()
            end = rows if number == per_epoch - 1 else (number + 1) * program.batch_size
            index = visits[number * program.batch_size : end]
            inputs = program.inputs.index_select(0, index)
            targets = program.targets.index_select(0, index)
            state.waited += perf_counter() - began

            rate = state.rate * program.schedule(state.step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            for name, layer in state.noise:
                layer.place(program.seed, state.step, name)

            loss = program.loss(model(inputs), targets)
            value = loss.item()
            if not math.isfinite(value):
                raise _diverged(state.step, value, rate, index)
            optimizer.zero_grad()
            loss.backward()
            if program.clip:
                program.clip()
            optimizer.step()

            state.step += 1
            state.loss_sum += value * len(index)
            state.loss_rows += len(index)
            yield Step(state.step, value, rate)

        if state.step % per_epoch == 0 or state.step == program.total_steps:
            model.eval()
            values = {"train_loss": state.loss_sum / state.loss_rows, **program.evaluate(model)}
            state.loss_sum, state.loss_rows = 0.0, 0
            best = _remember(program.rule, state, values)
            last = state.stopped or state.step == program.total_steps
            yield Epoch(math.ceil(state.step / per_epoch), state.step, values, best, last)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Number of batches of one epoch; a last batch of a single row joins the one before it.

    Batch statistics of one row do not exist, and its gradient would count as much as a full
    batch's.

    Example:
        >>> steps_per_epoch(100, 64), steps_per_epoch(129, 64), steps_per_epoch(1, 64)
        (2, 2, 1)
    """
    full, rest = divmod(rows, batch_size)
    return max(1, full + (rest > (1 if full else 0)))


def _remember(rule: Rule | None, state: State, values: Mapping[str, Any]) -> bool:
    """Update what the stopping rule remembers; returns whether the weights are the best so far."""
    if rule is None:
        return False
    value = values[rule.monitor]
    if rule.improved(value, state.best_value):
        state.best_value, state.best_step = value, state.step
        state.best = {name: t.detach().clone() for name, t in state.model.state_dict().items()}
        return True
    state.stopped = state.step - state.best_step >= rule.patience
    return False


def _diverged(step: int, value: float, rate: float, index: Tensor) -> Diverged:
    rows = ", ".join(str(int(i)) for i in index[:5])
    return Diverged(
        "the loss is not finite", where=f"step {step + 1}, batch of training rows {rows}, ...",
        received=str(value), do=f"lower the learning rate (it was {rate:.3g}) or clip gradients",
    )  # fmt: skip
