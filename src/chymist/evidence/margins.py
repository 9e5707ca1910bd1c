"""How far apart two classes are, and what that promises a perceptron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.errors import InputError, UsageError

HARD = 1e9  # price of a point on the wrong side: none is accepted


class MistakeBound(NamedTuple):
    """What bounds the mistakes of a perceptron that starts at zero.

    Args:
        radius: R, length of the longest row, with the 1 that the intercept reads.
        margin: gamma, the greatest distance of all rows from a hyperplane that separates them.
        bound: (R / gamma)^2.
    """

    radius: float
    margin: float
    bound: float


def mistake_bound(inputs: np.ndarray, targets: np.ndarray) -> MistakeBound:
    """Most mistakes that a perceptron makes on separable rows, in whatever order and how often.

    Rosenblatt's rule from zero weights makes at most (R / gamma)^2 of them: each adds at least
    gamma to the weights along the best normal, and at most R^2 to their squared length. Rows are
    taken with a last column of 1, so that the hyperplane goes through the origin.

    Args:
        inputs: rows as the perceptron reads them, (n, features).
        targets: class of each row, two of them, (n,).

    Returns:
        Radius, margin (of a support vector machine without slack) and bound.

    Raises:
        InputError: no hyperplane separates the rows.
        UsageError: there are not two classes.

    Example:
        >>> found = mistake_bound(np.array([[1.0], [-1.0]]), np.array([1, 0]))
        >>> [round(value, 6) for value in found]
        [1.414214, 1.0, 2.0]

    Source: Novikoff 1962; Block 1962.
    """
    from scipy.optimize import linprog
    from sklearn.svm import SVC

    from chymist.maths import common_point  # here, for it takes SciPy with it

    classes, index = np.unique(targets, return_inverse=True)
    if len(classes) != 2:
        raise UsageError("the bound is for two classes", received=f"{len(classes)} classes",
                         do="take one class against the others")  # fmt: skip
    rows = np.column_stack([np.asarray(inputs, np.float64), np.ones(len(inputs))])
    radius = float(np.sqrt(np.square(rows).sum(1).max()))
    signed = rows / radius * (2 * index - 1)[:, None]
    free = (None, None)  # a linear programme without objective: is there a separating hyperplane?
    some = linprog(np.zeros(rows.shape[1]), -signed, -np.ones(len(signed)), bounds=free)
    if some.status != 0:
        shared = common_point(rows[index == 0], rows[index == 1])
        proof = "" if shared is None else (
            f" (a mixture of {(shared.first > 0).sum()} of one class is one of "
            f"{(shared.second > 0).sum()} of the other)"
        )  # fmt: skip
        raise InputError("no hyperplane separates the rows", received=f"{len(rows)} rows{proof}",
                         do="a perceptron comes to no rest on them")  # fmt: skip
    # Rows and their mirror images: the best hyperplane between them goes through the origin.
    both = np.vstack([signed, -signed])
    found = SVC(kernel="linear", C=HARD, tol=1e-6).fit(both, np.repeat([1, -1], len(signed)))
    normal = found.coef_[0]
    margin = radius * float((signed @ normal).min() / np.sqrt(np.square(normal).sum()))
    return MistakeBound(radius, margin, (radius / margin) ** 2)
