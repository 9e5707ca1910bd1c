"""Rows that occur more than once: a copy may stand in the training and in the held-out part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from chymist.keys import generator
from chymist.values import Data

BLOCK = 2**15  # rows that are hashed at once
FIRST = 16  # features that are looked at first; most rows differ in them
GROWTH = 2  # how many more are looked at next, of the rows that are still alike

Words = Callable[[np.ndarray], np.ndarray]  # row numbers (m,) to 64-bit words (m, k)


def duplicates_across(data: Data, rows: np.ndarray, groups: np.ndarray | None = None) -> int:
    """Number of rows whose inputs occur again in another row, of another group if there are groups.

    Args:
        data: the data.
        rows: row numbers that are compared, (m,).
        groups: number of each row's group, (rows of the data,), or None.

    Returns:
        A number of rows, 0 or from 2 to m.

    Example:
        >>> import chymist as cy
        >>> duplicates_across(cy.load("iris"), np.arange(150))
        2
    """
    return len(copies_across(data, rows, groups))


def copies_across(data: Data, rows: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """Rows whose inputs occur again in another row, of another group if there are groups.

    Identifiers do not count as inputs, targets neither; two empty cells are equal, and so are 0 and
    -0. Rows are compared by 64-bit hashes, a few features at a time: those that differ from all
    others are not looked at again. Among a million rows, two different ones are taken for copies
    with a chance of 3e-8.

    Args:
        data: the data.
        rows: row numbers that are compared, (m,).
        groups: number of each row's group, (rows of the data,), or None.

    Returns:
        Their row numbers, from none to m.

    Example:
        >>> import chymist as cy
        >>> copies_across(cy.load("iris"), np.arange(150)).tolist()
        [101, 142]
    """
    kept, marks = np.asarray(rows), np.zeros(len(rows), np.uint64)
    for words in _features(data):
        marks = np.concatenate([
            _mixed(marks[at : at + BLOCK, None] ^ words(kept[at : at + BLOCK]))
            for at in range(0, max(len(kept), 1), BLOCK)
        ])  # fmt: skip
        _, place, counts = np.unique(marks, return_inverse=True, return_counts=True)
        shared = counts[place] > 1
        kept, marks = kept[shared], marks[shared]
    if groups is None or not len(kept):
        return kept
    _, place = np.unique(marks, return_inverse=True)
    members = np.unique(np.stack([place, groups[kept]]), axis=1)
    found: np.ndarray = kept[np.bincount(members[0])[place] > 1]
    return found


def _features(data: Data) -> Iterator[Words]:
    """The features of rows as words, some at a time."""
    names = [column.name for column in data.columns if column.kind != "id"]
    if not isinstance(data.inputs, np.ndarray):
        cells = sorted((data.inputs[name] for name in names), key=lambda c: c.dtype == object)
        yield from (partial(_words, column) for column in cells)
        return
    flat = data.inputs.reshape(len(data), -1)
    used = np.arange(flat.shape[1])
    if len(data.columns) == len(used):
        used = used[[column.kind != "id" for column in data.columns]]
    order = generator(0, "duplicates").permutation(used)
    start, size = 0, FIRST
    while start < len(order):
        yield partial(_picked, flat, np.sort(order[start : start + size]))
        start, size = start + size, size * GROWTH


def _picked(flat: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some columns of some rows as words."""
    picked = flat[rows[:, None], columns]
    if picked.dtype == object:  # texts
        return _words(picked[:, 0], np.arange(len(picked)))
    if picked.dtype.itemsize > 1:
        return _bits(picked)
    packed = np.zeros((len(picked), -(-len(columns) // 8) * 8), picked.dtype)
    packed[:, : len(columns)] = picked
    return packed.view(np.uint64)


def _words(cells: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A column of a table, at some rows, as words (m, 1)."""
    picked = cells[rows]
    if picked.dtype == object:
        return np.fromiter(map(hash, picked), np.int64, len(picked)).view(np.uint64)[:, None]
    return _bits(picked)[:, None]


def _bits(values: np.ndarray) -> np.ndarray:
    """Numbers as words that are equal where the numbers are."""
    if values.dtype.kind != "f":
        return values.astype(np.int64).view(np.uint64)
    wide = values.astype(np.float64) + 0.0  # no negative zero
    wide[np.isnan(wide)] = np.nan
    return wide.view(np.uint64)


def _mixed(words: np.ndarray) -> np.ndarray:
    """Hash of each row of words, (m, k) to (m,).

    Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (the finalizer).
    """
    steps = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = words + steps
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    found: np.ndarray = mixed.sum(1, dtype=np.uint64)
    return found
