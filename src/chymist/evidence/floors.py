"""Floors: what trivial and cheap methods reach on the same rows as the model.

The largest class or the mean, the nearest neighbour, and a linear model, on the prepared inputs
the model itself sees. Each has a budget of multiply-adds; what would cost more learns from fewer
rows, drawn by class, and says so in its name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from chymist import keys
from chymist.evidence.scores import score
from chymist.metrics import find
from chymist.values import Floor, Predictions, Score, Task

Array = np.ndarray

BUDGET = 3e10  # multiply-adds per floor: at most about three seconds on two cores
FEWEST = 50  # training rows; a floor that can afford fewer is left out
ITERATIONS = 200
ROWS_AT_ONCE = 50_000


class Matrix(Protocol):
    """Rows of features: a NumPy array, or anything that reads the rows it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, features)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class FloorResult:
    """A floor with its per-example results, for paired comparison.

    Args:
        name: what it is, with its limits ("nearest neighbour on 10,000 rows").
        predictions: its results on the rows of the model.
        score: its score there.
    """

    name: str
    predictions: Predictions
    score: Score

    @property
    def floor(self) -> Floor:
        """The floor as it stands in a run: name and score."""
        return Floor(self.name, self.score)


def fit_floors(
    x_train: Matrix,
    y_train: Array,
    x: Matrix,
    rows: Array,
    targets: Array,
    task: Task,
    classes: int | Sequence[str],
    metric: str,
    split: str,
    seed: int = 0,
    budget: float = BUDGET,
    groups: Array | None = None,
) -> list[FloorResult]:
    """Fit the floors on training rows and score them on others.

    A floor that cannot be fitted is left out: with one class in the training rows all are the
    majority again. So is one whose budget allows fewer than 50 rows.

    Args:
        x_train: prepared training inputs, (n, ...); flattened to (n, features); or a `Matrix`
            that reads rows when they are asked for.
        y_train: class indices (n,), or values (n,) or (n, outputs) in the units of the data.
        x: prepared inputs of the scored rows, like x_train.
        rows: their row numbers, (m,).
        targets: their targets, like y_train.
        task: "classification" or "regression".
        classes: class names, or their number; ignored for regression.
        metric: metric to score and rank by.
        split: which rows they are: "valid", "test", ...
        seed: seed of the subsample and of the bootstrap.
        budget: multiply-adds per floor.
        groups: number of each scored row's group, (m,), if they have groups.

    Returns:
        The floors, strongest first.

    Raises:
        InputError: wrong shapes or values.
        UsageError: unknown metric, or one of the other task.

    Example:
        >>> x, y = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
        >>> made = fit_floors(x, y, x, np.arange(4), y, "classification", 2, "accuracy", "train")
        >>> sorted(floor.name for floor in made)
        ['logistic regression', 'majority class', 'nearest neighbour']
    """
    train, new = (v.reshape(len(v), -1) if isinstance(v, np.ndarray) else v for v in (x_train, x))
    if task == "classification":
        count = classes if isinstance(classes, int) else len(classes)
        outputs = _classifiers(train, y_train, new, count, seed, budget)
    else:
        outputs = _regressors(train, y_train, new, seed, budget)
    beside = Predictions(rows, targets, np.zeros(0), groups)
    return ranked(outputs, beside, metric, split, seed)


def ranked(
    outputs: Mapping[str, Array], beside: Predictions, metric: str, split: str, seed: int = 0
) -> list[FloorResult]:
    """What floors give on the rows of a model, scored, strongest first.

    Args:
        outputs: of each floor on these rows, by name.
        beside: results of the model, whose rows, targets and groups are taken.
        metric: metric to score and rank by.
        split: which rows they are.
        seed: seed of the bootstrap.

    Example:
        >>> beside = Predictions(np.arange(2), np.array([0, 1]), np.zeros(0))
        >>> outputs = {"right": np.eye(2), "wrong": np.eye(2)[::-1]}
        >>> ranked(outputs, beside, "accuracy", "valid")[0].name
        'right'
    """
    results = [
        FloorResult(name, made, score(made, metric, split, seed=seed))
        for name, output in outputs.items()
        for made in [replace(beside, outputs=output)]
    ]
    sign = -1 if find(metric).greater_is_better else 1
    return sorted(results, key=lambda floor: sign * floor.score.value)


def _classifiers(
    train: Matrix, y: Array, new: Matrix, count: int, seed: int, budget: float
) -> dict[str, Array]:
    """Probabilities (m, classes) of each floor, by name."""
    frequencies = np.bincount(y, minlength=count) / len(y)
    outputs = {"majority class": np.tile(frequencies, (len(new), 1))}
    if np.count_nonzero(frequencies) < 2:
        return outputs
    kept, suffix = _within(len(new) * train.shape[1], y, seed, budget, stratify=True)
    if len(kept):
        nearest = _nearest(train[kept], new)
        outputs["nearest neighbour" + suffix] = np.eye(count)[y[kept][nearest]]
    columns = 1 if count == 2 else count
    # Two products an iteration, each at half the speed of the nearest neighbour's large one.
    per_row = 4 * columns * train.shape[1] * ITERATIONS
    kept, suffix = _within(per_row, y, seed, budget, stratify=True)
    if len(np.unique(y[kept])) > 1:
        name = "logistic regression" if count == 2 else "softmax regression"
        probabilities, note = _softmax(train[kept], y[kept], new, count)
        outputs[name + suffix + note] = probabilities
    return outputs


def _regressors(train: Matrix, y: Array, new: Matrix, seed: int, budget: float) -> dict[str, Array]:
    """Values of each floor, shaped like the targets of the new rows, by name."""
    mean = np.broadcast_to(y.mean(0), (len(new), *y.shape[1:])).astype(np.float64)
    outputs = {"mean of the training rows": mean}
    kept, suffix = _within(len(new) * train.shape[1], y, seed, budget, stratify=False)
    if len(kept):
        outputs["nearest neighbour" + suffix] = y[kept][_nearest(train[kept], new)]
    kept, suffix = _within(4 * min(train.shape) * train.shape[1], y, seed, budget, stratify=False)
    if len(kept):
        outputs["linear regression" + suffix] = _least_squares(train[kept], y[kept], new)
    return outputs


def _within(
    per_row: float, y: Array, seed: int, budget: float, stratify: bool
) -> tuple[Array, str]:
    """Training rows that the budget allows, in ascending order, and what to say about them."""
    allowed = int(budget / max(per_row, 1))
    if allowed >= len(y) or allowed < FEWEST:
        return np.arange(len(y) if allowed >= len(y) else 0), ""
    rounded = 10 ** (len(str(allowed)) - 2)
    allowed -= allowed % rounded
    order = keys.generator(seed, "floors").permutation(len(y))
    if stratify:  # deal the classes out evenly: sort by (rank within class) / (size of class)
        labels = y[order]
        place = np.argsort(labels, kind="stable")
        sizes = np.bincount(labels)
        rank = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        order = order[place][np.argsort((rank + 0.5) / np.repeat(sizes, sizes), kind="stable")]
    return np.sort(order[:allowed]), f" on {allowed:,} rows"


def _nearest(train: Array, new: Matrix) -> Array:
    """Index of the nearest training row (Euclidean) for each new row."""
    from sklearn.metrics import pairwise_distances_argmin

    return _in_parts(new, lambda part: pairwise_distances_argmin(part, train))


def _in_parts(new: Matrix, work: Callable[[Array], Any]) -> Array:
    """A result for each row, of parts of the rows that surely fit into memory."""
    starts = range(0, max(len(new), 1), ROWS_AT_ONCE)
    return np.concatenate([np.asarray(work(new[at : at + ROWS_AT_ONCE])) for at in starts])


def _softmax(train: Matrix, y: Array, new: Matrix, count: int) -> tuple[Array, str]:
    """Probabilities of a regularised logistic or softmax regression, and a note if unfinished."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    model = LogisticRegression(max_iter=ITERATIONS)
    # The products are small: threads would spend their time waiting for each other.
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(train, y)
    unfinished = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    probabilities = np.zeros((len(new), count))
    probabilities[:, model.classes_] = _in_parts(new, model.predict_proba)
    return probabilities, f", stopped at {ITERATIONS} iterations" if unfinished else ""


def _least_squares(train: Array, y: Array, new: Matrix) -> Array:
    """Predictions of the least-squares line (the shortest one where several fit)."""
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(train.astype(np.float64), y)
    return _in_parts(new, lambda part: model.predict(part.astype(np.float64)))
