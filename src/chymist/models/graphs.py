"""Networks on graphs: what a node gives depends on its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from chymist.data.graphs import GraphInputs
from chymist.errors import UsageError
from chymist.models.assignment import AssignmentPool
from chymist.models.fields import (
    Fields,
    Weighting,
    mean_of_neighbors,
    renormalized,
    sum_of_neighbors,
    with_loops,
)
from chymist.models.graph_layers import (
    GraphAttention,
    GraphConvolution,
    Isomorphism,
    SampleAndAggregate,
    pooled,
)
from chymist.models.sparse import BitDropout
from chymist.parts import Count, Fraction, describer
from chymist.values import Shapes

# Models that are given numbers of nodes and the graph; others are given features of the nodes.
NODE_MODELS = ("gcn", "gat", "sage", "gin")
GRAPH_MODELS = (*NODE_MODELS, "graph_gru", "forecaster")
Pool = Literal["sum", "mean", "max", "assign"]
CLUSTERS = 4  # of a graph whose nodes are assigned to clusters


class OnFeatures(nn.Module):
    """A model of rows of features, for numbers of nodes or graphs: it knows nothing of the edges.

    Args:
        model: takes (batch, features).
        features: of all rows, (rows, features): of nodes, or summed over those of a graph.
    """

    features: Tensor

    def __init__(self, model: nn.Module, features: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("features", features, persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """Numbers of rows (batch, 1) to (batch, outputs)."""
        made: Tensor = self.model(self.features.index_select(0, nodes[:, 0]))
        return made


def row_features(graph: GraphInputs) -> Tensor:
    """Features of the rows without the edges: those of a node, or their sum over a graph.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> import numpy as np
        >>> row_features(graph_inputs(graph_of(2, [[0, 1]], features=np.eye(2))))
        tensor([[1., 0.],
                [0., 1.]])
    """
    assert graph.features is not None
    if graph.owners is None:
        return graph.features
    return pooled(graph.features, graph.owners, int(graph.owners[-1]) + 1, "sum")


class GraphNetwork(nn.Module):
    """Layers on a graph, one after the other, of which the rows of a batch are picked.

    Where rows are graphs, the nodes of each are pooled after the last layer, and mapped.

    Args:
        fields: of the graph.
        layers: each takes values, a step of a field, and the dropout before it.
        dropout: probability of dropping a value before each layer.
        activation: between layers.
        pool: how nodes become graphs.
        head: last affine map where rows are graphs, or None.
        clusters: of "assign".
    """

    def __init__(
        self, fields: Fields, layers: list[nn.Module], dropout: float,
        activation: Callable[[Tensor], Tensor], pool: str, head: nn.Linear | None,
        clusters: int = CLUSTERS,
    ) -> None:  # fmt: skip
        super().__init__()
        self.fields, self.activation, self.pool = fields, activation, pool
        self.layers = nn.ModuleList(layers)
        self.drops = nn.ModuleList(BitDropout(dropout) for _ in layers)
        self.head = head
        if head is not None and pool == "assign":
            self.assignment = AssignmentPool(head.in_features, clusters)

    def forward(self, rows: Tensor) -> Tensor:
        """Numbers of nodes or graphs (batch, 1) to (batch, outputs)."""
        field, places = self.fields.of(rows[:, 0], next(self.parameters()))
        values: Any = field.features
        layers = zip(self.drops, self.layers, field.steps, strict=True)
        for place, (drop, layer, step) in enumerate(layers):
            values = layer(self.activation(values) if place else values, step, drop)
        if self.head is not None:
            assert field.owners is not None
            active, graphs = self.activation(values), len(field.rows)
            if self.pool == "assign":
                wide = self.assignment(active, field.steps[-1], field.owners, graphs)
            else:
                wide = pooled(active, field.owners, graphs, self.pool)
            values = self.head(wide)
        found: Tensor = values.index_select(0, places)
        return found

    def extra_repr(self) -> str:
        """How nodes become graphs: networks that pool differently are of different kinds."""
        return "" if self.head is None else f"pool {self.pool}"


def _network(
    shapes: Shapes, name: str, weighting: Weighting, hidden: tuple[int, ...], dropout: float,
    pool: tuple[str, int], layer: Callable[[int, int, bool], nn.Module], heads: int = 1,
    activation: Callable[[Tensor], Tensor] = functional.relu,
) -> nn.Module:  # fmt: skip
    """A network of layers of one kind for inputs of given shapes; `layer` is told if it is last.

    `pool` is how nodes become graphs, and how many clusters "assign" has.

    Raises:
        UsageError: there is no graph with features.
    """
    graph = shapes.graph
    if graph is None or graph.features is None:
        raise UsageError(f"the model '{name}' needs a graph with features of its nodes",
                         received=f"inputs of shape {shapes.inputs}",
                         do="give data of kind 'graph'")  # fmt: skip
    whole = graph.owners is not None  # rows are graphs
    widths = [*hidden] if whole else [*hidden, shapes.outputs]
    layers, width = [], graph.features.shape[1]
    for place, units in enumerate(widths):
        last = place == len(widths) - 1 and not whole
        layers.append(layer(width, units, last))
        width = units if last else units * heads
    head = nn.Linear(width, shapes.outputs) if whole else None
    fields = Fields(graph, weighting, len(layers))
    return GraphNetwork(fields, layers, dropout, activation, pool[0], head, pool[1])


@describer("model")
def gcn(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (16,), dropout: Fraction = 0.5,
    pool: Pool = "mean", clusters: Count = CLUSTERS,
) -> nn.Module:  # fmt: skip
    """Graph convolutional network: each layer averages over neighbours, then maps, H' = A H W + b.

    A = D^-1/2 (A' + I) D^-1/2 is the adjacency with loops, normalised by the degrees of both ends.

    Args:
        hidden: units of each layer but the last.
        dropout: probability of dropping a value before each layer.
        pool: how nodes become graphs, where rows are graphs: "sum", "mean", "max", or "assign" to a
            few clusters, which are nodes of a layer of their own (graph pooling).
        clusters: of "assign".

    Example:
        >>> import numpy as np, torch
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> known = graph_inputs(graph_of(3, [[0, 1], [1, 2]], features=np.eye(3)))
        >>> gcn().build(Shapes((1,), 2, graph=known))(torch.tensor([[0], [2]])).shape
        torch.Size([2, 2])

    Source: Kipf, Welling 2017, arXiv:1609.02907.
    """
    return _network(shapes, "gcn", renormalized, hidden, dropout, (pool, clusters),
                    lambda features, units, last: GraphConvolution(features, units))  # fmt: skip


@describer("model")
def sage(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (16,), dropout: Fraction = 0.5,
    pool: Pool = "mean", clusters: Count = CLUSTERS,
) -> nn.Module:  # fmt: skip
    """GraphSAGE: own features and the mean of the neighbours', mapped apart, H' = H W + M H V + b.

    Args:
        hidden, dropout, pool, clusters: as in `gcn`.

    Example:
        >>> import numpy as np, torch
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> known = graph_inputs(graph_of(3, [[0, 1], [1, 2]], features=np.eye(3)))
        >>> sage().build(Shapes((1,), 2, graph=known))(torch.tensor([[0], [2]])).shape
        torch.Size([2, 2])

    Source: Hamilton, Ying, Leskovec 2017, arXiv:1706.02216 (mean aggregator, all neighbours).
    """
    return _network(shapes, "sage", mean_of_neighbors, hidden, dropout, (pool, clusters),
                    lambda features, units, last: SampleAndAggregate(features, units))  # fmt: skip


@describer("model")
def gat(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (8,), heads: Count = 8,
    dropout: Fraction = 0.6, attention_dropout: Fraction = 0.6, pool: Pool = "mean",
    clusters: Count = CLUSTERS,
) -> nn.Module:  # fmt: skip
    """Graph attention network: a node learns how much each neighbour counts.

    a_ij = softmax_j LeakyReLU(s . W x_j + t . W x_i), x_i' = sum_j a_ij W x_j + b; hidden layers
    have several heads side by side, the last one has one.

    Args:
        hidden: units of each head, of each layer but the last.
        heads: attentions of a hidden layer.
        dropout: probability of dropping a value before each layer.
        attention_dropout: probability of dropping a weight of attention.
        pool, clusters: as in `gcn`.

    Example:
        >>> import numpy as np, torch
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> known = graph_inputs(graph_of(3, [[0, 1], [1, 2]], features=np.eye(3)))
        >>> gat().build(Shapes((1,), 2, graph=known))(torch.tensor([[0], [2]])).shape
        torch.Size([2, 2])

    Source: Veličković et al. 2018, arXiv:1710.10903.
    """

    def layer(features: int, units: int, last: bool) -> nn.Module:
        count = 1 if last else heads
        return GraphAttention(features, units, count, not last, attention_dropout)

    return _network(shapes, "gat", with_loops, hidden, dropout, (pool, clusters), layer, heads,
                    functional.elu)  # fmt: skip


@describer("model")
def gin(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (32, 32), dropout: Fraction = 0.0,
    learn_eps: bool = False, pool: Pool = "sum", clusters: Count = CLUSTERS,
) -> nn.Module:  # fmt: skip
    """Graph isomorphism network: a perceptron of (1 + e) x_i + sum of the neighbours, H' = f(...).

    With sums it tells apart whatever the test of Weisfeiler and Leman does.

    Args:
        hidden: units of each layer; for nodes the last layer gives the outputs.
        dropout: probability of dropping a value before each layer.
        learn_eps: whether e is learned; else it is 0.
        pool, clusters: as in `gcn`.

    Example:
        >>> import numpy as np, torch
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> known = graph_inputs(graph_of(3, [[0, 1], [1, 2]], features=np.eye(3)))
        >>> gin().build(Shapes((1,), 2, graph=known))(torch.tensor([[0], [2]])).shape
        torch.Size([2, 2])

    Source: Xu et al. 2019, arXiv:1810.00826.
    """
    return _network(shapes, "gin", sum_of_neighbors, hidden, dropout, (pool, clusters),
                    lambda width, units, last: Isomorphism(width, units, learn_eps))  # fmt: skip
