"""Recurrent networks of K members: embeddings and layers over packed steps, then the plain head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.packing import Steps, packed_steps, whole_steps
from chymist.models.recurrence import CELLS, Recurrence
from chymist.models.recurrent import Pool, Recurrent, lengths_of, pooled
from chymist.models.stacked_parts import Stacked, Unstackable


class StackedEmbedding(Stacked):
    """One table of embeddings for each of K members; a shorter one is filled up with zeros."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self.sizes = [layer.num_embeddings for layer in layers]
        super().__init__(layers)

    def joined(self, values: Sequence[Tensor]) -> Tensor:
        """Tables of different lengths as one tensor."""
        most = max(self.sizes)
        parts = [functional.pad(part, (0, 0, 0, most - len(part))) for part in values]
        return torch.stack(parts)

    def part_of(self, name: str, place: int, values: Tensor) -> Tensor:
        """The rows that a member has."""
        return values[place, : self.sizes[place]]

    def forward(self, inputs: Tensor) -> Tensor:
        """Indices (K, batch, ...) to (K, batch, ..., size)."""
        owner = torch.arange(self.members, device=inputs.device)
        places = inputs + owner.view(-1, *[1] * (inputs.ndim - 1)) * max(self.sizes)
        return functional.embedding(places, self.weight.flatten(0, 1))


class StackedRecurrence(Stacked):
    """`nn.RNN`, `nn.GRU` or `nn.LSTM` of one layer, of K members."""

    def __init__(self, layers: Sequence[Any]) -> None:
        first = layers[0]
        known = first.mode in CELLS and first.num_layers == 1 and first.bias
        if not known or not first.batch_first or first.proj_size:
            raise Unstackable(f"{type(first).__name__} of this form has no stacked form")
        super().__init__(layers)
        self.mode, self.units, self.both = first.mode, first.hidden_size, first.bidirectional

    def forward(self, packed: Tensor, steps: Steps, all_steps: bool) -> Tensor:
        """Packed inputs (K, M, inputs) to states (K, M, units), or the last (K, rows, units)."""
        short = not all_steps and steps.ends is None
        made = self._one(packed, steps, not short, "")
        ending = made if all_steps or short else steps.last(made)
        if not self.both:
            return ending
        made = self._one(steps.flip(packed), steps, not short, "_reverse")
        if all_steps:
            return torch.cat([ending, steps.flip(made)], 2)
        return torch.cat([ending, made if short else steps.last(made)], 2)

    def _one(self, packed: Tensor, steps: Steps, all_steps: bool, suffix: str) -> Tensor:
        """One direction."""
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(self, f"{kind}_l0{suffix}") for kind in kinds]
        made: Tensor = Recurrence.apply(CELLS[self.mode], steps, all_steps, packed, *weights)  # type: ignore[no-untyped-call]
        return made


class StackedRecurrent(nn.Module):
    """`Recurrent` of K members.

    Args:
        plain: one of them.
        parts: its layers stacked, by their names.
    """

    OPTIONS = ("tokens", "each", "packs", "pool")

    def __init__(self, plain: Recurrent, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.tokens, self.each, self.packs = plain.tokens, plain.each, plain.packs
        self.pool: Pool = "last" if plain.each else plain.pool
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, steps) or (K, batch, steps, features) to (K, batch, outputs).

        Where every step has a target: to (K, batch, steps, outputs).
        """
        layers: Any = self.layers
        drops: Any = self.drops
        head: Any = self.head
        lengths = self._lengths(inputs)
        steps = self._steps(inputs, lengths, drops[0].weights)
        values = steps.pack(inputs)
        if self.tokens:
            embedding: Any = self.embedding
            values = embedding(values).flatten(2)
        for place, layer in enumerate(layers):
            factors = self._factors(drops[place], steps, values)
            values = values if factors is None else values * steps.pack(factors)
            ends = place + 1 == len(layers) and not self.each and self.pool == "last"
            values = layer(values, steps, not ends)
        if self.each:
            natural = steps.unpack(values)
            factors = self._factors(drops[-1], steps, values)
            made: Tensor = head(natural if factors is None else natural * factors)
            return made
        if self.pool != "last":
            rows = steps.unpack(values).flatten(0, 1)
            found = pooled(rows, None if lengths is None else lengths.flatten(), self.pool)
            values = found.view(*inputs.shape[:2], -1)
        made = head(drops[-1](values) if drops[-1].acts else values)
        return made

    def _lengths(self, inputs: Tensor) -> Tensor | None:
        """Steps of each row (K, rows); None if all rows take all steps."""
        if not self.packs:
            return None
        tokens = inputs if inputs.ndim == 3 else inputs[..., 0]  # the first of several of a step
        return lengths_of(tokens.flatten(0, 1)).view(inputs.shape[:2])

    def _steps(self, inputs: Tensor, lengths: Tensor | None, weights: Tensor | None) -> Steps:
        """Which rows take which steps."""
        if lengths is None:
            members, rows, steps = inputs.shape[:3]
            return whole_steps(members, rows, steps)
        return packed_steps(lengths, inputs.shape[2], weights)

    def _factors(self, drop: Any, steps: Steps, like: Tensor) -> Tensor | None:
        """What each member would draw alone, (K, rows, steps, width); 0 for what fills up."""
        if not self.training or not drop.acts:
            return None
        width = like.shape[2]
        room = like.new_zeros(steps.members, steps.rows, steps.steps, width)
        everybody = torch.ones(steps.rows, dtype=torch.bool, device=like.device)
        for member, layer in enumerate(drop.layers):
            active = everybody if drop.weights is None else drop.weights[member] > 0
            length = steps.lengths[member]
            own = like.new_empty(int(active.sum()), length, width)
            room[member, active, :length] = layer.factors(own)
        return room
