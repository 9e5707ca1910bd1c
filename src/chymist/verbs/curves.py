"""`learning_curve`: what more rows bring, measured on the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.data import folds as make_folds
from chymist.data.subsets import nested_subsets
from chymist.data.tabular import check_classes
from chymist.engine.assembly import HEADLINE, predictions_for
from chymist.engine.events import Epoch
from chymist.engine.population import Plan
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError
from chymist.evidence import PairedDifference, corrected_t, out_of_fold_score, score
from chymist.evidence.verdict import amount
from chymist.keys import key
from chymist.metrics import METRICS, measure
from chymist.protocols import Cut
from chymist.reports.curves import Positions, curve_html, curve_svg, plot_curve
from chymist.values import Data, Predictions, Recipe, Score, Split, whole_number
from chymist.verbs.jobs import Job, train_jobs
from chymist.verbs.sources import groups_of, open_rows
from chymist.verbs.tally import Tally
from chymist.verbs.validation import fold_split, joined, stops_early

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HALVINGS = 5  # default sizes: all rows, and each half of the one after it
FEWEST = 10  # rows of the smallest default size


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Scores against the number of training rows.

    Args:
        verdict: what more rows would bring, in a sentence, and the gap to the training rows.
        sizes: training rows, ascending; with early stopping a tenth of them decides it. Where the
            last one is all rows of a fold, other folds may have more.
        held: score on the rows of the folds, which no model of that fold has seen; one a size.
        train: score of the same models on the rows that they were trained on; one a size.
        folds: a mapping per size, repeat and fold: size, repeat, fold, n, held, train, epochs.
        gain: metric at the last size minus that at the one before, on the same folds.
        gap: metric on training rows minus that on held rows, at the last size.
        sealed: whether test rows exist that were not given.
        facts: model, executor, reason, epochs, seconds, plan.
    """

    verdict: str
    sizes: tuple[int, ...]
    held: tuple[Score, ...]
    train: tuple[Score, ...]
    folds: tuple[Mapping[str, Any], ...]
    gain: PairedDifference
    gap: PairedDifference
    sealed: bool
    facts: Mapping[str, Any]

    def plot(self) -> Axes:
        """Draw both scores with their intervals; returns matplotlib axes."""
        return plot_curve(Positions.rows(self.sizes), self.train, self.held)

    def svg(self) -> str:
        """The same as an SVG element."""
        return str(curve_svg(Positions.rows(self.sizes), self.train, self.held))

    def _repr_html_(self) -> str:
        return str(curve_html(self.verdict, Positions.rows(self.sizes), self.train, self.held))

    def __repr__(self) -> str:
        return f"LearningCurve({self.verdict})"


def learning_curve(
    recipe: Recipe,
    data: Data | Split,
    sizes: Sequence[float | int] | None = None,
    folds: int = 5,
    seeds: int = 1,
    seed: int = 0,
    *,
    group: Any = None,
    plan: str | Path | None = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    observer: Callable[[Mapping[str, Any]], object] | None = None,
    watcher: Callable[[int, Epoch], object] | None = None,
) -> LearningCurve:
    """Score a recipe with more and more training rows, on the same held rows.

    Repeat r cuts the rows into folds as `cross_validate` does, with seed + r. Of the training rows
    of each fold nested subsets are drawn: rows of a size are rows of all larger ones, and classes
    keep their proportions. All models are trained as one program where they are of one kind. The
    last size is compared with the one before it by the corrected resampled t-test.

    Args:
        recipe: what to train; defaults are filled for each size. A length in epochs has fewer steps
            on fewer rows.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        sizes: shares in (0, 1] of a fold's training rows, or their numbers; None is five sizes,
            each half of the next, up to all.
        folds: number of folds.
        seeds: how often rows are cut into folds, subsets drawn and models initialised anew.
        seed: the first seed.
        group: name of a column, or labels (rows of the data,): rows of a group stay together.
        plan: as in `cross_validate`.
        threads: as in `fit`.
        started: called with the number of models, before the first is trained.
        observer: called with the record of each model, when it is scored.
        watcher: called with the number of a training and each epoch of it.

    Returns:
        A `LearningCurve`; its last point is what `cross_validate` gives.

    Raises:
        InputError: sizes that the rows do not allow, fewer rows or groups than folds.
        UsageError: fewer than two sizes, a split ordered in time.
        Diverged: a model diverged; says which.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="softmax", length="30 epochs")
        >>> curve = cy.learning_curve(recipe, cy.load("iris"), [0.1, 1.0])
        >>> print(curve.verdict)
        more rows help: accuracy rises by ... points [..., ...] from 12 to 120 rows; ...

    Source: Cortes et al. 1994, Learning curves: asymptotic values and rate of convergence.
    """
    tally = Tally()
    seed, seeds = whole_number(seed, "seed", 0), whole_number(seeds, "seeds", 1, 10**6)
    whole, rows, sealed = open_rows(data)
    design = _design(whole, rows, sizes, folds, seeds, seed, groups_of(data, group))
    points = list(design.points())
    jobs = [design.job(recipe, point) for point in points]
    if started:
        started(len(jobs))
    known = Plan.of(None if plan is None else Path(plan))
    fits = tally.sound(train_jobs(jobs, threads, watcher=watcher, plan=known),
                       lambda number: design.name(points[number]))  # fmt: skip
    made: list[_Scored] = []
    for point, trained in zip(points, fits, strict=True):
        own = predictions_for(trained.run, trained.job.split, "train")
        made.append(_scored(design, point, trained.predictions(), own, trained.epochs))
        if observer:
            observer(made[-1].record)
    return _curve(design, made, seed, sealed, {**tally.facts(), "plan": known.to_dict()})


@dataclass(frozen=True)
class _Point:
    """Which model it is: the number of its size, repeat and fold."""

    level: int
    repeat: int
    fold: int


@dataclass(frozen=True, eq=False)
class _Design:
    """Sizes, and the training and held rows of every repeat, fold and size."""

    data: Data
    groups: np.ndarray | None
    metric: str
    seed: int
    sizes: tuple[int, ...]
    held: list[list[np.ndarray]]  # by repeat and fold
    train: list[list[list[np.ndarray]]]  # by repeat, fold and size

    def points(self) -> Iterator[_Point]:
        """All models, those of a size together: they are trained together."""
        for level in range(len(self.sizes)):
            for repeat, held in enumerate(self.held):
                for fold in range(len(held)):
                    yield _Point(level, repeat, fold)

    def name(self, point: _Point) -> str:
        """What to call a model."""
        return f"repeat {point.repeat}, fold {point.fold}, {self.sizes[point.level]} rows"

    def job(self, recipe: Recipe, point: _Point) -> Job:
        """One model as a job."""
        train = self.train[point.repeat][point.fold][point.level]
        held = self.held[point.repeat][point.fold]
        cut = Cut(train, held, point.repeat, point.fold)
        split = fold_split(self.data, cut, self.seed, stops_early(recipe), self.groups)
        return Job(recipe, split, split.seed)


@dataclass(frozen=True, eq=False)
class _Scored:
    """A scored model: its record, and its results on held and on training rows."""

    record: dict[str, Any]
    held: Predictions
    train: Predictions


def _design(
    data: Data, rows: np.ndarray, sizes: Sequence[float | int] | None, folds: int, seeds: int,
    seed: int, groups: np.ndarray | None,
) -> _Design:  # fmt: skip
    folds = whole_number(folds, "folds", 2, 10**6)
    held = [
        make_folds(data, folds, seed=seed + repeat, rows=rows, group=groups)
        for repeat in range(seeds)
    ]
    full = min(len(rows) - len(one) for repeat in held for one in repeat)
    classes = len(np.unique(data.targets[rows])) if data.row_classes else 0
    numbers = default_sizes(full, classes) if sizes is None else _numbers(sizes, full)
    train: list[list[list[np.ndarray]]] = []
    for repeat, parts in enumerate(held):
        train.append([])
        for fold, one in enumerate(parts):
            rest, own = np.setdiff1d(rows, one), key(seed + repeat, "subsets of fold", fold)
            wanted = [len(rest) if n == full else n for n in numbers]
            train[-1].append(nested_subsets(data, rest, wanted, seed=own, groups=groups))
            check_classes(data.targets[train[-1][-1][0]], data.row_classes, "the smallest size")
    return _Design(data, groups, HEADLINE[data.task], seed, numbers, held, train)


def default_sizes(full: int, classes: int = 0) -> tuple[int, ...]:
    """Five sizes, each half of the next, up to all rows; those that are too small are left out.

    Args:
        full: all rows.
        classes: number of classes; a size has two rows of each.

    Example:
        >>> default_sizes(1437, 10), default_sizes(120, 3)
        ((90, 180, 359, 718, 1437), (15, 30, 60, 120))
    """
    least = max(FEWEST, 2 * classes)
    halves = [round(full / 2**power) for power in reversed(range(HALVINGS))]
    return tuple(size for size in halves[:-2] if size >= least) + tuple(halves[-2:])


def _numbers(sizes: Sequence[float | int], full: int) -> tuple[int, ...]:
    """Sizes as numbers of rows, ascending; a share is rounded up.

    Raises:
        UsageError: no share or number, or fewer than two different ones.
        InputError: more than all rows.
    """
    found = set()
    for size in sizes:
        whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
        if not whole and not (isinstance(size, float | np.floating) and 0 < size <= 1):
            raise UsageError("not a size of a training set", where="sizes",
                             received=repr(size)[:40],
                             do="give shares such as 0.25, or numbers of rows")  # fmt: skip
        found.add(int(size) if whole else ceil(round(size * full, 9)))
    if len(found) < 2:
        raise UsageError("a curve needs at least two sizes", where="sizes",
                         received=str(sorted(found)), do="give [0.5, 1.0]")  # fmt: skip
    if max(found) > full:
        raise InputError("a size is larger than the training rows of a fold", where="sizes",
                         received=str(max(found)), do=f"give {full} at most")  # fmt: skip
    return tuple(sorted(found))


def _scored(
    design: _Design, point: _Point, held: Predictions, train: Predictions, epochs: float
) -> _Scored:
    record = {
        "size": design.sizes[point.level], "repeat": point.repeat, "fold": point.fold,
        "n": len(held.rows), "held": measure(held, design.metric),
        "train": measure(train, design.metric), "epochs": epochs,
    }  # fmt: skip
    return _Scored(record, held, train)


def _curve(
    design: _Design, made: Sequence[_Scored], seed: int, sealed: bool, facts: Mapping[str, Any]
) -> LearningCurve:
    """All models together."""
    metric, levels = design.metric, len(design.sizes)
    by_size = [made[at * len(made) // levels : (at + 1) * len(made) // levels]
               for at in range(levels)]  # fmt: skip
    held = [out_of_fold_score(joined([one.held for one in some]), metric, seed)
            for some in by_size]  # fmt: skip
    train = [own_score(joined([one.train for one in some]), metric, seed) for some in by_size]
    share = 1 / len(design.held[0])
    before, last = (np.array([one.record["held"] for one in some]) for some in by_size[-2:])
    own = np.array([one.record["train"] for one in by_size[-1]])
    repeats = len(design.held)
    gain = corrected_t(last - before, share, repeats)
    gap = corrected_t(own - last, share, repeats)
    sentence = curve_verdict(metric, design.sizes, gain, gap)
    records = tuple(one.record for one in made)
    return LearningCurve(sentence, design.sizes, tuple(held), tuple(train), records, gain, gap,
                         sealed, facts)  # fmt: skip


def own_score(made: Predictions, metric: str, seed: int) -> Score:
    """Score on training rows, in which a row occurs once for each model that it trained."""
    if made.groups is not None:
        return score(made, metric, "train", seed=seed)
    distinct, place = np.unique(made.rows, return_inverse=True)
    by_row = score(replace(made, groups=place), metric, "train", seed=seed)
    return replace(by_row, n=len(distinct), groups=None)


def curve_verdict(
    metric: str, sizes: Sequence[int], gain: PairedDifference, gap: PairedDifference
) -> str:
    """What more rows would bring, in words, and how far training and held rows are apart.

    It claims a difference only where the 95 % interval excludes zero.

    Example:
        >>> gain, gap = PairedDifference(0.012, 0.004, 0.02, 0.01), PairedDifference(0, -1, 1, 1)
        >>> print(curve_verdict("accuracy", [720, 1440], gain, gap))
        more rows help: accuracy rises by 1.2 points [0.4, 2.0] from 720 to 1,440 rows; cannot tell
        the score on training rows from that on held-out rows: difference 0.0 points [-100.0, 100.0]
    """
    greater = METRICS[metric].greater_is_better
    span = f"from {sizes[-2]:,} to {sizes[-1]:,} rows"
    if gain.clear:
        claim = "more rows help" if (gain.value > 0) == greater else "more rows do HARM"
        way = "rises" if gain.value > 0 else "falls"
        words = f"{claim}: {metric} {way} by {_size(metric, gain)} {span}"
    else:
        words = f"cannot tell that more rows help: difference {_size(metric, gain)} {span}"
    if not gap.clear:
        return (
            f"{words}; cannot tell the score on training rows from that on held-out rows: "
            f"difference {_size(metric, gap)}"
        )
    better = "better" if (gap.value > 0) == greater else "WORSE"
    return (
        f"{words}; {metric} is {better} on training than on held-out rows by {_size(metric, gap)}"
    )


def _size(metric: str, found: PairedDifference) -> str:
    """A clear difference without its sign, another one with it."""
    value, low, high = found.value, found.low, found.high
    if found.clear:
        value, (low, high) = abs(value), sorted((abs(low), abs(high)))
    return amount(metric, value, low, high).removesuffix(f" in {metric}")
