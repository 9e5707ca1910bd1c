"""Splits and folds: disjoint, complete, stratified, grouped, ordered, repeatable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chymist.data import folds, load, split
from chymist.values import Data


def made(classes: list[int]) -> Data:
    """Rows with the given numbers of rows per class, mixed up."""
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(len(classes)), classes))
    return load((np.arange(len(targets), dtype=float)[:, None], targets), task="classification")


CLASSES = st.lists(st.integers(2, 60), min_size=2, max_size=6)


@given(classes=CLASSES, test=st.floats(0, 0.4), valid=st.floats(0, 0.4), seed=st.integers(0, 9))
def test_parts_are_disjoint_complete_and_stratified(
    classes: list[int], test: float, valid: float, seed: int
) -> None:
    data = made(classes)
    rows = len(data)
    sizes = [int(np.ceil(share * rows - 1e-9)) for share in (test, valid)]
    if rows - sum(sizes) < len(classes):
        return
    found = split(data, test=test, valid=valid, seed=seed)
    parts = [found.train, found.valid, found.test]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    assert all(np.all(np.diff(part) > 0) for part in parts if len(part))
    assert [len(found.test), len(found.valid)] == sizes
    for name, size in zip(("test", "valid"), sizes, strict=True):
        counts = np.bincount(data.targets[found.rows(name)], minlength=len(classes))
        quota = np.array(classes) * size / rows
        small = np.array(classes) < 4  # a training row is kept of each class
        assert np.all((np.abs(counts - quota) < 1 + 1e-9) | small | small.any())
    assert np.all(np.bincount(data.targets[found.train], minlength=len(classes)) >= 1)


@given(classes=CLASSES, count=st.integers(2, 6), seed=st.integers(0, 9))
def test_folds_hold_out_every_row_once(classes: list[int], count: int, seed: int) -> None:
    data = made(classes)
    if len(data) < count:
        return
    held = folds(data, count, seed=seed)
    assert np.array_equal(np.sort(np.concatenate(held)), np.arange(len(data)))
    sizes = [len(rows) for rows in held]
    assert max(sizes) - min(sizes) <= 1
    per_class = np.array([np.bincount(data.targets[r], minlength=len(classes)) for r in held])
    assert np.all(per_class.max(0) - per_class.min(0) <= 1)


def test_default_split_of_digits() -> None:
    found = split(load("digits"))
    assert (len(found.train), len(found.valid), len(found.test)) == (1077, 360, 360)
    assert found.method == "stratified"
    assert found.valid[:5].tolist() == split(load("digits")).valid[:5].tolist()


def test_seed_changes_the_draw_and_nothing_else_does() -> None:
    data = load("iris")
    assert split(data, seed=1) == split(data, seed=1)
    assert split(data, seed=1) != split(data, seed=2)


def test_counts_in_place_of_shares() -> None:
    found = split(load("iris"), test=30, valid=0)
    assert (len(found.train), len(found.valid), len(found.test)) == (120, 0, 30)
    assert np.bincount(load("iris").targets[found.test]).tolist() == [10, 10, 10]


def test_validation_share_is_capped() -> None:
    data = load((np.zeros((40_000, 1)) + np.arange(40_000)[:, None], np.arange(40_000) / 7))
    assert len(split(data).valid) == 5000
    assert len(split(data, valid=6000).valid) == 6000


def test_a_class_of_one_row_stays_in_training() -> None:
    data = load((np.arange(10.0)[:, None], np.array([0] * 5 + [1] * 4 + [2])))
    for seed in range(20):
        assert 9 in split(data, seed=seed).train


def test_standard_test_part_is_kept(tmp_path: Path) -> None:
    train = "a,b\n" + "".join(f"{n}.5,{'xy'[n % 2]}\n" for n in range(20))
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "test.csv").write_text("b,a\nx.,1.5\ny.,2.5\nx.,3.5\n")
    data = load(tmp_path / "train.csv", test=tmp_path / "test.csv")
    assert data.classes == ("x", "y")
    assert data.test_rows is not None
    assert data.test_rows.tolist() == [20, 21, 22]
    found = split(data)
    assert found.test.tolist() == [20, 21, 22]
    assert (len(found.train), len(found.valid)) == (16, 4)
    assert found.method == "stratified, standard test part"
    sealed = split(data, test=0)
    assert len(sealed.test) == 0
    assert max(sealed.train.max(), sealed.valid.max()) < 20
    assert len(split(data, test=0.5).test) == 12
    assert sorted(np.concatenate(folds(data, 5, seed=0)).tolist()) == list(range(20))


@given(seed=st.integers(0, 50), groups=st.integers(3, 12))
def test_groups_never_straddle(seed: int, groups: int) -> None:
    labels = np.random.default_rng(seed).integers(0, groups, 80)
    labels[:groups] = np.arange(groups)
    data = load((np.arange(80.0)[:, None], np.arange(80) * 1.5))
    found = split(data, seed=seed, group=labels)
    sets = [set(labels[part].tolist()) for part in (found.train, found.valid, found.test)]
    assert all(sets)
    assert sum(map(len, sets)) == len(set().union(*sets))
    held = folds(data, 3, seed=seed, group=labels)
    assert sum(len(set(labels[rows].tolist())) for rows in held) == groups
    assert np.array_equal(np.sort(np.concatenate(held)), np.arange(80))


def test_group_by_the_name_of_a_column() -> None:
    columns = {"a": np.arange(40.0), "site": [f"s{n % 8}" for n in range(40)]}
    found = split(load((columns, np.arange(40) * 1.5)), group="site")
    assert found.method == "grouped"
    assert len({n % 8 for n in found.test.tolist()} & {n % 8 for n in found.train.tolist()}) == 0


def test_time_puts_the_last_rows_into_the_test_part(tmp_path: Path) -> None:
    days = ["2020-01-10", "2020-01-01", "2020-03-01", "2019-12-31", "2020-02-01"] * 4
    text = "day,a,y\n" + "".join(f"{day},{n},{n}.5\n" for n, day in enumerate(days))
    (tmp_path / "t.csv").write_text(text)
    found = split(load(tmp_path / "t.csv"), test=4, valid=4, time="day")
    assert found.method == "time"
    assert {days[row] for row in found.test} == {"2020-03-01"}
    assert {days[row] for row in found.valid} == {"2020-02-01"}
    assert {days[row] for row in found.train} == {"2019-12-31", "2020-01-01", "2020-01-10"}


def test_leave_one_out() -> None:
    held = folds(load("iris"), "loo", seed=0)
    assert [rows.tolist() for rows in held] == [[row] for row in range(150)]


def test_folds_of_some_rows() -> None:
    rows = np.arange(0, 150, 3)
    held = folds(load("iris"), 5, seed=0, rows=rows)
    assert np.array_equal(np.sort(np.concatenate(held)), rows)


@pytest.mark.parametrize("count", [2, 10])
def test_folds_differ_between_seeds(count: int) -> None:
    data = load("iris")
    first, again = folds(data, count, seed=0), folds(data, count, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], folds(data, count, seed=1)[0])


def test_mnist_and_adult_keep_their_parts(chymist_data: Path) -> None:
    found = split(load("mnist"))
    assert (len(found.train), len(found.valid), len(found.test)) == (55_000, 5_000, 10_000)
    assert found.test[0] == 60_000
    found = split(load("adult"))
    assert (len(found.train), len(found.valid), len(found.test)) == (27_561, 5_000, 16_281)
