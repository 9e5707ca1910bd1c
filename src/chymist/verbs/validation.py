"""`cross_validate`: every row is predicted by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np

from chymist.data import folds as make_folds
from chymist.data import split as make_split
from chymist.engine.assembly import HEADLINE, Assembly
from chymist.engine.events import Epoch
from chymist.engine.threads import Threads
from chymist.errors import Diverged
from chymist.evidence import fit_floors, out_of_fold_score
from chymist.metrics import METRICS, measure
from chymist.values import Data, Floor, Predictions, Recipe, Score, Split, whole_number
from chymist.verbs.jobs import Job, Trained, train_jobs
from chymist.verbs.sources import groups_of, open_rows

STOP_SHARE = 0.1  # of the training rows of a fold, held out to decide early stopping


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What cross-validation gave.

    Args:
        score: over all rows, each predicted by models that did not train on it.
        floors: the same for trivial and cheap methods, strongest first.
        folds: one mapping a fold: repeat, fold, n, value, epochs.
        predictions: out-of-fold results, one row per row and repeat, in order of repeats.
        sealed: whether test rows exist that were not given.
        facts: executor, epochs, seconds, model, parameters.
    """

    score: Score
    floors: tuple[Floor, ...]
    folds: tuple[Mapping[str, Any], ...]
    predictions: Predictions
    sealed: bool
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"CrossValidation({self.score}, {len(self.folds)} fits)"


def cross_validate(
    recipe: Recipe,
    data: Data | Split,
    folds: int | Literal["loo"] = 10,
    repeats: int = 1,
    seed: int = 0,
    *,
    group: Any = None,
    floors: bool = True,
    executor: Literal["auto", "loop"] = "auto",
    threads: Threads = None,
    observer: Callable[[Mapping[str, Any]], object] | None = None,
    watcher: Callable[[int, Epoch], object] | None = None,
) -> CrossValidation:
    """Score a recipe by K-fold cross-validation; test rows are never given.

    Preparation is fitted on each fold's training rows. Early stopping is decided on a tenth of
    them, never on the rows that are scored. All folds of repeat r use seed + r. Folds are
    trained as one program (executor "population") where the model has a stacked form, and each is
    what it would be alone; otherwise one after the other (executor "loop").

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        folds: number of folds, or "loo" for one row a fold.
        repeats: how often the rows are cut into folds anew.
        seed: seed of the first repeat.
        group: name of a column, or labels (rows of the data,): rows of a group stay together, in
            the folds and in the rows that decide early stopping; None is the group of the split.
        floors: whether trivial and cheap methods are scored on the same rows.
        executor: "auto" trains folds of one kind as one program; "loop" one after the other.
        threads: as in `fit`.
        observer: called with the record of each fold, when it is scored.
        watcher: called with the number of a fold and each epoch of its training.

    Returns:
        The out-of-fold score with its interval, floors and folds.

    Raises:
        InputError: fewer rows or groups than folds, an unknown column.
        UsageError: the split is ordered in time.

    Example:
        >>> import chymist as cy
        >>> cv = cy.cross_validate(cy.Recipe(model="linear"), cy.load("diabetes"), folds=5)
        >>> cv.score.metric, cv.score.split, len(cv.folds)
        ('rmse', 'out-of-fold', 5)

    Source: Stone 1974; Kohavi 1995.
    """
    began = perf_counter()
    seed, repeats = whole_number(seed, "seed", 0), whole_number(repeats, "repeats", 1, 10**6)
    whole, rows, sealed = open_rows(data)
    groups, metric = groups_of(data, group), HEADLINE[whole.task]
    splits = [
        _fold(recipe, whole, np.setdiff1d(rows, held), held, seed + repeat, groups)
        for repeat in range(repeats)
        for held in make_folds(whole, folds, seed=seed + repeat, rows=rows, group=groups)
    ]
    made: list[_Fold] = []
    jobs = [Job(recipe, split, split.seed) for split in splits]
    for number, trained in enumerate(train_jobs(jobs, threads, executor == "loop", watcher)):
        repeat, fold = divmod(number, len(splits) // repeats)
        if trained.error:
            raise named(trained.error, f"fold {number}")
        made.append(_scored(trained, metric, floors, repeat=repeat, fold=fold))
        if observer:
            observer(made[-1].record)
    facts = _facts(made, trained.run, perf_counter() - began)
    out = joined([one.result for one in made])
    return CrossValidation(
        out_of_fold_score(out, metric, seed),
        joined_floors([one.beside for one in made], metric, seed),
        tuple(one.record for one in made), out, sealed, facts,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Fold:
    """What one fold gave: its record, its results and the floors', and why it was trained alone."""

    record: dict[str, Any]
    result: Predictions
    beside: dict[str, Predictions]
    reason: str


def named(error: Diverged, who: str) -> Diverged:
    """An error that says which of many runs it ended."""
    return Diverged(error.what, where=f"{who}, {error.where}", received=error.received, do=error.do)


def _facts(made: Sequence[_Fold], run: Assembly, seconds: float) -> dict[str, Any]:
    """How the folds were trained, as one program or one after the other, and how long it took."""
    reasons = sorted({one.reason for one in made} - {""})
    return {
        "executor": "loop" if reasons else "population", "reason": "; ".join(reasons),
        "seconds": round(seconds, 3), "epochs": sum(one.record["epochs"] for one in made),
        "model": run.recipe.model.name,
        "parameters": sum(p.numel() for p in run.state.model.parameters()),
    }  # fmt: skip


def _scored(trained: Trained, metric: str, floors: bool, **place: int) -> _Fold:
    """Score a trained fold, and floors if they are wanted, on the rows that it has not seen."""
    result = trained.predictions()
    record = {**place, "n": len(result.rows), "value": measure(result, metric),
              "epochs": trained.epochs}  # fmt: skip
    return _Fold(record, result, floors_of(trained) if floors else {}, trained.reason)


def joined_floors(
    floors: list[dict[str, Predictions]], metric: str, seed: int
) -> tuple[Floor, ...]:
    """Floors over all folds, strongest first; those that some fold could not fit are left out."""
    found = [
        Floor(name, out_of_fold_score(joined([fold[name] for fold in floors]), metric, seed))
        for name in floors[0]
        if all(name in fold for fold in floors)
    ]
    sign = -1 if METRICS[metric].greater_is_better else 1
    return tuple(sorted(found, key=lambda floor: sign * floor.score.value))


def joined(parts: list[Predictions]) -> Predictions:
    """Predictions of several folds as one."""
    names = ["rows", "targets", "outputs"] + ["groups"] * (parts[0].groups is not None)
    return Predictions(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def _fold(
    recipe: Recipe, data: Data, train: np.ndarray, held: np.ndarray, seed: int,
    groups: np.ndarray | None,
) -> Split:  # fmt: skip
    """A fold as a split: a tenth of its training rows decide early stopping, if there is any."""
    stop = np.array([], np.int64)
    if recipe.stop is not None and recipe.stop.name != "none":
        kept = replace(data, inputs=data.take(train), targets=data.targets[train], test_rows=None)
        names = None if groups is None else groups[train]
        cut = make_split(kept, test=0, valid=STOP_SHARE, seed=seed, group=names)
        train, stop = train[cut.train], train[cut.valid]
    return Split(data, train, stop, held, seed, "fold", groups=groups)


def floors_of(trained: Trained) -> dict[str, Predictions]:
    """What the floors say about the rows that a trained job has not seen."""
    run, split = trained.run, trained.job.split
    data = split.data
    floors = fit_floors(
        run.matrix(run.train), data.targets[split.train], run.matrix(trained.held), split.test,
        data.targets[split.test], task=data.task, classes=data.classes,
        metric=HEADLINE[data.task], split="out-of-fold", seed=split.seed,
        groups=split.groups_of(split.test),
    )  # fmt: skip
    return {f.name: f.predictions for f in floors}
