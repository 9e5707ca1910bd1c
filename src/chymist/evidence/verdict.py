"""The verdict: who wins against the strongest floor, by a paired comparison on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from chymist.errors import InputError
from chymist.evidence.clusters import group_sums, grouped_bca, grouped_square
from chymist.evidence.floors import FloorResult
from chymist.evidence.intervals import (
    auc_influence,
    bca,
    grouped_variance,
    normal_quantile,
    normal_share,
    student,
)
from chymist.evidence.scores import paired_moments
from chymist.metrics import check_task, find
from chymist.values import SHARES, Predictions, Score

Say = Callable[..., str]  # fills in a template: say("{n} rows", n=3)

NAMES = {"train": "training", "valid": "validation", "test": "test", "out-of-fold": "out-of-fold"}


@dataclass(frozen=True)
class PairedDifference:
    """A metric of one model minus that of another, on the same rows.

    Args:
        value: the difference, in the unit of the metric.
        low, high: its 95 % interval.
        p: p-value of no difference, two-sided.
    """

    value: float
    low: float
    high: float
    p: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def compare_paired(a: Predictions, b: Predictions, metric: str, seed: int = 0) -> PairedDifference:
    """Compare two models on the same rows: metric of a minus metric of b.

    Accuracy, error and micro F1: exact McNemar test, and an interval that excludes zero exactly
    if its p < 0.05. AUC: DeLong's paired test. The others: BCa bootstrap of the difference. Rows in
    groups are compared group by group: see `chymist.evidence.clusters`.

    Args:
        a, b: predictions of two models on the same rows in the same order.
        metric: name of the metric.
        seed: seed of the bootstrap.

    Returns:
        A `PairedDifference`.

    Raises:
        InputError: the rows or their targets differ.
        UsageError: unknown metric, or one of the other task.
        Undefined: the metric has no value on these rows.

    Example:
        >>> truth, rows = np.zeros(10, dtype=int), np.arange(10)
        >>> a = Predictions(rows, truth, np.eye(2)[[0] * 9 + [1]])
        >>> b = Predictions(rows, truth, np.eye(2)[[1] * 8 + [0] * 2])
        >>> found = compare_paired(a, b, "accuracy")
        >>> round(found.value, 2), round(found.p, 3)
        (0.7, 0.039)

    Source: McNemar 1947; DeLong et al. 1988; Efron 1987.
    """
    check_task(a, metric)
    if not (np.array_equal(a.rows, b.rows) and np.array_equal(a.targets, b.targets)):
        raise InputError("a paired comparison needs the same rows",
                         received=f"{len(a.rows)} and {len(b.rows)} rows, not the same",
                         do="predict the same split with both models")  # fmt: skip
    if a.groups is not None:
        return _grouped_difference(a, b, metric, seed)
    if metric in ("accuracy", "error", "f1_micro"):
        right_a, right_b = a.labels == a.targets, b.labels == b.targets
        only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
        if metric == "error":
            only_a, only_b = only_b, only_a
        return mcnemar(only_a, only_b, len(a.targets))
    if metric == "auc":
        return _delong_difference(a, b)
    return PairedDifference(*bca(*paired_moments((a, b), metric), seed=seed))


def mcnemar(only_a: int, only_b: int, n: int) -> PairedDifference:
    """Difference of two shares on the same rows, (only_a - only_b) / n, with the exact test.

    The interval is the hull of two: Bonett and Price's (each discordant count plus one, n plus
    two), and Clopper and Pearson's for the share of a among the discordant rows. The second
    excludes zero exactly if the test has p < 0.05, and the first does whenever the second does;
    so interval and test never disagree, at the price of a slightly wide interval.

    Args:
        only_a: rows counted for a and not for b.
        only_b: rows counted for b and not for a.
        n: all rows.

    Returns:
        A `PairedDifference`.

    Example:
        >>> found = mcnemar(12, 3, 360)
        >>> round(found.value, 3), round(found.low, 4), round(found.p, 3)
        (0.025, 0.0016, 0.035)

    Source: McNemar 1947; Bonett, Price 2012; Fagerland, Lydersen, Laake 2014.
    """
    from scipy.special import bdtr, betaincinv

    z, discordant = normal_quantile(0.975), only_a + only_b
    value = (only_a - only_b) / n
    p_a, p_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = z * sqrt((p_a + p_b - (p_a - p_b) ** 2) / (n + 2))
    first = (p_a - p_b - half, p_a - p_b + half)
    p = min(1.0, 2 * float(bdtr(min(only_a, only_b), discordant, 0.5))) if discordant else 1.0
    low = float(betaincinv(only_a, only_b + 1, 0.025)) if only_a else 0.0
    high = float(betaincinv(only_a + 1, only_b, 0.975)) if only_b else 1.0
    second = ((2 * low - 1) * discordant / n, (2 * high - 1) * discordant / n)
    return PairedDifference(
        value, max(-1.0, min(first[0], second[0])), min(1.0, max(first[1], second[1])), p
    )


def _delong_difference(a: Predictions, b: Predictions) -> PairedDifference:
    """Difference of two areas under the ROC curve; without a variance nothing is clear."""
    influence_a, area_a = auc_influence(a.targets, a.outputs)
    influence_b, area_b = auc_influence(b.targets, b.outputs)
    value, variance = area_a - area_b, grouped_variance(influence_a - influence_b, a.targets)
    if value == 0 and variance == 0:
        return PairedDifference(0.0, 0.0, 0.0, 1.0)
    if variance in (0.0, inf):
        return PairedDifference(value, -1.0, 1.0, 1.0)
    spread = sqrt(variance)
    half = normal_quantile(0.975) * spread
    p = 2 * normal_share(-abs(value) / spread)
    return PairedDifference(value, max(-1.0, value - half), min(1.0, value + half), float(p))


def _grouped_difference(a: Predictions, b: Predictions, metric: str, seed: int) -> PairedDifference:
    """A difference on rows in groups; the same difference in every group is a test of signs."""
    groups = np.asarray(a.groups)
    if metric == "auc":
        influence_a, area_a = auc_influence(a.targets, a.outputs)
        influence_b, area_b = auc_influence(b.targets, b.outputs)
        counts, sums = group_sums((influence_a - influence_b)[:, None], groups)
        spread = sqrt(grouped_square(sums[:, 0])) if len(counts) > 1 else inf
        found = student(area_a - area_b, spread, len(counts) - 1, 0.95)
    else:
        columns, statistic, _ = paired_moments((a, b), metric, merged=False)
        found = grouped_bca(columns, statistic, groups, seed)
    if found.low == found.high != 0:
        g = len(np.unique(groups))
        signs = mcnemar(g, 0, g) if found.value > 0 else mcnemar(0, g, g)
        size = abs(found.value)
        return PairedDifference(found.value, size * signs.low, size * signs.high, signs.p)
    low, high = (found.low, found.high)
    if metric in SHARES:
        low, high = max(-1.0, low), min(1.0, high)
    return PairedDifference(found.value, low, high, found.p)


def verdict(
    model_name: str,
    predictions: Predictions,
    score: Score,
    floors: list[FloorResult],
    seed: int = 0,
) -> str:
    """One sentence that says who wins against the strongest floor.

    It claims a winner only where the 95 % interval of the paired difference excludes zero.

    Args:
        model_name: what to call the model.
        predictions: its per-example results.
        score: its score on these rows.
        floors: the floors on the same rows, strongest first.
        seed: seed of the bootstrap.

    Returns:
        The sentence.

    Raises:
        InputError: model and floor were not scored on the same rows.

    Example:
        >>> truth, rows = np.arange(100) % 2, np.arange(100)
        >>> good, poor = Predictions(rows, truth, np.eye(2)[truth]), Predictions(
        ...     rows, truth, np.eye(2)[truth * 0])
        >>> from chymist.evidence.scores import score
        >>> floor = FloorResult("majority class", poor, score(poor, "accuracy", "valid"))
        >>> verdict("mlp", good, score(good, "accuracy", "valid"), [floor])
        'mlp is better than the strongest floor, majority class, by 50.0 points [38.9, 59.1]
        (100 validation rows, paired).'
    """
    rows = f"{score.n:,} {NAMES.get(score.split, score.split)} row{'' if score.n == 1 else 's'}"
    rows += "" if score.groups is None else f" in {score.groups} groups"
    ending = f" ({rows}, paired)."
    if score.split == "train":
        ending += " These are training rows: the score does not tell how new rows will do."
    if not floors:
        return f"{model_name} has no floor to compare with ({rows})."
    floor = floors[0]
    if _equal(predictions, floor.predictions):
        return f"{model_name} says the same as {floor.name}, to rounding ({rows})."
    found = compare_paired(predictions, floor.predictions, score.metric, seed)
    sign = 1 if find(score.metric).greater_is_better else -1
    if not found.clear:
        difference = amount(score.metric, found.value, found.low, found.high)
        return f"cannot tell {model_name} from {floor.name}: difference {difference}{ending}"
    better = sign * found.value > 0
    ends = sorted((abs(found.low), abs(found.high)))
    size = amount(score.metric, abs(found.value), *ends)
    word = "better" if better else "WORSE"
    return f"{model_name} is {word} than the strongest floor, {floor.name}, by {size}{ending}"


def _equal(a: Predictions, b: Predictions) -> bool:
    """Whether two regressions differ by rounding only: a difference so small has no winner."""
    if a.targets.dtype.kind != "f" or a.outputs.shape != b.outputs.shape:
        return False
    return bool(np.abs(a.outputs - b.outputs).max(initial=0.0) <= 1e-5 * np.std(a.targets))


def plainly(template: str, /, **values: object) -> str:
    """Fill in an English template; reports in other languages look it up first.

    Example:
        >>> plainly("{n} others", n=3)
        '3 others'
    """
    return template.format(**values)


def amount(metric: str, value: float, low: float, high: float, *, say: Say = plainly) -> str:
    """A difference with its interval: shares in percentage points, others with their name.

    Example:
        >>> amount("accuracy", 0.021, 0.01, 0.032), amount("rmse", -1.5, -3.0, 0.0)
        ('2.1 points [1.0, 3.2]', '-1.5 [-3, 0] in rmse')
    """
    if metric in SHARES:
        return say("{value} points [{low}, {high}]", value=f"{100 * value:z.1f}",
                   low=f"{100 * low:z.1f}", high=f"{100 * high:z.1f}")  # fmt: skip
    return say("{value} [{low}, {high}] in {metric}", value=f"{value:.4g}", low=f"{low:.4g}",
               high=f"{high:.4g}", metric=metric)  # fmt: skip
