"""Trees as function sets: modules that are grown at once from all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.models.shaping import flat_size
from chymist.models.trees.cuts import Rule
from chymist.models.trees.tree import NAMES, REALS, Tree, problems
from chymist.parts import Count, Fraction, NonNegative, Positive, describer
from chymist.values import Shapes

SMALLEST = 1e-7  # a share of 0 is read as this, so that its logarithm is finite
Grow = Callable[..., Tree]


class TreeModel(nn.Module):
    """A tree, or several, held in buffers, so that it is saved as any weights are.

    Outputs are log-probabilities of classes (batch, classes), log-odds of boosted trees, or values
    (batch, outputs); zeros before it is grown. Numbers are compared in the
    precision of the rows, double unless the recipe says other.

    Args:
        shapes: of the prepared rows.
        grow: `Rows` -> tree.
        losses: losses whose best function it is.
        adds: whether trees add up log-odds, in place of class shares.
    """

    def __init__(
        self, shapes: Shapes, grow: Grow, losses: tuple[str, ...] = ("cross_entropy",),
        adds: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        columns = flat_size(shapes)
        given = shapes.categories or (0,) * columns
        self.grow, self.losses, self.adds, self.outputs = grow, losses, adds, shapes.outputs
        # `build_model` seeds torch's generator with a key of the run before it calls.
        self.seed = int(torch.randint(2**31 - 1, ()))
        self._hold(_nothing(shapes.outputs, np.array(given, np.int64)))
        self.register_buffer("shares", torch.zeros((), dtype=torch.bool))

    def tree(self) -> Tree:
        """What was grown, as arrays."""
        return Tree(**{name: self.get_buffer(name).cpu().numpy() for name in NAMES})

    def fitted_numbers(self) -> int:
        """Column and threshold, or a branch a category, of each cut, and values of each leaf.

        A tree of a boosted class has one value a leaf: those of the other classes are always 0.
        """
        tree = self.tree()
        routed = np.flatnonzero((tree.column >= 0) & (tree.route >= 0))
        cuts = len(tree) - tree.leaves
        branches = int(tree.categories[tree.column[routed]].sum())
        values = 1 if self.adds else self.outputs
        return 2 * cuts - len(routed) + branches + tree.leaves * values

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities, log-odds or values of each row."""
        found = torch.from_numpy(self.tree().outputs(_matrix(x)))
        if bool(self.get_buffer("shares")):
            found = found.clamp(min=SMALLEST).log()
        return found.to(x.device, x.dtype)

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        """Grow the tree.

        Args:
            inputs: numbers and category codes, NaN where missing, (rows, ...).
            targets: classes int64 (rows,), or values (rows, outputs).
            weights: what each row counts, (rows,), or None if they count alike.
        """
        rows = self.rows_of(inputs, targets, weights)
        alike = rows.classes and len(np.unique(rows.targets)) == 1
        self._hold(_leaf(rows) if alike else self.grow(rows), inputs)
        self.get_buffer("shares").fill_(rows.classes and (alike or not self.adds))

    def rows_of(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> Any:
        """Training rows as a tree reads them; those of no weight are left out.

        Args:
            inputs, targets, weights: as for `solve`.

        Raises:
            InputError: no row has a weight.
        """
        matrix = _matrix(inputs)
        counted = np.ones(len(matrix)) if weights is None else weights.double().cpu().numpy()
        some = counted > 0
        if not some.any():
            raise InputError("no training row has a weight", where="data.weights")
        categories = self.get_buffer("categories").cpu().numpy()
        return _fitting().Rows(
            matrix[some], targets.cpu().numpy()[some], counted[some] / counted[some].mean(),
            categories, self.outputs, self.seed,
        )  # fmt: skip

    def _hold(self, tree: Tree, like: Tensor | None = None) -> None:
        """Put a tree into the buffers."""
        for name in NAMES:
            values = torch.from_numpy(np.ascontiguousarray(getattr(tree, name)))
            kind = torch.float32 if like is None else like.dtype
            values = values.to(kind if name in REALS else torch.int64)
            self.register_buffer(name, values if like is None else values.to(like.device))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Take buffers of any length: how large a tree is, its rows have decided."""
        for name in NAMES:
            given, own = state_dict.get(prefix + name), self.get_buffer(name)
            if given is not None and given.ndim == own.ndim:
                self.register_buffer(name, own.new_empty(given.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        errors: list[str] = rest[-1]
        tree = self.tree()
        if tree.value.ndim != 2 or tree.value.shape[1] != self.outputs:
            errors.append("a tree with another number of outputs")
        errors += problems(tree)


@describer("model")
def id3(
    shapes: Shapes, max_depth: Count | None = None, min_rows: Count = 2,
    min_gain: NonNegative = 0.0, prune: Literal["none", "pessimistic", "reduced_error"] = "none",
    held: Fraction = 0.3,
) -> nn.Module:  # fmt: skip
    """ID3: a branch for every category, by the largest information gain; for classes only.

    Of columns with equal gains the first is taken. A branch without training rows says what the
    node above it says. Beyond the original, numbers are cut in two at the best middle between two
    values, and rows with a missing cell (or a category that no training row had) go on in parts.

    Args:
        max_depth: most cuts on a way from the root.
        min_rows: a node with fewer rows is a leaf.
        min_gain: a cut that gains less, in bits, is not made.
        prune: "none", "pessimistic" (training errors, + 1/2 a leaf), or "reduced_error" (errors on
            training rows that are held out from growing).
        held: share of these.

    Example:
        >>> id3(max_depth=3)
        id3(max_depth=3)

    Source: Quinlan 1986, Induction of decision trees.
    """
    rule = Rule("gain", max_depth=max_depth, min_rows=min_rows, min_gain=min_gain)

    def grow(rows: Any) -> Tree:
        return _grown("grown_by", rows, rule, prune, held, 1.0)

    return TreeModel(shapes, grow)


@describer("model")
def c45(
    shapes: Shapes, cases: Positive = 2.0, confidence: Fraction = 0.25,
    prune: Literal["error_based", "pessimistic", "reduced_error", "none"] = "error_based",
    raising: bool = True, correction: bool = True, max_depth: Count | None = None,
    held: Fraction = 0.3,
) -> nn.Module:  # fmt: skip
    """C4.5 (release 8): gain ratio, thresholds, missing values in parts; for classes only.

    The cut has the largest gain ratio among those whose gain is at least the average gain.
    Categories get a branch each; numbers are cut in two. A row with a missing cell (or a category
    that no training row had) goes to all branches, in parts as the known rows went.

    Args:
        cases: least weight of a branch; two branches of a cut need it.
        confidence: of error-based pruning; the smaller, the smaller the tree.
        prune: "error_based" (C4.5's own), "pessimistic", "reduced_error" or "none".
        raising: whether error-based pruning may put a branch in the place of the cut above it.
        correction: lessen the gain of a threshold by log2(thresholds tried) / rows, which came
            with release 8.
        max_depth: most cuts on a way from the root.
        held: share of the training rows that reduced-error pruning holds out.

    Example:
        >>> c45(confidence=0.1)
        c45(confidence=0.1)

    Source: Quinlan 1993, C4.5: programs for machine learning; Quinlan 1996, Improved use of
    continuous attributes in C4.5.
    """
    if confidence <= 0:
        raise UsageError("a confidence is between 0 and 1", where="model.confidence",
                         received=str(confidence), do="give 0.25, or prune='none'")  # fmt: skip
    rule = Rule("gain_ratio", cases, correction, halfway=False, max_depth=max_depth)

    def grow(rows: Any) -> Tree:
        return _grown("grown_by", rows, rule, prune, held, confidence if raising else -confidence)

    return TreeModel(shapes, grow)


@describer("model")
def cart(
    shapes: Shapes, alpha: NonNegative | Literal["cv"] = "cv", folds: Count = 5,
    criterion: Literal["gini", "entropy"] = "gini", max_depth: Count | None = None,
    min_rows: Count = 2, min_leaf: Count = 1,
) -> nn.Module:  # fmt: skip
    """CART: cuts in two, by Gini impurity or squared error, pruned by cost and complexity.

    scikit-learn grows the tree; a category is cut off from all others. Missing numbers go to the
    side where they do less harm; a missing category, or one that no training row had, goes with
    "all others".

    Args:
        alpha: price of a leaf in units of the impurity of the root's rows; 0 does not prune, "cv"
            finds it by cross-validation within the training rows.
        folds: of that cross-validation.
        criterion: "gini" or "entropy" for classes; values have the squared error.
        max_depth: most cuts on a way from the root.
        min_rows: a node with fewer rows is a leaf.
        min_leaf: least rows of a leaf.

    Example:
        >>> cart(alpha=0.01)
        cart(alpha=0.01)

    Source: Breiman, Friedman, Olshen, Stone 1984, Classification and regression trees.
    """
    if alpha == "cv" and folds < 2:
        raise UsageError("cross-validation needs two folds", where="model.folds", received="1")
    options = {"max_depth": max_depth, "min_samples_split": max(2, min_rows),
               "min_samples_leaf": min_leaf}  # fmt: skip

    def grow(rows: Any) -> Tree:
        kind = {"criterion": criterion} if rows.classes else {}
        return _grown("cart_of", rows, alpha, folds, **options, **kind)

    return TreeModel(shapes, grow, ("cross_entropy", "mse"))


@describer("model")
def random_forest(
    shapes: Shapes, trees: Count = 100, features: Literal["auto", "sqrt", "third", "all"] = "auto",
    max_depth: Count | None = None, min_leaf: Count = 1,
) -> nn.Module:  # fmt: skip
    """Random forest: the mean of trees on bootstraps, each cut chosen among some columns.

    scikit-learn grows the trees; categories and missing cells are cut as by `cart`.

    Args:
        trees: number of trees.
        features: columns tried at each cut: their square root ("auto" for classes), a third
            ("auto" for values), or all.
        max_depth: most cuts on a way from the root.
        min_leaf: least rows of a leaf.

    Example:
        >>> random_forest(trees=50)
        random_forest(trees=50)

    Source: Breiman 2001, Random forests.
    """

    def grow(rows: Any) -> Tree:
        chosen = ("sqrt" if rows.classes else "third") if features == "auto" else features
        most = {"sqrt": "sqrt", "third": 1 / 3, "all": 1.0}[chosen]
        return _grown("forest_of", rows, n_estimators=trees, max_features=most,
                      max_depth=max_depth, min_samples_leaf=min_leaf)  # fmt: skip

    return TreeModel(shapes, grow, ("cross_entropy", "mse"))


@describer("model")
def boosting(
    shapes: Shapes, trees: Count = 100, rate: Positive = 0.1, leaves: Count = 31,
    min_leaf: Count = 20, max_depth: Count | None = None, l2: NonNegative = 0.0,
) -> nn.Module:  # fmt: skip
    """Gradient boosting: each tree follows the gradient of the loss that those before it leave.

    scikit-learn grows the trees on histograms of at most 255 values a column; sets of categories
    are cut apart, and missing cells go to the side where they do less harm.

    Args:
        trees: number of trees, of each class if there are more than two.
        rate: what each tree counts.
        leaves: most leaves of a tree.
        min_leaf: least rows of a leaf.
        max_depth: most cuts on a way from the root.
        l2: penalty on the values of leaves.

    Raises:
        UsageError: more than one value is to be predicted.

    Example:
        >>> boosting(trees=50, rate=0.2)
        boosting(rate=0.2, trees=50)

    Source: Friedman 2001, Greedy function approximation: a gradient boosting machine; Ke et al.
    2017, LightGBM.
    """
    if leaves < 2:
        raise UsageError("a tree needs two leaves", where="model.leaves", received=str(leaves))

    def grow(rows: Any) -> Tree:
        if not rows.classes and rows.outputs > 1:
            raise UsageError("boosting predicts one value", received=f"{rows.outputs} values",
                             do="use cart or random_forest")  # fmt: skip
        return _grown("boosted", rows, max_iter=trees, learning_rate=rate, max_leaf_nodes=leaves,
                      min_samples_leaf=min_leaf, max_depth=max_depth,
                      l2_regularization=l2)  # fmt: skip

    return TreeModel(shapes, grow, ("cross_entropy", "mse"), adds=True)


def _matrix(inputs: Tensor) -> np.ndarray:
    """Inputs as trees compare them, in their precision, single at least: (rows, columns)."""
    flat = inputs.detach().flatten(1)
    exact: np.ndarray = (flat if flat.dtype == torch.float64 else flat.float()).cpu().numpy()
    return exact


def _fitting() -> Any:
    """The functions that grow; scikit-learn is imported when they are used."""
    return import_module("chymist.models.trees.fitting")


def _grown(name: str, *args: Any, **options: Any) -> Tree:
    """What one of these functions grows."""
    tree: Tree = getattr(_fitting(), name)(*args, **options)
    return tree


def _nothing(outputs: int, categories: np.ndarray) -> Tree:
    """No tree at all: its outputs are 0."""
    none = np.zeros(0, np.int64)
    parts = dict.fromkeys(NAMES, none) | {name: np.zeros(0) for name in REALS}
    return Tree(**parts | {"value": np.zeros((0, outputs)), "categories": categories})


def _leaf(rows: Any) -> Tree:
    """The tree of one leaf, for rows of one class."""
    one, none, zero = np.ones(1), np.zeros(0, np.int64), np.zeros(1, np.int64)
    value = np.eye(rows.outputs)[rows.targets[:1]]
    return Tree(zero - 1, one * np.nan, zero - 1, zero, zero - 1, one, value,
                one * rows.weights.sum(), one * 0, none, zero, rows.categories)  # fmt: skip
