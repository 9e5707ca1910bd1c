"""Logs that other programs have written: TensorBoard event files and CSV files, as series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from chymist.data.event_files import MOST_TAGS, Events, as_points, is_event_file, read_events
from chymist.data.log_names import CLOCKS, EPOCHS, PARTS, STEPS, named
from chymist.data.tables import parse, read_text
from chymist.errors import InputError, printable

ABSENT = frozenset({"", "NA", "N/A", "None", "null", "NULL"})
EXTREMES = ("__MIN", "__MAX")  # beside each column of an export of W&B
Unit = Literal["step", "epoch", "row"]


@dataclass(frozen=True, eq=False)
class Log:
    """What a log holds.

    Args:
        name: of the file or folder.
        kind: "event files" or "csv".
        unit: what the steps of the points count.
        series: by our name, (points, 2) of step and value, as they were written.
        times: by our name, seconds since 1970 of each point, (points,); NaN where unknown. Series
            without any are not in it.
        tags: by our name, the name in the log.
        notes: what a reader should know, in sentences.
    """

    name: str
    kind: str
    unit: Unit
    series: Mapping[str, np.ndarray]
    times: Mapping[str, np.ndarray]
    tags: Mapping[str, str]
    notes: tuple[str, ...] = ()


def read_log(path: Path) -> Log:
    """The series of one run, from an event file, a folder of them, or a CSV file.

    Args:
        path: of the file or folder. Folders `train` and `validation` within it, as Keras writes
            them, are parts of the same run.

    Raises:
        InputError: no log, the logs of several runs, or a damaged file.
        UsageError: event files, and the package `tensorboard` is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("step,train/loss,eval/loss\\n10,0.5,\\n20,,0.75\\n")
        >>> {name: points.tolist() for name, points in read_log(path).series.items()}
        {'train_loss': [[10.0, 0.5]], 'val_loss': [[20.0, 0.75]]}
    """
    if path.is_dir():
        return _of_folder(path)
    if is_event_file(path):
        return _of_events(printable(path.parent.name) or "log", {"": [path]})
    if not path.is_file():
        raise InputError("no such log", where=str(path), do="give an event file, its folder, or "
                         "a CSV file")  # fmt: skip
    with path.open("rb") as file:
        start = file.read(64)
    if b"brain.Event:" in start:  # an event file under another name
        return _of_events(printable(path.stem), {"": [path]})
    return read_csv_log(path)


def _of_folder(folder: Path) -> Log:
    """The event files of a folder, and of those within it that are parts of the same run."""
    found: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if is_event_file(path) and path.is_file():
            found.setdefault(path.parent, []).append(path)
    parts = {p: place for place in found if (p := _part_of(place, folder)) is not None}
    if len(found) == 1 and not parts:  # the only run of an experiment
        parts = {"": next(iter(found))}
    others = [printable(str(place.relative_to(folder))) for place in found
              if place not in parts.values()]  # fmt: skip
    few = f"{', '.join(others[:4])}{', ...' if len(others) > 4 else ''}"
    if not parts:
        raise InputError(
            "the folder holds the logs of several runs" if found else "the folder holds no log",
            where=str(folder), received=few or "no file events.out.tfevents...",
            do="give one of them at a time" if found else "give an event file or a CSV file",
        )  # fmt: skip
    log = _of_events(
        printable(folder.resolve().name), {part: found[place] for part, place in parts.items()}
    )
    said = (f"left out, runs of their own: {few}",) if others else ()
    return replace(log, notes=(*log.notes, *said))


def _part_of(place: Path, folder: Path) -> str | None:
    """Which rows the files of a folder are about: "" of the run's own, None of another run."""
    if place == folder:
        return ""
    name = place.name.lower()
    return name if place.parent == folder and name in PARTS else None


def _of_events(name: str, files: Mapping[str, Sequence[Path]]) -> Log:
    """The event files of the parts of one run."""
    read: dict[tuple[str, str], list[tuple[float, int, float]]] = {}
    left, notes = Events().left_out, list[str]()
    for part, paths in files.items():
        events = read_events(paths)
        read |= {(part, tag): points for tag, points in events.series.items() if points}
        left, notes = left + events.left_out, notes + events.notes
    if not read:
        others = _counted(left) or "no values"
        raise InputError("the log holds no numbers", where=name, received=others,
                         do="give a log with scalars")  # fmt: skip
    if left:
        notes.append("left out: " + _counted(left))
    names = named(read)
    pairs = {names[key]: as_points(points) for key, points in read.items()}
    tags = {names[key]: f"{key[0]}/{key[1]}" if key[0] else key[1] for key in read}
    times = {n: times for n, (_, times) in pairs.items() if not np.isnan(times).all()}
    return Log(name, "event files", "step", {n: s for n, (s, _) in pairs.items()}, times, tags,
               tuple(notes))  # fmt: skip


def _counted(left: Mapping[str, int]) -> str:
    """How many other things a log holds."""
    one = {kind: kind if n > 1 else kind.removesuffix("s") for kind, n in left.items()}
    return ", ".join(f"{n:,} {one[kind]}" for kind, n in left.items())


def read_csv_log(path: Path) -> Log:
    """The series of a CSV file of numbers by step or epoch: of Keras, Lightning, W&B and others.

    Empty cells and "NA" are no points; "nan" and "inf" are values. Columns that hold a text are
    left out. A last line that is cut off, as a killed program leaves it, is left out and said.

    Args:
        path: the file, with a line of names.

    Raises:
        InputError: no table of numbers.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("epoch,loss,val_loss\\n0,0.5,0.75\\n1,0.25,nan\\n")
        >>> log = read_csv_log(path)
        >>> log.unit, log.series["val_loss"].tolist()
        ('epoch', [[0.0, 0.75], [1.0, nan]])
    """
    (heads, *rows), notes = _rows(path)
    if len(heads) > MOST_TAGS:
        raise InputError("the log has too many columns", where=printable(path.name),
                         received=f"more than {MOST_TAGS:,}",
                         do="give a log of fewer series")  # fmt: skip
    heads, shared = _own_names([head.strip() for head in heads])
    cells = dict(zip(heads, zip(*rows, strict=True), strict=True))
    columns = {head: _numbers(column) for head, column in cells.items() if head}
    texts = [head for head, values in columns.items() if values is None]
    known = {head: values for head, values in columns.items() if values is not None}
    at, unit, steps = _steps(known, len(rows))
    clock = next((c for c in known if c.lower() in CLOCKS), None)
    axes = {at, clock, *(h for h in known if h.lower() in (*STEPS, *EPOCHS) or h in shared)}
    odd = [h for h in known if unit == "row" and h.lower() in (*STEPS, *EPOCHS)]
    if odd:
        notes.append(f"the column {printable(odd[0])} is no count; rows are counted instead")
    tags = [head for head in known if head not in axes]
    found = named([("", tag) for tag in tags], by_epoch=unit == "epoch")
    names = {tag: name for (_, tag), name in found.items()}
    series, times = {}, {}
    for tag in tags:
        there = np.array([cell.strip() not in ABSENT for cell in cells[tag]]) & ~np.isnan(steps)
        if there.any():
            series[names[tag]] = np.stack([steps, known[tag]], 1)[there]
            if clock is not None:
                times[names[tag]] = known[clock][there]
    if not series:
        raise InputError("the log holds no numbers", where=path.name,
                         received=", ".join(map(printable, heads[:6])),
                         do="give a table with a column a series")  # fmt: skip
    if texts:
        notes.append(f"left out, no numbers: {', '.join(map(printable, texts[:6]))}")
    return Log(
        printable(path.stem), "csv", unit, series, times, {names[t]: t for t in tags}, tuple(notes)
    )


def _rows(path: Path) -> tuple[list[list[str]], list[str]]:
    """The lines of a table, the first of names; a last one that is cut off is left out."""
    rows, lines = parse(read_text(path), path.name)
    notes = []
    if len(rows) > 2 and len(rows[-1]) < len(rows[0]):
        rows.pop()
        notes.append("the last line is cut off, and left out")
    for row, line in zip(rows, lines, strict=False):
        if len(row) != len(rows[0]):
            raise InputError("the row has another number of cells",
                             where=f"{path.name}, line {line}",
                             received=f"{len(row)} cells, not {len(rows[0])}",
                             do="correct the line")  # fmt: skip
    if len(rows) < 2 or len(set(rows[0])) < len(rows[0]):
        raise InputError(
            "not a log" if len(rows) < 2 else "two columns have the same name", where=path.name,
            received=f"{len(rows)} lines" if len(rows) < 2 else "",
            do="give a line of names, and a line for each step or epoch",
        )  # fmt: skip
    return rows, notes


def _own_names(heads: list[str]) -> tuple[list[str], set[str]]:
    """Names of columns without that of the run, which W&B writes before each; and its extremes."""
    extremes = {head for head in heads if head.endswith(EXTREMES)}
    values = [head for head in heads if " - " in head and head not in extremes]
    runs = {head[: head.rfind(" - ") + 3] for head in values}
    run = runs.pop() if len(runs) == 1 else ""
    short = [head.removeprefix(run) for head in heads]
    if len(set(short)) < len(short):
        return heads, extremes
    return short, {head.removeprefix(run) for head in extremes}


def _numbers(cells: Sequence[str]) -> np.ndarray | None:
    """A column as float64, NaN where a cell is empty; None if one is no number."""
    present = [cell.strip() for cell in cells]
    commas = any("," in cell for cell in present)  # 0,25: a comma cannot be the delimiter then
    try:
        return np.array(
            [
                math.nan if cell in ABSENT else float(cell.replace(",", ".") if commas else cell)
                for cell in present
            ],
            np.float64,
        )
    except ValueError:
        return None


def _steps(columns: Mapping[str, np.ndarray], rows: int) -> tuple[str | None, Unit, np.ndarray]:
    """The column that counts steps, or epochs; the number of the row where there is none."""
    units: tuple[tuple[Unit, tuple[str, ...]], ...] = (("step", STEPS), ("epoch", EPOCHS))
    for unit, names in units:
        for head, values in columns.items():
            whole = values[~np.isnan(values)]
            sound = len(whole) and (np.abs(whole) < 2**53).all() and (whole % 1 == 0).all()
            if head.lower() in names and sound:
                return head, unit, values
    return None, "row", np.arange(float(rows))
