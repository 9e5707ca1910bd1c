"""Training the members of a population as one program.

The loop of a single run is `engine.loop.train`; this is the same loop over a leading member axis.
It is a text of its own because a single run must not pay for the general one; tests hold the two
together, number by number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.assembly import Assembly
from chymist.engine.events import Epoch
from chymist.engine.loop import diverged, rate_of, remember
from chymist.engine.population.shared import SharedRows
from chymist.engine.population.update import Update, clip_members
from chymist.engine.population.visits import Batch, Reader, StackedRows
from chymist.engine.rows import InMemory
from chymist.errors import Diverged
from chymist.models.chain import chained
from chymist.models.stacked import StackedBatchNorm, StackedNoise, member_of, numbers_of
from chymist.models.stacked_graph_layers import StackedBits
from chymist.models.stacked_wide import stack_wide
from chymist.penalties import Penalty, constrain, pull
from chymist.schedules import WITHOUT_EPOCHS, Plateau

Form = Callable[[Sequence[nn.Module]], nn.Module]
COMPACT = 0.7  # share of members still training below which the others are dropped


class MemberEvent(NamedTuple):
    """What happened to a member: an epoch of its own, or the error that ended it."""

    member: int
    event: Epoch | Diverged


def train_together(
    runs: Sequence[Assembly],
    until: int | None = None,
    form: Form = chained,
    halted: Callable[[], bool] = lambda: False,
) -> Generator[MemberEvent]:
    """Train runs of one group to their ends, or to a step, as one program.

    Args:
        runs: assembled runs of one `Group`, all at the same step. Their states end as the loop
            would leave them.
        until: a step to pause at; None trains to the end. Runs that have not ended can be trained
            further from there, alone or together.
        form: makes one module of many.
        halted: asked before every step; True ends it at once, and leaves the states as they are.

    Yields:
        Every epoch of every member, and the error of one that diverged; the others go on.
    """
    crew = Crew(runs, stacked_rows(runs, wide=form is stack_wide), form)
    numbers = list(range(len(runs)))  # of the crew's members among the runs
    while any(crew.open) and (until is None or crew.at < until):
        steps = crew.steps_to_boundary()
        steps = steps if until is None else min(steps, until - crew.at)
        for batch in crew.rows.stretch(crew.readers(), crew.batch_size, steps):
            if halted():
                return
            for place, error in crew.step(batch):
                yield MemberEvent(numbers[place], error)
        for place in crew.at_boundary():
            yield MemberEvent(numbers[place], crew.end_epoch(place))
        if any(crew.open) and sum(crew.open) < COMPACT * len(crew.open):
            kept = [place for place, is_open in enumerate(crew.open) if is_open]
            numbers = [numbers[place] for place in kept]
            crew = crew.only(kept)
    crew.leave()


class Crew:
    """Members that take their steps together: stacked weights, joined rows, common moments.

    Args:
        runs: the members; the crew starts from where their states stand.
        rows: of the members, in the same order.
        form: makes one module of many.
        missed: steps that each has not taken, because no row of a batch was its own.
    """

    def __init__(
        self, runs: Sequence[Assembly], rows: StackedRows | SharedRows, form: Form = chained,
        missed: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.missed = np.zeros(len(runs), np.int64) if missed is None else missed
        self.runs, self.rows, self.form = list(runs), rows, form
        self.open = [True] * len(runs)
        self.batch_size = max(run.program.batch_size for run in runs)  # less only if that is all
        self.model = form([run.state.model for run in runs]).train()
        self.held = getattr(self.model, "held", self.model)
        self.numbers = numbers_of(self.held)
        self.norms = [m for m in self.model.modules() if isinstance(m, StackedBatchNorm)]
        self.dropouts = [
            m for m in self.model.modules() if isinstance(m, StackedNoise | StackedBits)
        ]
        self.at = runs[0].state.step  # members of a crew have taken equally many
        plans = [_plan_of(place, run) for place, run in enumerate(runs)]
        distinct = list(dict.fromkeys(plans))
        self.plan_of = torch.tensor([distinct.index(plan) for plan in plans])
        self.leaders = [runs[plans.index(plan)] for plan in distinct]
        self.update = self._update(counted=bool(self.missed.any()))
        self.augmenting = any(run.program.augment for run in runs)
        self.penalties = [run.program.penalty or Penalty() for run in runs]
        if not any(run.program.penalty for run in runs):
            self.penalties = []
        self.sums = np.array([run.state.loss_sum for run in runs])  # as in the loop
        self.seen = np.array([run.state.loss_rows for run in runs])

    def only(self, kept: Sequence[int]) -> Crew:
        """The crew of some of the members, where they stand now."""
        for place in kept:
            self.write_back(place, moments=True)
        runs = [self.runs[place] for place in kept]
        return Crew(runs, self.rows.only(kept), self.form, self.missed[list(kept)])

    def _update(self, counted: bool) -> Update:
        """The common optimiser, where the members' own ones stand."""
        optimizers = [run.recipe.optimizer for run in self.runs]
        apart = counted or len(self.leaders) > 1
        update = Update(self.model, optimizers, apart, counted)
        update.adopt([run.state.optimizer for run in self.runs])
        return update

    def leave(self) -> None:
        """Let the members that have not ended go where they stand, so that they can go on."""
        for place, is_open in enumerate(self.open):
            if is_open:
                self.write_back(place, moments=True)

    def write_back(self, place: int, moments: bool = False) -> None:
        """Give a member's own state what it has now; the moments only if it is to go on."""
        state = self.runs[place].state
        state.model.load_state_dict(member_of(self.held, self.numbers, place))
        state.step = self.at
        state.loss_sum, state.loss_rows = float(self.sums[place]), int(self.seen[place])
        if moments:
            self.update.give_back(place, state.optimizer)

    def steps_to_boundary(self) -> int:
        """Steps until the first member ends an epoch or its run."""
        return min(
            min(run.program.steps_per_epoch - self.at % run.program.steps_per_epoch,
                run.program.total_steps - self.at)
            for run, is_open in zip(self.runs, self.open, strict=True) if is_open
        )  # fmt: skip

    def readers(self) -> list[Reader | None]:
        """Where each member stands in its rows; None for one that has ended."""
        return [
            Reader(run.program.seed, len(run.program.rows), self.at, run.program.steps_per_epoch)
            if is_open else None
            for run, is_open in zip(self.runs, self.open, strict=True)
        ]  # fmt: skip

    def rates(self) -> Tensor:
        """Learning rate of each member at this step, (K,)."""
        if self.missed.any():
            taken = (self.at - self.missed).tolist()
            own = [rate_of(run.program, run.state, n)
                   for run, n in zip(self.runs, taken, strict=True)]  # fmt: skip
            return torch.tensor(own, dtype=torch.float64)
        found = [rate_of(run.program, run.state, self.at) for run in self.leaders]
        return torch.tensor(found, dtype=torch.float64)[self.plan_of]

    def step(self, batch: Batch) -> list[tuple[int, Diverged]]:
        """One step of every member; returns those whose loss is not finite, who take none."""
        if self.augmenting:
            batch = self._augmented(batch)
        idle = [place for place, count in enumerate(batch.counts) if not count]
        kept = self._kept(idle) if idle else []
        self.update.clear()
        self._place(batch)
        rates = self.rates()
        losses = self.runs[0].program.loss(
            self.model(batch.inputs).flatten(0, 1), batch.targets, reduction="none"
        )
        each = self.runs[0].shapes.each_step and batch.shares is None
        counting = with_steps(batch) if each else batch
        shares = _shares(counting, losses)
        values = (losses.detach() * shares).view(len(self.runs), -1).sum(1).cpu().numpy()
        lost = [] if np.isfinite(values).all() else self._lost(values, rates)
        torch.autograd.backward(losses, shares)
        if self.penalties:
            pull(self.penalties, self.update.weights())
        clip_members(self.runs[0].recipe.clip, self.update.parameters)
        self._add_noise()
        self.update.step(rates)
        if self.penalties:
            constrain(self.penalties, self.update.weights())
        for values_of, before in kept:
            values_of[idle] = before
        self.missed[idle] += 1
        seen = _steps_seen(counting) if each else np.array(batch.counts)
        self.sums += values.astype(np.float64) * seen
        self.seen += seen
        self.at += 1
        return lost

    def _augmented(self, batch: Batch) -> Batch:
        """The batch as each member would be given it alone."""
        assert batch.rows is not None  # a shared order is refused
        width = batch.inputs.shape[1]
        inputs, targets = [*batch.inputs], [*batch.targets.unflatten(0, (-1, width))]
        for place, (run, count) in enumerate(zip(self.runs, batch.counts, strict=True)):
            program = run.program
            assert program.augment is not None
            epoch = self.at // program.steps_per_epoch
            made = program.augment(
                inputs[place][:count], targets[place][:count], epoch, batch.rows[place, :count]
            )
            inputs[place], targets[place] = (_filled(part, width) for part in made)
        return replace(batch, inputs=torch.stack(inputs), targets=torch.cat(targets))

    def _add_noise(self) -> None:
        """Add to the gradients of each member the noise that it would have alone."""
        for place, run in enumerate(self.runs):
            if run.program.gradient_noise:
                step = self.at - int(self.missed[place])
                trained = [n for n, p in run.state.model.named_parameters() if p.requires_grad]
                for name, gradient in zip(trained, self.update.gradients(place), strict=True):
                    if gradient is not None:
                        gradient.add_(run.program.gradient_noise(step, name, gradient))

    def _kept(self, idle: list[int]) -> list[tuple[Tensor, Tensor]]:
        """All numbers of the members, and what those have who do not take this step."""
        if not self.missed.any():  # from now on each counts its own steps
            for place, run in enumerate(self.runs):
                self.update.give_back(place, run.state.optimizer)
            self.update = self._update(counted=True)
        numbers = [*self.numbers.values(), *self.update.moments()]
        return [(values, values[idle].clone()) for values in numbers]

    def _place(self, batch: Batch) -> None:
        """Tell layers that need it where the members stand and which rows are padding."""
        for norm in self.norms:
            norm.weights = batch.weights
        for dropout in self.dropouts:
            dropout.weights = batch.weights
        if self.dropouts:
            for run in self.runs:
                for name, layer in run.state.noise:
                    layer.place(run.program.seed, self.at, name)

    def _lost(self, values: np.ndarray, rates: Tensor) -> list[tuple[int, Diverged]]:
        """Members whose loss is not finite: they end with the weights before this step."""
        lost = []
        for place, value in enumerate(values.tolist()):
            if self.open[place] and not math.isfinite(value):
                self.open[place] = False
                self.write_back(place)
                lost.append((place, diverged(self.at, value, float(rates[place]))))
        return lost

    def at_boundary(self) -> list[int]:
        """Members that stand at the end of an epoch or of their run."""
        return [
            place
            for place, run in enumerate(self.runs)
            if self.open[place]
            and (self.at % run.program.steps_per_epoch == 0
                 or self.at == run.program.total_steps)
        ]  # fmt: skip

    def end_epoch(self, place: int) -> Epoch:
        """Evaluate a member as the loop does after an epoch."""
        run = self.runs[place]
        state, program = run.state, run.program
        ending = self.at == program.total_steps
        if ending or len(run.valid) or program.rule:
            self.write_back(place)
        values = {"train_loss": float(self.sums[place] / self.seen[place]),
                  **program.evaluate(state.model)}  # fmt: skip
        self.sums[place], self.seen[place] = 0.0, 0
        state.step, state.loss_sum, state.loss_rows = self.at, 0.0, 0
        best = remember(program, state, values)
        last = state.stopped or ending
        self.open[place] = not last
        epoch = math.ceil(self.at / program.steps_per_epoch)
        return Epoch(epoch, self.at, values, best, last)


def _filled(rows: Tensor, width: int) -> Tensor:
    """Rows up to a width: the last ones are zeros."""
    return torch.cat([rows, rows.new_zeros(width - len(rows), *rows.shape[1:])])


def _plan_of(place: int, run: Assembly) -> object:
    """What the rates of a member follow from; a loss that is watched is its own."""
    program, described = run.program, run.recipe.schedule
    watching = isinstance(program.schedule, Plateau) or run.state.watched.factor < 1
    per_epoch = 0 if described.name in WITHOUT_EPOCHS else program.steps_per_epoch
    return (run.state.rate, str(described), program.total_steps, per_epoch,
            place if watching else None)  # fmt: skip


def with_steps(batch: Batch) -> Batch:
    """A batch of which each row counts as often as it has steps with a target."""
    return replace(batch, shares=(batch.targets >= 0).sum(1))


def _steps_seen(batch: Batch) -> np.ndarray:
    """Steps with a target that each member has in a batch, counted as the loop does, (K,)."""
    assert batch.shares is not None
    steps = batch.shares.view(len(batch.counts), -1)
    steps = steps if batch.weights is None else steps * (batch.weights > 0)
    rows = np.array(batch.counts)
    found: np.ndarray = np.where(rows > 0, np.maximum(steps.sum(1).cpu().numpy(), 1), 0)
    return found


def _shares(batch: Batch, losses: Tensor) -> Tensor:
    """Share of each row in the mean loss of its member, (K x batch,); padding has none."""
    if batch.weights is None and batch.shares is None:
        return torch.full_like(losses, 1 / batch.counts[0])
    weights = losses.new_ones(len(batch.counts), len(losses) // len(batch.counts))
    for factor in (batch.weights, batch.shares):
        weights = weights if factor is None else weights * factor.view_as(weights)
    tiny = torch.finfo(weights.dtype).tiny  # where a member has no row in the batch
    return (weights / weights.sum(1, keepdim=True).clamp(min=tiny)).flatten()


def stacked_rows(runs: Sequence[Assembly], wide: bool = False) -> StackedRows | SharedRows:
    """The training rows of runs of one group, which are in memory.

    Args:
        runs: assembled.
        wide: whether they share their order and their inputs, which are then given once.
    """
    shared = [run.program.shared for run in runs if run.program.shared]
    if shared:
        layers = runs[0].state.model.modules()
        norms = any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in layers)
        return SharedRows(shared, 2 if norms else 1, wide)
    weights = [run.program.weights for run in runs if run.program.weights is not None]
    return StackedRows([run.train for run in runs if isinstance(run.train, InMemory)], weights)
