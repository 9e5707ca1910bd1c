"""`intervals`: where the targets of new rows will be, from predictions that left rows out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any, Literal

import numpy as np

from chymist.data import folds as make_folds
from chymist.data import left_aside, read_inputs, schema_of
from chymist.data.splits import hold_out
from chymist.data.stepwise import check_single
from chymist.engine.events import Epoch
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import (
    cross_conformal_sets,
    cv_plus,
    split_conformal,
    split_conformal_sets,
)
from chymist.protocols import Cut
from chymist.values import Data, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, Trained, train_jobs
from chymist.verbs.predicting import Predictor
from chymist.verbs.sources import groups_of, open_rows
from chymist.verbs.tally import Tally
from chymist.verbs.validation import fold_split, stops_early

Method = Literal["cv+", "jackknife+", "split"]
Rule = Literal["lac", "aps"]

METHODS = ("cv+", "jackknife+", "split")
RULES = ("lac", "aps")


@dataclass(frozen=True, eq=False)
class Intervals:
    """Where the targets of new rows will be.

    Args:
        names: what to call each row.
        value: predicted values (m,), or class names (m,): the median, or the likeliest class on
            average, of the models.
        low, high: ends of the intervals in the unit of the target, (m,); empty for classes.
        sets: whether each class may be the row's, bool (m, classes); (m, 0) for values.
        classes: class names; empty for values.
        level: share of new targets that the method aims to cover.
        proven: share that is proven to be covered, on average over rows and draws of all rows.
        guarantee: what holds, and under which condition, in words.
        notes: what else there is to know, in sentences.
        facts: method, models, calibration (rows that set the widths), model, executor, reason,
            epochs, seconds.
    """

    names: tuple[str, ...]
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sets: np.ndarray
    classes: tuple[str, ...]
    level: float
    proven: float
    guarantee: str
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def labels(self) -> list[tuple[str, ...]]:
        """The set of class names of each row; empty for values."""
        return [
            tuple(name for name, inside in zip(self.classes, row, strict=True) if inside)
            for row in self.sets
            if self.classes
        ]

    def __repr__(self) -> str:
        if self.classes:
            size = self.sets.sum(1).mean() if len(self.sets) else 0.0
            return f"Intervals({len(self.sets)} sets, mean size {size:.2f}; {self.guarantee})"
        width = (self.high - self.low).mean() if len(self.low) else 0.0
        return f"Intervals({len(self.low)} intervals, mean width {width:.4g}; {self.guarantee})"


def intervals(
    recipe: Recipe,
    data: Data | Split,
    new_rows: Any,
    level: float = 0.95,
    method: Method = "cv+",
    folds: int = 10,
    seed: int = 0,
    *,
    calibration: float | int = 0.25,
    rule: Rule = "lac",
    group: Any = None,
    threads: Threads = None,
    watcher: Callable[[int, Epoch], object] | None = None,
) -> Intervals:
    """Intervals for the values of new rows, or sets of labels for their classes.

    Models are trained as in `cross_validate`, as one program where they are of one kind; each
    prepares the new rows as its own training rows. How far their predictions are off on rows that
    they left out gives the width. Nothing is assumed of the model or the noise; old and new rows
    must be exchangeable: a random sample of one source.

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        new_rows: as for `predict`; a target column is ignored.
        level: share of new targets to be covered.
        method: "cv+", one model a fold; "jackknife+", one model a row; "split", one model, and
            held rows that set the width, with the strongest guarantee and the fewest rows.
        folds: number of folds of "cv+".
        seed: seed of the cut, the models, and the random part of "aps".
        calibration: share in (0, 1) or number of held rows of "split".
        rule: for classes "lac", smallest sets on average, or "aps", larger sets for harder rows.
        group: name of a column, or labels (rows of the data,): rows of a group stay together.
        threads: as in `fit`.
        watcher: called with the number of a model and each epoch of its training.

    Returns:
        `Intervals`.

    Raises:
        InputError: new rows that do not fit, too few rows, several targets, a level outside (0, 1).
        UsageError: an unknown method or rule, a split ordered in time.
        Diverged: a model diverged; says which.

    Example:
        >>> import chymist as cy
        >>> data = cy.load("diabetes")
        >>> recipe = cy.Recipe(model="linear", optimizer="closed_form")
        >>> found = cy.intervals(recipe, data, data.inputs, level=0.9)
        >>> inside = (found.low <= data.targets) & (data.targets <= found.high)
        >>> bool(0.87 < inside.mean() < 0.95)
        True

    Source: Barber, Candes, Ramdas, Tibshirani 2021; Romano, Sesia, Candes 2020; Vovk 2015.
    """
    tally, seed = Tally(), whole_number(seed, "seed", 0)
    _check(method, rule, level)
    whole, rows, _ = open_rows(data)
    _check_targets(whole)
    groups, schema = groups_of(data, group), schema_of(whole)
    raw, names = read_inputs(new_rows, schema)
    parts = _left_out(whole, rows, method, folds, calibration, seed, groups)
    jobs = _jobs(recipe, whole, rows, parts, seed, groups)
    fits = tally.sound(train_jobs(jobs, threads, watcher=watcher), "model {}".format)
    made = [(trained.predictions().outputs, _on_new(trained, raw)) for trained in fits]
    known = _Known(
        whole.targets[np.concatenate(parts)], np.concatenate([out for out, _ in made]),
        np.repeat(np.arange(len(parts)), [len(held) for held in parts]),
    )  # fmt: skip
    aside, new = left_aside(new_rows, schema), np.stack([outputs for _, outputs in made])
    notes = [f"columns of no influence: {', '.join(aside)}"] if aside else []
    proven, guarantee = _guarantee(method, level, len(known.targets), groups is not None)
    facts = {"method": method, "models": len(jobs), "calibration": len(known.targets)}
    return Intervals(
        tuple(names), *_ends(whole.classes, known, new, method, level, rule, seed), whole.classes,
        level, proven, guarantee, (*notes, *_too_few(len(known.targets), level)),
        facts | tally.facts(),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Known:
    """Rows that set the widths: their targets, what was predicted, and the number of the model."""

    targets: np.ndarray
    outputs: np.ndarray
    models: np.ndarray


def _left_out(
    data: Data, rows: np.ndarray, method: Method, folds: int, calibration: float | int, seed: int,
    groups: np.ndarray | None,
) -> list[np.ndarray]:  # fmt: skip
    """The rows that each model is not trained on."""
    if method == "split":
        return [hold_out(data, rows, calibration, seed=seed, groups=groups)[1]]
    count: int | Literal["loo"] = "loo" if method == "jackknife+" else folds
    return make_folds(data, count, seed=seed, rows=rows, group=groups)


def _check(method: str, rule: str, level: float) -> None:
    if method not in METHODS:
        raise UsageError("unknown method of intervals", where="method", received=repr(method)[:40],
                         do=nearest(str(method), METHODS))  # fmt: skip
    if rule not in RULES:
        raise UsageError("unknown rule for label sets", where="rule", received=repr(rule)[:40],
                         do=nearest(str(rule), RULES))  # fmt: skip
    if not 0 < level < 1:
        raise InputError("a level is between 0 and 1", where="level", received=f"{level:g}",
                         do="give 0.95 for 95 of 100 rows")  # fmt: skip


def _check_targets(data: Data) -> None:
    check_single(data, "intervals need")
    if data.targets.ndim > 1:
        raise InputError("intervals are for one target", where=data.name,
                         received=f"{data.targets.shape[1]} targets",
                         do="load the data with one of them")  # fmt: skip


def _jobs(
    recipe: Recipe, data: Data, rows: np.ndarray, parts: Sequence[np.ndarray], seed: int,
    groups: np.ndarray | None,
) -> list[Job]:  # fmt: skip
    """One model for each part, trained on the other rows."""
    stopping = stops_early(recipe)
    made = [Cut(np.setdiff1d(rows, held), held, 0, number) for number, held in enumerate(parts)]
    return [Job(recipe, fold_split(data, cut, seed, stopping, groups), seed) for cut in made]


def _on_new(trained: Trained, raw: Any) -> np.ndarray:
    """What a model says about new rows, prepared as its training rows were."""
    run = trained.run
    predictor = Predictor(run.state.model, run.preparation, run.recipe, trained.job.seed)
    return predictor.outputs(predictor.batches(raw))


def _ends(
    classes: tuple[str, ...], known: _Known, new: np.ndarray, method: Method, level: float,
    rule: Rule, seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Predictions, low and high ends, and sets; what does not belong to the task is empty."""
    nothing, count = np.empty(0), new.shape[1]
    if classes:
        value = np.array(classes, dtype=object)[new.mean(0).argmax(1)]
        sets = (
            split_conformal_sets(new[0], known.outputs, known.targets, level, rule, seed)
            if method == "split"
            else cross_conformal_sets(
                new, known.outputs, known.targets, known.models, level, rule, seed
            )
        )
        return value, nothing, nothing, sets
    new, residuals = new[..., 0], known.targets - known.outputs
    value = np.median(new, axis=0)
    if method == "split":
        low, high = split_conformal(new[0], residuals, level)
    else:
        low, high = cv_plus(new, known.models, residuals, level)
    return value, low, high, np.zeros((count, 0), bool)


def _guarantee(method: str, level: float, n: int, grouped: bool) -> tuple[float, str]:
    """The proven coverage, and the sentence that says so.

    Source: Lei et al. 2018 (split); Barber et al. 2021, theorems 1 and 4.
    """
    if grouped:
        return 0.0, "nothing is proven for rows in groups, which are not exchangeable"
    slack = {"split": 0.0, "jackknife+": 1 - level, "cv+": 1 - level + sqrt(2 / n)}[method]
    proven = max(0.0, level - slack)
    close = "" if method == "split" else f"; in practice close to {100 * level:g} %"
    return proven, (
        f"at least {floor(1000 * proven + 1e-6) / 10:g} % of new targets are covered (proven"
        f"{close}), if old and new rows are a random sample of one source"
    )


def _too_few(n: int, level: float) -> list[str]:
    """A note where there are too few rows for the level."""
    least = ceil(round(level / (1 - level), 6))
    if n >= least:
        return []
    return [f"{n} rows are too few for a level of {100 * level:g} %, nothing is excluded: "
            f"give {least} or more"]  # fmt: skip
