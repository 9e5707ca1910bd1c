"""Protocols of validation: one contract for all, scikit-learn's cuts, and input that cannot be cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import comb
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    LeaveOneGroupOut,
    LeaveOneOut,
    LeavePGroupsOut,
    LeavePOut,
    TimeSeriesSplit,
)

import chymist as cy
from chymist.errors import ChymistError
from chymist.parts import registered
from chymist.protocols import cuts, protocol_of
from chymist.reports.cuts import cuts_picture
from chymist.values import Data

P = cy.protocols


PATTERN = [0, 1, 2, 0, 0, 1]


def classes_of(rows: int, time: Any = None) -> Data:
    """Rows of three classes of unequal size, mixed well in the order of time."""
    place = np.arange(rows) if time is None else np.argsort(time)
    targets = np.empty(rows, np.int64)
    targets[place] = np.resize(PATTERN, rows)
    return cy.load((np.arange(2.0 * rows).reshape(rows, 2), targets))


def numbers_of(rows: int) -> Data:
    return cy.load((np.arange(2.0 * rows).reshape(rows, 2), np.arange(rows) * 1.5))


# name -> protocol, whether it is cut by group, number of cuts from (rows, groups)
PROTOCOLS: dict[str, tuple[Any, bool, Callable[[int, int], int]]] = {
    "kfold": (P.kfold(folds=3, repeats=2), False, lambda n, g: 6),
    "kfold by group": (P.kfold(folds=3), True, lambda n, g: 3),
    "leave_one_out": (P.leave_one_out(), False, lambda n, g: n),
    "leave_one_out by group": (P.leave_one_out(repeats=2), True, lambda n, g: 2 * g),
    "leave_p_out": (P.leave_p_out(p=2), False, lambda n, g: comb(n, 2)),
    "leave_p_out, drawn": (P.leave_p_out(p=3, limit=25), False, lambda n, g: 25),
    "leave_groups_out": (P.leave_groups_out(p=2), True, lambda n, g: comb(g, 2)),
    "leave_groups_out, drawn": (P.leave_groups_out(p=2, limit=4), True, lambda n, g: 4),
    "monte_carlo": (P.monte_carlo(times=7, test=0.25), False, lambda n, g: 7),
    "monte_carlo by group": (P.monte_carlo(times=7), True, lambda n, g: 7),
    "bootstrap": (P.bootstrap(times=9), False, lambda n, g: 9),
    "bootstrap, stratified": (P.bootstrap(times=9, stratify=True), False, lambda n, g: 9),
    "bootstrap by group": (P.bootstrap(times=9), True, lambda n, g: 9),
    "time_series": (P.time_series(folds=4), False, lambda n, g: 4),
    "time_series with a gap": (P.time_series(folds=2, gap=3, size=5), False, lambda n, g: 2),
}
ONCE = ("kfold", "leave_one_out")  # every row is held out once a repeat


def test_every_protocol_is_in_the_contract() -> None:
    assert {made.name for made, _, _ in PROTOCOLS.values()} == set(registered("protocol"))


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("task", ["classification", "regression"])
@settings(max_examples=4, deadline=None)
@given(extra=st.integers(0, 30), seed=st.integers(0, 10**6))
def test_the_contract(name: str, task: str, extra: int, seed: int) -> None:
    protocol, by_group, count = PROTOCOLS[name]
    if task == "regression" and protocol.options.get("stratify"):
        return
    time = np.random.default_rng(seed).permutation(44 + extra)
    data = classes_of(44 + extra, time) if task == "classification" else numbers_of(44 + extra)
    rows = np.setdiff1d(np.arange(len(data)), [1, 7, 20])  # three rows are not given
    groups = time // 6 % 7 if by_group else None
    time = time if "time" in name else None
    made = cuts(protocol, data, rows, seed=seed, group=groups, time=time)
    again = cuts(protocol, data, rows, seed=seed, group=groups, time=time)
    total = count(len(rows), 7)
    assert len(made) == total
    assert [(c.repeat, c.fold) for c in made] == sorted({(c.repeat, c.fold) for c in made})
    for one, other in zip(made, again, strict=True):
        assert np.array_equal(one.train, other.train)
        assert np.array_equal(one.held, other.held)
        assert one.train.dtype == one.held.dtype == np.int64
        assert len(one.held)
        assert np.all(np.diff(one.train) >= 0)
        assert np.all(np.diff(one.held) > 0)
        assert not np.isin(one.held, one.train).any()
        assert np.isin(one.train, rows).all()
        assert np.isin(one.held, rows).all()
        if groups is not None:
            assert not set(groups[one.held]) & set(groups[one.train])
        if time is not None:
            assert time[one.train].max() < time[one.held].min()
        if data.classes:
            assert set(data.targets[one.train]) == set(data.targets[rows])
        if protocol.name not in ("time_series", "bootstrap"):
            assert len(one.train) + len(one.held) == len(rows)
        if protocol.name == "bootstrap":
            assert set(one.train) | set(one.held) == set(rows)
            assert groups is not None or len(one.train) == len(rows)
    if protocol.name in ONCE:
        for repeat in range(made[-1].repeat + 1):
            held = np.concatenate([c.held for c in made if c.repeat == repeat])
            assert np.array_equal(np.sort(held), rows)


@pytest.mark.parametrize(
    "name", ["kfold", "monte_carlo", "bootstrap", "leave_p_out, drawn", "leave_groups_out, drawn"]
)
def test_the_seed_decides_the_draw(name: str) -> None:
    protocol, by_group, _ = PROTOCOLS[name]
    groups = np.arange(60) % 7 if by_group else None
    drawn = [
        [c.held.tolist() for c in cuts(protocol, classes_of(60), seed=s, group=groups)]
        for s in range(2)
    ]
    assert drawn[0] != drawn[1]
    assert len({str(held) for held in drawn[0]}) > len(drawn[0]) // 2


def test_a_repeat_of_k_fold_is_k_fold_with_the_next_seed() -> None:
    data = classes_of(50)
    third = [c.held for c in cuts(P.kfold(folds=5, repeats=3), data, seed=4) if c.repeat == 2]
    alone = [c.held for c in cuts(P.kfold(folds=5), data, seed=6)]
    assert all(np.array_equal(a, b) for a, b in zip(third, alone, strict=True))
    kept = cy.data.folds(data, 5, seed=6)
    assert all(np.array_equal(a, b) for a, b in zip(alone, kept, strict=True))


@pytest.mark.parametrize(
    ("protocol", "oracle"),
    [
        (P.leave_one_out(), LeaveOneOut()),
        (P.leave_p_out(p=2), LeavePOut(2)),
        (P.leave_p_out(p=3), LeavePOut(3)),
        (P.time_series(), TimeSeriesSplit()),
        (P.time_series(folds=3, gap=2, size=4), TimeSeriesSplit(3, gap=2, test_size=4)),
    ],
    ids=repr,
)
def test_the_cuts_are_those_of_scikit_learn(protocol: Any, oracle: Any) -> None:
    data = numbers_of(21)
    time = np.arange(21) if protocol.name == "time_series" else None
    made = cuts(protocol, data, time=time)
    expected = list(oracle.split(np.zeros((21, 1))))
    assert [c.held.tolist() for c in made] == [held.tolist() for _, held in expected]
    assert [c.train.tolist() for c in made] == [train.tolist() for train, _ in expected]


@pytest.mark.parametrize(
    ("protocol", "oracle"),
    [
        (P.leave_groups_out(p=1), LeaveOneGroupOut()),
        (P.leave_groups_out(p=2), LeavePGroupsOut(2)),
        (P.leave_groups_out(p=4), LeavePGroupsOut(4)),
        (P.leave_one_out(), LeaveOneGroupOut()),
    ],
    ids=repr,
)
def test_the_cuts_by_group_are_those_of_scikit_learn(protocol: Any, oracle: Any) -> None:
    groups = np.random.default_rng(1).integers(0, 5, 24)
    made = {tuple(c.held) for c in cuts(protocol, numbers_of(24), group=groups)}
    assert made == {tuple(h) for _, h in oracle.split(np.zeros((24, 1)), groups=groups)}


@pytest.mark.parametrize(("test", "held"), [(0.1, 10), (0.25, 25), (0.333, 34), (7, 7), (0.99, 98)])
def test_monte_carlo_holds_the_share_and_keeps_the_proportions(test: float, held: int) -> None:
    data = cy.load((np.arange(100.0)[:, None], np.array([0, 1, 1, 1] * 25)))
    for cut in cuts(P.monte_carlo(times=5, test=test), data):
        assert len(cut.held) == held
        if held < 98:
            assert abs(np.bincount(data.targets[cut.held])[0] - held / 4) < 1


def test_monte_carlo_holds_every_row_equally_often() -> None:
    made = cuts(P.monte_carlo(times=600, test=0.2), numbers_of(40), seed=3)
    counts = np.bincount(np.concatenate([c.held for c in made]), minlength=40)
    assert counts.sum() == 600 * 8
    assert np.sum((counts - 120) ** 2 / 96) * 40 / 39 < 77  # chi square, 39 degrees, p = 0.0003


def test_a_bootstrap_draws_with_equal_chances() -> None:
    made = cuts(P.bootstrap(times=2000), numbers_of(20), seed=5)
    held = np.bincount(np.concatenate([c.held for c in made]), minlength=20) / 2000
    assert np.abs(held - 0.95**20).max() < 0.045  # 0.3585, four standard errors
    drawn = np.bincount(np.concatenate([c.train for c in made]), minlength=20)
    assert np.abs(drawn / 2000 - 1).max() < 0.09


def test_a_stratified_bootstrap_keeps_the_size_of_each_class() -> None:
    data = classes_of(60)
    for cut in cuts(P.bootstrap(times=20, stratify=True), data):
        assert np.array_equal(np.bincount(data.targets[cut.train]), np.bincount(data.targets))


def test_a_bootstrap_by_group_repeats_whole_groups() -> None:
    groups = np.arange(30) % 6
    for cut in cuts(P.bootstrap(times=20), numbers_of(30), group=groups):
        times = np.bincount(cut.train, minlength=30)
        assert all(len(set(times[groups == g])) == 1 for g in range(6))
        assert times.sum() == 30


def test_a_class_of_one_row_stays_in_the_bootstrap() -> None:
    data = cy.load((np.arange(12.0)[:, None], np.array([0] * 6 + [1] * 5 + [2])))
    assert all(11 in c.train for c in cuts(P.bootstrap(times=30), data))


def test_rows_of_one_moment_do_not_straddle() -> None:
    time = np.array([3, 1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 5])
    made = cuts(P.time_series(folds=3), numbers_of(12), time=time)
    assert [c.held.tolist() for c in made] == [[0, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert [c.train.tolist() for c in made] == [[1, 2], [1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6]]
    for cut in made:
        assert time[cut.train].max() < time[cut.held].min()
    for earlier, later in pairwise(made):
        assert time[earlier.held].max() <= time[later.held].min()


def test_time_is_a_column() -> None:
    days = [f"2024-01-{day:02d}" for day in (5, 3, 9, 1, 7, 2, 8, 4, 6, 10)]
    columns = {"day": np.array(days, object), "x": np.arange(10.0)}
    data = cy.load((columns, np.arange(10) * 0.5))
    made = cuts(P.time_series(folds=2, size=2), data, time="day")
    assert [c.held.tolist() for c in made] == [[4, 6], [2, 9]]


def test_drawn_sets_are_different_even_of_very_many() -> None:
    held = [tuple(c.held) for c in cuts(P.leave_p_out(p=10, limit=300), numbers_of(200))]
    assert len(set(held)) == 300
    assert all(len(set(rows)) == 10 for rows in held)
    few = [tuple(c.held) for c in cuts(P.leave_p_out(p=2, limit=14), numbers_of(6))]
    assert len(set(few)) == 14
    assert len(cuts(P.leave_p_out(p=2, limit=99), numbers_of(6))) == 15


def test_the_test_part_of_a_named_set_is_never_cut() -> None:
    inputs, targets = np.arange(40.0)[:, None], np.arange(40) % 2
    data = replace(cy.load((inputs, targets)), test_rows=np.arange(30, 40))
    for protocol in (P.kfold(folds=3), P.monte_carlo(times=2), P.bootstrap(times=2)):
        for cut in cuts(protocol, data):
            assert max(cut.train.max(), cut.held.max()) < 30


def test_a_picture_shows_every_row_of_every_cut() -> None:
    data = numbers_of(12)
    for protocol in (P.kfold(folds=3), P.bootstrap(times=3), P.time_series(folds=3)):
        made = cuts(protocol, data, time=np.arange(12) if protocol.name == "time_series" else None)
        root = ElementTree.fromstring(cuts_picture([("<a & b>", " " * 12, made)]))
        shapes = [node.tag.rpartition("}")[2] for node in root.iter()]
        circles = [node for node in root.iter() if node.tag.endswith("circle")]
        held = [node for node in circles if node.get("class") == "s2 dot"]
        assert len(held) == sum(len(cut.held) for cut in made)
        assert shapes.count("rect") == sum(len(set(cut.train)) for cut in made)
        assert shapes.count("rect") + len(circles) == 36
        numbers = [node.text for node in root.iter() if (node.text or "").isdecimal()]
        times = [t for cut in made for t in np.bincount(cut.train, minlength=12) if t > 1]
        assert numbers == [str(t) for t in times]


ROWS, FEW = numbers_of(10), cy.load((np.arange(6.0)[:, None], np.array([0, 0, 0, 0, 1, 1])))
GROUPS = np.arange(10) % 3
LATE = cy.load((np.arange(9.0)[:, None], np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])))
HOLES = np.where(np.arange(10) == 4, np.nan, np.arange(10.0))
DAYS = np.array(["2024-01-01"] * 9 + ["NaT"], "datetime64[D]")


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: cuts(P.kfold(folds=11), ROWS), "fewer rows or groups than folds, in .*: got 10, 11 folds"),
        (lambda: cuts(P.kfold(folds=4), ROWS, group=GROUPS), "got 3, 4 folds"),
        (lambda: P.kfold(folds=1), "protocol.folds: got 1; .*>= 2"),
        (lambda: P.kfold(fold=3), "did you mean 'folds'"),
        (lambda: cuts(P.leave_one_out(), FEW, rows=np.arange(5)), "class '?1'? has no training rows when its row"),
        (lambda: cuts(P.leave_p_out(), FEW), "class '?1'? has no training rows in cut 15, in .*: got 1 such"),
        (lambda: cuts(P.leave_p_out(p=10), ROWS), "no rows are left to train on, in protocol.p: got 10 of 10 rows; give less than 10"),
        (lambda: cuts(P.leave_p_out(p=5), numbers_of(60)), "too many ways to leave 5 rows out, in .*: got 5,461,512 ways; give limit=1000"),
        (lambda: cuts(P.leave_p_out(p=40), numbers_of(200)), r"got 2.1e\+42 ways"),
        (lambda: cuts(P.leave_p_out(), ROWS, group=GROUPS), "part the rows of a group, in group; use leave_groups_out"),
        (lambda: cuts(P.leave_groups_out(), ROWS), "leave_groups_out needs groups, in group: got none; give group=COLUMN"),
        (lambda: cuts(P.leave_groups_out(p=3), ROWS, group=GROUPS), "no groups are left to train on, in protocol.p: got 3 of 3"),
        (lambda: cuts(P.leave_groups_out(), FEW, group=[0, 0, 1, 1, 2, 2]), "class '?1'? has no training rows in cut 3"),
        (lambda: cuts(P.leave_groups_out(), ROWS, group=[1] * 10), "got 1 of 1 groups"),
        (lambda: cuts(P.monte_carlo(test=0.0), ROWS), "no rows would be held out, in protocol.test: got 0"),
        (lambda: cuts(P.monte_carlo(test=-1), ROWS), "no rows would be held out"),
        (lambda: cuts(P.monte_carlo(test=1.5), ROWS), "not a share of the rows"),
        (lambda: cuts(P.monte_carlo(test=10), ROWS), "too few rows to split, in .*: got 10 rows, 10 for test"),
        (lambda: cuts(P.monte_carlo(test=0.95), ROWS), "too few rows to split"),
        (lambda: cuts(P.monte_carlo(), ROWS, group=[1] * 10), "too few groups to split, in group: got 1 groups for 2 parts"),
        (lambda: cuts(P.monte_carlo(), FEW, group=[0, 0, 0, 0, 1, 1]), "has no training rows in cut 1"),
        (lambda: cuts(P.bootstrap(), ROWS, group=[1] * 10), "no bootstrap leaves rows out .*: got 1,000 draws from 1 groups"),
        (lambda: cuts(P.bootstrap(stratify=True), ROWS), "no classes to draw from"),
        (lambda: cuts(P.time_series(), ROWS), "time_series needs the order of the rows, in time; give time=COLUMN"),
        (lambda: cuts(P.time_series(), ROWS, time=np.arange(10), group=GROUPS), "time_series takes no groups"),
        (lambda: cuts(P.time_series(folds=10), ROWS, time=np.arange(10)), "no training rows are before the first block"),
        (lambda: cuts(P.time_series(folds=3, size=3, gap=1), ROWS, time=np.arange(10)), "got 10 rows, 3 folds of 3, gap 1"),
        (lambda: cuts(P.time_series(folds=5, size=4), ROWS, time=np.arange(10)), "no training rows"),
        (lambda: cuts(P.time_series(), ROWS, time=np.ones(10)), "no training rows are before the first block"),
        (lambda: cuts(P.time_series(), ROWS, time=HOLES), "a row has no time, in row 5"),
        (lambda: cuts(P.time_series(), ROWS, time=DAYS), "a row has no time, in row 10"),
        (lambda: cuts(P.time_series(), ROWS, time=np.arange(9)), "one label per row is needed, in time"),
        (lambda: cuts(P.time_series(folds=2), LATE, time=np.arange(9)), "class '?1'? has no training rows in cut 1"),
        (lambda: cuts(P.kfold(), ROWS, time=np.arange(10)), "kfold would train on later rows than it predicts, in time; use cy"),
        (lambda: protocol_of("ten"), "at least two folds are needed, in folds: got 'ten'"),
        (lambda: protocol_of(1), "at least two folds"),
        (lambda: protocol_of(True), "at least two folds"),
        (lambda: protocol_of(cy.optim.adam()), "at least two folds"),
        (lambda: protocol_of(P.bootstrap(), repeats=3), "a protocol says itself how often it cuts, in repeats: got 3; give it to bootstrap"),
    ],
)  # fmt: skip
def test_input_that_cannot_be_cut_is_said_in_one_line(work: Any, message: str) -> None:
    with pytest.raises(ChymistError, match=message) as error:
        work()
    line = str(error.value)
    assert "\n" not in line
    assert len(line) <= 200
