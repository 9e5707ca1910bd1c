"""Nested subsets of rows, stratified or by whole groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.errors import InputError
from chymist.keys import generator
from chymist.values import Data


def nested_subsets(
    data: Data,
    rows: np.ndarray,
    sizes: Sequence[int],
    *,
    seed: int,
    groups: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Subsets of some rows, each contained in those that are larger.

    Every subset has a row of each class, and the proportions of the classes to within a row.
    Groups come one after the other as a whole; only the last one of a subset may be cut.

    Args:
        data: the data.
        rows: row numbers, ascending, (n,).
        sizes: numbers of rows, each at most n.
        seed: seed of the draw.
        groups: number of each row's group, (rows of the data,), or None.

    Returns:
        Row numbers, ascending, one array a size.

    Raises:
        InputError: a size below the number of classes, or above n.

    Example:
        >>> import chymist as cy
        >>> iris = cy.load("iris")
        >>> small, large = nested_subsets(iris, np.arange(150), [6, 60], seed=0)
        >>> np.bincount(iris.targets[small]).tolist(), bool(np.isin(small, large).all())
        ([2, 2, 2], True)
    """
    order = generator(seed, "subsets").permutation(len(rows))
    least = 1
    if groups is not None:
        _, number = np.unique(groups[rows], return_inverse=True)
        place = generator(seed, "subsets of groups").permutation(number.max() + 1)
        order = order[np.argsort(place[number[order]], kind="stable")]
    elif data.row_classes:
        order, least = _mixed(data.targets[rows], order), len(np.unique(data.targets[rows]))
    for size in sizes:
        if not least <= size <= len(rows):
            raise InputError("a subset of the training rows cannot have this size", where="sizes",
                             received=str(size), do=f"give {least} to {len(rows)}")  # fmt: skip
    return [np.sort(rows[order[:size]]) for size in sizes]


def _mixed(classes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """An order whose every beginning has the proportions of the classes, after one row of each."""
    counts = np.bincount(classes)
    by_class = order[np.argsort(classes[order], kind="stable")]
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(len(order), np.int64)
    rank[by_class] = np.arange(len(order)) - first[classes[by_class]]
    share = np.where(rank == 0, 0.0, (rank + 0.5) / counts[classes])
    mixed: np.ndarray = order[np.argsort(share[order], kind="stable")]
    return mixed
