"""`bias_variance`: a learner's error in its parts, from a population on redrawn training sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import hypot, inf, sqrt
from typing import Any, Literal

import numpy as np

from chymist.data import folds as make_folds
from chymist.data.splits import hold_out
from chymist.data.stepwise import check_single
from chymist.data.subsets import nested_subsets
from chymist.engine.events import Epoch
from chymist.engine.threads import Threads
from chymist.errors import UsageError
from chymist.evidence import SquaredDecomposition, ZeroOneDecomposition, bias_variance_zero_one
from chymist.evidence import bias_variance as decompose
from chymist.keys import key
from chymist.parts import part
from chymist.protocols import Cut, cuts
from chymist.values import Data, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, Trained, train_jobs
from chymist.verbs.sources import groups_of, open_rows
from chymist.verbs.tally import Tally
from chymist.verbs.validation import fold_split, stops_early

Sets = Literal["bootstrap", "subsample", "disjoint"]

SUBSAMPLE = 0.5  # of the training rows
REPEATS = 10  # degrees of freedom that an estimate of the noise must have
CLEAR = 2.0  # standard errors by which bias and variance differ before one is called larger


@dataclass(frozen=True, eq=False)
class BiasVariance:
    """A learner's error in its parts.

    Args:
        verdict: the parts in a sentence, and which is larger.
        parts: squared error in noise, bias and variance, or error rate in bias and variance, each
            with its standard error over members, for these held rows.
        noise_spread: standard error of the noise; infinite where it is not known.
        rows: the held rows, (n,).
        predictions: of each member for the held rows: class indices (M, n), or values (M, n) or
            (M, n, outputs).
        train: training rows of each member, without those that decided early stopping.
        sets: how the training rows were drawn.
        sealed: whether test rows exist that were not given.
        facts: model, executor, reason, epochs, seconds.
    """

    verdict: str
    parts: SquaredDecomposition | ZeroOneDecomposition
    noise_spread: float
    rows: np.ndarray
    predictions: np.ndarray
    train: tuple[np.ndarray, ...]
    sets: str
    sealed: bool
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"BiasVariance({self.verdict})"


def bias_variance(
    recipe: Recipe,
    data: Data | Split,
    members: int = 50,
    test: float | int = 0.25,
    seed: int = 0,
    *,
    sets: Sets = "bootstrap",
    group: Any = None,
    threads: Threads = None,
    watcher: Callable[[int, Epoch], object] | None = None,
) -> BiasVariance:
    """Cut the error of a recipe on held rows into bias and variance.

    Rows are held out once; member m is trained on a redrawn set of the others with seed + m. All
    members are trained as one program where the model has a stacked form, and each is what it would
    be alone. Classes have the 0-1 loss, values the squared loss in their unit squared.

    Bootstraps stand in for new samples: a bootstrap of n rows holds 0.632 n different ones, so that
    bias and variance are those of somewhat fewer rows. Disjoint sets are really independent, and
    small. Noise is estimated for values only, and only from rows whose inputs are repeated (within
    them targets vary by noise alone); otherwise it stays within the bias.

    Args:
        recipe: what to train.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        members: number of training sets, at least 3.
        test: share in (0, 1) or number of held rows.
        seed: seed of the cut, of the sets, and of the first member.
        sets: "bootstrap", "subsample" (half of the rows), or "disjoint" (n/members rows each).
        group: name of a column, or labels (rows of the data,): groups are held out, drawn and
            repeated as a whole.
        threads: as in `fit`.
        watcher: called with the number of a member and each epoch of its training.

    Returns:
        A `BiasVariance`.

    Raises:
        InputError: too few rows or groups.
        UsageError: an unknown kind of sets, a share out of range, a split ordered in time.
        Diverged: a member diverged; says which.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="linear", optimizer="closed_form")
        >>> found = cy.bias_variance(recipe, cy.load("diabetes"), members=20)
        >>> print(found.verdict)
        mean squared error ...: bias ... (with the noise in it), variance ...; mostly bias

    Source: Geman, Bienenstock, Doursat 1992; Domingos 2000, A unified bias-variance decomposition.
    """
    tally = Tally()
    seed, members = whole_number(seed, "seed", 0), whole_number(members, "members", 3, 10**6)
    whole, rows, sealed = open_rows(data)
    check_single(whole, "bias and variance need")
    groups = groups_of(data, group)
    rest, held = hold_out(whole, rows, test, seed=seed, groups=groups)
    jobs, stopping = [], stops_early(recipe)
    for member, train in enumerate(_training_sets(whole, rest, members, sets, seed, groups)):
        split = fold_split(whole, Cut(train, held, member, 0), seed, stopping, groups)
        jobs.append(Job(recipe, split, split.seed))
    made = []
    for trained in tally.sound(train_jobs(jobs, threads, watcher=watcher), "member {}".format):
        made.append(trained.predictions().labels)
    votes, noise = np.stack(made), _noise(trained, rows)
    parts, spread = _parts(whole, votes, held, noise, seed)
    return BiasVariance(
        decomposition_verdict(parts, spread), parts, spread, held, votes,
        tuple(job.split.train for job in jobs), sets, sealed, tally.facts(),
    )  # fmt: skip


def _training_sets(
    data: Data, rows: np.ndarray, members: int, sets: Sets, seed: int, groups: np.ndarray | None
) -> list[np.ndarray]:
    """Training rows of each member, ascending; those of a bootstrap are repeated.

    Raises:
        InputError: fewer rows or groups than disjoint sets.
        UsageError: an unknown kind of sets.
    """
    if sets == "bootstrap":
        drawn = cuts(part("protocol", "bootstrap", times=members), data, rows, seed=seed,
                     group=groups)  # fmt: skip
        return [cut.train for cut in drawn]
    if sets == "subsample":
        half = [round(SUBSAMPLE * len(rows))]
        keys = [key(seed, "subsample", member) for member in range(members)]
        return [nested_subsets(data, rows, half, seed=own, groups=groups)[0] for own in keys]
    if sets == "disjoint":
        return make_folds(data, members, seed=seed, rows=rows, group=groups)
    raise UsageError("unknown kind of training sets", where="sets", received=repr(sets)[:40],
                     do="choose 'bootstrap', 'subsample' or 'disjoint'")  # fmt: skip


def _parts(
    data: Data, made: np.ndarray, held: np.ndarray, noise: tuple[float, int], seed: int
) -> tuple[SquaredDecomposition | ZeroOneDecomposition, float]:
    """The decomposition, and the standard error of the noise."""
    truth = data.targets[held]
    if data.classes:
        return bias_variance_zero_one(made, truth, seed), inf
    value, freedom = noise
    if freedom < REPEATS:
        return decompose(made, truth), inf
    spread = value * sqrt(2 / freedom)
    parts = decompose(made, truth, value)
    return replace(parts, bias_spread=hypot(parts.bias_spread, spread)), spread


def _noise(trained: Trained, rows: np.ndarray) -> tuple[float, int]:
    """Variance of targets among rows with equal inputs, and its degrees of freedom.

    Source: Draper, Smith 1998, Applied regression analysis, section 2.1 (pure error).
    """
    data, run = trained.job.split.data, trained.run
    if data.classes:
        return 0.0, 0
    targets = data.targets[rows].reshape(len(rows), -1)
    inputs = run.preparation.inputs(data.take(rows)).reshape(len(rows), -1)
    return pure_error(inputs, targets)


def pure_error(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
    """Variance of targets among rows with equal inputs, and its degrees of freedom.

    Args:
        inputs: (n, features).
        targets: (n, outputs).

    Returns:
        sum of squares within rows of equal inputs / (n - number of different rows), the mean over
        outputs, and this denominator; (0, 0) where no inputs are repeated.

    Example:
        >>> pure_error(np.array([[1.0], [1.0], [2.0]]), np.array([[3.0], [5.0], [9.0]]))
        (2.0, 1)

    Source: Draper, Smith 1998, Applied regression analysis, section 2.1.
    """
    _, place = np.unique(inputs, axis=0, return_inverse=True)
    counts = np.bincount(place)
    freedom = len(inputs) - len(counts)
    if not freedom:
        return 0.0, 0
    sums = np.stack([np.bincount(place, column) for column in targets.T], axis=1)
    within = (targets - (sums / counts[:, None])[place]) ** 2
    return float(within.sum(0).mean() / freedom), freedom


def decomposition_verdict(
    parts: SquaredDecomposition | ZeroOneDecomposition, noise_spread: float = inf
) -> str:
    """The parts in words, with their standard errors, and which of bias and variance is larger.

    Example:
        >>> parts = ZeroOneDecomposition(0.10, 0.06, 0.07, 0.05, 0.01, 0.004, 0.01, 0.004, 50)
        >>> print(decomposition_verdict(parts))
        error rate 10.0 ± 0.4 %: bias 6.0 ± 1.0 %, variance 7.0 ± 0.4 % (5.0 % does harm, 1.0 % does
        good); cannot tell whether bias or variance is larger
    """
    larger = _larger(parts)
    if isinstance(parts, ZeroOneDecomposition):
        return (
            f"error rate {_share(parts.error, parts.error_spread)}: "
            f"bias {_share(parts.bias, parts.bias_spread)}, "
            f"variance {_share(parts.variance, parts.variance_spread)} "
            f"({100 * parts.unbiased_variance:.1f} % does harm, "
            f"{100 * parts.biased_variance:.1f} % does good); {larger}"
        )
    noise, within = "", " (with the noise in it)"
    if noise_spread < inf:
        noise, within = f"noise {_number(parts.noise, noise_spread)}, ", ""
    return (
        f"mean squared error {_number(parts.error, parts.error_spread)}: {noise}"
        f"bias {_number(parts.bias, parts.bias_spread)}{within}, "
        f"variance {_number(parts.variance, parts.variance_spread)}; {larger}"
    )


def _larger(parts: SquaredDecomposition | ZeroOneDecomposition) -> str:
    """Which of bias and variance is larger; of the 0-1 loss, what variance adds to the error."""
    net = parts.error - parts.bias if isinstance(parts, ZeroOneDecomposition) else parts.variance
    apart = parts.bias - net
    if abs(apart) <= CLEAR * hypot(parts.bias_spread, parts.variance_spread):
        return "cannot tell whether bias or variance is larger"
    return "mostly bias" if apart > 0 else "mostly variance"


def _number(value: float, spread: float) -> str:
    return f"{value:.4g} ± {spread:.2g}"


def _share(value: float, spread: float) -> str:
    return f"{100 * value:.1f} ± {100 * spread:.1f} %"
