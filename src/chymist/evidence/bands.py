"""Curves of several runs as one: their mean, and how sure it is, at every epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Band(NamedTuple):
    """The mean course of several runs, with its band, at every epoch, (epochs,).

    Args:
        mean: of the runs that have a finite value there; nan if there is none.
        low, high: Student's 95 % interval of three or more runs, the range of two; nan for one.
        runs: how many there are.
    """

    mean: Array
    low: Array
    high: Array
    runs: Array


def band_of(curves: Array, level: float = 0.95) -> Band:
    """Mean and band of the curves of several runs.

    At every epoch: m +- t_{n-1} s / sqrt(n) over the n runs that are finite there, n >= 3; for two
    runs their range; for one there is no band. Runs that stopped early leave the later epochs.

    Args:
        curves: (runs, epochs), nan where a run has no value.
        level: coverage of the interval.

    Example:
        >>> band = band_of(np.array([[1.0, 2.0], [3.0, 2.0], [2.0, np.nan]]))
        >>> band.mean.tolist(), band.runs.tolist(), band.high.round(3).tolist()
        ([2.0, 2.0], [3, 2], [4.484, 2.0])

    Source: Student 1908.
    """
    from scipy.special import stdtrit

    there = np.isfinite(curves)
    count = there.sum(0)
    values = np.where(there, curves, 0.0)
    some = np.maximum(count, 1)
    mean = np.where(count > 0, (values / some).sum(0), np.nan)
    apart = np.where(there, curves - mean, 0.0)
    freedom = np.maximum(count - 1, 1)
    spread = np.sqrt((apart**2 / freedom).sum(0) / some)
    half = np.where(count > 2, stdtrit(freedom, 0.5 + level / 2) * spread, np.nan)
    low, high = mean - half, mean + half
    two = count == 2
    least = np.where(there, curves, np.inf).min(0, initial=np.inf)
    most = np.where(there, curves, -np.inf).max(0, initial=-np.inf)
    return Band(mean, np.where(two, least, low), np.where(two, most, high), count)
