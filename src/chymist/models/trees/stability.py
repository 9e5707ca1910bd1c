"""How sure the cuts of a tree are: how often bootstraps of the rows make them again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chymist.keys import generator
from chymist.models.trees.tree import Tree

NEAR = 0.1  # share of the known rows between two thresholds that count as near


def cut_frequencies(
    tree: Tree, inputs: np.ndarray, regrow: Callable[[np.ndarray], Tree], bootstraps: int = 100,
    seed: int = 0, near: float = NEAR,
) -> np.ndarray:  # fmt: skip
    """Share of bootstraps whose tree makes a cut again, at the same place.

    A cut is the same if it stands below the same cuts, is by the same column, and its threshold
    has at most a share `near` of the known rows between itself and the other; by categories, if it
    sends them the same ways.

    Args:
        tree: one tree.
        inputs: its training rows, (rows, columns).
        regrow: row numbers -> the tree of these rows; a bootstrap has rows several times.
        bootstraps: how many.
        seed: of the draws.
        near: see above.

    Returns:
        (nodes,); NaN for leaves.

    Example:
        >>> from chymist.models.trees import Rule, Sample, grow
        >>> inputs, labels = np.repeat([[0.0], [1.0]], 20, 0), np.repeat([0, 1], 20)
        >>> def regrow(rows):
        ...     sample = Sample(inputs[rows], labels[rows], 2, np.array([0]))
        ...     return grow(sample, np.ones(len(rows)), Rule("gain")).tree
        >>> cut_frequencies(regrow(np.arange(40)), inputs, regrow, 10).tolist()
        [1.0, nan, nan]

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.
    """
    ranked = [np.sort(column[~np.isnan(column)]) for column in inputs.T]
    counts = np.where(tree.column >= 0, 0.0, np.nan)
    for number in range(bootstraps):
        draw = generator(seed, "bootstrap", number)
        other = regrow(np.sort(draw.integers(len(inputs), size=len(inputs))))
        counts[_again(tree, other, ranked, near)] += 1
    shares: np.ndarray = counts / max(1, bootstraps)
    return shares


def _again(tree: Tree, other: Tree, ranked: list[np.ndarray], near: float) -> list[int]:
    """Nodes of a tree whose cuts stand at the same places of another."""
    found, pairs = [], [(int(tree.roots[0]), int(other.roots[0]))]
    while pairs:
        node, twin = pairs.pop()
        column = int(tree.column[node])
        if column < 0 or other.column[twin] != column:
            continue
        if tree.route[node] >= 0:
            same = np.array_equal(tree.routes_of(node), other.routes_of(twin))
        else:
            ends = sorted((float(tree.threshold[node]), float(other.threshold[twin])))
            between = np.diff(np.searchsorted(ranked[column], ends, "right"))[0]
            same = between <= near * len(ranked[column])
        if same:
            found.append(node)
            pairs += zip(tree.children(node), other.children(twin), strict=False)
    return found
