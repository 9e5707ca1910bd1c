"""Growing a tree: node by node, level by level, until nothing is left to cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chymist.models.trees.criteria import node_entropy
from chymist.models.trees.cuts import Cut, Rule, Sample, best_cut
from chymist.models.trees.tree import Tree, below

Parts = tuple[np.ndarray, np.ndarray]  # rows, and what each counts


@dataclass(eq=False)
class Grown:
    """A tree with the training rows of each node, which pruning needs.

    Args:
        tree: the tree.
        sample: its training rows.
        rows: rows and weights of each node.
    """

    tree: Tree
    sample: Sample
    rows: list[Parts]


@dataclass
class _Nodes:
    """What is known of each node while the tree grows."""

    cut: list[Cut | None] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    value: list[np.ndarray] = field(default_factory=list)
    rows: list[Parts] = field(default_factory=list)

    def add(self, sample: Sample, rows: Parts, share: float, above: np.ndarray, depth: int) -> None:
        """A leaf; without rows it says what the node above it says."""
        counts = np.bincount(sample.labels[rows[0]], rows[1], sample.classes)
        total = counts.sum()
        self.counts.append(counts)
        self.value.append(counts / total if total > 0 else above)
        self.share.append(share)
        self.rows.append(rows)
        self.depth.append(depth)
        self.cut.append(None)
        self.first.append(-1)
        self.branches.append(0)


def grow(sample: Sample, weights: np.ndarray, rule: Rule) -> Grown:
    """Grow a tree.

    Args:
        sample: the training rows.
        weights: what each counts, (rows,); rows of no weight are left out.
        rule: how cuts are chosen, and when a node is not cut.

    Returns:
        The tree with the rows of each node.

    Example:
        >>> inputs = np.array([[0.0], [0.0], [1.0], [1.0]])
        >>> sample = Sample(inputs, np.array([0, 0, 1, 1]), 2, np.array([2]))
        >>> grow(sample, np.ones(4), Rule("gain")).tree.value.tolist()
        [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    """
    sample = replace(sample, total=float(weights.sum()))
    nodes = _Nodes()
    start = np.flatnonzero(weights > 0)
    whole = np.full(sample.classes, 1.0 / sample.classes)
    nodes.add(sample, (start, weights[start].astype(np.float64)), 1.0, whole, 0)
    node = 0
    while node < len(nodes.cut):
        rows, parts = nodes.rows[node]
        cut = best_cut(sample, rows, parts, rule) if _may_cut(nodes, node, rule) else None
        if cut is not None:
            cut = cut._replace(threshold=_threshold(sample, cut, rule))
            nodes.cut[node], nodes.first[node] = cut, len(nodes.cut)
            kids, shares = divided(sample, (rows, parts), cut.column, cut.threshold)
            for kid, share in zip(kids, shares, strict=True):
                nodes.add(sample, kid, float(share), nodes.value[node], nodes.depth[node] + 1)
            nodes.branches[node] = len(kids)
        node += 1
    return Grown(_frozen(nodes, sample.categories), sample, nodes.rows)


def divided(
    sample: Sample, parts: Parts, column: int, threshold: float
) -> tuple[Sequence[Parts], np.ndarray]:
    """The rows of a node dealt out to its children, missing cells to all of them.

    Args:
        sample: all training rows.
        parts: rows of the node, and what each counts.
        column: by what it cuts.
        threshold: of a number.

    Returns:
        Rows and weights of each child, and the share of each in the known rows.
    """
    rows, weights = parts
    cells, size = sample.inputs[rows, column], int(sample.categories[column])
    if size:
        known = (cells >= 0) & (cells < size)
        branch = np.where(known, cells, size).astype(np.int64)
    else:
        size = 2
        known = ~np.isnan(cells)
        branch = np.where(known, cells > threshold, size)
    order = branch.argsort(kind="stable")
    bounds = np.searchsorted(branch[order], np.arange(size + 1))
    lost = order[bounds[size] :]
    totals = np.bincount(branch, weights, size + 1)[:size]
    shares = totals / max(totals.sum(), 1e-300)
    made = []
    for n in range(size):
        own = order[bounds[n] : bounds[n + 1]]
        if len(lost) and shares[n] > 0:
            made.append((np.concatenate([rows[own], rows[lost]]),
                         np.concatenate([weights[own], weights[lost] * shares[n]])))  # fmt: skip
        else:
            made.append((rows[own], weights[own]))
    return made, shares


def _may_cut(nodes: _Nodes, node: int, rule: Rule) -> bool:
    counts = nodes.counts[node]
    deep = rule.max_depth is not None and nodes.depth[node] >= rule.max_depth
    pure = np.count_nonzero(counts) < 2
    return not (deep or pure or counts.sum() < max(rule.min_rows, 2 * rule.cases) - 1e-9)


def _threshold(sample: Sample, cut: Cut, rule: Rule) -> float:
    """The threshold of a cut, as a number in the precision of the rows."""
    if sample.categories[cut.column]:
        return float("nan")
    limit = float(below(np.array([cut.threshold]), sample.inputs.dtype)[0])
    values = sample.inputs[:, cut.column]
    return limit if rule.halfway else float(values[values <= limit].max())


def _frozen(nodes: _Nodes, categories: np.ndarray) -> Tree:
    """The nodes as a tree; each category has a child of its own."""
    column = np.array([-1 if cut is None else cut.column for cut in nodes.cut])
    threshold = np.array([np.nan if cut is None else cut.threshold for cut in nodes.cut])
    sizes = np.where(column >= 0, categories[column], 0)
    route = np.where(sizes > 0, np.cumsum(sizes) - sizes, -1)
    routes = [np.arange(size) for size in sizes[sizes > 0]]
    counts = np.array(nodes.counts)
    return Tree(
        column, threshold, np.array(nodes.first), np.array(nodes.branches), route,
        np.array(nodes.share), np.array(nodes.value), counts.sum(1), node_entropy(counts),
        np.concatenate([*routes, np.zeros(0, np.int64)]), np.zeros(1, np.int64), categories,
    )  # fmt: skip
