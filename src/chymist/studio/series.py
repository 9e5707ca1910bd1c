"""A series of a record as one small binary frame, whatever its length; no extreme is left out.

A frame is the text `CYS1`, the length of a header (uint32), the header as JSON padded with blanks
to a multiple of 8, and little-endian columns, all of length `drawn`:

    x       float64
    values  float64, where every point is there ("exact"); else, of the finite values of a column,
    first, min, max, last   float32, or float64 where float32 would lose a value ("wide")
    odd     uint32, where values are not finite: how many of them in the column
    kinds   uint8 beside it: 1 NaN, 2 +infinity, 4 -infinity, or several of them
    smooth  float64, where it was asked for: the smoothed value at the last point of a column

Blocks that lie within one column are taken from their summary; only those at its border are read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chymist.engine.store import check_record
from chymist.errors import InputError

MARK = b"CYS1"
MOST_COLUMNS = 4000
NAN, PLUS, MINUS = 1, 2, 4
SMALLEST, LARGEST = 1.2e-38, 3.4e38  # what float32 holds with all of its digits

OF_SERIES = "blocks WHERE series = ? AND level = 0"
SUMMARY = "id, first_step, last_step, points, first, min, max, last"

Array = np.ndarray


class Listed(NamedTuple):
    """What there is of a series: its name, points stored, ends, and its latest value."""

    key: str
    points: int
    first: int
    last: int
    latest: float


@dataclass(frozen=True, eq=False)
class Frame:
    """A series as it is drawn.

    Args:
        x: of each point, or of the first point of each column.
        values: first, min, max, last by row, (4, n); four times the same where `exact`.
        odd: values of each column that are not finite, (n,).
        kinds: what they are: 1 NaN, 2 +infinity, 4 -infinity, added.
        exact: whether every point is there.
        points: points within the range.
        stored: points of the whole series.
        last: x of its last point; None if it has none.
        smooth: the smoothed value at the last point of each column, (n,), see `smoothed`.
    """

    x: Array
    values: Array
    odd: Array
    kinds: Array
    exact: bool
    points: int
    stored: int
    last: float | None
    smooth: Array | None = None

    def encode(self, **facts: Any) -> bytes:
        """The frame as bytes, see the module.

        Args:
            **facts: further fields of the header.
        """
        wide = self.exact or _is_wide(self.values)
        header = {
            "stored": self.stored, "points": self.points, "drawn": len(self.x), "last": self.last,
            "exact": self.exact, "wide": wide, "odd": int(self.odd.sum()), **facts,
        }  # fmt: skip
        text = json.dumps(header, allow_nan=False).encode()
        text += b" " * (-len(text) % 8)
        values = self.values[:1] if self.exact else self.values
        parts = [MARK, np.uint32(len(text)).tobytes(), text, self.x.astype("<f8").tobytes(),
                 values.astype("<f8" if wide else "<f4").tobytes()]  # fmt: skip
        if header["odd"]:
            parts += [self.odd.astype("<u4").tobytes(), self.kinds.astype("u1").tobytes()]
        if self.smooth is not None:  # kinds end anywhere
            parts.append(self.smooth.astype("<f8").tobytes())
        return b"".join(parts)


def _is_wide(values: Array) -> bool:
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return bool(((size > LARGEST) | (size < SMALLEST)).any())


class Smoothed(NamedTuple):
    """Values as exponential means of all before them, and where the mean stands at the end.

    Args:
        values: (n,).
        total: sum of the weighted values at the end; divided by `weight` it is the last mean.
        weight: sum of the weights.
    """

    values: Array
    total: float
    weight: float


def smoothed(y: Array, half: float) -> Smoothed:
    """Exponential means, without the pull towards zero of their beginning.

    s_i = q s_{i-1} + (1 - q) y_i and w_i = q w_{i-1} + (1 - q), q = 2^(-1/half); the mean is
    s_i / w_i. Values that are not finite are passed over.

    Args:
        y: (n,).
        half: points after which a value counts half.

    Example:
        >>> smoothed(np.array([1.0, np.nan, 4.0]), 1.0).values.tolist()
        [1.0, 1.0, 3.0]
    """
    from scipy.signal import lfilter

    share = 2.0 ** (-1 / half)
    finite = np.isfinite(y)
    count = np.cumsum(finite)
    total = lfilter([1 - share], [1, -share], y[finite])
    weight = 1 - share ** np.arange(1, len(total) + 1)
    means = np.append(total / weight, np.nan)[count - 1]  # none before the first: the appended one
    ends = (float(total[-1]), float(weight[-1])) if len(total) else (0.0, 0.0)
    return Smoothed(means, *ends)


def with_smooth(frame: Frame, x: Array, means: Array) -> Frame:
    """A frame with the smoothed value at the last point of each of its columns.

    Args:
        frame: of a part of the points.
        x: of all points, ascending.
        means: of all points.
    """
    ends = np.searchsorted(x, frame.x[1:], "left") - 1
    final = np.searchsorted(x, frame.x[:1], "left") + frame.points - 1
    return replace(frame, smooth=means[np.append(ends, final[: len(frame.x)]).astype(np.int64)])


class Pieces(NamedTuple):
    """Points, or summaries of several, in their order: all arrays (n,)."""

    x: Array
    first: Array
    low: Array
    high: Array
    last: Array
    points: Array


def frame_of(
    x: Array, y: Array, px: int, low: float | None = None, high: float | None = None
) -> Frame:
    """A frame from all points, in the order of x.

    Args:
        x: (n,); points where it is NaN cannot be drawn.
        y: (n,).
        px: columns, at most.
        low: of the range of x; None for its first.
        high: of the range of x; None for its last.

    Example:
        >>> frame_of(np.arange(5.0), np.array([0, 1, np.nan, 9, 0]), 2).values.tolist()[2]
        [1.0, 9.0]
    """
    known = np.flatnonzero(~np.isnan(x))
    order = known[np.argsort(x[known], kind="stable")]
    x, y = x[order].astype(np.float64), y[order].astype(np.float64)
    stored, last = len(x), float(x[-1]) if len(x) else None
    a = float(x[0] if stored else 0) if low is None else low
    b = float(x[-1] if stored else 0) if high is None else high
    within = (x >= a) & (x <= b)
    x, y = x[within], y[within]
    if len(x) <= px:
        return _exact(x, y, stored, last)
    column = np.minimum(((x - a) / ((b - a) or 1.0) * px).astype(np.int64), px - 1)
    return _columns(column, Pieces(x, y, y, y, y, np.ones(len(x), np.int64)), stored, last)


def _exact(x: Array, y: Array, stored: int, last: float | None) -> Frame:
    kinds = _kinds_of(y)
    return Frame(x, np.stack([y] * 4), (kinds > 0).astype(np.int64), kinds, True, len(x), stored,
                 last)  # fmt: skip


def _kinds_of(y: Array) -> Array:
    kinds: Array = np.isnan(y) * NAN + (y == np.inf) * PLUS + (y == -np.inf) * MINUS
    return kinds


def _columns(column: Array, pieces: Pieces, stored: int, last: float | None) -> Frame:
    """Pieces joined by column; columns ascend."""
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(column)))
    kinds = _kinds_of(pieces.first)  # a piece of several points has finite ones only
    finite = kinds == 0
    values = np.full((4, len(starts)), np.nan)
    values[0, group[finite][::-1]] = pieces.first[finite][::-1]  # of several, the last counts
    values[1] = np.fmin.reduceat(np.where(finite, pieces.low, np.nan), starts)
    values[2] = np.fmax.reduceat(np.where(finite, pieces.high, np.nan), starts)
    values[3, group[finite]] = pieces.last[finite]
    odd = np.add.reduceat((~finite).astype(np.int64), starts)
    joined = np.bitwise_or.reduceat(kinds, starts)
    points = int(pieces.points.sum())
    return Frame(pieces.x[starts], values, odd, joined, False, points, stored, last)


class Record:
    """A record that is read at one moment, while its writer goes on: see `reading`."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base
        names = {row[1] for row in base.execute("PRAGMA table_info(blocks)")}
        self._odd = "odd" if "odd" in names else "NULL"

    def listed(self) -> list[Listed]:
        """Every series."""
        rows = self.base.execute(
            "SELECT series, sum(points), min(first_step), max(last_step), max(id) FROM blocks"
            " WHERE level = 0 GROUP BY series ORDER BY min(id)"
        ).fetchall()
        return [
            Listed(key, points, first, last, float(self._points([row])[1][-1]))
            for key, points, first, last, row in rows
        ]

    def all(self, key: str) -> tuple[Array, Array]:
        """Steps and values of a series, every point."""
        return self._points([row[0] for row in self._blocks("id", key)])

    def after(self, key: str, step: int, most: int) -> tuple[Array, Array]:
        """Points after a step, at most so many of them, the oldest first."""
        rows = self.base.execute(
            f"SELECT last_step, id FROM {OF_SERIES} ORDER BY first_step DESC", (key,)
        )
        found = [row[1] for row in takewhile(lambda row: row[0] > step, rows)]
        steps, values = self._points(found[::-1][: most // 2])
        new = steps > step
        return steps[new][:most], values[new][:most]

    def behind(self, key: str, step: int) -> int:
        """Points after a step, or some more: blocks are counted whole."""
        rows = self.base.execute(
            f"SELECT last_step, points FROM {OF_SERIES} ORDER BY first_step DESC", (key,)
        )
        return sum(row[1] for row in takewhile(lambda row: row[0] > step, rows))

    def last(self, key: str) -> int | None:
        """The last step of a series; None if it has no point."""
        asked = f"SELECT last_step FROM {OF_SERIES} ORDER BY first_step DESC LIMIT 1"
        found = self.base.execute(asked, (key,)).fetchone()
        return None if found is None else int(found[0])

    def frame(
        self, key: str, px: int, low: float | None = None, high: float | None = None
    ) -> Frame:
        """A series whose steps ascend, from its summaries where they do.

        Args:
            key: its name.
            px: columns, at most.
            low: first step to show.
            high: last step to show.
        """
        rows = self._blocks(f"{SUMMARY}, {self._odd}", key)
        if not rows:
            raise InputError("no such series", received=key[:60], do="see the list of series")
        blocks = np.array(rows, np.float64)  # NULL becomes NaN
        stored, last = int(blocks[:, 3].sum()), float(blocks[-1, 2])
        a = blocks[0, 1] if low is None else np.ceil(low)
        b = last if high is None else np.floor(high)
        blocks = blocks[(blocks[:, 2] >= a) & (blocks[:, 1] <= b)]
        within = (blocks[:, 1] >= a) & (blocks[:, 2] <= b)
        if blocks[:, 3].sum() - 1000 <= px:  # perhaps at most one point a pixel
            steps, values = self._points(blocks[:, 0].astype(int).tolist())
            shown = (steps >= a) & (steps <= b)
            if shown.sum() <= px:
                return _exact(steps[shown].astype(np.float64), values[shown], stored, last)
        width = b - a + 1

        def column(at: Array) -> Array:
            found: Array = ((at - a) * px // width).astype(np.int64)
            return found

        whole = within & (column(blocks[:, 1]) == column(blocks[:, 2])) & (blocks[:, 8] == 0)
        steps, values = self._points(blocks[~whole, 0].astype(int).tolist())
        shown = (steps >= a) & (steps <= b)
        x, y = steps[shown].astype(np.float64), values[shown]
        ones = np.ones(len(x), np.int64)
        read = Pieces(x, y, y, y, y, ones)
        summed = Pieces(*blocks[whole][:, [1, 4, 5, 6, 7, 3]].T)
        both = [np.concatenate(pair) for pair in zip(summed, read, strict=True)]
        order = np.argsort(both[0], kind="stable")
        pieces = Pieces(*(part[order] for part in both))
        return _columns(column(pieces.x), pieces, stored, last)

    def _blocks(self, what: str, key: str) -> list[tuple[Any, ...]]:
        return self.base.execute(f"SELECT {what} FROM {OF_SERIES} ORDER BY id", (key,)).fetchall()

    def _points(self, rows: list[int]) -> tuple[Array, Array]:
        asked = "SELECT steps, data FROM blocks WHERE id = ?"
        found = [self.base.execute(asked, (row,)).fetchone() for row in rows]
        try:
            steps = np.frombuffer(b"".join(pair[0] for pair in found), "<i8")
            values = np.frombuffer(b"".join(pair[1] for pair in found), "<f8")
        except (TypeError, ValueError) as error:
            raise Damaged(str(error)) from None
        if len(steps) != len(values) or (rows and not len(steps)):
            raise Damaged("blocks are not whole")
        return steps, values


class Damaged(Exception):
    """A block that nobody has written so."""


@contextmanager
def reading(path: Path) -> Iterator[Record]:
    """A record, all of it as it is now; its writer is not held up.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        uri = f"{check_record(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=2.0)) as base:
            base.execute("BEGIN")
            yield Record(base)
    except (sqlite3.Error, Damaged) as error:
        raise InputError("the record of the run cannot be read", where=str(path),
                         received=str(error)[:60]) from None  # fmt: skip


def shifted(frame: Frame, scale: float) -> Frame:
    """A frame whose x are counted in another unit.

    Args:
        frame: by step.
        scale: of the unit, as a share of a step.
    """
    last = None if frame.last is None else frame.last * scale
    return replace(frame, x=frame.x * scale, last=last)
