"""Networks on graphs: what a node gives depends on its neighbours."""

from __future__ import annotations

import itertools
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.data.graphs import GraphInputs
from chymist.errors import UsageError
from chymist.models.layers import Dropout
from chymist.parts import Count, Fraction, describer
from chymist.values import Shapes

GRAPH_MODELS = ("gcn",)  # that are given numbers of nodes; others are given their features


class OnFeatures(nn.Module):
    """A model of rows of features, for numbers of nodes: it knows nothing of the edges.

    Args:
        model: takes (batch, features).
        features: of all nodes, (nodes, features).
    """

    features: Tensor

    def __init__(self, model: nn.Module, features: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("features", features, persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """Numbers of nodes (batch, 1) to (batch, outputs)."""
        made: Tensor = self.model(self.features.index_select(0, nodes[:, 0]))
        return made


def renormalized(graph: GraphInputs) -> Tensor:
    """The adjacency with loops, D^-1/2 (A + I) D^-1/2, as a sparse matrix in CSR.

    Args:
        graph: the graph; D is the degree of each node, loops included.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> renormalized(graph_inputs(graph_of(2, [[0, 1]]))).to_dense()
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]])

    Source: Kipf, Welling 2017, arXiv:1609.02907, eq. 2.
    """
    own = torch.arange(graph.nodes)
    rows, columns = torch.cat([graph.edges, torch.stack([own, own])], 1)
    weights = torch.cat([graph.weights, torch.ones(graph.nodes)])
    degree = torch.zeros(graph.nodes).index_add_(0, rows, weights)
    root = degree.rsqrt()
    values = weights * root[rows] * root[columns]
    indices, shape = torch.stack([rows, columns]), (graph.nodes, graph.nodes)
    with warnings.catch_warnings():  # that torch's sparse rows are in beta, once a process
        warnings.simplefilter("ignore")
        return torch.sparse_coo_tensor(indices, values, shape).coalesce().to_sparse_csr()


class GraphConvolution(nn.Module):
    """One step among neighbours and an affine map: A X W + b."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, values: Tensor, adjacency: Tensor) -> Tensor:
        """(nodes, features), sparse (nodes, nodes) to (nodes, outputs)."""
        made: Tensor = torch.sparse.mm(adjacency, self.linear(values)) + self.bias
        return made


class GCN(nn.Module):
    """Graph convolutions over all nodes, of which the rows of a batch are picked."""

    features: Tensor
    adjacency: Tensor

    def __init__(self, graph: GraphInputs, hidden: tuple[int, ...], outputs: int, dropout: float):
        super().__init__()
        assert graph.features is not None
        self.register_buffer("adjacency", renormalized(graph), persistent=False)
        self.register_buffer("features", graph.features, persistent=False)
        widths = (graph.features.shape[1], *hidden, outputs)
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(GraphConvolution(i, o) for i, o in pairs)
        self.drops = nn.ModuleList(Dropout(dropout) for _ in self.layers)

    def forward(self, nodes: Tensor) -> Tensor:
        """Numbers of nodes (batch, 1) to (batch, outputs)."""
        values = self.features
        for place, (drop, layer) in enumerate(zip(self.drops, self.layers, strict=True)):
            values = layer(drop(functional.relu(values) if place else values), self.adjacency)
        return values.index_select(0, nodes[:, 0])


@describer("model")
def gcn(shapes: Shapes, *, hidden: tuple[Count, ...] = (16,), dropout: Fraction = 0.5) -> nn.Module:
    """Graph convolutional network: each layer averages over neighbours, then maps, H' = A H W + b.

    A is the adjacency with loops, normalised by the degrees of both ends.

    Args:
        hidden: units of each layer but the last.
        dropout: probability of dropping a value before each layer.

    Source: Kipf, Welling 2017, arXiv:1609.02907.
    """
    if shapes.graph is None or shapes.graph.features is None:
        raise UsageError("the model 'gcn' needs a graph with features of its nodes",
                         received=f"inputs of shape {shapes.inputs}",
                         do="give data of kind 'graph'")  # fmt: skip
    return GCN(shapes.graph, hidden, shapes.outputs, dropout)
