"""A search whose points are asked for: Optuna proposes some, they are trained, it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chymist.errors import UsageError
from chymist.keys import key
from chymist.space import Axis, Point, Range, Space
from chymist.values import Recipe, whole_number
from chymist.verbs.racing import LOST, Result, Setting, carry_out
from chymist.verbs.rungs import to_the_end


def ask_and_tell(
    setting: Setting,
    races: Sequence[np.ndarray],
    space: Space,
    write: Callable[[Point], Recipe],
    trials: int,
    parallel: int,
) -> tuple[list[list[Point]], list[list[Result]]]:
    """Points that Optuna's sampler (TPE) proposes, some at a time, each lot as one population.

    Every race has a sampler of its own, which sees the results of its race only.

    Args:
        setting: what the races have in common.
        races: the rows of each race.
        space: as `fitted` gives it.
        write: makes a recipe of a point.
        trials: number of points of a race.
        parallel: points that are asked for at a time.

    Returns:
        For each race its points and their results, in order.

    Raises:
        UsageError: Optuna is not installed; `parallel` is not positive.

    Source: Akiba et al. 2019, Optuna; Bergstra et al. 2011 (tree-structured Parzen estimator).
    """
    parallel = whole_number(parallel, "parallel", 1, 10**5)
    studies = [_study(setting.design.seed) for _ in races]
    points: list[list[Point]] = [[] for _ in races]
    results: list[list[Result]] = [[] for _ in races]
    asked = {name: _distribution(axis) for name, axis in space.items()}
    while len(points[0]) < trials:
        lot = min(parallel, trials - len(points[0]))
        open_trials = [[study.ask(asked) for _ in range(lot)] for study in studies]
        drawn = [[_point(space, one.params) for one in some] for some in open_trials]
        recipes = [[write(point) for point in some] for some in drawn]
        found = carry_out(setting, races, recipes, to_the_end(lot))
        for race, study in enumerate(studies):
            for one, result in zip(open_trials[race], found[race], strict=True):
                _tell(study, one, result)
            points[race] += drawn[race]
            results[race] += found[race]
    return points, results


def _study(seed: int) -> Any:
    """A study that minimises."""
    try:
        import optuna
    except ImportError:
        raise UsageError("Optuna is not installed", where="method 'optuna'",
                         do="pip install chymist[search]") from None  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=key(seed, "search", "optuna") % 2**32)
    return optuna.create_study(direction="minimize", sampler=sampler)


def _distribution(axis: Axis) -> Any:
    """An axis as Optuna describes it; choices by their number."""
    from optuna import distributions

    if not isinstance(axis, Range):
        return distributions.CategoricalDistribution(range(len(axis.values)))
    if axis.whole:
        return distributions.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return distributions.FloatDistribution(axis.low, axis.high, log=axis.log)


def _point(space: Space, params: dict[str, Any]) -> Point:
    """What Optuna proposes as values of the fields."""
    return {name: axis.from_number(params[name]) for name, axis in space.items()}


def _tell(study: Any, trial: Any, result: Result) -> None:
    """Tell a result; what diverged has failed."""
    from optuna.trial import TrialState

    if result.rank == LOST:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, result.rank[0])
