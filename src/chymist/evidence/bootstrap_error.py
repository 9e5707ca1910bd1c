"""Error rates from bootstraps: leave-one-out bootstrap, .632 and .632+, with a standard error.

A model that is trained on a bootstrap has seen 63.2 % of the rows, so its error on the others is
too high, and its error on all rows, the apparent one, is too low. The .632 estimator weighs both;
the .632+ estimator moves the weight to the former, the more the model overfits.

Everything is a function of losses: 0 or 1 for a classification, squared errors for a regression.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, sqrt

import numpy as np

from chymist.errors import InputError
from chymist.evidence.intervals import normal_quantile, wilson

Array = np.ndarray

SHARE = 0.632  # of the rows that a large bootstrap holds: 1 - 1/e, as its name is written


@dataclass(frozen=True)
class BootstrapError:
    """Estimates of the error that a model trained on all rows has on a new row.

    Args:
        apparent: error on the rows that the model was trained on.
        out_of_bag: leave-one-out bootstrap error, of models that have not seen the row.
        no_information: error if targets and predictions were independent.
        overfitting: relative overfitting rate, 0 (none) to 1 (nothing was learnt).
        weight: weight of the out-of-bag error in .632+, 0.632 to 1.
        point632: the .632 estimate.
        point632_plus: the .632+ estimate.
        spread: standard error of `point632_plus`.
        low, high: 95 % interval around `point632_plus`.
    """

    apparent: float
    out_of_bag: float
    no_information: float
    overfitting: float
    weight: float
    point632: float
    point632_plus: float
    spread: float
    low: float
    high: float


def bootstrap_error(
    losses: Array,
    drawn: Array,
    apparent: float,
    no_information: float,
    *,
    groups: Array | None = None,
    share: bool = True,
) -> BootstrapError:
    """All estimates, from the losses of B bootstraps on n rows.

    The standard error of .632+ is that of the out-of-bag error, times the ratio of the two. The
    interval of a share is Wilson's, with the effective number of rows that belongs to this standard
    error; that of a squared error is normal on the logarithmic scale.

    Args:
        losses: loss of each bootstrap on each row, (B, n); it is read where the row was not drawn.
        drawn: how often each bootstrap drew each row, (B, n).
        apparent: mean loss of the model of all rows on these rows.
        no_information: see `no_information_share` and `no_information_square`.
        groups: number of each row's group, (n,), if groups were drawn.
        share: whether losses are 0 or 1, so that errors are shares of rows.

    Returns:
        A `BootstrapError`. Rows that every bootstrap drew count in the apparent error only.

    Raises:
        InputError: shapes that do not fit, or no row was ever left out.

    Example:
        >>> drawn = np.array([[2, 0, 1], [0, 1, 2], [1, 2, 0]])
        >>> losses = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1]])
        >>> found = bootstrap_error(losses, drawn, apparent=0.0, no_information=1.0)
        >>> round(found.out_of_bag, 3), round(found.point632, 3), round(found.point632_plus, 3)
        (0.667, 0.421, 0.558)

    Source: Efron, Tibshirani 1997, Improvements on cross-validation: the .632+ bootstrap method.
    """
    rows = out_of_bag_losses(losses, drawn)
    out_of_bag = float(np.nanmean(rows))
    plus, rate, weight = point632_plus(apparent, out_of_bag, no_information)
    known = np.isfinite(rows)
    members = None if groups is None else groups[known]
    spread = standard_error(losses[:, known], drawn[:, known], members)
    spread *= plus / out_of_bag if out_of_bag > 0 else 1.0
    interval = _of_share if share else _of_square
    units = int(known.sum()) if members is None else len(np.unique(members))
    low, high = interval(plus, spread, int(known.sum()), units)
    return BootstrapError(
        apparent, out_of_bag, no_information, rate, weight, point632(apparent, out_of_bag), plus,
        spread, low, high,
    )  # fmt: skip


def out_of_bag_losses(losses: Array, drawn: Array) -> Array:
    """Mean loss of each row over the bootstraps that did not draw it; nan if all drew it.

    Args:
        losses: (B, n).
        drawn: how often each bootstrap drew each row, (B, n).

    Returns:
        (n,); its mean is the leave-one-out bootstrap error.

    Raises:
        InputError: shapes that do not fit, or no row was ever left out.

    Example:
        >>> out_of_bag_losses(np.array([[0, 1], [1, 3]]), np.array([[2, 0], [2, 0]]))
        array([nan,  2.])

    Source: Efron, Tibshirani 1997, equation 17.
    """
    losses, drawn = np.asarray(losses, np.float64), np.asarray(drawn)
    held = drawn == 0
    if losses.shape != drawn.shape or losses.ndim != 2 or not held.any():
        raise InputError(
            "losses do not fit the bootstraps", received=f"{losses.shape} and {drawn.shape}",
            do="give one row a bootstrap, of which some leave rows out",
        )  # fmt: skip
    times = held.sum(0)
    sums = np.where(held, losses, 0.0).sum(0)
    found: Array = np.where(times > 0, sums / np.maximum(times, 1), np.nan)
    return found


def no_information_share(targets: Array, labels: Array) -> float:
    """Share of wrong labels if they were independent of the targets: sum_c p_c (1 - q_c).

    Args:
        targets: class indices, (n,).
        labels: predicted class indices, (n,).

    Example:
        >>> no_information_share(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]))
        0.5

    Source: Efron, Tibshirani 1997, equation 27.
    """
    size = int(max(targets.max(), labels.max())) + 1
    actual = np.bincount(targets, minlength=size) / len(targets)
    guessed = np.bincount(labels, minlength=size) / len(labels)
    return float(actual @ (1 - guessed))


def no_information_square(targets: Array, outputs: Array) -> float:
    """Mean of (y_i - f_j)^2 over all pairs of rows, averaged over the outputs.

    Args:
        targets: values, (n,) or (n, outputs).
        outputs: predicted values, as targets.

    Example:
        >>> no_information_square(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
        1.0

    Source: Efron, Tibshirani 1997, equation 26.
    """
    bias = targets.mean(0) - outputs.mean(0)
    return float(np.mean(targets.var(0) + outputs.var(0) + bias**2))


def overfitting_rate(apparent: float, out_of_bag: float, no_information: float) -> float:
    """R = (Err - err) / (gamma - err), and 0 unless Err and gamma are above err; at most 1.

    Args:
        apparent: err.
        out_of_bag: Err.
        no_information: gamma.

    Example:
        >>> overfitting_rate(0.0, 0.25, 0.5), overfitting_rate(0.3, 0.2, 0.5)
        (0.5, 0.0)

    Source: Efron, Tibshirani 1997, equation 28 and the text below it.
    """
    if min(out_of_bag, no_information) <= apparent:
        return 0.0
    return min(1.0, (out_of_bag - apparent) / (no_information - apparent))


def point632(apparent: float, out_of_bag: float) -> float:
    """0.368 err + 0.632 Err.

    Example:
        >>> round(point632(0.0, 0.5), 3)
        0.316

    Source: Efron 1983, Estimating the error rate of a prediction rule.
    """
    return (1 - SHARE) * apparent + SHARE * out_of_bag


def point632_plus(
    apparent: float, out_of_bag: float, no_information: float
) -> tuple[float, float, float]:
    """0.368 err + 0.632 Err + (min(Err, gamma) - err) 0.368 0.632 R / (1 - 0.368 R).

    Without the clipping at gamma it is (1 - w) err + w Err, with w = 0.632 / (1 - 0.368 R).

    Args:
        apparent: err.
        out_of_bag: Err.
        no_information: gamma.

    Returns:
        The estimate, the overfitting rate R and the weight w.

    Example:
        >>> [round(x, 3) for x in point632_plus(0.0, 0.5, 0.5)]
        [0.5, 1.0, 1.0]
        >>> [round(x, 3) for x in point632_plus(0.1, 0.2, 0.5)]
        [0.17, 0.25, 0.696]

    Source: Efron, Tibshirani 1997, equations 29 to 32.
    """
    rate = overfitting_rate(apparent, out_of_bag, no_information)
    weight = SHARE / (1 - (1 - SHARE) * rate)
    clipped = min(out_of_bag, no_information)
    gain = (1 - SHARE) * SHARE * rate / (1 - (1 - SHARE) * rate)
    return point632(apparent, out_of_bag) + (clipped - apparent) * gain, rate, weight


def standard_error(losses: Array, drawn: Array, groups: Array | None = None) -> float:
    """Standard error of the leave-one-out bootstrap error, by the infinitesimal jackknife.

    With E_i the out-of-bag loss of row i, E their mean and r_b = sum_k I_kb (Q_kb - E_k) / n over
    the rows that bootstrap b has not drawn, the influence of row i is

        D_i = (E_i - E) / n + (1 - 1/n)^-n cov_b(N_ib, r_b)

    and the variance is sum D_i^2, less what B bootstraps add by chance, at least that of the E_i
    alone. This is the delta method after the bootstrap of the source; the part of its covariance
    that is known, that of N_ib with sum_k I_kb E_k, is put in exactly and cancels one of its terms.
    It is derived for draws from all rows; where classes are drawn by themselves it is near.

    Args:
        losses: (B, n).
        drawn: how often each bootstrap drew each row, (B, n); every row is left out by some.
        groups: number of each row's group, (n,), if groups were drawn.

    Returns:
        The standard error; infinite for a single group.

    Example:
        >>> drawn = np.array([[2, 0, 1], [0, 1, 2], [1, 2, 0]])
        >>> round(standard_error(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1]]), drawn), 3)
        0.272

    Source: Efron, Tibshirani 1997, section 5; Wager, Hastie, Efron 2014 (correction for B).
    """
    rows = out_of_bag_losses(losses, drawn)
    excess = np.where(drawn == 0, losses - rows, 0.0)
    unit = np.arange(len(rows)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes, first = np.bincount(unit), np.unique(unit, return_index=True)[1]
    total, size = len(sizes), float(sizes.mean())
    if total < 2:
        return inf
    scale, count = (1 - 1 / total) ** -total, len(drawn)
    own = (np.bincount(unit, rows) - rows.mean() * sizes) / (total * size)
    moved = excess.sum(1) / (total * size)
    times = drawn[:, first] - drawn[:, first].mean(0)
    influence = own + scale * (times.T @ moved) / count
    chance = (total - 1) * scale**2 * float(moved.var()) / count
    return sqrt(max(float(influence @ influence) - chance, float(own @ own)))


def _of_share(value: float, spread: float, rows: int, units: int) -> tuple[float, float]:
    """Wilson's interval with the number of rows that would have this standard error."""
    effective = float(units)
    if 0 < value < 1 and spread > 0:
        effective = min(rows, value * (1 - value) / spread**2)
    return wilson(value * effective, effective) if effective > 0 else (0.0, 1.0)


def _of_square(value: float, spread: float, rows: int, units: int) -> tuple[float, float]:
    """Normal interval for the logarithm of a squared error."""
    if value <= 0:
        return value, value
    ratio = exp(min(normal_quantile(0.975) * spread / value, 700.0))
    return value / ratio, value * ratio
