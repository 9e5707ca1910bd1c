"""From prepared rows to a tree: one function for each method, with all its stages."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from chymist.errors import InputError
from chymist.models.trees.borrowed import (
    Widened,
    from_histograms,
    from_sklearn,
    mean_of,
    order_columns,
    raised_by,
    widen,
)
from chymist.models.trees.cuts import Rule, Sample
from chymist.models.trees.error_based import error_based
from chymist.models.trees.growth import Grown, grow
from chymist.models.trees.pruning import (
    errors_along,
    leaf_errors,
    pessimistic,
    reduced_error,
    sums_at_nodes,
    weakest_links,
)
from chymist.models.trees.tree import Tree, collapse, joined

Pruning = Literal["none", "error_based", "pessimistic", "reduced_error"]


class Rows(NamedTuple):
    """Training rows as a tree reads them.

    Args:
        inputs: numbers and category codes, NaN where missing, (rows, columns).
        targets: classes int64 (rows,), or values (rows, outputs).
        weights: what each row counts, (rows,).
        categories: number of categories of each column, 0 for numbers, (columns,).
        outputs: number of classes, or of values.
        seed: of whatever is drawn.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    categories: np.ndarray
    outputs: int
    seed: int

    @property
    def classes(self) -> bool:
        """Whether the targets are classes."""
        return self.targets.dtype.kind == "i"

    def part(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        return self._replace(
            inputs=self.inputs[rows], targets=self.targets[rows], weights=self.weights[rows]
        )

    def parts(self, count: int) -> np.ndarray:
        """A number 0..count-1 for each row, drawn evenly."""
        return np.random.default_rng(self.seed).permutation(len(self.inputs)) % count


def grown_by(rows: Rows, rule: Rule, prune: Pruning, held: float, confidence: float) -> Tree:
    """A tree of ID3 or C4.5: grown, then pruned.

    Args:
        rows: the training rows.
        rule: how it grows.
        prune: how it is pruned.
        held: share of the rows that reduced-error pruning holds out.
        confidence: of error-based pruning; below 0, without subtree raising.

    Raises:
        InputError: reduced-error pruning has no rows to grow on, or none held out.
    """
    out = np.zeros(len(rows.inputs), bool)
    if prune == "reduced_error":
        out[: round(held * len(out))] = True
        if not 0 < out.sum() < len(out):
            raise InputError("reduced-error pruning needs rows to grow on, and rows held out",
                             where="model.held", received=f"{out.sum()} of {len(out)} held out",
                             do="give a held share that leaves both")  # fmt: skip
        out = np.random.default_rng(rows.seed).permutation(out)
    kept, spare = rows.part(np.flatnonzero(~out)), rows.part(np.flatnonzero(out))
    grown = _grown(kept, rule)
    if prune == "error_based":
        return error_based(grown, abs(confidence), confidence > 0)
    if prune == "reduced_error":
        return reduced_error(grown.tree, spare.inputs, spare.targets, spare.weights)
    return pessimistic(grown.tree) if prune == "pessimistic" else grown.tree


def _grown(rows: Rows, rule: Rule) -> Grown:
    sample = Sample(rows.inputs, rows.targets, rows.outputs, rows.categories)
    return grow(sample, rows.weights, rule)


def cart_of(rows: Rows, alpha: float | Literal["cv"], folds: int, **options: Any) -> Tree:
    """A tree of CART, pruned by cost and complexity.

    With "cv" the price is that of the smallest error in cross-validation: all folds are pruned
    along the prices of the whole tree, each at the geometric middle between it and the next.

    Args:
        rows: the training rows.
        alpha: price of a leaf, or "cv".
        folds: of the cross-validation.
        **options: of scikit-learn's tree.
    """
    tree = _cart(rows, options)
    links = weakest_links(tree)
    if alpha == "cv":
        prices = np.unique(np.concatenate([[0.0], links[np.isfinite(links)]]))
        middle = np.append(np.sqrt(prices[:-1] * prices[1:]), prices[-1] + 1)
        fold = rows.parts(min(folds, len(rows.inputs)))
        errors = np.zeros(len(prices))
        for n in np.unique(fold) if len(rows.inputs) > 1 else ():
            kept = rows.part(np.flatnonzero(fold != n))
            errors += _held_out(rows.part(np.flatnonzero(fold == n)), _cart(kept, options), middle)
        alpha = float(prices[np.flatnonzero(errors <= errors.min() * (1 + 1e-9))[-1]])
    return collapse(tree, (links <= alpha) & (alpha > 0))


def _held_out(rows: Rows, tree: Tree, prices: np.ndarray) -> np.ndarray:
    """Errors on some rows, of a tree that is pruned for each of some prices."""
    if rows.classes:
        marks = np.eye(rows.outputs)[rows.targets]
        errors = leaf_errors(tree, sums_at_nodes(tree, rows.inputs, marks, rows.weights))
    else:  # sum of w (y - v)^2 = sum w y^2 - 2 v sum w y + v^2 sum w
        y, width = rows.targets, rows.targets.shape[1]
        marks = np.concatenate([y, y**2, np.ones((len(y), 1))], 1)
        sums = sums_at_nodes(tree, rows.inputs, marks, rows.weights)
        value = tree.value
        errors = (sums[:, width:-1] - 2 * value * sums[:, :width] + value**2 * sums[:, -1:]).sum(1)
    return errors_along(tree, weakest_links(tree), errors, prices)


def _cart(rows: Rows, options: dict[str, Any]) -> Tree:
    kind = DecisionTreeClassifier if rows.classes else DecisionTreeRegressor
    table = widen(rows.inputs, rows.categories)
    fitted = kind(random_state=0, **options).fit(table.inputs, _target(rows), rows.weights)
    return _one(fitted, table, rows)


def forest_of(rows: Rows, **options: Any) -> Tree:
    """A random forest: the mean of its trees."""
    kind = RandomForestClassifier if rows.classes else RandomForestRegressor
    table = widen(rows.inputs, rows.categories)
    forest = kind(random_state=rows.seed, **options)
    forest.fit(table.inputs, _target(rows), rows.weights)
    classes = getattr(forest, "classes_", None)
    return mean_of([_one(fitted, table, rows, classes) for fitted in forest.estimators_])


def _one(fitted: Any, table: Widened, rows: Rows, classes: Any = None) -> Tree:
    """One tree of scikit-learn; classes that no row has get a share of 0."""
    grown = fitted.tree_
    if not rows.classes:
        return from_sklearn(grown, table, grown.value[:, :, 0])
    value = np.zeros((grown.node_count, rows.outputs))
    value[:, fitted.classes_ if classes is None else classes] = grown.value[:, 0, :]
    return from_sklearn(grown, table, value / value.sum(1, keepdims=True))


def boosted(rows: Rows, **options: Any) -> Tree:
    """Gradient boosting on histograms: trees whose values add up to log-odds, or to the value."""
    kind = HistGradientBoostingClassifier if rows.classes else HistGradientBoostingRegressor
    table = order_columns(rows.inputs, rows.categories)
    chosen = list(range(len(table.seen)))
    model = kind(categorical_features=chosen, early_stopping=False,
                 random_state=rows.seed, **options)  # fmt: skip
    model.fit(table.inputs, _target(rows), rows.weights)
    base = np.ravel(model._baseline_prediction)
    places = [0]
    if rows.classes:
        found = model.classes_
        places = list(found[1:]) if len(found) == 2 else list(found)
    whole = np.full(rows.outputs, -1e4 if rows.classes else 0.0)  # classes that no row has
    if rows.classes:
        whole[model.classes_] = 0.0
    whole[places] += base
    trees = [
        from_histograms(tree, table, int(place), rows.outputs)
        for stage in model._predictors
        for place, tree in zip(places, stage, strict=True)
    ]
    return joined([raised_by(trees[0], whole), *trees[1:]])


def _target(rows: Rows) -> np.ndarray:
    """Targets as scikit-learn takes them: a single value as (rows,)."""
    single = rows.targets.ndim == 2 and rows.targets.shape[1] == 1
    return rows.targets[:, 0] if single else rows.targets
