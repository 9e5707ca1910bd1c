"""What columns are worth to a model: permutation importance and partial dependence.

Both put other values into a column and ask the model again. A column is a block of prepared
features that moves as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from chymist.errors import InputError
from chymist.evidence.intervals import Statistic, normal_quantile, student
from chymist.keys import generator

Array = np.ndarray
ALIKE = 0.8  # association from which two columns are called strongly correlated


@dataclass(frozen=True)
class Drop:
    """What a score loses when a column is shuffled.

    Args:
        value: score as it is minus the mean score after shuffling; more is worse without.
        low, high: 95 % interval for new rows and new shuffles.
        floor: what a column that says nothing stays below in 97.5 % of cases.
        repeats: the loss of each shuffle, (repeats,).
    """

    value: float
    low: float
    high: float
    floor: float
    repeats: tuple[float, ...]

    @property
    def told(self) -> bool:
        """Whether it can be told from noise: above its floor, and the interval is above zero."""
        return self.low > 0 and self.value > self.floor


def shuffles(rows: int, repeats: int, seed: int, name: str) -> Array:
    """Orders in which the cells of a column are dealt out anew, one a repeat.

    Args:
        rows: how many.
        repeats: number of orders.
        seed: of the draw.
        name: of the column: each has orders of its own.

    Returns:
        int64, (repeats, rows).

    Example:
        >>> np.sort(shuffles(3, 2, 0, "age")).tolist()
        [[0, 1, 2], [0, 1, 2]]
    """
    drawn = [generator(seed, "shuffle", name, place).permutation(rows) for place in range(repeats)]
    return np.stack(drawn)


def drop(
    base: Array, shuffled: Array, orders: Array, statistic: Statistic,
    groups: Array | None = None,
) -> Drop:  # fmt: skip
    """What shuffling a column costs, with its interval and its floor.

    A row takes part twice: it is given another's cell, and gives its own away. Its influence is
    the mean over shuffles of l_i + l_(who got its cell) - value, with l the loss of a row, a
    difference of pseudo-values of the jackknife; the interval is value +- t_{n-1} s / sqrt(n) of
    the influences. The floor compares shuffles with
    one another: a column that is unrelated to all else would give t_{R-1} s(s_r) sqrt(1 + 1/R) at
    most.

    Args:
        base: numbers of each row as they are, (rows, k).
        shuffled: the same after each shuffle, (repeats, rows, k).
        orders: (repeats, rows): row i was given the cell of row orders[r, i].
        statistic: from means of the numbers (..., k) to the score (...); more is better.
        groups: number of each row's group, whose rows are not independent; or None.

    Returns:
        A `Drop`.

    Raises:
        InputError: fewer than two shuffles.

    Example:
        >>> base, hits = np.ones((4, 1)), np.array([[[1.0], [0], [1], [0]], [[0], [1], [1], [0]]])
        >>> drop(base, hits, np.array([[0, 1, 3, 2]] * 2), lambda means: means[..., 0]).value
        0.5

    Source: Breiman 2001, Random forests, section 10; variance of the statistic of two samples as in
        Hoeffding 1948.
    """
    repeats, rows = orders.shape
    if repeats < 2:
        raise InputError("a floor needs several shuffles", where="repeats",
                         received=str(repeats), do="give 2 or more")  # fmt: skip
    scores = statistic(shuffled.mean(1))  # (repeats,)
    value = float(statistic(base.mean(0)) - scores.mean())
    whole = _pseudo(base, statistic)
    influence = np.zeros(rows)
    for made, order in zip(shuffled, orders, strict=True):
        lost = whole - _pseudo(made, statistic)
        given = np.empty(rows)
        given[order] = lost
        influence += (lost + given - lost.mean()) / repeats
    if groups is not None:
        influence = _by_group(influence, groups)
    n = len(influence)
    spread = float(influence.std(ddof=1)) / sqrt(n) if n > 1 else inf
    found = student(value, spread, max(n - 1, 1), 0.95)
    noise = float(scores.std(ddof=1)) * sqrt(1 + 1 / repeats)
    floor = max(0.0, student(0.0, noise, repeats - 1, 0.95).high) if noise else 0.0
    base_score = float(statistic(base.mean(0)))
    return Drop(value, found.low, found.high, floor, tuple((base_score - scores).tolist()))


def _pseudo(values: Array, statistic: Statistic) -> Array:
    """Pseudo-values of the jackknife, n s - (n - 1) s without row i, (rows,)."""
    n = len(values)
    if n == 1:
        return np.asarray(statistic(values))
    mean = values.mean(0)
    without = (n * mean - values) / (n - 1)
    made: Array = n * statistic(mean) - (n - 1) * statistic(without)
    return made


def _by_group(influence: Array, groups: Array) -> Array:
    """Influence of each group, so that the mean over groups is that over rows."""
    _, place = np.unique(groups, return_inverse=True)
    sums: Array = np.bincount(place, influence - influence.mean())
    made: Array = sums * len(sums) / len(influence) + influence.mean()
    return made


def association(first: Array, second: Array, kinds: tuple[str, str]) -> float:
    """How strongly two columns go together, in [0, 1]; rows with an empty cell do not count.

    Numbers: |Spearman's rank correlation|. Categories: Cramér's V. A number and a category: the
    root of the share of the variance of the ranks that lies between categories.

    Args:
        first, second: float, or codes of categories; NaN or -1 where a cell is empty, (rows,).
        kinds: "number" or "category" of each.

    Example:
        >>> association(np.array([1.0, 2.0, 9.0]), np.array([3.0, 2.0, 1.0]), ("number", "number"))
        1.0

    Source: Spearman 1904; Cramér 1946; Pearson 1903 (correlation ratio).
    """
    there = [np.isfinite(c) & (c >= 0 if k == "category" else True)
             for c, k in zip((first, second), kinds, strict=True)]  # fmt: skip
    both = there[0] & there[1]
    first, second = first[both], second[both]
    if min(len(np.unique(first)), len(np.unique(second))) < 2:
        return 0.0
    if kinds == ("category", "category"):
        return _cramer(first, second)
    if kinds == ("number", "number"):
        return round(abs(float(np.corrcoef(ranks(first), ranks(second))[0, 1])), 12)
    numbers, codes = (first, second) if kinds[0] == "number" else (second, first)
    return _between(ranks(numbers), codes)


def ranks(values: Array) -> Array:
    """Ranks from 1, equal values sharing their mean.

    Example:
        >>> ranks(np.array([5.0, 1.0, 5.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    from scipy.stats import rankdata

    made: Array = rankdata(values)
    return made


def _cramer(first: Array, second: Array) -> float:
    rows, columns = (np.unique(part, return_inverse=True)[1] for part in (first, second))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chi = float(((table - expected) ** 2 / expected).sum())
    return sqrt(min(1.0, chi / (len(rows) * (min(table.shape) - 1))))


def _between(numbers: Array, codes: Array) -> float:
    _, place = np.unique(codes, return_inverse=True)
    sizes = np.bincount(place)
    means = np.bincount(place, numbers) / sizes
    total = float(((numbers - numbers.mean()) ** 2).sum())
    return sqrt(min(1.0, float((sizes * (means - numbers.mean()) ** 2).sum()) / total))


def alike_pairs(
    columns: Mapping[str, Array], kinds: Mapping[str, str], least: float = ALIKE
) -> list[tuple[str, str, float]]:
    """Pairs of columns that go together strongly, the strongest first.

    Args:
        columns: as in `association`, by name.
        kinds: of each.
        least: association from which a pair is named.

    Example:
        >>> x = np.arange(5.0)
        >>> alike_pairs({"a": x, "b": x**2}, {"a": "number", "b": "number"})
        [('a', 'b', 1.0)]
    """
    names = list(columns)
    found = [
        (a, b, association(columns[a], columns[b], (kinds[a], kinds[b])))
        for place, a in enumerate(names)
        for b in names[place + 1 :]
    ]
    return sorted((one for one in found if one[2] >= least), key=lambda one: -one[2])


def number_grid(values: Array, points: int = 50, share: float = 0.05) -> Array:
    """Values at which a column of numbers is asked, within its quantiles.

    Columns of at most `points` different values are asked at each of them.

    Args:
        values: of the column, (rows,); NaN where empty.
        points: how many at most, evenly spaced.
        share: of the rows that are left beyond either end.

    Returns:
        Ascending, (points,).

    Raises:
        InputError: no value, or all but a few rows have the same.

    Example:
        >>> number_grid(np.arange(101.0), points=3).tolist()
        [5.0, 50.0, 95.0]

    Source: Friedman 2001, Greedy function approximation, section 8.2.
    """
    values = values[np.isfinite(values)]
    different = np.unique(values)
    if 0 < len(different) <= points:
        return different
    low, high = np.quantile(values, [share, 1 - share]) if len(values) else (0.0, 0.0)
    if np.isclose(low, high):
        raise InputError("the column hardly varies", where="partial dependence",
                         received=f"{100 * share:g} and {100 * (1 - share):g} % quantiles alike",
                         do="choose another column")  # fmt: skip
    return np.linspace(low, high, points)


Answer = Callable[[Array], Array]  # prepared rows (rows, features) to answers (rows, outputs)


def dependence(
    answer: Answer, rows: Array, blocks: Sequence[slice], cells: Sequence[Array]
) -> Array:
    """What the model answers for each row, were its column (or columns) of a given value.

    Args:
        answer: the model.
        rows: prepared, (rows, features).
        blocks: the features of the columns.
        cells: of each column the prepared values at which it is asked, (points, width).

    Returns:
        (points, rows, outputs); of two columns (points, points, rows, outputs).

    Example:
        >>> double = lambda rows: 2 * rows
        >>> grid = [np.array([[1.0], [5.0]])]
        >>> dependence(double, np.zeros((3, 1)), [slice(0, 1)], grid)[:, :, 0].tolist()
        [[2.0, 2.0, 2.0], [10.0, 10.0, 10.0]]

    Source: Friedman 2001; Goldstein et al. 2015, arXiv:1309.6392 (curves of single rows).
    """
    made = []
    rows = rows.copy()
    for value in cells[0]:
        rows[:, blocks[0]] = value
        rest = dependence(answer, rows, blocks[1:], cells[1:]) if len(blocks) > 1 else answer(rows)
        made.append(rest)
    return np.stack(made)


def mean_band(curves: Array) -> tuple[Array, Array, Array]:
    """Mean of the curves of rows, and its 95 % band: mean +- 1.96 s / sqrt(n) at each point.

    Args:
        curves: (points, rows).

    Example:
        >>> mean_band(np.array([[1.0, 3.0]]))[0].tolist()
        [2.0]
    """
    mean = curves.mean(1)
    n = curves.shape[1]
    half = normal_quantile(0.975) * curves.std(1, ddof=1) / sqrt(n) if n > 1 else np.inf
    return mean, mean - half, mean + half
