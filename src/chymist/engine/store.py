"""The record of a run: series of numbers in SQLite, written in blocks, readable while it runs.

A series is a list of blocks of at most 500 points. Each block keeps its first, smallest, largest
and last value beside the exact points, and 500 blocks are summed up in one block of the level
above, so that a million points can be drawn at once without hiding a spike.
"""

from __future__ import annotations

import errno
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from chymist.engine.files import flush_file
from chymist.errors import InputError

BLOCK = 500
STEP_SERIES = ("loss", "rate")  # recorded at every step; the others after every epoch

_TABLE = """
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, series TEXT NOT NULL, level INTEGER NOT NULL,
    first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, points INTEGER NOT NULL,
    first REAL, min REAL, max REAL, last REAL, steps BLOB, data BLOB)
"""
_INSERT = (
    "INSERT INTO blocks (series, level, first_step, last_step, points, first, min, max, last,"
    " steps, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


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
            self._base.commit()
        self._path = path
        self._waiting: dict[str, list[tuple[int, float]]] = {}

    def add(self, series: str, step: int, value: float) -> None:
        """Append one point; it goes to the file with the next `flush`."""
        self._waiting.setdefault(series, []).append((step, value))

    def flush(self) -> None:
        """Write all waiting points, or none of them.

        Raises:
            OSError: the disk is full; the points go on waiting.
        """
        with _readable(self._path), self._base:
            for series, points in self._waiting.items():
                self._write_all(series, points)
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
                self._write_all(series, [(int(s), float(v)) for s, v in kept])

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

    def _write_all(self, series: str, points: list[tuple[int, float]]) -> None:
        for start in range(0, len(points), BLOCK):
            self._write(series, points[start : start + BLOCK])

    def _write(self, series: str, points: list[tuple[int, float]]) -> None:
        steps = np.array([s for s, _ in points], np.int64)
        values = np.array([v for _, v in points], np.float64)
        row = (*_summary(values), steps.tobytes(), values.tobytes())
        self._base.execute(_INSERT, (series, 0, int(steps[0]), int(steps[-1]), len(steps), *row))
        self._sum_up(series, 0)

    def _sum_up(self, series: str, level: int) -> None:
        """Add a block one level up when 500 new blocks are complete below it."""
        where = (series, level)
        count = self._base.execute(
            "SELECT count(*) FROM blocks WHERE series = ? AND level = ?", where
        ).fetchone()[0]
        if count % BLOCK:
            return
        below = self._base.execute(
            "SELECT first_step, last_step, points, first, min, max, last FROM blocks"
            " WHERE series = ? AND level = ? ORDER BY id DESC LIMIT ?", (*where, BLOCK),
        ).fetchall()[::-1]  # fmt: skip
        lows = [row[4] for row in below if row[4] is not None]
        highs = [row[5] for row in below if row[5] is not None]
        self._base.execute(_INSERT, (
            series, level + 1, below[0][0], below[-1][1], sum(row[2] for row in below),
            below[0][3], min(lows, default=None), max(highs, default=None), below[-1][6],
            None, None,
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


def read_series_of(base: sqlite3.Connection) -> dict[str, np.ndarray]:
    """All series of an open record, exact points."""
    found: dict[str, list[np.ndarray]] = {}
    rows = base.execute("SELECT series, steps, data FROM blocks WHERE level = 0 ORDER BY id")
    for series, steps, data in rows:
        pair = np.frombuffer(steps, np.int64).astype(np.float64), np.frombuffer(data, np.float64)
        found.setdefault(series, []).append(np.stack(pair, 1))
    return {series: np.concatenate(blocks) for series, blocks in found.items()}


def _summary(values: np.ndarray) -> tuple[float | None, ...]:
    """First, smallest, largest and last value; NaN becomes NULL, as SQLite has no NaN."""
    finite = values[~np.isnan(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (math.nan, math.nan)
    ends = (values[0], low, high, values[-1])
    return tuple(None if math.isnan(v) else float(v) for v in ends)
