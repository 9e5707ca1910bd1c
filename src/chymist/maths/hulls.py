"""Can a hyperplane separate two sets of points? If none can, their convex hulls share a point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError


class CommonPoint(NamedTuple):
    """A point in the convex hulls of two sets: the proof that no hyperplane separates them.

    Args:
        point: the shared point, (features,).
        first, second: how it is mixed from the points of each set: shares from 0 that add up to 1,
            (n,) and (m,). At most features + 2 of all are not 0.
    """

    point: np.ndarray
    first: np.ndarray
    second: np.ndarray


def common_point(first: ArrayLike, second: ArrayLike) -> CommonPoint | None:
    """A point in the convex hulls of both sets, or None: then a hyperplane separates them.

    A score w x + b that is above 0 on all of one set is above 0 on all mixtures of it, so at a
    shared point it would have to be above and below 0 at once. If there is no shared point, there
    is a separating hyperplane (Minkowski). Which of both holds is a linear programme: shares p and
    q from 0, with sum p = sum q = 1 and sum p_i a_i = sum q_j b_j.

    Args:
        first, second: points, (n, features) and (m, features).

    Returns:
        The point and its shares, or None.

    Raises:
        InputError: no points, of different length, or numbers that are not finite.

    Example:
        >>> found = common_point([[0, 0], [1, 1]], [[0, 1], [1, 0]])  # XOR
        >>> found.point, found.first, found.second
        (array([0.5, 0.5]), array([0.5, 0.5]), array([0.5, 0.5]))
        >>> common_point([[0, 0], [1, 0]], [[0, 1], [1, 1]]) is None
        True

    Source: Minkowski 1910; Boyd, Vandenberghe 2004, section 2.5.
    """
    from scipy.optimize import linprog

    a, b = (np.asarray(points, np.float64) for points in (first, second))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not (len(a) and len(b)):
        raise InputError("two sets of points of one length are needed", where="common_point",
                         received=f"shapes {a.shape} and {b.shape}")  # fmt: skip
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("points must be finite", where="common_point")
    middle = a.mean(0)
    scale = max(np.abs(a - middle).max(), np.abs(b - middle).max()) or 1.0
    sides = np.hstack([(a - middle).T, (middle - b).T]) / scale
    sums = np.repeat(np.eye(2), [len(a), len(b)], axis=1)
    # The simplex method ends in a corner, where few shares are not 0.
    found = linprog(np.zeros(len(a) + len(b)), A_eq=np.vstack([sides, sums]),
                    b_eq=np.r_[np.zeros(a.shape[1]), 1, 1], method="highs-ds")  # fmt: skip
    if found.status != 0:
        return None
    shares = np.maximum(found.x, 0)
    p, q = shares[: len(a)], shares[len(a) :]
    p, q = p / p.sum(), q / q.sum()
    return CommonPoint(p @ a, p, q)
