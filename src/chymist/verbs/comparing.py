"""`compare`: several recipes and estimators on the same folds with the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from chymist.engine.assembly import HEADLINE, check_loss
from chymist.engine.defaults import complete
from chymist.engine.events import Epoch
from chymist.engine.population import Plan
from chymist.engine.steps import STEPWISE
from chymist.engine.threads import Threads
from chymist.errors import ChymistError, Diverged, UsageError
from chymist.evidence import Entry, Pair, compare_entries, comparison_verdict, out_of_fold_score
from chymist.losses import Form
from chymist.metrics import Undefined, check_task, find, measure
from chymist.models.counting import count_fitted
from chymist.parts import Part
from chymist.values import Data, Floor, Predictions, Recipe, Split
from chymist.verbs.baselines import (
    FLOORS,
    baseline_predictions,
    check_estimator,
    fold_matrices,
    imports_of,
    is_estimator,
    named_baseline,
    step_baseline,
)
from chymist.verbs.comparison import Comparison
from chymist.verbs.designs import SEEDS, Design, Folds, design_of, starts_at_random
from chymist.verbs.histories import Histories, History, curves_of
from chymist.verbs.jobs import Job, train_jobs
from chymist.verbs.study_origin import how_of
from chymist.verbs.validation import joined, stops_early

Observer = Callable[[Mapping[str, Any]], object]
Watcher = Callable[[int, Epoch], object]

FLOOR = ""  # where the floor stands among the entries, whose names are not empty


def compare(
    recipes: Mapping[str, Any],
    data: Data | Split,
    folds: Folds = 10,
    seeds: int | None = None,
    seed: int = 0,
    *,
    group: Any = None,
    time: Any = None,
    metric: str | None = None,
    plan: str | Path | None = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    observer: Observer | None = None,
    watcher: Watcher | None = None,
) -> Comparison:
    """Compare recipes and scikit-learn estimators on the same folds with the same seeds.

    Repeat r uses seed + r for folds, order and initialisation of all entries, so that every
    difference is paired. Folds are trained as in `cross_validate`, recipes of one kind together.
    Pairs are tested by the corrected resampled t-test on the metrics of the folds; where folds
    have no metric (leave-one-out) on rows: see `chymist.evidence.compare_entries`. One seed does
    not show how much another initialisation would change: if any entry starts from random weights,
    there are three by default, and a verdict from one says so. Estimators are copied, get their
    `random_state` from the seed, and see the rows as the first recipe that says how to prepare
    them; test rows are never given.

    Args:
        recipes: at least two, by name: `Recipe`, or an estimator with `fit` and `predict`.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        folds: number of folds, "loo" for one row a fold, or a protocol
            (`cy.protocols.monte_carlo(times=30)`).
        seeds: how often rows are cut into folds, and models initialised, anew; None is 3 if an
            entry is trained from random initial weights, else 1. A protocol has an option for it.
        seed: the first seed.
        group: name of a column, or labels (rows of the data,): rows of a group stay together.
        time: as in `cross_validate`, for `cy.protocols.time_series`.
        metric: name of the metric; accuracy or RMSE if None.
        plan: as in `cross_validate`.
        threads: as in `fit`.
        started: called with the number of trainings of each entry, before the first one.
        observer: called with the record of each fold: entry, repeat, fold, n, metric, value,
            epochs.
        watcher: called with the number of a training and each epoch of it.

    Returns:
        A `Comparison`: verdict, entries, pairs.

    Raises:
        InputError: fewer rows or groups than folds, an unknown column, an estimator that fails.
        UsageError: one entry only, an entry or metric of the other task, a split ordered in time,
            a protocol whose cuts have no metric of their own and hold rows unequally often.
        Diverged: no entry is left.

    Example:
        >>> import chymist as cy
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> softmax = cy.Recipe(model="softmax", length="60 epochs")
        >>> entries = {"softmax": softmax, "tree": DecisionTreeClassifier()}
        >>> print(cy.compare(entries, cy.load("iris"), folds=5).verdict)
        cannot tell tree from softmax: 5 folds x 3 seeds, difference ... points [-...].

    Source: Nadeau, Bengio 2003; Bouckaert, Frank 2004; Benavoli et al. 2017.
    """
    began = perf_counter()
    design = design_of(data, folds, seeds, seed, group, time)
    metric = metric or HEADLINE[design.data.task]
    full = _checked(recipes, design, metric)
    random = any(starts_at_random(entry) for entry in full.values())
    if seeds is None and random and not isinstance(folds, Part):
        design = design.with_seeds(SEEDS)
    design.check_test(metric)
    known = Plan.of(None if plan is None else Path(plan))
    if started:
        started(len(design.cuts))
    histories = Histories(len(recipes) * len(design.cuts), watcher)
    course = _Course(threads, known, observer or _nobody, histories)
    tables, out, twins = _tables(recipes, full, design, metric, course)
    floor, ranking, pairs, notes = _ranked(tables, out, twins, design, metric)
    lucky = random and design.one_seed
    said = comparison_verdict(ranking, pairs, design.words, metric, lucky)
    return Comparison(
        said, tuple(ranking), tuple(pairs), Floor(floor.name, floor.score), out,
        (*notes, *design.notes()), design.words, tuple(design.cuts), design.sealed,
        known.to_dict(), round(perf_counter() - began, 3),
        how_of(data, design.protocol, design.cuts, design.seed, group, time, lucky),
        _curves(ranking, tables),
    )  # fmt: skip


def _curves(ranking: Sequence[Entry], tables: Mapping[str, _Table]) -> dict[str, np.ndarray]:
    """Recorded series of the recipes, by number of the entry and name: "0/train_loss"."""
    return {
        f"{number}/{name}": values
        for number, entry in enumerate(ranking)
        for name, values in curves_of(tables[entry.name].histories).items()
    }


def _ranked(
    tables: Mapping[str, _Table], out: Mapping[str, str], twins: Mapping[str, str],
    design: Design, metric: str,
) -> tuple[Entry, list[Entry], list[Pair], list[str]]:  # fmt: skip
    """The floor, the entries ranked, all pairs of them, and what is to be known of them.

    Raises:
        Diverged: no entry is left.
    """
    made = {name: _entry(name, table, metric, design.seed) for name, table in tables.items()}
    floor = replace(made.pop(FLOOR), name=FLOORS[design.data.task])
    if not made:
        raise Diverged("every entry diverged", where="; ".join(f"{k} {v}" for k, v in out.items()),
                       do="lower the learning rate")  # fmt: skip
    ranking, pairs = _tested(design, list(made.values()))
    _, (beside_floor,) = _tested(design, [ranking[0], floor])
    notes = [f"{name} is out of the comparison: it {why}" for name, why in out.items()]
    notes += [f"{a} is the same recipe as {b}: trained once" for a, b in twins.items()]
    if beside_floor.better != ranking[0].name:
        notes.append(f"{ranking[0].name} is not better than the floor, {floor.name}")
    return floor, ranking, pairs, notes


def _tested(design: Design, entries: Sequence[Entry]) -> tuple[list[Entry], list[Pair]]:
    """Entries ranked, and all pairs of them."""
    return compare_entries(entries, design.test_share, design.seed, design.single, design.repeats)


@dataclass(frozen=True, eq=False)
class _Course:
    """How trainings are carried out, and who is told of them."""

    threads: Threads
    plan: Plan
    tell: Observer
    watcher: Histories


def _nobody(record: Mapping[str, Any]) -> None:
    """Told of a fold, and does nothing."""


def _checked(recipes: Mapping[str, Any], design: Design, metric: str) -> dict[str, Any]:
    """The entries, recipes complete, if they can be compared on this data.

    Raises:
        UsageError: too few entries, or one that does not suit the data.
    """
    data = design.data
    found: dict[str, Any] = {}
    targets = data.targets[design.rows]
    check_task(Predictions(design.rows, targets, targets), metric)
    if not isinstance(recipes, Mapping) or len(recipes) < 2:
        raise UsageError("a comparison needs at least two entries", where="recipes",
                         received=repr(list(recipes))[:80] if isinstance(recipes, Mapping)
                         else type(recipes).__name__,
                         do='give {"a": recipe, "b": another recipe or estimator}')  # fmt: skip
    split = design.split(design.cuts[0], stopping=False)
    for name, entry in recipes.items():
        if not isinstance(name, str) or not name:
            raise UsageError("an entry needs a name", where="recipes", received=repr(name)[:80],
                             do='give {"mlp": recipe, ...}')  # fmt: skip
        if isinstance(entry, Recipe):
            with _naming(name):
                found[name] = complete(entry, split)
                _check_estimates(check_loss(found[name], data), found[name], metric)
        elif is_estimator(entry):
            check_estimator(name, entry, data, metric)
            found[name] = entry
        else:
            raise UsageError("neither a recipe nor an estimator", where=f"entry '{name}'",
                             received=repr(entry)[:80],
                             do="give cy.Recipe(...), or one with fit and predict")  # fmt: skip
    return found


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """An error says which entry it is about."""
    try:
        yield
    except ChymistError as error:
        where = f"entry '{name}'" + (f", {error.where}" if error.where else "")
        raise type(error)(
            error.what, where=where, received=error.received, do=error.do, code=error.code
        ) from None


@dataclass(eq=False)
class _Table:
    """What is known of an entry, fold by fold."""

    facts: dict[str, Any]
    results: list[Predictions]
    values: list[float]
    epochs: float = 0.0
    seconds: float = 0.0
    histories: Sequence[History] = ()

    def add(self, result: Predictions, metric: str, **place: Any) -> dict[str, Any]:
        """Take note of a fold; returns its record."""
        try:
            value = measure(result, metric)
        except Undefined:
            value = nan
        self.results.append(result)
        self.values.append(value)
        return {**place, "n": len(result.rows), "metric": metric, "value": value}


def _entry(name: str, found: _Table, metric: str, seed: int) -> Entry:
    """An entry with its score over all folds."""
    out = joined(found.results)
    facts = {**found.facts, "epochs": round(found.epochs, 2), "seconds": round(found.seconds, 3)}
    return Entry(name, out_of_fold_score(out, metric, seed), np.array(found.values), out, facts)


def _tables(
    recipes: Mapping[str, Any], full: Mapping[str, Any], design: Design, metric: str,
    course: _Course,
) -> tuple[dict[str, _Table], dict[str, str], dict[str, str]]:  # fmt: skip
    """What is known of each entry and of the floor, why some are out, and who is whose twin."""
    twins = _twins(recipes, full)
    distinct = {name: entry for name, entry in recipes.items() if name not in twins}
    tables, out = _trained(distinct, design, metric, course)
    tables |= _fitted(distinct, design, metric, course.tell)
    tables |= {name: tables[twin] for name, twin in twins.items() if twin in tables}
    out |= {name: out[twin] for name, twin in twins.items() if twin in out}
    order = [name for name in (*recipes, FLOOR) if name not in out]
    return {name: tables[name] for name in order}, out, twins


def _trained(
    recipes: Mapping[str, Any], design: Design, metric: str, course: _Course
) -> tuple[dict[str, _Table], dict[str, str]]:
    """Train every recipe on every fold; what is known of them, and why some are out."""
    networks = {name: entry for name, entry in recipes.items() if isinstance(entry, Recipe)}
    splits = {stops: design.splits(stops) for stops in set(map(stops_early, networks.values()))}
    jobs = [
        Job(recipe, split, split.seed)
        for recipe in networks.values()
        for split in splits[stops_early(recipe)]
    ]
    clock = _Clock(len(design.cuts), course.watcher)
    tables: dict[str, _Table] = {}
    out: dict[str, str] = {}
    fits = train_jobs(jobs, course.threads, watcher=clock, plan=course.plan)
    for number, trained in enumerate(fits):
        which, place = divmod(number, len(design.cuts))
        name, cut = list(networks)[which], design.cuts[place]
        if trained.error:
            out.setdefault(name, f"diverged in fold {cut.fold} of seed {design.seed + cut.repeat} "
                                 f"({trained.error.where})")  # fmt: skip
        if name in out:
            continue
        if name not in tables:
            run = trained.run
            tables[name] = _Table({
                "model": run.recipe.model.name, "recipe": run.recipe.to_dict(),
                "parameters": count_fitted(run.state.model),
                "executor": "loop" if trained.reason else "population", "reason": trained.reason,
            }, [], [])  # fmt: skip
        found = tables[name]
        record = found.add(
            trained.predictions(), metric, entry=name, repeat=cut.repeat, fold=cut.fold
        )
        found.epochs += trained.epochs
        clock.charge(which)
        found.seconds = clock.seconds(which)
        first = which * len(design.cuts)
        found.histories = course.watcher.series[first : first + len(design.cuts)]
        course.tell({**record, "epochs": trained.epochs})
    return tables, out


def _check_estimates(form: Form, recipe: Recipe, metric: str) -> None:
    """Refuse a loss that does not estimate the probabilities that a metric needs."""
    if find(metric).needs == "probabilities" and not form.estimated:
        raise UsageError(f"the metric '{metric}' needs probabilities", where="metric",
                         received=f"scores of the loss '{recipe.loss.name if recipe.loss else ''}'",
                         do="compare by accuracy or auc, or train with cross_entropy")  # fmt: skip


def _fitted(
    recipes: Mapping[str, Any], design: Design, metric: str, tell: Observer
) -> dict[str, _Table]:
    """Fit every estimator, and the floor, on every fold; rows are prepared once for all."""
    asked = [e.data for e in recipes.values() if isinstance(e, Recipe) and e.data is not None]
    estimators = {n: entry for n, entry in recipes.items() if not isinstance(entry, Recipe)}
    estimators[FLOOR] = named_baseline("floor", design.data.task)
    tables = {
        name: _Table({
            "model": type(entry).__name__, "recipe": " ".join(repr(entry).split()),
            "imports": imports_of(entry),
            "parameters": None, "executor": "scikit-learn", "reason": "",
        }, [], [])
        for name, entry in estimators.items()
    }  # fmt: skip
    for cut, split in zip(design.cuts, design.splits(False), strict=True):
        if len(estimators) > 1:
            matrices = fold_matrices(split, asked[0] if asked else None)
        else:
            matrices = np.zeros((len(split.train), 1)), np.zeros((len(split.test), 1))
        for name, estimator in estimators.items():
            began, found = perf_counter(), tables[name]
            if design.data.task in STEPWISE and name == FLOOR:
                result = step_baseline(split)
            else:
                result = baseline_predictions(name, estimator, matrices, split, metric)
            record = found.add(result, metric, entry=name, repeat=cut.repeat, fold=cut.fold)
            found.seconds += perf_counter() - began
            if name != FLOOR:
                tell({**record, "epochs": None})
    return tables


class _Clock:
    """Seconds of each entry: the time until one of its epochs ends, or one of its folds is scored.

    Entries that are trained as one program share their time equally.

    Args:
        folds: trainings of an entry.
        watcher: sees the epochs as well.
    """

    def __init__(self, folds: int, watcher: Watcher | None) -> None:
        self.folds, self.watcher = folds, watcher
        self.last, self.before = perf_counter(), 0
        self.spent: dict[int, float] = {}
        self.together: dict[int, set[int]] = {}

    def __call__(self, number: int, event: Epoch) -> None:
        entry = number // self.folds
        if entry in self.spent and entry != self.before:  # they take turns: it is one program
            team = self.together[entry] | self.together[self.before]
            self.together |= dict.fromkeys(team, team)
        self.charge(entry)
        self.before = entry
        if self.watcher:
            self.watcher(number, event)

    def charge(self, entry: int) -> None:
        """The time since the last charge was for this entry."""
        now = perf_counter()
        self.spent[entry] = self.spent.get(entry, 0.0) + now - self.last
        self.together.setdefault(entry, {entry})
        self.last = now

    def seconds(self, entry: int) -> float:
        """What an entry took so far."""
        team = self.together[entry]
        return sum(self.spent[one] for one in team) / len(team)


def _twins(recipes: Mapping[str, Any], full: Mapping[str, Any]) -> dict[str, str]:
    """Entries that are the same as an earlier one; by contract they give the same numbers."""
    twins: dict[str, str] = {}
    for a, b in combinations(recipes, 2):
        same = recipes[a] is recipes[b]
        if isinstance(recipes[a], Recipe) and isinstance(recipes[b], Recipe):
            factories = full[a].model.factory, full[b].model.factory
            same = full[a] == full[b] and factories[0] is factories[1]
        if same and a not in twins:
            twins.setdefault(b, a)
    return twins
