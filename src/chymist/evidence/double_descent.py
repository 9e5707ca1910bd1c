"""Double descent noticed: a loss that rises with complexity and falls again beyond a peak.

A pure function of the curve: losses of several fits at each level of complexity. Chance alone makes
every curve rise and fall somewhere; how far it does so by chance is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chymist.errors import InputError
from chymist.evidence.resampled import corrected_t
from chymist.evidence.verdict import PairedDifference
from chymist.keys import generator

Array = np.ndarray

CLEAR = 0.05
CURVES = 2000  # simulated; the share of them that exceeds 5 % is then known to half a point
FEWEST = 4  # levels: valley, peak, and what follows, with one to spare


@dataclass(frozen=True)
class DoubleDescent:
    """The clearest rise and second fall of a curve, whether or not they are more than chance.

    Args:
        valley, peak, second: numbers of the levels where the loss is lowest before the peak, where
            it peaks, and where it is lowest after it.
        rise: loss at the peak minus that in the valley.
        fall: loss at the peak minus that after it.
        p: how often noise alone rises, or falls, as clearly somewhere on a curve of as many levels:
            the larger of the two.
    """

    valley: int
    peak: int
    second: int
    rise: PairedDifference
    fall: PairedDifference
    p: float

    @property
    def clear(self) -> bool:
        """Whether both the rise and the second fall are more than chance."""
        return self.p < CLEAR


def double_descent(losses: Array, test_share: float, repeats: int = 1) -> DoubleDescent | None:
    """Find the clearest peak of a curve: a rise, and a fall after it.

    For each level k between the first and the last, p_rise(k) is the one-sided p-value of the
    corrected resampled t-test of the losses at k against those at the lowest earlier level,
    p_fall(k) against the lowest later one; the peak has the least max(p_rise, p_fall). That is
    compared with the least p-value between any two levels, the earlier the lower, of curves of
    independent normal noise. Double descent needs both, so the test errs in 5 % of cases at most
    even where one of them is real (Berger's intersection-union test): a loss that rises and then
    stays has no second fall. Measured: 0.3 % of flat curves, 1 to 5 % of those with one real step
    are called so (10 levels, 5 folds).

    Losses of which some are many times others are compared best by their logarithms.

    Args:
        losses: one row a level, in the order of complexity, one column a fit, on the same held rows
            at all levels, (levels, fits).
        test_share, repeats: as in `corrected_t`.

    Returns:
        A `DoubleDescent`; None for fewer than four levels or two fits, or where no level lies above
        both an earlier and a later one.

    Raises:
        InputError: not a matrix of finite numbers.

    Example:
        >>> noise = generator(0, "noise").normal(size=(6, 10)) / 10
        >>> found = double_descent(np.array([[3], [1], [2], [5], [2], [1]]) + noise, 0.2)
        >>> found.valley, found.peak, found.second, found.clear
        (1, 3, 5, True)
        >>> print(double_descent(np.array([[3], [2], [1], [2], [3], [4]]) + noise, 0.2))
        None

    Source: Belkin, Hsu, Ma, Mandal 2019, Reconciling modern machine-learning practice and the
        bias-variance trade-off; Berger 1982; Nadeau, Bengio 2003.
    """
    values = np.asarray(losses, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError("losses are a matrix of finite numbers", where="losses",
                         received=f"shape {values.shape}",
                         do="give one row a level, one column a fit")  # fmt: skip
    levels, fits = values.shape
    if levels < FEWEST or fits < 2:
        return None
    means, peaks = values.mean(1), []
    for peak in range(1, levels - 1):
        valley = int(means[:peak].argmin())
        second = peak + 1 + int(means[peak + 1 :].argmin())
        rise = corrected_t(values[peak] - values[valley], test_share, repeats)
        fall = corrected_t(values[peak] - values[second], test_share, repeats)
        peaks.append((max(_tail(rise), _tail(fall)), valley, peak, second, rise, fall))
    chance, valley, peak, second, rise, fall = min(peaks, key=lambda one: one[:4])
    if rise.value <= 0 or fall.value <= 0:
        return None
    by_chance = _least_tails(levels, fits)
    p = (1 + int((by_chance <= chance).sum())) / (1 + len(by_chance))
    return DoubleDescent(valley, peak, second, rise, fall, p)


def _tail(found: PairedDifference) -> float:
    """One-sided p-value of no rise."""
    return found.p / 2 if found.value > 0 else 1 - found.p / 2


@lru_cache(maxsize=32)
def _least_tails(levels: int, fits: int) -> Array:
    """The least one-sided p-value of a rise between any two levels of flat, noisy curves."""
    from scipy.special import stdtr

    rng, found = generator(0, "flat curves", levels, fits), np.empty(CURVES)
    for number in range(CURVES):
        values = rng.normal(size=(levels, fits))
        means, spread = values.mean(1), np.cov(values)
        own = np.diag(spread)
        variance = own[:, None] + own[None] - 2 * spread
        rises = means[None] - means[:, None]  # [a, b]: from a to b
        upper = np.triu_indices(levels, 1)
        greatest = (rises[upper] / np.sqrt(variance[upper] / fits)).max()
        found[number] = stdtr(fits - 1, -greatest)
    return found
