"""Rows that decide early stopping: a part of the training rows, never of those that are scored."""

from __future__ import annotations

import numpy as np

from chymist.data.splits import MAX_VALID
from chymist.data.subsets import held_part
from chymist.values import Data, Recipe
from chymist.verbs.validation import STOP_SHARE


def stopping_rows(
    recipe: Recipe, data: Data, train: np.ndarray, seed: int, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Training rows without the tenth that decides early stopping, and this tenth.

    Copies of a row in a bootstrap stay together; without early stopping the tenth is empty.

    Args:
        recipe: what is trained.
        data: the data.
        train: row numbers, ascending, which may repeat, (n,).
        seed: seed of the draw.
        groups: number of each row's group, (rows of the data,), or None: groups stay together.
    """
    if recipe.stop is None or recipe.stop.name == "none":
        return train, np.array([], np.int64)
    rows = np.unique(train)
    share = STOP_SHARE if STOP_SHARE * len(rows) <= MAX_VALID else MAX_VALID
    _, stop = held_part(data, rows, share, seed=seed, groups=groups)
    return train[~np.isin(train, stop)], stop
