"""Floors where every step has a class: what the token of the step alone says of it."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
SMOOTHING = 0.1  # tokens that each class is counted beside those that were seen


def step_floors(
    inputs: Array | None, targets: Array, new_inputs: Array | None, owners: Array, classes: int
) -> dict[str, Array]:
    """Chances of each class at every step that has a target, by two countings.

    The first knows how often each class occurs in training. The second knows it for each token:
    c(token, class) + a n(class) over the sum of that, so that unknown tokens fall back on the
    first.

    Args:
        inputs: numbers of tokens of the training rows (rows, steps), or None if the inputs are
            measured numbers.
        targets: class numbers of the training rows (rows, steps), -1 where there is none.
        new_inputs: tokens of the scored rows, (rows, steps), or None.
        owners: whether each of their steps has a target, bool (rows, steps).
        classes: number of classes.

    Returns:
        Chances (steps with a target, classes), by name.

    Example:
        >>> tokens, tags = np.array([[1, 2]]), np.array([[0, 1]])
        >>> made = step_floors(tokens, tags, tokens, tags >= 0, 2)
        >>> made["most frequent class of each token"].argmax(1).tolist()
        [0, 1]
    """
    there = targets >= 0
    often = np.bincount(targets[there], minlength=classes) + 1e-3
    often = often / often.sum()
    count = int(owners.sum())
    outputs = {"most frequent class": np.broadcast_to(often, (count, classes))}
    if inputs is None or new_inputs is None:
        return outputs
    tokens = 1 + int(max(inputs.max(initial=0), new_inputs.max(initial=0)))
    table = np.zeros((tokens, classes), np.float64)
    np.add.at(table, (inputs[there], targets[there]), 1)
    table = table + SMOOTHING * often * classes
    outputs["most frequent class of each token"] = (table / table.sum(1, keepdims=True))[
        new_inputs[owners]
    ]
    return outputs
