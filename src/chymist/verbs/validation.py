"""`cross_validate`: every row is predicted by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from chymist.data import duplicates_across
from chymist.data import split as make_split
from chymist.engine.assembly import HEADLINE, Assembly
from chymist.engine.defaults import complete
from chymist.engine.events import Epoch
from chymist.engine.population import Group, Plan
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError
from chymist.evidence import out_of_fold_score
from chymist.evidence.bootstrap_error import BootstrapError
from chymist.evidence.comparison import Entry, compare_entries, comparison_verdict
from chymist.metrics import METRICS, measure
from chymist.models.counting import count_fitted
from chymist.parts import Part
from chymist.protocols import Cut, cuts, protocol_of
from chymist.reports.notebook import glance
from chymist.schedules import monitored
from chymist.values import Data, Floor, Predictions, Recipe, Score, Split, whole_number
from chymist.verbs.bootstraps import bootstrap_estimate, corrected_score
from chymist.verbs.flooring import floors_beside
from chymist.verbs.histories import Curves, Histories
from chymist.verbs.jobs import Common, Job, Trained, train_jobs
from chymist.verbs.leaving_out import exact_folds
from chymist.verbs.sources import groups_of, open_rows, order_of
from chymist.verbs.study_origin import how_of
from chymist.verbs.study_pages import cross_validation_page

Observer = Callable[[Mapping[str, Any]], object] | None

SINGLE = 1e-4  # of the range of targets: more than rounding prepared rows to float32 ever does
STOP_SHARE = 0.1  # of the training rows of a fold, held out to decide early stopping


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What cross-validation gave.

    Args:
        score: over all rows that were held out, predicted by models that did not train on them.
        floors: the same for trivial and cheap methods, strongest first.
        folds: one mapping a fold: repeat, fold, n, value, epochs.
        predictions: results on held-out rows, in the order of the folds; a row occurs as often as
            it was held out.
        sealed: whether test rows exist that were not given.
        facts: executor, order, plan, epochs, seconds, model, parameters; protocol; duplicates,
            rows that have an exact copy (in another group, if there are groups); never_held, rows
            that no fold held out; rare_classes, names of those with fewer rows than folds;
            bootstrap, the estimates of `BootstrapError` in 0-1 or squared loss.
        corrected: the .632+ estimate of a bootstrap, for a model that is trained on all rows.
        verdict: who wins, the model or the strongest floor; "" where rows are drawn again.
        recipe: as it was given, as plain values.
        how: data, protocol, seeds and the like, as plain values.
        curves: recorded series of the trainings by name, (fits, epochs).
    """

    score: Score
    floors: tuple[Floor, ...]
    folds: tuple[Mapping[str, Any], ...]
    predictions: Predictions
    sealed: bool
    facts: Mapping[str, Any]
    corrected: Score | None = None
    verdict: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The cross-validation as plain values, as in `cv.json`; its predictions are left out."""
        how = dict(self.how)
        return {
            "score": self.score.to_dict(),
            "corrected": self.corrected.to_dict() if self.corrected else None,
            "folds": list(self.folds), "facts": dict(self.facts),
            "floors": [{"name": f.name, "score": f.score.to_dict()} for f in self.floors],
            "verdict": self.verdict, "sealed": self.sealed, "recipe": dict(self.recipe),
            "data": how.pop("data", {"name": ""}), "how": how,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return glance(cross_validation_page(self.to_dict(), self.curves))

    def __repr__(self) -> str:
        shared = ", shared order" * (self.facts["order"] == "shared")
        return f"CrossValidation({self.score}, {len(self.folds)} fits{shared})"


def cross_validate(
    recipe: Recipe,
    data: Data | Split,
    folds: int | Literal["loo"] | Part = 10,
    repeats: int = 1,
    seed: int = 0,
    *,
    group: Any = None,
    time: Any = None,
    floors: bool = True,
    executor: Literal["auto", "loop"] = "auto",
    order: Literal["own", "shared"] = "own",
    plan: str | Path | None = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    observer: Observer = None,
    watcher: Callable[[int, Epoch], object] | None = None,
) -> CrossValidation:
    """Score a recipe by cross-validation, or by another protocol; test rows are never given.

    Preparation is fitted on each fold's training rows. Early stopping is decided on a tenth of
    them, never on the rows that are scored. All folds of repeat r use seed + r. A bootstrap trains
    one model more, on all rows, for the apparent error in its .632+ estimate. Folds are
    trained as one program (executor "population") where the model has a stacked form, and each is
    what it would be alone; otherwise each by itself (executor "loop"), one after the other or
    several at once in processes. Leave-one-out of least squares and ridge follows from one fit
    (executor "closed form"); its last fold is trained all the same, and has to agree.

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        folds: number of folds, "loo" for one row a fold, or a protocol
            (`cy.protocols.bootstrap(times=100)`).
        repeats: how often the rows are cut into folds anew; a protocol has an option for it.
        seed: seed of the first repeat.
        group: name of a column, or labels (rows of the data,): rows of a group stay together, in
            the folds and in the rows that decide early stopping; None is the group of the split.
        time: name of a date or number column, or values (rows of the data,), for
            `cy.protocols.time_series`; None is the column of the split.
        floors: whether trivial and cheap methods are scored on the same rows.
        executor: "auto" trains folds of one kind as one program, or not at all where a closed form
            gives the same; "loop" trains one after the other, in this process.
        order: "own", or "shared": all models read the same batches of all rows in the order of
            `seed`, and each trains on those rows of a batch that are its own. A model is then not
            what it would be alone, and an interval over seeds is too narrow, because repeats
            share the luck of one order.
        plan: file that says which form of such a program is fastest, and pins it; None is what
            was measured on this machine, or is measured now.
        threads: as in `fit`.
        started: called with the number of fits, before the first one.
        observer: called with the record of each fold, when it is scored.
        watcher: called with the number of a fold and each epoch of its training.

    Returns:
        The out-of-fold score with its interval, floors and folds.

    Raises:
        InputError: the rows cannot be cut in this way, an unknown column.
        UsageError: the protocol would train on later rows than it predicts, or part a group; an
            order cannot be shared by these models, rows or this protocol; an unknown executor.

    Example:
        >>> import chymist as cy
        >>> cv = cy.cross_validate(cy.Recipe(model="linear"), cy.load("diabetes"), folds=5)
        >>> cv.score.metric, cv.score.split, len(cv.folds)
        ('rmse', 'out-of-fold', 5)

    Source: Stone 1974; Kohavi 1995.
    """
    began = perf_counter()
    _check_executor(executor)
    seed, repeats = whole_number(seed, "seed", 0), whole_number(repeats, "repeats", 1, 10**6)
    protocol = protocol_of(folds, repeats)
    whole, rows, sealed = open_rows(data, protocol.name == "time_series")
    groups, when, metric = groups_of(data, group), order_of(data, time), HEADLINE[whole.task]
    parts = cuts(protocol, whole, rows, seed=seed, group=groups, time=when)
    more = [Cut(rows, rows, 0, 0)] if protocol.name == "bootstrap" else []
    jobs = [_job(recipe, whole, cut, seed, groups, when) for cut in [*parts, *more]]
    jobs = _in_common(jobs, Common(rows, seed), order, executor)
    if started:
        started(len(jobs))
    known = Plan.of(None if plan is None else Path(plan))
    exact, watched = None, Histories(len(jobs), watcher)
    if executor == "auto" and order == "own" and protocol.name == "leave_one_out":
        exact = _in_closed_form(jobs[-1], parts, metric, floors, observer)
    fits = iter(()) if exact else train_jobs(jobs, threads, executor == "loop", watched, known)
    made, run, found = exact or _one_by_one(fits, parts, metric, floors, observer)
    facts = _facts_of_rows(protocol, whole, rows, groups, parts)
    facts |= {"order": order, **_facts(made, run, known, perf_counter() - began)}
    facts |= {"recipe": recipe.to_dict(), "how": how_of(data, protocol, parts, seed, group, time)}
    return _whole(made, metric, seed, sealed, facts, found, watched.curves(len(parts)))


def _check_executor(executor: str) -> None:
    """Refuse what is neither "auto" nor "loop"."""
    if executor not in ("auto", "loop"):
        raise UsageError("unknown executor", where="executor", received=repr(executor)[:40],
                         do='choose "auto" or "loop"')  # fmt: skip


def _one_by_one(
    fits: Iterator[Trained], parts: Sequence[Cut], metric: str, floors: bool, observer: Observer
) -> tuple[list[_Fold], Assembly, list[BootstrapError]]:
    """Score folds as they are trained; of bootstraps, the estimate with the model of all rows."""
    fits, made = _sound(fits), []
    for cut, trained in zip(parts, fits, strict=False):
        made.append(_scored(trained, cut, metric, floors))
        if observer:
            observer(made[-1].record)
    results = [one.result for one in made]
    found = [bootstrap_estimate(parts, results, last.predictions()) for last in fits]
    return made, trained.run, found


def _in_closed_form(
    last: Job, parts: Sequence[Cut], metric: str, floors: bool, observer: Observer
) -> tuple[list[_Fold], Assembly, list[BootstrapError]] | None:
    """Folds of one row from one fit, or None where they have to be trained.

    The last fold is trained like any other: so wrong recipes fail as they always do, and what it
    says has to be what the closed form says of its row.
    """
    split = last.split
    rows = np.union1d(split.train, split.test)
    recipe = complete(last.recipe, split)
    exact, _ = exact_folds(recipe, split.data, rows, split.groups, floors)
    if exact is None:
        return None
    (trained,) = _sound(train_jobs([last]))
    places = np.searchsorted(rows, [int(cut.held[0]) for cut in parts])
    gap = np.abs(trained.predictions().outputs - exact.predictions.outputs[places[-1:]]).max()
    if gap > SINGLE * np.ptp(split.data.targets[rows]):
        return None
    made = []
    for cut, at in zip(parts, places, strict=True):
        result = _row(exact.predictions, at)
        record = {"repeat": cut.repeat, "fold": cut.fold, "n": 1,
                  "value": measure(result, metric), "epochs": trained.epochs}  # fmt: skip
        beside = {name: _row(one, at) for name, one in exact.floors.items()}
        made.append(_Fold(record, result, beside, None))
        if observer:
            observer(record)
    return made, trained.run, []


def _row(made: Predictions, at: int) -> Predictions:
    """What is said of one row."""
    return replace(
        made, rows=made.rows[[at]], targets=made.targets[[at]], outputs=made.outputs[[at]],
        groups=None,
    )  # fmt: skip


def _in_common(jobs: Sequence[Job], common: Common, order: str, executor: str) -> list[Job]:
    """Jobs as they are, or such that read the same batches.

    Raises:
        UsageError: rows are drawn again, most rows are nobody's in a fold, or it is to be a loop.
    """
    if order == "own":
        return list(jobs)
    if order != "shared":
        raise UsageError("no such order", where="order", received=f"'{order}'",
                         do="use 'own' or 'shared'")  # fmt: skip
    if executor == "loop":
        raise UsageError("models that are trained one by one share no order", where="executor",
                         received="'loop'", do="leave out executor or order")  # fmt: skip
    for job in jobs:
        if len(np.unique(job.split.train)) < max(len(job.split.train), len(common.rows) / 4):
            raise UsageError(
                "a shared order is for folds that train on a quarter of the rows, each once",
                where="order", received=f"{len(job.split.train)} of {len(common.rows)} rows",
                do="leave it out",
            )  # fmt: skip
    return [replace(job, common=common) for job in jobs]


def _whole(
    made: Sequence[_Fold], metric: str, seed: int, sealed: bool, facts: Mapping[str, Any],
    found: Sequence[BootstrapError], curves: Curves,
) -> CrossValidation:  # fmt: skip
    """All folds together."""
    facts = dict(facts)
    recipe, how = facts.pop("recipe"), facts.pop("how")
    out = joined([one.result for one in made])
    more = {"bootstrap": asdict(found[0])} if found else {}
    score = out_of_fold_score(out, metric, seed)
    floors = joined_floors([one.beside for one in made], metric, seed)
    return CrossValidation(
        score, floors, tuple(one.record for one in made), out, sealed, {**facts, **more},
        corrected_score(found[0], out, metric) if found else None,
        _verdict(made, Entry(facts["model"], score, _values(made), out, {}), floors, facts, seed),
        recipe, how, curves,
    )  # fmt: skip


def _values(made: Sequence[_Fold]) -> np.ndarray:
    """The metric of each fold."""
    return np.array([one.record["value"] for one in made])


def _verdict(
    made: Sequence[_Fold], model: Entry, floors: Sequence[Floor], facts: Mapping[str, Any],
    seed: int,
) -> str:  # fmt: skip
    """The model beside the strongest floor, on the same folds."""
    metric, protocol = model.score.metric, facts["protocol"].partition("(")[0]
    if not floors or protocol not in ("kfold", "leave_one_out"):
        return ""
    results = [one.beside[floors[0].name] for one in made]
    values = np.array([measure(result, metric) for result in results])
    floor = Entry(floors[0].name, floors[0].score, values, joined(results), {})
    repeats = made[-1].record["repeat"] + 1
    folds = len(made) // repeats
    tested = compare_entries([model, floor], 1 / folds, seed, protocol != "kfold", repeats)
    design = f"{folds} folds x {repeats} seed{'s' * (repeats > 1)}"
    return comparison_verdict(*tested, design, metric, repeats == 1)


@dataclass(frozen=True, eq=False)
class _Fold:
    """What one fold gave: its record, its results and the floors', and how it was trained.

    The group is None where the fold was not trained, because a closed form gives the same.
    """

    record: dict[str, Any]
    result: Predictions
    beside: dict[str, Predictions]
    group: Group | None


def _facts_of_rows(
    protocol: Part, data: Data, rows: np.ndarray, groups: np.ndarray | None, parts: Sequence[Cut]
) -> dict[str, Any]:
    """What is to be known of the rows and how they were cut."""
    folds = len(parts) // (parts[-1].repeat + 1) if protocol.name == "kfold" else 0
    names = data.row_classes
    counts = [int((data.targets[rows] == c).sum()) for c in range(len(names))]
    return {
        "protocol": str(protocol), "duplicates": duplicates_across(data, rows, groups),
        "never_held": len(np.setdiff1d(rows, np.concatenate([cut.held for cut in parts]))),
        "rare_classes": [
            name for name, n in zip(names, counts, strict=True) if 0 < n < folds
        ],
    }  # fmt: skip


def _sound(fits: Iterator[Trained]) -> Iterator[Trained]:
    """Trained folds; the first that diverged ends them."""
    for number, trained in enumerate(fits):
        if trained.error:
            raise named(trained.error, f"fold {number}")
        yield trained


def named(error: Diverged, who: str) -> Diverged:
    """An error that says which of many runs it ended."""
    return Diverged(error.what, where=f"{who}, {error.where}", received=error.received, do=error.do)


def _facts(made: Sequence[_Fold], run: Assembly, plan: Plan, seconds: float) -> dict[str, Any]:
    """How the folds were trained, as one program or one after the other, and how long it took."""
    reasons = sorted({one.group.reason for one in made if one.group} - {""})
    exact = "closed form" if made[0].group is None else "population"
    return {
        "executor": "loop" if reasons else exact, "reason": "; ".join(reasons),
        "plan": plan.to_dict(),
        "seconds": round(seconds, 3), "epochs": sum(one.record["epochs"] for one in made),
        "model": run.recipe.model.name,
        "parameters": count_fitted(run.state.model),
    }  # fmt: skip


def _scored(trained: Trained, cut: Cut, metric: str, floors: bool) -> _Fold:
    """Score a trained fold, and floors if they are wanted, on the rows that it has not seen."""
    result = trained.predictions()
    record = {"repeat": cut.repeat, "fold": cut.fold, "n": len(result.rows),
              "value": measure(result, metric), "epochs": trained.epochs}  # fmt: skip
    return _Fold(record, result, floors_of(trained) if floors else {}, trained.group)


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
    whole = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    return Predictions(**whole, estimated=all(p.estimated for p in parts))


def _job(
    recipe: Recipe, data: Data, cut: Cut, seed: int, groups: np.ndarray | None,
    moments: np.ndarray | None,
) -> Job:  # fmt: skip
    """A fold as a job."""
    split = fold_split(data, cut, seed, stops_early(recipe), groups, moments)
    return Job(recipe, split, split.seed)


def stops_early(recipe: Recipe) -> bool:
    """Whether a recipe needs rows that decide early stopping, or when the rate is lowered."""
    stops = recipe.stop is not None and recipe.stop.name != "none"
    return stops or monitored(recipe) == "val_loss"


def fold_split(
    data: Data, cut: Cut, seed: int, stopping: bool, groups: np.ndarray | None = None,
    moments: np.ndarray | None = None,
) -> Split:  # fmt: skip
    """A fold as a split: a tenth of its training rows decide early stopping, if there is any.

    These are the last ones where rows have an order; copies of a row in a bootstrap stay together.
    """
    train, stop, seed = cut.train, np.array([], np.int64), seed + cut.repeat
    if stopping:
        rows = np.unique(train)
        kept = replace(data, inputs=data.take(rows), targets=data.targets[rows], test_rows=None,
                       valid_rows=None, train_rows=None, labels={})  # fmt: skip
        names, order = (None if a is None else a[rows] for a in (groups, moments))
        parts = make_split(kept, test=0, valid=STOP_SHARE, seed=seed, group=names, time=order)
        stop = rows[parts.valid]
        train = train[~np.isin(train, stop)]
    return Split(data, train, stop, cut.held, seed, "fold", groups=groups)


def floors_of(trained: Trained) -> dict[str, Predictions]:
    """What the floors say about the rows that a trained job has not seen."""
    run, split = trained.run, trained.job.split
    floors = floors_beside(
        run.preparation, run.recipe.data.options, split.data, split.train, trained.predictions(),
        (run.matrix(run.train), run.matrix(trained.held)), "out-of-fold", split.seed,
    )  # fmt: skip
    return {f.name: f.predictions for f in floors}
