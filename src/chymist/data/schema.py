"""What new rows must look like, so that a stored model can predict them without its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chymist.data.arrays import as_images, check_finite, is_mapping, is_tensor, to_array
from chymist.data.blocks import as_type
from chymist.data.cells import short, to_date, to_text
from chymist.data.frames import frame_cells, is_frame, refuse_series
from chymist.data.images import image_of, image_rows
from chymist.data.kinds import read_column
from chymist.data.load import existing
from chymist.data.named import named_sets
from chymist.data.new_steps import AXES, stepwise_rows
from chymist.data.numpy_files import is_numpy_file, numpy_rows
from chymist.data.parquet import is_parquet, parquet_cells
from chymist.data.tables import Cells, has_header, read_rows, to_cells
from chymist.data.tabular import as_column
from chymist.errors import InputError, nearest
from chymist.values import Column, Data, DataKind, Table, Task


@dataclass(frozen=True)
class Schema:
    """What the rows of some data look like.

    Args:
        name, kind, task, target, classes, columns, fingerprint: as in `Data`.
        shape: (height, width, channels) of an image, (steps, ...) of sequences and tokens; empty
            otherwise.
        levels: largest value that a pixel can have.
        position: place of the target in a file without header, from 0; None if it is not known.
    """

    name: str
    kind: DataKind
    task: Task
    target: str
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    fingerprint: str = ""
    shape: tuple[int, ...] = ()
    levels: float = 255.0
    position: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Schema:
        """A schema from its plain values.

        Raises:
            InputError: it is not one.
        """
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise InputError(
                "the stored schema cannot be read",
                received=str(error)[:90],
                do="the run folder is damaged: run again",
            ) from None


def schema_of(data: Data) -> Schema:
    """The schema of some data.

    Example:
        >>> import chymist as cy
        >>> schema_of(cy.load("digits")).shape
        (8, 8, 1)
    """
    shape: tuple[int, ...] = ()
    levels, position = 255.0, None
    if isinstance(data.inputs, np.ndarray) and data.kind == "image":
        shape = tuple(data.inputs.shape[1:])
        # Image files have 256 levels; arrays may have fewer, such as the 17 of digits.
        place = data.source.get("load", "digits")
        files = place not in named_sets() and not is_numpy_file(place)
        most = 255.0 if files else float(data.inputs.max())
        fewer = most <= (127 if data.inputs.dtype == np.uint8 else 1)
        levels = max(most, 1.0) if fewer else 255.0
    if isinstance(data.inputs, np.ndarray) and data.kind in ("sequence", "tokens"):
        shape = tuple(data.inputs.shape[1:])
    number = data.target.removeprefix("column_")
    if data.target.startswith("column_") and number.isdecimal():
        position = int(number) - 1
    elif data.source.get("load") in named_sets():
        position = len(data.columns)
    return Schema(
        data.name,
        data.kind,
        data.task,
        data.target,
        data.classes,
        data.columns,
        data.fingerprint,
        shape,
        levels,
        position,
    )


def read_inputs(rows_source: Any, like: Schema) -> tuple[Table | np.ndarray, list[str]]:
    """Raw inputs of new rows.

    A file with header is matched by name, whatever the order; its target and other columns are
    left aside. A file without header is matched by position. Images are cut and resized to the
    size of the training images.

    Args:
        rows_source: path of a table, an NPY or NPZ file, an image, a folder or zip of images; an
            array or tensor; a frame, or columns by name; the bytes of an image file.
        like: what the rows must look like.

    Returns:
        Raw inputs as in `Data.inputs`, and one name per row: its number from 1, or its file.

    Raises:
        InputError: a column is missing, a cell does not fit its kind, a shape differs.

    Example:
        >>> import chymist as cy
        >>> schema = schema_of(cy.load(({"a": [1.0, 2.0, 3.0]}, ["n", "y", "n"])))
        >>> read_inputs({"a": [4.0], "b": ["x"]}, schema)
        ({'a': array([4.])}, ['1'])
    """
    if like.kind in AXES:
        known = tuple(column.name for column in like.columns)
        raw = stepwise_rows(rows_source, like.kind, known, next(iter(like.shape), 0))
        return raw, _numbered(len(raw))
    if like.kind == "image" and isinstance(rows_source, bytes):
        images = image_of(rows_source, "the image", like.shape)
        return _levelled(images, like.levels), _numbered(1)
    refuse_series(rows_source)
    if isinstance(rows_source, str | Path):
        path = existing(rows_source)
        if is_numpy_file(path):
            return read_inputs(numpy_rows(path), like)
        if like.kind == "image":
            images, names = image_rows(path, like.shape)
            return _levelled(images, like.levels), names
        if path.is_dir():
            raise InputError(
                "the model takes a table",
                where=path.name,
                received="a folder",
                do="give a CSV file",
            )
        table = _by_name(_matched(path, like), like)
        return _as_array(table, like), _numbered(len(next(iter(table.values()))))
    if is_frame(rows_source):
        table = _by_name(_of_frame(rows_source), like)
        return _as_array(table, like), _numbered(len(rows_source))
    if is_mapping(rows_source):
        found = _by_name({str(k): as_column(str(k), v) for k, v in rows_source.items()}, like)
        return _as_array(found, like), _numbered(len(next(iter(found.values()))))
    return _from_array(rows_source, like)


def left_aside(rows_source: Any, like: Schema) -> list[str]:
    """Columns of new rows that the run does not know; they have no influence.

    Args:
        rows_source: as for `read_inputs`.
        like: what the rows must look like.

    Returns:
        Their names; empty for images and arrays.

    Example:
        >>> import chymist as cy
        >>> schema = schema_of(cy.load(({"a": [1.0, 2.0, 3.0]}, ["n", "y", "n"])))
        >>> left_aside({"a": [4.0], "b": ["x"]}, schema)
        ['b']
    """
    if like.kind == "image" or like.kind in AXES:
        return []
    if isinstance(rows_source, str | Path):
        path = existing(rows_source)
        if is_numpy_file(path):
            return left_aside(numpy_rows(path), like)
        given = list(_matched(path, like))
    elif is_frame(rows_source):
        given = [str(name) for name in rows_source.columns]
    else:
        given = [str(name) for name in rows_source] if is_mapping(rows_source) else []
    known = {like.target, *(column.name for column in like.columns)}
    return [name for name in given if name not in known]


def _from_array(rows_source: Any, like: Schema) -> tuple[Table | np.ndarray, list[str]]:
    array = to_array(rows_source)
    wanted: tuple[int, ...] = (len(like.columns),)
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise InputError(
            "new rows need numbers and at least 2 axes",
            where="new rows",
            received=f"shape {array.shape}, dtype {array.dtype}",
            do="give (rows, ...), or columns by name",
        )
    allowed = "median" if any(column.missing for column in like.columns) else None
    check_finite(array, allowed, "new rows") if len(array) else None
    if like.kind == "image":
        wanted = like.shape
        if array.ndim == 2 and array.shape[1] == int(np.prod(wanted)):
            array = array.reshape(-1, *wanted)
        array = array if array.ndim == 4 else array[..., None]
        if array.shape[1:] != wanted:
            array, _ = as_images(array, is_tensor(rows_source)) if array.ndim == 4 else (array, ())
    if array.shape[1:] != wanted:
        raise InputError(
            "inputs have another shape than the training rows",
            where="new rows",
            received=f"shape {array.shape}",
            do=f"give (rows, {str(wanted)[1:-1].rstrip(',')})",
        )
    names = _numbered(len(array))
    if like.kind == "table":
        given = {column.name: array[:, n] for n, column in enumerate(like.columns)}
        return _by_name(given, like), names
    whole = like.kind == "array" and array.dtype.kind != "f"
    return (as_type(array, np.dtype(np.float64), "new rows") if whole else array), names


def _matched(path: Path, like: Schema) -> dict[str, Any]:
    """The columns of a file by name, as cells with their places."""
    if is_parquet(path):
        found = parquet_cells(path)[0]
        return {name: (found, n) for n, name in enumerate(found.names)}
    rows, lines = read_rows(path)
    first = {cell.strip() for cell in rows[0]}
    needed = [column.name for column in like.columns]
    known = sum(name in first for name in (*needed, like.target))
    header = known > len(needed) / 2 or has_header(rows)
    cells = to_cells(rows, lines, path.name, header)
    if header:
        return {name: (cells, n) for n, name in enumerate(cells.names)}
    names = list(needed)
    if len(cells.names) == len(needed) + 1 and like.position is not None:
        names.insert(like.position, like.target)
    if len(cells.names) != len(names):
        raise InputError(
            "columns cannot be matched by position",
            where=path.name,
            received=f"{len(cells.names)} columns without header, not {len(needed)}",
            do="add a header line with the names of the columns",
        )
    return {name: (cells, n) for n, name in enumerate(names)}


def _of_frame(frame: Any) -> dict[str, Any]:
    """The columns of a frame by name, as cells with their places."""
    cells = frame_cells(frame, "new rows")[0]
    return {name: (cells, n) for n, name in enumerate(cells.names)}


def _by_name(given: Mapping[str, Any], like: Schema) -> dict[str, np.ndarray]:
    """The columns that the model needs, each in its kind."""
    found = {}
    for column in like.columns:
        if column.name not in given:
            if not column.used:
                continue
            raise InputError(
                f"the column {short(column.name)} is missing",
                where="new rows",
                received=f"{len(given)} columns",
                do=nearest(column.name, given)[:80],
            )
        found[column.name] = _cells_as(given[column.name], column)
    lengths = {len(cells) for cells in found.values()}
    if len(lengths) != 1:
        raise InputError(
            "columns differ in length",
            where="new rows",
            received=f"{min(lengths, default=0)} to {max(lengths, default=0)} cells",
            do="give one cell per row and column",
        )
    return found


def _cells_as(given: Any, column: Column) -> np.ndarray:
    """New cells of a column, read as its kind."""
    if isinstance(given, np.ndarray):
        if column.kind == "number" and given.dtype.kind in "biuf":
            return given.astype(np.float64)
        texts = [to_text(cell) for cell in given.tolist()]

        def place(row: int) -> str:
            return f"row {row + 1}"
    else:
        cells, number = given
        assert isinstance(cells, Cells)
        texts, place = cells.columns[number], cells.place
    if all(text is None for text in texts):
        return np.full(len(texts), np.nan) if column.kind == "number" else np.array(texts, object)
    if column.kind == "date":
        return _dates(texts, column, place)
    return read_column(column.name, texts, place, column.kind)[1]


def _dates(texts: list[str | None], column: Column, place: Callable[[int], str]) -> np.ndarray:
    """Dates written as in the training rows, or as YYYY-MM-DD, as ISO texts."""
    made = np.empty(len(texts), object)
    for row, text in enumerate(texts):
        made[row] = text and (to_date(text, column.note) or to_date(text, ""))
        if text and made[row] is None:
            raise InputError(
                "the cell is not a date",
                received=short(text),
                where=f"{place(row)}, column {short(column.name)}",
                do="write YYYY-MM-DD",
            )
    return made


def _levelled(images: np.ndarray, levels: float) -> np.ndarray:
    """Pixels from 0 to 255 on the scale of the training images."""
    if levels == 255.0:
        return images
    return (images.astype(np.float64) * levels / 255.0).astype(np.float32)


def _as_array(table: dict[str, np.ndarray], like: Schema) -> Table | np.ndarray:
    """Columns as they are, or side by side where the model was trained on an array."""
    if like.kind == "table":
        return table
    return np.column_stack([table[column.name] for column in like.columns])


def _numbered(rows: int) -> list[str]:
    return [str(row + 1) for row in range(rows)]
