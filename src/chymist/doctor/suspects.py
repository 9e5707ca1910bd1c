"""Rows whose labels are contradicted by a learner that has not seen them."""

from __future__ import annotations

import numpy as np

from chymist.keys import key

TREES = 100  # scikit-learn's default; a row is left out of 37 of them
MOST = 10_000  # rows that one tree sees


def suspects(inputs: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which rows are likely to have a wrong label, by confident learning.

    A random forest gives p(class) of each row from the trees that were not grown on it. A class is
    believed where its p reaches t, the mean of its p over rows that have its label; a row is a
    suspect if the most probable of the classes believed is not its own.

    Args:
        inputs: numbers, (rows, features).
        labels: class indices, (rows,).
        seed: of the forest.

    Returns:
        A mask, (rows,).

    Example:
        >>> x = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> y = np.repeat([0, 1], 50)
        >>> y[3] = 1
        >>> np.flatnonzero(suspects(x, y)).tolist()
        [3]

    Source: Northcutt, Jiang, Chuang 2021, Confident learning, JAIR 70; Breiman 2001 (out-of-bag).
    """
    from sklearn.ensemble import RandomForestClassifier

    known, labels = np.unique(labels, return_inverse=True)
    if len(known) < 2 or len(labels) < 2 * len(known):
        return np.zeros(len(labels), bool)
    forest = RandomForestClassifier(
        TREES, max_samples=min(len(labels), MOST), oob_score=True,
        random_state=key(seed, "suspects") % 2**32,
    )  # fmt: skip
    shares = np.nan_to_num(forest.fit(inputs, labels).oob_decision_function_)
    least = np.array([shares[labels == n, n].mean() for n in range(len(known))])
    believed = np.where(shares >= least, shares, -1.0)
    found: np.ndarray = (believed.max(1) >= 0) & (believed.argmax(1) != labels)
    return found
