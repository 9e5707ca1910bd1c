"""`search`: which values of the hyperparameters do best, tried as populations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, Literal

import numpy as np

from chymist.data import folds as make_folds
from chymist.engine.assembly import HEADLINE
from chymist.engine.defaults import complete
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError, nearest
from chymist.evidence import out_of_fold_score
from chymist.evidence.searches import (
    END,
    Search,
    Trial,
    against_best,
    influence_of,
    noise_of,
    plain,
    sentence,
    surface_sentence,
)
from chymist.metrics import measure
from chymist.protocols import Cut
from chymist.space import Axis, Point, Space, drawn, fitted, grid, written
from chymist.values import Data, Recipe, Score, Split, whole_number
from chymist.verbs.asking import ask_and_tell
from chymist.verbs.jobs import Job, Watcher, train_jobs
from chymist.verbs.racing import LOST, Result, Setting, carry_out
from chymist.verbs.rungs import halving, hyperband, to_the_end
from chymist.verbs.sources import groups_of, open_rows
from chymist.verbs.validation import fold_split, joined, named, stops_early

Write = Callable[[Any], Recipe]
RUNGS = {"halving": halving, "hyperband": hyperband}
METHODS = ("random", "grid", *RUNGS, "optuna")


def search(
    recipe: Recipe,
    data: Data | Split,
    space: Mapping[str, Axis],
    method: Literal["random", "grid", "halving", "hyperband", "optuna"] = "random",
    trials: int = 32,
    folds: int | Literal["loo"] = 5,
    seeds: int = 1,
    seed: int = 0,
    *,
    nested: bool | int = False,
    parallel: int = 8,
    group: Any = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    watcher: Watcher | None = None,
) -> Search:
    """Try values of hyperparameters, all on the same folds with the same seeds, as populations.

    All configurations on all folds and seeds are trained as one program where their models have a
    stacked form. A configuration's value is its out-of-fold score; one that diverges loses.
    The value of the best is optimistic, because it was selected; `nested` gives an honest one: for
    each of K outer folds the whole search is done on its training rows alone, the best is trained
    on them and scored on the held-out rows. Test rows are never given.

    Args:
        recipe: what to train; the space overrides its fields.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        space: `cy.space.uniform`, `log` or `choice` by dotted name of a recipe field.
        method: "random" draws; "grid" tries all combinations; "halving" and "hyperband" draw, and
            drop the worse configurations while they are trained; "optuna" asks its sampler.
        trials: number of configurations, unless the method is "grid".
        folds: number of folds, or "loo".
        seeds: how often the rows are cut into folds anew; repeat r has seed + r in all.
        seed: seed of the draw and of the first repeat.
        nested: number of outer folds; True is as many as `folds`.
        parallel: configurations that Optuna proposes at a time.
        group: as in `cross_validate`.
        threads: as in `fit`.
        started: called with the number of fits that begin.
        watcher: called with the number of a fit and each epoch of its training.

    Returns:
        The best recipe, its score, all trials, and which hyperparameters mattered.

    Raises:
        UsageError: a misspelt name, an empty range, a grid over a range, no trials.
        InputError: fewer rows or groups than folds.
        Diverged: every configuration diverged.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="softmax", optimizer="adam", length="3 epochs")
        >>> space = {"optimizer.lr": cy.space.choice(1e-4, 1e-1)}
        >>> found = cy.search(recipe, cy.load("iris"), space, "grid", folds=3)
        >>> found.best.optimizer, found.score.selected_on
        (adam(lr=0.1), 'best of 2 configurations')

    Source: Bergstra, Bengio 2012; Jamieson, Talwalkar 2016; Li et al. 2018; Varma, Simon 2006
    (nested cross-validation).
    """
    began = perf_counter()
    trials, seeds = whole_number(trials, "trials", 1, 10**5), whole_number(seeds, "seeds", 1, 10**4)
    folds = _checked(method, folds)
    seed, outer = whole_number(seed, "seed", 0), _outer_folds(nested, folds)
    whole, rows, sealed = open_rows(data)
    setting = Setting(
        whole, HEADLINE[whole.task], folds, seeds, seed, groups_of(data, group), threads,
        started, watcher,
    )  # fmt: skip
    default = partial(complete, split=setting.splits(rows, False)[0])
    base = _with_length(recipe, space, method, default)
    axes = fitted(space, base, default)
    write = partial(written, base, default=default)
    held = make_folds(whole, outer, seed=seed, rows=rows, group=setting.groups) if outer else []
    races = [rows, *(np.setdiff1d(rows, out) for out in held)]
    points, results = _tried(setting, races, axes, write, method, trials, parallel)
    made = _trials(setting, points[0], write, results[0])
    chosen = list(map(_best_of, points, results))[1:]
    nested_score, choices = _honest(setting, rows, held, chosen, write)
    facts = {"method": method, **_facts(setting, results, perf_counter() - began)}
    return _concluded(setting, made, axes, nested_score, choices, sealed, facts)


def _checked(method: str, folds: int | Literal["loo"]) -> int | Literal["loo"]:
    """The folds, if they and the method are known."""
    if method not in METHODS:
        raise UsageError("unknown method of search", where="method", received=repr(method)[:40],
                         do=nearest(str(method), METHODS))  # fmt: skip
    return "loo" if folds == "loo" else whole_number(folds, "folds", 2, 10**6)


def _outer_folds(nested: bool | int, folds: int | Literal["loo"]) -> int | Literal["loo"]:
    """Number of outer folds of nested cross-validation; 0 for none."""
    if isinstance(nested, bool) or not nested:
        return folds if nested else 0
    return whole_number(nested, "nested", 2, 10**6)


def _with_length(recipe: Recipe, space: Mapping[str, Axis], method: str, default: Write) -> Recipe:
    """A recipe whose length is fixed where lengths are shared out."""
    if method not in RUNGS:
        return recipe
    if "length" in space:
        raise UsageError(f"{method} shares out the length itself", where="space",
                         received="'length'", do="leave it out, or search at random")  # fmt: skip
    return recipe.replace(length=default(recipe).length)


def _tried(
    setting: Setting, races: Sequence[np.ndarray], axes: Space, write: Write, method: str,
    trials: int, parallel: int,
) -> tuple[list[list[Point]], list[list[Result]]]:  # fmt: skip
    """The points that each race tries, and their results."""
    if method == "optuna":
        return ask_and_tell(setting, races, axes, write, trials, parallel)
    points = grid(axes) if method == "grid" else drawn(axes, trials, setting.seed)
    recipes = [write(point) for point in points]
    plan = to_the_end(len(points))
    if method in RUNGS:
        plan = RUNGS[method](len(points), recipes[0].length)
    return [points] * len(races), carry_out(setting, races, [recipes] * len(races), plan)


def _best_of(points: Sequence[Point], results: Sequence[Result]) -> tuple[Point, Result]:
    """The point with the best result, and that result.

    Raises:
        Diverged: there is none.
    """
    best = min(range(len(results)), key=lambda n: _order(results[n], n))
    if results[best].rank == LOST:
        raise Diverged("every configuration diverged", where="search",
                       received=results[best].reason[:80],
                       do="search smaller learning rates")  # fmt: skip
    return points[best], results[best]


def _order(result: Result, number: int) -> tuple[Any, ...]:
    """Those that came furthest first, then the best, then the one that was drawn first."""
    furthest = -len(result.standing) if result.reached else 0
    return result.rank == LOST, bool(result.reached), furthest, result.rank, number


def _trials(
    setting: Setting, points: Sequence[Point], write: Write, results: Sequence[Result]
) -> list[Trial]:
    """All configurations as trials, in the order of their success."""
    made: list[Trial] = []
    for number in sorted(range(len(points)), key=lambda n: _order(results[n], n)):
        found, score = results[number], None
        if found.predictions is not None:
            score = out_of_fold_score(found.predictions, setting.metric, setting.seed)
        if not made and score is not None:
            score = replace(score, selected_on=f"best of {len(points)} configurations")
        made.append(Trial(
            number + 1, points[number], write(points[number]), score, found.values, found.epochs,
            found.reached, found.reason, found.standing, found.curve,
        ))  # fmt: skip
    return made


def _honest(
    setting: Setting, rows: np.ndarray, held: Sequence[np.ndarray],
    chosen: Sequence[tuple[Point, Result]], write: Write,
) -> tuple[Score | None, list[dict[str, Any]]]:  # fmt: skip
    """Train what was chosen for each outer fold on its training rows, score it on the others."""
    if not held:
        return None, []
    jobs = []
    for (point, _), out in zip(chosen, held, strict=True):
        recipe = write(point)
        cut = Cut(np.setdiff1d(rows, out), out, 0, 0)
        split = fold_split(setting.data, cut, setting.seed, stops_early(recipe), setting.groups)
        jobs.append(Job(recipe, split, setting.seed))
    parts, outer = [], []
    for number, trained in enumerate(train_jobs(jobs, setting.threads)):
        if trained.error:
            raise named(trained.error, f"outer fold {number}")
        parts.append(trained.predictions())
        point, inside = chosen[number]
        outer.append({
            "fold": number, "n": len(held[number]), "values": plain(point),
            "selected": inside.standing[END], "value": measure(parts[-1], setting.metric),
        })  # fmt: skip
    return out_of_fold_score(joined(parts), setting.metric, setting.seed), outer


def _facts(setting: Setting, results: Sequence[Sequence[Result]], seconds: float) -> dict[str, Any]:
    """How much was trained, how, and for how long."""
    every = [one for found in results for one in found]
    reasons = sorted({one.alone for one in every} - {""})
    return {
        "folds": setting.folds, "seeds": setting.seeds, "trials": len(results[0]),
        "fits": sum(one.fits for one in every),
        "epochs": round(sum(one.epochs for one in every), 2),
        "full_epochs": round(sum(one.full for one in every), 2),
        "executor": "loop" if reasons else "population", "reason": "; ".join(reasons),
        "seconds": round(seconds, 3),
    }  # fmt: skip


def _concluded(
    setting: Setting, trials: Sequence[Trial], axes: Space, nested: Score | None,
    outer: Sequence[Mapping[str, Any]], sealed: bool, facts: Mapping[str, Any],
) -> Search:  # fmt: skip
    """What the trials say."""
    best = trials[0]
    assert best.score is not None
    pairs = against_best([t for t in trials if t.finished], len(best.values) // setting.seeds)
    influence = influence_of(trials, axes, setting.metric, setting.seed)
    return Search(
        sentence(trials, pairs, nested), best.recipe, best.score, nested, tuple(trials),
        tuple(pairs), tuple(influence), surface_sentence(influence, trials, len(axes)),
        noise_of(best, setting.seeds), tuple(outer), axes, sealed, facts,
    )  # fmt: skip
