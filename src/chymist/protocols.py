"""Protocols of validation: which rows a model is trained on, and which it is scored on.

A protocol is described (`cy.protocols.kfold(folds=5)`) and cuts the rows of a `Sample` into a list
of `Cut`s, each of which is one training. No cut scores a model on a row that it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Annotated, Any

import msgspec
import numpy as np

from chymist.data import folds as make_folds
from chymist.data import group_numbers, hold_out, moments
from chymist.data.cells import short
from chymist.data.splits import usable_rows
from chymist.errors import InputError, UsageError
from chymist.keys import generator, key
from chymist.parts import Count, Part, describer
from chymist.values import Data, whole_number

Array = np.ndarray
Two = Annotated[int, msgspec.Meta(ge=2)]
Gap = Annotated[int, msgspec.Meta(ge=0)]

MOST = 10_000  # combinations that are tried without being asked for
DRAWS = 1000  # bootstraps drawn anew, until one holds every class


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows that a protocol cuts.

    Args:
        data: the data.
        rows: row numbers that may be used, ascending, (m,), int64.
        seed: seed of the draws; repeat r of K-fold uses seed + r.
        groups: number of each row's group, (rows of the data,), or None.
        moments: numbers or dates that order the rows in time, (rows of the data,), or None.
    """

    data: Data
    rows: Array
    seed: int = 0
    groups: Array | None = None
    moments: Array | None = None


@dataclass(frozen=True, eq=False)
class Cut:
    """One training of a protocol.

    Args:
        train: row numbers, ascending, int64; those of a bootstrap are repeated.
        held: row numbers that are predicted, ascending, int64; none of them is in `train`.
        repeat: number of the repeat, from 0.
        fold: number of the cut within the repeat, from 0.
    """

    train: Array
    held: Array
    repeat: int
    fold: int


@describer("protocol")
def kfold(sample: Sample, folds: Two = 10, repeats: Count = 1) -> list[Cut]:
    """Every row is held out once a repeat, in one of `folds` parts of equal size.

    Classes keep their proportions; rows of a group stay together.

    Args:
        folds: number of parts.
        repeats: how often the rows are cut anew.

    Raises:
        InputError: fewer rows or groups than folds, a class of one row.

    Example:
        >>> import chymist as cy
        >>> [len(cut.held) for cut in cuts(kfold(folds=4), cy.load("iris"))]
        [38, 38, 37, 37]

    Source: Stone 1974; Kohavi 1995.
    """
    return [
        cut
        for repeat in range(repeats)
        for cut in _without(sample, _folds(sample, folds, repeat), repeat)
    ]


@describer("protocol")
def leave_one_out(sample: Sample, repeats: Count = 1) -> list[Cut]:
    """Every row, or group where there are groups, is held out alone.

    Args:
        repeats: how often, each with another seed of the training.

    Raises:
        InputError: fewer than two rows or groups, a class of one row.

    Example:
        >>> import chymist as cy
        >>> len(cuts(leave_one_out(), cy.load("iris")))
        150

    Source: Lachenbruch, Mickey 1968; Stone 1974.
    """
    held = _folds(sample, "loo", 0)
    return [cut for repeat in range(repeats) for cut in _without(sample, held, repeat)]


@describer("protocol")
def leave_p_out(sample: Sample, p: Count = 2, limit: Count | None = None) -> list[Cut]:
    """Every set of p rows is held out, C(n, p) of them, or `limit` of these sets drawn at random.

    Args:
        p: rows that are held out.
        limit: most sets; None takes all, if there are at most 10,000.

    Raises:
        UsageError: the rows are in groups.
        InputError: too many sets, no training rows left, a class of at most p rows.

    Example:
        >>> import chymist as cy
        >>> len(cuts(leave_p_out(p=2, limit=20), cy.load("iris")))
        20

    Source: Shao 1993, Linear model selection by cross-validation.
    """
    if sample.groups is not None:
        raise UsageError("leave_p_out would part the rows of a group", where="group",
                         do="use leave_groups_out")  # fmt: skip
    sets = _subsets(len(sample.rows), p, limit, sample, "rows")
    return _without(sample, [sample.rows[places] for places in sets])


@describer("protocol")
def leave_groups_out(sample: Sample, p: Count = 1, limit: Count | None = None) -> list[Cut]:
    """Every set of p groups is held out, or `limit` of these sets drawn at random.

    Args:
        p: groups that are held out.
        limit: most sets; None takes all, if there are at most 10,000.

    Raises:
        UsageError: the rows are in no groups.
        InputError: too many sets, p is not below the number of groups, a class in p groups only.

    Example:
        >>> import chymist as cy
        >>> len(cuts(leave_groups_out(p=2), cy.load("iris"), group=np.arange(150) % 5))
        10
    """
    if sample.groups is None:
        raise UsageError("leave_groups_out needs groups", where="group", received="none",
                         do="give group=COLUMN")  # fmt: skip
    names, group = np.unique(sample.groups[sample.rows], return_inverse=True)
    sets = _subsets(len(names), p, limit, sample, "groups")
    return _without(sample, [sample.rows[np.isin(group, places)] for places in sets])


@describer("protocol")
def monte_carlo(sample: Sample, times: Count = 20, test: float | int = 0.2) -> list[Cut]:
    """A share of the rows is drawn and held out, again and again: repeated random sub-sampling.

    Classes keep their proportions; rows of a group stay together.

    Args:
        times: number of draws.
        test: share in (0, 1), or number, of rows that are held out.

    Raises:
        UsageError: a share out of range.
        InputError: no training rows left, too few groups.

    Example:
        >>> import chymist as cy
        >>> [len(cut.held) for cut in cuts(monte_carlo(times=3, test=0.1), cy.load("iris"))]
        [15, 15, 15]

    Source: Picard, Cook 1984, Cross-validation of regression models.
    """
    if not test > 0:
        raise UsageError("no rows would be held out", where="protocol.test", received=repr(test),
                         do="give a share above 0, for example 0.2")  # fmt: skip
    made = []
    for repeat in range(times):
        seed = key(sample.seed, "monte carlo", repeat)
        parts = hold_out(sample.data, sample.rows, test, seed=seed, groups=sample.groups)
        made.append(Cut(*parts, repeat, 0))
    return made


@describer("protocol")
def bootstrap(sample: Sample, times: Count = 200, stratify: bool = False) -> list[Cut]:
    """n of the n rows are drawn with replacement; those that were not drawn, about 37 %, are held.

    Where there are groups, groups are drawn. A draw that lacks a class, or holds nothing out, is
    drawn anew.

    Args:
        times: number of bootstraps.
        stratify: whether each class is drawn by itself, so that it keeps its number of rows.

    Raises:
        UsageError: stratify with groups, or for regression.
        InputError: no draw holds every class.

    Example:
        >>> import chymist as cy
        >>> first, *_ = cuts(bootstrap(times=5), cy.load("iris"))
        >>> len(first.train), len(set(first.train.tolist())) + len(first.held)
        (150, 150)

    Source: Efron 1983; Efron, Tibshirani 1997.
    """
    if stratify and (sample.groups is not None or not sample.data.classes):
        raise UsageError("there are no classes to draw from", where="protocol.stratify",
                         received="groups, or regression", do="leave it out")  # fmt: skip
    return [_bootstrapped(sample, repeat, stratify) for repeat in range(times)]


@describer("protocol")
def time_series(
    sample: Sample, folds: Count = 5, gap: Gap = 0, size: Count | None = None
) -> list[Cut]:
    """The rows after a moment are predicted from the rows before it, `folds` times.

    Training rows are those before the held rows, without the last `gap` of them; a row of the same
    moment as a held row is not trained on.

    Args:
        folds: number of blocks that are held out, at the end of the rows.
        gap: rows before a block that are not trained on.
        size: rows of a block; None is n // (folds + 1).

    Raises:
        UsageError: no time is given, or groups are.
        InputError: too few rows.

    Example:
        >>> import chymist as cy
        >>> made = cuts(time_series(folds=3), cy.load("diabetes"), time=np.arange(442))
        >>> [(len(cut.train), int(cut.held.min())) for cut in made]
        [(112, 112), (222, 222), (332, 332)]

    Source: Bergmeir, Benitez 2012, On the use of cross-validation for time series.
    """
    if sample.moments is None or sample.groups is not None:
        what = "needs the order of the rows" if sample.groups is None else "takes no groups"
        raise UsageError(f"time_series {what}", where="time" if sample.groups is None else "group",
                         do="give time=COLUMN, and no group")  # fmt: skip
    times = sample.moments[sample.rows]
    order = np.argsort(times, kind="stable")
    block = len(order) // (folds + 1) if size is None else size
    first = len(order) - folds * block
    made = []
    for fold in range(folds if block > 0 and first > gap else 0):
        start = first + fold * block
        held, before = order[start : start + block], order[: start - gap]
        train = before[times[before] < times[held[0]]]
        made.append(Cut(np.sort(sample.rows[train]), np.sort(sample.rows[held]), 0, fold))
    if not made or not len(made[0].train):
        raise InputError(
            "no training rows are before the first block", where=sample.data.name,
            received=f"{len(order)} rows, {folds} folds of {block}, gap {gap}",
            do="use fewer folds, or a smaller size or gap",
        )  # fmt: skip
    return made


def protocol_of(folds: Any, repeats: int = 1) -> Part:
    """What a user gives as `folds`, as a protocol.

    Args:
        folds: number of folds, "loo", or a protocol.
        repeats: how often the rows are cut anew; a protocol has an option for it.

    Raises:
        UsageError: something else.

    Example:
        >>> protocol_of(5, repeats=3), protocol_of("loo")
        (kfold(folds=5, repeats=3), leave_one_out(repeats=1))
    """
    if isinstance(folds, Part) and folds.kind == "protocol":
        if repeats != 1:
            raise UsageError("a protocol says itself how often it cuts", where="repeats",
                             received=str(repeats), do=f"give it to {folds.name}")  # fmt: skip
        return folds
    if isinstance(folds, str) and folds == "loo":
        return leave_one_out(repeats=repeats)
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or folds < 2:
        raise UsageError("at least two folds are needed", where="folds", received=repr(folds)[:60],
                         do='give a number from 2, "loo" or cy.protocols...')  # fmt: skip
    return kfold(folds=int(folds), repeats=repeats)


def cuts(
    protocol: Part, data: Data, rows: Array | None = None, *, seed: int = 0, group: Any = None,
    time: Any = None,
) -> list[Cut]:  # fmt: skip
    """Cut rows as a protocol says.

    Args:
        protocol: what `cy.protocols` describes.
        data: the data.
        rows: row numbers that may be used; None is all but the standard test part.
        seed: seed of the draws.
        group: name of a column, or labels (rows of the data,): rows of a group stay together.
        time: name of a date or number column, or values (rows of the data,), for `time_series`.

    Returns:
        One cut a training, in the order of repeats and folds.

    Raises:
        UsageError: time where the protocol has no use for it, or groups that it would part.
        InputError: the rows cannot be cut in this way, or a class would have no training rows.

    Example:
        >>> import chymist as cy
        >>> made = cuts(cy.protocols.kfold(folds=5, repeats=2), cy.load("iris"))
        >>> len(made), made[-1].repeat, made[-1].fold
        (10, 1, 4)
    """
    if time is not None and protocol.name != "time_series":
        raise UsageError(f"{protocol.name} would train on later rows than it predicts",
                         where="time", do="use cy.protocols.time_series")  # fmt: skip
    usable = usable_rows(data) if rows is None else np.unique(np.asarray(rows, np.int64))
    sample = Sample(
        data, usable, whole_number(seed, "seed", 0),
        None if group is None else group_numbers(data, group),
        None if time is None else moments(data, time),
    )  # fmt: skip
    made: list[Cut] = protocol.build(sample)
    _check_classes(sample, made)
    return made


def _folds(sample: Sample, folds: Any, repeat: int) -> list[Array]:
    """Held rows of each fold of a repeat."""
    return make_folds(
        sample.data, folds, seed=sample.seed + repeat, rows=sample.rows, group=sample.groups
    )


def _without(sample: Sample, held: Iterable[Array], repeat: int = 0) -> list[Cut]:
    """One cut for each set of held rows, trained on all others."""
    made = []
    for fold, rows in enumerate(held):
        kept = np.ones(len(sample.rows), bool)
        kept[np.searchsorted(sample.rows, rows)] = False
        made.append(Cut(sample.rows[kept], rows, repeat, fold))
    return made


def _subsets(units: int, p: int, limit: int | None, sample: Sample, what: str) -> list[Array]:
    """Sets of p of the units: all in lexicographic order, or `limit` different ones, drawn."""
    if p >= units:
        raise InputError(f"no {what} are left to train on", where="protocol.p",
                         received=f"{p} of {units} {what}",
                         do=f"give less than {units}")  # fmt: skip
    total = comb(units, p)
    if limit is None and total > MOST:
        raise InputError(
            f"too many ways to leave {p} {what} out", where=sample.data.name,
            received=f"{total:,} ways" if total < 10**15 else f"{float(total):.1e} ways",
            do="give limit=1000 to draw that many of them",
        )  # fmt: skip
    if limit is None or limit >= total:
        return [np.array(places) for places in combinations(range(units), p)]
    random = generator(sample.seed, f"leave {what} out")
    if total <= MOST:
        every = np.array(list(combinations(range(units), p)))
        return list(every[np.sort(random.choice(total, limit, replace=False))])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < limit:
        drawn[tuple(np.sort(random.choice(units, p, replace=False)).tolist())] = None
    return [np.array(places) for places in drawn]


def _bootstrapped(sample: Sample, repeat: int, stratify: bool) -> Cut:
    """One bootstrap that holds every class and leaves some rows out."""
    rows, classes = sample.rows, len(sample.data.classes)
    targets = sample.data.targets[rows] if classes else np.zeros(len(rows), np.int64)
    present = np.unique(targets)
    unit = np.arange(len(rows))
    if sample.groups is not None:
        unit = np.unique(sample.groups[rows], return_inverse=True)[1]
    # Units are drawn from their stratum, which is all of them unless it is their class.
    strata = [np.flatnonzero(targets == c) for c in present] if stratify else []
    strata = strata or [np.arange(unit.max() + 1)]
    for attempt in range(DRAWS):
        random = generator(sample.seed, "bootstrap", repeat, attempt)
        drawn = np.concatenate([s[random.integers(len(s), size=len(s))] for s in strata])
        times = np.bincount(drawn, minlength=unit.max() + 1)[unit]
        if (times == 0).any() and np.bincount(targets[times > 0], minlength=classes)[present].all():
            return Cut(np.repeat(rows, times), rows[times == 0], repeat, 0)
    what = "rows" if sample.groups is None else "groups"
    raise InputError(
        "no bootstrap leaves rows out and holds every class", where=sample.data.name,
        received=f"{DRAWS:,} draws from {unit.max() + 1} {what}",
        do="give more rows or groups",
    )  # fmt: skip


def _check_classes(sample: Sample, made: list[Cut]) -> None:
    """Refuse a cut whose training rows lack a class."""
    names = sample.data.classes
    if not names:
        return
    present = np.unique(sample.data.targets[sample.rows])
    for cut in made:
        counts = np.bincount(sample.data.targets[cut.train], minlength=len(names))
        lacking = present[counts[present] == 0]
        if len(lacking):
            raise InputError(
                f"class {short(names[lacking[0]])} has no training rows in cut {cut.fold + 1}",
                where=sample.data.name, received=f"{len(lacking)} such classes",
                do="hold fewer rows out, add rows, or remove the class",
                code="class-without-training-rows",
            )  # fmt: skip
