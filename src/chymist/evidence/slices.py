"""Scores of parts of the rows: who fares worse than the whole."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from chymist.evidence.scores import score
from chymist.values import Predictions, Score

BANDS, MOST = 5, 12


class Slice(NamedTuple):
    """Rows that have something in common, and their score.

    Args:
        name: what they have in common.
        score: of these rows alone.
    """

    name: str
    score: Score


def slices(
    predictions: Predictions, labels: np.ndarray, metric: str, split: str,
    by: np.ndarray | None = None,
) -> tuple[Slice, ...]:  # fmt: skip
    """The score of every group of rows by itself, the largest group first.

    Intervals are of each slice by itself: of many slices some look worse by chance.

    Args:
        predictions: of all rows.
        labels: name of the slice of each, (n,).
        metric: name of the metric.
        split: which rows they are, as in `score`.
        by: numbers by which slices are put in order, the least first, (n,); NaN comes last.

    Returns:
        One `Slice` a label; beyond the 11 largest the rest is one, called "(all others)".

    Example:
        >>> made = Predictions(np.arange(4), np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 0, 0]])
        >>> [(one.name, one.score.value) for one in slices(made, np.array(list("aabb")),
        ...                                                "accuracy", "valid")]
        [('a', 1.0), ('b', 0.5)]
    """
    names, codes, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    rank = -counts if by is None else np.bincount(codes, by) / counts
    order = np.argsort(rank, kind="stable")
    own = order if len(order) <= MOST else order[: MOST - 1]
    chosen = [(str(names[code]), codes == code) for code in own]
    if len(own) < len(order):
        chosen.append(("(all others)", ~np.isin(codes, own)))
    return tuple(
        Slice(name, score(_part(predictions, kept), metric, split)) for name, kept in chosen
    )


def banded(values: np.ndarray, bands: int = BANDS) -> np.ndarray:
    """Numbers as names of bands with about as many rows each; few different ones as they are.

    Args:
        values: (n,); those that are no number are a band of their own.
        bands: at most.

    Returns:
        Texts, (n,).

    Example:
        >>> banded(np.array([1.0, 2.0, 2.0, np.nan])).tolist()
        ['1', '2', '2', '(empty)']
    """
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values)]
    made = np.full(len(values), "(empty)", dtype=object)
    if len(np.unique(known)) <= bands:
        made[np.isfinite(values)] = [f"{v:.4g}" for v in known]
        return made
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bands + 1)))
    place = np.searchsorted(edges, known, side="left").clip(1, len(edges) - 1)
    names = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
    made[np.isfinite(values)] = [names[p - 1] for p in place]
    return made


def _part(predictions: Predictions, kept: np.ndarray) -> Predictions:
    groups = None if predictions.groups is None else predictions.groups[kept]
    return Predictions(predictions.rows[kept], predictions.targets[kept],
                       predictions.outputs[kept], groups, predictions.estimated)  # fmt: skip
