"""Tables that verbs write for people and spreadsheets."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np

from chymist.data.numpy_files import PARTS
from chymist.engine.files import STANDARD_OUTPUT, is_stream, write_through
from chymist.engine.folder import FILES, RESULTS, Saved
from chymist.errors import InputError, UsageError, printable
from chymist.reports.sheets import Sheet
from chymist.reports.style import as_file
from chymist.values import Data


def write_predictions(
    path: Path, outputs: np.ndarray, classes: Sequence[str], names: Sequence[str],
    estimated: bool = True, words: Sequence[Sequence[str]] = (),
) -> None:  # fmt: skip
    """Write predictions of new rows as CSV: row, prediction, and a probability a class.

    Shares that no loss estimated stand under "score(...)" in place of "p(...)".

    Text that a spreadsheet would run as a formula (=cmd()) gets a leading apostrophe; numbers,
    and names of classes such as + and -, are written as they are.

    Args:
        path: the file.
        outputs: probabilities (n, classes), or values (n,) or (n, outputs); of every step
            probabilities (n, steps, classes), whose rows are called 1.1, 1.2, ...
        classes: class names; empty for values.
        names: what to call the rows.
        estimated: whether the shares of classes are probabilities.
        words: of sentences whose words get tags: they stand beside, and nothing is written of what
            fills a sentence up.

    Raises:
        InputError: the file cannot be written.
    """
    rows: list[list[object]] = []
    if words:
        rows.append(["row", "word", "prediction", *shares_of(classes, estimated)])
        for name, sentence, lines in zip(names, words, outputs, strict=True):
            for step, (word, line) in enumerate(zip(sentence, lines, strict=False)):
                made = [classes[int(line.argmax())], *(f"{p:.6g}" for p in line)]
                rows.append([f"{name}.{step + 1}", word, *made])
    elif classes:
        if outputs.ndim == 3:  # of every step
            names = [f"{name}.{step + 1}" for name in names for step in range(outputs.shape[1])]
            outputs = outputs.reshape(-1, outputs.shape[2])
        rows.append(["row", "prediction", *shares_of(classes, estimated)])
        for name, line in zip(names, outputs, strict=True):
            rows.append([name, classes[int(line.argmax())], *(f"{p:.6g}" for p in line)])
    else:
        values = outputs.reshape(len(names), -1)
        heads = (
            ["prediction"]
            if values.shape[1] == 1
            else [f"prediction {i + 1}" for i in range(values.shape[1])]
        )
        rows.append(["row", *heads])
        rows += [
            [name, *map(repr, map(float, line))] for name, line in zip(names, values, strict=True)
        ]
    write_table(path, rows)


def write_arrays(path: Path, data: Data) -> None:
    """Write rows as an NPZ file that `load` reads as the same data: inputs, targets, parts.

    Args:
        path: the file.
        data: of arrays or images.

    Raises:
        OSError: the file cannot be written.
    """
    targets = np.array(data.classes)[data.targets] if data.classes else data.targets
    part = np.full(len(data), PARTS[0])
    for name, rows in zip(PARTS[1:], (data.valid_rows, data.test_rows), strict=True):
        part[rows if rows is not None else []] = name
    stream = io.BytesIO()
    np.savez(stream, x=np.asarray(data.inputs), y=targets, part=part)
    write_through(path, stream.getvalue())


def place_of_predictions(out: str | None, rows: str | None, saved: Saved) -> Path:
    """Where predictions go: never over the rows, the data or the run itself.

    Args:
        out: what the user says, "-" is standard output; None is the first free one of
            predictions.csv, predictions-2.csv, predictions-3.csv, ... in the working folder.
        rows: path of the new rows; None if there is none.
        saved: the run that predicts.

    Returns:
        A path that may be written: free, a file that the user wants replaced, or a stream.

    Raises:
        InputError: something that is not to be changed is there.
    """
    if out is None:
        names = (f"predictions{f'-{n}' if n > 1 else ''}.csv" for n in count(1))
        return next(path for path in map(Path, names) if not os.path.lexists(path))
    path = STANDARD_OUTPUT if out == "-" else Path(out)
    if is_stream(path):
        return path
    kept = [saved.path / name for name in FILES + RESULTS if (saved.path / name).exists()]
    _refuse(out, [*_given(rows, saved.source), *kept, saved.path / "checkpoints"], "predictions")
    return path


def save_drawing(drawing: object, path: str | Path) -> Path:
    """Write a drawing as an SVG file; returns its path.

    Args:
        drawing: an SVG element.
        path: of the file.

    Raises:
        InputError, UsageError: as in `place_of_drawing`.
    """
    place = place_of_drawing(str(path))
    write_through(place, as_file(drawing).encode())
    return place


def save_picture(sheet: Sheet, path: str | Path) -> Path:
    """Write a sheet as SVG or PNG, by the end of the name; returns its path.

    Args:
        sheet: what is drawn.
        path: of the file.

    Raises:
        InputError, UsageError: as in `place_of_picture`.
    """
    place = place_of_picture(str(path))
    png = place.suffix.lower() == ".png"
    write_through(place, sheet.png() if png else as_file(sheet.svg()).encode())
    return place


def place_of_drawing(out: str) -> Path:
    """Where a picture goes, known before any work is done.

    Args:
        out: what the user says.

    Raises:
        InputError, UsageError: as in `place_of_file`.
    """
    return place_of_file(out, suffix=".svg")


def place_of_picture(out: str, rows: str = "") -> Path:
    """Where a picture goes that may be SVG or PNG, known before any work is done.

    Args:
        out: what the user says.
        rows: path of new rows, which stay as they are.

    Raises:
        InputError, UsageError: as in `place_of_file`.
    """
    if Path(out).suffix.lower() not in (".svg", ".png"):
        raise UsageError("a picture ends in .svg or .png", where="--out", received=f"'{out}'",
                         do="give such a name: seen.svg")  # fmt: skip
    return place_of_file(out, rows=rows)


def place_of_file(
    out: str, data: Data | None = None, rows: str = "", option: str = "--out", suffix: str = ""
) -> Path:
    """Where a single file goes: never over the data or the rows; known before any work is done.

    Args:
        out: what the user says.
        data: what the file is made from.
        rows: path of new rows, or of a run.
        option: of the command line, for the errors.
        suffix: what the name must end in; "" is anything.

    Raises:
        UsageError: the name is that of a file of another kind.
        InputError: something that is not to be changed is there, or nothing can be written there.
    """
    path = Path(out)
    if is_stream(path):
        return path
    _refuse(out, _given(rows, data.source if data else {}), "the file", option)
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InputError("the folder of the file does not exist", where=out,
                         do=f"make the folder, or choose another {option}")  # fmt: skip
    if not os.access(folder, os.W_OK):
        raise InputError("the file cannot be written", where=out,
                         received="no permission to write there",
                         do=f"choose another {option}")  # fmt: skip
    if suffix and path.suffix.lower() != suffix:
        raise UsageError(f"a file of this kind ends in {suffix}", where=option,
                         received=f"'{out}'", do=f"give a name that ends in {suffix}")  # fmt: skip
    return path


def _given(rows: str | None, source: Mapping[str, Any]) -> list[Path]:
    """Files and folders that data and new rows come from."""
    names = (rows, *(source.get(name) for name in ("load", "test", "target", "graph")))
    return [Path(str(place)) for place in names if place and Path(str(place)).exists()]


def _refuse(out: str, kept: Sequence[Path], what: str, option: str = "--out") -> None:
    """Refuse a folder, and a place of or in what a file is made from."""
    path = Path(out)
    if path.is_dir():
        raise InputError(
            "a folder is in the way", where=out, do=f"give {option} the name of a file"
        )
    place = path.resolve()
    for source in kept:
        same = path.exists() and source.is_file() and source.samefile(path)
        if same or source.resolve() in place.parents:
            raise InputError(
                f"{what} would change what {'they were' if what.endswith('s') else 'it is'} made "
                "from",
                where=out,
                received=f"a place {'of' if same else 'in'} {source.name}",
                do=f"choose another {option}",
            )


def shares_of(classes: Sequence[str], estimated: bool) -> list[str]:
    """Heads of columns for the shares of classes."""
    return [f"{'p' if estimated else 'score'}({name})" for name in classes]


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write rows of cells as CSV; text that a spreadsheet would run is made inert.

    Args:
        path: the file.
        rows: the heads, then the rows.

    Raises:
        InputError: the folder of the file does not exist.
    """
    stream = io.StringIO()
    csv.writer(stream).writerows([[_inert(cell) for cell in row] for row in rows])
    try:
        write_through(path, stream.getvalue().encode())
    except (FileNotFoundError, NotADirectoryError) as error:
        file = isinstance(error, NotADirectoryError)
        raise InputError(
            "a file is in the way" if file else "the folder of the file does not exist",
            where=str(path),
            do="make the folder, or choose another --out",
        ) from None


def _inert(cell: object) -> object:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe.

    That is text that begins with = + - @, a tab or a carriage return, unless it is a number, a
    single character, or made of + and - only: such names of classes stay as they are. Control
    characters, which a terminal would obey, are escaped.
    """
    if not isinstance(cell, str):
        return cell
    cell = "".join(c if c in "\t\r\n" or category(c) != "Cc" else printable(c) for c in cell)
    if cell[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return cell
    if len(cell) == 1 or set(cell) <= set("+-"):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell
