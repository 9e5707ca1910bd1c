"""`validation_curve`: training and held-out scores over one value of the recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.engine.assembly import HEADLINE, predictions_for
from chymist.engine.defaults import complete
from chymist.engine.population import Plan
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError
from chymist.evidence import out_of_fold_score
from chymist.evidence.complexity import (
    Reading,
    complexity_verdict,
    descent_sentence,
    read_curve,
)
from chymist.evidence.double_descent import DoubleDescent, double_descent
from chymist.evidence.memoriser import memorisers
from chymist.metrics import METRICS, measure
from chymist.models.counting import count_fitted
from chymist.protocols import Cut
from chymist.reports.curves import Positions, curve_html, curve_svg, plot_curve
from chymist.space import Axis, Choice, Range, choice, fitted, text_of, written
from chymist.values import SHARES, Data, Predictions, Recipe, Score, Split, show, whole_number
from chymist.verbs.curves import own_score
from chymist.verbs.designs import Design, Folds, design_of
from chymist.verbs.jobs import Job, Trained, Watcher, train_jobs
from chymist.verbs.plain_rows import plain_rows
from chymist.verbs.tally import Tally
from chymist.verbs.validation import joined, stops_early

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 20  # ratio of the largest to the smallest value from which an axis is logarithmic
POINTS = 9  # of a range


@dataclass(frozen=True)
class Memoriser:
    """What a memoriser scores on the same rows: 100 % on its own, if their inputs differ."""

    name: str
    train: Score
    held: Score


@dataclass(frozen=True, eq=False)
class ValidationCurve:
    """Scores over the values of one field of a recipe.

    Args:
        verdict: which value is best, which underfit, which overfit, and double descent, if any.
        name: dotted name of the field.
        values: those whose models were all trained, in the order of the axis.
        held, train: score on held and on training rows, one a value.
        parameters: number of parameters of each value's models.
        reading: numbers of the best and the simplest value, and what the others are.
        descent: the clearest rise and second fall of the loss, clear or not; None if there is none,
            or values have no order.
        needed: training rows times outputs: as many parameters interpolate them.
        memorisers: what knowing the training rows by heart scores.
        folds: a mapping per value and fit: value, repeat, fold, n, held, train, parameters, epochs.
        diverged: values that were left out, and how a model of theirs diverged.
        sealed: whether test rows exist that were not given.
        facts: model, executor, reason, epochs, seconds, design, notes, plan.
    """

    verdict: str
    name: str
    values: tuple[Any, ...]
    held: tuple[Score, ...]
    train: tuple[Score, ...]
    parameters: tuple[int, ...]
    reading: Reading
    descent: DoubleDescent | None
    needed: int
    memorisers: tuple[Memoriser, ...]
    folds: tuple[Mapping[str, Any], ...]
    diverged: Mapping[str, str]
    sealed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Any:
        """The value with the best mean score on held rows."""
        return self.values[self.reading.best]

    @property
    def simplest(self) -> Any:
        """The simplest value whose score is within one standard error of it."""
        return self.values[self.reading.simplest]

    def plot(self) -> Axes:
        """Draw both scores with their intervals; returns matplotlib axes."""
        return plot_curve(self._positions, self.train, self.held)

    def svg(self) -> str:
        """The same as an SVG element."""
        return str(curve_svg(self._positions, self.train, self.held))

    def to_dict(self) -> dict[str, Any]:
        """The curve as plain values (the JSON contract)."""
        columns = zip(self.values, self.held, self.train, self.parameters, self.reading.kinds,
                      strict=True)  # fmt: skip
        return {
            "verdict": self.verdict, "name": self.name,
            "rows": [{"value": value, "held": held.to_dict(), "train": train.to_dict(),
                      "parameters": count, "kind": kind}
                     for value, held, train, count, kind in columns],
            "best": self.best, "simplest": self.simplest, "rows_x_outputs": self.needed,
            "double_descent": bool(self.descent and self.descent.clear),
            "memorisers": [{"name": m.name, "train": m.train.to_dict(), "held": m.held.to_dict()}
                           for m in self.memorisers],
            "folds": list(self.folds), "diverged": dict(self.diverged),
            "plan": self.facts["plan"], "seconds": self.facts["seconds"],
        }  # fmt: skip

    @property
    def _positions(self) -> Positions:
        at, log = places(self.values)
        texts = tuple(map(text_of, self.values))
        marks = [(at[self.reading.best], "best")]
        if self.descent and self.descent.clear:
            reached = [n for n, count in enumerate(self.parameters) if count >= self.needed]
            marks += [(at[n], "interpolates") for n in reached[:1]]
        levels = tuple((m.held.value, "neighbour") for m in self.memorisers[:1])
        return Positions(at, texts, self.name, log, tuple(marks), levels)

    def _repr_html_(self) -> str:
        return str(curve_html(self.verdict, self._positions, self.train, self.held))

    def __repr__(self) -> str:
        return f"ValidationCurve({self.verdict})"


def validation_curve(
    recipe: Recipe,
    data: Data | Split,
    name: str,
    values: Sequence[Any] | Axis,
    folds: Folds = 5,
    seeds: int | None = None,
    seed: int = 0,
    *,
    points: int = POINTS,
    group: Any = None,
    time: Any = None,
    plan: str | Path | None = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    observer: Callable[[Mapping[str, Any]], object] | None = None,
    watcher: Watcher | None = None,
) -> ValidationCurve:
    """Score a recipe with different values of one field, on training and on held rows.

    The course calls it complexity curve, scikit-learn `validation_curve`; the latter is the name
    that people look for, and not every field is a complexity. All values are trained on the same
    folds with the same seeds, as one program where their models are of one kind. A value underfits
    if it is clearly worse than the best one on held rows and on training rows, and overfits if it
    is worse on held rows and better on training rows, by the corrected resampled t-test (of root
    mean squared errors by their ratios). The best is selected, so its score is optimistic;
    `search(nested=5)` has an honest one.

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        name: dotted name of a recipe field: "model.degree", "model.hidden",
            "optimizer.weight_decay", "length".
        values: what to try, or a range (`cy.space.log(1e-4, 1)`), of which even steps are tried.
            Numbers are sorted.
        folds: number of folds, or a protocol.
        seeds: how often the rows are cut into folds anew (1); repeat r has seed + r in all.
        seed: the first seed.
        points: how many steps of a range.
        group, time, plan: as in `cross_validate`.
        threads: as in `fit`.
        started: called with the number of models, before the first is trained.
        observer: called with the record of each model, when it is scored.
        watcher: called with the number of a training and each epoch of it.

    Returns:
        A `ValidationCurve`; its points are what `cross_validate` gives.

    Raises:
        UsageError: an unknown field, a value that it does not take, fewer than two, single rows.
        InputError: fewer rows or groups than folds.
        Diverged: a model of every value diverged.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="polynomial")
        >>> curve = cy.validation_curve(recipe, cy.load("diabetes"), "model.degree", [1, 2, 3])
        >>> curve.parameters, curve.reading.kinds
        ((11, 66, 286), ('best', 'alike', 'over'))

    Source: Hastie, Tibshirani, Friedman 2009, section 7.2; scikit-learn, validation_curve.
    """
    tally = Tally()
    design = design_of(data, folds, seeds, seed, group, time)
    if design.single:
        raise UsageError("a curve needs folds of several rows", where="folds",
                         received=design.words, do="give 5")  # fmt: skip
    known = Plan.of(None if plan is None else Path(plan))
    default = partial(complete, split=design.split(design.cuts[0], False))
    name, tried = _values(recipe, name, values, whole_number(points, "points", 2, 1000), default)
    recipes = [written(recipe, {name: value}, default) for value in tried]
    splits = {early: design.splits(early) for early in {stops_early(one) for one in recipes}}
    jobs = [Job(one, split, split.seed) for one in recipes for split in splits[stops_early(one)]]
    if started:
        started(len(jobs))
    levels, heart = [_Level(value) for value in tried], []
    for number, trained in enumerate(train_jobs(jobs, threads, watcher=watcher, plan=known)):
        at, cut = divmod(number, len(design.cuts))
        if at == 0:
            heart.append(_by_heart(trained))
        levels[at].add(trained, design.cuts[cut], tally, HEADLINE[design.data.task])
        if observer and not trained.error:
            observer(levels[at].records[-1])
    return _curve(name, levels, heart, design, {**tally.facts(), "plan": known.to_dict()})


def places(values: Sequence[Any]) -> tuple[tuple[float, ...], bool]:
    """Where values stand on an axis, and whether it is logarithmic.

    Numbers that span little stand as they are, positive ones that span much at their logarithm;
    lists, names, and zero among numbers that span much, at even steps.

    Example:
        >>> places([1, 2, 5]), places([(8,), (32,), (512,)]), places(["relu", "tanh"])
        (((1.0, 2.0, 5.0), False), ((8.0, 32.0, 512.0), True), ((0.0, 1.0), False))
    """
    numbers = _numbers(values)
    if numbers is None:
        return tuple(map(float, range(len(values)))), False
    least, most = min((abs(v) for v in numbers if v), default=1.0), max(map(abs, numbers))
    if most < WIDE * least:
        return tuple(numbers), False
    return (tuple(numbers), True) if min(numbers) > 0 else places(list(map(str, values)))


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """Values as numbers, those in a list of one too; None if some are none."""
    bare = [v[0] if isinstance(v, tuple) and len(v) == 1 else v for v in values]
    good = all(isinstance(v, int | float) and not isinstance(v, bool) for v in bare)
    return [float(v) for v in bare] if good else None


def _values(
    recipe: Recipe, name: str, values: Sequence[Any] | Axis, points: int,
    default: Callable[[Recipe], Recipe],
) -> tuple[str, list[Any]]:  # fmt: skip
    """The name of the field, and the values to try: converted, numbers in ascending order."""
    axis = values if isinstance(values, Range | Choice) else choice(*values)
    ((name, axis),) = fitted({name: axis}, recipe, default).items()
    tried = list(axis.values)
    if isinstance(axis, Range) and not 0 < len(tried) <= points:
        steps = (axis.at(step / (points - 1)) for step in range(points))
        tried = list(dict.fromkeys(steps))
    numbers = _numbers(tried)
    if numbers is None:
        return name, tried
    return name, [tried[n] for n in np.argsort(numbers, kind="stable")]


class _Level:
    """All models of one value.

    Args:
        value: the value.
    """

    def __init__(self, value: Any) -> None:
        self.value, self.lost = value, ""
        self.records: list[dict[str, Any]] = []
        self.held: list[Predictions] = []
        self.train: list[Predictions] = []
        self.needed = 0

    def add(self, trained: Trained, cut: Cut, tally: Tally, metric: str) -> None:
        """Score one more model; one that diverged loses the value."""
        if trained.error:
            self.lost = self.lost or trained.error.line()
            return
        (trained,) = tally.sound([trained], str)
        run, split = trained.run, trained.job.split
        held, own = trained.predictions(), predictions_for(run, split, "train")
        self.held.append(held)
        self.train.append(own)
        least = len(own.rows) * run.shapes.outputs
        self.needed = min(self.needed or least, least)
        self.records.append({
            "value": self.value, "repeat": cut.repeat, "fold": cut.fold,
            "n": len(held.rows), "held": measure(held, metric), "train": measure(own, metric),
            "parameters": count_fitted(run.state.model, trained=True), "epochs": trained.epochs,
        })  # fmt: skip


_Heart = dict[str, tuple[Predictions, Predictions]]


def _by_heart(trained: Trained) -> _Heart:
    """What memorisers say about the training and the held rows of a model, by name."""
    run, split = trained.run, trained.job.split
    data, rows = split.data, np.concatenate([split.train, split.test])
    count = len(split.train)
    if len(np.unique(split.train)) < count:
        return {}
    parts = plain_rows(run.preparation, run.recipe.data.options, data, split.train, split.test) or [
        np.asarray(run.matrix(some)[np.arange(len(some))]) for some in (run.train, trained.held)
    ]
    said = memorisers(parts[0], data.targets[split.train], np.concatenate(parts), data.task,
                      len(data.classes), split.seed)  # fmt: skip
    made = {}
    for name, outputs in said.items():
        both = [Predictions(rows[some], data.targets[rows[some]], outputs[some],
                            split.groups_of(rows[some]))
                for some in (slice(count), slice(count, None))]  # fmt: skip
        made[name] = both[0], both[1]
    return made


def _compared(values: np.ndarray, metric: str) -> np.ndarray:
    """The scale on which values are compared: errors that differ many times over by their ratio."""
    return values if metric in SHARES else np.log(np.maximum(values, np.finfo(float).tiny))


def _curve(
    name: str, levels: Sequence[_Level], heart: Sequence[_Heart], design: Design,
    facts: Mapping[str, Any],
) -> ValidationCurve:  # fmt: skip
    """All models together.

    Raises:
        Diverged: no value is left.
    """
    metric, seed = HEADLINE[design.data.task], design.seed
    kept = [level for level in levels if not level.lost]
    lost = {text_of(level.value): level.lost for level in levels if level.lost}
    if not kept:
        raise Diverged("a model of every value diverged", where=name, received=levels[0].lost[:60],
                       do="give smaller learning rates")  # fmt: skip
    held, train = (
        _compared(np.array([[one[part] for one in level.records] for level in kept]), metric)
        for part in ("held", "train")
    )
    counts = tuple(int(level.records[0]["parameters"]) for level in kept)
    share, repeats = design.test_share, design.repeats
    greater = METRICS[metric].greater_is_better
    reading = read_curve(held, train, counts, greater, share, repeats)
    values = [level.value for level in kept]
    ordered = name == "length" or not any(isinstance(value, str) for value in values)
    descent = double_descent(-held if greater else held, share, repeats) if ordered else None
    scores = [out_of_fold_score(joined(level.held), metric, seed) for level in kept]
    own = [own_score(joined(level.train), metric, seed) for level in kept]
    made = tuple(
        Memoriser(one, own_score(joined([h[one][0] for h in heart]), metric, seed),
                  out_of_fold_score(joined([h[one][1] for h in heart]), metric, seed))
        for one in heart[0]
    )  # fmt: skip
    texts = [text_of(value) for value in values]
    sentence = complexity_verdict(name, texts, reading, scores[reading.best], ordered)
    if descent and descent.clear:
        sentence += "; " + descent_sentence(name, texts, descent, counts, kept[0].needed)
    sentence += _beside(own[reading.best], made, lost)
    return ValidationCurve(
        sentence, name, tuple(values), tuple(scores), tuple(own), counts, reading, descent,
        kept[0].needed, made, tuple(one for level in kept for one in level.records), lost,
        design.sealed, {**facts, "design": design.words, "notes": list(design.notes())},
    )  # fmt: skip


def _beside(own: Score, made: Sequence[Memoriser], lost: Mapping[str, str]) -> str:
    """What is to be said beside: what a perfect score on training rows is worth, what diverged."""
    text = f"; diverged: {', '.join(lost)}" if lost else ""
    if not made or own.metric not in SHARES or own.value < 1.0:
        return text
    held = made[0].held
    return (
        "; 100 % on training rows is what memory alone gives: the nearest neighbour then scores "
        f"{show(held.metric, held.value)} on held-out rows{text}"
    )
