"""The courses of many trainings in one file, written while they train, read without torch."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chymist.errors import InputError

FILE = "curves.sqlite"
ENDED, DIVERGED = "ended", "diverged"

_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, series TEXT NOT NULL,
    members BLOB NOT NULL, steps BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ends (member INTEGER PRIMARY KEY, state TEXT NOT NULL,
    epochs INTEGER NOT NULL);
"""


class MemberRecorder:
    """Appends to the series of many trainings; the only writer of its file.

    Args:
        path: the SQLite file, made if absent.
        members: number of trainings.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "curves.sqlite"
        >>> with closing(MemberRecorder(path, 2)) as record:
        ...     record.add("val_loss", 1, 8, 0.5)
        >>> read_members(path).curves()["val_loss"].tolist()
        [[nan], [0.5]]
    """

    def __init__(self, path: Path, members: int) -> None:
        self.path, self._waiting = path, dict[str, list[tuple[int, int, float]]]()
        self._ends: list[tuple[int, str, int]] = []
        with _writing(path):
            self._base = sqlite3.connect(path)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
            self._base.execute(f"PRAGMA user_version={int(members)}")

    def add(self, series: str, member: int, step: int, value: float) -> None:
        """Append one point; it goes to the file with the next `flush`."""
        self._waiting.setdefault(series, []).append((member, step, value))

    def end(self, member: int, state: str, epochs: int) -> None:
        """A training has ended: "ended" or "diverged", after so many epochs."""
        self._ends.append((member, state, epochs))

    def flush(self) -> None:
        """Write all waiting points, or none of them.

        Raises:
            OSError: the disk is full; the points go on waiting.
        """
        if not self._waiting and not self._ends:
            return
        with _writing(self.path), self._base:
            for series, points in self._waiting.items():
                members, steps, values = zip(*points, strict=True)
                self._base.execute(
                    "INSERT INTO blocks (series, members, steps, data) VALUES (?, ?, ?, ?)",
                    (series, np.array(members, np.int32).tobytes(),
                     np.array(steps, np.int64).tobytes(), np.array(values, np.float64).tobytes()),
                )  # fmt: skip
            self._base.executemany("INSERT OR REPLACE INTO ends VALUES (?, ?, ?)", self._ends)
        self._waiting, self._ends = {}, []

    def close(self) -> None:
        """Write all waiting points and close the file, which is then one plain file."""
        try:
            self.flush()
            with suppress(sqlite3.OperationalError):  # somebody reads: the log stays beside it
                self._base.execute("PRAGMA journal_mode=DELETE")
        finally:
            self._base.close()


@dataclass(frozen=True, eq=False)
class MemberSeries:
    """Series of many trainings as they were read back.

    Args:
        count: number of trainings.
        series: by name, members (points,), steps (points,) and values (points,) as written.
        ends: of those that have ended, state and epochs.
    """

    count: int
    series: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    ends: dict[int, tuple[str, int]]

    def curves(self) -> dict[str, np.ndarray]:
        """By name, (trainings, epochs), nan where one had ended."""
        found = {}
        for name, (members, _, values) in self.series.items():
            order = np.argsort(members, kind="stable")
            counts = np.bincount(members, minlength=self.count)
            found[name] = np.full((self.count, int(counts.max(initial=0))), np.nan)
            ends = np.cumsum(counts)
            for member, (stop, length) in enumerate(zip(ends, counts, strict=True)):
                found[name][member, :length] = values[order[stop - length : stop]]
        return found


def read_members(path: Path) -> MemberSeries:
    """All series of a file, while or after it is written.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            count = int(base.execute("PRAGMA user_version").fetchone()[0])
            rows = base.execute(
                "SELECT series, members, steps, data FROM blocks ORDER BY id"
            ).fetchall()
            ends = base.execute("SELECT member, state, epochs FROM ends").fetchall()
        parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        for series, *blobs in rows:
            kinds = zip(blobs, (np.int32, np.int64, np.float64), strict=True)
            members, steps, values = (np.frombuffer(blob, kind) for blob, kind in kinds)
            if not len(members) == len(steps) == len(values) or members.max(initial=0) >= count:
                raise ValueError("a block of another length")
            parts.setdefault(series, []).append((members, steps, values))
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise InputError("the curves cannot be read", where=str(path), received=str(error)[:60],
                         do="restore the file, or remove it") from None  # fmt: skip
    joined = {
        name: tuple(np.concatenate(column) for column in zip(*some, strict=True))
        for name, some in parts.items()
    }
    return MemberSeries(count, joined, {m: (s, e) for m, s, e in ends})  # type: ignore[arg-type]


def write_members(
    path: Path, histories: Sequence[dict[str, list[tuple[int, float]]]]
) -> None:  # fmt: skip
    """Write the whole series of trainings that have ended.

    Args:
        path: the SQLite file.
        histories: of the trainings: step and value after every epoch, by name.
    """
    with closing(MemberRecorder(path, len(histories))) as record:
        for member, history in enumerate(histories):
            for name, points in history.items():
                for step, value in points:
                    record.add(name, member, step, value)


def is_trained(folder: Path) -> bool:
    """Whether a process has a folder to itself, see `engine.folder.alone_in`."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A full disk is one, whatever the database calls it."""
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, "no space left", str(path)) from None
        raise InputError("the curves cannot be written", where=str(path),
                         received=str(error)[:60]) from None  # fmt: skip
