"""Folders of imported logs: series of a run that another program has trained, and nothing more.

imported.json    where the series are from, what their steps count, their names in the log
records.sqlite   the series, as in a run folder
times.sqlite     when each point was written, in seconds since 1970, where the log says it
report.html      the curves
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chymist.data.logs import Log, Unit
from chymist.engine.folder import IMPORTED, whole_folder, write_json
from chymist.engine.store import Recorder, check_record, read_series
from chymist.engine.stored import damaged, read_as

STATEMENT = "imported: no model, no rows"


@dataclass(frozen=True)
class StoredLog:
    """`imported.json`."""

    name: str
    kind: str
    unit: Unit
    tags: dict[str, str]
    notes: list[str] = field(default_factory=list)
    statement: str = STATEMENT


def is_imported(folder: Path) -> bool:
    """Whether a folder holds an imported log."""
    return (folder / IMPORTED).is_file()


def write_imported(out: Path, log: Log, report: bytes) -> None:
    """Write a log as a folder, which appears whole.

    Args:
        out: its place, absent or empty.
        log: the log.
        report: its page.

    Raises:
        InputError: the place is taken or not writable.
    """
    plain = {"statement": STATEMENT, "name": log.name, "kind": log.kind, "unit": log.unit,
             "tags": dict(log.tags), "notes": list(log.notes)}  # fmt: skip
    with whole_folder(out) as draft:
        write_json(draft / IMPORTED, plain)
        steps = {name: points[:, 0] for name, points in log.series.items()}
        _record(draft / "records.sqlite", steps, {n: p[:, 1] for n, p in log.series.items()})
        if log.times:
            _record(draft / "times.sqlite", steps, log.times)
        (draft / "report.html").write_bytes(report)


def _record(path: Path, steps: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]) -> None:
    """Write series into a record."""
    with Recorder(path) as recorder:
        for name, column in values.items():
            for step, value in zip(steps[name].tolist(), column.tolist(), strict=True):
                recorder.add(name, int(step), value)


def read_imported(folder: Path) -> Log:
    """A log read back from its folder.

    Raises:
        InputError: a file is missing or damaged.
    """
    stored = read_as(folder / IMPORTED, StoredLog)[1]
    series = read_series(check_record(folder / "records.sqlite"))
    clock = folder / "times.sqlite"
    times = {n: p[:, 1] for n, p in read_series(clock).items()} if clock.is_file() else {}
    wrong = [n for n, walls in times.items() if n not in series or len(walls) != len(series[n])]
    if wrong or set(series) != set(stored.tags):
        raise damaged(folder / IMPORTED, "other series than the record has")
    return Log(stored.name, stored.kind, stored.unit, series, times, stored.tags,
               tuple(stored.notes))  # fmt: skip
