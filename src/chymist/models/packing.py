"""Rows of several steps of K members, packed so that a step is one block of each member."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Steps(NamedTuple):
    """Which rows take which steps: M rows of a member, packed as (step, row), the longest first.

    Args:
        members, rows, steps: K, rows of a member, steps of a row.
        counts: rows of a member that a step is computed for, the most that any member has.
        natural: (K, M) where each packed row stands in (K, rows, steps); None: all are there.
        flipped: (K, M) the packed place of the step that a row read from its end has here, or None.
        ends: (K, rows) packed place of the last step of each row, or None.
        own: (K, M, 1) whether a packed row is a step of its row, or None: others have longer ones.
        lengths: steps of the longest row of each member that counts.
    """

    members: int
    rows: int
    steps: int
    counts: tuple[int, ...]
    natural: Tensor | None
    flipped: Tensor | None
    ends: Tensor | None
    own: Tensor | None
    lengths: tuple[int, ...]

    def pack(self, values: Tensor) -> Tensor:
        """(K, rows, steps, ...) to (K, M, ...)."""
        if self.natural is None:
            return values.transpose(1, 2).flatten(1, 2)
        return _picked(values.flatten(0, 2), self.natural)

    def unpack(self, packed: Tensor) -> Tensor:
        """(K, M, units) to (K, rows, steps, units), 0 where nothing is."""
        if self.natural is None or self.own is None:
            return packed.view(self.members, self.steps, self.rows, -1).transpose(1, 2)
        packed = (packed * self.own).flatten(0, 1)
        room = packed.new_zeros(self.members * self.rows * self.steps, packed.shape[1])
        made = room.index_copy(0, self.natural.flatten(), packed)
        return made.view(self.members, self.rows, self.steps, -1)

    def flip(self, packed: Tensor) -> Tensor:
        """Every row from its end to its start: its own inverse."""
        if self.flipped is None:
            return packed.view(self.members, self.steps, self.rows, -1).flip(1).flatten(1, 2)
        return _picked(packed.flatten(0, 1), self.flipped)

    def last(self, packed: Tensor) -> Tensor:
        """What each row has at its last step, (K, rows, units)."""
        if self.ends is None:
            return packed[:, -self.rows :]
        return _picked(packed.flatten(0, 1), self.ends)


def _picked(values: Tensor, places: Tensor) -> Tensor:
    """Rows of (N, ...) by their places (K, M)."""
    return values.index_select(0, places.flatten()).view(*places.shape, *values.shape[1:])


def whole_steps(members: int, rows: int, steps: int) -> Steps:
    """All rows take all steps.

    Example:
        >>> whole_steps(2, 3, 4).pack(torch.zeros(2, 3, 4, 5)).shape
        torch.Size([2, 12, 5])
    """
    return Steps(members, rows, steps, (rows,) * steps, None, None, None, None, (steps,) * members)


def packed_steps(lengths: Tensor, steps: int, weights: Tensor | None = None) -> Steps:
    """Rows take as many steps as they are long.

    Args:
        lengths: (K, rows), at least 1.
        steps: of a row.
        weights: (K, rows), 0 for rows that only fill up; None means that there are none.

    Example:
        >>> made = packed_steps(torch.tensor([[1, 3]]), 3)
        >>> made.counts, made.natural.tolist(), made.ends.tolist()
        ((2, 1, 1), [[3, 0, 4, 5]], [[1, 3]])
    """
    members, rows = lengths.shape
    ordered, order = lengths.sort(dim=1, descending=True, stable=True)
    longest = int(ordered[:, 0].max())
    step = torch.arange(longest, device=lengths.device)[:, None]
    sorted_ = ordered[:, None]  # (K, 1, rows)
    counts = (sorted_ > step).sum(2).amax(0)  # (longest,)
    there = torch.arange(rows, device=lengths.device) < counts[:, None]
    there = there.expand(members, -1, -1)  # (K, longest, rows)
    place = there.flatten().cumsum(0).view(there.shape) - 1
    owner = torch.arange(members, device=lengths.device)[:, None, None]
    natural = ((owner * rows + order[:, None]) * steps + step)[there].view(members, -1)
    mirror = torch.where(step < sorted_, sorted_ - 1 - step, step)
    flipped = place.gather(1, mirror)[there].view(members, -1)
    last = place.gather(1, (ordered - 1)[:, None])[:, 0]
    ends = torch.empty_like(order).scatter_(1, order, last)
    own = (step < sorted_)[there].view(members, -1, 1)
    active = lengths if weights is None else lengths * (weights > 0)
    return Steps(members, rows, steps, tuple(counts.tolist()), natural, flipped, ends, own,
                 tuple(active.amax(1).tolist()))  # fmt: skip
