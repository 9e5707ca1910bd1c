"""`cross_validate`: every row is predicted by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np

from chymist.data import folds as make_folds
from chymist.data import split as make_split
from chymist.engine.allocation import keeping_memory
from chymist.engine.assembly import HEADLINE, assemble, predict_rows, prepared_rows
from chymist.engine.defaults import complete
from chymist.engine.place import MEMORY
from chymist.engine.randomness import foreign_randomness
from chymist.engine.rows import in_turn
from chymist.engine.running import execute, facts_of
from chymist.engine.store import Recorder
from chymist.engine.threads import Threads, using_threads
from chymist.evidence import fit_floors, out_of_fold_score
from chymist.metrics import METRICS, all_metrics
from chymist.values import Data, Floor, Predictions, Recipe, Score, Split, whole_number
from chymist.verbs.fitting import threads_of, with_rate
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
    threads: Threads = None,
    observer: Callable[[Mapping[str, Any]], object] | None = None,
) -> CrossValidation:
    """Score a recipe by K-fold cross-validation; test rows are never given.

    Preparation is fitted on each fold's training rows. Early stopping is decided on a tenth of
    them, never on the rows that are scored. All folds of repeat r use seed + r. The folds are
    trained one after the other (executor "loop").

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        folds: number of folds, or "loo" for one row a fold.
        repeats: how often the rows are cut into folds anew.
        seed: seed of the first repeat.
        group: name of a column, or labels (rows of the data,): rows of a group stay together, in
            the folds and in the rows that decide early stopping; None is the group of the split.
        threads: as in `fit`.
        observer: called with the record of each fold.

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
    records: list[dict[str, Any]] = []
    found: list[Predictions] = []
    floors: list[dict[str, Predictions]] = []
    facts: dict[str, Any] = {}
    for repeat in range(repeats):
        cut = make_folds(whole, folds, seed=seed + repeat, rows=rows, group=groups)
        for fold, held in enumerate(cut):
            train = np.setdiff1d(rows, held)
            split = _fold(recipe, whole, train, held, seed + repeat, groups)
            result, floor, facts = _fit_fold(recipe, split, threads)
            records.append({"repeat": repeat, "fold": fold, "n": len(held),
                            "value": all_metrics(result)[metric],
                            "epochs": facts["epochs"]})  # fmt: skip
            found.append(result)
            floors.append(floor)
            if observer:
                observer(records[-1])
    seconds, epochs = round(perf_counter() - began, 3), sum(r["epochs"] for r in records)
    total = {"executor": "loop", "seconds": seconds, "epochs": epochs,
             "model": facts["model"], "parameters": facts["parameters"]}  # fmt: skip
    out = joined(found)
    return CrossValidation(
        out_of_fold_score(out, metric, seed), joined_floors(floors, metric, seed),
        tuple(records), out, sealed, total,
    )  # fmt: skip


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


def _fit_fold(
    recipe: Recipe, split: Split, threads: Threads
) -> tuple[Predictions, dict[str, Predictions], dict[str, Any]]:
    """Train on the training rows of a fold and predict its test rows; floors do the same."""
    data, train, held, seed = split.data, split.train, split.test, split.seed
    full = with_rate(complete(recipe, split), split, seed)
    with keeping_memory(), foreign_randomness(seed), Recorder(None) as recorder:
        assembly = assemble(full, split, seed)
        with using_threads(threads_of(threads, assembly)):
            seconds = execute(full, assembly, recorder, None)
    preparation, model = assembly.preparation, assembly.state.model
    rows = prepared_rows(full, assembly.form, preparation, data, held, MEMORY)
    outputs = predict_rows(model, assembly.form, preparation, in_turn(rows))
    if data.task == "regression" and data.targets.ndim == 1:
        outputs = outputs[:, 0]
    found = Predictions(held, data.targets[held], outputs, split.groups_of(held))
    floors = fit_floors(
        assembly.matrix(assembly.train), data.targets[train], assembly.matrix(rows), held,
        found.targets, task=data.task, classes=data.classes, metric=HEADLINE[data.task],
        split="out-of-fold", seed=seed, groups=found.groups,
    )  # fmt: skip
    facts = {**facts_of(assembly, seconds, assembly.state.step), "model": full.model.name}
    return found, {f.name: f.predictions for f in floors}, facts
