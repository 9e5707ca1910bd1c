"""A record at a glance: last value of every series, and the main one in a few strokes.

It reads the summaries of blocks; exact points only of a series that is short anyway.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

BUCKETS = 64
FEW = 2_000  # points that are read one by one
MANY = 32_000  # blocks beyond which the level above is read
MAIN = ("val_loss", "train_loss", "loss")  # the first that has two points
Extremes = tuple[float, float]


@dataclass(frozen=True)
class Sketch:
    """What a list shows of a record.

    Args:
        last: last value of each series.
        steps: last step of any.
        epochs: how often it was evaluated.
        series: name of the main one; "" if there is none.
        points: that it has.
        strokes: least and largest value in each of at most 64 parts of it, in order; NaN where
            nothing of it is a number.
    """

    last: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    epochs: int = 0
    series: str = ""
    points: int = 0
    strokes: tuple[Extremes, ...] = ()


def sketch_of(path: Path) -> Sketch:
    """The sketch of a record, while or after it is written; that of no record is empty.

    Args:
        path: the SQLite file.

    Raises:
        sqlite3.Error: it is damaged.
    """
    if not path.is_file():
        return Sketch()
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
        rows = base.execute(  # bare columns are those of the row with the largest id
            "SELECT series, max(id), last, sum(points), max(last_step), count(*) FROM blocks"
            " WHERE level = 0 GROUP BY series"
        ).fetchall()
        counts = {str(row[0]): (int(row[3]), int(row[5])) for row in rows}
        last = {str(row[0]): math.nan if row[2] is None else float(row[2]) for row in rows}
        main = next((n for n in MAIN if counts.get(n, (0, 0))[0] > 1), "")
        main = main or next((name for name, (points, _) in counts.items() if points > 1), "")
        strokes = _strokes(base, main, *counts[main]) if main else ()
    steps = max((int(row[4]) for row in rows), default=0)
    epochs = counts.get("train_loss", counts.get("val_loss", (0, 0)))[0]
    return Sketch(last, steps, epochs, main, counts[main][0] if main else 0, strokes)


def _strokes(
    base: sqlite3.Connection, series: str, points: int, blocks: int
) -> tuple[Extremes, ...]:
    """Least and largest values of a series in order."""
    if points <= FEW:
        data = base.execute(
            "SELECT data FROM blocks WHERE series = ? AND level = 0 ORDER BY id", (series,)
        ).fetchall()
        values = np.concatenate([np.frombuffer(one, np.float64) for (one,) in data])
        return _bucketed(values, values)
    level = int(blocks > MANY)
    found = base.execute(
        "SELECT min, max, last_step FROM blocks WHERE series = ? AND level = ? ORDER BY id",
        (series, level),
    ).fetchall()
    if level:
        found += base.execute(
            "SELECT min, max, last_step FROM blocks WHERE series = ? AND level = 0"
            " AND first_step > ? ORDER BY id", (series, found[-1][2] if found else -1),
        ).fetchall()  # fmt: skip
    return _bucketed(*(np.array([row[n] for row in found], np.float64) for n in (0, 1)))


def _bucketed(lows: np.ndarray, highs: np.ndarray) -> tuple[Extremes, ...]:
    """Values in at most 64 parts of equal length, none of their extremes lost."""
    edges = np.linspace(0, len(lows), min(BUCKETS, len(lows)) + 1).astype(int)[:-1]
    least, most = np.fmin.reduceat(lows, edges), np.fmax.reduceat(highs, edges)
    return tuple(zip(least.tolist(), most.tolist(), strict=True))
