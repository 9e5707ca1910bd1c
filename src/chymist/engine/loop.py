"""The training loop: one function, readable from top to bottom.

It yields events and is never called back: whatever changes a run is a field of `Program`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chymist.augment import Augment
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.rows import Rows, Shared
from chymist.engine.steps import Buckets, forget, in_buckets, in_lanes
from chymist.errors import Diverged
from chymist.keys import generator, order
from chymist.noise import Keyed
from chymist.penalties import Penalty, constrain, pull, weights_of
from chymist.schedules import Plateau, Watched
from chymist.stop import Rule

SKIPPED_IN_A_ROW = 30  # the scale of the loss has then fallen from 65536 to nothing


@dataclass(frozen=True)
class Program:
    """What a run is made of and never changes.

    Args:
        rows: the training rows, ready for model and loss.
        apply: (model, inputs) -> outputs, in the precision of the recipe.
        loss: (outputs, targets) -> scalar.
        schedule: step -> factor of the learning rate.
        clip: called between backward pass and step, or None.
        evaluate: model -> recorded values, after every epoch.
        rule: early stopping, or None.
        batch_size: rows per forward and backward pass.
        total_steps: length of the run.
        seed: seed of order and dropout.
        accumulate: passes whose gradients make one step.
        weights: how much each row counts in the loss, or None if they count alike.
        shared: what is read in common with the other members of a population, or None; only
            `engine.population` trains such a run.
        penalty: on the weights, or None.
        gradient_noise: (step, name, gradient) -> what is added to the gradient of a parameter, or
            None.
        lanes: whether rows are read side by side in their own order, for a model that carries
            something from batch to batch.
        augment: (inputs, targets, epoch, row numbers) -> a batch as it is trained on, or None.
        buckets: lengths of the rows, of which batches hold similar ones, or None.
    """

    rows: Rows
    apply: Callable[[nn.Module, Tensor], Tensor]
    loss: Callable[..., Tensor]
    schedule: Callable[[int], float]
    clip: Callable[[], object] | None
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    rule: Rule | None
    batch_size: int
    total_steps: int
    seed: int
    accumulate: int = 1
    weights: Tensor | None = None
    shared: Shared | None = None
    penalty: Penalty | None = None
    gradient_noise: Callable[[int, str, Tensor], Tensor] | None = None
    lanes: bool = False
    augment: Augment | None = None
    buckets: Buckets | None = None

    def visits(self, epoch: int) -> Tensor:
        """The order in which the rows of an epoch are read."""
        rows, size = len(self.rows), self.batch_size * self.accumulate
        if self.lanes:
            return torch.from_numpy(in_lanes(rows, size))
        drawn = order(self.seed, epoch, rows)
        if self.buckets:
            draws = generator(self.seed, "buckets", epoch)
            drawn = in_buckets(drawn, self.buckets.lengths, size, self.buckets.together, draws)
        return torch.from_numpy(drawn)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one pass over the rows."""
        return steps_per_epoch(len(self.rows), self.batch_size * self.accumulate)


@dataclass
class State:
    """Where a run stands: everything that a checkpoint must hold.

    Args:
        model, optimizer: hold the weights and the moments.
        rate: learning rate before the schedule.
        scaler: scales the loss so that float16 gradients do not vanish; off in other precisions.
        step: optimiser steps taken.
        loss_sum, loss_rows: the running mean of the epoch under way, over rows, or over the steps
            with a target where each may have one.
        best_value, best_step: what the stopping rule remembers.
        best: weights at the best step, or None.
        stopped: whether the rule has ended the run.
        watched: what a schedule remembers that watches a loss, with its factor of the rate.
        skipped: steps in a row that were not taken because float16 gradients overflowed.
        streams: where the global generators stood when the run was paused beside others.
        waited: seconds spent on getting batches, since the start or the resume.
        notes: what a solver has to say of its solution, in sentences.
        ends: the step after which its user wants the run to end; None for the end of the program.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    rate: float
    scaler: torch.amp.GradScaler = field(default_factory=lambda: scaler("cpu", False))
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    best_value: float | None = None
    best_step: int = 0
    best: dict[str, Tensor] | None = None
    stopped: bool = False
    waited: float = 0.0
    watched: Watched = field(default=Watched(), init=False)
    skipped: int = field(default=0, init=False)
    streams: Any = field(default=None, init=False)
    notes: list[str] = field(default_factory=list, init=False)
    ends: int | None = field(default=None, init=False)
    noise: list[tuple[str, Keyed]] = field(init=False)

    def __post_init__(self) -> None:
        modules = self.model.named_modules()
        self.noise = [(name, layer) for name, layer in modules if isinstance(layer, Keyed)]


def train(program: Program, state: State) -> Generator[Event]:
    """Train from where the state stands to the end of the program.

    Args:
        program: what the run is made of.
        state: where it stands; changed step by step.

    Yields:
        A `Step` after every optimiser step, an `Epoch` after every pass over the rows.

    Raises:
        Diverged: a loss is not finite; no step is taken with it.
    """
    model, optimizer, scaler = state.model, state.optimizer, state.scaler
    rows, per_epoch = len(program.rows), program.steps_per_epoch
    size = program.batch_size * program.accumulate
    while not state.stopped and (state.step < end_of(program, state) or state.loss_rows):
        epoch, start = divmod(state.step, per_epoch)
        stop = min(per_epoch, start + end_of(program, state) - state.step)
        if state.loss_rows and start == 0:
            stop = 0  # resumed between the last step of an epoch and its evaluation
        visits = program.visits(epoch)
        indices = [visits[n * size : rows if n == per_epoch - 1 else (n + 1) * size]
                   for n in range(start, stop)]  # fmt: skip
        batches = program.rows.batches(indices)
        model.train()
        if start == 0:
            forget(model)
        for index in indices:
            began = perf_counter()
            inputs, targets = next(batches)
            state.waited += perf_counter() - began
            if program.augment:
                inputs, targets = program.augment(inputs, targets, epoch, index)

            rate = rate_of(program, state, state.step)
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)
                for parameter in group["params"]:  # as zero_grad does, without its bookkeeping
                    parameter.grad = None
            value = 0.0
            weights = None if program.weights is None else program.weights[index]
            for part, (x, t, w) in enumerate(parts_of(inputs, targets, weights, program)):
                for name, layer in state.noise:
                    layer.place(program.seed, state.step, name, part)
                loss = mean_loss(program, program.apply(model, x), t, w)
                if len(t) < len(index):  # so that the step gets the mean over all its rows
                    loss = loss * share_of(t, w, targets, weights)
                value += loss.item()
                if not math.isfinite(value):
                    raise diverged(state.step, value, rate, index)
                scaler.scale(loss).backward()
            if weights is None or bool(weights.any()):  # rows of no weight make no step
                scaler.unscale_(optimizer)
                if program.penalty:
                    pull([program.penalty], weights_of(model))
                if program.clip:
                    program.clip()
                if program.gradient_noise:
                    add_noise(program.gradient_noise, model, state.step)
                scaler.step(optimizer)
                if program.penalty:
                    constrain([program.penalty], weights_of(model))
                _watch(state)

            state.step += 1
            seen = len(index) if weights is not None else max(1, targets_in(targets))
            state.loss_sum += value * seen
            state.loss_rows += seen
            yield Step(state.step, value, rate)
            if state.step == state.ends:
                break

        if state.step % per_epoch == 0 or state.step == end_of(program, state):
            model.eval()
            values = {"train_loss": state.loss_sum / state.loss_rows, **program.evaluate(model)}
            state.loss_sum, state.loss_rows = 0.0, 0
            best = remember(program, state, values)
            last = state.stopped or state.step == end_of(program, state)
            yield Epoch(math.ceil(state.step / per_epoch), state.step, values, best, last)


def end_of(program: Program, state: State) -> int:
    """The step at which a run ends: that of the program, or an earlier one that its user wants."""
    return program.total_steps if state.ends is None else min(state.ends, program.total_steps)


def add_noise(noise: Callable[[int, str, Tensor], Tensor], model: nn.Module, step: int) -> None:
    """Add noise to the gradient of every parameter that has one."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            parameter.grad.add_(noise(step, name, parameter.grad))


def _watch(state: State) -> None:
    """Update the scaler, and give up if it skips step after step."""
    scaler = state.scaler
    if not scaler.is_enabled():
        return
    before = scaler.get_scale()
    scaler.update()
    state.skipped = state.skipped + 1 if scaler.get_scale() < before else 0
    if state.skipped >= SKIPPED_IN_A_ROW:
        raise Diverged(
            "the gradients are not finite in float16", where=f"step {state.step + 1}",
            received=f"{state.skipped} steps in a row",
            do="use bfloat16 or float32, or lower the learning rate",
        )  # fmt: skip


def parts_of(
    inputs: Tensor, targets: Tensor, weights: Tensor | None, program: Program
) -> Iterable[tuple[Tensor, Tensor, Tensor | None]]:
    """The rows of one step as the passes that they are computed in, of nearly equal size.

    Without accumulation that is one; with it, no pass has more than a row beyond the batch size,
    and none has a single row, of which batch statistics do not exist.
    """
    if program.accumulate == 1:
        return ((inputs, targets, weights),)
    count = max(1, math.ceil((len(targets) - 1) / program.batch_size))
    parts = (None,) * count if weights is None else weights.tensor_split(count)
    return zip(inputs.tensor_split(count), targets.tensor_split(count), parts, strict=True)


def mean_loss(program: Program, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The loss of some rows, sum_i w_i l_i / sum_i w_i; 0 if none of them weighs anything."""
    if weights is None:
        return program.loss(outputs, targets)
    each = program.loss(outputs, targets, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def targets_in(targets: Tensor) -> int:
    """Over how many targets the loss is a mean: those of the rows, or those that steps have.

    Example:
        >>> targets_in(torch.tensor([0, 1])), targets_in(torch.tensor([[0, 1], [2, -1]]))
        (2, 3)
    """
    if targets.ndim < 2 or targets.is_floating_point():
        return len(targets)
    return int((targets >= 0).sum())


def share_of(
    part: Tensor, weights: Tensor | None, whole: Tensor, all_weights: Tensor | None
) -> float:
    """What a pass counts among all passes of a step."""
    if weights is None or all_weights is None:
        return targets_in(part) / max(1, targets_in(whole))
    total = float(all_weights.sum())
    return float(weights.sum()) / total if total else 0.0


def scaler(device: str, enabled: bool) -> torch.amp.GradScaler:
    """A gradient scaler; a disabled one passes everything through."""
    return torch.amp.GradScaler(device, enabled=enabled)


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


def rate_of(program: Program, state: State, step: int) -> float:
    """The learning rate of a step."""
    return state.rate * state.watched.factor * program.schedule(step)


def remember(program: Program, state: State, values: Mapping[str, Any]) -> bool:
    """Update what schedule and stopping rule remember; whether the weights are the best so far."""
    rule, schedule = program.rule, program.schedule
    if isinstance(schedule, Plateau) and schedule.monitor in values:  # not where steps are timed
        state.watched = schedule.after(values[schedule.monitor], state.watched)
    if rule is None:
        return False
    value = values[rule.monitor]
    if rule.improved(value, state.best_value):
        state.best_value, state.best_step = value, state.step
        state.best = {name: t.detach().clone() for name, t in state.model.state_dict().items()}
        return True
    state.stopped = state.step - state.best_step >= rule.patience
    return False


def diverged(step: int, value: float, rate: float, index: Tensor | None = None) -> Diverged:
    """The error of a run whose loss is not finite, which took no step with it."""
    rows = "" if index is None else ", batch of training rows {}, ...".format(
        ", ".join(str(int(i)) for i in index[:5]))  # fmt: skip
    return Diverged(
        "the loss is not finite", where=f"step {step + 1}{rows}",
        received=str(value), do=f"lower the learning rate (it was {rate:.3g}) or clip gradients",
    )  # fmt: skip
