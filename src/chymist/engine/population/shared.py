"""The shared order: all members read the same batches of all rows, and count their own rows only.

Member k trains on the rows of each batch that are its own, as many as there are. It is not the run
that `fit` would give: that one reads its rows in an order of their own, in full batches.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from chymist.engine.assembly import Assembly, dtype_of
from chymist.engine.loop import steps_per_epoch
from chymist.engine.population.grouping import Group
from chymist.engine.population.visits import Batch, Reader, visits_of
from chymist.engine.rows import InMemory, Shared
from chymist.errors import UsageError
from chymist.schedules import Span

STACKED, WIDE = "stacked", "wide"


class SharedRows:
    """All rows, and how much they count for each member, step by step.

    Args:
        members: what each reads; the number of rows and the seed are the same.
        fewest: own rows in a batch below which a member takes no step: 2 where there are batch
            statistics, which one row does not have.
        wide: whether the inputs of the first are those of all, and are given once.
    """

    def __init__(self, members: Sequence[Shared], fewest: int, wide: bool) -> None:
        self.rows, self.seed, self.fewest = members[0].rows, members[0].seed, fewest
        everything = torch.arange(len(self.rows))
        self.inputs = (
            None if wide else torch.stack([member.rows.take(everything) for member in members])
        )
        self.targets = torch.stack([member.rows.targets for member in members])
        self.weights = torch.stack([member.weights for member in members])
        self.alike = bool(((self.weights == 0) | (self.weights == 1)).all())

    def only(self, kept: Sequence[int]) -> SharedRows:
        """The rows of some of the members."""
        rows, places = copy.copy(self), list(kept)
        rows.inputs = None if self.inputs is None else self.inputs[places]
        rows.targets, rows.weights = self.targets[places], self.weights[places]
        return rows

    def stretch(self, readers: Sequence[Reader | None], size: int, steps: int) -> Iterator[Batch]:
        """The batches of some steps of one epoch, the same for all members."""
        reader = next(reader for reader in readers if reader)
        visits = visits_of(replace(reader, seed=self.seed), size, steps)
        places = torch.from_numpy(visits).to(self.targets.device)
        full = size * (steps - 1)
        yield from self._batches(places[:full].view(steps - 1, size))
        yield from self._batches(places[None, full:])

    def _batches(self, index: Tensor) -> Iterator[Batch]:
        """Batches of row numbers (steps, batch); what is small is gathered for all at once.

        Inputs are (1, batch, ...) where they are given once.
        """
        shape = index.shape
        targets = self.targets.index_select(1, index.flatten()).unflatten(1, shape).transpose(0, 1)
        weights = self.weights.index_select(1, index.flatten()).unflatten(1, shape).transpose(0, 1)
        counts = (weights > 0).sum(2)
        counts = torch.where(counts < self.fewest, 0, counts)
        weights = torch.where(counts[:, :, None] > 0, weights, 0).contiguous()
        active = (weights > 0).to(weights.dtype)
        for places, target, count, mask, share in zip(
            index, targets, counts.tolist(), active, weights, strict=True
        ):
            inputs = (
                self.rows.take(places).unsqueeze(0)
                if self.inputs is None
                else self.inputs.index_select(1, places)
            )
            yield Batch(
                inputs, target.flatten(0, 1), count, mask, None if self.alike else share.flatten()
            )


def same_inputs(members: Sequence[Shared]) -> bool:
    """Whether all members get the same inputs, prepared alike."""
    first = members[0].rows

    def same(rows: InMemory) -> bool:
        if rows.finish != first.finish or rows.inputs.shape != first.inputs.shape:
            return False
        if (rows.among is None) != (first.among is None):
            return False
        return rows.inputs.data_ptr() == first.inputs.data_ptr() or torch.equal(
            rows.inputs, first.inputs
        )

    return all(same(member.rows) for member in members)


def sharing(run: Assembly, rows: InMemory, own: np.ndarray, seed: int) -> Assembly:
    """A run that reads the batches of all rows, and counts its own.

    Its length, its schedule and the patience of its stopping rule are in epochs of all rows.

    Args:
        run: assembled from its own rows, and not started.
        rows: all rows, prepared as it prepares them.
        own: where its training rows stand among them.
        seed: of the order.
    """
    recipe, device = run.recipe, rows.targets.device
    weights = torch.zeros(len(rows), dtype=dtype_of(recipe), device=device)
    places = torch.from_numpy(own).to(device)
    weights[places] = 1 if run.program.weights is None else run.program.weights
    size = len(rows) if recipe.batch_size == "all" else min(int(recipe.batch_size or 1), len(rows))
    per_epoch = steps_per_epoch(len(rows), size)
    total = recipe.length.steps(per_epoch)
    program = replace(
        run.program, rows=rows, shared=Shared(rows, weights, seed),
        schedule=recipe.schedule.build(Span(total, per_epoch)), rule=recipe.stop.build(per_epoch),
        batch_size=size, total_steps=total,
    )  # fmt: skip
    return replace(run, program=program)


def in_common(runs: Sequence[Assembly], group: Group) -> Group:
    """A group of runs that share their order, in the form in which they do.

    Raises:
        UsageError: they cannot be trained as one program.
    """
    if STACKED not in group.forms:
        raise UsageError("these models cannot share an order", where="order",
                         received=group.reason or "a module under vmap",
                         do="leave it out")  # fmt: skip
    if any(run.program.augment for run in runs):
        raise UsageError("rows that are augmented need an order of their own", where="order",
                         received=f"augment {runs[0].recipe.augment}",
                         do="leave order or augment out")  # fmt: skip
    shared = [run.program.shared for run in runs if run.program.shared]
    return replace(group, reason="", forms=(WIDE if same_inputs(shared) else STACKED,))
