"""Which rows the members of a population read: each its own, in its own order."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from chymist.engine.rows import InMemory
from chymist.keys import order


@dataclass(frozen=True)
class Reader:
    """What one member reads in a stretch of steps.

    Args:
        seed: seed of its order.
        rows: number of its training rows.
        step: the step that it stands at.
        per_epoch: its steps of an epoch.
    """

    seed: int
    rows: int
    step: int
    per_epoch: int


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's rows of all members.

    Args:
        inputs: (K, batch, ...).
        targets: (K x batch,) or (K x batch, outputs).
        counts: rows of each member; the rest of its batch is padding.
        weights: (K, batch), 1 for rows and 0 for padding; None if there is no padding.
        shares: (K x batch,), how much each row counts in the loss, or None if they count alike.
        rows: number of each row among those of its member, (K, batch), or None.
    """

    inputs: Tensor
    targets: Tensor
    counts: Sequence[int]
    weights: Tensor | None
    shares: Tensor | None = None
    rows: Tensor | None = None


class StackedRows:
    """The training rows of all members, gathered step by step.

    Members that read the same tensor share it; the tensors of others are joined.

    Args:
        rows: of each member, on one device.
        weights: how much they count in the loss, of each member, or None if they count alike.
    """

    def __init__(self, rows: Sequence[InMemory], weights: Sequence[Tensor] | None = None) -> None:
        starts: dict[tuple[int, torch.Size], int] = {}
        sources: list[Tensor] = []
        length = 0
        keys = [(member.inputs.data_ptr(), member.inputs.shape) for member in rows]
        for member, key in zip(rows, keys, strict=True):
            if key not in starts:  # folds of images see the same memory, each by its own tensor
                starts[key] = length
                sources.append(member.inputs)
                length += len(member.inputs)
        self.source = sources[0] if len(sources) == 1 else torch.cat(sources)
        self.finishes = [member.finish for member in rows]  # folds are scaled each by their own
        counts = [len(member) for member in rows]
        own = [
            torch.arange(n) if m.among is None else m.among
            for m, n in zip(rows, counts, strict=True)
        ]
        places = torch.cat([starts[key] + a for key, a in zip(keys, own, strict=True)])
        straight = len(places) == length and bool((places == torch.arange(length)).all())
        self.places = None if straight else places  # of each row in the source
        self.targets = torch.cat([member.targets for member in rows])
        self.weights = torch.cat(list(weights)) if weights else None
        self.offsets = np.cumsum([0, *counts[:-1]])

    def only(self, kept: Sequence[int]) -> StackedRows:
        """The rows of some of the members; nothing is copied."""
        rows = copy.copy(self)
        rows.offsets = self.offsets[list(kept)]
        rows.finishes = [self.finishes[place] for place in kept]
        return rows

    def stretch(self, readers: Sequence[Reader | None], size: int, steps: int) -> Iterator[Batch]:
        """The batches of some steps, none of which goes beyond the end of a member's epoch.

        A member without a reader has ended; it gets the first of its rows again and again.
        """
        visits = {n: visits_of(r, size, steps) for n, r in enumerate(readers) if r}
        shortest = min(map(len, visits.values()))
        lengths = np.array([len(visits[n]) if n in visits else shortest
                            for n in range(len(readers))])  # fmt: skip
        matrix = np.zeros((len(readers), lengths.max()), np.int64)
        for n, visit in visits.items():
            matrix[n, : len(visit)] = visit
        rows = torch.from_numpy(matrix + self.offsets[:, None])
        full = size * (steps - 1)
        counts = [size] * len(readers)
        yield from self._batches(
            rows[:, :full].unflatten(1, (steps - 1, size)).transpose(0, 1), counts, None
        )
        counts = (lengths - full).tolist()
        width = max(counts)
        weights = None
        if min(counts) < width:
            weights = torch.from_numpy(np.arange(width) < np.array(counts)[:, None])
        yield from self._batches(rows[None, :, full : full + width], counts, weights)

    def _batches(self, index: Tensor, counts: list[int], weights: Tensor | None) -> Iterator[Batch]:
        """Batches of row numbers (steps, K, batch); what is small is gathered for all at once."""
        steps, shape = len(index), index.shape[1:]
        if not steps:
            return
        flat = index.flatten()
        targets = self.targets.index_select(0, flat).view(steps, -1, *self.targets.shape[1:])
        shares = (
            [None] * steps
            if self.weights is None
            else self.weights.index_select(0, flat).view(steps, -1)
        )
        places = flat if self.places is None else self.places.index_select(0, flat)
        if weights is not None:
            weights = weights.to(self.source.device)
        own = index - torch.from_numpy(self.offsets)[:, None]
        for place, target, share, rows in zip(
            places.view(steps, -1), targets, shares, own, strict=True
        ):
            inputs = self._finished(self.source.index_select(0, place), shape)
            yield Batch(
                inputs, target, counts,
                None if weights is None else weights.to(inputs.dtype), share, rows,
            )  # fmt: skip

    def _finished(self, inputs: Tensor, shape: torch.Size) -> Tensor:
        """Gathered inputs (K x batch, ...) as the models take them, (K, batch, ...)."""
        first = self.finishes[0]
        if all(finish == first for finish in self.finishes):
            whole = first(inputs) if first else inputs
            return whole.view(*shape, *whole.shape[1:])
        parts = zip(self.finishes, inputs.unflatten(0, shape), strict=True)
        return torch.stack([finish(part) if finish else part for finish, part in parts])


def visits_of(reader: Reader, size: int, steps: int) -> np.ndarray:
    """The rows that a member visits in its next steps, as the loop would."""
    epoch, start = divmod(reader.step, reader.per_epoch)
    end = reader.rows if start + steps == reader.per_epoch else (start + steps) * size
    return _order(reader.seed, epoch, reader.rows)[start * size : end]


_order = lru_cache(maxsize=64)(order)  # folds of one repeat have the same seed
