"""Forecasts of many series: floors, errors, and intervals over blocks of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chymist.errors import InputError
from chymist.keys import generator

Array = np.ndarray
LAMBDAS = (1e1, 3e1, 1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5)
TUNED = 0.2  # share of the training windows, the last ones, that choose lambda
SCALE = 10.0


def persistence(new: Array, ahead: int) -> Array:
    """The last value, repeated.

    Args:
        new: windows (m, steps, series).
        ahead: steps that are forecast.

    Returns:
        (m, ahead, series).

    Example:
        >>> persistence(np.array([[[1.0], [2.0]]]), 3).ravel().tolist()
        [2.0, 2.0, 2.0]
    """
    return np.repeat(new[:, -1:], ahead, axis=1)


def shared_autoregression(inputs: Array, targets: Array, new: Array) -> Array:
    """One linear forecast for all series: the change from the last value, by least squares.

    Its coefficients, for each step ahead: one for each difference of neighbouring steps, one for
    the last value, and a constant.

    Args:
        inputs: training windows (n, steps, series).
        targets: their next steps (n, ahead, series).
        new: windows (m, steps, series).

    Returns:
        (m, ahead, series).

    Example:
        >>> rise = np.arange(8.0)[:, None, None] + np.arange(3.0)[:, None]
        >>> shared_autoregression(rise, rise[:, -1:] + 1, rise[:1]).round(6).ravel().tolist()
        [3.0]
    """
    ahead = targets.shape[1]

    def columns(windows: Array) -> Array:
        parts = [np.diff(windows, axis=1), windows[:, -1:], np.ones_like(windows[:, -1:])]
        rows: Array = np.concatenate(parts, 1).transpose(0, 2, 1)
        return rows.reshape(-1, rows.shape[2]).astype(np.float64)

    changes = (targets - inputs[:, -1:]).transpose(0, 2, 1).reshape(-1, ahead)
    found = np.linalg.lstsq(columns(inputs), changes.astype(np.float64), rcond=None)[0]
    made = (columns(new) @ found).reshape(len(new), -1, ahead).transpose(0, 2, 1)
    forecast: Array = made + new[:, -1:]
    return forecast


def ridge_autoregression(inputs: Array, targets: Array, new: Array) -> Array:
    """The change of every series from all steps of all series (VAR), by ridge regression.

    Values are centred by the means of the series and divided by 10; the strength is chosen among
    10 .. 1e5 on the last fifth of the training windows. The dual form is solved.

    Args:
        inputs, targets, new: as in `shared_autoregression`.

    Returns:
        (m, ahead, series).

    Example:
        >>> rise = np.arange(30.0)[:, None, None] + np.arange(3.0)[:, None]
        >>> ridge_autoregression(rise, rise[:, -1:] + 1, rise[:1]).shape
        (1, 1, 1)

    Source: Saunders, Gammerman, Vovk 1998, Ridge regression in dual variables.
    """
    shift = inputs.mean((0, 1))
    x, z = (((part - shift) / SCALE).reshape(len(part), -1).astype(np.float64)
            for part in (inputs, new))  # fmt: skip
    y = ((targets - inputs[:, -1:]) / SCALE).reshape(len(targets), -1).astype(np.float64)
    kernel, cut = x @ x.T, len(x) - max(1, int(TUNED * len(x)))

    def error(strength: float) -> float:
        weights = np.linalg.solve(kernel[:cut, :cut] + strength * np.eye(cut), y[:cut])
        return float(np.square(kernel[cut:, :cut] @ weights - y[cut:]).mean())

    strength = min(LAMBDAS, key=error)
    weights = np.linalg.solve(kernel + strength * np.eye(len(x)), y)
    made = (z @ x.T @ weights).reshape(len(new), -1, inputs.shape[2]) * SCALE
    forecast: Array = made + new[:, -1:]
    return forecast


class Errors(NamedTuple):
    """Errors of a forecast by seed and window, pooled over steps and series.

    Args:
        squared, absolute: means of each window, (seeds, windows); a floor has one seed.
    """

    squared: Array
    absolute: Array

    @property
    def by_seed(self) -> Array:
        """Root of the mean squared error of each seed, (seeds,)."""
        return np.asarray(np.sqrt(self.squared.mean(1)))

    @property
    def rmse(self) -> float:
        """Root of the mean squared error, averaged over the seeds."""
        return float(self.by_seed.mean())

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(self.absolute.mean())


def errors_of(forecast: Array, truth: Array) -> Errors:
    """Errors by window of (windows, ...).

    Example:
        >>> errors_of(np.array([[1.0], [5.0]]), np.array([[2.0], [2.0]])).rmse ** 2
        5.000000000000001
    """
    gaps = (forecast - truth).reshape(len(truth), -1)
    return Errors(np.square(gaps).mean(1)[None], np.abs(gaps).mean(1)[None])


def of_seeds(errors: Sequence[Errors]) -> Errors:
    """Errors of several seeds on the same windows as one value.

    Example:
        >>> one = errors_of(np.ones((2, 1)), np.zeros((2, 1)))
        >>> of_seeds([one, one]).by_seed.tolist()
        [1.0, 1.0]
    """
    return Errors(np.concatenate([e.squared for e in errors]),
                  np.concatenate([e.absolute for e in errors]))  # fmt: skip


def block_means(columns: Array, block: int, seed: int = 0, resamples: int = 2000) -> Array:
    """Means over windows that are drawn in blocks of consecutive ones.

    Windows that follow each other share most of their steps, and traffic jams last: single windows
    are not independent, blocks nearly are.

    Args:
        columns: (windows, columns), in order of time.
        block: windows of a block.
        seed: of the draw.
        resamples: number of draws.

    Returns:
        (resamples, columns).

    Raises:
        InputError: fewer than two blocks.

    Example:
        >>> block_means(np.ones((10, 2)), 3, resamples=4).shape
        (4, 2)

    Source: Künsch 1989, The jackknife and the bootstrap for general stationary observations.
    """
    count = len(columns)
    if block < 1 or count < 2 * block:
        raise InputError("too few windows for blocks of time", where="block",
                         received=f"{count} windows, blocks of {block}",
                         do="give a smaller block")  # fmt: skip
    sums = np.vstack([np.zeros(columns.shape[1]), np.cumsum(columns, 0)])
    draws = -(-count // block)
    starts = generator(seed, "blocks").integers(0, count - block + 1, (resamples, draws))
    means: Array = (sums[starts + block] - sums[starts]).sum(1) / (draws * block)
    return means


def rmse_interval(
    errors: Errors, other: Errors | None, block: int, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval of an RMSE over blocks of time, or of how much it is above another's.

    The seeds are those that were trained: what other seeds would give is not in it.

    Args:
        errors: of a forecast.
        other: of another on the same windows, or None.
        block: windows of a block.
        seed: of the draw.
        level: of the interval.

    Example:
        >>> errors = errors_of(np.arange(40.0)[:, None] % 2, np.zeros((40, 1)))
        >>> low, high = rmse_interval(errors, None, 4)
        >>> low <= errors.rmse <= high
        True
    """
    values = np.sqrt(block_means(errors.squared.T, block, seed)).mean(1)
    if other is not None:  # the same blocks are drawn for both
        values = values - np.sqrt(block_means(other.squared.T, block, seed)).mean(1)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def conformal_widths(forecast: Array, truth: Array, level: float) -> Array:
    """Half widths of intervals that cover each step and series with a level, (ahead, series).

    The ceil(level (n + 1))-th smallest absolute error of n calibration windows; infinite if they
    are too few. Windows overlap, so that the level is met on average over long times only.

    Args:
        forecast, truth: of calibration windows, (n, ahead, series).
        level: share that is to be covered.

    Example:
        >>> conformal_widths(np.zeros((19, 1, 1)), np.arange(1.0, 20.0)[:, None, None], 0.9)
        array([[18.]])

    Source: Lei et al. 2018, Distribution-free predictive inference for regression.
    """
    gaps = np.sort(np.abs(forecast - truth), axis=0)
    rank = int(np.ceil(level * (len(gaps) + 1) - 1e-9))
    if rank > len(gaps):
        return np.full(gaps.shape[1:], np.inf)
    widths: Array = gaps[rank - 1]
    return widths
