"""Bias and variance of a learner, from models that were trained on different samples of rows.

Members should be trained on independent training sets; bootstrap samples of one set stand in for
them. Standard errors are about the finite number of members, for these rows: they do not cover what
other rows would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from chymist import keys
from chymist.errors import InputError

Array = np.ndarray

RESAMPLES = 200
BLOCK = 2_000_000  # numbers held at a time


@dataclass(frozen=True)
class SquaredDecomposition:
    """Parts of the mean squared error: error = noise + bias + variance.

    Args:
        error: mean squared error of a member.
        noise: variance of the targets themselves, as it was given.
        bias: mean squared distance of the mean prediction from the target, less the noise; without
            knowledge of the noise it includes it. An estimate, it can be slightly negative.
        variance: mean squared distance of a member from the mean prediction.
        error_spread, bias_spread, variance_spread: their standard errors over members; infinite
            where there are too few members to know.
        members: number of members.
    """

    error: float
    noise: float
    bias: float
    variance: float
    error_spread: float
    bias_spread: float
    variance_spread: float
    members: int


@dataclass(frozen=True)
class ZeroOneDecomposition:
    """Parts of the error rate: error = bias + unbiased_variance - biased_variance.

    Args:
        error: mean error rate of a member.
        bias: share of rows whose main prediction (the members' vote) is wrong.
        variance: mean share of members that differ from the main prediction.
        unbiased_variance: the part of it on rows whose main prediction is right: it does harm.
        biased_variance: share of correct predictions on rows whose main prediction is wrong: it
            does good. With two classes it is the rest of the variance.
        error_spread, bias_spread, variance_spread: their standard errors over members.
        members: number of members.
    """

    error: float
    bias: float
    variance: float
    unbiased_variance: float
    biased_variance: float
    error_spread: float
    bias_spread: float
    variance_spread: float
    members: int


def bias_variance(predictions: Array, targets: Array, noise: float = 0.0) -> SquaredDecomposition:
    """Noise, squared bias and variance of predicted numbers.

    variance = mean of sum_m (f_m - mean f)^2 / (M - 1); bias = mean of (mean f - y)^2, less
    variance/M, less noise. Both are unbiased over draws of members (the plain bias with M members
    is too large by variance/M), and they still add up to the error exactly. Standard errors are
    the jackknife's over members.

    Args:
        predictions: of M members for the same rows, (M, rows) or (M, rows, outputs).
        targets: (rows,) or (rows, outputs).
        noise: variance of the targets around their true mean, known from repeated labels only.

    Returns:
        A `SquaredDecomposition`.

    Raises:
        InputError: fewer than two members, wrong shapes, not finite, or a negative noise.

    Example:
        >>> found = bias_variance(np.array([[1.0, 2.0], [3.0, 2.0], [2.0, 5.0]]), np.ones(2))
        >>> round(found.error, 3), round(found.bias, 3), found.variance
        (3.833, 1.833, 2.0)

    Source: Geman, Bienenstock, Doursat 1992, Neural networks and the bias/variance dilemma.
    """
    f, y = _numbers(predictions, targets)
    if not 0 <= noise < inf:
        raise InputError("noise is a variance", where="noise", received=f"{noise:g}",
                         do="give a number from 0 on")  # fmt: skip
    members = len(f)
    errors = np.mean((f - y) ** 2, axis=1)
    scatter = np.mean((f - f.mean(0)) ** 2, axis=1)
    error, variance = float(errors.mean()), float(scatter.sum() / (members - 1))
    error_spread = float(errors.std(ddof=1)) / sqrt(members)
    bias_spread = variance_spread = inf
    if members > 2:  # what each number would be without member m, in closed form
        without = (members - 1) * variance - members / (members - 1) * scatter
        variances = without / (members - 2)
        variance_spread = _jackknife(variances)
        bias_spread = _jackknife((members * error - errors) / (members - 1) - variances)
    return SquaredDecomposition(
        error, noise, error - variance - noise, variance,
        error_spread, bias_spread, variance_spread, members,
    )  # fmt: skip


def bias_variance_zero_one(
    predictions: Array, targets: Array, seed: int = 0, resamples: int = RESAMPLES
) -> ZeroOneDecomposition:
    """Bias and variance of predicted classes, for the 0-1 loss, without noise.

    The main prediction is the members' most frequent class (the lowest of equally frequent ones).
    On rows where it is right, variance adds to the error; where it is wrong, members that differ
    and are right take from it. Standard errors are the bootstrap's over members. All are plain
    shares of these M members: with few members the vote itself is uncertain, and the bias with it.

    Args:
        predictions: class indices of M members for the same rows, (M, rows).
        targets: class indices, (rows,).
        seed: seed of the bootstrap.
        resamples: number of bootstrap samples of members.

    Returns:
        A `ZeroOneDecomposition`.

    Raises:
        InputError: fewer than two members, wrong shapes, or what is no class index.

    Example:
        >>> votes = np.array([[0, 1, 2], [0, 1, 2], [1, 0, 0]])
        >>> found = bias_variance_zero_one(votes, np.zeros(3, dtype=int))
        >>> [round(part, 3) for part in (found.bias, found.unbiased_variance)]
        [0.667, 0.111]
        >>> round(found.biased_variance, 3), round(found.error, 3)
        (0.222, 0.556)

    Source: Domingos 2000, A unified bias-variance decomposition for zero-one and squared loss.
    """
    votes, truth = _classes(predictions, targets)
    members, n = votes.shape
    classes = int(max(votes.max(), truth.max())) + 1
    rng = keys.generator(seed, "members")
    weights = np.ones((resamples + 1, members))
    weights[1:] = rng.multinomial(members, np.full(members, 1 / members), size=resamples)
    totals = np.zeros((resamples + 1, 5))
    step = max(1, BLOCK // (classes * (resamples + 1)))
    for start in range(0, n, step):
        here = slice(start, start + step)
        totals += _zero_one_sums(weights, votes[:, here], truth[here], classes)
    error, bias, variance, unbiased, biased = map(float, totals[0] / n)
    error_spread, bias_spread, variance_spread = map(float, (totals[1:, :3] / n).std(0, ddof=1))
    return ZeroOneDecomposition(
        error, bias, variance, unbiased, biased,
        error_spread, bias_spread, variance_spread, members,
    )  # fmt: skip


def _zero_one_sums(weights: Array, votes: Array, truth: Array, classes: int) -> Array:
    """Error, bias, variance and its two parts, summed over rows, for each weighting of members."""
    members, n = votes.shape
    one_hot = (votes[:, :, None] == np.arange(classes)).reshape(members, -1).astype(np.float64)
    shares = (weights @ one_hot).reshape(len(weights), n, classes) / members
    differ, right = 1.0 - shares.max(2), shares[:, np.arange(n), truth]
    wrong_main = shares.argmax(2) != truth
    parts = (1.0 - right, wrong_main, differ, differ * ~wrong_main, right * wrong_main)
    return np.stack([part.sum(1) for part in parts], axis=1)


def _jackknife(without: Array) -> float:
    """Standard error from the values without each member."""
    m = len(without)
    return float(np.sqrt((m - 1) * np.var(without)))


def _numbers(predictions: Array, targets: Array) -> tuple[Array, Array]:
    """Predictions (M, numbers) and targets (numbers,)."""
    f, y = (np.asarray(v, dtype=np.float64) for v in (predictions, targets))
    _check_shapes(f, y)
    if not (np.isfinite(f).all() and np.isfinite(y).all()):
        raise InputError("predictions and targets must be finite", where="predictions",
                         received="NaN or infinity", do="leave out what diverged")  # fmt: skip
    return f.reshape(len(f), -1), y.reshape(-1)


def _classes(predictions: Array, targets: Array) -> tuple[Array, Array]:
    votes, truth = np.asarray(predictions), np.asarray(targets)
    _check_shapes(votes, truth)
    kinds = {votes.dtype.kind, truth.dtype.kind}
    if truth.ndim != 1 or kinds - {"i", "u"} or min(votes.min(), truth.min()) < 0:
        raise InputError("classes are whole numbers from 0 on", where="predictions",
                         received=f"{votes.dtype} and {truth.dtype}",
                         do="give class indices, not names or probabilities")  # fmt: skip
    return votes, truth


def _check_shapes(predictions: Array, targets: Array) -> None:
    fits = predictions.ndim > 1 and predictions.shape[1:] == targets.shape and targets.size > 0
    if not fits or len(predictions) < 2:
        raise InputError("predictions of at least two members on the same rows are needed",
                         where="predictions",
                         received=f"shapes {predictions.shape} and {targets.shape}",
                         do="give (members, rows, ...) and (rows, ...)")  # fmt: skip
