"""Graph convolutional networks of K members as one: sparse products over all members at once.

The graphs of the members stand side by side as one graph without edges between them, so that each
layer is one sparse product, whether or not the members see the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.fields import Field
from chymist.models.graph_layers import GraphConvolution
from chymist.models.graphs import GraphNetwork
from chymist.models.sparse import BitDropout, Sparse, blocks, product
from chymist.models.stacked_parts import Stacked, Unstackable
from chymist.noise import Keyed

Make = Callable[[Sequence[Any]], nn.Module]
KEPT = 4  # of what was made of the fields of the members


class Together:
    """The fields of all members as one.

    Args:
        fields: of each member.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)  # held, so that their identities stay theirs
        first = fields[0].features
        if isinstance(first, Sparse):
            self.features: Tensor | Sparse = blocks([cast(Sparse, f.features) for f in fields])
        else:
            self.features = torch.cat([cast(Tensor, f.features) for f in fields])
        depth = len(fields[0].steps)
        self.edges = [blocks([f.steps[place].edges for f in fields]) for place in range(depth)]
        self.sizes = [
            [f.steps[place].edges.shape[1] for f in fields] for place in range(depth)
        ]  # nodes before each layer
        self.after = [len(f.steps[-1].own) for f in fields]


class StackedGraphConvolution(Stacked):
    """Graph convolutions of K members: A_k X_k W_k + b_k.

    Args:
        layers: of each member.
        linear: makes one of many affine maps.
    """

    def __init__(self, layers: Sequence[GraphConvolution], linear: Make) -> None:
        super().__init__(layers)
        self.linear = linear([layer.linear for layer in layers])

    def forward(self, values: Any, factors: Any, edges: Sparse, sizes: list[int],
                after: list[int]) -> Tensor:  # fmt: skip
        """(nodes before of all members, features) to (nodes after of all members, outputs)."""
        weight = cast(Tensor, self.linear.weight)  # (K, features, outputs)
        if isinstance(values, Sparse):
            mapped = product(values, weight.flatten(0, 1), factors)
        else:
            values = values if factors is None else values * factors
            mapped = _each(values, sizes, weight)
        made = product(edges, mapped)
        if min(after) == max(after):
            apart = made.view(self.members, -1, made.shape[1]) + self.bias.unsqueeze(1)
            return cast(Tensor, apart.flatten(0, 1))
        counts = torch.tensor(after, device=made.device)
        return cast(Tensor, made + self.bias.repeat_interleave(counts, 0))


def _each(values: Tensor, sizes: list[int], weight: Tensor) -> Tensor:
    """Rows of each member times its own weights (K, features, outputs)."""
    if min(sizes) == max(sizes):
        return torch.bmm(values.view(len(sizes), -1, values.shape[1]), weight).flatten(0, 1)
    parts = zip(values.split(sizes), weight, strict=True)
    return torch.cat([part @ own for part, own in parts])


class StackedBits(nn.Module):
    """Dropout of K members, whose values may be of different number."""

    def __init__(self, layers: Sequence[BitDropout]) -> None:
        super().__init__()
        self.layers: list[Keyed] = list(layers)  # not submodules: they hold nothing that is trained
        self.weights: Tensor | None = None

    def factors(self, values: Any, counts: list[int]) -> Tensor | None:
        """Factors of the values of all members, one after the other; None if nothing is dropped."""
        if not self.training or not any(cast(BitDropout, layer).p for layer in self.layers):
            return None
        given = values.values if isinstance(values, Sparse) else values.detach()
        made = torch.empty(given.shape, dtype=given.dtype, device=given.device)
        for layer, room in zip(self.layers, made.split(counts), strict=True):
            generator = torch.Generator(given.device).manual_seed(layer.position)
            layer.drawn(room, room, generator)
        return made


class StackedGraphNetwork(nn.Module):
    """Graph convolutional networks of K members.

    Args:
        members: the networks.
        linear: makes one of many affine maps.
    """

    def __init__(self, members: Sequence[GraphNetwork], linear: Make) -> None:
        super().__init__()
        first = members[0]
        if first.head is not None or not all(type(x) is GraphConvolution for x in first.layers):
            raise Unstackable("a graph network of other layers has no stacked form")
        self.fields = [member.fields for member in members]
        depth = range(len(first.layers))
        self.layers = nn.ModuleList(
            StackedGraphConvolution([cast(Any, m.layers[place]) for m in members], linear)
            for place in depth
        )
        self.drops = nn.ModuleList(
            StackedBits([cast(Any, m.drops[place]) for m in members]) for place in depth
        )
        self.known: dict[tuple[int, ...], Together] = {}

    def forward(self, rows: Tensor) -> Tensor:
        """Numbers of nodes (K, batch, 1) to (K, batch, outputs)."""
        like = next(self.parameters())
        weights = cast(StackedBits, self.drops[0]).weights if self.training else None
        found = [
            self._field(member, rows[member, :, 0], weights, like) for member in range(len(rows))
        ]
        whole = self._together([field for field, _ in found])
        values: Any = whole.features
        for place, (drop, layer) in enumerate(zip(self.drops, self.layers, strict=True)):
            values = functional.relu(values) if place else values
            counts = (
                [len(cast(Sparse, f.features).values) for f in whole.fields]
                if isinstance(values, Sparse)
                else whole.sizes[place]
            )
            factors = cast(StackedBits, drop).factors(values, counts)
            after = whole.sizes[place + 1] if place + 1 < len(whole.sizes) else whole.after
            values = layer(values, factors, whole.edges[place], whole.sizes[place], after)
        starts = torch.tensor([0, *whole.after[:-1]]).cumsum(0).to(values.device)
        places = torch.stack([places for _, places in found]) + starts.unsqueeze(1)
        return cast(Tensor, values.index_select(0, places.flatten()).view(*rows.shape[:2], -1))

    def _field(
        self, member: int, rows: Tensor, weights: Tensor | None, like: Tensor
    ) -> tuple[Field, Tensor]:
        """What a member sees, without padding, and where its rows stand there."""
        if weights is None or bool((own := weights[member] > 0).all()) or not bool(own.any()):
            return self.fields[member].of(rows, like)
        field, places = self.fields[member].of(rows[own], like)
        whole = torch.zeros(len(rows), dtype=torch.int64, device=like.device)
        whole[own] = places
        return field, whole

    def _together(self, fields: list[Field]) -> Together:
        """The fields of the members as one; those of a few steps before are kept."""
        key = tuple(id(field) for field in fields)
        if key not in self.known:
            if len(self.known) >= KEPT:
                self.known.pop(next(iter(self.known)))
            self.known[key] = Together(fields)
        return self.known[key]
