"""A validation curve read: which values underfit, which overfit, which is best and which simplest.

Overfitting is not "complex", underfitting not "simple": a value underfits if it is worse than the
best one on training rows too, and overfits if it is better there and worse on held rows. So a deep
network that is worse on its training rows is not said to overfit, and the axis may run either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chymist.evidence.double_descent import DoubleDescent
from chymist.evidence.resampled import corrected_t, holm
from chymist.values import Score, show

Array = np.ndarray
Kind = Literal["best", "alike", "under", "over", "worse"]

CLEAR = 0.05
ROUNDED = 12  # decimals of a difference; what is left after them is rounding
WORDS: dict[Kind, str] = {
    "under": "underfit (worse on training rows too)",
    "over": "overfit (better on training rows, worse on held-out ones)",
    "worse": "are worse on held-out rows, on training rows it cannot be told",
    "alike": "cannot be told from it",
}


@dataclass(frozen=True)
class Reading:
    """What the scores of several values say.

    Args:
        best: number of the value with the best mean score on held rows.
        simplest: number of the simplest value whose mean is within one standard error of it.
        kinds: one a value: "best"; "alike" if it cannot be told from the best; "under", "over", or
            "worse" if it is clearly worse on held rows.
    """

    best: int
    simplest: int
    kinds: tuple[Kind, ...]


def read_curve(
    held: Array, train: Array, parameters: Sequence[float], greater: bool, test_share: float,
    repeats: int = 1,
) -> Reading:  # fmt: skip
    """Compare every value with the best one, on the same folds.

    Differences on held rows are tested by the corrected resampled t-test, p-values adjusted by Holm
    for the number of values; those on training rows then tell underfitting from overfitting. The
    best of many is selected, and the standard error is that of its folds: s/sqrt(K) for K folds, of
    all fits if there are repeats. Simplest is what has the fewest parameters; of as many, what fits
    its training rows least.

    Args:
        held: metric on held rows, one row a value, one column a fit, (values, fits).
        train: metric of the same models on their training rows, (values, fits).
        parameters: number of each value's parameters.
        greater: whether more is better.
        test_share, repeats: as in `corrected_t`.

    Returns:
        A `Reading`.

    Example:
        >>> noise = np.array([0.0, 0.01, -0.01, 0.02, -0.02])
        >>> held = np.array([[0.7], [0.9], [0.8]]) + np.outer([1, 2, 3], noise)
        >>> train = np.array([[0.72], [0.92], [1.0]]) + np.outer([1, 2, 0], noise)
        >>> read_curve(held, train, [2, 4, 8], True, 0.2)
        Reading(best=1, simplest=1, kinds=('under', 'best', 'over'))

    Source: Hastie, Tibshirani, Friedman 2009, section 7.2; Nadeau, Bengio 2003; Holm 1979; Breiman
        et al. 1984, section 3.4.3 (one standard error).
    """
    sign = 1.0 if greater else -1.0
    good, fit = sign * np.asarray(held), sign * np.asarray(train)
    means = good.mean(1)
    best, fits = int(means.argmax()), good.shape[1]
    others = [n for n in range(len(good)) if n != best]
    pairs = [corrected_t((good[n] - good[best]).round(ROUNDED), test_share, repeats)
             for n in others]  # fmt: skip
    adjusted = holm(np.array([pair.p for pair in pairs]))
    kinds: list[Kind] = ["best"] * len(good)
    for n, p in zip(others, adjusted, strict=True):
        kinds[n] = "alike"
        if p < CLEAR:
            own = corrected_t((fit[n] - fit[best]).round(ROUNDED), test_share, repeats)
            kinds[n] = ("over" if own.value > 0 else "under") if own.clear else "worse"
    spread = good[best].std(ddof=1) / np.sqrt(fits / repeats) if fits > 1 else 0.0
    near = np.flatnonzero(means >= means[best] - spread).tolist()
    simplest = min(near, key=lambda n: (parameters[n], fit[n].mean()))
    return Reading(best, simplest, tuple(kinds))


def complexity_verdict(
    name: str, texts: Sequence[str], reading: Reading, score: Score, ordered: bool = True
) -> str:
    """The reading in a sentence; it claims only what the tests found.

    Args:
        name: dotted name of the field.
        texts: the values as a person writes them.
        reading: of `read_curve`.
        score: of the best.
        ordered: whether neighbouring values are near each other, so that an end is an end.

    Example:
        >>> score = Score("accuracy", 0.9, 0.8, 0.95, 60, "out-of-fold")
        >>> reading = Reading(2, 1, ("under", "alike", "best", "over", "over"))
        >>> print(complexity_verdict("model.degree", ["1", "2", "3", "4", "5"], reading, score))
        model.degree 3 is best of 5: accuracy 90.0 % [80.0 %, 95.0 %] (selected, so optimistic); 1
        underfits (worse on training rows too); 4 to 5 overfit (better on training rows, worse on
        held-out ones); 2 cannot be told from it; the simplest within one standard error is 2
    """
    value, low, high = (show(score.metric, v) for v in (score.value, score.low, score.high))
    count, best = len(texts), reading.best
    said = [
        f"{name} {texts[best]} is best of {count}: {score.metric} {value} [{low}, {high}] "
        "(selected, so optimistic)"
    ]
    for kind, words in WORDS.items():
        numbers = [n for n, own in enumerate(reading.kinds) if own == kind]
        if len(numbers) == 1:
            words = words.replace("underfit", "underfits").replace("overfit", "overfits")
            words = words.replace("are worse", "is worse")
        if numbers:
            said.append(f"{runs(numbers, texts)} {words}")
    if reading.simplest != best:
        said.append(f"the simplest within one standard error is {texts[reading.simplest]}")
    if ordered and best in (0, count - 1) and "alike" not in reading.kinds:
        said.append("the best is at the end of what was tried: go on beyond it")
    return "; ".join(said)


def descent_sentence(
    name: str, texts: Sequence[str], found: DoubleDescent, parameters: Sequence[float],
    needed: int,
) -> str:  # fmt: skip
    """Where a loss rises and falls again, and whether that is where the rows can be interpolated.

    Args:
        name: dotted name of the field.
        texts: the values as a person writes them.
        found: a clear one.
        parameters: number of each value's parameters.
        needed: training rows times outputs: as many parameters interpolate them.

    Example:
        >>> rise = fall = corrected_t(np.array([1.0, 1.1, 0.9]), 0.3)
        >>> found = DoubleDescent(0, 2, 3, rise, fall, 0.001)
        >>> print(descent_sentence("model.width", list("1234"), found, [10, 20, 30, 40], 30))
        double descent: the held-out loss rises from model.width 1 to 3 and falls again to 4
        (p = 0.001); at 3 the parameters (30) reach rows x outputs (30), the interpolation threshold
    """
    peak = texts[found.peak]
    text = (
        f"double descent: the held-out loss rises from {name} {texts[found.valley]} to {peak} and "
        f"falls again to {texts[found.second]} (p = {found.p:.2g})"
    )
    reached = [n for n, count in enumerate(parameters) if count >= needed]
    if not reached:
        return f"{text}; no value has as many parameters as rows x outputs ({needed:,})"
    first = reached[0]
    return (
        f"{text}; at {texts[first]} the parameters ({parameters[first]:,.0f}) reach rows x outputs "
        f"({needed:,}), the interpolation threshold"
    )


def runs(numbers: Sequence[int], texts: Sequence[str]) -> str:
    """Values in words, neighbours as a range.

    Example:
        >>> runs([0, 1, 2, 5], list("abcdef"))
        'a to c and f'
    """
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    said = [texts[p[0]] + (f" to {texts[p[-1]]}" if len(p) > 1 else "") for p in parts]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
