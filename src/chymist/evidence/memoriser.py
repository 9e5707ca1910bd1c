"""Memorisers: what knowing all training rows by heart is worth on other rows.

Both score 100 % on distinct training rows. A score on training rows is therefore no evidence that
anything was learnt; what they reach on held rows is a floor that needs no training.
"""

from __future__ import annotations

import numpy as np

from chymist.evidence.floors import BUDGET
from chymist.keys import generator
from chymist.values import Task

Array = np.ndarray

NEAREST, TABLE = "nearest neighbour", "lookup table"


def memorisers(
    x_train: Array, y_train: Array, x: Array, task: Task, classes: int = 0, seed: int = 0
) -> dict[str, Array]:
    """What two memorisers say about rows.

    The lookup table knows the rows that it has seen, and says of any other the target of a training
    row drawn at random. The nearest neighbour says the target of the most similar training row. Of
    training rows with equal inputs both know the first one.

    Args:
        x_train: prepared training inputs, (n, ...), flattened to (n, features).
        y_train: class indices (n,), or values (n,) or (n, outputs).
        x: prepared inputs of other rows, (m, ...).
        task: "classification" or "regression".
        classes: number of classes.
        seed: seed of the random targets.

    Returns:
        Outputs by name: probabilities (m, classes), or values like y_train; none where finding the
        neighbours would take more multiply-adds than a floor may.

    Example:
        >>> said = memorisers(np.eye(2), np.array([3.0, 5.0]), np.eye(2), "regression")
        >>> said["lookup table"].tolist(), said["nearest neighbour"].tolist()
        ([3.0, 5.0], [3.0, 5.0])

    Source: Cover, Hart 1967, Nearest neighbor pattern classification; Zhang et al. 2017,
        Understanding deep learning requires rethinking generalization.
    """
    from sklearn.metrics import pairwise_distances_argmin

    train, new = x_train.reshape(len(x_train), -1), x.reshape(len(x), -1)
    if train.size * len(new) > BUDGET:
        return {}
    nearest = pairwise_distances_argmin(new, train)
    known = (train[nearest] == new).all(1)
    guess = generator(seed, "lookup table").integers(0, len(train), len(new))
    found = {NEAREST: y_train[nearest], TABLE: y_train[np.where(known, nearest, guess)]}
    if task == "regression":
        return found
    return {name: np.eye(classes)[labels] for name, labels in found.items()}
