"""What a search shows: its trials, who can be told from the best, and what mattered.

The best of many values is optimistic, because it was selected for being large. The scores here say
so, and the honest score of "search, then train" is that of nested cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from chymist import keys
from chymist.evidence.comparison import ONE_SEED
from chymist.evidence.resampled import corrected_t, holm
from chymist.metrics import METRICS, find, measure
from chymist.space import Axis, Choice, Point, Space, text_of
from chymist.values import Predictions, Recipe, Score, show

Rank = tuple[float, float]

END = "end"  # where configurations stand that were trained to the end
CLEAR = 0.05
ROUNDED = 12  # decimals of a difference; what is left after them is rounding
FEWEST, PER_AXIS = 12, 4  # configurations, in all and for each axis, to tell what mattered
RESAMPLES, TREES, DRAWS = 40, 10, 4


@dataclass(frozen=True, eq=False)
class Trial:
    """One configuration of a search, and how it did.

    Args:
        number: its number, from 1, in the order of the draw.
        point: the values that were tried, by dotted name.
        recipe: the recipe with these values written in.
        score: over its held-out rows, or None if it diverged.
        values: the metric of each fit, (folds x seeds,), in the same order for all trials.
        epochs: of all its fits together.
        reached: how far each fit was trained ("9 epochs"), or "" if to the end.
        reason: how it diverged, or "".
        standing: its value at each length at which trials were compared, by length.
        curve: epochs and mean training loss of its fits, (epochs, 2).
    """

    number: int
    point: Point
    recipe: Recipe
    score: Score | None
    values: np.ndarray
    epochs: float
    reached: str = ""
    reason: str = ""
    standing: Mapping[str, float] = field(default_factory=dict)
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def finished(self) -> bool:
        """Whether it was trained to the end."""
        return not self.reached and not self.reason

    def to_dict(self) -> dict[str, Any]:
        """The trial as plain values (a row of the JSON)."""
        score = None if self.score is None else self.score.to_dict()
        return {
            "trial": self.number, "values": plain(self.point), "score": score,
            "fits": [float(v) for v in self.values], "epochs": self.epochs,
            "reached": self.reached, "reason": self.reason, "standing": dict(self.standing),
        }  # fmt: skip


@dataclass(frozen=True)
class Influence:
    """How much one hyperparameter mattered.

    Args:
        name: its dotted name.
        share: of the variance of the ranks of the configurations, that goes with it; negative
            where chance would have done better.
        low, high: its 95 % interval over resampled configurations.
    """

    name: str
    share: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0


@dataclass(frozen=True, eq=False)
class Search:
    """What a search gave.

    Args:
        verdict: one sentence.
        best: the recipe with the best values written in.
        score: of the best; optimistic, and it says so.
        nested: honest score of the whole search by nested cross-validation, or None.
        trials: all configurations: those trained to the end, best first; then the others.
        pairs: the best against each other one that was trained to the end.
        influence: how much each hyperparameter mattered, most first; empty if that cannot be told.
        surface: a sentence about that.
        noise: standard deviation of the best's metric over "folds" and "seeds" (None for one seed).
        outer: one mapping an outer fold of nested cross-validation: what was chosen, its value on
            the inner folds that chose it (selected), and on the outer held-out rows (value).
        space: what was searched.
        sealed: whether test rows exist that were not given.
        facts: method, design (in words), protocol, seeds, one_seed, trials, fits, epochs,
            full_epochs, executor, notes (on the rows, in sentences), plan, seconds, recipe (as it
            was given).
        how: data, protocol, seeds and the like, as plain values.
    """

    verdict: str
    best: Recipe
    score: Score
    nested: Score | None
    trials: tuple[Trial, ...]
    pairs: tuple[Mapping[str, Any], ...]
    influence: tuple[Influence, ...]
    surface: str
    noise: Mapping[str, float | None]
    outer: tuple[Mapping[str, Any], ...]
    space: Space
    sealed: bool
    facts: Mapping[str, Any]
    how: Mapping[str, Any] = field(default_factory=dict)

    # The notebook view is attached by `chymist.verbs`; evidence draws nothing.
    views: ClassVar[dict[str, Callable[..., Any]]] = {}

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """Epochs and mean training loss of each configuration, (epochs, 2), by its number."""
        return {str(trial.number): trial.curve for trial in self.trials if len(trial.curve)}

    def _repr_html_(self) -> str:
        return str(self.views["html"](self))

    def __repr__(self) -> str:
        return f"Search({self.score}, {self.facts['trials']} configurations)"

    def to_dict(self) -> dict[str, Any]:
        """The search as plain values (the JSON contract)."""
        how = dict(self.how)
        return {
            "verdict": self.verdict, "rows": [trial.to_dict() for trial in self.trials],
            "pairs": list(self.pairs), "seconds": self.facts["seconds"],
            "best": self.best.to_dict(), "score": self.score.to_dict(),
            "nested": None if self.nested is None else self.nested.to_dict(),
            "outer": list(self.outer), "influence": [asdict(one) for one in self.influence],
            "surface": self.surface, "noise": dict(self.noise), "facts": dict(self.facts),
            "axes": {name: _plain_axis(axis) for name, axis in self.space.items()},
            "sealed": self.sealed, "data": how.pop("data", {"name": ""}), "how": how,
        }  # fmt: skip


def _plain_axis(axis: Axis) -> dict[str, Any]:
    """What was searched of one hyperparameter, as plain values."""
    if isinstance(axis, Choice):
        return {"values": [plain({"": value})[""] for value in axis.values]}
    return {"low": axis.low, "high": axis.high, "log": axis.log, "whole": axis.whole}


def plain(point: Point) -> dict[str, Any]:
    """A point as plain values.

    Example:
        >>> from chymist.parts import part
        >>> plain({"model.hidden": (32,), "clip": part("clip", "none")})
        {'model.hidden': (32,), 'clip': 'none()'}
    """
    simple = (int, float, str, bool, tuple, list)
    return {n: v if isinstance(v, simple) else str(v) for n, v in point.items()}


def rank_of(predictions: Predictions, metric: str) -> Rank:
    """What trials are ordered by, smaller is better: the metric, then the log loss.

    Shares of rows are often equal; probabilities then tell.

    Args:
        predictions: results on the held-out rows.
        metric: name of the metric.

    Example:
        >>> made = Predictions(np.arange(2), np.array([0, 1]), np.array([[1, 0], [0.5, 0.5]]))
        >>> rank_of(made, "accuracy")
        (-0.5, 0.34657...)
    """
    sign = -1 if find(metric).greater_is_better else 1
    second = "log_loss" if METRICS[metric].task == "classification" else metric
    return sign * measure(predictions, metric), measure(predictions, second)


def against_best(
    trials: Sequence[Trial], test_share: float, seeds: int = 1
) -> list[dict[str, Any]]:
    """The first of some trials against each of the others, on the same folds and seeds.

    Args:
        trials: trained to the end, the best first.
        test_share: share of the rows that each fit scores, 1/K for K folds.
        seeds: number of seeds, each of which several folds share.

    Returns:
        One mapping a pair: a, b (numbers of trials), difference (a minus b), low, high, p, and
        p_holm, adjusted for the number of pairs.

    Example:
        >>> two = [Trial(n, {}, Recipe(), None, np.array(values), 9.0)
        ...        for n, values in enumerate([[0.98, 0.97, 0.98], [0.71, 0.73, 0.7]], 1)]
        >>> (pair,) = against_best(two, test_share=1 / 3)
        >>> pair["a"], pair["b"], round(pair["difference"], 2), pair["p_holm"] < 0.05
        (1, 2, 0.26, True)

    Source: Nadeau, Bengio 2003 (corrected resampled t-test); Holm 1979.
    """
    best, *others = trials
    gaps = [(best.values - other.values).round(ROUNDED) for other in others]
    found = [corrected_t(gap, test_share, seeds) for gap in gaps]
    adjusted = holm(np.array([pair.p for pair in found])) if found else np.zeros(0)
    return [
        {"a": best.number, "b": other.number, "difference": pair.value, "low": pair.low,
         "high": pair.high, "p": pair.p, "p_holm": float(p)}
        for other, pair, p in zip(others, found, adjusted, strict=True)
    ]  # fmt: skip


def sentence(
    trials: Sequence[Trial], pairs: Sequence[Mapping[str, Any]], nested: Score | None,
    one_seed: bool = False,
) -> str:  # fmt: skip
    """The verdict of a search.

    Args:
        trials: all, the best first.
        pairs: the best against the others that were trained to the end.
        nested: score by nested cross-validation, or None.
        one_seed: whether models start at random, from one seed only; the sentence then says so, if
            the best is told from any other.

    Example:
        >>> score = Score("accuracy", 0.9, 0.8, 0.95, 60, "out-of-fold")
        >>> one = Trial(1, {"optimizer.lr": 0.1}, Recipe(), score, np.array([0.9, 0.9]), 4.0)
        >>> sentence([one], [], None)
        'optimizer.lr 0.1 is best: accuracy 90.0 % [80.0 %, 95.0 %] (selected among 1, so
        optimistic); no other was trained to the end.'
    """
    best = trials[0]
    assert best.score is not None
    metric, score = best.score.metric, best.score
    value, low, high = (show(metric, v) for v in (score.value, score.low, score.high))
    text = (
        f"{text_of_point(best.point)} is best: {metric} {value} [{low}, {high}] "
        f"(selected among {len(trials)}, so optimistic); "
    )
    alike = sum(pair["p_holm"] >= CLEAR for pair in pairs)
    if not pairs:
        text += "no other was trained to the end"
    elif not alike:
        text += f"it is better than {_others(len(pairs), 'the')}"
    else:
        text += f"it cannot be told from {_others(alike, '' if alike < len(pairs) else 'the')}"
    text += ONE_SEED if one_seed and alike < len(pairs) else ""
    dropped = sum(bool(trial.reached) for trial in trials)
    lost = sum(bool(trial.reason) for trial in trials)
    text += f", {dropped} dropped early" if dropped else ""
    text += f", {lost} diverged" if lost else ""
    if nested is not None:
        value, low, high = (show(metric, v) for v in (nested.value, nested.low, nested.high))
        text += f"; honest score of the search, by nested folds: {value} [{low}, {high}]"
    return text + "."


def text_of_point(point: Point) -> str:
    """A point in words.

    Example:
        >>> text_of_point({"optimizer.lr": 0.012, "model.hidden": (128,)})
        'optimizer.lr 0.012, model.hidden 128'
    """
    return ", ".join(f"{name} {text_of(value)}" for name, value in point.items())


def noise_of(best: Trial, seeds: int) -> dict[str, float | None]:
    """Standard deviation of the best trial's metric over folds, and over seeds.

    Args:
        best: the trial.
        seeds: number of seeds.

    Returns:
        "folds": within a seed, pooled over seeds; "seeds": of the means over folds, None for one.

    Example:
        >>> one = Trial(1, {}, Recipe(), None, np.array([0.8, 0.9, 0.9, 1.0]), 4.0)
        >>> {name: round(value, 4) for name, value in noise_of(one, seeds=2).items()}
        {'folds': 0.0707, 'seeds': 0.0707}
    """
    values = best.values.reshape(seeds, -1)
    within = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    return {"folds": within, "seeds": float(values.mean(1).std(ddof=1)) if seeds > 1 else None}


def influence_of(trials: Sequence[Trial], space: Space, metric: str, seed: int) -> list[Influence]:
    """How much each hyperparameter mattered, by permutation on a forest's out-of-bag points.

    A forest is fitted to the ranks y of resampled configurations. On those left out, a column is
    replaced by values of others: S_j = (E (y - f(x with x_j redrawn))^2 - E (y - f(x))^2) /
    (2 Var y), which for a forest without error is the total effect of j. Ranks, so that one
    configuration that failed does not outweigh all others; those that diverged are ranked last.
    Compared are the values at the greatest length that enough configurations have reached. Of
    hyperparameters without effect 2.5 % are claimed to matter (measured: 5 of 360).

    Args:
        trials: all.
        space: what was searched.
        metric: name of the metric.
        seed: seed of the resamples.

    Returns:
        One `Influence` a name, most first; none if there are too few configurations, or all are
        alike.

    Example:
        >>> from chymist.space import Range, drawn
        >>> space = {"a": Range(0, 1), "b": Range(0, 1)}
        >>> made = [Trial(1, point, Recipe(), None, np.zeros(0), 1.0, standing={"end": point["a"]})
        ...         for point in drawn(space, 16, seed=0)]
        >>> [(one.name, one.clear) for one in influence_of(made, space, "accuracy", seed=0)]
        [('a', True), ('b', False)]

    Source: Breiman 2001; Geurts et al. 2006; Jansen 1999; Hutter, Hoos, Leyton-Brown 2014.
    """
    compared = _comparable(trials, space, metric)
    if not compared:
        return []
    from scipy.stats import rankdata

    x = np.array([[axis.share(point[n]) for n, axis in space.items()] for point, _ in compared])
    y = rankdata([value for _, value in compared])
    if y.var() == 0:
        return []
    made = np.array([_drops(x, y, keys.generator(seed, "surface", b)) for b in range(RESAMPLES)])
    low, high = np.nanpercentile(made, [2.5, 97.5], axis=0)
    found = [
        Influence(name, float(s), float(lo), float(hi))
        for name, s, lo, hi in zip(space, np.nanmean(made, axis=0), low, high, strict=True)
    ]
    return sorted(found, key=lambda one: -one.share)


def surface_sentence(found: Sequence[Influence], trials: Sequence[Trial], axes: int) -> str:
    """Which hyperparameters mattered, in words.

    Args:
        found: of `influence_of`.
        trials: all.
        axes: number of hyperparameters.

    Example:
        >>> surface_sentence([], [], axes=1)
        '0 configurations are too few to tell which hyperparameters mattered (12 are needed).'
    """
    needed = needed_for(axes)
    if len(trials) < needed:
        return (
            f"{len(trials)} configurations are too few to tell which hyperparameters mattered "
            f"({needed} are needed)."
        )
    if not found:
        return "All configurations were alike: nothing can be told to have mattered."
    clear, unclear = [o for o in found if o.clear], [o.name for o in found if not o.clear]
    if not clear:
        return "No hyperparameter can be told to have mattered."
    mattered = ", ".join(f"{o.name} ({o.share:.2f} [{o.low:.2f}, {o.high:.2f}])" for o in clear)
    rest = f"; of {', '.join(unclear)} it cannot be told" if unclear else ""
    return f"Mattered, with the share of the variance of ranks: {mattered}{rest}."


def lengths_of(trials: Sequence[Trial]) -> list[str]:
    """The lengths at which trials were compared, ascending.

    Example:
        >>> some = [{"1 epoch": 0.5, "end": 0.5}, {"1 epoch": 0.8, "3 epochs": 0.9, "end": 0.9}]
        >>> lengths_of([Trial(1, {}, Recipe(), None, np.zeros(0), 1.0, standing=s) for s in some])
        ['1 epoch', '3 epochs', 'end']
    """
    found = dict.fromkeys(length for trial in trials for length in trial.standing)
    return sorted(found, key=lambda length: length == END)


def needed_for(axes: int) -> int:
    """How many configurations are needed to tell which of some hyperparameters mattered.

    Example:
        >>> needed_for(2), needed_for(5)
        (12, 20)
    """
    return max(FEWEST, PER_AXIS * axes)


def _comparable(
    trials: Sequence[Trial], space: Space, metric: str
) -> list[tuple[Point, float]]:  # fmt: skip
    """Points and values (more is worse) at the greatest length that enough trials have reached."""
    sign = -1 if find(metric).greater_is_better else 1
    lengths = lengths_of(trials)
    by_length = [[t for t in trials if length in t.standing] for length in lengths]
    lost = [(t.point, np.inf) for t in trials if t.reason]
    for length, there in reversed(list(zip(lengths, by_length, strict=True))):
        if len(there) + len(lost) >= needed_for(len(space)):
            return [(t.point, sign * t.standing[length]) for t in there] + lost
    return []


def _drops(x: np.ndarray, y: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """What redrawing each column costs on the points that one resample has left out, (axes,)."""
    from sklearn.tree import ExtraTreeRegressor

    taken = draw.integers(0, len(y), len(y))
    out = np.setdiff1d(np.arange(len(y)), taken)
    if len(out) < 2:
        return np.full(x.shape[1], np.nan)
    asked = [x[out]]
    for column in range(x.shape[1]):
        for _ in range(DRAWS):
            changed = x[out]
            changed[:, column] = draw.permutation(x[:, column])[: len(out)]
            asked.append(changed)
    places, answers = np.concatenate(asked), []
    for state in draw.integers(0, 2**31, TREES):
        tree = ExtraTreeRegressor(random_state=int(state)).fit(x[taken], y[taken])
        answers.append(tree.predict(places))
    errors = (np.mean(answers, axis=0).reshape(len(asked), -1) - y[out]) ** 2
    cost = errors[1:].mean(1).reshape(-1, DRAWS).mean(1) - errors[0].mean()
    return np.asarray(cost / (2 * y.var()))


def _others(count: int, article: str) -> str:
    """A number of others in words."""
    if count == 1:
        return f"{article} other".strip() if article else "1 other"
    return f"{article} {count} others".strip()
