"""Whether probabilities are what they say: reliability in bins, and the calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chymist.errors import InputError
from chymist.evidence.intervals import wilson
from chymist.keys import generator

BINS, DRAWS = 15, 200


class Bin(NamedTuple):
    """Rows whose answer was about equally sure.

    Args:
        start, end: of the probability.
        rows: how many there are.
        sure: their mean probability; NaN without rows.
        right: share of them that is right; NaN without rows.
        low, high: Wilson's 95 % interval of that share.
    """

    start: float
    end: float
    rows: int
    sure: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """How often answers are right, beside how sure they were.

    Args:
        bins: of equal width, from 0 to 1.
        error: the expected calibration error.
        chance: what it would stay below in 95 % of samples of so many rows, if the probabilities
            were right.
    """

    bins: tuple[Bin, ...]
    error: float
    chance: float

    @property
    def verdict(self) -> str:
        """ "off" if the error is larger than chance makes it, else "cannot tell"."""
        return "off" if self.error > self.chance else "cannot tell"


def reliability(
    sure: np.ndarray, right: np.ndarray, bins: int = BINS, seed: int = 0
) -> Reliability:
    """Reliability diagram and expected calibration error of the answers that were given.

    ECE = sum_b n_b / n |right_b - sure_b|, over bins of equal width. It is above 0 by chance alone,
    the more the fewer rows there are; what chance makes of it is drawn: rows that are right with
    the probability that they have.

    Args:
        sure: probability of the answer, in [0, 1], (n,).
        right: whether the answer is right, (n,).
        bins: how many.
        seed: of the draws.

    Returns:
        A `Reliability`.

    Raises:
        InputError: no rows, or probabilities beyond [0, 1].

    Example:
        >>> found = reliability(np.array([0.9, 0.9, 0.9, 0.9]), np.array([1, 1, 1, 0]))
        >>> round(found.error, 3), found.verdict
        (0.15, 'cannot tell')

    Source: Guo et al. 2017, arXiv:1706.04599; Bröcker, Smith 2007 (what chance makes of it).
    """
    sure, right = np.asarray(sure, np.float64), np.asarray(right).astype(np.float64)
    if not len(sure) or len(sure) != len(right):
        raise InputError("reliability needs rows", where="sure", received=f"{len(sure)} rows")
    if not ((sure >= 0) & (sure <= 1 + 1e-9)).all():
        raise InputError("these are no probabilities", where="sure",
                         received=f"{sure.min():g} to {sure.max():g}")  # fmt: skip
    place = np.ceil(sure * bins).astype(np.int64).clip(1, bins) - 1  # a bin has its upper end
    rows = np.bincount(place, minlength=bins)
    sums = np.bincount(place, sure, bins)
    hits = np.bincount(place, right, bins)
    random = generator(seed, "calibration")
    by_chance = [
        np.abs(np.bincount(place, random.random(len(sure)) < sure, bins) - sums).sum() / len(sure)
        for _ in range(DRAWS)
    ]
    found = []
    for b in range(bins):
        n = int(rows[b])
        low, high = wilson(hits[b], n) if n else (0.0, 1.0)
        mean, share = (sums[b] / n, hits[b] / n) if n else (np.nan, np.nan)
        found.append(Bin(b / bins, (b + 1) / bins, n, float(mean), float(share), low, high))
    error = float(np.abs(hits - sums).sum() / len(sure))
    return Reliability(tuple(found), error, float(np.quantile(by_chance, 0.95)))
