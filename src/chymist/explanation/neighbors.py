"""Nearest rows in a space of features, and whether they have the label that was predicted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import wilson
from chymist.explanation.features import Layer

Metric = Literal["cosine", "euclidean"]
METRICS = ("cosine", "euclidean")


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest rows of some queries, the nearest first.

    Args:
        places: numbers of the rows, counted as they came, (queries, k).
        distances: Euclidean lengths, or 1 - cosine, (queries, k).
    """

    places: np.ndarray
    distances: np.ndarray


def nearest_rows(
    queries: np.ndarray, blocks: Iterable[np.ndarray], k: int, metric: Metric = "cosine"
) -> Nearest:
    """The k nearest rows of each query; rows come block by block and are not kept.

    Euclidean: |q - r|; cosine: 1 - q r / (|q| |r|), which is 1 where one of them is 0. Of equally
    near rows the first counts.

    Args:
        queries: (queries, features).
        blocks: of rows, (rows, features) each.
        k: how many.
        metric: "cosine" or "euclidean".

    Raises:
        UsageError: an unknown metric, or fewer rows than k.

    Example:
        >>> rows = np.array([[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]])
        >>> nearest_rows(np.array([[1.0, 0.0]]), [rows[:2], rows[2:]], k=2).places.tolist()
        [[1, 2]]
    """
    if metric not in METRICS:
        raise UsageError("unknown metric", where="metric", received=f"'{metric}'",
                         do=f"take {' or '.join(METRICS)}")  # fmt: skip
    asked = _scaled(queries, metric)
    best: np.ndarray = np.empty((len(asked), 0))
    places: np.ndarray = np.empty((len(asked), 0), np.int64)
    seen = 0
    for block in blocks:
        far = _distances(asked, _scaled(block, metric), metric)
        numbers = np.broadcast_to(np.arange(seen, seen + len(block)), far.shape)
        best, places = np.hstack([best, far]), np.hstack([places, numbers])
        kept = np.argsort(best, axis=1, kind="stable")[:, :k]
        best, places = (np.take_along_axis(a, kept, 1) for a in (best, places))
        seen += len(block)
    if seen < k:
        raise UsageError("there are fewer training rows than neighbours", where="k",
                         received=f"{k} of {seen}", do="ask for fewer")  # fmt: skip
    return Nearest(places, best)


def _scaled(rows: np.ndarray, metric: Metric) -> np.ndarray:
    """Rows in float64, of length 1 where the cosine counts."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    if metric == "euclidean":
        return flat
    lengths = np.sqrt(np.square(flat).sum(1, keepdims=True))
    return flat / np.where(lengths > 0, lengths, 1.0)


def _distances(queries: np.ndarray, rows: np.ndarray, metric: Metric) -> np.ndarray:
    """(queries, rows)."""
    products: np.ndarray = queries @ rows.T
    if metric == "cosine":
        return 1 - products
    squares = np.square(queries).sum(1)[:, None] + np.square(rows).sum(1) - 2 * products
    lengths: np.ndarray = np.sqrt(squares.clip(0))
    return lengths


def agreement(labels: np.ndarray, predicted: np.ndarray) -> tuple[float, float, float]:
    """Share of the nearest rows that have the label that was predicted, with its 95 % interval.

    The neighbours of one query stand together: the interval is Wilson's for as many rows as there
    are queries, which is on the safe side.

    Args:
        labels: of the neighbours, (queries, k).
        predicted: for the queries, (queries,).

    Returns:
        share, low, high.

    Example:
        >>> agreement(np.array([[1, 1], [0, 1], [0, 0]]), np.array([1, 1, 1]))[0]
        0.5
    """
    shares = (labels == predicted[:, None]).mean(1)
    return (float(shares.mean()), *wilson(float(shares.sum()), len(shares)))


def last_weighted(layers: Iterable[Layer], model: nn.Module) -> tuple[str, bool]:
    """The last layer with weights, and whether there is one before it: what it reads is hidden.

    Raises:
        InputError: the model has no layer with weights.

    Example:
        >>> import torch
        >>> from chymist.explanation.features import layers_in_order
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> last_weighted(layers_in_order(model, torch.ones(1, 2)), model)
        ('2', True)
    """
    modules = dict(model.named_modules())
    names = [layer.name for layer in layers if modules[layer.name]._parameters]
    if not names:
        raise InputError("the model has no layer with weights that gives numbers for each row",
                         where="nearest_examples", received=type(model).__name__,
                         do="give layer=")  # fmt: skip
    return names[-1], len(names) > 1
