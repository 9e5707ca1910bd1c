"""Entropy and its kin, of distributions over finitely many outcomes.

The unit is said: nats (natural logarithm) unless bits (base 2) are asked for.
0 log 0 is 0: what cannot happen does not count.
"""

from __future__ import annotations

from math import log
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr, xlogy

from chymist.errors import UsageError, nearest
from chymist.maths.probability import distribution

Unit = Literal["nats", "bits"]


def entropy(p: ArrayLike, unit: Unit = "nats") -> float:
    """Expected surprise, H(p) = -sum_i p_i log p_i: high when the outcome is hard to guess.

    Args:
        p: probabilities, (k,).
        unit: "nats" or "bits".

    Returns:
        From 0 (one sure outcome) to log k (all equally likely).

    Raises:
        InputError: no distribution.
        UsageError: an unknown unit.

    Example:
        >>> entropy([0.25] * 4, "bits"), round(entropy([0.25] * 4), 6), entropy([0, 1, 0])
        (2.0, 1.386294, 0.0)

    Source: Shannon 1948.
    """
    p = distribution(p)
    return _in(unit, float(xlogy(p, 1 / np.where(p > 0, p, 1)).sum()))


def cross_entropy(p: ArrayLike, q: ArrayLike, unit: Unit = "nats") -> float:
    """Expected surprise of one who believes q where p is true, -sum_i p_i log q_i.

    It is H(p) + KL(p || q), so for q = p it is the entropy of p, and not 0. (The training loss on
    logits is `cy.losses.cross_entropy`.)

    Args:
        p: true probabilities, (k,).
        q: believed probabilities, (k,).
        unit: "nats" or "bits".

    Returns:
        At least the entropy of p; inf if q rules out what p allows.

    Raises:
        InputError: no distributions over the same outcomes.
        UsageError: an unknown unit.

    Example:
        >>> round(cross_entropy([1, 0, 0, 0, 0], [0.4, 0.3, 0.05, 0.05, 0.2]), 6)
        0.916291

    Source: Shannon 1948; Kullback, Leibler 1951.
    """
    p, q = distribution(p), distribution(q)
    return entropy(p, unit) + kl_divergence(p, q, unit)


def kl_divergence(p: ArrayLike, q: ArrayLike, unit: Unit = "nats") -> float:
    """Kullback-Leibler divergence, KL(p || q) = sum_i p_i log(p_i / q_i).

    Zero where and only where p = q. It is no distance: KL(p || q) is not KL(q || p).

    Args:
        p: true probabilities, (k,).
        q: believed probabilities, (k,).
        unit: "nats" or "bits".

    Returns:
        A number >= 0; inf if q rules out what p allows.

    Raises:
        InputError: no distributions over the same outcomes.
        UsageError: an unknown unit.

    Example:
        >>> kl_divergence([0.5, 0.5], [0.5, 0.5])
        0.0
        >>> round(kl_divergence([1, 0], [0.5, 0.5], "bits"), 6)
        1.0

    Source: Kullback, Leibler 1951.
    """
    p = distribution(p)
    q = distribution(q, len(p))
    return _in(unit, max(0.0, float(rel_entr(p, q).sum())))


def mutual_information(joint: ArrayLike, unit: Unit = "nats") -> float:
    """What one variable tells of another, I = KL(joint || product of the marginals).

    Args:
        joint: P(A = i, B = j), (n, m).
        unit: "nats" or "bits".

    Returns:
        A number >= 0; 0 where they are independent.

    Raises:
        InputError: no joint distribution.
        UsageError: an unknown unit.

    Example:
        >>> mutual_information([[0.5, 0], [0, 0.5]], "bits")
        1.0

    Source: Shannon 1948.
    """
    table = distribution(joint, axes=2)
    product = np.outer(table.sum(1), table.sum(0))
    return kl_divergence(table.ravel(), product.ravel(), unit)


def gini(p: ArrayLike) -> float:
    """Gini impurity, 1 - sum_i p_i^2: how often two draws differ.

    Not the Gini coefficient, which measures inequality.

    Args:
        p: probabilities (or shares of classes), (k,).

    Returns:
        From 0 (one class) to 1 - 1 / k (all equally likely).

    Raises:
        InputError: no distribution.

    Example:
        >>> gini([0.5, 0.5]), gini([1, 0])
        (0.5, 0.0)

    Source: Breiman et al. 1984, Classification and regression trees.
    """
    return float(1 - np.square(distribution(p)).sum())


def _in(unit: Unit, nats: float) -> float:
    """A number of nats in the unit that is asked for.

    Raises:
        UsageError: there is no such unit.
    """
    if unit not in get_args(Unit):
        raise UsageError("unknown unit of information", where="unit", received=repr(unit),
                         do=nearest(str(unit), get_args(Unit)))  # fmt: skip
    return nats / log(2) if unit == "bits" else nats
