"""Several recipes on the same folds: every pair of them, and a sentence that says who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np

from chymist.evidence.resampled import bayesian_correlated_t, corrected_t, holm
from chymist.evidence.verdict import PairedDifference, Say, amount, compare_paired, plainly
from chymist.metrics import find
from chymist.values import SHARES, Predictions, Score

Array = np.ndarray

LEVEL = 0.05  # of the tests; the intervals are at 95 %
REGION = 0.01  # of practical equivalence: one point, or 1 % of the better value of a loss
UNIT = SHARES | {"auc", "r2"}  # metrics of which a hundredth is a point
ROUNDING = 1e-5  # a relative difference of losses that has no winner
NAMED = 3  # entries that a sentence lists before it counts
T_TEST, ROW_TEST = "corrected t", "paired rows"
ONE_SEED = "; one seed: another initialisation may turn this, try 3 seeds"


@dataclass(frozen=True, eq=False)
class Entry:
    """One entry of a comparison, as it did on rows that its models had not seen.

    Args:
        name: what to call it.
        score: out-of-fold, over all rows.
        values: the metric of each fold and seed, seeds one after the other, (folds x seeds,); NaN
            where it is undefined.
        predictions: out-of-fold results, one per row and seed, in the order of the folds.
        facts: recipe, model, parameters, executor, reason, epochs, seconds.
    """

    name: str
    score: Score
    values: Array
    predictions: Predictions
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain values (the JSON contract); its predictions are left out."""
        folds = [float(v) if isfinite(v) else None for v in self.values]
        return {"name": self.name, **self.score.to_dict(), "folds": folds, **self.facts}


@dataclass(frozen=True)
class Pair:
    """Two entries of a comparison; a stands before b in the ranking.

    Args:
        a, b: their names.
        difference: metric of a minus metric of b.
        low, high: its 95 % interval, of this pair alone.
        p: p-value of no difference, two-sided.
        p_holm: the same, adjusted by Holm for the number of pairs.
        equivalent: probability that the true difference is less than a point (1 % of the better
            value of a loss); None where the test is on rows.
        better: name of the better one, or None if they cannot be told apart.
        test: "corrected t" or "paired rows".
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    equivalent: float | None
    better: str | None
    test: str

    def to_dict(self) -> dict[str, Any]:
        """The pair as plain values (the JSON contract)."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def compare_entries(
    entries: Sequence[Entry], test_share: float, seed: int = 0, by_rows: bool = False,
    seeds: int = 1,
) -> tuple[list[Entry], list[Pair]]:  # fmt: skip
    """Rank entries that were scored on the same folds with the same seeds, and test every pair.

    The test is the corrected resampled t-test on the metrics of the folds, and entries are ranked
    by their mean; with several seeds it allows for what an initialisation adds, which all folds of
    a seed share. It is the paired test on out-of-fold rows (see `compare_paired`) where folds have
    no metric of their own: folds of one row, an AUC of one class; the ranking is then by the
    out-of-fold score. A pair whose folds all differ by the same amount, or by nothing though the
    labels differ, is tested on rows too: the t-test has no spread to work with.

    Args:
        entries: at least one; of equal metric, rows and folds.
        test_share: share of the rows that each fold scores, 1/K for K folds.
        seed: seed of the bootstrap.
        by_rows: whether to test on rows.
        seeds: number of seeds, each with its own folds and initialisations.

    Returns:
        The entries, best first, and all pairs of them in this order.

    Raises:
        Undefined: the metric has no value on all rows together.

    Example:
        >>> made = Predictions(np.arange(0), np.arange(0), np.zeros((0, 2)))
        >>> score = Score("accuracy", 0.8, 0.7, 0.9, 80, "out-of-fold")
        >>> a = Entry("a", score, np.array([0.7, 0.8, 0.7]), made, {})
        >>> b = Entry("b", score, np.array([0.9, 0.8, 1.0]), made, {})
        >>> ranking, pairs = compare_entries([a, b], test_share=1 / 3)
        >>> [entry.name for entry in ranking], round(pairs[0].difference, 3), pairs[0].better
        (['b', 'a'], 0.167, None)

    Source: Nadeau, Bengio 2003; Benavoli et al. 2017; Holm 1979.
    """
    metric = entries[0].score.metric
    sign = -1 if find(metric).greater_is_better else 1
    by_rows = by_rows or any(not np.isfinite(entry.values).all() for entry in entries)
    levels = {e.name: e.score.value if by_rows else float(e.values.mean()) for e in entries}
    ranking = sorted(entries, key=lambda entry: sign * levels[entry.name])
    pairs = []
    for a, b in combinations(ranking, 2):
        region = _region(metric, levels[a.name], levels[b.name])
        on_folds = None if by_rows else _on_folds(a, b, test_share, seeds, region)
        pairs.append(on_folds or _on_rows(a, b, seed))
    adjusted = holm(np.array([pair.p for pair in pairs]))
    return ranking, [
        replace(pair, p_holm=float(p), better=_better(pair, float(p), sign))
        for pair, p in zip(pairs, adjusted, strict=True)
    ]


def comparison_verdict(
    ranking: Sequence[Entry], pairs: Sequence[Pair], design: str, metric: str,
    one_seed: bool = False,
) -> str:  # fmt: skip
    """One sentence that says who wins; a winner only where Holm's p is below 0.05.

    Args:
        ranking: the entries, best first.
        pairs: all pairs of them, in this order.
        design: how it was measured, "10 folds x 3 seeds".
        metric: name of the metric.
        one_seed: whether models were initialised from one seed only, so that the luck of it is
            not known; the sentence then says so, if it names a winner.

    Returns:
        The sentence.

    Example:
        >>> none = Predictions(np.arange(0), np.arange(0), np.zeros((0, 2)))
        >>> folds = np.array([0.9, 0.8, 0.9, 0.7]), np.array([0.8, 0.8, 0.7, 0.7])
        >>> made = [
        ...     Entry(name, Score("accuracy", v.mean(), 0, 1, 40, "out-of-fold"), v, none, {})
        ...     for name, v in zip(["mlp", "softmax"], folds)
        ... ]
        >>> comparison_verdict(*compare_entries(made, 0.25), "4 folds x 1 seed", "accuracy")
        'cannot tell mlp from softmax: 4 folds x 1 seed, difference 7.5 points [-15.8, 30.8].'
    """
    return verdict_of(ranking[0].name, pairs, design, metric, one_seed)


def verdict_of(
    best: str, pairs: Sequence[Pair], design: str, metric: str, one_seed: bool = False,
    say: Say = plainly,
) -> str:  # fmt: skip
    """The sentence of a comparison, from its pairs alone, in a language.

    Args:
        best: name of the first of the ranking.
        pairs, design, metric, one_seed: as in `comparison_verdict`.
        say: fills in an English template, or its translation.

    Example:
        >>> pair = Pair("mlp", "svm", 0.02, 0.01, 0.03, 0.01, 0.01, 0.1, "mlp", T_TEST)
        >>> verdict_of("mlp", [pair], "5 folds x 3 seeds", "accuracy")
        'mlp is better than svm by 2.0 points [1.0, 3.0] (5 folds x 3 seeds, corrected t).'
    """
    mine = [pair for pair in pairs if pair.a == best]
    told = [pair for pair in mine if pair.better == best]
    if not mine:
        return say("{best} has nothing to be compared with.", best=best)
    tests = _either(sorted({say(pair.test) for pair in mine}), say)
    if len(mine) > 1:
        said = say("{claim} ({design}, {tests}, Holm-corrected)", design=design, tests=tests,
                   claim=_among(best, mine, told, metric, say))  # fmt: skip
    elif told:
        said = say("{best} is better than {other} by {size} ({design}, {tests})", best=best,
                   other=mine[0].b, size=_size(mine[0], metric, say), design=design,
                   tests=tests)  # fmt: skip
    else:
        size = _difference(mine[0], metric, say)
        said = say("cannot tell {best} from {other}: {design}, {difference}", best=best,
                   other=mine[0].b, design=design, difference=size)  # fmt: skip
    return say("{claim}.", claim=said + (say(ONE_SEED) if told and one_seed else ""))


def _among(best: str, mine: Sequence[Pair], told: Sequence[Pair], metric: str, say: Say) -> str:
    """How the best one stands to several others."""
    others = [pair for pair in mine if pair.better != best]
    if not others:
        return say("{best} is better than the {n} others; next is {next}, by {size}", best=best,
                   n=len(told), next=told[0].b, size=_size(told[0], metric, say))  # fmt: skip
    doubts = _listed([say("{name} ({difference})", name=pair.b,
                          difference=_difference(pair, metric, say)) for pair in others],
                     say)  # fmt: skip
    if not told:
        return say("cannot tell {best} from any of the others: {doubts}", best=best, doubts=doubts)
    beaten = told[0].b if len(told) == 1 else say("{n} others", n=len(told))
    return say("{best} is best; it cannot be told from {doubts}; it is better than {beaten}",
               best=best, doubts=doubts, beaten=beaten)  # fmt: skip


def _on_folds(a: Entry, b: Entry, test_share: float, seeds: int, region: float) -> Pair | None:
    """A pair before the correction for the number of pairs; None if its folds show no spread."""
    differences = a.values - b.values
    if a.score.metric not in SHARES:
        rounding = ROUNDING * np.maximum(np.abs(a.values), np.abs(b.values))
        differences[np.abs(differences) <= rounding] = 0.0
    found = corrected_t(differences, test_share, seeds)
    if not isfinite(found.low) or (found.low == found.high and not _agree(a, b)):
        return None
    within = bayesian_correlated_t(differences, region, test_share, seeds).rope
    return _pair(a, b, found, within, T_TEST)


def _on_rows(a: Entry, b: Entry, seed: int) -> Pair:
    """The same, on out-of-fold rows."""
    rows = [_clustered(entry.predictions) for entry in (a, b)]
    found = compare_paired(rows[0], rows[1], a.score.metric, seed)
    return _pair(a, b, found, None, ROW_TEST)


def _pair(a: Entry, b: Entry, found: PairedDifference, equivalent: float | None, test: str) -> Pair:
    value, p = float(found.value), float(found.p)
    low, high = float(found.low), float(found.high)
    if find(a.score.metric).needs == "labels" or a.score.metric == "auc":
        low, high = max(-1.0, low), min(1.0, high)
    return Pair(a.name, b.name, value, low, high, p, p, equivalent, None, test)


def _agree(a: Entry, b: Entry) -> bool:
    """Whether equal scores in every fold come from equal labels, and not by chance."""
    labels = find(a.score.metric).needs == "labels"
    return not labels or np.array_equal(a.predictions.labels, b.predictions.labels)


def _better(pair: Pair, p: float, sign: int) -> str | None:
    """The better of a pair, by the sign of its own difference."""
    clear = (pair.low > 0 or pair.high < 0) and p < LEVEL
    if not clear:
        return None
    return pair.a if sign * pair.difference < 0 else pair.b


def _clustered(predictions: Predictions) -> Predictions:
    """Repeats of a row are a group: they are no further evidence about new rows."""
    distinct, place = np.unique(predictions.rows, return_inverse=True)
    if predictions.groups is not None or len(distinct) == len(place):
        return predictions
    return replace(predictions, groups=place)


def _region(metric: str, a: float, b: float) -> float:
    """Half-width of the region of practical equivalence."""
    if metric in UNIT:
        return REGION
    return REGION * max(min(a, b), 0.0)


def _size(pair: Pair, metric: str, say: Say) -> str:
    """By how much the better one is better, as a positive number."""
    ends = sorted((abs(pair.low), abs(pair.high)))
    return amount(metric, abs(pair.difference), *ends, say=say)


def _difference(pair: Pair, metric: str, say: Say) -> str:
    size = amount(metric, pair.difference, pair.low, pair.high, say=say)
    return say("difference {size}", size=size)


def _listed(names: Sequence[str], say: Say) -> str:
    """Names as a list in words; many are counted."""
    if len(names) > NAMED:
        names = [*names[:NAMED], say("{n} more", n=len(names) - NAMED)]
    if len(names) < 2:
        return "".join(names)
    return say("{names} and {last}", names=say(", ").join(names[:-1]), last=names[-1])


def _either(names: Sequence[str], say: Say) -> str:
    return say(" or ").join(names)
