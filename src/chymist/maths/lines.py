"""Candidate functions and their goodness: all of a grid, or downhill from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError, UsageError

Function = Callable[[np.ndarray], ArrayLike]
Line = tuple[float, float]  # intercept and slope
MOST = 10_000_000  # candidates of a grid


@dataclass(frozen=True)
class FoundLine:
    """A line that a search found.

    Args:
        intercept, slope: of the line.
        loss: its mean squared error.
        evaluations: passes over all rows that it took.
    """

    intercept: float
    slope: float
    loss: float
    evaluations: int


def goodness(candidates: Mapping[str, Function], x: ArrayLike, y: ArrayLike) -> dict[str, float]:
    """Mean squared error of each candidate function, the best one first.

    Args:
        candidates: functions of x by name.
        x, y: the rows, (n,).

    Raises:
        InputError: a candidate gives another number of values, or one that is no number; rows are
            not finite.

    Example:
        >>> goodness({"f1": lambda x: 10 + 9 * x, "f3": lambda x: -0.8 - 1.2 * x}, [1, 2], [19, 28])
        {'f1': 0.0, 'f3': 707.22}
    """
    points, targets = _rows(x, y)
    found = {}
    for name, function in candidates.items():
        values = np.asarray(function(points), np.float64)
        if values.shape not in (targets.shape, ()):
            raise InputError("a candidate must give one value for each row", where=name,
                             received=f"shape {values.shape}")  # fmt: skip
        if np.isnan(values).any():
            raise InputError("a candidate must give one value for each row", where=name,
                             received="nan", do="leave out rows where it has none")  # fmt: skip
        with np.errstate(over="ignore"):
            found[name] = float(((values - targets) ** 2).mean())
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def meeting_point(a: Line, b: Line) -> tuple[float, float] | None:
    """Where two lines (intercept, slope) cross; None if they are parallel.

    Example:
        >>> [round(value, 6) for value in meeting_point((10.0, 9.0), (9.8, 9.2))]
        [1.0, 19.0]
    """
    if a[1] == b[1]:
        return None
    x = (a[0] - b[0]) / (b[1] - a[1])
    return x, a[0] + a[1] * x


def brute_force(x: ArrayLike, y: ArrayLike, intercepts: ArrayLike, slopes: ArrayLike) -> FoundLine:
    """The best line of a grid: each pair of intercept and slope is tried.

    k values of each of d parameters are k^d candidates, which is why nobody does it with more.

    Args:
        x, y: the rows, (n,).
        intercepts, slopes: the values to try.

    Raises:
        InputError: nothing to try, or numbers that are not finite.
        UsageError: more than ten million candidates.

    Example:
        >>> brute_force([0, 1, 2], [1, 3, 5], [0, 1, 2], [0, 1, 2])
        FoundLine(intercept=1.0, slope=2.0, loss=0.0, evaluations=9)
    """
    points, targets = _rows(x, y)
    first, second = (np.asarray(v, np.float64).reshape(-1) for v in (intercepts, slopes))
    size = len(first) * len(second)
    if not size or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("no finite candidates", where="brute_force", received=f"{size} of them")
    if size > MOST:
        raise UsageError("too many candidates", where="brute_force", received=f"{size:,}",
                         do=f"take at most {MOST:,}")  # fmt: skip
    # The mean square of y - b - w x from the moments of centred columns: no array of n x size.
    mean_x, mean_y = points.mean(), targets.mean()
    spread, both = points.var(), float(((points - mean_x) * (targets - mean_y)).mean())
    offset = first[:, None] + second[None] * mean_x - mean_y
    losses = offset**2 + spread * second**2 - 2 * both * second + targets.var()
    i, j = np.unravel_index(int(losses.argmin()), losses.shape)
    best = float(((targets - first[i] - second[j] * points) ** 2).mean())
    return FoundLine(float(first[i]), float(second[j]), best, size)


def descend(
    x: ArrayLike, y: ArrayLike, *,
    loss: float, start: Line = (0.0, 0.0), rate: float | None = None, most: int = 1_000_000,
) -> FoundLine:  # fmt: skip
    """Gradient descent on a line, until its mean squared error is as small as asked.

    Args:
        x, y: the rows, (n,).
        loss: mean squared error to reach.
        start: intercept and slope at the start.
        rate: of the descent; None for 1 / (largest eigenvalue of the Hessian).
        most: evaluations after which it gives up.

    Returns:
        The line; each evaluation gives the loss and its gradient.

    Raises:
        InputError: the loss is not reached, or rows are not finite.

    Example:
        >>> descend([-1, 1], [1, 3], loss=1e-9)
        FoundLine(intercept=2.0, slope=1.0, loss=0.0, evaluations=2)
    """
    points, targets = _rows(x, y)
    design = np.stack([np.ones_like(points), points], axis=1)
    if rate is None:
        rate = 1 / float(np.linalg.eigvalsh(2 * design.T @ design / len(points))[-1])
    line = np.array(start, np.float64)
    for count in range(1, most + 1):
        errors = design @ line - targets
        with np.errstate(over="ignore"):
            now = float((errors**2).mean())
        if now <= loss:
            return FoundLine(float(line[0]), float(line[1]), now, count)
        if not np.isfinite(now):
            break
        line = line - rate * 2 * design.T @ errors / len(points)
    raise InputError("the descent does not reach this loss", where="descend",
                     received=f"{now:.6g} after {count:,} evaluations, not {loss:.6g}",
                     do="ask for a larger loss, or give another rate")  # fmt: skip


def _rows(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both columns in float64.

    Raises:
        InputError: they do not fit, or are not finite.
    """
    points, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if points.ndim != 1 or points.shape != targets.shape or not len(points):
        raise InputError("x and y must be columns of one length", where="rows",
                         received=f"shapes {points.shape} and {targets.shape}")  # fmt: skip
    if not (np.isfinite(points).all() and np.isfinite(targets).all()):
        raise InputError("x and y must be finite", where="rows")
    return points, targets
