"""The record of a run: series of numbers in SQLite, written in blocks, readable while it runs.

A series is a list of blocks of 500 points. Each block keeps its first, smallest, largest and last
value beside the exact points, and how many of them are not finite; 500 blocks are summed up in one
block of the level above, so that a million points can be drawn at once without hiding a spike.
Points are written a few at a time: the last block of a series grows in its place until it is full,
so that a record that is written ten times a second has no more blocks than any other.
"""

from __future__ import annotations

import errno
import math
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chymist.engine.files import flush_file
from chymist.errors import InputError

BLOCK = 500
STEP_SERIES = ("loss", "rate")  # recorded at every step; the others after every epoch

_TABLE = """
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, series TEXT NOT NULL, level INTEGER NOT NULL,
    first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, points INTEGER NOT NULL,
    first REAL, min REAL, max REAL, last REAL, steps BLOB, data BLOB, odd INTEGER)
"""
_SUMMED = "first_step, last_step, points, first, min, max, last, odd"  # of a block, without points
_INDEX = f"CREATE INDEX IF NOT EXISTS summaries ON blocks (series, level, {_SUMMED})"
_INSERT = (
    f"INSERT OR REPLACE INTO blocks (id, series, level, {_SUMMED}, steps, data)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Points(NamedTuple):
    """Points of a series: their steps and values, of equal length."""

    steps: array[int]
    values: array[float]


def _points(steps: Iterable[int] = (), values: Iterable[float] = ()) -> Points:
    return Points(array("q", steps), array("d", values))


class _Tail(NamedTuple):
    """The last block of a series while it is not full: its row, and its points."""

    row: int | None
    points: Points


NO_TAIL = _Tail(None, _points())


class Recorder:
    """Appends to the series of one run; the only writer of its file.

    Args:
        path: the SQLite file, made if absent; None records in memory only.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "records.sqlite"
        >>> with Recorder(path) as record:
        ...     record.add("loss", 1, 2.5)
        >>> read_series(path)["loss"].tolist()
        [[1.0, 2.5]]
    """

    def __init__(self, path: Path | None) -> None:
        with _readable(path):
            self._base = sqlite3.connect(path or ":memory:")
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(_TABLE)
            if not _has_odd(self._base):  # the record of an older version
                self._base.execute("ALTER TABLE blocks ADD COLUMN odd INTEGER")
            self._base.execute(_INDEX)
            self._base.commit()
        self._path = path
        self._waiting: dict[str, Points] = {}
        self._tails: dict[str, _Tail] = {}

    def add(self, series: str, step: int, value: float) -> None:
        """Append one point; it goes to the file with the next `flush`."""
        waiting = self._waiting.get(series) or self._waiting.setdefault(series, _points())
        waiting.steps.append(step)
        waiting.values.append(value)

    def flush(self) -> None:
        """Write all waiting points, or none of them.

        Raises:
            OSError: the disk is full; the points go on waiting.
        """
        with _readable(self._path), self._base:
            tails = {name: self._append(name, points) for name, points in self._waiting.items()}
        self._tails |= tails
        self._waiting = {}

    def sync(self) -> None:
        """Write all waiting points and flush them to the disk, so that no power failure counts."""
        self.flush()
        log = self._path and self._path.with_name(self._path.name + "-wal")
        if log and log.exists():
            flush_file(log)

    def series(self) -> dict[str, np.ndarray]:
        """All series so far, see `read_series`."""
        self.flush()
        with _readable(self._path):
            return read_series_of(self._base)

    def truncate(self, step: int, evaluated: int) -> None:
        """Forget later points, so that a resumed run records each step and each epoch once.

        Args:
            step: last step that was taken.
            evaluated: last step after which an epoch can have been evaluated; one less than
                `step` if that evaluation is still to come.
        """
        with _readable(self._path):
            known = read_series_of(self._base)
        for series, points in known.items():
            last = step if series in STEP_SERIES else evaluated
            kept = points[points[:, 0] <= last]
            if len(kept) == len(points):
                continue
            with _readable(self._path), self._base:  # all of the series, or nothing
                self._base.execute("DELETE FROM blocks WHERE series = ?", (series,))
                tail = self._append(
                    series, _points(kept[:, 0].astype(np.int64), kept[:, 1]), NO_TAIL
                )
            self._tails[series] = tail

    def close(self) -> None:
        """Write all waiting points and close the file, which is then one plain file."""
        try:
            self.flush()
            with suppress(sqlite3.OperationalError):  # somebody reads: the log stays beside it
                self._base.execute("PRAGMA journal_mode=DELETE")
        finally:
            self._base.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except OSError:
            if kind is None:  # else what went wrong first is to be said
                raise

    def _append(self, series: str, points: Points, tail: _Tail | None = None) -> _Tail:
        """Write points behind those of a series; what its last block then is."""
        row, before = tail or self._tails.get(series) or self._unfinished(series)
        steps, values = before.steps + points.steps, before.values + points.values
        for start in range(0, len(steps), BLOCK):
            block = Points(steps[start : start + BLOCK], values[start : start + BLOCK])
            row = self._write(row, series, block)
            if len(block.steps) < BLOCK:
                return _Tail(row, block)
            row = None
            self._sum_up(series, 0)
        return NO_TAIL

    def _unfinished(self, series: str) -> _Tail:
        """The last block in the file, if there is room in it."""
        found = self._base.execute(
            "SELECT id, points, steps, data FROM blocks WHERE series = ? AND level = 0"
            " ORDER BY id DESC LIMIT 1", (series,),
        ).fetchone()  # fmt: skip
        if found is None or found[1] >= BLOCK or found[0] < self._newest(series, 1):
            return NO_TAIL  # older versions summed up blocks that were not full
        points = _points()
        points.steps.frombytes(found[2])
        points.values.frombytes(found[3])
        return _Tail(found[0], points)

    def _write(self, row: int | None, series: str, points: Points) -> int | None:
        steps, values = points
        content = (*_summary(np.frombuffer(values)), steps.tobytes(), values.tobytes())
        ends = steps[0], steps[-1], len(steps)
        return self._base.execute(_INSERT, (row, series, 0, *ends, *content)).lastrowid

    def _newest(self, series: str, level: int) -> int:
        """Row of the newest block of a level; all rows before it that it can cover are covered."""
        where = "WHERE series = ? AND level = ?"
        found = self._base.execute(f"SELECT max(id) FROM blocks {where}", (series, level))
        return int(found.fetchone()[0] or 0)

    def _sum_up(self, series: str, level: int) -> None:
        """Add a block one level up when 500 new blocks are complete below it."""
        below = self._base.execute(
            f"SELECT {_SUMMED} FROM blocks NOT INDEXED WHERE id > ? AND series = ? AND level = ?"
            " ORDER BY id", (self._newest(series, level + 1), series, level),
        ).fetchall()  # fmt: skip
        if len(below) < BLOCK:
            return
        lows = [row[4] for row in below if row[4] is not None]
        highs = [row[5] for row in below if row[5] is not None]
        known = None not in [row[7] for row in below]
        self._base.execute(_INSERT, (
            None, series, level + 1, below[0][0], below[-1][1], sum(row[2] for row in below),
            below[0][3], min(lows, default=None), max(highs, default=None), below[-1][6],
            sum(row[7] for row in below) if known else None, None, None,
        ))  # fmt: skip
        self._sum_up(series, level + 1)


def read_series(path: Path) -> dict[str, np.ndarray]:
    """All series of a record, exact points, while or after it is written.

    Args:
        path: the SQLite file.

    Returns:
        Series name -> array (points, 2) of step and value.

    Raises:
        InputError: the file is missing or damaged.
    """
    with _readable(path):
        base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return read_series_of(base)
        finally:
            base.close()


@contextmanager
def _readable(path: Path | None) -> Iterator[None]:
    """Say a record that is missing or damaged as such; a full disk stays a full disk."""
    try:
        yield
    except (sqlite3.DatabaseError, TypeError, ValueError) as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, "no space left", str(path)) from None
        raise InputError(
            "the record of the run cannot be read",
            where=str(path),
            received=str(error)[:60],
            do="restore it, or run fit again",
        ) from None


def check_record(path: Path) -> Path:
    """The path of a record, if it is there.

    Raises:
        InputError: it is missing.
    """
    if not path.is_file():
        raise InputError("the record of the run is missing", where=str(path),
                         do="restore it, or run fit again")  # fmt: skip
    return path


def _has_odd(base: sqlite3.Connection) -> bool:
    """Whether blocks say how many of their values are not finite."""
    return any(row[1] == "odd" for row in base.execute("PRAGMA table_info(blocks)"))


def read_series_of(base: sqlite3.Connection) -> dict[str, np.ndarray]:
    """All series of an open record, exact points."""
    found: dict[str, list[np.ndarray]] = {}
    rows = base.execute("SELECT series, steps, data FROM blocks WHERE level = 0 ORDER BY id")
    for series, steps, data in rows:
        pair = np.frombuffer(steps, np.int64).astype(np.float64), np.frombuffer(data, np.float64)
        found.setdefault(series, []).append(np.stack(pair, 1))
    return {series: np.concatenate(blocks) for series, blocks in found.items()}


def _summary(values: np.ndarray) -> tuple[float | None, ...]:
    """First, smallest, largest and last value, and how many are not finite.

    NaN becomes NULL, as SQLite has no NaN.
    """
    low, high, odd = values.min(), values.max(), 0
    if not (math.isfinite(low) and math.isfinite(high)):
        odd, known = int((~np.isfinite(values)).sum()), values[~np.isnan(values)]
        low, high = (known.min(), known.max()) if len(known) else (math.nan, math.nan)
    ends = (values[0], low, high, values[-1])
    return *(None if math.isnan(v) else float(v) for v in ends), odd
