"""Trees that scikit-learn grows, as our own arrays: CART, forests and gradient boosting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from chymist.models.trees.tree import Tree, below, collapse, joined

SURE = 6.5  # digits of a range that single precision holds
MOST_CATEGORIES = 255  # of a column that histogram boosting takes as categories


class Widened(NamedTuple):
    """A table with a 0/1 column for each category, which scikit-learn's trees cut by.

    scikit-learn rounds to single precision. Numbers of double precision are told from the smallest
    in their column then, in a power of two that is as large as their range, so that what is lost is
    a share of the range, wherever it lies.

    Args:
        inputs: numbers, categories as 0 and 1, (rows, wide).
        column: column of the table that each comes from, (wide,).
        code: category that it marks, -1 for a number, (wide,).
        categories: number of categories of each column of the table, (columns,).
        places, units: of the numbers: smallest and power of two, (wide,); or 0 and 1.
        kind: of the numbers of the table.
        ordered: numbers of double precision in their order, by wide column.
    """

    inputs: np.ndarray
    column: np.ndarray
    code: np.ndarray
    categories: np.ndarray
    places: np.ndarray
    units: np.ndarray
    kind: np.dtype
    ordered: dict[int, np.ndarray]


def widen(inputs: np.ndarray, categories: np.ndarray) -> Widened:
    """Mark each category by a column of 0 and 1; a missing cell is 0 in all of them.

    Args:
        inputs: numbers and category codes, NaN where missing, (rows, columns).
        categories: number of categories of each column, 0 for numbers, (columns,).

    Example:
        >>> widen(np.array([[1.0], [np.nan]]), np.array([2])).inputs.tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    widths = np.maximum(categories, 1)
    column = np.repeat(np.arange(len(categories)), widths)
    within = np.arange(len(column)) - np.repeat(np.cumsum(widths) - widths, widths)
    code = np.where(categories[column] > 0, within, -1)
    wide = inputs[:, column]
    marked = code >= 0
    wide[:, marked] = wide[:, marked] == code[marked]
    places, units = np.zeros(len(column)), np.ones(len(column))
    if inputs.dtype == np.float64:
        for at in np.flatnonzero(~marked & ~np.isnan(wide).all(0)):
            low, high = np.nanmin(wide[:, at]), np.nanmax(wide[:, at])
            places[at], units[at] = low, 2.0 ** min(np.frexp(high / 2 - low / 2)[1], 1023)
        wide = wide / units - places / units
    several = np.flatnonzero(~marked) if inputs.dtype == np.float64 else ()
    ordered = {int(at): np.sort(wide[:, at]) for at in several}
    return Widened(wide, column, code, categories, places, units, inputs.dtype, ordered)


def from_sklearn(grown: Any, table: Widened, value: np.ndarray) -> Tree:
    """A tree of scikit-learn (`estimator.tree_`) as our own.

    Args:
        grown: the fitted `Tree` of scikit-learn.
        table: what it was grown on.
        value: what each of its nodes says, (nodes, outputs).
    """
    left, right = grown.children_left.astype(np.int64), grown.children_right.astype(np.int64)
    inner = left >= 0
    wide = np.where(inner, grown.feature, 0)
    code = np.where(inner, table.code[wide], -1)
    to_left = np.where(code >= 0, True, grown.missing_go_to_left.astype(bool))
    column = np.where(inner, table.column[wide], -1)
    sets = [np.arange(table.categories[column[n]]) == code[n] for n in np.flatnonzero(code >= 0)]
    facts = Facts(value, grown.weighted_n_node_samples, grown.impurity, table.categories)
    threshold = below(_in_units(grown.threshold, wide, table), table.kind)
    return _linked(Cuts(left, right, column, threshold, code >= 0, sets, to_left), facts)


def _in_units(thresholds: np.ndarray, wide: np.ndarray, table: Widened) -> np.ndarray:
    """Thresholds in the unit of their columns, without the digits that single precision made up.

    Args:
        thresholds: as scikit-learn has them, (nodes,).
        wide: column of the wide table of each, (nodes,).
        table: what it was grown on.
    """
    units, places = table.units[wide], table.places[wide]
    found: np.ndarray = thresholds * units + places
    for at, values in table.ordered.items():
        own = np.flatnonzero(wide == at)
        digits = int(np.clip(np.floor(-np.log10(table.units[at]) + SURE), 0, 18))
        short = np.round(found[own], digits)
        cuts = ((short - table.places[at]) / table.units[at], thresholds[own])
        same = np.equal(*(np.searchsorted(values, cut, "right") for cut in cuts))
        found[own] = np.where(same, short, found[own])
    return found


class Ordered(NamedTuple):
    """A table as histogram boosting reads it: categories first, each with the codes that occur.

    Args:
        inputs: (rows, columns), in that order.
        column: column of the table that each comes from, (columns,).
        seen: the codes of each category column that occur, in that order.
        categories: number of categories of each column of the table, (columns,).
    """

    inputs: np.ndarray
    column: np.ndarray
    seen: list[np.ndarray]
    categories: np.ndarray


def order_columns(inputs: np.ndarray, categories: np.ndarray) -> Ordered:
    """Put categories first, with codes that leave no gap; those with too many are numbers.

    Args:
        inputs: numbers and category codes, NaN where missing, (rows, columns).
        categories: number of categories of each column, 0 for numbers, (columns,).
    """
    known = np.where(categories <= MOST_CATEGORIES, categories, 0)
    column = np.argsort(known == 0, kind="stable")
    made, seen = inputs[:, column], []
    for place in range(np.count_nonzero(known)):
        cells = made[:, place]
        present = ~np.isnan(cells)
        codes = np.unique(cells[present])
        cells[present] = np.searchsorted(codes, cells[present])
        seen.append(codes.astype(np.int64))
    return Ordered(made, column, seen, known)


def from_histograms(grown: Any, table: Ordered, output: int, outputs: int) -> Tree:
    """A tree of scikit-learn's histogram boosting (a predictor) as our own.

    Args:
        grown: one of its predictors.
        table: what it was grown on.
        output: the output that it adds to.
        outputs: number of outputs.
    """
    nodes = grown.nodes
    inner = nodes["is_leaf"] == 0
    left, right = (np.where(inner, nodes[n].astype(np.int64), -1) for n in ("left", "right"))
    column = np.where(inner, table.column[nodes["feature_idx"]], -1)
    chosen = inner & (nodes["is_categorical"] == 1)
    bits = np.unpackbits(grown.raw_left_cat_bitsets.view(np.uint8), axis=1, bitorder="little")
    sets = []
    for node in np.flatnonzero(chosen):
        seen = table.seen[nodes["feature_idx"][node]]
        routes = np.full(table.categories[column[node]], -1)
        routes[seen] = bits[nodes["bitset_idx"][node], : len(seen)] == 0
        sets.append(routes)
    value = np.zeros((len(nodes), outputs))
    value[:, output] = nodes["value"]
    facts = Facts(value, nodes["count"].astype(np.float64), np.zeros(len(nodes)), table.categories)
    to_left = nodes["missing_go_to_left"].astype(bool)
    threshold = below(nodes["num_threshold"], table.inputs.dtype)
    cuts = Cuts(left, right, column, threshold, chosen, sets, to_left)
    return _linked(cuts, facts)


class Cuts(NamedTuple):
    """Cuts of two branches, between nodes in any order; node 0 is the root.

    Args:
        left, right: children, -1 for a leaf.
        column, threshold: by what is cut.
        by_category: which of them cut by a category.
        routes: of those, in order, the branch of each category.
        to_left: whether a missing cell goes left.
    """

    left: np.ndarray
    right: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    by_category: np.ndarray
    routes: Sequence[np.ndarray]
    to_left: np.ndarray


class Facts(NamedTuple):
    """Value, weight and impurity of each node, and the number of categories of each column."""

    value: np.ndarray
    weight: np.ndarray
    impurity: np.ndarray
    categories: np.ndarray


def _linked(made: Cuts, facts: Facts) -> Tree:
    """A tree from its cuts."""
    left, right, column, threshold, by_category, routes, to_left = made
    inner = left >= 0
    cuts = np.flatnonzero(inner)
    # The children of the n-th cut stand side by side, at 1 + 2 n.
    order = np.concatenate([[0], np.stack([left[cuts], right[cuts]], 1).ravel()])
    first = np.full(len(left), -1)
    first[cuts] = 1 + 2 * np.arange(len(cuts))
    share = np.ones(len(left))
    share[left[cuts]], share[right[cuts]] = to_left[cuts], ~to_left[cuts]
    sizes = np.where(by_category, facts.categories[column], 0)
    route = np.where(by_category, np.cumsum(sizes) - sizes, -1)
    plain = inner & ~by_category
    limits = np.where(plain, threshold, np.nan)
    per_node = (column, limits, first, np.where(inner, 2, 0), route, share, *facts[:3])
    flat = np.concatenate([*(r.astype(np.int64) for r in routes), np.zeros(0, np.int64)])
    ordered = [values[order] for values in per_node]
    tree = Tree(*ordered, flat, np.zeros(1, np.int64), facts.categories)  # type: ignore[call-arg]
    return collapse(tree, np.zeros(0, np.int64))


def mean_of(trees: Sequence[Tree]) -> Tree:
    """The mean of several trees."""
    return joined([replace(tree, value=tree.value / len(trees)) for tree in trees])


def raised_by(tree: Tree, base: np.ndarray) -> Tree:
    """The tree with something added to all of its values, (outputs,)."""
    return replace(tree, value=tree.value + base)
