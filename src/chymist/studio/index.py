"""Rows of thousands of run folders, kept in memory and read again when a file of theirs changes.

Nothing is stored: a studio that is opened again fills the index again, newest folders first, and
answers meanwhile with what it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from math import isfinite, nan
from typing import Any

import msgspec
import numpy as np

from chymist.engine.kinds import kind_of
from chymist.engine.run_filter import FIELDS, check_filter, keeps, parse_filter, value_of
from chymist.engine.run_rows import RunRow, files_in, read_row
from chymist.engine.sketch import Sketch
from chymist.errors import UsageError, nearest
from chymist.evidence.bands import band_of
from chymist.studio.folders import Folders
from chymist.values import show

PATIENCE = 0.03  # seconds that an answer waits for folders that are being looked at
FRESH = 0.5  # seconds before folders are looked at again
ENDED = ("finished", "stopped", "diverged")  # states that only a file can change
MOST_LINES = 500  # of an answer
MOST_COLUMNS = 12
FIRST = 24  # folders of which an answer waits longer than that

Stamp = Mapping[str, tuple[int, int]]


class Asked(msgspec.Struct, frozen=True):
    """What a page asks of the list.

    Args:
        filter: see `engine.run_filter`.
        sort: a field, a metric or a field of recipes.
        down: largest first.
        start, count: of the lines.
        fold: whether seeds of one recipe on the same data are one line.
        open: experiments of which the runs stand below them.
        columns: metrics and fields of recipes beside those of every list.
    """

    filter: str = ""
    sort: str = "when"
    down: bool = True
    start: int = 0
    count: int = 100
    fold: bool = True
    open: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class Index:
    """All rows of the folders that a studio shows.

    Args:
        folders: where they are.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._rows: dict[str, RunRow] = {}
        self._stamps: dict[str, Stamp] = {}
        self._lock, self._some = threading.Lock(), threading.Condition()
        self._looked, self._busy = -1.0, False
        self.version, self.unread = 0, 0

    def rows(self, patience: float = PATIENCE) -> list[RunRow]:
        """The rows that are there; folders that have changed are read by a thread meanwhile.

        Args:
            patience: seconds to wait for it; longer as long as there is next to nothing.
        """
        with self._lock:
            if not self._busy and time.monotonic() - self._looked > FRESH:
                self._busy = True
                threading.Thread(target=self._read_all, daemon=True).start()
        until = time.monotonic() + patience
        with self._some:
            while self._busy and (
                time.monotonic() < until
                or (len(self._rows) < FIRST and time.monotonic() < until + 2)
            ):
                self._some.wait(0.02)
            return list(self._rows.values())

    @property
    def busy(self) -> bool:
        """Whether folders are being looked at: an answer may be a moment old."""
        return self._busy

    def refresh(self) -> None:
        """Read everything that has changed, now."""
        while self._busy:
            time.sleep(0.005)
        self._busy = True
        self._read_all()

    def _read_all(self) -> None:
        try:
            self._read_changed()
        finally:
            with self._some:
                self._looked, self._busy, self.unread = time.monotonic(), False, 0
                self._some.notify_all()

    def _read_changed(self) -> None:
        found = self._folders.all()
        stamps = {name: files_in(path) for name, path in found.items()}
        gone = [name for name in self._rows if name not in found]
        for name in gone:
            self._rows.pop(name), self._stamps.pop(name, None)
            self.version += 1
        changed = [name for name in found if self._changed(name, stamps[name])]
        self.unread = len(changed)
        for name in sorted(changed, key=lambda name: _time_of(stamps[name]), reverse=True):
            row = read_row(found[name], name)
            with self._some:
                self._stamps[name], self.unread = stamps[name], self.unread - 1
                if row != self._rows.get(name):
                    self._rows[name] = row
                    self.version += 1
                self._some.notify_all()

    def _changed(self, name: str, stamp: Stamp) -> bool:
        """Whether a row has to be read again: files changed, or only time tells how a run is."""
        old = self._rows.get(name)
        live = old is not None and old.state not in ENDED
        return old is None or self._stamps.get(name) != stamp or live


def lines_of(rows: Sequence[RunRow], asked: Asked) -> dict[str, Any]:
    """What a page shows: the lines that it asked for, and how many there are.

    Args:
        rows: all of them.
        asked: filter, order and place.

    Returns:
        lines, how many there are in all, runs that the filter keeps, runs.

    Raises:
        UsageError: a filter or column that is not understood.
    """
    terms = parse_filter(asked.filter)
    if rows:
        check_filter(terms, rows)
        _check_columns((asked.sort, *asked.columns), rows)
    keep = keeps(terms)
    kept = [row for row in rows if keep(row)]
    groups = _folded(kept, asked.fold)
    lines: list[tuple[int, Sequence[RunRow]]] = []
    for group in _sorted(groups, asked.sort, asked.down):
        lines.append((0, group))
        if len(group) > 1 and experiment(group) in asked.open:
            lines += [(1, (row,)) for row in sorted(group, key=lambda row: row.seed or 0)]
    stop = asked.start + min(asked.count, MOST_LINES)
    shown = [line_of(group, level, asked.columns) for level, group in lines[asked.start : stop]]
    return {"runs": shown, "start": asked.start, "total": len(lines), "kept": len(kept),
            "all": len(rows)}  # fmt: skip


def experiment(group: Sequence[RunRow]) -> str:
    """What tells an experiment from others: its recipe, and its data."""
    return f"{group[0].recipe}-{group[0].fingerprint[:12]}"


def line_of(group: Sequence[RunRow], level: int, columns: Sequence[str]) -> dict[str, Any]:
    """A run, or the seeds of one recipe on the same data, as plain values of one line.

    The score of several seeds is their mean with Student's interval over the seeds, as that of a
    population; the value and interval of a single run are its own.
    """
    last = max(group, key=lambda row: row.when)
    states: dict[str, int] = {}
    for row in group:
        states[row.state] = states.get(row.state, 0) + 1
    shared = {row.beaten for row in group}
    levels = {code: level for row in group for code, level in row.findings}
    seeds = sorted({row.seed for row in group if row.seed is not None})
    drawn = last.sketch
    return {
        "id": last.name if len(group) == 1 else experiment(group), "level": level,
        "name": last.name, "runs": [row.name for row in group], "kind": last.kind,
        "states": states, "data": last.data, "fingerprint": last.fingerprint[:12],
        "model": last.model, "recipe": last.recipe, "code": last.code, "seeds": seeds,
        "planned": max(len(seeds), last.seeds), "score": said(_score(group)),
        "floor": said(_floor(last)),
        "beaten": last.beaten if len(shared) == 1 else "differs", "verdict": last.verdict,
        "findings": sorted(levels.items()), "epochs": last.epochs, "steps": last.steps,
        "length": last.length, "seconds": sum(row.seconds for row in group),
        "when": datetime.fromtimestamp(last.when).isoformat(" ", "minutes"),
        "cells": {name: _text(_cell(group, name)) for name in columns},
        "sketch": None if drawn is None or not drawn.series else drawing_of(drawn),
    }  # fmt: skip


def drawing_of(sketch: Sketch) -> dict[str, Any]:
    """A sketch for a place of 100 units of height: largest and least of each stroke, from the top.

    Example:
        >>> drawing_of(Sketch(series="loss", points=4, strokes=((0.0, 2.0), (1.0, 1.0))))
        {'series': 'loss', 'points': 4, 'low': 0.0, 'high': 2.0, 'strokes': [[0, 100], [50, 50]]}
    """
    ends = [end for stroke in sketch.strokes for end in stroke if isfinite(end)]
    low, high = (min(ends), max(ends)) if ends else (nan, nan)
    scale = 100 / (high - low) if high > low and isfinite(high - low) else 0.0
    strokes = [[round((high - end) * scale) for end in (most, least)]
               if isfinite(least) and isfinite(most) else None
               for least, most in sketch.strokes]  # fmt: skip
    return {"series": sketch.series, "points": sketch.points, "low": low, "high": high,
            "strokes": strokes}  # fmt: skip


def names_of(rows: Iterable[RunRow], search: str, most: int = 40) -> dict[str, Any]:
    """Metrics and fields of recipes whose names hold a text, those of most runs first.

    Args:
        rows: all of them.
        search: in any case.
        most: names to give.
    """
    counts: dict[str, int] = {}
    for row in rows:
        for name in (*row.metrics, *row.fields):
            counts[name] = counts.get(name, 0) + 1
    text = search.lower()
    found = sorted((n for n in counts if text in n.lower()), key=lambda n: (-counts[n], n))
    return {"names": found[:most], "matching": len(found), "all": len(counts)}


def _folded(rows: Sequence[RunRow], fold: bool) -> list[Sequence[RunRow]]:
    """Runs of the same recipe on the same data together; everything else alone."""
    groups: dict[Any, list[RunRow]] = {}
    for row in rows:
        alone = not fold or row.kind != "fit" or not row.recipe
        key = row.name if alone else (row.recipe, row.fingerprint, row.code)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _sorted(groups: list[Sequence[RunRow]], field: str, down: bool) -> list[Sequence[RunRow]]:
    """Groups in order of a field; those that have no value come last either way."""
    there: list[tuple[tuple[int, Any], int]] = []
    none = []
    for number, group in enumerate(groups):
        key = _key(group, field)
        if key is None:
            none.append(group)
        else:
            there.append((key, number))
    there.sort(reverse=down)
    return [groups[number] for _, number in there] + none


def _key(group: Sequence[RunRow], field: str) -> tuple[int, Any] | None:
    """Numbers before texts, whatever a field holds."""
    if field == "when":
        return 0, max(row.when for row in group)
    if field == "seconds":
        return 0, sum(row.seconds for row in group)
    value = _cell(group, field)
    if isinstance(value, (int, float)):
        return (0, value) if isfinite(value) else None
    if value is None or value == "":
        return None
    return 1, str(value).lower()


def _cell(group: Sequence[RunRow], field: str) -> Any:
    """A field of an experiment: the mean of its numbers, or what its runs have in common."""
    values = [value_of(row, field) for row in group]
    if len(values) == 1:
        return values[0] if not isinstance(values[0], list) else ", ".join(values[0])
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if numbers and len(numbers) == sum(v is not None for v in values):
        return float(np.mean(numbers))
    texts = list(dict.fromkeys(str(v) for v in values if v is not None))
    return ", ".join(texts[:4]) if texts else None


def _score(group: Sequence[RunRow]) -> Mapping[str, Any] | None:
    """The score of a run, or the mean of several."""
    scores = [row.score for row in group if row.score and row.score["value"] is not None]
    if len(group) == 1 or len(scores) < 2 or len({s["metric"] for s in scores}) > 1:
        return scores[-1] if scores else None
    value, low, high = over_seeds(tuple(score["value"] for score in scores))
    return {**scores[-1], "value": value, "low": low, "high": high, "n": len(scores),
            "over": "seeds" if len(scores) > 2 else "two"}  # fmt: skip


def said(score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A score with its value and interval as every face writes them.

    Example:
        >>> said({"metric": "accuracy", "value": 0.9, "low": 0.8, "high": 1.0})["said"]
        '90.0 %'
    """
    if score is None:
        return None
    metric, value = str(score["metric"]), score["value"]
    low, high = score.get("low"), score.get("high")
    text = "–" if value is None else show(metric, value)
    span = ""
    if low is not None and high is not None and isfinite(low) and isfinite(high):
        span = f"[{show(metric, low)}, {show(metric, high)}]"
    return {**score, "said": text, "span": span}


def _floor(row: RunRow) -> dict[str, Any] | None:
    """The strongest floor of a run, as a score."""
    if row.floor is None or row.score is None:
        return None
    return {"metric": row.score["metric"], **row.floor}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@lru_cache(20_000)
def over_seeds(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Mean of seeds with its band, as `evidence.bands`: of two their range, else a 95 % interval.

    Example:
        >>> [round(end, 2) for end in over_seeds((1.0, 2.0, 3.0))]
        [2.0, -0.48, 4.48]
        >>> over_seeds((1.0, 2.0))
        (1.5, 1.0, 2.0)
    """
    if not all(map(isfinite, values)):
        return nan, nan, nan
    found = band_of(np.array(values)[:, None])
    return float(found.mean[0]), float(found.low[0]), float(found.high[0])


def _check_columns(names: Sequence[str], rows: Sequence[RunRow]) -> None:
    """Refuse columns that no run has."""
    if len(names) > MOST_COLUMNS + 1:
        raise UsageError("too many columns", where="columns", received=str(len(names) - 1),
                         do=f"at most {MOST_COLUMNS}")  # fmt: skip
    for name in names:
        plain = name.removeprefix("metric.")
        if name in FIELDS or any(plain in row.metrics or name in row.fields for row in rows):
            continue
        known = {*FIELDS, *(n for row in rows for n in (*row.metrics, *row.fields))}
        raise UsageError("no such column", where="columns", received=name[:60],
                         do=nearest(name, known))  # fmt: skip


def _time_of(stamp: Stamp) -> int:
    """When a folder was begun or written."""
    return max((when for name, (when, _) in stamp.items() if kind_of({name: 0})), default=0)
