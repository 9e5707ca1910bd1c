"""What edges and nodes are worth to the answer of a network on a graph.

A node sees its neighbours through one layer, theirs through two. What it cannot see is left out, so
that a large graph costs no more than the part that is looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from chymist.data.graphs import GraphInputs
from chymist.errors import UsageError
from chymist.explanation.deleting import Deletion, orders_of
from chymist.explanation.words import untouched
from chymist.models.fields import Field, Fields, Step
from chymist.models.graphs import GraphNetwork
from chymist.models.sparse import Sparse

Read = Callable[[Tensor], Tensor]  # from the outputs for a row (outputs,) to the one number


def log_odds(target: int) -> Read:
    """Read the log-odds of a class, log p / (1 - p), of its share p of the softmax.

    Without its neighbours all outputs of a node may grow; its odds grow only if it gets surer.

    Args:
        target: number of the class.

    Example:
        >>> log_odds(0)(torch.tensor([2.0, 0.5]))
        tensor(1.5000)
    """
    return partial(_log_odds, target)


def _log_odds(target: int, outputs: Tensor) -> Tensor:
    others = torch.cat([outputs[:target], outputs[target + 1 :]])
    return outputs[target] - others.logsumexp(0)


def value(target: int = 0, sign: float = 1.0) -> Read:
    """Read one output, or its negative.

    Args:
        target: number of the output.
        sign: 1 or -1.

    Example:
        >>> value(1, -1.0)(torch.tensor([2.0, 0.5]))
        tensor(-0.5000)
    """
    return partial(_value, target, sign)


def _value(target: int, sign: float, outputs: Tensor) -> Tensor:
    return sign * outputs[target]


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """What one row of a graph sees: a graph of its own.

    Args:
        graph: nodes numbered anew; besides what is seen it has the nodes beyond the border whose
            edges count in the degrees of those at the border.
        nodes: numbers that the nodes have in the whole graph, (nodes,).
        distance: edges from each node to the row, (nodes,); 0 where the row is a graph.
        row: new number of the node; -1 where the row is a graph.
        pairs: new numbers of the ends of each edge that carries something to the row, (2, pairs);
            two edges that go both ways are one pair.
        depth: layers of the network.
    """

    graph: GraphInputs
    nodes: Tensor
    distance: Tensor
    row: int
    pairs: Tensor
    depth: int

    @property
    def seen(self) -> Tensor:
        """Whether features of each node count, (nodes,)."""
        return self.distance <= self.depth


def network_of(module: nn.Module) -> GraphNetwork:
    """The network on a graph, whose edges can be changed.

    Raises:
        UsageError: the model uses no edges, or hides them.

    Example:
        >>> network_of(nn.Linear(1, 1))
        Traceback (most recent call last):
        chymist.errors.UsageError: the model has no edges of a graph: got Linear; ...
    """
    if not isinstance(module, GraphNetwork):
        raise UsageError("the model has no edges of a graph", received=type(module).__name__,
                         do="give a run of gcn, sage, gat or gin")  # fmt: skip
    return module


def neighborhood(fields: Fields, row: int) -> Neighborhood:
    """What a row sees through the layers of a network, and nothing else.

    Args:
        fields: of the network.
        row: number of a node, or of a graph.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> from chymist.models.fields import renormalized
        >>> line = graph_inputs(graph_of(5, [[0, 1], [1, 2], [2, 3], [3, 4]], features=np.eye(5)))
        >>> seen = neighborhood(Fields(line, renormalized, 1), 0)
        >>> seen.nodes[seen.seen].tolist(), seen.nodes[seen.pairs].tolist()
        ([0, 1], [[0], [1]])
    """
    graph, depth = fields.graph, fields.depth
    sources, targets = graph.edges
    away = torch.full((graph.nodes,), depth + 2)
    if graph.owners is None:
        away[row] = 0
        for step in range(depth + 1):
            into = sources[away[targets] == step]
            away[into] = torch.minimum(away[into], torch.tensor(step + 1))
    else:
        away[graph.owners == row] = 0
    nodes = (away <= depth + 1).nonzero()[:, 0]
    number = torch.full((graph.nodes,), -1)
    number[nodes] = torch.arange(len(nodes))
    kept = (away[targets] <= depth) & (number[sources] >= 0)
    edges = number[graph.edges[:, kept]]
    assert graph.features is not None
    owners = None if graph.owners is None else torch.zeros_like(nodes)
    small = GraphInputs(len(nodes), edges, graph.weights[kept], graph.features[nodes], owners)
    distance = away[nodes]
    carrying = (distance[edges[1]] < depth) | (graph.owners is not None)
    ends = edges[:, carrying & (edges[0] != edges[1])]
    both = torch.stack([ends.amin(0), ends.amax(0)])
    pairs = torch.unique(both, dim=1) if both.shape[1] else both
    at = int(number[row]) if graph.owners is None else -1
    return Neighborhood(small, nodes, distance, at, pairs, depth)


class _Given:
    """A field that is given, in the place of those of a network."""

    def __init__(self, edges: Sparse, features: Tensor, place: Neighborhood) -> None:
        own = torch.arange(len(features), device=features.device)
        self.place = torch.tensor([max(place.row, 0)], device=features.device)
        owners = None if place.row >= 0 else torch.zeros_like(own)
        self.field = Field(features, (Step(edges, own),) * place.depth, owners, self.place[:1] * 0)

    def of(self, rows: Tensor, like: Tensor) -> tuple[Field, Tensor]:
        return self.field, self.place


def output(
    network: GraphNetwork, place: Neighborhood, read: Read, edges: Sparse | None = None,
    features: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """What is read of the outputs of a network for a row, on edges and features that are given.

    Args:
        network: in evaluation mode.
        place: what the row sees.
        read: the number that is explained, from the outputs for the row.
        edges: weighed, (nodes, nodes); None are those of the neighbourhood.
        features: of the nodes; None are those of the neighbourhood.
    """
    like = next(network.parameters())
    assert place.graph.features is not None
    made = network.fields.weighting(place.graph) if edges is None else edges
    known = place.graph.features if features is None else features
    shown = copy.copy(network)
    given = _Given(made.to(like.device, like.dtype), known.to(like.device, like.dtype), place)
    shown.fields = given  # type: ignore[assignment]
    return read(shown(torch.zeros(1, 1, dtype=torch.int64, device=like.device))[0])


def without(place: Neighborhood, pairs: Tensor) -> Neighborhood:
    """A neighbourhood without some pairs, in either direction; degrees are counted anew.

    Args:
        place: the neighbourhood.
        pairs: which, (n,).

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> from chymist.models.fields import renormalized
        >>> line = graph_inputs(graph_of(3, [[0, 1], [1, 2]], features=np.eye(3)))
        >>> seen = neighborhood(Fields(line, renormalized, 2), 0)
        >>> without(seen, torch.tensor([0])).graph
        GraphInputs(3 nodes, 2 edges)
    """
    graph = place.graph
    gone = place.pairs[:, pairs]
    names = gone[0] * graph.nodes + gone[1]
    ends = graph.edges.amin(0) * graph.nodes + graph.edges.amax(0)
    kept = ~torch.isin(ends, names)
    return replace(place, graph=GraphInputs(
        graph.nodes, graph.edges[:, kept], graph.weights[kept], graph.features, graph.owners,
    ))  # fmt: skip


def occlusion(network: GraphNetwork, place: Neighborhood, read: Read) -> Tensor:
    """What the output loses when an edge is taken away: exact, one pass of the network an edge.

    Args:
        network: the network.
        place: what the row sees.
        read: the number that is explained, from the outputs for the row.

    Returns:
        (pairs,), with sign.

    Source: Zeiler, Fergus 2014 (occlusion), of edges: Ying et al. 2019, arXiv:1903.03894, compare.
    """
    with untouched(network), torch.no_grad():
        whole = output(network, place, read)
        lost = [
            whole - output(network, without(place, torch.tensor([pair])), read)
            for pair in range(place.pairs.shape[1])
        ]
    return torch.stack(lost) if lost else torch.zeros(0)


def gradient(network: GraphNetwork, place: Neighborhood, read: Read) -> Tensor:
    """Slope of the output where the messages along an edge are scaled, at their full strength.

    m_e = d output / d s_e at s = 1, with s_e a factor of the weighed edge in all layers, in both
    directions. Degrees stay as they are.

    Args:
        network, place, read: as in `occlusion`.

    Returns:
        (pairs,), with sign.

    Raises:
        UsageError: the network does not weigh its edges (attention).

    Source: Pope et al. 2019, Explainability methods for graph convolutional networks.
    """
    with untouched(network):
        return _slope(network, place, read, 1.0)


def integrated_gradients(
    network: GraphNetwork, place: Neighborhood, read: Read, *, steps: int = 50
) -> Tensor:
    """Mean slope on the way from no messages to all; they add up to what messages bring.

    Args:
        network, place, read: as in `occlusion`.
        steps: points of the Gauss-Legendre rule.

    Returns:
        (pairs,), with sign.

    Raises:
        UsageError: the network does not weigh its edges (attention).

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros(place.pairs.shape[1])
    with untouched(network):
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            total = total + weight / 2 * _slope(network, place, read, (1 + node) / 2).cpu()
    return total


METHODS: Mapping[str, Callable[[GraphNetwork, Neighborhood, Read], Tensor]] = {
    "occlusion": occlusion, "gradient": gradient, "integrated-gradients": integrated_gradients,
}  # fmt: skip


def node_values(network: GraphNetwork, place: Neighborhood, read: Read) -> Tensor:
    """What the features of each node are worth, x . d output / d x, (nodes,).

    Args:
        network, place, read: as in `occlusion`.

    Source: Pope et al. 2019; Shrikumar et al. 2016, arXiv:1605.01713.
    """
    assert place.graph.features is not None
    with untouched(network), torch.enable_grad():
        known = place.graph.features.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(output(network, place, read, features=known), known)
    return (slope * known.detach()).sum(1)


def deletion(
    network: GraphNetwork, place: Neighborhood, read: Read, values: Tensor, *,
    most: int = 10, orders: int = 20, seed: int = 0,
) -> Deletion:  # fmt: skip
    """Take edges away, those of the largest values first, and in random orders.

    Args:
        network, place, read: as in `occlusion`.
        values: (pairs,), larger ones speaking more for the output.
        most: edges that go, at most; never more than half of them.
        orders: random ones.
        seed: of these.
    """
    count = place.pairs.shape[1]
    most = min(most, -(-count // 2))
    made = []
    with untouched(network), torch.no_grad():
        for order in orders_of(values.detach().cpu().numpy(), np.arange(count), orders, seed):
            gone = [torch.from_numpy(order[:n].copy()) for n in range(most + 1)]
            made.append([float(output(network, without(place, n), read)) for n in gone])
    return Deletion(np.array(made[0]), np.array(made[1:]))


def _slope(network: GraphNetwork, place: Neighborhood, read: Read, scale: float) -> Tensor:
    """Slope at messages of this strength."""
    edges = network.fields.weighting(place.graph)
    rows, columns = edges.rows(), edges.columns
    count, size = place.pairs.shape[1], place.graph.nodes
    names = place.pairs[0] * size + place.pairs[1]  # ascending
    ends = torch.minimum(rows, columns) * size + torch.maximum(rows, columns)
    at = torch.searchsorted(names, ends).clamp(max=max(count - 1, 0))
    carried = (names[at] == ends) if count else torch.zeros_like(ends, dtype=torch.bool)
    with torch.enable_grad():
        factors = torch.full((count,), scale, requires_grad=True)
        picked = torch.where(carried, factors[at], torch.ones(())) if count else torch.ones(())
        weighed = replace(edges, values=edges.values * picked)
        made = output(network, place, read, weighed)
        if not count:
            return torch.zeros(0)
        (found,) = torch.autograd.grad(made, factors, allow_unused=True)
    if found is None:
        raise UsageError("the network does not weigh its edges, so they have no slope",
                         where="method", received=type(network.layers[0]).__name__,
                         do="use occlusion")  # fmt: skip
    return found
