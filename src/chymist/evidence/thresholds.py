"""What a threshold on a probability does: every point of ROC and precision-recall curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.errors import InputError


class Thresholds(NamedTuple):
    """Counts at every threshold that makes a difference, the highest first.

    A row is called positive if its probability is at least the threshold.

    Args:
        thresholds: the different probabilities, descending, (points,).
        hits: positive rows that are called positive, (points,).
        alarms: negative rows that are called positive, (points,).
        positives, negatives: how many there are.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray
    positives: int
    negatives: int

    @property
    def recall(self) -> np.ndarray:
        """Share of the positive rows that is found."""
        found: np.ndarray = self.hits / self.positives
        return found

    @property
    def precision(self) -> np.ndarray:
        """Share of positive rows among those called positive."""
        found: np.ndarray = self.hits / (self.hits + self.alarms)
        return found

    @property
    def alarm_rate(self) -> np.ndarray:
        """Share of the negative rows that is called positive."""
        found: np.ndarray = self.alarms / self.negatives
        return found


def threshold_counts(targets: np.ndarray, scores: np.ndarray) -> Thresholds:
    """Hits and false alarms at every threshold.

    Args:
        targets: 0 or 1, (n,).
        scores: the larger, the more a row is taken to be positive, (n,).

    Returns:
        A `Thresholds`.

    Raises:
        InputError: a class is absent.

    Example:
        >>> found = threshold_counts(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.7]))
        >>> found.thresholds.tolist(), found.hits.tolist(), found.alarms.tolist()
        ([0.7, 0.2], [1, 2], [0, 1])

    Source: Fawcett 2006, An introduction to ROC analysis, algorithm 1.
    """
    wanted, scores = np.asarray(targets) == 1, np.asarray(scores, np.float64)
    positives = int(wanted.sum())
    if not 0 < positives < len(wanted):
        raise InputError("a threshold needs rows of both classes", where="targets",
                         received=f"{positives} of {len(wanted)} rows are positive")  # fmt: skip
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(wanted[order])[last]
    return Thresholds(ordered[last], hits, last + 1 - hits, positives, len(wanted) - positives)
