"""Linear probes: what a linear model can read off the features of a layer."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch.nn import functional as F

from chymist.values import Task

MOST = 1024  # features of a layer that a probe reads; maps of more are averaged over places
ITERATIONS = 300


def pooled(features: np.ndarray, most: int = MOST) -> np.ndarray:
    """Features of a layer as a matrix; maps and steps are averaged over places where they are many.

    Args:
        features: (rows, units), (rows, channels, height, width) or (rows, steps, features).
        most: columns, where averaging over places can reach it.

    Returns:
        (rows, columns), float32.

    Example:
        >>> pooled(np.ones((5, 16, 20, 20))).shape, pooled(np.ones((5, 30, 64)), 640).shape
        ((5, 1024), (5, 640))
    """
    made = torch.from_numpy(np.ascontiguousarray(features, np.float32))
    if made.ndim == 4:
        side = int((most // made.shape[1]) ** 0.5)
        size = (min(made.shape[2], max(1, side)), min(made.shape[3], max(1, side)))
        made = F.adaptive_avg_pool2d(made, size)
    elif made.ndim == 3:
        steps = min(made.shape[1], max(1, most // made.shape[2]))
        made = F.adaptive_avg_pool1d(made.transpose(1, 2), steps)
    flat: np.ndarray = made.flatten(1).numpy()
    return flat


def counted(train: np.ndarray, new: np.ndarray, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """How often each of the most frequent numbers occurs in a row: words without their order.

    Args:
        train: numbers of words, (rows, steps); they decide which are frequent.
        new: (other rows, steps).
        most: how many numbers are counted.

    Returns:
        Counts of both, (rows, numbers), float32.

    Example:
        >>> counted(np.array([[3, 3, 1]]), np.array([[1, 3, 7]]), most=2)[1]
        array([[1., 1.]], dtype=float32)
    """
    known, often = np.unique(train, return_counts=True)
    kept = known[np.argsort(-often, kind="stable")[:most]]
    first, second = ((rows[:, :, None] == kept).sum(1, dtype=np.float32) for rows in (train, new))
    return first, second


def columns_of(train: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features of a layer, or inputs, as the columns that a probe reads.

    Args:
        train, new: (rows, ...) of floats, see `pooled`; of numbers of words, see `counted`.

    Example:
        >>> [found.shape for found in columns_of(np.ones((2, 3, 4, 4)), np.ones((5, 3, 4, 4)))]
        [(2, 48), (5, 48)]
    """
    if np.issubdtype(train.dtype, np.integer):
        return counted(train, new)
    return pooled(train), pooled(new)


def linear_probe(
    train: np.ndarray, new: np.ndarray, targets: np.ndarray, task: Task, outputs: int
) -> np.ndarray:
    """Train a linear model on features, and ask it for other rows.

    Columns are scaled by the training rows. Classes: softmax regression with an L2 penalty (C = 1);
    numbers: ridge regression with penalty 1.

    Args:
        train: (n, columns).
        new: (m, columns).
        targets: of the training rows, classes (n,), or values (n,) or (n, outputs).
        task: "classification" or "regression".
        outputs: number of classes.

    Returns:
        Probabilities (m, outputs), or values like the targets.

    Example:
        >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> linear_probe(x, x, np.array([0, 0, 1, 1]), "classification", 2).argmax(1)
        array([0, 0, 1, 1])

    Source: Alain, Bengio 2016, Understanding intermediate layers using linear classifier probes.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    middle, width = train.mean(0), train.std(0)
    width = np.where(width > 1e-6 * np.abs(train).max(initial=1e-30), width, np.inf)
    seen, asked = (train - middle) / width, (new - middle) / width
    if task == "regression":
        found: np.ndarray = Ridge(1.0).fit(seen, targets).predict(asked)
        return found
    model = LogisticRegression(max_iter=ITERATIONS)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the best is near enough
        model.fit(seen, targets)
    shares = np.zeros((len(new), outputs))
    shares[:, model.classes_] = model.predict_proba(asked)
    return shares
