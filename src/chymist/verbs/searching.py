"""`search`: which values of the hyperparameters do best, tried as populations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from chymist.engine.assembly import HEADLINE
from chymist.engine.defaults import complete
from chymist.engine.population import Plan
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
from chymist.protocols import Cut, protocol_of
from chymist.space import Axis, Point, Space, drawn, fitted, grid, written
from chymist.values import Data, Recipe, Score, Split, whole_number
from chymist.verbs.asking import ask_and_tell
from chymist.verbs.designs import Design, Folds, design_of, starts_at_random
from chymist.verbs.jobs import Job, Watcher, train_jobs
from chymist.verbs.racing import LOST, Result, Setting, carry_out
from chymist.verbs.rungs import halving, hyperband, to_the_end
from chymist.verbs.study_origin import how_of
from chymist.verbs.tensorboard import MemberBoards
from chymist.verbs.validation import joined, named, stops_early

Write = Callable[[Any], Recipe]
RUNGS = {"halving": halving, "hyperband": hyperband}
METHODS = ("random", "grid", *RUNGS, "optuna")


def search(
    recipe: Recipe,
    data: Data | Split,
    space: Mapping[str, Axis],
    method: Literal["random", "grid", "halving", "hyperband", "optuna"] = "random",
    trials: int = 32,
    folds: Folds = 5,
    seeds: int | None = None,
    seed: int = 0,
    *,
    nested: bool | int = False,
    parallel: int = 8,
    group: Any = None,
    time: Any = None,
    plan: str | Path | None = None,
    threads: Threads = None,
    started: Callable[[int], object] | None = None,
    watcher: Watcher | None = None,
    tensorboard: str | Path | None = None,
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
        folds: number of folds, "loo", or a protocol.
        seeds: how often the rows are cut into folds anew; repeat r has seed + r in all. None is
            once, and what is found then says so; a protocol has an option for it.
        seed: seed of the draw and of the first repeat.
        nested: number of outer folds (blocks, of a time series); True is as many as `folds`.
        parallel: configurations that Optuna proposes at a time.
        group, time, plan: as in `cross_validate`.
        threads: as in `fit`.
        started: called with the number of fits that begin.
        watcher: called with the number of a fit and each epoch of its training.
        tensorboard: folder for event files; a folder in it for the search, in that one for each
            fit. None writes none.

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
    trials = _checked(method, trials)
    design = design_of(data, folds, seeds, seed, group, time)
    known = Plan.of(None if plan is None else Path(plan))
    boards = MemberBoards.at(tensorboard, f"{design.data.name}-search")
    setting = Setting(design, HEADLINE[design.data.task], known, threads, started, watcher, boards)
    held = _outer_cuts(design, nested)
    default = partial(complete, split=design.split(design.cuts[0], False))
    base = _with_length(recipe, space, method, default)
    axes = fitted(space, base, default)
    write = partial(written, base, default=default)
    races = [design.rows, *(np.unique(cut.train) for cut in held)]
    points, results = _tried(setting, races, axes, write, method, trials, parallel)
    made = _trials(setting, points[0], write, results[0])
    honest, choices = _honest(setting, held, list(map(_best_of, points, results))[1:], write)
    random = any(starts_at_random(default(trial.recipe)) for trial in made)
    told = {"method": method, "recipe": recipe.to_dict()}
    facts = told | _facts(setting, results, random, perf_counter() - began)
    how = how_of(data, design.protocol, design.cuts, design.seed, group, time, facts["one_seed"])
    return replace(_concluded(setting, made, axes, honest, choices, facts), how=how)


def _checked(method: str, trials: int) -> int:
    """The number of trials, if the method is known.

    Raises:
        UsageError: it is not, or the number is none.
    """
    if method not in METHODS:
        raise UsageError("unknown method of search", where="method", received=repr(method)[:40],
                         do=nearest(str(method), METHODS))  # fmt: skip
    return whole_number(trials, "trials", 1, 10**5)


def _outer_cuts(design: Design, nested: bool | int) -> list[Cut]:
    """The outer folds of nested cross-validation, or none; of a time series, blocks in time.

    Raises:
        UsageError: as many as the folds are wanted, and there are no folds.
    """
    if not nested:
        return []
    protocol = design.protocol
    if nested is not True:
        count = whole_number(nested, "nested", 2, 10**6)
        ordered = protocol.name == "time_series"
        outer = protocol.replace(folds=count) if ordered else protocol_of(count)
    elif protocol.name in ("kfold", "leave_one_out"):
        outer = protocol.replace(repeats=1)
    elif protocol.name == "time_series":
        outer = protocol
    else:
        raise UsageError("nested folds need a number", where="nested", received=f"True, {protocol}",
                         do="give the number of outer folds, for example 5")  # fmt: skip
    return replace(design, protocol=outer).cuts


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
    points = grid(axes) if method == "grid" else drawn(axes, trials, setting.design.seed)
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
            score = out_of_fold_score(found.predictions, setting.metric, setting.design.seed)
        if not made and score is not None:
            score = replace(score, selected_on=f"best of {len(points)} configurations")
        made.append(Trial(
            number + 1, points[number], write(points[number]), score, found.values, found.epochs,
            found.reached, found.reason, found.standing, found.curve,
        ))  # fmt: skip
    return made


def _honest(
    setting: Setting, held: Sequence[Cut], chosen: Sequence[tuple[Point, Result]], write: Write
) -> tuple[Score | None, list[dict[str, Any]]]:
    """Train what was chosen for each outer fold on its training rows, score it on the others."""
    if not held:
        return None, []
    jobs, design = [], setting.design
    for (point, _), cut in zip(chosen, held, strict=True):
        recipe = write(point)
        jobs.append(Job(recipe, design.split(cut, stops_early(recipe)), design.seed))
    parts, outer = [], []
    for number, trained in enumerate(train_jobs(jobs, setting.threads, plan=setting.plan)):
        if trained.error:
            raise named(trained.error, f"outer fold {number}")
        parts.append(trained.predictions())
        point, inside = chosen[number]
        outer.append({
            "fold": number, "n": len(held[number].held), "values": plain(point),
            "selected": inside.standing[END], "value": measure(parts[-1], setting.metric),
        })  # fmt: skip
    return out_of_fold_score(joined(parts), setting.metric, design.seed), outer


def _facts(
    setting: Setting, results: Sequence[Sequence[Result]], random: bool, seconds: float
) -> dict[str, Any]:
    """How much was trained, how, and for how long."""
    every = [one for found in results for one in found]
    reasons = sorted({one.alone for one in every} - {""})
    design = setting.design
    return {
        "design": design.words, "protocol": str(design.protocol), "seeds": design.repeats,
        "one_seed": random and design.one_seed, "trials": len(results[0]),
        "fits": sum(one.fits for one in every),
        "epochs": round(sum(one.epochs for one in every), 2),
        "full_epochs": round(sum(one.full for one in every), 2),
        "executor": "loop" if reasons else "population", "reason": "; ".join(reasons),
        "notes": list(design.notes()), "plan": setting.plan.to_dict(), "seconds": round(seconds, 3),
    }  # fmt: skip


def _concluded(
    setting: Setting, trials: Sequence[Trial], axes: Space, nested: Score | None,
    outer: Sequence[Mapping[str, Any]], facts: Mapping[str, Any],
) -> Search:  # fmt: skip
    """What the trials say."""
    best, design = trials[0], setting.design
    assert best.score is not None
    finished = [trial for trial in trials if trial.finished]
    pairs = against_best(finished, design.test_share, design.repeats)
    influence = influence_of(trials, axes, setting.metric, design.seed)
    return Search(
        sentence(trials, pairs, nested, facts["one_seed"]), best.recipe, best.score, nested,
        tuple(trials), tuple(pairs), tuple(influence),
        surface_sentence(influence, trials, len(axes)), noise_of(best, design.repeats),
        tuple(outer), axes, design.sealed, facts,
    )  # fmt: skip
