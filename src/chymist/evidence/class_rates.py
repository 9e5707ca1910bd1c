"""Recall and precision of each class, with the interval of the recall."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.evidence.intervals import wilson


class ClassRate(NamedTuple):
    """How one class fares.

    Args:
        right: rows of the class that were found.
        true: rows of the class.
        said: rows that were said to be of the class.
        low, high: Wilson's 95 % interval of the recall; 0 and 1 where there are no rows.
    """

    right: int
    true: int
    said: int
    low: float
    high: float

    @property
    def recall(self) -> float:
        """Share of the class that was found; NaN without rows."""
        return self.right / self.true if self.true else float("nan")

    @property
    def precision(self) -> float:
        """Share of right ones among those said to be of the class; NaN where none were."""
        return self.right / self.said if self.said else float("nan")


def class_rates(matrix: np.ndarray) -> tuple[ClassRate, ...]:
    """Recall and precision of each class, from a confusion matrix.

    recall_c = m_cc / sum_j m_cj, precision_c = m_cc / sum_i m_ic.

    Args:
        matrix: counts, true classes down, said ones across, (classes, classes).

    Returns:
        One `ClassRate` a class.

    Example:
        >>> rate = class_rates(np.array([[3, 1], [0, 4]]))[0]
        >>> rate.recall, rate.precision, round(rate.low, 2)
        (0.75, 1.0, 0.3)

    Source: Wilson 1927.
    """
    return tuple(
        ClassRate(right, true, said, *(wilson(right, true) if true else (0.0, 1.0)))
        for right, true, said in zip(
            np.diag(matrix).tolist(), matrix.sum(1).tolist(), matrix.sum(0).tolist(), strict=True
        )
    )
