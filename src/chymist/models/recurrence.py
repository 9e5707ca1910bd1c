"""Recurrences of K members over all steps as one node of the graph, with gradients by hand.

States are (K, units, rows): each gate is then one block of memory, and what a step takes, the
input, the state before and a 1 for the biases, is one matrix that one batched product maps to all
gates. Torch's own recurrence of a single model is one kernel for all steps; layer by layer, a
population of them would be forty operations a step, of which this leaves half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

aten = torch.ops.aten
Weights = tuple[Tensor, Tensor, Tensor, Tensor]


class Steps(NamedTuple):
    """Which rows take which steps: rows are packed as (step, member, row), the longest first.

    Args:
        members, rows, steps: K, rows of a member, steps of a row.
        counts: rows of a member that a step is computed for, the most that any member has.
        natural: (N,) where each packed row stands in (K, rows, steps); None: all are there.
        flipped: (N,) the packed place of the step that a row read from its end has here, or None.
        ends: (K x rows,) packed place of the last step of each row, or None.
        own: (N, 1) whether a packed row is a step of its row, or None: others have longer ones.
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
        """(K, rows, steps, ...) to (N, ...)."""
        if self.natural is None:
            return values.permute(2, 0, 1, *range(3, values.ndim)).flatten(0, 2)
        return values.flatten(0, 2).index_select(0, self.natural)

    def unpack(self, packed: Tensor) -> Tensor:
        """(N, units) to (K, rows, steps, units), 0 where nothing is."""
        shape = (self.members, self.rows, self.steps)
        if self.natural is None or self.own is None:
            whole = packed.view(self.steps, self.members, self.rows, -1)
            return whole.permute(1, 2, 0, 3)
        packed = packed * self.own
        room = packed.new_zeros(self.members * self.rows * self.steps, packed.shape[1])
        return room.index_copy(0, self.natural, packed).view(*shape, -1)

    def flip(self, packed: Tensor) -> Tensor:
        """Every row from its end to its start: its own inverse."""
        if self.flipped is None:
            return packed.view(self.steps, -1, packed.shape[1]).flip(0).flatten(0, 1)
        return packed.index_select(0, self.flipped)

    def last(self, packed: Tensor) -> Tensor:
        """What each row has at its last step, (K, rows, units)."""
        rows = self.members * self.rows
        found = packed[-rows:] if self.ends is None else packed.index_select(0, self.ends)
        return found.view(self.members, self.rows, -1)


def whole_steps(members: int, rows: int, steps: int) -> Steps:
    """All rows take all steps.

    Example:
        >>> whole_steps(2, 3, 4).pack(torch.zeros(2, 3, 4, 5)).shape
        torch.Size([24, 5])
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
        ((2, 1, 1), [3, 0, 4, 5], [1, 3])
    """
    members, rows = lengths.shape
    ordered, order = lengths.sort(dim=1, descending=True, stable=True)
    longest = int(ordered[:, 0].max())
    step = torch.arange(longest, device=lengths.device)[:, None, None]
    counts = (ordered > step).sum(2).amax(1)  # (longest,)
    there = (torch.arange(rows, device=lengths.device) < counts[:, None])[:, None]
    there = there.expand(-1, members, -1)
    place = there.flatten().cumsum(0).view(there.shape) - 1
    owner = torch.arange(members, device=lengths.device)[:, None]
    natural = ((owner * rows + order) * steps + step)[there]
    mirror = torch.where(step < ordered, ordered - 1 - step, step)
    flipped = place.gather(0, mirror)[there]
    ends = torch.empty_like(order).scatter_(1, order, place.gather(0, (ordered - 1)[None])[0])
    active = lengths if weights is None else lengths * (weights > 0)
    own = (step < ordered)[there].unsqueeze(1)
    return Steps(members, rows, steps, tuple(counts.tolist()), natural, flipped, ends.flatten(),
                 own, tuple(active.amax(1).tolist()))  # fmt: skip


class Cell(Protocol):
    """What a step does with the products of inputs and state; gates are blocks of units.

    Args:
        gates: blocks of what one product gives.
    """

    gates: int

    def matrix(self, weights: Weights) -> Tensor:
        """Weights as one matrix (K, gates x units, inputs + units + 1)."""

    def parts(self, gradient: Tensor, inputs: int) -> Weights:
        """The gradient of the matrix as those of the weights."""

    def forward(self, made: Tensor, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """State and memory after a step; `made` becomes the gates."""

    def backward(
        self, gradient: Tensor, later: Tensor, gates: Tensor, before: Tensor, memory: Tensor,
        after: Tensor,
    ) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
        """Gradients of `made`, of the state before beside it, and of the memory before."""


def tanh_(values: Tensor) -> Tensor:
    """tanh in place as 2 sigmoid(2 x) - 1, in a third of the time.

    Example:
        >>> tanh_(torch.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


class Joined:
    """Cells of which inputs and state enter all gates alike."""

    def matrix(self, weights: Weights) -> Tensor:
        """[W, U, b + c]."""
        own, state, one, other = weights
        return torch.cat([own, state, (one + other).unsqueeze(2)], 2)

    def parts(self, gradient: Tensor, inputs: int) -> Weights:
        """Both biases have the same gradient."""
        bias = gradient[:, :, -1]
        return gradient[:, :, :inputs], gradient[:, :, inputs:-1], bias, bias


class Simple(Joined):
    """h = tanh(W x + U h + b)."""

    gates = 1

    def forward(self, made: Tensor, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """State and memory after a step; there is no memory."""
        return tanh_(made), memory

    def backward(
        self, gradient: Tensor, later: Tensor, gates: Tensor, before: Tensor, memory: Tensor,
        after: Tensor,
    ) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
        """g (1 - h^2)."""
        return aten.tanh_backward(gradient, gates), None, later


class Long(Joined):
    """i, f, o = sigmoid, g = tanh of W x + U h + b; c = f c + i g; h = o tanh(c)."""

    gates = 4

    def forward(self, made: Tensor, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """State and memory after a step."""
        units = memory.shape[1]
        new = made[:, 2 * units : 3 * units]
        new.mul_(2)
        made.sigmoid_()
        new.mul_(2).sub_(1)
        enters, keeps, _, shows = made.split(units, 1)
        after = torch.mul(keeps, memory).addcmul_(enters, new)
        return shows * tanh_(after.clone()), after

    def backward(
        self, gradient: Tensor, later: Tensor, gates: Tensor, before: Tensor, memory: Tensor,
        after: Tensor,
    ) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
        """Through h = o tanh(c), then through c = f c + i g."""
        units = memory.shape[1]
        enters, keeps, new, shows = gates.split(units, 1)
        made = torch.empty_like(gates)
        of_enters, of_keeps, of_new, of_shows = made.split(units, 1)
        shown = tanh_(after.clone())
        torch.mul(gradient, shown, out=of_shows)
        later = aten.tanh_backward(gradient * shows, shown).add_(later)
        torch.mul(later, new, out=of_enters)
        torch.mul(later, memory, out=of_keeps)
        torch.mul(later, enters, out=of_new)
        both = made[:, : 2 * units]
        aten.sigmoid_backward.grad_input(both, gates[:, : 2 * units], grad_input=both)
        aten.sigmoid_backward.grad_input(of_shows, shows, grad_input=of_shows)
        aten.tanh_backward.grad_input(of_new, new, grad_input=of_new)
        return made, None, later.mul_(keeps)


class Gated:
    """r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + c)); h = n + z (h - n).

    The product has four blocks: r, z, and both parts of n apart.
    """

    gates = 4

    def matrix(self, weights: Weights) -> Tensor:
        """0 where inputs or state do not enter."""
        own, state, one, other = weights
        cut = 2 * (state.shape[2])
        made = own.new_zeros(len(own), 4 * state.shape[2], own.shape[2] + state.shape[2] + 1)
        inputs = own.shape[2]
        made[:, : own.shape[1], :inputs] = own
        made[:, :cut, inputs:-1], made[:, own.shape[1] :, inputs:-1] = state.split(cut, 1)
        made[:, :cut, -1] = one[:, :cut] + other[:, :cut]
        made[:, cut : own.shape[1], -1], made[:, own.shape[1] :, -1] = one[:, cut:], other[:, cut:]
        return made

    def parts(self, gradient: Tensor, inputs: int) -> Weights:
        """From the blocks that each weight enters."""
        units = gradient.shape[1] // 4
        state = torch.cat([gradient[:, : 2 * units], gradient[:, 3 * units :]], 1)
        own = gradient[:, : 3 * units]
        return own[:, :, :inputs], state[:, :, inputs:-1], own[:, :, -1], state[:, :, -1]

    def forward(self, made: Tensor, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """State after a step; there is no memory."""
        units = before.shape[1]
        made[:, : 2 * units].sigmoid_()
        resets, mixes, new, old = made.split(units, 1)
        tanh_(new.addcmul_(resets, old))
        return torch.sub(before, new).mul_(mixes).add_(new), memory

    def backward(
        self, gradient: Tensor, later: Tensor, gates: Tensor, before: Tensor, memory: Tensor,
        after: Tensor,
    ) -> tuple[Tensor, Tensor | None, Tensor]:  # fmt: skip
        """Through h = n + z (h - n), then through n."""
        units = before.shape[1]
        resets, mixes, new, old = gates.split(units, 1)
        made = torch.empty_like(gates)
        kept = gradient * mixes
        inner = aten.tanh_backward(gradient - kept, new)
        made[:, 2 * units : 3 * units].copy_(inner)
        torch.mul(inner, resets, out=made[:, 3 * units :])
        torch.mul(inner, old, out=made[:, :units])
        torch.sub(before, new, out=made[:, units : 2 * units]).mul_(gradient)
        part = made[:, : 2 * units]
        aten.sigmoid_backward.grad_input(part, gates[:, : 2 * units], grad_input=part)
        return made, kept, later


CELLS: dict[str, Cell] = {"RNN_TANH": Simple(), "GRU": Gated(), "LSTM": Long()}


class Recurrence(torch.autograd.Function):
    """All steps of one layer and direction."""

    @staticmethod
    def forward(
        ctx: Any, cell: Cell, steps: Steps, all_steps: bool, inputs: Tensor, *weights: Tensor
    ) -> Tensor:
        """(N, inputs) to the states at all steps (N, units), or at the last (K, rows, units)."""
        units, width = weights[1].shape[2], inputs.shape[1]
        matrix = cell.matrix((weights[0], weights[1], weights[2], weights[3]))
        shape = (steps.members, units, steps.counts[0])
        state = memory = inputs.new_zeros(shape)
        entered, gates, memories, states = [], [], [memory], []
        for count, own in zip(steps.counts, _by_step(inputs, steps), strict=True):
            enters = inputs.new_empty(steps.members, width + units + 1, count)
            enters[:, :width].copy_(own)
            enters[:, width:-1].copy_(state[:, :, :count])
            enters[:, -1].fill_(1)
            made = torch.bmm(matrix, enters)
            state, memory = cell.forward(made, enters[:, width:-1], memory[:, :, :count])
            entered.append(enters)
            gates.append(made)
            memories.append(memory)
            if all_steps:
                states.append(state.transpose(1, 2).flatten(0, 1))
        ctx.kept = (cell, steps, all_steps, matrix, entered, gates, memories, width)
        return torch.cat(states) if all_steps else state.transpose(1, 2).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Gradients of the inputs, if they are asked for, and of the weights."""
        cell, steps, all_steps, matrix, entered, gates, memories, width = ctx.kept
        asked = ctx.needs_input_grad[3]
        turned = matrix[:, :, 0 if asked else width : -1].transpose(1, 2).contiguous()
        found = torch.zeros_like(matrix)
        given = list(_by_step(gradients[0], steps)) if all_steps else []
        flowing = later = None
        of_inputs = []
        for place in reversed(range(len(steps.counts))):
            count = steps.counts[place]
            if all_steps:
                flowing = _grown(flowing, given[place])
            elif flowing is None:
                flowing = gradients[0].transpose(1, 2).contiguous()
            before = entered[place][:, width:-1]
            after = memories[place + 1]
            room = torch.zeros_like(after) if later is None else _wide(later, count)
            made, beside, later = cell.backward(
                flowing, room, gates[place], before, memories[place][:, :, :count], after
            )
            found.baddbmm_(made, entered[place].transpose(1, 2))
            back = torch.bmm(turned, made)
            if asked:
                of_inputs.append(back[:, :width].transpose(1, 2).flatten(0, 1))
                back = back[:, width:]
            flowing = back if beside is None else beside.add_(back)
        of_inputs.reverse()
        weights = cell.parts(found, width)
        return (None, None, None, torch.cat(of_inputs) if asked else None, *weights)


def _by_step(packed: Tensor, steps: Steps) -> Sequence[Tensor]:
    """(N, width) as (K, width, count) for each step: views."""
    parts = packed.split([steps.members * count for count in steps.counts])
    return [part.view(steps.members, -1, part.shape[1]).transpose(1, 2) for part in parts]


def _wide(values: Tensor, count: int) -> Tensor:
    """(K, units, fewer) with zeros for the rows that end before."""
    missing = count - values.shape[2]
    return torch.nn.functional.pad(values, (0, missing)) if missing else values


def _grown(flowing: Tensor | None, given: Tensor) -> Tensor:
    """The gradient from later steps and the one that a step is given, (K, units, count)."""
    made = given.contiguous()
    if flowing is None:
        return made.clone() if made is given else made
    made = made.clone() if made is given else made
    made[:, :, : flowing.shape[2]].add_(flowing)
    return made
