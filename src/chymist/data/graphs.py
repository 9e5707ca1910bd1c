"""Graphs as models take them: features of the nodes and the edges among them, as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.data.cells import short
from chymist.data.features import fit_scale
from chymist.errors import InputError
from chymist.values import Graph, whole_number

if TYPE_CHECKING:
    import torch


def graph_of(
    nodes: int, edges: Any, weights: Any = None, features: Any = None, both_ways: bool = True,
    owners: Any = None,
) -> Graph:  # fmt: skip
    """A graph from a list of edges, each of them once in each direction and none to itself.

    Args:
        nodes: number of nodes.
        edges: (edges, 2) or (2, edges): numbers of nodes, from 0.
        weights: of each edge, (edges,), or None.
        features: what is known of each node, (nodes, features), or None.
        both_ways: whether an edge joins its nodes in both directions.
        owners: where rows of data are whole graphs, the number of the graph of each node, (nodes,),
            ascending from 0; no edge joins two graphs.

    Returns:
        The graph, its edges in order of source and target; of edges that are listed several times
        the first counts.

    Raises:
        InputError: a node that does not exist, a weight that is not finite or not above 0,
            features that are no finite numbers or not of every node, graphs that are not numbered
            in order, or an edge between two of them.
        UsageError: no number of nodes.

    Example:
        >>> graph_of(3, [[0, 1], [1, 2], [1, 0]]).edges.tolist()
        [[0, 1, 1, 2], [1, 0, 2, 1]]
    """
    nodes, pairs = whole_number(nodes, "nodes", 1), _pairs(edges)
    values = np.ones(pairs.shape[1], np.float32) if weights is None else _numbers(weights, 1)
    if pairs.size and not 0 <= int(pairs.min()) <= int(pairs.max()) < nodes:
        raise InputError("an edge has a node that does not exist", where="edges",
                         received=f"nodes {pairs.min()} to {pairs.max()}",
                         do=f"give 0 to {nodes - 1}")  # fmt: skip
    if values is None or len(values) != pairs.shape[1] or not (values > 0).all():
        raise InputError("each edge needs a finite weight above 0", where="weights",
                         received=f"{np.size(weights)} for {pairs.shape[1]} edges")  # fmt: skip
    known = None if features is None else _numbers(features, 2)
    if features is not None and (known is None or len(known) != nodes or not known.shape[1]):
        raise InputError("each node needs its features, finite numbers", where="features",
                         received=short(f"{type(features).__name__} of {len(features)}"),
                         do=f"give an array ({nodes}, features)")  # fmt: skip
    numbers = None if owners is None else _owners(owners, nodes, pairs)
    if both_ways:
        pairs = np.stack([pairs, pairs[::-1]], 2).reshape(2, -1)  # each beside its way back
        values = values.repeat(2)
    apart = pairs[0] != pairs[1]
    pairs, values = pairs[:, apart], values[apart]
    first = np.unique(pairs[0] * nodes + pairs[1], return_index=True)[1]
    kept = None if weights is None else values[first].astype(np.float32)
    return Graph(nodes, np.ascontiguousarray(pairs[:, first]), kept, known, numbers)


def _array(values: Any) -> np.ndarray:
    """An array of anything; lists of different lengths are one of no dimension."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.array(None)


def _numbers(values: Any, axes: int) -> np.ndarray | None:
    """Finite numbers of so many axes, or None."""
    made = _array(values)
    known = made.ndim == axes and made.dtype.kind in "biuf" and bool(np.isfinite(made).all())
    return made if known else None


def _pairs(edges: Any) -> np.ndarray:
    """Edges as whole numbers (2, edges); two rows of two are two edges."""
    given = _array(edges)
    if given.ndim and not len(given):
        given = np.zeros((2, 0), np.int64)
    if given.ndim != 2 or 2 not in given.shape or given.dtype.kind not in "iu":
        raise InputError("edges are pairs of whole numbers", where="edges",
                         received=f"shape {given.shape}, dtype {given.dtype}",
                         do="give (edges, 2) or (2, edges)")  # fmt: skip
    return (given.T if given.shape[1] == 2 else given).astype(np.int64)


def _owners(owners: Any, nodes: int, pairs: np.ndarray) -> np.ndarray:
    """Numbers of the graphs, which follow each other and are not joined."""
    numbers = _array(owners)
    steps = np.diff(numbers) if numbers.ndim == 1 else np.array([2])
    if numbers.shape != (nodes,) or numbers[0] != 0 or not np.isin(steps, (0, 1)).all():
        raise InputError("graphs are numbered from 0, and their nodes follow each other",
                         where="owners", received=short(f"shape {numbers.shape}"))  # fmt: skip
    joined = np.flatnonzero(numbers[pairs[0]] != numbers[pairs[1]])
    if len(joined):
        raise InputError("an edge joins two graphs", where="edges",
                         received=str(tuple(pairs[:, joined[0]].tolist())))  # fmt: skip
    return numbers.astype(np.int64)


@dataclass(frozen=True, eq=False)
class GraphInputs:
    """What a model for graphs knows beside its inputs.

    Args:
        nodes: how many there are.
        edges: source and target of each edge, int64 (2, edges).
        weights: of each edge, (edges,).
        features: of the nodes, (nodes, features), float; or None.
        owners: number of the graph of each node, int64 (nodes,), where rows are graphs; or None.
    """

    nodes: int
    edges: torch.Tensor
    weights: torch.Tensor
    features: torch.Tensor | None
    owners: torch.Tensor | None = None

    def __repr__(self) -> str:
        return f"GraphInputs({self.nodes} nodes, {self.edges.shape[1]} edges)"


def fit_nodes(graph: Graph, rows: np.ndarray, scale: str) -> tuple[tuple[float, float], ...]:
    """Shift and scale of the features of nodes, fitted on the nodes of training rows.

    Args:
        graph: the graph.
        rows: training rows: nodes, or graphs.
        scale: "auto" leaves counts to `graph_inputs` and standardises others; "standard";
            "minmax"; "none".

    Returns:
        A pair for each feature, x -> (x - shift) / scale; empty if nothing is fitted.

    Example:
        >>> fit_nodes(Graph(2, np.zeros((2, 0), int), None, np.array([[1.5], [2.5]])),
        ...           np.arange(2), "auto")
        ((2.0, 0.5),)
    """
    features = graph.features
    if features is None or scale in ("none", "pixel") or (scale == "auto" and _counts(features)):
        return ()
    of_rows = rows if graph.owners is None else np.flatnonzero(np.isin(graph.owners, rows))
    columns = np.asarray(features[of_rows], np.float64).T
    return tuple(fit_scale(column, scale, "graph") for column in columns)


def _counts(features: np.ndarray) -> bool:
    """Whether features count things, most of them absent: words of a text, kind of an atom."""
    some = features[features != 0]
    return 2 * len(some) <= features.size and bool((some > 0).all() and (some % 1 == 0).all())


def graph_inputs(
    graph: Graph, scale: str = "auto", steps: tuple[tuple[float, float], ...] = ()
) -> GraphInputs:
    """A graph as tensors.

    Args:
        graph: the graph.
        scale: "auto": features that are counts, most of them 0, are divided by their sum over the
            node, as the papers do; "none": they are taken as they are.
        steps: shift and scale of each feature, as `fit_nodes` gave them; where there are some, they
            hold.

    Returns:
        Tensors on the CPU; the same ones as long as the graph is the same.

    Example:
        >>> graph_inputs(Graph(2, np.array([[0, 1], [1, 0]]), None, np.eye(2) * 4)).features
        tensor([[1., 0.],
                [0., 1.]])
    """
    held = graph.__dict__.setdefault("tensors", {})  # of one graph are many runs
    if (scale, steps) not in held:
        held[scale, steps] = _tensors(graph, scale, steps)
    found: GraphInputs = held[scale, steps]
    return found


def _tensors(graph: Graph, scale: str, steps: tuple[tuple[float, float], ...]) -> GraphInputs:
    """The tensors of a graph."""
    import torch

    weights = np.ones(graph.edges.shape[1]) if graph.weights is None else graph.weights
    features: Any = None
    if graph.features is not None:
        values: Any = np.asarray(graph.features, np.float32)
        if steps:
            shift, spread = np.array(steps, np.float64).T
            values = ((values - shift) / spread).astype(np.float32)
        elif scale == "auto" and _counts(graph.features):
            values = values / np.where((total := values.sum(1, keepdims=True)) == 0, 1, total)
        features = torch.from_numpy(np.ascontiguousarray(values))
    owners = None if graph.owners is None else torch.from_numpy(graph.owners)
    numbers = torch.from_numpy(np.asarray(weights, np.float32))
    return GraphInputs(graph.nodes, torch.from_numpy(graph.edges), numbers, features, owners)
