"""Probability on finite tables: marginals, conditionals, Bayes' theorem, independence, moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError
from chymist.keys import generator

Array = np.ndarray
SLACK = 1e-9  # how far from 1 a sum of probabilities may be, for rounding


def distribution(p: ArrayLike, size: int | None = None, axes: int = 1) -> Array:
    """Probabilities as an array, checked: not negative, of sum 1.

    Args:
        p: probabilities.
        size: how many outcomes they must have; None for any.
        axes: 1 for one variable, 2 for a joint table.

    Raises:
        InputError: they are no distribution.

    Example:
        >>> distribution([0.5, 0.5]).sum()
        np.float64(1.0)
    """
    values = np.asarray(p, np.float64)
    if values.ndim != axes or not values.size or (size is not None and len(values) != size):
        wanted = f"{size} outcomes" if size is not None else f"an array with {axes} axes"
        raise InputError("the shape of a distribution is wrong", where="probabilities",
                         received=f"shape {values.shape}", do=f"give {wanted}")  # fmt: skip
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise InputError("a probability is negative or not finite", where="probabilities",
                         received=str(values.min()))  # fmt: skip
    if abs(values.sum() - 1) > SLACK:
        raise InputError("probabilities do not add up to 1", where="probabilities",
                         received=f"a sum of {values.sum():.6g}",
                         do="divide counts by their sum")  # fmt: skip
    return values


def marginal(joint: ArrayLike, axis: int = 0) -> Array:
    """The distribution of one variable, P(A = i) = sum_j P(A = i, B = j).

    Args:
        joint: P(A = i, B = j), (n, m).
        axis: which variable is kept: 0 for A (rows), 1 for B (columns).

    Returns:
        Probabilities, (n,) or (m,).

    Raises:
        InputError: no joint distribution.

    Example:
        >>> marginal([[0.125, 0.25], [0.125, 0.5]], axis=1)
        array([0.25, 0.75])
    """
    return np.asarray(distribution(joint, axes=2).sum(1 - axis))


def conditional(joint: ArrayLike, given: int = 1) -> Array:
    """The distribution of one variable given the other, P(A = i | B = j) = P(A, B) / P(B).

    Args:
        joint: P(A = i, B = j), (n, m).
        given: which variable is known: 0 for A (rows), 1 for B (columns).

    Returns:
        The table, (n, m): each column (given=1) or row (given=0) adds up to 1.

    Raises:
        InputError: no joint distribution, or a known value that cannot happen.

    Example:
        >>> conditional([[0.125, 0.25], [0.125, 0.5]], given=0)[1]
        array([0.2, 0.8])
    """
    table = distribution(joint, axes=2)
    known = table.sum(1 - given, keepdims=True)
    if not known.all():
        raise InputError("nothing is known given what cannot happen", where="conditional",
                         received=f"value {int(np.argmin(known))} has probability 0")  # fmt: skip
    return np.asarray(table / known)


def posterior(prior: ArrayLike, likelihood: ArrayLike) -> Array:
    """Bayes' theorem, P(A = i | b) = P(b | A = i) P(A = i) / sum_k P(b | A = k) P(A = k).

    Args:
        prior: P(A = i), (n,).
        likelihood: P(b | A = i) of what was seen, (n,); need not add up to 1.

    Returns:
        Probabilities, (n,).

    Raises:
        InputError: no distribution, or what was seen cannot happen.

    Example:
        >>> posterior([0.01, 0.99], [0.9, 0.1]).round(4)  # one in a hundred is ill
        array([0.0833, 0.9167])

    Source: Bayes 1763.
    """
    before = distribution(prior)
    seen = np.asarray(likelihood, np.float64)
    if seen.shape != before.shape or not ((seen >= 0) & np.isfinite(seen)).all():
        raise InputError("the likelihood does not fit the prior", where="posterior",
                         received=f"shapes {seen.shape} and {before.shape}",
                         do="give a number >= 0 for each outcome")  # fmt: skip
    joint = before * seen
    if not joint.sum():
        raise InputError("what was seen cannot happen", where="posterior",
                         received="likelihood 0 for all that the prior allows")  # fmt: skip
    return np.asarray(joint / joint.sum())


def independent(joint: ArrayLike, tolerance: float = 1e-9) -> bool:
    """Whether P(A = i, B = j) = P(A = i) P(B = j) for all i, j.

    Args:
        joint: P(A = i, B = j), (n, m).
        tolerance: how far the two sides may be apart, for rounding.

    Raises:
        InputError: no joint distribution.

    Example:
        >>> independent(np.outer([0.3, 0.7], [0.2, 0.8])), independent([[0.5, 0], [0, 0.5]])
        (True, False)
    """
    table = distribution(joint, axes=2)
    product = np.outer(table.sum(1), table.sum(0))
    return bool(np.abs(table - product).max() <= tolerance)


def expectation(values: ArrayLike, probabilities: ArrayLike) -> float:
    """Expectation, E X = sum_i p_i x_i.

    Args:
        values: x_i, (k,).
        probabilities: p_i, (k,).

    Raises:
        InputError: no distribution over the values.

    Example:
        >>> expectation([1, 2, 3, 4, 5, 6], [1 / 6] * 6)
        3.5
    """
    points = np.asarray(values, np.float64)
    if points.ndim != 1:
        raise InputError("values of a distribution are a row of numbers", where="values",
                         received=f"shape {points.shape}")  # fmt: skip
    return float(np.dot(distribution(probabilities, len(points)), points))


def variance(values: ArrayLike, probabilities: ArrayLike) -> float:
    """Variance, Var X = E (X - E X)^2.

    Args:
        values: x_i, (k,).
        probabilities: p_i, (k,).

    Raises:
        InputError: no distribution over the values.

    Example:
        >>> variance([0, 1], [0.5, 0.5])
        0.25
    """
    points = np.asarray(values, np.float64)
    return expectation((points - expectation(points, probabilities)) ** 2, probabilities)


def sample(probabilities: ArrayLike, size: int, seed: int = 0) -> Array:
    """Draw outcomes from a distribution; the draws are a function of the seed.

    Args:
        probabilities: p_i, (k,).
        size: number of draws.
        seed: seed of the draws.

    Returns:
        Outcomes 0..k-1, int64, (size,).

    Raises:
        InputError: no distribution.

    Example:
        >>> (sample([0.2, 0.8], 10_000) == 1).mean().round(1)
        np.float64(0.8)
    """
    p = distribution(probabilities)
    return generator(seed, "sample").choice(len(p), size, p=p / p.sum())
