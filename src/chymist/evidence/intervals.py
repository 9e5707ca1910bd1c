"""Intervals at a chosen level, from per-example results.

Shares of independent rows have Wilson's interval, the area under the ROC curve DeLong's, and
whatever is a smooth function of means (RMSE, R2, F1, differences of them) the BCa bootstrap.
Clopper and Pearson's interval and the percentile bootstrap are there for who asks for them.
Observed coverage of each is measured in `tests/test_intervals.py` and stated in the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from chymist import keys
from chymist.errors import InputError
from chymist.metrics import check_all_present, check_probabilities, mid_ranks

Array = np.ndarray
Statistic = Callable[[Array], Array]

RESAMPLES = 2000
FEWEST = 20  # rows; below, resampling understates the spread more than Student's t does
MOST = 4000  # rows that are resampled one by one; more are resampled in random groups


class Estimate(NamedTuple):
    """A value with its interval, and the p-value of "the true value is zero".

    The interval excludes zero if p < 1 - level, up to the resolution of the resampling.
    """

    value: float
    low: float
    high: float
    p: float


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for a share.

    (p + z^2/2n +- z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n). At level 0.95 the mean coverage
    over all shares is 0.95 even for n = 10; for single shares it is between 0.83 and 0.99.

    Args:
        successes: number of rows counted, 0..n.
        n: number of rows; an effective number need not be whole.
        level: confidence level.

    Returns:
        (low, high), within [0, 1].

    Raises:
        InputError: no rows, or more successes than rows.

    Example:
        >>> low, high = wilson(352, 360)
        >>> round(low, 3), round(high, 3)
        (0.957, 0.989)

    Source: Wilson 1927; Brown, Cai, DasGupta 2001, Interval estimation for a binomial proportion.
    """
    _check_share(successes, n)
    z, p = normal_quantile(0.5 + level / 2), successes / n
    middle, shrink = p + z * z / (2 * n), 1 + z * z / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else (middle - half) / shrink
    high = 1.0 if successes == n else (middle + half) / shrink
    return float(low), float(high)


def exact_binomial(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share.

    The shares that neither exact one-sided binomial test at (1 - level)/2 rejects; the ends are
    quantiles of Beta(s, n - s + 1) and Beta(s + 1, n - s). Its coverage is never below the level,
    and above it for most shares: Wilson's interval is shorter.

    Args:
        successes: number of rows counted, 0..n.
        n: number of rows.
        level: confidence level.

    Returns:
        (low, high), within [0, 1].

    Raises:
        InputError: no rows, or more successes than rows.

    Example:
        >>> low, high = exact_binomial(352, 360)
        >>> round(low, 3), round(high, 3)
        (0.957, 0.99)

    Source: Clopper, Pearson 1934.
    """
    from scipy.special import betaincinv

    _check_share(successes, n)
    tail = 0.5 - level / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def _check_share(successes: float, n: float) -> None:
    """Refuse counts that make no share."""
    if n <= 0 or not 0 <= successes <= n:
        raise InputError("a share needs rows", received=f"{successes} of {n}",
                         do="give 0 <= successes <= n, n > 0")  # fmt: skip


def mean_recall(hits: Array, counts: Array, level: float = 0.95) -> tuple[float, float]:
    """Interval for the mean of independent shares (balanced accuracy), class counts fixed.

    Each share has Wilson's interval [l, u]; the distances to the estimates p add in squares:
    low = mean p - sqrt(sum (p - l)^2) / C, high = mean p + sqrt(sum (u - p)^2) / C.

    Args:
        hits: rows counted in each class, (C,).
        counts: rows of each class, (C,), at least one.
        level: confidence level.

    Returns:
        (low, high), within [0, 1].

    Example:
        >>> low, high = mean_recall(np.array([9, 8]), np.array([10, 10]))
        >>> round(low, 2), round(high, 2)
        (0.63, 0.93)

    Source: Zou, Donner 2008 (MOVER); Newcombe 1998, method 10.
    """
    shares = hits / counts
    ends = np.array([wilson(float(h), int(n), level) for h, n in zip(hits, counts, strict=True)])
    below = np.sqrt(np.sum((shares - ends[:, 0]) ** 2)) / len(shares)
    above = np.sqrt(np.sum((ends[:, 1] - shares) ** 2)) / len(shares)
    return float(max(0.0, shares.mean() - below)), float(min(1.0, shares.mean() + above))


def mean_t(values: Array, level: float = 0.95) -> Estimate:
    """Student's interval for a mean, m +- t_{n-1} s / sqrt(n).

    Args:
        values: one number per run, fold or row, (n,).
        level: confidence level.

    Returns:
        An `Estimate`; unbounded for a single value.

    Raises:
        InputError: no values.

    Example:
        >>> value, low, high, p = mean_t(np.array([1.0, 2.0, 3.0]))
        >>> round(value, 2), round(low, 2), round(high, 2)
        (2.0, -0.48, 4.48)

    Source: Student 1908.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InputError("a mean needs values", received=f"shape {values.shape}",
                         do="give a vector with at least one number")  # fmt: skip
    n = len(values)
    spread = values.std(ddof=1) / np.sqrt(n) if n > 1 else inf
    return student(float(values.mean()), float(spread), n - 1, level)


def student(value: float, spread: float, freedom: float, level: float) -> Estimate:
    """Value +- t_freedom x spread, with the two-sided p-value of zero.

    Args:
        value: the estimate.
        spread: its standard error.
        freedom: degrees of freedom.
        level: coverage.

    Example:
        >>> round(student(0.0, 1.0, 10, 0.95).high, 3)
        2.228

    Source: Student 1908.
    """
    from scipy.special import stdtr, stdtrit

    if freedom < 1 or not np.isfinite(spread):
        return Estimate(value, -inf, inf, 1.0)
    if spread == 0.0:
        return Estimate(value, value, value, 1.0 if value == 0.0 else 0.0)
    half = float(stdtrit(freedom, 0.5 + level / 2)) * spread
    p = float(2 * stdtr(freedom, -abs(value / spread)))
    return Estimate(value, value - half, value + half, p)


def bca(
    moments: Array,
    statistic: Statistic | None = None,
    counts: Array | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Bias-corrected and accelerated bootstrap interval for a function of means.

    The statistic is f(mean of the moments over rows): RMSE is sqrt of the mean squared error. Rows
    are drawn with replacement; equal rows may be given once with their count. More than 4,000
    different rows are first summed in 4,000 random groups, which keeps variance and skewness. For
    fewer than 20 rows it is Student's interval with the jackknife's standard error.

    Observed coverage at 0.95 of the RMSE: normal errors 0.89 (5 rows), 0.91 (20), 0.94 (50 and
    more); Laplace errors 0.79, 0.87, 0.88 and 0.94 (100 and more).

    Args:
        moments: per-example numbers, (rows, k); a vector counts as k = 1.
        statistic: means (..., k) to values (...); the mean itself if not given.
        counts: how many examples each row stands for, (rows,); ones if not given.
        level: confidence level.
        seed: seed of the resampling.
        resamples: number of bootstrap samples.

    Returns:
        An `Estimate`.

    Raises:
        InputError: no rows.

    Example:
        >>> errors = np.linspace(-1.0, 1.0, 101)
        >>> value, low, high, p = bca(errors**2, lambda m: np.sqrt(m[..., 0]))
        >>> round(value, 3), round(low, 2), round(high, 2)
        (0.583, 0.53, 0.63)

    Source: Efron 1987, Better bootstrap confidence intervals.
    """
    value, columns, weights, function = _sample(moments, statistic, counts, seed)
    n = int(weights.sum())
    influence = _jackknife(columns, weights, function, n)
    if n < FEWEST:
        spread = np.sqrt((n - 1) / n * np.sum(weights * influence**2)) if n > 1 else inf
        return student(value, float(spread), n - 1, level)
    draws = np.sort(function(resampled_means(columns, weights, seed, resamples)))
    return _bca_ends(value, draws, _acceleration(influence, weights), level)


def percentile_bootstrap(
    moments: Array,
    statistic: Statistic | None = None,
    counts: Array | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Percentile bootstrap interval for a function of means.

    The ends are order statistics of the bootstrap values, see `draws_interval`. It corrects neither
    bias nor skewness, and for few rows it is too narrow: prefer `bca`, unless the plain method is
    what you want to show.

    Observed coverage at 0.95 of the mean of normal values: 0.85 (5 rows), 0.93 (20), 0.94 (50).

    Args:
        moments: per-example numbers, (rows, k); a vector counts as k = 1.
        statistic: means (..., k) to values (...); the mean itself if not given.
        counts: how many examples each row stands for, (rows,); ones if not given.
        level: confidence level.
        seed: seed of the resampling.
        resamples: number of bootstrap samples.

    Returns:
        An `Estimate`; unbounded for a single row.

    Raises:
        InputError: no rows.

    Example:
        >>> value, low, high, p = percentile_bootstrap(np.arange(101.0))
        >>> round(value, 1), round(low), round(high)
        (50.0, 44, 55)

    Source: Efron 1979; Davison, Hinkley 1997, chapter 5.
    """
    value, columns, weights, function = _sample(moments, statistic, counts, seed)
    if weights.sum() < 2:
        return student(value, inf, 0, level)
    draws = function(resampled_means(columns, weights, seed, resamples))
    return Estimate(value, *draws_interval(draws, level))


def draws_interval(draws: Array, level: float = 0.95) -> tuple[float, float, float]:
    """Interval and p-value of zero from B resampled values.

    p = 2 min(1 + #(draws <= 0), 1 + #(draws >= 0)) / (B + 1), at most 1. The interval is that of
    the numbers which the same count would not reject in place of zero: the k-th smallest and the
    k-th largest draw, k = ceil((1 - level)/2 (B + 1)) - 1. So it excludes zero exactly if
    p < 1 - level, and is unbounded if there are too few draws.

    Args:
        draws: resampled values, (B,).
        level: confidence level.

    Returns:
        (low, high, p).

    Example:
        >>> draws_interval(np.arange(1.0, 100.0))
        (2.0, 98.0, 0.02)

    Source: Davison, Hinkley 1997, chapters 4 and 5.
    """
    draws, total = np.sort(draws), len(draws)
    at_most, at_least = 1 + int(np.sum(draws <= 0)), 1 + int(np.sum(draws >= 0))
    p = min(1.0, 2 * min(at_most, at_least) / (total + 1))
    k = ceil(round((0.5 - level / 2) * (total + 1), 9)) - 1
    return (float(draws[k - 1]), float(draws[-k]), p) if k > 0 else (-inf, inf, p)


def resampled_means(columns: Array, counts: Array, seed: int, resamples: int) -> Array:
    """Means of the columns over bootstrap samples.

    Args:
        columns: (rows, k).
        counts: how many examples each row stands for, (rows,).
        seed: seed of the draws.
        resamples: number of samples.

    Returns:
        (resamples, k).

    Example:
        >>> resampled_means(np.ones((5, 1)), np.ones(5), seed=0, resamples=3).ravel().tolist()
        [1.0, 1.0, 1.0]
    """
    n, rng = int(counts.sum()), keys.generator(seed, "bootstrap")
    if 4 * len(columns) <= n:  # few distinct rows: draw how often each occurs
        drawn = rng.multinomial(n, counts / n, size=resamples)
        return np.asarray(drawn @ columns / n)
    rows = np.asfortranarray(np.repeat(columns, counts.astype(np.int64), axis=0))
    means = np.empty((resamples, columns.shape[1]))
    block = max(1, 100_000 // n)  # what stays in the processor's cache
    for start in range(0, resamples, block):
        index = rng.integers(0, n, size=(min(block, resamples - start), n), dtype=np.int32)
        for k, column in enumerate(rows.T):
            means[start : start + block, k] = column.take(index).mean(1)
    return means


def _sample(
    moments: Array, statistic: Statistic | None, counts: Array | None, seed: int
) -> tuple[float, Array, Array, Statistic]:
    """The statistic's value, and the columns and counts of what is resampled for it."""
    columns = np.asarray(moments, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    weights = np.ones(len(columns)) if counts is None else np.asarray(counts, dtype=np.float64)
    function, n = statistic or _first, int(weights.sum())
    if n < 1:
        raise InputError("an interval needs rows", received="no rows", do="give at least one")
    value = float(function(weights @ columns / n))
    if n > MOST and 4 * len(columns) > n:
        columns = _in_groups(np.repeat(columns, weights.astype(np.int64), axis=0), seed)
        weights = np.ones(MOST)
    return value, columns, weights, function


def _in_groups(columns: Array, seed: int) -> Array:
    """Rows summed in random groups of nearly equal size, scaled so that their mean is the same."""
    place = keys.generator(seed, "groups").permutation(len(columns)) % MOST
    mean = columns.mean(0)
    sums = [np.bincount(place, column, MOST) for column in (columns - mean).T]
    return np.asarray(mean + np.stack(sums, axis=1) * (MOST / len(columns)))


def _first(means: Array) -> Array:
    return np.asarray(means[..., 0])


def _jackknife(columns: Array, counts: Array, statistic: Statistic, n: int) -> Array:
    """Mean of the leave-one-out values minus each of them, (rows,)."""
    if n < 2:
        return np.zeros(len(columns))
    left_out = statistic((counts @ columns - columns) / (n - 1))
    return np.asarray(counts @ left_out / n - left_out)


def _acceleration(influence: Array, counts: Array) -> float:
    """Skewness of the influence values over six."""
    square = np.sum(counts * influence**2)
    return float(np.sum(counts * influence**3) / (6 * square**1.5)) if square > 0 else 0.0


def _bca_ends(value: float, draws: Array, acceleration: float, level: float) -> Estimate:
    """Interval and p-value from sorted bootstrap values."""
    total = len(draws)
    if draws[0] == draws[-1]:
        return Estimate(value, value, value, 1.0 if value == 0.0 else 0.0)
    below = (np.sum(draws < value) + np.sum(draws <= value)) / (2 * total)
    bias = normal_quantile(_inside(below, total))

    def share(z: float) -> float:  # the bootstrap share whose quantile is the end at z
        return normal_share(bias + (bias + z) / (1 - acceleration * (bias + z)))

    z = normal_quantile(0.5 + level / 2)
    first = max(int(np.ceil(share(-z) * total)), 1) - 1
    last = total - max(int(np.ceil((1 - share(z)) * total)), 1)

    def tail(count: int, sign: int) -> float:  # the level at which that end would touch zero
        w = normal_quantile(_inside(count / total, total)) * sign - bias
        return normal_share(sign * (w / max(1 + acceleration * w, 1e-9) - bias))

    at_most, at_least = int(np.sum(draws <= 0)), int(np.sum(draws >= 0))
    p = 2 * min(tail(at_most, 1), tail(at_least, -1), 0.5)
    return Estimate(value, float(draws[first]), float(draws[last]), p)


def _inside(share: float, total: int) -> float:
    """A share kept half a draw away from 0 and 1, so that its normal quantile is finite."""
    return float(min(max(share, 0.5 / total), 1 - 0.5 / total))


def delong(
    targets: Array, probabilities: Array, level: float = 0.95, groups: Array | None = None
) -> tuple[float, float]:
    """DeLong's interval for the area under the ROC curve, on the logit scale.

    Variance from the placements: for a positive the share of negatives below it, for a negative
    the share of positives above it. More than two classes: the mean of one-vs-rest areas, with
    placements averaged alike. Without variance to estimate (area 0 or 1, or one row of a class)
    it is Newcombe's interval.

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).
        level: confidence level.
        groups: numbers 0..g-1, (n,): rows of one group stand and fall together; else every row
            is for itself.

    Returns:
        (low, high), within [0, 1].

    Raises:
        Undefined: a class is absent.
        InputError: wrong shapes or values.

    Example:
        >>> p = np.array([.1, .4, .35, .8, .7, .6])
        >>> low, high = delong(np.array([0, 0, 1, 1, 1, 0]), np.stack([1 - p, p], 1))
        >>> round(low, 2), round(high, 2)
        (0.17, 0.98)

    Source: DeLong, DeLong, Clarke-Pearson 1988; Qin, Hotilovac 2008 (logit scale);
        Newcombe 2006, part 2, method 5.
    """
    influence, area = auc_influence(targets, probabilities)
    if groups is not None:
        influence = np.bincount(groups, weights=influence)
        targets = targets[np.unique(groups, return_index=True)[1]]
    variance = grouped_variance(influence, targets)
    z = normal_quantile(0.5 + level / 2)
    if not 0 < area < 1 or not np.isfinite(variance):
        smallest = int(np.bincount(targets).min())
        return newcombe_area(area, smallest, len(targets) - smallest, z)
    half = z * np.sqrt(variance) / (area * (1 - area))
    middle = np.log(area / (1 - area))
    return logistic(middle - half), logistic(middle + half)


def auc_influence(targets: Array, probabilities: Array) -> tuple[Array, float]:
    """What each row adds to the area under the ROC curve beyond its mean, and the area.

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).

    Returns:
        (n,) influence values, and the area (mean of one-vs-rest areas for more than two classes).

    Raises:
        Undefined: a class is absent.

    Example:
        >>> values, area = auc_influence(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
        >>> values.tolist(), area
        ([0.0, 0.0], 1.0)

    Source: Sun, Xu 2014, Fast implementation of DeLong's algorithm (mid-ranks).
    """
    targets, probabilities = check_probabilities(targets, probabilities)
    check_all_present(targets, probabilities.shape[1])
    parts = []
    for c in [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1]):
        positive, scores = targets == c, probabilities[:, c]
        m, n = int(positive.sum()), int((~positive).sum())
        ranks, placement = mid_ranks(scores), np.empty(len(scores))
        placement[positive] = (ranks[positive] - mid_ranks(scores[positive])) / n
        placement[~positive] = 1 - (ranks[~positive] - mid_ranks(scores[~positive])) / m
        area = placement[positive].mean()
        parts.append(((placement - area) / np.where(positive, m, n), area))
    influence, areas = zip(*parts, strict=True)
    return np.mean(influence, axis=0), float(np.mean(areas))


def grouped_variance(influence: Array, targets: Array) -> float:
    """Variance of a sum of independent rows, from the scatter within each class.

    Args:
        influence: (n,).
        targets: class indices, (n,).

    Returns:
        The variance; infinite if a class has a single row.

    Example:
        >>> grouped_variance(np.array([0.0, 2.0, 5.0, 5.0]), np.array([0, 0, 1, 1]))
        4.0
    """
    counts = np.bincount(targets)
    if counts[counts > 0].min() < 2:
        return inf
    groups = [influence[targets == c] for c in np.flatnonzero(counts)]
    return float(sum(len(g) * g.var(ddof=1) for g in groups))


def newcombe_area(area: float, m: int, n: int, z: float) -> tuple[float, float]:
    """Areas whose Hanley-McNeil variance puts the observed one z deviations away.

    Args:
        area: the observed area.
        m, n: independent rows (or groups) of one class and of the others.
        z: normal quantile of the level.

    Example:
        >>> [round(end, 2) for end in newcombe_area(1.0, 10, 10, 1.96)]
        [0.8, 1.0]
    """
    from scipy.optimize import brentq

    def distance(theta: float) -> float:
        spread = 1 + ((m + n) / 2 - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return float((area - theta) ** 2 - z * z * theta * (1 - theta) * spread / (m * n))

    edge = 1e-9  # the equation also holds at 0 and 1 themselves, where the variance is zero
    low = brentq(distance, 1e-12, min(area, 1 - edge)) if area > edge else 0.0
    high = brentq(distance, max(area, edge), 1 - 1e-12) if area < 1 - edge else 1.0
    return float(low), float(high)


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)).

    Example:
        >>> logistic(0.0)
        0.5
    """
    return float(1 / (1 + np.exp(-x)))


def normal_quantile(share: float) -> float:
    """Inverse of the standard normal distribution function.

    Example:
        >>> round(normal_quantile(0.975), 4)
        1.96
    """
    return NormalDist().inv_cdf(share)


def normal_share(z: float) -> float:
    """Standard normal distribution function.

    Example:
        >>> round(normal_share(1.96), 3)
        0.975
    """
    return NormalDist().cdf(z)
