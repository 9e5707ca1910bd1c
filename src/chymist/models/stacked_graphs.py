"""Networks on graphs of K members as one: sparse products over all members at once.

The graphs of the members stand side by side as one graph without edges between them, so that each
layer is one sparse product, whether or not the members see the same nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor, nn

from chymist.models.fields import Field, Step
from chymist.models.graph_layers import pooled
from chymist.models.graphs import GraphNetwork
from chymist.models.sparse import Sparse, blocks
from chymist.models.stacked_graph_layers import STACKED, Forms, Joint, StackedBits, added, mapped
from chymist.models.stacked_parts import Unstackable

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
        self.steps = [_joint([f.steps[n] for f in fields]) for n in range(len(fields[0].steps))]
        self.rows = [len(field.rows) for field in fields]
        self.owners: Tensor | None = None
        if fields[0].owners is not None:
            self.owners = torch.cat(_shifted([cast(Tensor, f.owners) for f in fields], self.rows))


def _joint(steps: Sequence[Step]) -> Joint:
    """One layer of several fields."""
    before = [step.edges.shape[1] for step in steps]
    return Joint(blocks([step.edges for step in steps]),
                 torch.cat(_shifted([step.own for step in steps], before)), before,
                 [len(step.own) for step in steps],
                 [len(step.edges.values) for step in steps])  # fmt: skip


def _shifted(places: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """Places among the rows of each member as places among those of all."""
    starts = [0, *accumulate(counts)]
    return [part + start for part, start in zip(places, starts, strict=False)]


class StackedGraphNetwork(nn.Module):
    """Networks on graphs of K members.

    Args:
        members: the networks.
        forms: of plain layers.
    """

    def __init__(self, members: Sequence[GraphNetwork], forms: Forms) -> None:
        super().__init__()
        first = members[0]
        kind = type(first.layers[0])
        if kind not in STACKED or any(type(layer) is not kind for layer in first.layers):
            raise Unstackable("a graph network of these layers has no stacked form")
        if first.head is not None and first.pool == "assign":
            raise Unstackable("pooling by assignment has no stacked form")
        self.fields = [member.fields for member in members]
        self.activation, self.pool = first.activation, first.pool
        depth = range(len(first.layers))
        self.layers = nn.ModuleList(
            STACKED[kind]([member.layers[place] for member in members], forms) for place in depth
        )
        self.drops = nn.ModuleList(
            StackedBits([cast(Any, m.drops[place]) for m in members]) for place in depth
        )
        self.head = None if first.head is None else forms.linear([m.head for m in members])
        self.known: dict[tuple[int, ...], Together] = {}

    def forward(self, rows: Tensor) -> Tensor:
        """Numbers of nodes or graphs (K, batch, 1) to (K, batch, outputs)."""
        like = next(self.parameters())
        weights = cast(StackedBits, self.drops[0]).weights if self.training else None
        found = [
            self._field(member, rows[member, :, 0], weights, like) for member in range(len(rows))
        ]
        whole = self._together([field for field, _ in found])
        values: Any = whole.features
        layers = zip(self.drops, self.layers, whole.steps, strict=True)
        for place, (drop, layer, joint) in enumerate(layers):
            values = self.activation(values) if place else values
            counts = joint.before
            if isinstance(values, Sparse):
                counts = [len(cast(Sparse, field.features).values) for field in whole.fields]
            values = layer(values, cast(StackedBits, drop).factors(values, counts), joint)
        counts = whole.steps[-1].after
        if self.head is not None:
            assert whole.owners is not None
            counts, head = whole.rows, cast(Any, self.head)
            graphs = pooled(self.activation(values), whole.owners, sum(counts), self.pool)
            values = added(mapped(graphs, None, counts, head.weight), counts, head.bias.squeeze(1))
        places = torch.cat(_shifted([places for _, places in found], counts))
        return cast(Tensor, values.index_select(0, places).view(*rows.shape[:2], -1))

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
