"""Receptive fields on a graph: what the rows of a batch can see, and nothing else, is computed.

A node sees its neighbours through one layer, theirs through two. Fields of the same rows are kept,
since a graph is mostly read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chymist.data.graphs import GraphInputs
from chymist.models.sparse import Sparse, dense_rows, sparse, taken

MOSTLY_ZERO = 0.1  # share of entries below which features are held as a sparse matrix
KEPT = 16  # fields of one graph
Weighting = Callable[[GraphInputs], Sparse]


def renormalized(graph: GraphInputs) -> Sparse:
    """The adjacency with loops, D^-1/2 (A + I) D^-1/2; rows are targets of edges.

    Args:
        graph: the graph; D is the degree of each node, its loop included.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> renormalized(graph_inputs(graph_of(2, [[0, 1]]))).values
        tensor([0.5000, 0.5000, 0.5000, 0.5000])

    Source: Kipf, Welling 2017, arXiv:1609.02907, eq. 2.
    """
    columns, rows, weights = _with_loops(graph)
    root = torch.zeros(graph.nodes).index_add_(0, rows, weights).rsqrt()
    return sparse(rows, columns, weights * root[rows] * root[columns], (graph.nodes,) * 2)


def mean_of_neighbors(graph: GraphInputs) -> Sparse:
    """Each row the weights of the edges into a node over their sum; 0 for a node without edges.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> mean_of_neighbors(graph_inputs(graph_of(3, [[0, 1], [0, 2]]))).values
        tensor([0.5000, 0.5000, 1.0000, 1.0000])
    """
    columns, rows = graph.edges
    total = torch.zeros(graph.nodes).index_add_(0, rows, graph.weights)
    return sparse(rows, columns, graph.weights / total[rows], (graph.nodes,) * 2)


def sum_of_neighbors(graph: GraphInputs) -> Sparse:
    """The weights of the edges into each node.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> from chymist.models.sparse import product
        >>> product(sum_of_neighbors(graph_inputs(graph_of(2, [[0, 1]]))), torch.eye(2))
        tensor([[0., 1.],
                [1., 0.]])
    """
    columns, rows = graph.edges
    return sparse(rows, columns, graph.weights, (graph.nodes,) * 2)


def with_loops(graph: GraphInputs) -> Sparse:
    """The edges into each node, and one from itself.

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> from chymist.models.sparse import product
        >>> product(with_loops(graph_inputs(graph_of(2, [[0, 1]]))), torch.eye(2))
        tensor([[1., 1.],
                [1., 1.]])
    """
    columns, rows, weights = _with_loops(graph)
    return sparse(rows, columns, weights, (graph.nodes,) * 2)


def _with_loops(graph: GraphInputs) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, targets and weights of the edges, with a loop of weight 1 at each node."""
    own = torch.arange(graph.nodes)
    sources, targets = torch.cat([graph.edges, torch.stack([own, own])], 1)
    return sources, targets, torch.cat([graph.weights, torch.ones(graph.nodes)])


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of a field.

    Args:
        edges: from the nodes before to those after the layer, (after, before).
        own: where the nodes after the layer stand among those before it, (after,).
    """

    edges: Sparse
    own: Tensor


@dataclass(frozen=True, eq=False)
class Field:
    """What some rows see.

    Args:
        features: of the nodes before the first layer, dense or sparse.
        steps: one a layer.
        owners: which of the rows each node after the last layer belongs to, where rows are graphs;
            None elsewhere.
        rows: the rows it is of, ascending.
    """

    features: Tensor | Sparse
    steps: tuple[Step, ...]
    owners: Tensor | None
    rows: Tensor


class Fields:
    """The fields of one graph, for layers that weigh its edges alike.

    Args:
        graph: the graph, with features.
        weighting: the graph as a sparse matrix.
        depth: number of layers.
    """

    def __init__(self, graph: GraphInputs, weighting: Weighting, depth: int) -> None:
        assert graph.features is not None
        self.graph, self.weighting, self.depth = graph, weighting, depth
        self.width = graph.features.shape[1]
        self.held: dict[Any, Field] = graph.__dict__.setdefault("fields", {})
        self.name = (weighting.__name__, depth)
        matrices = graph.__dict__.setdefault("matrices", {})
        if weighting not in matrices:
            matrices[weighting] = weighting(graph)
        self.edges: Sparse = matrices[weighting]
        if "features" not in matrices:
            share = float((graph.features != 0).float().mean())
            few = share < MOSTLY_ZERO
            matrices["features"] = dense_rows(graph.features) if few else graph.features
        self.features: Tensor | Sparse = matrices["features"]

    def __deepcopy__(self, memo: Any) -> Fields:
        return self  # nothing of it is changed

    def of(self, rows: Tensor, like: Tensor) -> tuple[Field, Tensor]:
        """The field of some rows, and where each of them stands among its rows.

        Args:
            rows: numbers of nodes or graphs, (batch,), in any order.
            like: a tensor on the device and of the type that is wanted.
        """
        asked, places = torch.unique(rows.cpu(), return_inverse=True)
        key = (self.name, asked.numpy().tobytes(), like.device, like.dtype)
        found = self.held.get(key)
        if found is None:
            if len(self.held) >= KEPT:
                self.held.pop(next(iter(self.held)))
            found = self.held[key] = self._made(asked, like)
        return found, places.to(like.device)

    def _made(self, rows: Tensor, like: Tensor) -> Field:
        """A field, built from the last layer to the first."""
        nodes, owners = rows, None
        if self.graph.owners is not None:
            nodes = torch.isin(self.graph.owners, rows).nonzero()[:, 0]
            owners = torch.searchsorted(rows, self.graph.owners[nodes]).to(like.device)
        steps: list[Step] = []
        for _ in range(self.depth):
            seen = torch.unique(torch.cat([taken(self.edges, nodes).columns, nodes]))
            edges = taken(self.edges, nodes, seen).to(like.device, like.dtype)
            steps.insert(0, Step(edges, torch.searchsorted(seen, nodes).to(like.device)))
            nodes = seen
        known = self.features
        features = (
            taken(known, nodes).to(like.device, like.dtype)
            if isinstance(known, Sparse)
            else known[nodes].to(like.device, like.dtype)
        )
        return Field(features, tuple(steps), owners, rows.to(like.device))
