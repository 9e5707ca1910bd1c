"""Series as frames: no extreme is lost, exact where there is room, small, fast, whatever the values."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chymist.engine.store import BLOCK, Recorder, read_series
from chymist.errors import InputError
from chymist.studio.series import Frame, frame_of, reading, smoothed

ODD = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-320, 0.0, -0.0)


def decoded(content: bytes) -> dict[str, Any]:
    """A frame by its description, read without the module that wrote it."""
    assert content[:4] == b"CYS1"
    (length,) = struct.unpack("<I", content[4:8])
    head = json.loads(content[8 : 8 + length])
    rest, n = content[8 + length :], head["drawn"]
    names = ["values"] if head["exact"] else ["first", "min", "max", "last"]
    columns = [("x", "<f8"), *((name, "<f8" if head["wide"] else "<f4") for name in names)]
    columns += [("odd", "<u4"), ("kinds", "<u1")] if head["odd"] else []
    columns += [("smooth", "<f8")] if "mean" in head else []
    found = {}
    for name, kind in columns:
        size = n * np.dtype(kind).itemsize
        found[name], rest = np.frombuffer(rest[:size], kind), rest[size:]
    assert rest == b""
    return {**head, "all odd": head["odd"], "odds": found.pop("odd", None), **found}


def check(content: bytes, steps: np.ndarray, values: np.ndarray, px: int, a: int, b: int) -> None:
    """A frame against plain NumPy over all points of its range."""
    drawn = decoded(content)
    within = (steps >= a) & (steps <= b)
    x, y = steps[within], values[within]
    assert drawn["stored"] == len(steps)
    assert drawn["points"] == len(x)
    assert drawn["exact"] == (len(x) <= px)
    assert drawn["all odd"] == (~np.isfinite(y)).sum()
    if drawn["exact"]:
        np.testing.assert_array_equal(drawn["x"], x)
        np.testing.assert_array_equal(drawn["values"], y)
        return
    column = (x - a) * px // (b - a + 1)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    assert len(drawn["x"]) == len(starts) <= px
    np.testing.assert_array_equal(drawn["x"], x[starts])
    kind = np.float64 if drawn["wide"] else np.float32
    finite = np.isfinite(y)
    at, mine = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(x)))[finite], y[finite]
    four = np.full((4, len(starts)), np.nan, kind)
    four[0, at[::-1]], four[3, at] = mine[::-1], mine  # what is written last stays
    np.fmin.at(four[1], at, mine.astype(kind))
    np.fmax.at(four[2], at, mine.astype(kind))
    for name, expected in zip(("first", "min", "max", "last"), four, strict=True):
        np.testing.assert_array_equal(drawn[name], expected)
    if drawn["odd"]:
        np.testing.assert_array_equal(drawn["odds"], np.add.reduceat((~finite).astype(int), starts))
        bits = np.isnan(y) * 1 + (y == np.inf) * 2 + (y == -np.inf) * 4
        np.testing.assert_array_equal(drawn["kinds"], np.bitwise_or.reduceat(bits, starts))


def some_series(chance: np.random.Generator, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a kind that chance has chosen."""
    n = int(chance.integers(1, most))
    steps = np.cumsum(chance.integers(1, chance.integers(2, 40), n))
    values = chance.normal(size=n) * 10.0 ** chance.integers(-40, 40)
    if chance.random() < 0.5:
        spots = chance.integers(0, n, chance.integers(1, 1 + n // 3 + 1))
        values[spots] = chance.choice(ODD, len(spots))
    return steps, values


def zooms(folder: Path, count: int, seed: int, series: int = 1, most: int = 4000) -> int:
    """Random series, written in random portions, and random zooms into them; how many frames."""
    chance, frames = np.random.default_rng(seed), 0
    for number in range(count):
        path = folder / f"{seed}-{number}.sqlite"
        some = {f"loss{n}": some_series(chance, most) for n in range(series)}
        with Recorder(path) as record:
            for name, (steps, values) in some.items():
                pauses = set(np.flatnonzero(chance.random(len(steps)) < 0.01).tolist())
                rows = zip(steps.tolist(), values.tolist(), strict=True)
                for row, (step, value) in enumerate(rows):
                    record.add(name, step, value)
                    if series == 1:
                        record.add("other", step, 1.0)
                    if row in pauses:
                        record.flush()
        with reading(path) as found:
            for name, (steps, values) in some.items():
                for _ in range(10 if series == 1 else 3):
                    a, b = np.sort(chance.integers(steps[0] - 5, steps[-1] + 6, 2)).tolist()
                    px = int(chance.integers(1, 1500 if series == 1 else most // 2))
                    check(found.frame(name, px, a, b).encode(), steps, values, px, a, b)
                    frames += 1
                whole = found.frame(name, 300).encode()
                check(whole, steps, values, 300, int(steps[0]), int(steps[-1]))
                frames += 1
        path.unlink()
    return frames


def test_no_extreme_is_lost_in_random_series_and_zooms(tmp_path: Path) -> None:
    zooms(tmp_path, 12, 0)


@pytest.mark.hard
def test_no_extreme_is_lost_in_ten_thousand(tmp_path: Path) -> None:
    assert zooms(tmp_path, 1000, 1, series=10, most=1500) == 40_000


def test_blocks_are_full_however_often_points_are_written(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    values = np.sin(np.arange(1.0, 3 * BLOCK + 8))
    values[[10, 700]] = math.nan, math.inf
    with Recorder(path) as record:
        for step, value in enumerate(values.tolist(), 1):
            record.add("loss", step, value)
            if step % 7 == 0:
                record.flush()
            if step == 600:  # another process goes on with it
                record.close()
                record.__init__(path)  # type: ignore[misc]
    base = sqlite3.connect(path)
    rows = base.execute("SELECT points, odd, min, max FROM blocks ORDER BY id").fetchall()
    base.close()
    assert [row[:2] for row in rows] == [(BLOCK, 1), (BLOCK, 1), (BLOCK, 0), (7, 0)]
    assert rows[2][2:] == (values[1000:1500].min(), values[1000:1500].max())
    np.testing.assert_array_equal(read_series(path)["loss"][:, 1], values)


def test_levels_are_right_however_often_points_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chymist.engine.store.BLOCK", 4)
    chance = np.random.default_rng(3)
    values = chance.normal(size=4**4 * 2 + 3)
    path = tmp_path / "records.sqlite"
    record = Recorder(path)
    for step, value in enumerate(values.tolist(), 1):
        record.add("loss", step, value)
        record.add("rate", step, 0.5)
        if chance.random() < 0.3:
            record.flush()
        if step in (100, 301):
            record.flush()
            record.truncate(step - 5, step - 5)
            for again in range(step - 4, step + 1):
                record.add("loss", again, float(values[again - 1]))
                record.add("rate", again, 0.5)
    record.close()
    base = sqlite3.connect(path)
    for level in range(4):
        rows = base.execute(
            "SELECT points, first, min, max, last, first_step, last_step FROM blocks"
            " WHERE series = 'loss' AND level = ? ORDER BY id", (level,),
        ).fetchall()  # fmt: skip
        size = 4 ** (level + 1)
        assert len([row for row in rows if row[0] == size]) == len(values) // size
        for number, row in enumerate(rows[: len(values) // size]):
            mine = values[number * size : (number + 1) * size]
            assert row == (size, mine[0], mine.min(), mine.max(), mine[-1], number * size + 1,
                           (number + 1) * size)  # fmt: skip
    base.close()


def old_record(path: Path, values: np.ndarray, blocks: list[int]) -> None:
    """A record as versions before this one wrote it: blocks of any size, nothing on odd values."""
    base = sqlite3.connect(path)
    base.execute(
        "CREATE TABLE blocks (id INTEGER PRIMARY KEY, series TEXT NOT NULL, level INTEGER NOT NULL,"
        " first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, points INTEGER NOT NULL,"
        " first REAL, min REAL, max REAL, last REAL, steps BLOB, data BLOB)"
    )
    at = 0
    for size in blocks:
        steps = np.arange(at + 1, at + size + 1)
        mine = values[at : at + size]
        base.execute(
            "INSERT INTO blocks (series, level, first_step, last_step, points, first, min, max,"
            " last, steps, data) VALUES ('loss', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (int(steps[0]), int(steps[-1]), size, mine[0], np.nanmin(mine), np.nanmax(mine),
             mine[-1], steps.tobytes(), mine.tobytes()),
        )  # fmt: skip
        at += size
    base.commit()
    base.close()


def test_a_record_of_an_older_version_is_read_and_continued(tmp_path: Path) -> None:
    path, values = tmp_path / "records.sqlite", np.random.default_rng(1).normal(size=1700)
    values[333] = math.nan
    old_record(path, values, [30] * 40 + [500])
    with reading(path) as record:
        check(record.frame("loss", 100).encode(), np.arange(1, 1701), values, 100, 1, 1700)
    with Recorder(path) as writer:
        writer.add("loss", 1701, 9.0)
    with reading(path) as record:
        drawn = record.frame("loss", 100)
        assert record.listed()[0][1:] == (1701, 1, 1701, 9.0)
    check(drawn.encode(), np.arange(1, 1702), np.append(values, 9.0), 100, 1, 1701)


def test_a_reader_that_holds_a_transaction_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with Recorder(path) as record:
        record.add("loss", 1, 0.5)
        record.flush()
        with reading(path) as held:
            began = time.perf_counter()
            for step in range(2, 3000):
                record.add("loss", step, 1.0)
                if step % 30 == 0:
                    record.flush()
            assert time.perf_counter() - began < 3  # a writer that waits does so for 5 s
            assert held.listed()[0].points == 1  # what is read is of one moment
        record.flush()
        with reading(path) as later:
            assert later.listed()[0].points == 2999


def test_points_after_a_step_come_once_and_in_order(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.sqlite") as record:
        for step in range(1, 1301):
            record.add("loss", step, step / 2)
    with reading(tmp_path / "r.sqlite") as found:
        sent, got = 0, []
        while True:
            steps, values = found.after("loss", sent, 300)
            if not len(steps):
                break
            assert len(steps) <= 300
            got += steps.tolist()
            np.testing.assert_array_equal(values, steps / 2)
            sent = got[-1]
        assert got == list(range(1, 1301))
        assert found.last("loss") == 1300
        assert found.last("none") is None
        assert 300 <= found.behind("loss", 1000) <= 800
        with pytest.raises(InputError, match="no such series"):
            found.frame("none", 10)


def test_smoothing_is_the_mean_of_the_formula() -> None:
    chance = np.random.default_rng(0)
    values = chance.normal(size=400)
    values[[0, 7, 8, 399]] = math.nan, math.inf, math.nan, -math.inf
    found, share = smoothed(values, 20.0), 2 ** (-1 / 20)
    total = weight = 0.0
    for value, mean in zip(values, found.values, strict=True):
        if math.isfinite(value):
            total, weight = share * total + (1 - share) * value, share * weight + 1 - share
        assert (math.isnan(mean) and weight == 0) or math.isclose(mean, total / weight)
    assert math.isclose(found.total, total)
    assert math.isclose(found.weight, weight)
    assert np.allclose(smoothed(np.full(9, 3.0), 50.0).values, 3.0)  # no pull towards zero


def test_a_clock_that_goes_back_is_put_in_order() -> None:
    x = np.array([3.0, 1.0, math.nan, 2.0, 1.0])
    y = np.array([30.0, 10.0, 99.0, 20.0, 11.0])
    found = frame_of(x, y, 10)
    assert found.x.tolist() == [1, 1, 2, 3]
    assert found.values[0].tolist() == [10, 11, 20, 30]
    assert frame_of(np.full(50, 2.0), np.arange(50.0), 4).values[:, 0].tolist() == [0, 0, 49, 49]
    assert frame_of(np.zeros(0), np.zeros(0), 4).last is None


@pytest.mark.parametrize("worst", [False, True])
def test_a_million_points_are_small_and_fast(tmp_path: Path, worst: bool) -> None:
    n, path = 1_000_000, tmp_path / "records.sqlite"
    values = np.random.default_rng(0).normal(size=n)
    if worst:
        values[::700] = math.nan
    base = Recorder(path)._base  # blocks as they are written, without half a minute of adding
    rows = []
    for at in range(0, n, BLOCK):
        steps, mine = np.arange(at + 1, at + BLOCK + 1), values[at : at + BLOCK]
        finite = mine[np.isfinite(mine)]
        rows.append(("loss", 0, at + 1, at + BLOCK, BLOCK, float(finite[0]), float(finite.min()),
                     float(finite.max()), float(finite[-1]), int((~np.isfinite(mine)).sum()),
                     steps.tobytes(), mine.tobytes()))  # fmt: skip
    base.executemany(
        "INSERT INTO blocks (series, level, first_step, last_step, points, first, min, max, last,"
        " odd, steps, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows,
    )  # fmt: skip
    base.commit()
    base.close()
    began = time.perf_counter()
    with reading(path) as record:
        content = record.frame("loss", 1200).encode()
    assert time.perf_counter() - began < 1.5  # 0.1 s alone on a core
    assert len(content) <= (40_000 if worst else 29_200)
    drawn = decoded(content)
    assert drawn["max"].max() == np.float32(np.nanmax(values))
    assert drawn["stored"] == n


def test_a_frame_says_what_it_is() -> None:
    found = Frame(np.array([1.0]), np.full((4, 1), 1e308), np.zeros(1, int), np.zeros(1, int),
                  False, 9, 9, 1.0)  # fmt: skip
    assert decoded(found.encode(id="a"))["max"].tolist() == [1e308]
