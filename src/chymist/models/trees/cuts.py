"""The best cut of a node: all columns are counted at once, then one is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from chymist.models.trees.criteria import n_log_n

EPSILON = 1e-3  # of gains and split information, as in C4.5 release 8
TIE = 1e-10  # gains that differ by less are equal: the first column is taken
AT_ONCE = 4_000_000  # numbers that are sorted and counted together; bounds the memory


@dataclass(frozen=True)
class Rule:
    """How cuts are chosen, and when a node is not cut.

    Args:
        criterion: "gain": the largest information gain; "gain_ratio": the largest ratio among
            the cuts whose gain is at least the average gain.
        cases: least weight of a branch; two branches need it. 0 asks for two that are not empty.
        correction: whether the gain of a threshold is lessened by log2(thresholds tried) / rows.
        halfway: whether a threshold is the middle between two values, or the largest value of
            the training rows that is not above it.
        max_depth: most cuts on a way from the root, or None.
        min_rows: least weight of the rows of a node that is cut.
        min_gain: least information gain of a cut, in bits.
    """

    criterion: Literal["gain", "gain_ratio"]
    cases: float = 0.0
    correction: bool = False
    halfway: bool = True
    max_depth: int | None = None
    min_rows: float = 2.0
    min_gain: float = 0.0


@dataclass(frozen=True, eq=False)
class Sample:
    """Training rows, arranged so that a node is counted quickly.

    Args:
        inputs: numbers and category codes, NaN where missing, (rows, columns).
        labels: class of each row, (rows,).
        classes: number of classes.
        categories: number of categories of each column, 0 for numbers, (columns,).
        total: weight of all rows; 0 counts them.
    """

    inputs: np.ndarray
    labels: np.ndarray
    classes: int
    categories: np.ndarray
    total: float = 0.0

    @cached_property
    def numbers(self) -> np.ndarray:
        """Columns of numbers."""
        return np.flatnonzero(self.categories == 0)

    @cached_property
    def coded(self) -> np.ndarray:
        """Columns of categories."""
        return np.flatnonzero(self.categories > 0)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the slots of each category column begin: one a category, and one for missing."""
        sizes = self.categories[self.coded] + 1
        begin: np.ndarray = np.cumsum(sizes) - sizes
        return begin

    @cached_property
    def slots(self) -> np.ndarray:
        """Slot of each cell of the category columns, times the number of classes, (rows, c)."""
        cells = self.inputs[:, self.coded]
        known = (cells >= 0) & (cells < self.categories[self.coded])
        codes = np.where(known, cells, self.categories[self.coded]).astype(np.int64)
        made: np.ndarray = (codes + self.starts) * self.classes + self.labels[:, None]
        return made

    @cached_property
    def by_column(self) -> np.ndarray:
        """The numbers column by column, (numbers, rows)."""
        return np.ascontiguousarray(self.inputs[:, self.numbers].T)


class Gains(NamedTuple):
    """What a cut by each column would give, (columns,); a gain of -inf where there is none."""

    gain: np.ndarray
    information: np.ndarray
    threshold: np.ndarray


class Cut(NamedTuple):
    """The chosen cut."""

    column: int
    threshold: float
    gain: float


def best_cut(sample: Sample, rows: np.ndarray, weights: np.ndarray, rule: Rule) -> Cut | None:
    """The best cut of some rows, or None.

    Args:
        sample: all training rows.
        rows, weights: those of the node, and what each counts there, (n,).
        rule: how it is chosen.
    """
    found = gains_of(sample, rows, weights, rule)
    possible = found.gain > -EPSILON
    if rule.min_gain > 0:
        possible &= found.gain >= rule.min_gain
    if not possible.any():
        return None
    worth = np.where(possible, found.gain, -np.inf)
    if rule.criterion == "gain_ratio":
        # Columns of many values would spoil the average, unless there are no others.
        few = sample.categories < 0.3 * (sample.total or len(sample.inputs))
        few = few if few.any() else np.ones_like(few)
        usual = possible & few
        average = found.gain[usual].mean() if usual.any() else 1e6
        possible &= (found.gain >= average - EPSILON) & (found.information > EPSILON)
        worth = np.where(possible, found.gain / np.maximum(found.information, EPSILON), -np.inf)
        if not possible.any():
            return None
    column = int(np.flatnonzero(worth >= worth.max() - TIE)[0])
    return Cut(column, float(found.threshold[column]), float(found.gain[column]))


def gains_of(sample: Sample, rows: np.ndarray, weights: np.ndarray, rule: Rule) -> Gains:
    """Information gain and split information of the best cut by each column.

    A missing cell lessens the gain: gain = share of known rows x gain among them.
    """
    columns = len(sample.categories)
    found = Gains(np.full(columns, -np.inf), np.zeros(columns), np.full(columns, np.nan))
    total = weights.sum()
    if len(sample.coded):
        gain, information = _of_categories(sample, rows, weights, rule.cases, total)
        found.gain[sample.coded], found.information[sample.coded] = gain, information
    step = max(1, AT_ONCE // max(1, len(rows) * sample.classes))
    for start in range(0, len(sample.numbers), step):
        places = np.arange(start, min(start + step, len(sample.numbers)))
        _of_numbers(sample, places, rows, weights, rule, found)
    return found


def _of_categories(
    sample: Sample, rows: np.ndarray, weights: np.ndarray, cases: float, total: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gain and split information of a branch for each category, for all such columns."""
    starts, classes = sample.starts, sample.classes
    last = starts + sample.categories[sample.coded]
    size = int(last[-1]) + 1
    slots = sample.slots[rows]
    spread = np.repeat(weights, slots.shape[1])
    table = np.bincount(slots.ravel(), spread, size * classes).reshape(size, classes)
    each = table.sum(1)
    information = (n_log_n(total) - np.add.reduceat(n_log_n(each), starts)) / total
    table[last], each[last] = 0.0, 0.0
    within = np.add.reduceat(n_log_n(each) - n_log_n(table).sum(1), starts)
    all_classes = np.add.reduceat(table, starts, axis=0)
    before = n_log_n(all_classes.sum(1)) - n_log_n(all_classes).sum(1)
    filled = np.add.reduceat((each >= cases if cases else each > 0).astype(np.int64), starts)
    gain = (before - within) / total
    return np.where(filled >= 2, gain, -np.inf), information


def _of_numbers(
    sample: Sample, places: np.ndarray, rows: np.ndarray, weights: np.ndarray, rule: Rule,
    found: Gains,
) -> None:  # fmt: skip
    """Fill in gain, split information and threshold of the best threshold of number columns."""
    count, total = len(rows), weights.sum()
    values = sample.by_column[places][:, rows]
    order = values.argsort(1)
    values = np.take_along_axis(values, order, 1)
    marked = np.zeros((count, sample.classes))
    marked[np.arange(count), sample.labels[rows]] = weights
    low = marked[order].cumsum(1)  # class weights up to each value, (columns, rows, classes)
    present = (~np.isnan(values)).sum(1)
    whole = np.where(present[:, None] > 0, low[np.arange(len(places)), present - 1], 0.0)
    known = whole.sum(1)
    below = low.sum(2)
    fewest = _fewest(known, rule, sample.classes)[:, None]
    allowed = (values[:, :-1] < values[:, 1:]) & (below[:, :-1] >= fewest - TIE)
    allowed &= known[:, None] - below[:, :-1] >= fewest - TIE
    of, at = np.nonzero(allowed)
    under, left = low[of, at], below[of, at]
    over, right = whole[of] - under, known[of] - left
    within = n_log_n(left) - n_log_n(under).sum(1) + n_log_n(right)
    within -= n_log_n(np.maximum(over, 0.0)).sum(1)
    base = n_log_n(known) - n_log_n(whole).sum(1)
    gain = (base[of] - within) / total
    bounds = np.searchsorted(of, np.arange(len(places) + 1))
    for n, (start, stop) in enumerate(pairwise(bounds)):
        if start == stop:
            continue
        best = start + int((gain[start:stop] >= gain[start:stop].max() - TIE).argmax())
        column, most = sample.numbers[places[n]], gain[best]
        if rule.correction:
            most -= np.log2(stop - start) / total
            if most <= 0:
                continue
        parts = np.array([left[best], right[best], total - known[n]])
        found.gain[column] = most
        found.information[column] = (n_log_n(total) - n_log_n(parts).sum()) / total
        found.threshold[column] = _between(*values[n, at[best] : at[best] + 2].tolist())


def _between(lower: float, upper: float) -> float:
    """The middle of two values; the lower of two neighbours whose middle is rounded up."""
    middle = lower / 2 + upper / 2
    return middle if middle < upper else lower


def _fewest(known: np.ndarray, rule: Rule, classes: int) -> np.ndarray:
    """Least weight on either side of a threshold; C4.5 asks for a tenth of a class's rows."""
    if not rule.cases:
        return np.full(len(known), 1e-9)
    return np.clip(0.1 * known / classes, rule.cases, max(25.0, rule.cases))
