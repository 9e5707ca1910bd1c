"""C4.5's pruning: by an upper bound of each node's errors, with subtree raising."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import norm

from chymist.models.trees.criteria import node_entropy
from chymist.models.trees.growth import Grown, Parts, divided
from chymist.models.trees.tree import NAMES, Tree, collapse, levels, spread

MARGIN = 0.1  # errors by which a smaller tree may look worse, as in C4.5
EPSILON = 1e-3


def pessimistic_errors(cases: float, errors: float, confidence: float = 0.25) -> float:
    """Errors that a leaf may be expected to make: an upper confidence bound of its errors.

    The bound is the binomial one for no error, n (1 - CF^(1/n)); for one error and more the normal
    approximation with continuity correction; in between it is interpolated.

    Args:
        cases: n, weight of the training rows at the leaf.
        errors: weight of those that it gets wrong.
        confidence: CF, in (0, 1); the smaller, the more is added.

    Returns:
        Errors, from `errors` to about `cases`.

    Example:
        >>> [round(pessimistic_errors(n, 0), 3) for n in (6, 9, 1)]  # Quinlan: 0.206, 0.143, 0.750
        [1.238, 1.285, 0.75]

    Source: Quinlan 1993, C4.5, section 4.2, and its release 8.
    """
    if cases <= 0:
        return 0.0
    if errors < 1:
        none = cases * (1 - confidence ** (1 / cases))
        if errors < 1e-6:
            return float(none)
        if cases <= 1:
            return float(none + errors * (cases - none))
        return float(none + errors * (pessimistic_errors(cases, 1.0, confidence) - none))
    if errors + 0.5 >= cases:
        return float(errors + 0.67 * (cases - errors))
    z = float(norm.isf(confidence)) ** 2
    middle = errors + 0.5
    spread_ = np.sqrt(z * (middle * (1 - middle / cases) + z / 4))
    return float(cases * (middle + z / 2 + spread_) / (cases + z))


def error_based(grown: Grown, confidence: float = 0.25, raising: bool = True) -> Tree:
    """Error-based pruning: a node becomes a leaf, or its largest branch, where that errs less.

    From the leaves to the root, a cut is taken away if a leaf in its place, or its largest branch
    given all its rows, is expected to make no more than 0.1 errors more than the subtree.

    Args:
        grown: a tree with the rows of its nodes.
        confidence: CF of `pessimistic_errors`.
        raising: whether a branch may take the place of the cut above it.

    Returns:
        The pruned tree.

    Source: Quinlan 1993, C4.5, section 4.2.
    """
    state = _Pruning(grown, confidence, raising)
    for node in range(len(grown.tree) - 1, -1, -1):
        state.decide(node)
    return state.tree()


def useless_cuts(tree: Tree) -> np.ndarray:
    """Nodes whose subtree gets no fewer training rows right than a leaf would, (nodes,)."""
    errors = tree.weight * (1 - tree.value.max(1))
    below = errors.copy()
    found = np.zeros(len(tree), bool)
    for node in np.flatnonzero(tree.column >= 0)[::-1]:
        kids = tree.children(node)
        below[node] = below[kids.start : kids.stop].sum()
        found[node] = below[node] >= errors[node] - EPSILON
        below[node] = errors[node] if found[node] else below[node]
    return found


class _Pruning:
    """A tree while it is pruned: its arrays are changed, and the rows of its nodes."""

    def __init__(self, grown: Grown, confidence: float, raising: bool) -> None:
        whole = grown.tree
        self.now = replace(whole, **{name: getattr(whole, name).copy() for name in NAMES})
        self.sample, self.rows = grown.sample, list(grown.rows)
        self.confidence, self.raising = confidence, raising
        self.expected = np.zeros(len(whole))
        self.now.column[useless_cuts(whole)] = -1

    def decide(self, node: int) -> None:
        """Choose between a node's subtree, a leaf, and its largest branch."""
        now = self.now
        as_leaf = self._errors(now.value[node] * now.weight[node])
        if now.column[node] < 0:
            self.expected[node] = as_leaf
            return
        kids = now.children(node)
        as_tree = float(self.expected[kids.start : kids.stop].sum())
        largest = kids.start + int(now.weight[kids.start : kids.stop].argmax())
        raised = np.inf
        if self.raising and now.column[largest] >= 0:
            raised = self._errors_below(largest, self.rows[node])
        if as_leaf <= as_tree + MARGIN and as_leaf <= raised + MARGIN:
            now.column[node], self.expected[node] = -1, as_leaf
        elif raised <= as_tree + MARGIN:
            self._raise(node, largest)
        else:
            self.expected[node] = as_tree

    def tree(self) -> Tree:
        """What is left, numbered anew, with shares that follow its rows."""
        return collapse(self.now, np.zeros(0, np.int64))

    def _raise(self, node: int, branch: int) -> None:
        """Put a branch in the place of the cut above it, and decide again on all of it."""
        now = self.now
        for name in ("column", "threshold", "first", "branches", "route"):
            getattr(now, name)[node] = getattr(now, name)[branch]
        own = np.array([node])
        below = np.concatenate(list(levels(now, own)))
        for place in below:
            if now.column[place] >= 0:
                self._deal_out(int(place))
        for place in below[::-1]:
            self.decide(int(place))

    def _deal_out(self, node: int) -> None:
        """Give the children of a node its rows."""
        now = self.now
        column, threshold = int(now.column[node]), float(now.threshold[node])
        parts, shares = divided(self.sample, self.rows[node], column, threshold)
        kids = now.children(node)
        for kid, rows, share in zip(kids, parts, shares, strict=True):
            counts = np.bincount(self.sample.labels[rows[0]], rows[1], self.sample.classes)
            total = counts.sum()
            self.rows[kid] = rows
            now.share[kid], now.weight[kid], now.impurity[kid] = share, total, node_entropy(counts)
            now.value[kid] = counts / total if total > 0 else now.value[node]

    def _errors_below(self, node: int, parts: Parts) -> float:
        """Expected errors of a subtree that is given some rows."""
        rows, weights = parts
        start = np.full(len(rows), node)
        rows, leaves, weights = spread(self.now, self.sample.inputs, rows, start, weights)
        reached, place = np.unique(leaves, return_inverse=True)
        classes = self.sample.classes
        cells = place * classes + self.sample.labels[rows]
        counts = np.bincount(cells, weights, len(reached) * classes).reshape(-1, classes)
        return sum(self._errors(each) for each in counts)

    def _errors(self, counts: np.ndarray) -> float:
        total = float(counts.sum())
        return pessimistic_errors(total, total - float(counts.max()), self.confidence)
