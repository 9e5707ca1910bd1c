"""Training the members of a population as one program.

The loop of a single run is `engine.loop.train`; this is the same loop over a leading member axis.
It is a text of its own because a single run must not pay for the general one; tests hold the two
together, number by number.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from chymist.engine.assembly import Assembly
from chymist.engine.events import Epoch
from chymist.engine.loop import diverged, remember
from chymist.engine.population.update import Update, clip_members
from chymist.engine.population.visits import Batch, Reader, StackedRows
from chymist.engine.rows import InMemory
from chymist.errors import Diverged
from chymist.models.stacked import StackedBatchNorm, StackedDropout, stack

COMPACT = 0.7  # share of members still training below which the others are dropped


class MemberEvent(NamedTuple):
    """What happened to a member: an epoch of its own, or the error that ended it."""

    member: int
    event: Epoch | Diverged


def train_together(runs: Sequence[Assembly]) -> Generator[MemberEvent]:
    """Train runs of one group to their ends, as one program.

    Args:
        runs: assembled runs of one `Group`. Their states end as the loop would leave them, but
            for the moments of their own optimisers, which are not used.

    Yields:
        Every epoch of every member, and the error of one that diverged; the others go on.
    """
    rows = [run.train for run in runs if isinstance(run.train, InMemory)]  # as the group has it
    crew = Crew(runs, StackedRows(rows))
    numbers = list(range(len(runs)))  # of the crew's members among the runs
    while any(crew.open):
        steps = crew.steps_to_boundary()
        for batch in crew.rows.stretch(crew.readers(), crew.batch_size, steps):
            for place, error in crew.step(batch):
                yield MemberEvent(numbers[place], error)
        for place in crew.at_boundary():
            yield MemberEvent(numbers[place], crew.end_epoch(place))
        if any(crew.open) and sum(crew.open) < COMPACT * len(crew.open):
            kept = [place for place, is_open in enumerate(crew.open) if is_open]
            numbers = [numbers[place] for place in kept]
            crew = crew.only(kept)


class Crew:
    """Members that take their steps together: stacked weights, joined rows, common moments.

    Args:
        runs: the members; their models hold the weights that the crew starts from.
        rows: of the members, in the same order.
    """

    def __init__(self, runs: Sequence[Assembly], rows: StackedRows) -> None:
        self.runs, self.rows = list(runs), rows
        self.open = [True] * len(runs)
        self.batch_size = max(run.program.batch_size for run in runs)  # less only if that is all
        self.model = stack([run.state.model for run in runs]).train()
        self.numbers = self.model.state_dict()
        self.norms = [m for m in self.model.modules() if isinstance(m, StackedBatchNorm)]
        self.dropouts = [m for m in self.model.modules() if isinstance(m, StackedDropout)]
        self.at = runs[0].state.step  # members of a crew have taken equally many
        plans = [(r.state.rate, str(r.recipe.schedule), r.program.total_steps) for r in runs]
        distinct = list(dict.fromkeys(plans))
        self.plan_of = [distinct.index(plan) for plan in plans]
        self.leaders = [plans.index(plan) for plan in distinct]
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimizers = [run.recipe.optimizer for run in runs]
        self.update = Update(parameters, optimizers, apart=len(distinct) > 1)
        self.sums = torch.tensor([run.state.loss_sum for run in runs], dtype=torch.float64)

    def only(self, kept: Sequence[int]) -> Crew:
        """The crew of some of the members, where they stand now."""
        for place in kept:
            self.write_back(place)
        crew = Crew([self.runs[place] for place in kept], self.rows.only(kept))
        crew.update.take_over(self.update, torch.tensor(kept))
        crew.sums = self.sums[list(kept)]
        return crew

    def write_back(self, place: int) -> None:
        """Give a member's own model the weights that it has now."""
        self.runs[place].state.model.load_state_dict(
            {name: values[place] for name, values in self.numbers.items()}
        )

    def steps_to_boundary(self) -> int:
        """Steps until the first member ends an epoch or its run."""
        return min(
            min(run.program.steps_per_epoch - run.state.step % run.program.steps_per_epoch,
                run.program.total_steps - run.state.step)
            for run, is_open in zip(self.runs, self.open, strict=True) if is_open
        )  # fmt: skip

    def readers(self) -> list[Reader | None]:
        """Where each member stands in its rows; None for one that has ended."""
        return [
            Reader(run.program.seed, len(run.train), run.state.step, run.program.steps_per_epoch)
            if is_open else None
            for run, is_open in zip(self.runs, self.open, strict=True)
        ]  # fmt: skip

    def rates(self) -> list[float]:
        """Learning rate of each member at this step."""
        found = []
        for leader in self.leaders:
            run = self.runs[leader]
            found.append(run.state.rate * run.program.schedule(self.at))
        return [found[plan] for plan in self.plan_of]

    def step(self, batch: Batch) -> list[tuple[int, Diverged]]:
        """One step of every member; returns those whose loss is not finite, who take none."""
        self.update.clear()
        self._place(batch)
        rates = self.rates()
        losses = self._losses(self.model(batch.inputs), batch)
        values = losses.detach().double()
        lost = self._lost(values, rates)
        losses.sum().backward()
        clip_members(self.runs[0].recipe.clip, self.update.parameters)
        self.update.step(rates)
        self.sums += values * torch.tensor(batch.counts)
        self.at += 1
        for run, count, is_open in zip(self.runs, batch.counts, self.open, strict=True):
            if is_open:
                run.state.step = self.at
                run.state.loss_rows += count
        return lost

    def _place(self, batch: Batch) -> None:
        """Tell layers that need it where the members stand and which rows are padding."""
        for norm in self.norms:
            norm.weights = batch.weights
        for dropout in self.dropouts:
            dropout.counts = batch.counts if batch.weights is not None else None
        if self.dropouts:
            for run in self.runs:
                for name, layer in run.state.noise:
                    layer.place(run.program.seed, run.state.step, name)

    def _losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Mean loss of each member over its own rows, (K,)."""
        flat: Tensor = self.runs[0].program.loss(
            outputs.flatten(0, 1), batch.targets.flatten(0, 1), reduction="none"
        )
        each = flat.view(outputs.shape[:2])
        if batch.weights is None:
            return each.mean(1)
        return (each * batch.weights).sum(1) / batch.weights.sum(1)

    def _lost(self, values: Tensor, rates: Sequence[float]) -> list[tuple[int, Diverged]]:
        """Members whose loss is not finite: they end with the weights before this step."""
        if bool(torch.isfinite(values).all()):
            return []
        lost = []
        for place, value in enumerate(values.tolist()):
            if self.open[place] and not math.isfinite(value):
                self.open[place] = False
                self.write_back(place)
                lost.append((place, diverged(self.runs[place].state.step, value, rates[place])))
        return lost

    def at_boundary(self) -> list[int]:
        """Members that stand at the end of an epoch or of their run."""
        return [
            place
            for place, run in enumerate(self.runs)
            if self.open[place]
            and (run.state.step % run.program.steps_per_epoch == 0
                 or run.state.step == run.program.total_steps)
        ]  # fmt: skip

    def end_epoch(self, place: int) -> Epoch:
        """Evaluate a member as the loop does after an epoch."""
        run = self.runs[place]
        state, program = run.state, run.program
        ending = state.step == program.total_steps
        if ending or len(run.valid) or program.rule:
            self.write_back(place)
        values = {"train_loss": float(self.sums[place]) / state.loss_rows,
                  **program.evaluate(state.model)}  # fmt: skip
        self.sums[place], state.loss_sum, state.loss_rows = 0.0, 0.0, 0
        best = remember(program.rule, state, values)
        last = state.stopped or ending
        self.open[place] = not last
        epoch = math.ceil(state.step / program.steps_per_epoch)
        return Epoch(epoch, state.step, values, best, last)
