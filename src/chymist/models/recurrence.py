"""Recurrences of K members over all steps as one node of the graph, with gradients by hand.

What a step takes, the input, the state before and a 1 for the biases, is one row of a matrix that
one batched product maps to all gates. All gates are sigmoids, in one operation: tanh(a) is
1 - 2 sigmoid(-2 a), and the -2 is in the weights. Of the derivatives, what does not depend on later
steps is computed for all steps at once; the way back takes a product and a few multiplications a
step, and the gradients of weights and inputs are one product each for all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chymist.models.packing import Steps

aten = torch.ops.aten
Weights = tuple[Tensor, Tensor, Tensor, Tensor]
Parts = Sequence[Tensor]


class Cell(Protocol):
    """What a step does with the product of its input and the state; it has blocks of units.

    Args:
        before: what the blocks of the product are multiplied by, in the matrix.
        after: what makes gradients of the blocks of what `back` leaves.
        gates: blocks of sigmoids that are kept.
        rooms: what else is kept of a unit; the first is its state.
        memory: which of them the next step needs.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    gates: int
    rooms: int
    memory: int

    def matrix(self, weights: Weights) -> Tensor:
        """Weights as one matrix (K, blocks x units, inputs + units + 1)."""

    def parts(self, gradient: Tensor, inputs: int) -> Weights:
        """The gradient of the matrix as those of the weights."""

    def step(
        self, made: Tensor, blocks: Parts, gates: Tensor, each: Parts, rooms: Parts, memory: Tensor
    ) -> None:
        """Gates and rooms of a step from its product, given whole and by blocks."""

    def factors(self, gates: Parts, rooms: Parts, memories: Parts, blocks: Parts) -> Tensor:
        """Fill the blocks with what `back` multiplies, for all steps; what it is for the way."""

    def back(
        self, gradient: Tensor, later: Tensor, blocks: Parts, way: Tensor, gates: Parts
    ) -> Tensor | None:
        """Gradients of the blocks of a step, and of the state before beside them.

        Args:
            gradient: of the state after the step, (K, rows, units).
            later: of the memory after the step; becomes that of the memory before.
            blocks: factors of the step; become gradients.
            way: of the step.
            gates: of the step.
        """


def _of_sigmoid(gradient: Tensor, value: Tensor, made: Tensor) -> Tensor:
    """g s (1 - s)."""
    aten.sigmoid_backward.grad_input(gradient, value, grad_input=made)
    return made


class Joined:
    """Cells of which inputs and state enter all blocks alike."""

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

    before: tuple[float, ...] = (-2.0,)
    after: tuple[float, ...] = (1.0,)
    gates, rooms, memory = 0, 1, 0

    def step(
        self, made: Tensor, blocks: Parts, gates: Tensor, each: Parts, rooms: Parts, memory: Tensor
    ) -> None:
        """h = 1 - 2 s."""
        torch.mul(made.sigmoid_(), -2, out=rooms[0]).add_(1)

    def factors(self, gates: Parts, rooms: Parts, memories: Parts, blocks: Parts) -> Tensor:
        """1 - h^2."""
        torch.mul(rooms[0], rooms[0], out=blocks[0]).neg_().add_(1)
        return rooms[0]

    def back(
        self, gradient: Tensor, later: Tensor, blocks: Parts, way: Tensor, gates: Parts
    ) -> Tensor | None:
        """Only through the product."""
        blocks[0].mul_(gradient)
        return None


class Rectified(Simple):
    """h = max(0, W x + U h + b)."""

    before: tuple[float, ...] = (1.0,)

    def step(
        self, made: Tensor, blocks: Parts, gates: Tensor, each: Parts, rooms: Parts, memory: Tensor
    ) -> None:
        """The larger one."""
        torch.clamp(made, min=0, out=rooms[0])

    def factors(self, gates: Parts, rooms: Parts, memories: Parts, blocks: Parts) -> Tensor:
        """1 where h > 0."""
        blocks[0].copy_(rooms[0] > 0)
        return rooms[0]


class Long(Joined):
    """i, f, o = sigmoid, g = tanh of W x + U h + b; c = f c + i g; h = o tanh(c).

    With s = sigmoid(2 a_g) and r = sigmoid(-2 c): -i g = i - 2 i s, h = o - 2 o r. What is kept of
    c is -c, of which twice is a sum, and a sum is faster than a product with a number.
    """

    before: tuple[float, ...] = (1.0, 1.0, 2.0, 1.0)
    after: tuple[float, ...] = (1.0, 1.0, -4.0, 1.0)
    gates, rooms, memory = 4, 4, 1

    def step(
        self, made: Tensor, blocks: Parts, gates: Tensor, each: Parts, rooms: Parts, memory: Tensor
    ) -> None:
        """Rooms are h, -c, r and -i g."""
        torch.sigmoid(made, out=gates)
        enters, keeps, new, shows = each
        state, after, hides, added = rooms
        torch.addcmul(enters, enters, new, value=-2, out=added)
        torch.addcmul(added, keeps, memory, out=after)
        torch.add(after, after, out=hides).sigmoid_()
        torch.addcmul(shows, shows, hides, value=-2, out=state)

    def factors(self, gates: Parts, rooms: Parts, memories: Parts, blocks: Parts) -> Tensor:
        """-i g (1 - i), -c f (1 - f), i s (1 - s), h (1 - o); o r (1 - r) for the way to -c."""
        enters, keeps, new, shows = gates
        state, _, hides, added = rooms
        torch.addcmul(added, added, enters, value=-1, out=blocks[0])
        _of_sigmoid(torch.cat(list(memories), 1), keeps, blocks[1])
        _of_sigmoid(enters, new, blocks[2])
        torch.addcmul(state, state, shows, value=-1, out=blocks[3])
        return _of_sigmoid(shows, hides, torch.empty_like(hides))

    def back(
        self, gradient: Tensor, later: Tensor, blocks: Parts, way: Tensor, gates: Parts
    ) -> Tensor | None:
        """Through h = o - 2 o r, then through c = f c + i g."""
        later.addcmul_(gradient, way, value=-4)
        for block in blocks[:3]:
            block.mul_(later)
        blocks[3].mul_(gradient)
        later.mul_(gates[1])
        return None


class Gated:
    """r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + c)); h = n + z (h - n).

    The product has four blocks: r, z, and both parts of n apart. n = 1 - 2 s.
    """

    before: tuple[float, ...] = (1.0, 1.0, -2.0, -2.0)
    after: tuple[float, ...] = (-2.0, 1.0, 4.0, 4.0)
    gates, rooms, memory = 2, 4, 0

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

    def step(
        self, made: Tensor, blocks: Parts, gates: Tensor, each: Parts, rooms: Parts, memory: Tensor
    ) -> None:
        """Rooms are h, s, the state's part of -2 n, and the state before less n."""
        torch.sigmoid(made[:, :, : gates.shape[2]], out=gates)
        resets, mixes = each
        state, squashed, old, less = rooms
        old.copy_(blocks[3])
        torch.addcmul(blocks[2], resets, old, out=squashed).sigmoid_()
        new = torch.rsub(squashed, 1, alpha=2)
        torch.sub(memory, new, out=less)
        torch.addcmul(new, mixes, less, out=state)

    def factors(self, gates: Parts, rooms: Parts, memories: Parts, blocks: Parts) -> Tensor:
        """Those of n are (1 - z) s (1 - s), and r times as much; z for the way of the state."""
        resets, mixes = gates
        _, squashed, old, less = rooms
        new = _of_sigmoid(1 - mixes, squashed, blocks[2])
        _of_sigmoid(new * old, resets, blocks[0])
        _of_sigmoid(less, mixes, blocks[1])
        torch.mul(new, resets, out=blocks[3])
        return mixes

    def back(
        self, gradient: Tensor, later: Tensor, blocks: Parts, way: Tensor, gates: Parts
    ) -> Tensor | None:
        """Through the product, and by h = n + z (h - n)."""
        for block in blocks:
            block.mul_(gradient)
        return gradient * way


CELLS: dict[str, Cell] = {
    "RNN_TANH": Simple(), "RNN_RELU": Rectified(), "GRU": Gated(), "LSTM": Long(),
}  # fmt: skip


class Recurrence(torch.autograd.Function):
    """All steps of one layer and direction."""

    @staticmethod
    def forward(
        ctx: Any, cell: Cell, steps: Steps, all_steps: bool, inputs: Tensor, *weights: Tensor
    ) -> Tensor:
        """(K, M, inputs) to states at all steps (K, M, units), or at the last (K, rows, units)."""
        members, packed, width = inputs.shape
        units = weights[1].shape[2]
        matrix = cell.matrix((weights[0], weights[1], weights[2], weights[3]))
        entered = inputs.new_empty(members, packed, width + units + 1)
        entered[:, :, :width].copy_(inputs)
        entered[:, : steps.counts[0], width:-1].zero_()
        entered[:, :, -1] = 1
        rooms = inputs.new_empty(cell.rooms, members, packed, units).unbind()
        gates = inputs.new_empty(members, packed, cell.gates * units)
        memories = _forth(cell, steps.counts, matrix, entered, gates, rooms)
        ctx.kept = (cell, steps, all_steps, matrix, entered, gates, rooms, memories)
        return rooms[0].detach() if all_steps else steps.last(rooms[0]).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Gradients of the inputs, if they are asked for, and of the weights."""
        cell, steps, all_steps, matrix, entered, gates, rooms, memories = ctx.kept
        units = rooms[0].shape[2]
        width = entered.shape[2] - units - 1
        matrix = matrix * _by_unit(cell.after, matrix)
        made = entered.new_empty(*entered.shape[:2], matrix.shape[1])
        way = cell.factors(gates.split(units, 2), rooms, memories, made.split(units, 2))
        given = gradients[0].clone()
        _back(cell, steps.counts, matrix[:, :, width:-1], made, way, gates,
              given.split_with_sizes(steps.counts, 1) if all_steps else (given,))  # fmt: skip
        found = torch.bmm(made.transpose(1, 2), entered).mul_(_by_unit(cell.after, matrix))
        weights = cell.parts(found, width)
        asked = ctx.needs_input_grad[3]
        of_inputs = torch.bmm(made, matrix[:, :, :width]) if asked else None
        return (None, None, None, of_inputs, *weights)


def _forth(
    cell: Cell, counts: Sequence[int], matrix: Tensor, entered: Tensor, gates: Tensor, rooms: Parts
) -> list[Tensor]:
    """Fill gates, rooms and the states that enter; returns the memory before each step."""
    units = rooms[0].shape[2]
    scaled = (matrix * _by_unit(cell.before, matrix)).transpose(1, 2).contiguous()
    rows = zip(*(whole.split_with_sizes(counts, 1) for whole in (entered, gates)),
               _by_step(entered[:, :, -1 - units : -1].split(units, 2), counts),
               _by_step(gates.split(units, 2), counts), _by_step(rooms, counts),
               strict=True)  # fmt: skip
    made, memories = entered, list[Tensor]()
    room: Parts = ()
    blocks: Parts = ()
    for row, gate, (before,), each, following in rows:
        fewer = row.shape[1] != made.shape[1] or not memories
        if fewer:
            made = entered.new_empty(len(row), row.shape[1], scaled.shape[2])
            blocks = made.split(units, 2)
            room = [values[:, : row.shape[1]] for values in room]
        if memories:
            before.copy_(room[0])
        memories.append(room[cell.memory] if memories else before.clone())
        torch.bmm(row, scaled, out=made)
        cell.step(made, blocks, gate, each, following, memories[-1])
        room = following
    return memories


def _back(
    cell: Cell, counts: Sequence[int], matrix: Tensor, made: Tensor, way: Tensor, gates: Tensor,
    given: Parts,
) -> None:  # fmt: skip
    """Let factors be gradients of the blocks, from the last step to the first."""
    units, matrix, left = way.shape[2], matrix.contiguous(), list(given)
    everybody = way.new_zeros(len(way), counts[0], units)
    rows = zip(counts, made.split_with_sizes(counts, 1), _by_step(made.split(units, 2), counts),
               way.split_with_sizes(counts, 1), _by_step(gates.split(units, 2), counts),
               strict=True)  # fmt: skip
    later, flowing = everybody[:, :0], list[Tensor]()
    for count, row, blocks, own, each in reversed(list(rows)):
        if count != later.shape[1]:
            later = everybody[:, :count]
        gradient = left.pop() if left else flowing[0]
        if flowing and gradient is not flowing[0]:
            gradient[:, : flowing[0].shape[1]].add_(flowing[0])
        beside = cell.back(gradient, later, blocks, own, each)
        flowing = [torch.bmm(row, matrix)]
        if beside is not None:
            flowing[0].add_(beside)


def _by_unit(factors: Sequence[float], matrix: Tensor) -> Tensor:
    """A factor of each block for each of its units, beside a matrix (K, blocks x units, ...)."""
    each = matrix.new_tensor(factors)
    return each.repeat_interleave(matrix.shape[1] // len(factors)).unsqueeze(1)


def _by_step(parts: Parts, counts: Sequence[int]) -> list[Parts]:
    """Parts (K, M, units) by step."""
    if not parts[0].numel():
        return [()] * len(counts)
    return list(zip(*(part.split_with_sizes(counts, 1) for part in parts), strict=True))
