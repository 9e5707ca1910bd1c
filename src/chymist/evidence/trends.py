"""Does a quantity rise or fall with a value that was set? Judged on matched repeats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import studentized_range

Array = np.ndarray


class Trend(NamedTuple):
    """How scores change along values in their order.

    Args:
        kind: "rises", "falls", "has a best value", "has a worst value" or "no effect that shows".
        best: place of the best value.
        worst: place of the worst value.
        difference: mean score of the best value minus that of the worst.
        low, high: its 95 % interval, corrected for all pairs of values.
        p: of no difference between any two values as large as this one.
    """

    kind: str
    best: int
    worst: int
    difference: float
    low: float
    high: float
    p: float


def trend(scores: Array) -> Trend:
    """Read a direction out of scores of several values, each measured in the same repeats.

    The best value is compared with the first and the last one by Tukey's test for blocks, which
    holds for every pair however it was picked: |difference| / (s / sqrt(R)) against the studentised
    range of V values with (V-1)(R-1) degrees of freedom, s^2 the residual variance of the model
    score = value + repeat. Worse at the first value only: it rises; at the last only: it falls; at
    both: it has a best value. Neither, but another value is worse: it has a worst value.

    Args:
        scores: (V values, R repeats), values in their natural order; two of each at least.

    Returns:
        A `Trend`.

    Example:
        >>> trend(np.array([[0.1, 0.12, 0.11], [0.5, 0.51, 0.53], [0.9, 0.88, 0.91]])).kind
        'rises'

    Source: Tukey 1949, Comparing individual means in the analysis of variance.
    """
    means = scores.mean(1)
    values, repeats = scores.shape
    rest = scores - means[:, None] - scores.mean(0) + scores.mean()
    free = (values - 1) * (repeats - 1)
    error = max(float(np.sqrt((rest**2).sum() / free / repeats)), 1e-12)
    best, worst = int(means.argmax()), int(means.argmin())
    wide = error * float(studentized_range.ppf(0.95, values, free))
    first, last = (bool(means[best] - means[place] > wide) for place in (0, -1))
    kinds = {(True, False): "rises", (False, True): "falls", (True, True): "has a best value"}
    gap = float(means[best] - means[worst])
    p = float(studentized_range.sf(gap / error, values, free))
    otherwise = "has a worst value" if gap > wide else "no effect that shows"
    kind = kinds.get((first, last), otherwise)
    return Trend(kind, best, worst, gap, gap - wide, gap + wide, p)
