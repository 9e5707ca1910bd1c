"""Capacity: how many rows with random labels can be learnt by heart, measured and in theory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from chymist.errors import InputError

FIRST = 2  # rows: fewer are no task


@dataclass(frozen=True)
class Bracket:
    """What is known of the greatest number of rows that are memorised.

    Args:
        low: memorised; 0 if not even the first size was.
        high: not memorised; None while every size was.
    """

    low: int = 0
    high: int | None = None

    def narrowed(self, sizes: Sequence[int], memorised: Sequence[bool]) -> Bracket:
        """With the results of more sizes; what lies beyond the first failure does not count."""
        failed = [n for n, good in zip(sizes, memorised, strict=True) if not good]
        if self.high is not None:
            failed.append(self.high)
        high = min(failed, default=None)
        good = [n for n, good in zip(sizes, memorised, strict=True)
                if good and (high is None or n < high)]  # fmt: skip
        return Bracket(max([self.low, *good]), high)


def next_sizes(bracket: Bracket, most: int, tolerance: float, count: int = 3) -> list[int]:
    """Which numbers of rows to try next: doublings until one fails, then even steps between.

    Args:
        bracket: what is known.
        most: all rows.
        tolerance: the bracket is narrow enough once it is this share of its lower end, or one row.
        count: how many sizes at most; they are trained together.

    Returns:
        Sizes, ascending; none if the bracket is narrow enough, or all rows are memorised.

    Example:
        >>> next_sizes(Bracket(), 100, 0.1), next_sizes(Bracket(16, 32), 100, 0.1)
        ([2, 4, 8], [20, 24, 28])
        >>> next_sizes(Bracket(20, 21), 100, 0.1), next_sizes(Bracket(100), 100, 0.1)
        ([], [])
    """
    low, high = bracket.low, bracket.high
    if high is None:
        first = max(FIRST, 2 * low)
        doubled = (min(first * 2**power, most) for power in range(count))
        return sorted({n for n in doubled if n > low})
    if high - low <= max(1.0, tolerance * low) or high == FIRST:
        return []
    steps = np.linspace(max(low, FIRST - 1), high, count + 2)[1:-1].round().astype(int)
    return sorted({int(n) for n in steps if max(low, FIRST - 1) < n < high})


def separable_share(rows: int, parameters: int) -> float:
    """Share of all two-class labellings of rows that an affine threshold can learn by heart.

    2^(1-n) sum over k < p of C(n-1, k), for n rows in general position and p parameters, the
    intercept among them: 1 for n <= p, 1/2 at n = 2p.

    Args:
        rows: n.
        parameters: p.

    Raises:
        InputError: not positive.

    Example:
        >>> separable_share(5, 5), separable_share(10, 5), round(separable_share(20, 5), 4)
        (1.0, 0.5, 0.0096)

    Source: Cover 1965, Geometrical and statistical properties of systems of linear inequalities.
    """
    if rows < 1 or parameters < 1:
        raise InputError("rows and parameters are positive", received=f"{rows}, {parameters}",
                         do="give 1 or more of each")  # fmt: skip
    from scipy.stats import binom

    return float(binom.cdf(parameters - 1, rows - 1, 0.5))


def bits(rows: float, classes: int, parameters: int) -> float:
    """Bits that are known by heart, per parameter: n log2 K / p.

    Example:
        >>> bits(rows=20, classes=2, parameters=10), bits(rows=20, classes=4, parameters=10)
        (2.0, 4.0)

    Source: MacKay 2003, Information theory, inference, and learning algorithms, chapter 40.
    """
    return rows * log2(classes) / parameters


def capacity_verdict(
    found: Sequence[int], parameters: int, classes: int, most: int, limited: int, theory: str = ""
) -> str:
    """What was memorised, beside the number of parameters, in a sentence.

    Args:
        found: rows that each set of random labels allowed.
        parameters: of the model; 0 of one that is grown.
        classes: number of classes; 0 for values.
        most: rows that there are.
        limited: sets of labels of which all rows were memorised.
        theory: what is known of such models, or "".

    Example:
        >>> print(capacity_verdict([20, 22, 23], 11, 2, 100, 0, "2 x 11 = 22 (Cover 1965)"))
        memorises 22 rows with random labels [20, 23] (median and range of 3 sets of labels; 11
        parameters, 2.0 bits each; theory: 2 x 11 = 22 (Cover 1965))
    """
    middle = float(np.median(found))
    if limited * 2 > len(found):
        text = f"memorises all {most:,} rows with random labels: its capacity is larger"
        return f"{text} ({parameters:,} parameters)"
    what = "labels" if classes else "values"
    text = (
        f"memorises {middle:,.0f} rows with random {what} [{min(found):,}, {max(found):,}] "
        f"(median and range of {len(found)} sets of {what}; {parameters:,} parameters"
    )
    text += f", {bits(middle, classes, parameters):.1f} bits each" if classes and parameters else ""
    return f"{text}; theory: {theory})" if theory else f"{text})"
