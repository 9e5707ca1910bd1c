"""Pruning: which cuts of a grown tree are taken away again."""

from __future__ import annotations

import numpy as np

from chymist.models.trees.tree import Tree, collapse, parents, spread


def reduced_error(
    tree: Tree, inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray, strict: bool = False
) -> Tree:
    """Reduced-error pruning: from the leaves up, a cut goes if held-out rows do not miss it.

    Args:
        tree: the grown tree.
        inputs: rows that it was not grown on, (rows, columns).
        labels: their classes, (rows,).
        weights: what each counts, (rows,).
        strict: take a cut away only if fewer held-out rows are wrong without it, not if as many.

    Returns:
        The pruned tree.

    Source: Quinlan 1987, Simplifying decision trees.
    """
    errors = leaf_errors(tree, sums_at_nodes(tree, inputs, _marked(tree, labels), weights))
    gone = np.zeros(len(tree), bool)
    for node in np.flatnonzero(tree.column >= 0)[::-1]:
        kids = tree.children(node)
        below = errors[kids.start : kids.stop].sum()
        better = errors[node] < below - 1e-9 if strict else errors[node] <= below + 1e-9
        gone[node] = better
        errors[node] = errors[node] if better else below
    return collapse(tree, gone)


def pessimistic(tree: Tree) -> Tree:
    """Pessimistic error pruning: from the root down, by the training errors, each leaf + 1/2.

    A cut goes if e + 1/2 <= E + sqrt(E (n - E) / n), where e are the errors of a leaf in its place
    and E = sum of (errors + 1/2) over the leaves of its subtree.

    Args:
        tree: the grown tree.

    Returns:
        The pruned tree.

    Source: Quinlan 1987, Simplifying decision trees.
    """
    own = tree.weight * (1 - tree.value.max(1))
    half = np.minimum(0.5, tree.weight)  # a leaf without rows makes no errors
    below = _summed(tree, np.where(tree.column < 0, own + half, 0.0)[:, None])[:, 0]
    spare = below * np.maximum(tree.weight - below, 0.0) / np.maximum(tree.weight, 1e-300)
    gone = (tree.column >= 0) & (own + 0.5 <= below + np.sqrt(spare) + 1e-9)
    return collapse(tree, gone)


def weakest_links(tree: Tree) -> np.ndarray:
    """The complexity price alpha from which on each cut is not worth its leaves.

    The cost of a tree is R + alpha leaves, with R = sum over the leaves of impurity x share of the
    rows. The cut with the smallest (R(leaf) - R(subtree)) / (leaves - 1) goes first, and so on.

    Args:
        tree: the grown tree.

    Returns:
        (nodes,); infinite for leaves, and for nodes that go with a node above them. The tree for
        alpha > 0 is `collapse(tree, weakest_links(tree) <= alpha)`.

    Source: Breiman, Friedman, Olshen, Stone 1984, section 3.3.
    """
    up, inner = parents(tree), tree.column >= 0
    own = tree.impurity * tree.weight / max(tree.weight[tree.roots].sum(), 1e-300)
    sums = _summed(tree, np.stack([np.where(inner, 0.0, own), ~inner], 1))
    cost, leaves = sums[:, 0], sums[:, 1]
    links, price = np.full(len(tree), np.inf), 0.0
    gain = np.where(inner, own - cost, np.inf) / np.maximum(leaves - 1, 1)
    while np.isfinite(gain[node := int(gain.argmin())]):
        price = max(price, float(gain[node]))
        links[node] = price
        gone, saved = own[node] - cost[node], leaves[node] - 1
        below = [node]
        while below:  # what goes with the node has no price of its own any more
            place = below.pop()
            if np.isfinite(gain[place]):
                gain[place] = np.inf
                below += tree.children(place)
        above = int(up[node])
        while above >= 0:
            cost[above] += gone
            leaves[above] -= saved
            gain[above] = (own[above] - cost[above]) / max(leaves[above] - 1, 1)
            above = int(up[above])
    return links


def errors_along(
    tree: Tree, links: np.ndarray, errors: np.ndarray, prices: np.ndarray
) -> np.ndarray:
    """Errors of the pruned tree for each of many prices, in one pass.

    A node is a leaf of the tree for alpha from its own price on, up to the price of the first node
    above it.

    Args:
        tree: the grown tree.
        links: from `weakest_links`.
        errors: of each node as a leaf, (nodes,).
        prices: alphas in ascending order, (n,).

    Returns:
        (n,).
    """
    up = parents(tree)
    end = np.full(len(tree), np.inf)
    for node in range(len(tree)):
        if up[node] >= 0:
            end[node] = min(end[up[node]], links[up[node]])
    start = np.where(tree.column < 0, -np.inf, links)
    shown = start < end
    change = np.zeros(len(prices) + 1)
    np.add.at(change, np.searchsorted(prices, start[shown]), errors[shown])
    np.add.at(change, np.searchsorted(prices, end[shown]), -errors[shown])
    return change.cumsum()[:-1]


def sums_at_nodes(
    tree: Tree, inputs: np.ndarray, marks: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Weighted sums of what rows bear, over the rows that come to each node.

    Args:
        tree: one tree.
        inputs: (rows, columns).
        marks: what each row bears, (rows, q).
        weights: what each counts, (rows,).

    Returns:
        (nodes, q).
    """
    rows = np.arange(len(inputs))
    rows, leaves, parts = spread(tree, inputs, rows, np.zeros_like(rows), weights.astype(float))
    columns = [np.bincount(leaves, parts * mark[rows], len(tree)) for mark in marks.T]
    return _summed(tree, np.stack(columns, 1))


def leaf_errors(tree: Tree, counts: np.ndarray) -> np.ndarray:
    """Weight of the rows that each node, as a leaf, gets wrong.

    Args:
        tree: one tree.
        counts: class weights of the rows that come to each node, (nodes, classes).
    """
    found: np.ndarray = counts.sum(1) - counts[np.arange(len(tree)), tree.value.argmax(1)]
    return found


def _marked(tree: Tree, labels: np.ndarray) -> np.ndarray:
    marked: np.ndarray = np.eye(tree.value.shape[1])[labels]
    return marked


def _summed(tree: Tree, values: np.ndarray) -> np.ndarray:
    """Values at the leaves, summed up to every node above them."""
    found = values.astype(np.float64)
    for node in np.flatnonzero(tree.column >= 0)[::-1]:
        kids = tree.children(node)
        found[node] += found[kids.start : kids.stop].sum(0)
    return found
