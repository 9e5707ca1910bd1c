"""Tests of paired differences: per-fold scores of two recipes, or per-row losses of two models.

Scores of folds are not independent, for their training sets overlap: Student's test on them calls
equal recipes different far too often. `corrected_t` and `bayesian_correlated_t` allow for that.
`permutation_test` is for independent differences (rows of one test set, or separate data sets).
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import NamedTuple

import numpy as np

from chymist import keys
from chymist.errors import InputError
from chymist.evidence.intervals import draws_interval, student
from chymist.evidence.verdict import PairedDifference

Array = np.ndarray

EXACT = 14  # differences of which every pattern of signs is tried: 16,384 patterns
ROUNDING = 1e-12  # what sums of equal numbers may differ by, relative to their size
LEAST = 1e-30  # one-sided p-value below which none is told apart


class Practical(NamedTuple):
    """Probabilities that the true difference is below, within and above the region around zero."""

    left: float
    rope: float
    right: float


def corrected_t(differences: Array, test_share: float, repeats: int = 1) -> PairedDifference:
    """Corrected resampled t-test of two recipes on the same folds and repeats.

    mean d +- sqrt((t_{J-1} s sqrt(1/J + n_test/n_train))^2 + (t_{R-1} u/sqrt(R))^2). The second
    term under the root allows for the overlap of the training sets; without it (Student's test)
    equal recipes are called different in 27 % of cases at 10 folds x 3 repeats, with it in 2.4 %
    (nearest means, 300 rows; `docs/statistics.md`).

    u^2 = max(0, variance of the R means of repeats - mean variance within repeats/K) is what the
    luck of one initialisation adds, which all K folds of a repeat share. It is zero where repeats
    differ no more than folds do; with one repeat it cannot be known and counts as zero. Without it
    equal networks that are far from trained are called different in 23 % of cases, with it in 4 %.

    Repeats must draw new folds: of several seeds on the same folds take the mean in each fold.
    Differences without spread carry no information on their spread: if all are zero the
    interval is [0, 0], otherwise it is unbounded with p = 1. So it is for a single difference.

    Args:
        differences: score of one recipe minus that of the other, one per fold, one repeat after
            the other, (J,) = (R K,).
        test_share: share of the rows that each fold scores, n_test/(n_train + n_test): 1/K for K
            folds.
        repeats: R, the number of repeats; 1 if no initialisation is shared by several folds.

    Returns:
        A `PairedDifference`.

    Raises:
        InputError: no differences, not finite, a share outside (0, 1), or differences that are not
            R repeats of equally many folds.

    Example:
        >>> found = corrected_t(np.array([2.0, 1.0, 3.0, 2.0, 1.0, 3.0]), test_share=1 / 3)
        >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), round(found.p, 3)
        (2.0, 0.12, 3.88, 0.041)
        >>> shifted = np.array([1.0, 2.0, 1.0, 5.0, 6.0, 5.0])  # the second initialisation
        >>> round(corrected_t(shifted, test_share=1 / 3, repeats=2).low, 1)
        -22.3

    Source: Nadeau, Bengio 2003, Inference for the generalization error; Bouckaert, Frank 2004;
        Searle, Casella, McCulloch 1992 (u^2, analysis of variance); Howe 1974; Zou, Donner 2008
        (margins of independent parts add in squares).
    """
    values = _checked(differences)
    errors = _errors(values, test_share, "test_share", repeats)
    if errors.rows == inf and not values.any():
        return PairedDifference(0.0, 0.0, 0.0, 1.0)
    mean = float(values.mean())
    if errors.luck == 0.0:
        return PairedDifference(*student(mean, errors.rows, errors.freedom, 0.95))
    half = errors.margin(0.025)
    return PairedDifference(mean, mean - half, mean + half, 2 * errors.beyond(abs(mean)))


def bayesian_correlated_t(
    differences: Array, rope: float, rho: float, repeats: int = 1
) -> Practical:
    """Probabilities that a difference is practically negative, equivalent or positive.

    The posterior of the mean difference is Student's t with J - 1 degrees of freedom, centre mean
    d and scale s sqrt(1/J + rho/(1 - rho)); the three are its mass below -rope, between, and above
    rope. With rope = 0 they are the one-sided p-values of `corrected_t`, and where repeats differ
    more than folds do, the masses are those of its confidence distribution.

    Differences that are all zero are equivalent for sure; other differences without spread, and a
    single one, say nothing of how far the truth may be away: (0.5, 0, 0.5).

    Args:
        differences: score of one recipe minus that of the other, one per fold and repeat, (J,).
        rope: half-width of the region of practical equivalence, in the unit of the score.
        rho: correlation of two folds' differences; by convention the share of the rows that each
            fold scores, 1/K for K folds.
        repeats: as in `corrected_t`.

    Returns:
        `Practical` (left, rope, right), which add up to 1.

    Raises:
        InputError: as `corrected_t`, or a negative region.

    Example:
        >>> found = bayesian_correlated_t(np.array([2.0, 1.0, 3.0, 2.0, 1.0, 3.0]), 1.0, 1 / 3)
        >>> [round(share, 3) for share in found]
        [0.005, 0.11, 0.885]

    Source: Benavoli, Corani, Demsar, Zaffalon 2017, Time for a change; Corani, Benavoli 2015.
    """
    values = _checked(differences)
    if not 0 <= rope < inf:
        raise InputError("a region of equivalence is a half-width", where="rope",
                         received=f"{rope:g}", do="give a number from 0 on")  # fmt: skip
    errors = _errors(values, rho, "rho", repeats)
    if errors.rows == inf:
        return Practical(0.0, 1.0, 0.0) if not values.any() else Practical(0.5, 0.0, 0.5)
    mean = float(values.mean())
    left, right = errors.beyond(rope + mean), errors.beyond(rope - mean)
    return Practical(left, max(0.0, 1.0 - left - right), right)


def permutation_test(differences: Array, seed: int = 0, resamples: int = 9999) -> PairedDifference:
    """Paired permutation test: the signs of independent differences are exchanged.

    If neither model is better, each difference has either sign with the same chance. p is the share
    of sign patterns whose mean is at least as far from zero: of all 2^n patterns for up to 14
    differences, else of `resamples` random ones and the observed one, (b + 1)/(m + 1). The interval
    holds the shifts that the test does not reject: it lies between order statistics of the means of
    subsets, and excludes zero exactly if p < 0.05. Fewer than six differences never reach 0.05.

    Args:
        differences: loss or score of one model minus that of the other, one per row, (n,). Rows
            must be independent: folds are not, use `corrected_t` for them.
        seed: seed of the random patterns.
        resamples: number of random patterns.

    Returns:
        A `PairedDifference`.

    Raises:
        InputError: no differences, or not finite.

    Example:
        >>> found = permutation_test(np.array([0.3, 0.1, 0.4, 0.2, 0.6, 0.5]))
        >>> round(found.value, 2), found.low, found.high, found.p
        (0.35, 0.1, 0.6, 0.03125)

    Source: Fisher 1935; Hartigan 1969, Using subsample values as typical values; Phipson, Smyth
        2010, Permutation p-values should never be zero.
    """
    values = _checked(differences)
    flipped = _subset_means(values, seed, resamples)
    return PairedDifference(float(values.mean()), *draws_interval(flipped))


def holm(p_values: Array) -> Array:
    """p-values adjusted for their number, by Holm's step-down method.

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_(j), at most 1. Whoever rejects
    what is below alpha then errs anywhere with probability alpha at most, however the tests depend
    on each other.

    Args:
        p_values: (m,).

    Returns:
        Adjusted p-values in the same order, (m,).

    Raises:
        InputError: a p-value outside [0, 1].

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]

    Source: Holm 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise InputError("p-values are a vector of numbers from 0 to 1", where="p_values",
                         received=f"shape {p.shape}", do="give one p-value per test")  # fmt: skip
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _checked(differences: Array) -> Array:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values)):
        raise InputError("differences are a vector of finite numbers", where="differences",
                         received=f"shape {values.shape}",
                         do="give one number per fold or row, without NaN")  # fmt: skip
    return values


class _Errors(NamedTuple):
    """Standard errors of the mean of correlated differences, by where they come from.

    Args:
        rows: of the rows that folds happen to hold and be trained on; infinite if not known.
        luck: of the initialisations of the repeats, beyond that.
        freedom: degrees of freedom of `rows`.
        repeats: number of repeats.
    """

    rows: float
    luck: float
    freedom: int
    repeats: int

    def margin(self, tail: float) -> float:
        """Distance from the mean with a mass beyond it."""
        from scipy.special import stdtrit

        # Quantiles at the small end are exact; 1 - tail would lose what is small.
        luck = self.luck * stdtrit(self.repeats - 1, tail) if self.luck else 0.0
        return float(np.hypot(self.rows * stdtrit(self.freedom, tail), luck))

    def beyond(self, distance: float) -> float:
        """Mass beyond a distance from the mean: the tail that has it as its margin."""
        from scipy.optimize import brentq
        from scipy.special import stdtr

        if self.luck == 0.0:
            return float(stdtr(self.freedom, -distance / self.rows))
        if distance < 0:
            return 1.0 - self.beyond(-distance)
        if distance >= self.margin(LEAST):
            return LEAST
        found = brentq(lambda x: self.margin(exp(x)) - distance, log(LEAST), log(0.5))
        return exp(float(found))


def _errors(values: Array, share: float, where: str, repeats: int) -> _Errors:
    """Standard errors of the mean of correlated differences."""
    if not 0 < share < 1:
        raise InputError("a share of test rows is between 0 and 1", where=where,
                         received=f"{share:g}", do="give 1/K for K folds")  # fmt: skip
    if repeats < 1 or len(values) % repeats or (repeats > 1 and len(values) < 2 * repeats):
        raise InputError("repeats have equally many folds, two at least", where="repeats",
                         received=f"{repeats} repeats of {len(values)} differences",
                         do="give one difference per fold and repeat")  # fmt: skip
    # Equal differences of scores may differ in their last bits: that is no spread either.
    if len(values) < 2 or np.ptp(values) <= ROUNDING * np.abs(values).max():
        return _Errors(inf, 0.0, len(values) - 1, repeats)
    rows = float(values.std(ddof=1)) * sqrt(1 / len(values) + share / (1 - share))
    return _Errors(rows, _luck(values.reshape(repeats, -1)), len(values) - 1, repeats)


def _luck(values: Array) -> float:
    """Standard error by what repeats differ beyond what their folds do; values (R, K)."""
    repeats, folds = values.shape
    if repeats == 1:
        return 0.0
    beyond = values.mean(1).var(ddof=1) - values.var(1, ddof=1).mean() / folds
    return sqrt(max(0.0, float(beyond)) / repeats)


def _subset_means(values: Array, seed: int, resamples: int) -> Array:
    """Means of the subsets whose signs are exchanged: of all but the empty one, or random ones.

    The mean with the signs of a subset exchanged is at least the observed mean exactly if the
    mean of the subset is at most zero; the empty one, should it be drawn, has mean zero.
    """
    n = len(values)
    if n <= EXACT:
        member = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
        sums, sizes = member @ values, member.sum(1)
    else:
        rng, parts = keys.generator(seed, "signs"), []
        block = max(1, 1_000_000 // n)  # patterns at a time, to bound memory
        for start in range(0, resamples, block):
            member = rng.integers(0, 2, (min(block, resamples - start), n), dtype=np.int8)
            parts.append((member @ values, member.sum(1, dtype=np.int64)))
        sums, sizes = (np.concatenate(part) for part in zip(*parts, strict=True))
    sums[np.abs(sums) <= ROUNDING * np.abs(values).sum()] = 0.0
    return np.asarray(sums / np.maximum(sizes, 1))
