"""Graphs as models take them: features of the nodes and the edges among them, as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.data.cells import short
from chymist.errors import InputError
from chymist.values import Graph

if TYPE_CHECKING:
    import torch


def graph_of(
    nodes: int, edges: Any, weights: Any = None, features: Any = None, both_ways: bool = True
) -> Graph:
    """A graph from a list of edges, each of them once in each direction and none to itself.

    Args:
        nodes: number of nodes.
        edges: (edges, 2) or (2, edges): numbers of nodes, from 0.
        weights: of each edge, (edges,), or None.
        features: what is known of each node, (nodes, features), or None.
        both_ways: whether an edge joins its nodes in both directions.

    Returns:
        The graph, its edges in order of source and target; of edges that are listed several times
        the first counts.

    Raises:
        InputError: a node that does not exist, or a weight that is not finite.

    Example:
        >>> graph_of(3, [[0, 1], [1, 2], [1, 0]]).edges.tolist()
        [[0, 1, 1, 2], [1, 0, 2, 1]]
    """
    pairs: Any = np.asarray(edges, np.int64) if len(edges) else np.zeros((2, 0), np.int64)
    pairs = pairs if len(pairs) == 2 else pairs.T
    values = np.ones(pairs.shape[1], np.float32) if weights is None else np.asarray(weights)
    if pairs.size and not 0 <= int(pairs.min()) <= int(pairs.max()) < nodes:
        raise InputError("an edge has a node that does not exist", where="edges",
                         received=f"nodes {pairs.min()} to {pairs.max()}",
                         do=f"give 0 to {nodes - 1}")  # fmt: skip
    if len(values) != pairs.shape[1] or not np.isfinite(values).all():
        raise InputError("each edge needs a finite weight", where="weights",
                         received=f"{len(values)} for {pairs.shape[1]} edges")  # fmt: skip
    if features is not None and len(features) != nodes:
        raise InputError("each node needs its features", where="features",
                         received=short(f"{len(features)} rows"), do=f"give {nodes}")  # fmt: skip
    if both_ways:
        pairs, values = np.hstack([pairs, pairs[::-1]]), np.concatenate([values, values])
    apart = pairs[0] != pairs[1]
    pairs, values = pairs[:, apart], values[apart]
    first = np.unique(pairs[0] * nodes + pairs[1], return_index=True)[1]
    kept = None if weights is None else values[first].astype(np.float32)
    return Graph(nodes, np.ascontiguousarray(pairs[:, first]), kept, features)


@dataclass(frozen=True, eq=False)
class GraphInputs:
    """What a model for graphs knows beside its inputs.

    Args:
        nodes: how many there are.
        edges: source and target of each edge, int64 (2, edges).
        weights: of each edge, (edges,).
        features: of the nodes, (nodes, features), float; or None.
    """

    nodes: int
    edges: torch.Tensor
    weights: torch.Tensor
    features: torch.Tensor | None

    def __repr__(self) -> str:
        return f"GraphInputs({self.nodes} nodes, {self.edges.shape[1]} edges)"


def graph_inputs(graph: Graph, scale: str = "auto") -> GraphInputs:
    """A graph as tensors.

    Args:
        graph: the graph.
        scale: "auto": the features of a node are divided by their sum, as the papers do;
            "none": they are taken as they are. Neither looks at other nodes.

    Returns:
        Tensors on the CPU.

    Example:
        >>> graph_inputs(Graph(2, np.array([[0, 1], [1, 0]]), None, np.eye(2) * 4)).features
        tensor([[1., 0.],
                [0., 1.]])
    """
    import torch

    weights = np.ones(graph.edges.shape[1]) if graph.weights is None else graph.weights
    features: Any = None
    if graph.features is not None:
        values = np.asarray(graph.features, np.float32)
        sums = np.where((total := values.sum(1, keepdims=True)) == 0, 1, total)
        features = torch.from_numpy(values / sums if scale == "auto" else values)
    return GraphInputs(graph.nodes, torch.from_numpy(graph.edges),
                       torch.from_numpy(np.asarray(weights, np.float32)), features)  # fmt: skip
