"""Is one error smaller than another, on other rows? Training, validation and test in order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from chymist.evidence.verdict import NAMES, amount
from chymist.metrics import find
from chymist.values import Score

Answer = Literal["holds", "violated", "cannot tell"]


@dataclass(frozen=True)
class Inequality:
    """Whether the error on one part of the rows is smaller than on another.

    Args:
        smaller, larger: the parts, as the rule of thumb has them ("train", "valid").
        difference: error on `larger` minus error on `smaller`.
        low, high: its 95 % interval.
        answer: "holds" above 0, "violated" below 0, "cannot tell" where the interval holds 0.
        metric: whose errors they are; an accuracy counts as 1 - accuracy.
    """

    smaller: str
    larger: str
    difference: float
    low: float
    high: float
    answer: Answer
    metric: str

    def to_dict(self) -> dict[str, Any]:
        """The inequality as plain values."""
        return dict(vars(self))

    def __str__(self) -> str:
        apart = amount(self.metric, self.difference, self.low, self.high)
        names = f"{NAMES.get(self.smaller, self.smaller)} < {NAMES.get(self.larger, self.larger)}"
        return f"{names}: {self.answer} (difference {apart})"


def inequality(smaller: Score, larger: Score) -> Inequality:
    """Compare the errors of one model on two separate sets of rows.

    The interval of the difference is made from those of the two scores (MOVER): with e the
    errors, l and u their ends, d = e_2 - e_1 lies in
    [d - sqrt((e_2 - l_2)^2 + (u_1 - e_1)^2), d + sqrt((u_2 - e_2)^2 + (e_1 - l_1)^2)].
    With Wilson's intervals of two shares it is Newcombe's.

    Args:
        smaller: the score on the rows whose error should be smaller.
        larger: the score on the others, of the same metric.

    Example:
        >>> train = Score("accuracy", 0.99, 0.98, 0.995, 500, "train")
        >>> print(inequality(train, Score("accuracy", 0.9, 0.87, 0.93, 300, "valid")))
        training < validation: holds (difference 9.0 points [5.8, 12.0])

    Source: Zou, Donner 2008, Statistics in Medicine 27; Newcombe 1998, method 10.
    """
    first, low_1, high_1 = _error(smaller)
    second, low_2, high_2 = _error(larger)
    difference = second - first
    low = difference - math.hypot(second - low_2, high_1 - first)
    high = difference + math.hypot(high_2 - second, first - low_1)
    answer: Answer = "holds" if low > 0 else "violated" if high < 0 else "cannot tell"
    return Inequality(smaller.split, larger.split, difference, low, high, answer, smaller.metric)


def _error(score: Score) -> tuple[float, float, float]:
    """Value and ends of a score as an error: small is good."""
    if find(score.metric).greater_is_better:
        return 1 - score.value, 1 - score.high, 1 - score.low
    return score.value, score.low, score.high
