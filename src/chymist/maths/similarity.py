"""Do similar rows get similar outputs? A criterion that needs no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from chymist.errors import InputError


def neighbor_weights(inputs: ArrayLike, neighbors: int = 10) -> np.ndarray:
    """Which rows are similar: w_ij = 1 if j is among the nearest rows of i, or i of j, else 0.

    Distances are Euclidean: bring columns of different units to one scale before.

    Args:
        inputs: (n, ...).
        neighbors: how many of each row, itself left out; the first of equally near ones.

    Returns:
        (n, n), symmetric, with zeros on the diagonal.

    Raises:
        InputError: fewer rows than that, or numbers that are not finite.

    Example:
        >>> neighbor_weights([[0.0], [1.0], [5.0]], neighbors=1)
        array([[0., 1., 0.],
               [1., 0., 1.],
               [0., 1., 0.]])
    """
    rows = np.asarray(inputs, np.float64)
    rows = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
    if not np.isfinite(rows).all():
        raise InputError("inputs are not finite", where="neighbor_weights")
    if not 1 <= neighbors < len(rows):
        raise InputError("not that many neighbours", where="neighbor_weights",
                         received=f"{neighbors} of {len(rows)} rows")  # fmt: skip
    distances = cdist(rows, rows, "sqeuclidean")  # of differences: products would cancel far from 0
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :neighbors]
    weights = np.zeros_like(distances)
    np.put_along_axis(weights, nearest, 1.0, axis=1)
    both: np.ndarray = np.maximum(weights, weights.T)
    return both


def smoothness(outputs: ArrayLike, weights: ArrayLike) -> float:
    """Sum over all pairs of w_ij |f_i - f_j|^2 = 2 trace(F^T L F), L the Laplacian of the graph.

    0 says that similar rows have the same outputs. A function that gives the same to all rows
    reaches it too, so the sum alone chooses nothing: see `inconsistency`.

    Args:
        outputs: what a function gives, (n,) or (n, k).
        weights: how similar rows are, (n, n), not negative.

    Raises:
        InputError: shapes that do not fit, or numbers that are not finite.

    Example:
        >>> smoothness([0.0, 1.0, 3.0], [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
        10.0

    Source: Belkin, Niyogi, Sindhwani 2006, Manifold regularization, JMLR 7.
    """
    values, graph = _checked(outputs, weights)
    values = values - values[:1]  # what all rows share is no difference, and costs no digits
    squares = (values**2).sum(1)
    both = graph.sum(0) + graph.sum(1)
    return max(0.0, float(both @ squares - 2 * (values * (graph @ values)).sum()))


def inconsistency(outputs: ArrayLike, weights: ArrayLike) -> float:
    """How much outputs of similar rows differ, as a share of how much those of any two rows do.

    C = (sum w_ij |f_i - f_j|^2 / sum w_ij) / (mean of |f_i - f_j|^2 over all pairs i != j):
    0 where similar rows have the same outputs, about 1 where likeness plays no part. Scale and
    shift of the outputs do not count. Outputs that are all alike have no such share: they get 1.

    Args:
        outputs: what a function gives, (n,) or (n, k).
        weights: how similar rows are, (n, n), not negative; that of a row to itself does not count.

    Raises:
        InputError: shapes that do not fit, or numbers that are not finite.

    Example:
        >>> near = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
        >>> inconsistency([0, 0, 1, 1], near), round(inconsistency([0, 1, 0, 1], near), 2)
        (0.0, 1.5)

    Source: Geary 1954, The contiguity ratio and statistical mapping (for one output).
    """
    values, graph = _checked(outputs, weights)
    values = values - values.mean(0)
    n, total = len(values), float(graph.sum())
    if total <= 0 or n < 2:
        raise InputError("no two rows are similar", where="inconsistency")
    any_two = 2 * float((values**2).sum()) / (n - 1)
    if any_two <= 1e-24 * max(1.0, float(np.abs(np.asarray(outputs, float)).max()) ** 2):
        return 1.0
    return smoothness(values, graph) / total / any_two


def _checked(outputs: ArrayLike, weights: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Outputs as (n, k) and weights of different rows as (n, n).

    Raises:
        InputError: they do not fit.
    """
    values, graph = np.asarray(outputs, np.float64), np.asarray(weights, np.float64)
    values = values.reshape(-1, 1) if values.ndim < 2 else values.reshape(len(values), -1)
    if graph.shape != (len(values), len(values)):
        raise InputError("weights do not fit the outputs", where="smoothness",
                         received=f"{graph.shape} for {len(values)} rows")  # fmt: skip
    if not np.isfinite(values).all() or not np.isfinite(graph).all() or graph.min(initial=0) < 0:
        raise InputError("outputs and weights must be finite, weights not negative",
                         where="smoothness")  # fmt: skip
    return values, graph - np.diag(np.diag(graph))
