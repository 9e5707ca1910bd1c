"""Layers on graphs of K members as one, over graphs that stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.graph_layers import (
    GraphAttention,
    GraphConvolution,
    Isomorphism,
    SampleAndAggregate,
    attended,
)
from chymist.models.sparse import BitDropout, Sparse, product
from chymist.models.stacked_parts import Stacked
from chymist.noise import Keyed

Make = Callable[[Sequence[Any]], nn.Module]


class Forms(NamedTuple):
    """What makes one of many plain layers.

    Args:
        linear: of affine maps.
        norm: of batch normalisations.
    """

    linear: Make
    norm: Make


class Joint(NamedTuple):
    """One layer of the fields of all members.

    Args:
        edges: from the nodes before to those after the layer.
        own: where the nodes after the layer stand among those before it.
        before, after, entries: nodes and edges of each member.
    """

    edges: Sparse
    own: Tensor
    before: list[int]
    after: list[int]
    entries: list[int]


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


class StackedGraphConvolution(Stacked):
    """Graph convolutions of K members: A_k X_k W_k + b_k.

    Args:
        layers: of each member.
        forms: of plain layers.
    """

    def __init__(self, layers: Sequence[GraphConvolution], forms: Forms) -> None:
        super().__init__(layers)
        self.linear = forms.linear([layer.linear for layer in layers])

    def forward(self, values: Any, factors: Any, joint: Joint) -> Tensor:
        """(nodes before of all members, features) to (nodes after of all members, outputs)."""
        made = mapped(values, factors, joint.before, cast(Tensor, self.linear.weight))
        return added(product(joint.edges, made), joint.after, self.bias)


class StackedSampleAndAggregate(Stacked):
    """`SampleAndAggregate` of K members."""

    def __init__(self, layers: Sequence[SampleAndAggregate], forms: Forms) -> None:
        super().__init__(layers)
        self.own = forms.linear([layer.own for layer in layers])
        self.neighbors = forms.linear([layer.neighbors for layer in layers])

    def forward(self, values: Any, factors: Any, joint: Joint) -> Tensor:
        """(nodes before of all members, features) to (nodes after of all members, outputs)."""
        parts: Any = (self.own, self.neighbors)
        weight = torch.cat([part.weight for part in parts], 2)  # as (K, features, outputs)
        own, others = mapped(values, factors, joint.before, weight).chunk(2, 1)
        made = own.index_select(0, joint.own) + product(joint.edges, others)
        return added(made, joint.after, self.bias)


class StackedIsomorphism(Stacked):
    """`Isomorphism` of K members; batch normalisation is over the nodes of each."""

    eps: Tensor

    def __init__(self, layers: Sequence[Isomorphism], forms: Forms) -> None:
        super().__init__(layers)
        self.first = forms.linear([layer.first for layer in layers])
        self.norm = forms.norm([layer.norm for layer in layers])
        self.second = forms.linear([layer.second for layer in layers])
        self.norm_after = forms.norm([layer.norm_after for layer in layers])

    def forward(self, values: Any, factors: Any, joint: Joint) -> Tensor:
        """(nodes before of all members, features) to (nodes after of all members, outputs)."""
        first, second, after = cast(Any, self.first), cast(Any, self.second), joint.after
        made = mapped(values, factors, joint.before, first.weight)
        rows, scale = beside(made.index_select(0, joint.own), after, 1 + self.eps)
        own = (rows * scale).view(-1, made.shape[1])
        summed = added(own + product(joint.edges, made), after, self.bias)
        hidden = functional.relu(_normed(self.norm, summed, after))
        affine = added(mapped(hidden, None, after, second.weight), after, second.bias.squeeze(1))
        return _normed(self.norm_after, affine, after)


class StackedGraphAttention(Stacked):
    """`GraphAttention` of K members."""

    def __init__(self, layers: Sequence[GraphAttention], forms: Forms) -> None:
        super().__init__(layers)
        self.heads, self.joined_heads = layers[0].heads, layers[0].joined
        self.linear = forms.linear([layer.linear for layer in layers])
        self.source = forms.linear([layer.source for layer in layers])
        self.target = forms.linear([layer.target for layer in layers])
        self.drop = StackedBits([layer.drop for layer in layers])

    def forward(self, values: Any, factors: Any, joint: Joint) -> Tensor:
        """(nodes before of all members, features) to (nodes after of all members, ...)."""
        made = mapped(values, factors, joint.before, cast(Tensor, self.linear.weight))
        made = made.unflatten(1, (self.heads, -1))
        come, go = (self._scores(made, joint.before, part) for part in (self.source, self.target))

        def dropped(weights: Tensor) -> Tensor:
            kept = self.drop.factors(weights, joint.entries)
            return weights if kept is None else weights * kept

        found = attended(made, come, go.index_select(0, joint.own), joint.edges, dropped)
        heads = found.flatten(1) if self.joined_heads else found.mean(1)
        return added(heads, joint.after, self.bias)

    def _scores(self, made: Tensor, counts: list[int], part: Any) -> Tensor:
        """s . W x of every head, (nodes, heads)."""
        rows, own = beside(made, counts, part.weight.transpose(1, 2))
        return (rows * own).sum(-1).view(-1, self.heads)


def beside(values: Tensor, counts: list[int], own: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of all members and what each member has, seen so that they go together.

    Args:
        values: (rows of all members, ...).
        counts: rows of each.
        own: (K, ...).

    Example:
        >>> rows, own = beside(torch.ones(3, 1), [1, 2], torch.tensor([[2.0], [5.0]]))
        >>> (rows * own).flatten().tolist()
        [2.0, 5.0, 5.0]
    """
    if min(counts) == max(counts):
        return values.view(len(counts), -1, *values.shape[1:]), own.unsqueeze(1)
    return values, own.repeat_interleave(torch.tensor(counts, device=values.device), 0)


def added(values: Tensor, counts: list[int], own: Tensor) -> Tensor:
    """Rows of all members, (rows, outputs), plus what each member has, (K, outputs).

    Example:
        >>> added(torch.zeros(3, 1), [1, 2], torch.tensor([[2.0], [5.0]])).flatten().tolist()
        [2.0, 5.0, 5.0]
    """
    rows, shift = beside(values, counts, own)
    return (rows + shift).view(values.shape)


def mapped(values: Any, factors: Any, counts: list[int], weight: Tensor) -> Tensor:
    """Rows of each member, dense or sparse, times its own weights (K, features, outputs).

    Example:
        >>> mapped(torch.ones(3, 1), None, [1, 2], torch.tensor([[[2.0]], [[5.0]]])).flatten().tolist()
        [2.0, 5.0, 5.0]
    """  # noqa: E501
    if isinstance(values, Sparse):
        return product(values, weight.flatten(0, 1), factors)
    values = values if factors is None else values * factors
    if min(counts) == max(counts):
        return torch.bmm(values.view(len(counts), -1, values.shape[1]), weight).flatten(0, 1)
    parts = zip(values.split(counts), weight, strict=True)
    return torch.cat([part @ own for part, own in parts])


def _normed(norm: Any, values: Tensor, counts: list[int]) -> Tensor:
    """Batch normalisation of the rows of each member, which may be of different number."""
    members, most = len(counts), max(counts)
    if min(counts) == most:
        norm.weights = None
        made: Tensor = norm(values.view(members, most, -1))
        return made.flatten(0, 1)
    there = torch.arange(most) < torch.tensor(counts)[:, None]
    places = there.flatten().nonzero()[:, 0].to(values.device)
    room = values.new_zeros(members * most, values.shape[1]).index_copy(0, places, values)
    norm.weights = there.to(values)
    made = norm(room.view(members, most, -1))
    return made.flatten(0, 1).index_select(0, places)


STACKED: dict[type, Callable[[Sequence[Any], Forms], nn.Module]] = {
    GraphConvolution: StackedGraphConvolution, SampleAndAggregate: StackedSampleAndAggregate,
    Isomorphism: StackedIsomorphism, GraphAttention: StackedGraphAttention,
}  # fmt: skip
