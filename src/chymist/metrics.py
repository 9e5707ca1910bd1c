"""Metrics: pure functions of targets and predictions, equal to scikit-learn's.

Labels are class indices 0..C-1, probabilities have one column per class, values are in the units
of the data. Shapes must agree exactly: a metric never broadcasts. `METRICS` says for each metric
which task it is for, what it needs and which direction is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chymist.errors import InputError, UsageError, nearest
from chymist.values import Predictions, Task

Array = np.ndarray
Needs = Literal["labels", "scores", "probabilities", "values"]


class Undefined(InputError):
    """The metric has no value on these rows (for example AUC where one class is absent)."""


def accuracy(targets: Array, predictions: Array) -> float:
    """Share of right labels, (1/n) sum_i [p_i = t_i].

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).

    Returns:
        A share in [0, 1].

    Raises:
        InputError: not two label vectors of one length, or no rows.

    Example:
        >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.75
    """
    targets, predictions = _labels(targets, predictions)
    return float(np.mean(targets == predictions))


def error(targets: Array, predictions: Array) -> float:
    """Share of wrong labels, 1 - accuracy.

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).

    Returns:
        A share in [0, 1].

    Raises:
        InputError: not two label vectors of one length, or no rows.

    Example:
        >>> error(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.25
    """
    return 1.0 - accuracy(targets, predictions)


def balanced_accuracy(targets: Array, predictions: Array) -> float:
    """Mean recall over the classes that occur in the targets.

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).

    Returns:
        A share in [0, 1].

    Raises:
        InputError: not two label vectors of one length, or no rows.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
        0.5

    Source: Brodersen et al. 2010, The balanced accuracy and its posterior distribution.
    """
    table = confusion_matrix(targets, predictions)
    rows = table.sum(1)
    return float(np.mean(np.diag(table)[rows > 0] / rows[rows > 0]))


def f1_macro(targets: Array, predictions: Array) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN).

    The mean is over the classes that occur in targets or predictions.

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).

    Returns:
        A share in [0, 1].

    Raises:
        InputError: not two label vectors of one length, or no rows.

    Example:
        >>> f1_macro(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.7333333333333334

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7.
    """
    table = confusion_matrix(targets, predictions)
    seen = table.sum(0) + table.sum(1)
    return float(np.mean(2 * np.diag(table)[seen > 0] / seen[seen > 0]))


def f1_micro(targets: Array, predictions: Array) -> float:
    """F1 of the pooled counts; with one label per row it is the accuracy.

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).

    Returns:
        A share in [0, 1].

    Raises:
        InputError: not two label vectors of one length, or no rows.

    Example:
        >>> f1_micro(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.75
    """
    return accuracy(targets, predictions)


def confusion_matrix(targets: Array, predictions: Array, classes: int | None = None) -> Array:
    """Counts of rows by true class (down) and predicted class (across).

    Args:
        targets: class indices, (n,).
        predictions: predicted class indices, (n,).
        classes: number of classes C; one more than the largest index if not given.

    Returns:
        int64, shape (C, C).

    Raises:
        InputError: not two label vectors of one length, no rows, or an index >= classes.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0])).tolist()
        [[1, 0], [1, 1]]
    """
    targets, predictions = _labels(targets, predictions)
    largest = int(max(targets.max(), predictions.max())) + 1
    size = largest if classes is None else classes
    if largest > size:
        raise InputError("class index out of range", received=str(largest - 1),
                         do=f"give indices 0 to {size - 1}")  # fmt: skip
    cells = np.bincount(targets * size + predictions, minlength=size * size)
    return cells.reshape(size, size)


def auc(targets: Array, probabilities: Array) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative) + P(equal) / 2.

    Two classes: the second is the positive one. More: mean over classes, each against the rest.

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).

    Returns:
        A share in [0, 1]; 0.5 is chance.

    Raises:
        Undefined: a class does not occur in the targets.
        InputError: wrong shapes or values.

    Example:
        >>> auc(np.array([0, 0, 1, 1]), np.array([[.9, .1], [.6, .4], [.65, .35], [.2, .8]]))
        0.75

    Source: Mann, Whitney 1947; Hanley, McNeil 1982.
    """
    targets, probabilities = check_probabilities(targets, probabilities)
    check_all_present(targets, probabilities.shape[1])
    positives = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [_area(targets == c, probabilities[:, c]) for c in positives]
    return float(np.mean(areas))


def log_loss(targets: Array, probabilities: Array) -> float:
    """Mean negative log-likelihood in nats, -(1/n) sum_i log p_i[t_i].

    Probabilities are clipped to [eps, 1 - eps], eps being the resolution of their own type.

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).

    Returns:
        A number >= 0; ln(classes) for a uniform guess.

    Raises:
        InputError: wrong shapes or values.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """
    return float(np.mean(surprise(targets, probabilities)))


def perplexity(targets: Array, probabilities: Array) -> float:
    """The number of tokens among which a model that knows as much would guess, exp(log loss).

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).

    Returns:
        A number >= 1; the number of classes for a uniform guess.

    Raises:
        InputError: wrong shapes or values.

    Example:
        >>> round(perplexity(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        2.0

    Source: Jelinek, Mercer, Bahl, Baker 1977.
    """
    return float(np.exp(log_loss(targets, probabilities)))


def chunk_f1(targets: list[list[str]], predictions: list[list[str]]) -> float:
    """F1 of chunks in tags B-TYPE, I-TYPE and O: a chunk is right if its ends and type are.

    I-TYPE begins a chunk where no chunk of that type goes on, as in conlleval.

    Args:
        targets: tags of each sentence.
        predictions: likewise.

    Returns:
        2 right / (chunks in targets + chunks in predictions), in [0, 1].

    Raises:
        Undefined: no chunk in either.

    Example:
        >>> chunk_f1([["B-NP", "I-NP", "O", "B-VP"]], [["B-NP", "O", "O", "B-VP"]])
        0.5

    Source: Tjong Kim Sang, Buchholz 2000, Introduction to the CoNLL-2000 shared task.
    """
    wanted, found = ({(n, *chunk) for n, tags in enumerate(sentences) for chunk in chunks(tags)}
                     for sentences in (targets, predictions))  # fmt: skip
    if not wanted and not found:
        raise Undefined("F1 of chunks needs chunks", received="none", do="use accuracy")
    return 2 * len(wanted & found) / (len(wanted) + len(found))


def chunks(tags: list[str]) -> list[tuple[int, int, str]]:
    """First place, place after the last one, and type of each chunk of a sentence.

    Example:
        >>> chunks(["B-NP", "I-NP", "I-VP", "O"])
        [(0, 2, 'NP'), (2, 3, 'VP')]
    """
    found, begin, kind = [], 0, ""
    for place, tag in enumerate([*tags, "O"]):
        name = tag[2:] if tag[:2] in ("B-", "I-") else ""
        if kind and (name != kind or tag[0] == "B"):
            found.append((begin, place, kind))
            kind = ""
        if name and not kind:
            begin, kind = place, name
    return found


def surprise(targets: Array, probabilities: Array) -> Array:
    """Negative log-likelihood of each row in nats: its part of the log loss.

    Args:
        targets: class indices, (n,).
        probabilities: (n, classes).

    Returns:
        float64, (n,).

    Raises:
        InputError: wrong shapes or values.

    Example:
        >>> surprise(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])).round(4).tolist()
        [0.6931, 1.3863]
    """
    targets, probabilities = check_probabilities(targets, probabilities)
    eps = np.finfo(probabilities.dtype).eps
    chosen = probabilities[np.arange(len(targets)), targets].clip(eps, 1 - eps)
    return np.asarray(-np.log(chosen.astype(np.float64)))


def rmse(targets: Array, predictions: Array) -> float:
    """Root mean squared error, sqrt((1/n) sum_i (p_i - t_i)^2), averaged over outputs.

    Args:
        targets: values, (n,) or (n, outputs).
        predictions: values of the same shape and unit.

    Returns:
        A number >= 0 in the unit of the target.

    Raises:
        InputError: shapes differ, no rows, or a value is not finite.

    Example:
        >>> rmse(np.array([0.0, 0.0]), np.array([3.0, 4.0]))
        3.5355339059327378
    """
    targets, predictions = _values(targets, predictions)
    return float(np.mean(np.sqrt(np.mean((predictions - targets) ** 2, axis=0))))


def mae(targets: Array, predictions: Array) -> float:
    """Mean absolute error, (1/n) sum_i |p_i - t_i|, averaged over outputs.

    Args:
        targets: values, (n,) or (n, outputs).
        predictions: values of the same shape and unit.

    Returns:
        A number >= 0 in the unit of the target.

    Raises:
        InputError: shapes differ, no rows, or a value is not finite.

    Example:
        >>> mae(np.array([0.0, 0.0]), np.array([3.0, -4.0]))
        3.5
    """
    targets, predictions = _values(targets, predictions)
    return float(np.mean(np.abs(predictions - targets)))


def r2(targets: Array, predictions: Array) -> float:
    """Share of variance explained, 1 - sum (p - t)^2 / sum (t - mean t)^2, averaged over outputs.

    Where the targets are constant it is 1 for exact predictions and 0 otherwise.

    Args:
        targets: values, (n,) or (n, outputs).
        predictions: values of the same shape and unit.

    Returns:
        A number <= 1; 0 for the mean of these rows.

    Raises:
        Undefined: fewer than two rows.
        InputError: shapes differ, no rows, or a value is not finite.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
        0.5
    """
    targets, predictions = _values(targets, predictions)
    if len(targets) < 2:
        raise Undefined("R2 needs at least two rows", received="1 row", do="use rmse")
    residual = np.sum((predictions - targets) ** 2, axis=0)
    total = np.sum((targets - targets.mean(0)) ** 2, axis=0)
    return float(np.mean(explained(residual, total)))


def explained(residual: Array, total: Array) -> Array:
    """1 - residual / total, with scikit-learn's convention where the total is zero.

    Args:
        residual, total: sums of squares, same shape.

    Returns:
        The same shape; 1 where both are zero, 0 where only the total is.

    Example:
        >>> explained(np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.0, 0.0])).tolist()
        [0.5, 1.0, 0.0]
    """
    safe = np.where(total > 0, total, 1.0)
    constant = np.where(residual > 0, 0.0, 1.0)
    return np.where(total > 0, 1.0 - residual / safe, constant)


@dataclass(frozen=True)
class Metric:
    """What is known about a metric.

    Args:
        name: its name.
        task: the task it is for.
        needs: "labels", "scores" (shares in their order), "probabilities" or "values".
        greater_is_better: direction.
        function: (targets, labels or probabilities or values) -> number.
        headline: whether it is the one shown first for its task.
    """

    name: str
    task: Task
    needs: Needs
    greater_is_better: bool
    function: Callable[[Array, Array], float]
    headline: bool = False


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "classification", "labels", True, accuracy, headline=True),
        Metric("error", "classification", "labels", False, error),
        Metric("balanced_accuracy", "classification", "labels", True, balanced_accuracy),
        Metric("f1_macro", "classification", "labels", True, f1_macro),
        Metric("f1_micro", "classification", "labels", True, f1_micro),
        Metric("auc", "classification", "scores", True, auc),
        Metric("log_loss", "classification", "probabilities", False, log_loss),
        Metric("perplexity", "language", "probabilities", False, perplexity),
        Metric("rmse", "regression", "values", False, rmse, headline=True),
        Metric("mae", "regression", "values", False, mae),
        Metric("r2", "regression", "values", True, r2),
    )
}


def find(name: str) -> Metric:
    """The metric of a name.

    Raises:
        UsageError: unknown name; the nearest right one is named.

    Example:
        >>> find("rmse").greater_is_better
        False
    """
    if name not in METRICS:
        raise UsageError("unknown metric", received=f"'{name}'", do=nearest(name, METRICS))
    return METRICS[name]


def task_of(predictions: Predictions) -> Task:
    """The task that predictions belong to: integer targets are classes.

    Example:
        >>> task_of(Predictions(np.arange(2), np.array([0.5, 1.0]), np.array([0.4, 1.1])))
        'regression'
    """
    whole = np.asarray(predictions.targets).dtype.kind in "iub"
    return "classification" if whole else "regression"


def measure(predictions: Predictions, name: str) -> float:
    """One metric on per-example results.

    Args:
        predictions: targets and outputs of a model.
        name: name of the metric.

    Returns:
        The number.

    Raises:
        UsageError: unknown metric, or one of the other task.
        Undefined: the metric has no value on these rows.

    Example:
        >>> made = Predictions(np.arange(2), np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        >>> measure(made, "accuracy")
        0.5
    """
    metric = check_task(predictions, name)
    if metric.needs == "probabilities" and not predictions.estimated:
        raise Undefined(f"'{name}' needs probabilities", where="metric",
                        received="scores of a loss that estimates none",
                        do="use accuracy or auc, or train with cross_entropy")  # fmt: skip
    given = predictions.labels if metric.needs == "labels" else predictions.outputs
    return metric.function(predictions.targets, given)


def check_task(predictions: Predictions, name: str) -> Metric:
    """The metric of a name, if it fits the predictions.

    Raises:
        UsageError: unknown metric, or one of the other task.
    """
    metric, task = find(name), task_of(predictions)
    if metric.task != task and (metric.task, task) != ("language", "classification"):
        fitting = ", ".join(m.name for m in METRICS.values() if m.task == task)
        raise UsageError(f"metric does not fit {task}", received=f"'{name}'", do=f"use {fitting}")
    return metric


def all_metrics(predictions: Predictions) -> dict[str, float]:
    """All metrics of the task, by name.

    A metric without a value on these rows is left out: AUC where a class is absent, R2 of one row.

    Args:
        predictions: targets and outputs of a model.

    Returns:
        Numbers by name, the headline first.

    Raises:
        InputError: wrong shapes or values.

    Example:
        >>> made = Predictions(np.arange(2), np.array([0.0, 2.0]), np.array([1.0, 2.0]))
        >>> all_metrics(made)
        {'rmse': 0.7071067811865476, 'mae': 0.5, 'r2': 0.5}
    """
    found = {}
    for metric in METRICS.values():
        if metric.task == task_of(predictions):
            try:
                found[metric.name] = measure(predictions, metric.name)
            except Undefined:
                continue
    return found


def check_probabilities(targets: Array, probabilities: Array) -> tuple[Array, Array]:
    """Class indices (n,) and probabilities (n, classes), checked; float types are kept.

    Raises:
        InputError: wrong shapes, no rows, a value outside [0, 1], or an index out of range.
    """
    targets, probabilities = np.asarray(targets), np.asarray(probabilities)
    if probabilities.dtype.kind != "f":
        probabilities = probabilities.astype(np.float64)
    if probabilities.ndim != 2 or targets.shape != probabilities.shape[:1]:
        raise InputError("targets and probabilities do not match",
                         received=f"shapes {targets.shape} and {probabilities.shape}",
                         do="give shapes (n,) and (n, classes)")  # fmt: skip
    _labels(targets, targets)
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-6)).all():
        raise InputError("probabilities must lie between 0 and 1",
                         do="give probabilities, not logits, and no NaN")  # fmt: skip
    if targets.max() >= probabilities.shape[1]:
        raise InputError("class index out of range", received=str(int(targets.max())),
                         do=f"probabilities have {probabilities.shape[1]} columns")  # fmt: skip
    return targets, probabilities


def check_all_present(targets: Array, classes: int) -> None:
    """Refuse targets in which a class does not occur.

    Raises:
        Undefined: a class is absent.
    """
    absent = np.flatnonzero(np.bincount(targets.astype(np.int64), minlength=classes) == 0)
    if len(absent) or classes < 2:
        raise Undefined("AUC needs rows of every class", received=f"{len(absent)} classes absent",
                        do="use more rows, or another metric")  # fmt: skip


def _labels(targets: Array, predictions: Array) -> tuple[Array, Array]:
    targets, predictions = np.asarray(targets), np.asarray(predictions)
    if targets.ndim != 1 or targets.shape != predictions.shape or not len(targets):
        raise InputError("targets and predicted labels do not match",
                         received=f"shapes {targets.shape} and {predictions.shape}",
                         do="give two vectors of one length, at least one row")  # fmt: skip
    for labels in (targets, predictions):
        if labels.dtype.kind not in "iub" or labels.min() < 0:
            raise InputError("labels must be class indices", received=f"type {labels.dtype}",
                             do="give integers from 0")  # fmt: skip
    return targets.astype(np.int64), predictions.astype(np.int64)


def _values(targets: Array, predictions: Array) -> tuple[Array, Array]:
    targets = np.asarray(targets, dtype=np.float64)
    predictions = np.asarray(predictions, dtype=np.float64)
    if targets.shape != predictions.shape or targets.ndim not in (1, 2) or not targets.size:
        raise InputError("targets and predicted values do not match",
                         received=f"shapes {targets.shape} and {predictions.shape}",
                         do="give two arrays of one shape, (n,) or (n, outputs)")  # fmt: skip
    if not (np.isfinite(targets).all() and np.isfinite(predictions).all()):
        raise InputError("values must be finite", received="NaN or infinity",
                         do="look for a diverged model or missing targets")  # fmt: skip
    return targets, predictions


def _area(positive: Array, scores: Array) -> float:
    """AUC by mid-ranks: the Mann-Whitney statistic over the number of pairs."""
    count = int(positive.sum())
    ranks = mid_ranks(scores)[positive].sum()
    return float((ranks - count * (count + 1) / 2) / (count * (len(scores) - count)))


def mid_ranks(scores: Array) -> Array:
    """Ranks from 1, ties share the mean of their ranks.

    Args:
        scores: (n,).

    Returns:
        float64, (n,).

    Example:
        >>> mid_ranks(np.array([10.0, 20.0, 20.0, 5.0])).tolist()
        [2.0, 3.5, 3.5, 1.0]
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place])
