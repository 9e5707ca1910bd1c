"""Smaller and redrawn training sets: nested subsets, bootstraps, subsamples, disjoint parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chymist.data.splits import folds, split
from chymist.errors import InputError, UsageError
from chymist.keys import generator, key
from chymist.values import Data

HALF = 0.5  # of the rows in a subsample


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
    elif data.classes:
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


def redrawn_sets(
    data: Data,
    rows: np.ndarray,
    members: int,
    sets: str,
    *,
    seed: int,
    groups: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Training sets of many models, drawn from the same rows.

    Args:
        data: the data.
        rows: row numbers, ascending, (n,).
        members: number of sets.
        sets: "bootstrap", n rows drawn with replacement (whole groups, if there are groups);
            "subsample", half of the rows without replacement; "disjoint", n/members rows, no row
            in two sets.
        seed: seed of the draw; set m depends on (seed, m) only, except disjoint ones.
        groups: number of each row's group, (rows of the data,), or None.

    Returns:
        Row numbers, ascending, one array a set; those of a bootstrap repeat.

    Raises:
        InputError: fewer rows or groups than disjoint sets.
        UsageError: an unknown kind of sets.

    Example:
        >>> import chymist as cy
        >>> drawn = redrawn_sets(cy.load("iris"), np.arange(150), 3, "bootstrap", seed=0)
        >>> [len(np.unique(one)) for one in drawn]
        [93, 95, 101]

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.
    """
    if sets == "bootstrap":
        return [_bootstrap(rows, seed, member, groups) for member in range(members)]
    if sets == "subsample":
        half = max(1, round(HALF * len(rows)))
        return [_part(data, rows, half, seed, member, groups) for member in range(members)]
    if sets == "disjoint":
        return folds(data, members, seed=seed, rows=rows, group=groups)
    raise UsageError("unknown kind of training sets", where="sets", received=repr(sets)[:40],
                     do="choose 'bootstrap', 'subsample' or 'disjoint'")  # fmt: skip


def _bootstrap(rows: np.ndarray, seed: int, member: int, groups: np.ndarray | None) -> np.ndarray:
    rng = generator(seed, "bootstrap", member)
    if groups is None:
        return np.sort(rows[rng.integers(0, len(rows), len(rows))])
    names, number = np.unique(groups[rows], return_inverse=True)
    times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
    return np.repeat(rows, times[number])


def _part(
    data: Data, rows: np.ndarray, size: int, seed: int, member: int, groups: np.ndarray | None
) -> np.ndarray:
    own = key(seed, "subsample", member)
    return nested_subsets(data, rows, [size], seed=own, groups=groups)[0]


def held_part(
    data: Data, rows: np.ndarray, share: float | int, *, seed: int,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Cut some rows in two, as `split` cuts off validation rows, but without its upper bound.

    Args:
        data: the data.
        rows: row numbers, ascending, (n,).
        share: share in (0, 1) or number of the rows to hold out.
        seed: seed of the draw.
        groups: number of each row's group, (rows of the data,), or None: groups stay together.

    Returns:
        The rows that stay and those held out, ascending.

    Raises:
        UsageError: a share out of range.
        InputError: too few rows or groups.

    Example:
        >>> import chymist as cy
        >>> stay, held = held_part(cy.load("iris"), np.arange(150), 0.2, seed=0)
        >>> len(stay), len(held)
        (120, 30)
    """
    targets = data.targets[rows]
    # The cut looks at targets only, and rows that are redrawn may lack a class.
    kept = replace(data, inputs=np.empty((len(rows), 0)), targets=targets, test_rows=None,
                   classes=())  # fmt: skip
    names = None if groups is None else groups[rows]
    parts = split(kept, test=share, valid=0, seed=seed, group=names)
    return rows[parts.train], rows[parts.test]
