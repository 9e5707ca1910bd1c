"""A decision tree as a value of plain arrays, and what it says of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

ROWS_AT_ONCE = 1_000_000  # rows times trees that are on their way together; bounds the memory


@dataclass(frozen=True, eq=False)
class Tree:
    """A decision tree, or several whose values add up; nodes are numbered level by level.

    A node that cuts sends a row to one of its children, which are numbered in sequence. A number
    goes to the first child if x <= threshold, else to the second. A category goes to the child
    that `routes` names for its code. A row whose cell is missing (NaN), or of a category without
    a route, goes to all children, in parts given by their shares.

    Args:
        column: column that a node cuts by, -1 for a leaf, (nodes,).
        threshold: of a number; NaN elsewhere, (nodes,).
        first: number of the first child, -1 for a leaf, (nodes,).
        branches: number of children, (nodes,).
        route: where the routes of a node begin, -1 if it does not cut by a category, (nodes,).
        share: part of the rows with a missing cell that a node gets from its parent, (nodes,).
        value: class shares, or values, (nodes, outputs).
        weight: weight of the training rows of a node, (nodes,).
        impurity: entropy in bits, Gini impurity or variance of its training rows, (nodes,).
        routes: child of each category code, counted from the first, one after the other.
        roots: the first node of each tree, (trees,).
        categories: number of categories of each column, 0 for numbers, (columns,).
    """

    column: np.ndarray
    threshold: np.ndarray
    first: np.ndarray
    branches: np.ndarray
    route: np.ndarray
    share: np.ndarray
    value: np.ndarray
    weight: np.ndarray
    impurity: np.ndarray
    routes: np.ndarray
    roots: np.ndarray
    categories: np.ndarray

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self.column)

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return int((self.column < 0).sum())

    @property
    def depth(self) -> int:
        """Cuts on the longest way from a root to a leaf."""
        return sum(1 for _ in levels(self, self.roots)) - 1 if len(self) else 0

    def children(self, node: int) -> range:
        """Numbers of the children of a node."""
        start = int(self.first[node])
        return range(start, start + int(self.branches[node])) if start >= 0 else range(0)

    def routes_of(self, node: int) -> np.ndarray:
        """Child of each category, counted from the first; empty if the node cuts by a number."""
        start = int(self.route[node])
        size = self.categories[self.column[node]] if start >= 0 else 0
        return self.routes[max(start, 0) : max(start, 0) + size]

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Sum over the trees of the values of the leaves that each row reaches.

        Args:
            inputs: numbers and category codes, NaN where missing, (rows, columns).

        Returns:
            (rows, outputs), float64.
        """
        found = np.zeros((len(inputs), self.value.shape[1]))
        step = max(1, ROWS_AT_ONCE // max(1, len(self.roots)))
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            rows = np.tile(np.arange(len(part)), len(self.roots))
            nodes = np.repeat(self.roots, len(part))
            rows, nodes, weights = spread(self, part, rows, nodes, np.ones(len(rows)))
            for k in range(found.shape[1]):
                each = weights * self.value[nodes, k]
                found[start : start + step, k] = np.bincount(rows, each, minlength=len(part))
        return found


NAMES = tuple(item.name for item in fields(Tree))
REALS = ("threshold", "share", "value", "weight", "impurity")


def spread(
    tree: Tree, inputs: np.ndarray, rows: np.ndarray, nodes: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send rows down to leaves; a row with a missing cell goes on in parts.

    Args:
        tree: the tree.
        inputs: (all rows, columns).
        rows, nodes, weights: which rows start, where, and what each counts, (n,).

    Returns:
        Rows, leaves and weights of the parts that arrived, (m,).
    """
    arrived = []
    while len(rows):
        at_leaf = tree.column[nodes] < 0
        arrived.append((rows[at_leaf], nodes[at_leaf], weights[at_leaf]))
        rows, nodes, weights = rows[~at_leaf], nodes[~at_leaf], weights[~at_leaf]
        branch = branch_of(tree, inputs, rows, nodes)
        lost = np.flatnonzero(branch < 0)
        nexts = tree.first[nodes] + branch
        if len(lost):
            source, kids = family(tree, nodes[lost])
            parts = weights[lost][source] * tree.share[kids]
            some = parts > 0
            known = branch >= 0
            rows = np.concatenate([rows[known], rows[lost][source][some]])
            weights = np.concatenate([weights[known], parts[some]])
            nexts = np.concatenate([nexts[known], kids[some]])
        nodes = nexts
    if not arrived:
        return rows, nodes, weights
    columns = list(zip(*arrived, strict=True))
    return np.concatenate(columns[0]), np.concatenate(columns[1]), np.concatenate(columns[2])


def branch_of(tree: Tree, inputs: np.ndarray, rows: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Child that each row goes to, counted from the first; -1 where its cell does not say."""
    column = tree.column[nodes]
    values = inputs[rows, column]
    branch: np.ndarray = (values > tree.threshold[nodes]).astype(np.int64)
    missing = np.isnan(values)
    route = tree.route[nodes]
    routed = np.flatnonzero(route >= 0)
    if len(routed):
        sizes = tree.categories[column[routed]]
        codes = np.where(missing[routed], -1, values[routed]).astype(np.int64)
        known = (codes >= 0) & (codes < sizes)
        places = np.where(known, route[routed] + codes, 0)
        branch[routed] = np.where(known, tree.routes[places], -1)
    branch[missing] = -1
    return branch


def family(tree: Tree, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All children of some nodes: place of the parent in the list, and number of the child."""
    counts = tree.branches[nodes]
    source = np.repeat(np.arange(len(nodes)), counts)
    within = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    return source, tree.first[nodes][source] + within


def levels(tree: Tree, nodes: np.ndarray) -> Iterator[np.ndarray]:
    """Some nodes, then their children, then theirs, down to the last."""
    while len(nodes):
        yield nodes
        nodes = family(tree, nodes[tree.column[nodes] >= 0])[1]


def parents(tree: Tree) -> np.ndarray:
    """Parent of each node, -1 for a root."""
    found = np.full(len(tree), -1)
    inner = np.flatnonzero(tree.column >= 0)
    source, kids = family(tree, inner)
    found[kids] = inner[source]
    return found


def collapse(tree: Tree, nodes: np.ndarray) -> Tree:
    """The tree with some nodes made leaves, and what was below them taken away.

    Args:
        tree: the tree; its nodes may be in any order, only children in sequence.
        nodes: which become leaves: numbers, or a mask (nodes,).
    """
    column = tree.column.copy()
    column[nodes] = -1
    cut = replace(tree, column=column)
    order = np.concatenate([*levels(cut, tree.roots), np.zeros(0, np.int64)])
    return _renumbered(cut, order)


def _renumbered(tree: Tree, order: np.ndarray) -> Tree:
    """The nodes of a list that holds siblings in sequence, numbered as they stand there."""
    numbers = np.full(len(tree), -1)
    numbers[order] = np.arange(len(order))
    made = {name: getattr(tree, name)[order] for name in NAMES[:9]}
    leaf = made["column"] < 0
    made["first"] = np.where(leaf, -1, numbers[np.where(leaf, 0, made["first"])])
    made["branches"] = np.where(leaf, 0, made["branches"])
    made["threshold"] = np.where(leaf, np.nan, made["threshold"])
    routed = np.flatnonzero(~leaf & (made["route"] >= 0))
    sizes = tree.categories[made["column"][routed]]
    starts = np.cumsum(sizes) - sizes
    old = np.repeat(made["route"][routed] - starts, sizes) + np.arange(sizes.sum())
    route = np.full(len(order), -1)
    route[routed] = starts
    return replace(tree, **{**made, "route": route, "routes": tree.routes[old],
                            "roots": numbers[tree.roots]})  # fmt: skip


def joined(trees: list[Tree]) -> Tree:
    """Several trees as one whose values add up; the columns are those of the first."""
    nodes = np.cumsum([0, *(len(tree) for tree in trees)])
    routes = np.cumsum([0, *(len(tree.routes) for tree in trees)])

    def moved(name: str, by: np.ndarray) -> np.ndarray:
        parts = [getattr(tree, name) for tree in trees]
        return np.concatenate([np.where(p >= 0, p + b, p) for p, b in zip(parts, by, strict=False)])

    made = {n: np.concatenate([getattr(tree, n) for tree in trees]) for n in NAMES[:-1]}
    made |= {"first": moved("first", nodes), "route": moved("route", routes)}
    return Tree(**made | {"roots": moved("roots", nodes), "categories": trees[0].categories})


def below(thresholds: np.ndarray, kind: np.dtype) -> np.ndarray:
    """The largest numbers of a kind that are not above thresholds: they cut such numbers alike.

    Args:
        thresholds: float64.
        kind: float32 or float64.
    """
    rounded = np.asarray(thresholds).astype(kind)
    lower = np.nextafter(rounded, np.array(-np.inf, kind))
    found: np.ndarray = np.where(rounded > thresholds, lower, rounded).astype(np.float64)
    return found


def problems(tree: Tree) -> Iterator[str]:
    """What is wrong with the arrays of a tree that was read from a file."""
    nodes, inner = len(tree), tree.column >= 0
    if any(len(getattr(tree, name)) != nodes for name in NAMES[:9]) or tree.value.ndim != 2:
        yield "arrays of different lengths"
        return
    own = np.arange(nodes)[inner]
    first, branches = tree.first[inner], tree.branches[inner]
    if (first <= own).any() or (branches < 1).any() or (first + branches > nodes).any():
        yield "children that are none"
    if (tree.column >= len(tree.categories)).any() or (tree.categories < 0).any():
        yield "a cut by an unknown column"
        return
    if (inner & (tree.route < 0) & (tree.branches != 2)).any():
        yield "a cut of a number in other than two"
    routed = np.flatnonzero(inner & (tree.route >= 0))
    sizes = tree.categories[tree.column[routed]]
    if (tree.route[routed] + sizes > len(tree.routes)).any():
        yield "a cut without routes"
        return
    for node in routed:
        taken = tree.routes_of(int(node))
        if (taken < -1).any() or (taken >= tree.branches[node]).any():
            yield "a route to no child"
            return
    if ((tree.roots < 0) | (tree.roots >= nodes)).any():
        yield "a root that is no node"
