"""Which rows the members of a population read: each its own, in its own order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
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
        targets: (K, batch) or (K, batch, outputs).
        counts: rows of each member; the rest of its batch is padding.
        weights: (K, batch), 1 for rows and 0 for padding; None if there is no padding.
    """

    inputs: Tensor
    targets: Tensor
    counts: Sequence[int]
    weights: Tensor | None


class StackedRows:
    """The training rows of all members, gathered step by step.

    Members that read the same tensor share it; the tensors of others are joined.

    Args:
        rows: of each member, on one device.
    """

    def __init__(self, rows: Sequence[InMemory]) -> None:
        starts: dict[int, int] = {}
        sources: list[Tensor] = []
        length = 0
        for member in rows:
            if id(member.inputs) not in starts:
                starts[id(member.inputs)] = length
                sources.append(member.inputs)
                length += len(member.inputs)
        self.source = sources[0] if len(sources) == 1 else torch.cat(sources)
        self.finish: Callable[[Tensor], Tensor] | None = rows[0].finish
        counts = [len(member) for member in rows]
        own = [
            torch.arange(n) if m.among is None else m.among
            for m, n in zip(rows, counts, strict=True)
        ]
        self.places = torch.cat([starts[id(m.inputs)] + a for m, a in zip(rows, own, strict=True)])
        self.targets = torch.cat([member.targets for member in rows])
        self.offsets = np.cumsum([0, *counts[:-1]])

    def only(self, kept: Sequence[int]) -> StackedRows:
        """The rows of some of the members; nothing is copied."""
        rows = copy.copy(self)
        rows.offsets = self.offsets[list(kept)]
        return rows

    def stretch(self, readers: Sequence[Reader | None], size: int, steps: int) -> Iterator[Batch]:
        """The batches of some steps, none of which goes beyond the end of a member's epoch.

        A member without a reader has ended; it gets the first of its rows again and again.
        """
        visits = {n: _visits(r, size, steps) for n, r in enumerate(readers) if r}
        shortest = min(map(len, visits.values()))
        lengths = np.array([len(visits[n]) if n in visits else shortest
                            for n in range(len(readers))])  # fmt: skip
        matrix = np.zeros((len(readers), lengths.max()), np.int64)
        for n, visit in visits.items():
            matrix[n, : len(visit)] = visit
        rows = torch.from_numpy(matrix + self.offsets[:, None])
        for n in range(steps):
            last = n == steps - 1
            counts = lengths - n * size if last else np.full(len(readers), size)
            width = int(counts.max())
            weights = None
            if last and counts.min() < width:
                weights = torch.from_numpy(np.arange(width) < counts[:, None])
            yield self._batch(rows[:, n * size : n * size + width], counts, weights)

    def _batch(self, index: Tensor, counts: np.ndarray, weights: Tensor | None) -> Batch:
        flat = index.flatten()
        inputs = self.source.index_select(0, self.places.index_select(0, flat))
        inputs = self.finish(inputs) if self.finish else inputs
        targets = self.targets.index_select(0, flat)
        if weights is not None:
            weights = weights.to(inputs.dtype)
        return Batch(
            inputs.unflatten(0, index.shape), targets.unflatten(0, index.shape),
            counts.tolist(), weights,
        )  # fmt: skip


def _visits(reader: Reader, size: int, steps: int) -> np.ndarray:
    """The rows that a member visits in its next steps, as the loop would."""
    epoch, start = divmod(reader.step, reader.per_epoch)
    end = reader.rows if start + steps == reader.per_epoch else (start + steps) * size
    return _order(reader.seed, epoch, reader.rows)[start * size : end]


_order = lru_cache(maxsize=64)(order)  # folds of one repeat have the same seed
