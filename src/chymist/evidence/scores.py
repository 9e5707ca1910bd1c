"""Scores: a metric on some rows, with its 95 % interval.

Accuracy, error and micro F1 are shares and have Wilson's interval; balanced accuracy combines
Wilson's intervals of the recalls; AUC has DeLong's; macro F1, log loss, RMSE, MAE and R2 have the
BCa bootstrap over rows. Rows in groups are no independent rows: their intervals are by group, see
`chymist.evidence.clusters`. The interval is about these rows as a sample of all rows, for this one
trained model: it does not cover what another seed or another training set would give.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from chymist.evidence.clusters import grouped_area, grouped_bca, grouped_share
from chymist.evidence.intervals import Statistic, bca, delong, mean_recall, wilson
from chymist.metrics import (
    METRICS,
    check_task,
    confusion_matrix,
    explained,
    find,
    measure,
    surprise,
)
from chymist.values import Predictions, Score, Task

Array = np.ndarray

COUNTED = ("accuracy", "error", "f1_micro")  # shares of rows, as opposed to means of shares
RANGES = {"log_loss": (0.0, inf), "rmse": (0.0, inf), "mae": (0.0, inf), "r2": (-inf, 1.0)}


def headline(task: Task) -> str:
    """The metric that is shown first for a task.

    Example:
        >>> headline("classification"), headline("regression")
        ('accuracy', 'rmse')
    """
    return next(m.name for m in METRICS.values() if m.headline and m.task == task)


def score(
    predictions: Predictions,
    metric: str,
    split: str,
    selected_on: str | None = None,
    seed: int = 0,
) -> Score:
    """A metric on per-example results, with its 95 % interval.

    A single row says nothing about the spread of an unbounded metric: its interval is then the
    whole range of the metric.

    Args:
        predictions: targets and outputs of a model on the rows; where they have groups, the
            interval is by group.
        metric: name of the metric.
        split: which rows they are: "train", "valid", "test" or "out-of-fold".
        selected_on: what was chosen by looking at these rows, or None.
        seed: seed of the bootstrap.

    Returns:
        A `Score`, low <= value <= high within the range of the metric.

    Raises:
        UsageError: unknown metric, or one of the other task.
        Undefined: the metric has no value on these rows (AUC with a class absent).
        InputError: wrong shapes or values.

    Example:
        >>> made = Predictions(np.arange(4), np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 0, 0]])
        >>> print(score(made, "accuracy", "valid"))
        accuracy 75.0 % [30.1 %, 95.4 %] (valid, n=4)

    Source: see `chymist.evidence.intervals`.
    """
    value, n = measure(predictions, metric), len(predictions.targets)
    if predictions.groups is not None:
        return replace(_by_group(predictions, metric, n, split, seed), selected_on=selected_on)
    low, high = _interval(predictions, metric, value, seed)
    return _bounded(Score(metric, value, low, high, n, split, selected_on))


def out_of_fold_score(predictions: Predictions, metric: str, seed: int = 0) -> Score:
    """A metric on out-of-fold results, in which a row may occur several times, or never.

    The repeats of a row stand together, and the rows of a group where there are groups, so that n
    and the interval are about different rows: ten repeats on the same rows are no more evidence
    about new rows than one. Rows that occur more often than others have more weight, and the
    interval is then by row as it is by group elsewhere.

    Args:
        predictions: results on held-out rows, all repeats one after the other.
        metric: name of the metric.
        seed: seed of the bootstrap.

    Returns:
        A `Score` with split "out-of-fold" and n different rows; the value is over all repeats.

    Raises:
        UsageError: unknown metric, or one of the other task.
        Undefined: the metric has no value on these rows.
        InputError: wrong shapes or values.

    Example:
        >>> twice = np.array([0, 1, 2, 0, 1, 2])
        >>> made = Predictions(twice, np.zeros(6, dtype=int), np.eye(2)[[0, 0, 0, 0, 1, 1]])
        >>> found = out_of_fold_score(made, "error")
        >>> found.n, round(found.value, 3)
        (3, 0.333)

    Source: the cluster bootstrap, Davison, Hinkley 1997, section 3.8.
    """
    distinct, place, times = np.unique(predictions.rows, return_inverse=True, return_counts=True)
    if predictions.groups is not None:
        return _by_group(predictions, metric, len(distinct), "out-of-fold", seed)
    if len(distinct) == len(place):
        return score(predictions, metric, "out-of-fold", seed=seed)
    if times.min() < times.max():
        by_row = replace(predictions, groups=place)
        return replace(_by_group(by_row, metric, len(distinct), "out-of-fold", seed), groups=None)
    n, value = len(distinct), measure(predictions, metric)
    if metric in COUNTED:
        low, high = wilson(value * n, n)
    elif metric == "auc":
        low, high = delong(predictions.targets, predictions.outputs, groups=place)
    else:
        columns, statistic = row_moments(predictions, metric)
        sums = np.stack([np.bincount(place, column, n) for column in columns.T], axis=1)
        found = bca(sums * n / len(place), statistic, seed=seed)
        low, high = found.low, found.high
    return _bounded(Score(metric, value, low, high, n, "out-of-fold"))


def _by_group(predictions: Predictions, metric: str, n: int, split: str, seed: int) -> Score:
    """A score on n different rows in groups."""
    value, groups = measure(predictions, metric), np.asarray(predictions.groups)
    if metric in COUNTED:
        hits = (predictions.labels == predictions.targets) != (metric == "error")
        low, high = grouped_share(hits, groups, n)
    elif metric == "auc":
        low, high = grouped_area(predictions.targets, predictions.outputs, groups)
    elif metric in ("balanced_accuracy", "f1_macro") and value in (0.0, 1.0):
        rows = [groups[predictions.targets == c] for c in np.unique(predictions.targets)]
        counts = np.array([len(np.unique(found)) for found in rows])
        low, high = mean_recall(value * counts, counts)
    else:
        columns, statistic, _ = paired_moments((predictions,), metric, merged=False)
        found = grouped_bca(columns, statistic, groups, seed)
        low, high = found.low, found.high
    return _bounded(Score(metric, value, low, high, n, split, groups=len(np.unique(groups))))


def _interval(
    predictions: Predictions, metric: str, value: float, seed: int
) -> tuple[float, float]:
    n = len(predictions.targets)
    if metric in COUNTED:
        return wilson(round(value * n), n)
    if metric == "auc":
        return delong(predictions.targets, predictions.outputs)
    if metric == "balanced_accuracy" or (metric == "f1_macro" and value in (0.0, 1.0)):
        # All right or all wrong leaves nothing to resample; macro F1 and balanced accuracy agree
        # there, and the latter has an interval in closed form.
        table = confusion_matrix(predictions.targets, predictions.labels)
        present = table.sum(1) > 0
        return mean_recall(np.diag(table)[present], table.sum(1)[present])
    found = bca(*paired_moments((predictions,), metric), seed=seed)
    return found.low, found.high


def _bounded(found: Score) -> Score:
    """The score with its interval cut to the range of the metric, and around the value."""
    least, most = RANGES.get(found.metric, (0.0, 1.0))
    low, high = max(found.low, least), min(found.high, most)
    return replace(found, low=min(low, found.value), high=max(high, found.value))


def paired_moments(
    made: tuple[Predictions, ...], metric: str, merged: bool = True
) -> tuple[Array, Statistic, Array]:
    """A metric of one model, or its difference between two, as a function of means over rows.

    Args:
        made: predictions of one model, or of two on the same rows.
        metric: name of the metric; all but "auc".
        merged: whether rows with equal labels stand together.

    Returns:
        Moments (rows, k); the function from means (..., k) to the metric (...), or to the first
        model's minus the second's; and how many examples each row stands for (rows,).

    Example:
        >>> made = Predictions(np.arange(2), np.array([0.0, 2.0]), np.array([1.0, 2.0]))
        >>> moments, statistic, counts = paired_moments((made,), "mae")
        >>> float(statistic(counts @ moments / counts.sum()))
        0.5
    """
    counts = np.ones(len(made[0].targets), dtype=np.int64)
    if check_task(made[0], metric).needs == "labels":
        labels = np.stack([made[0].targets, *(p.labels for p in made)], axis=1)
        cells = labels
        if merged:
            cells, counts = np.unique(labels, axis=0, return_counts=True)
        size = int(cells.max()) + 1
        parts = [label_moments(cells[:, 0], guess, metric, size) for guess in cells[:, 1:].T]
    else:
        parts = [row_moments(p, metric) for p in made]
    columns, statistics = zip(*parts, strict=True)

    def difference(means: Array) -> Array:
        first, second = np.split(means, 2, axis=-1)
        return np.asarray(statistics[0](first) - statistics[1](second))

    return np.concatenate(columns, axis=1), difference if len(made) > 1 else statistics[0], counts


def row_moments(predictions: Predictions, metric: str) -> tuple[Array, Statistic]:
    """Numbers of each example, (n, k), and the function from their means to the metric.

    Example:
        >>> made = Predictions(np.arange(2), np.array([0.0, 2.0]), np.array([1.0, 2.0]))
        >>> row_moments(made, "mae")[0].tolist()
        [[1.0], [0.0]]
    """
    n = len(predictions.targets)
    if find(metric).needs == "labels":
        size = int(max(predictions.targets.max(), predictions.labels.max())) + 1
        return label_moments(predictions.targets, predictions.labels, metric, size)
    if metric == "log_loss":
        return surprise(predictions.targets, predictions.outputs)[:, None], _mean
    targets = np.asarray(predictions.targets, dtype=np.float64).reshape(n, -1)
    off = np.asarray(predictions.outputs, dtype=np.float64).reshape(n, -1) - targets
    if metric == "mae":
        return np.abs(off), _mean
    if metric == "rmse":
        return off**2, _mean_root
    centered = targets - targets.mean(0)  # or the variance would cancel far from zero
    return np.concatenate([off**2, centered, centered**2], axis=1), _mean_explained


def label_moments(
    targets: Array, labels: Array, metric: str, classes: int
) -> tuple[Array, Statistic]:
    """Indicators of each example: a hit, or per class a hit and what hits are divided by.

    Example:
        >>> label_moments(np.array([0, 1]), np.array([0, 0]), "balanced_accuracy", 2)[0].tolist()
        [[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    if metric in COUNTED:
        return np.asarray((targets == labels) != (metric == "error"), dtype=float)[:, None], _mean
    actual = targets[:, None] == np.arange(classes)
    predicted = labels[:, None] == np.arange(classes)
    # Recall divides hits by actual rows, F1 by the mean of actual and predicted ones.
    seen = 1.0 * actual if metric == "balanced_accuracy" else 0.5 * actual + 0.5 * predicted
    return np.concatenate([actual & predicted, seen], axis=1), _mean_ratio


def _mean(means: Array) -> Array:
    return np.asarray(means.mean(-1))


def _mean_root(means: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(means, 0)).mean(-1))


def _mean_explained(means: Array) -> Array:
    residual, first, second = np.split(means, 3, axis=-1)
    return np.asarray(explained(residual, np.maximum(second - first**2, 0)).mean(-1))


def _mean_ratio(means: Array) -> Array:
    """Mean of hits / seen over the classes that are seen."""
    hits, seen = np.split(means, 2, axis=-1)
    present = seen > 1e-12
    ratios = np.where(present, hits / np.where(present, seen, 1), 0.0)
    return np.asarray(ratios.sum(-1) / np.maximum(present.sum(-1), 1))
