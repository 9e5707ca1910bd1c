"""New rows of several steps, as a stored model takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.arrays import check_finite, to_array
from chymist.data.frames import frame_cells, is_frame
from chymist.data.load import existing
from chymist.data.numpy_files import is_numpy_file, numpy_rows
from chymist.data.parquet import is_parquet, parquet_cells
from chymist.data.series import latest_window
from chymist.data.step_sets import decoded
from chymist.data.tables import Cells, read_bytes, read_table
from chymist.data.text_files import new_texts
from chymist.errors import InputError

AXES = {"text": 1, "sequence": 3, "tokens": 2, "graph": 2}


def stepwise_rows(rows_source: Any, kind: str, columns: tuple[str, ...], steps: int) -> Any:
    """Raw inputs of new rows of several steps.

    Args:
        rows_source: texts, or a file with one text a line (.txt) or a column of texts; for a
            series a table whose last lines go in; an array, or an NPY file, of the shape of the
            training rows.
        kind: of the data of the run.
        columns: names of the columns of the training rows.
        steps: steps of a row, for a series.

    Returns:
        As `Data.inputs` of that kind.

    Raises:
        InputError: a column is missing, or a shape does not fit.
    """
    cells: Cells | None = None
    if isinstance(rows_source, str | Path):
        path = existing(rows_source)
        if is_numpy_file(path):
            rows_source = numpy_rows(path)
        elif kind == "text" and path.name.removesuffix(".gz").endswith(".txt"):
            rows_source = decoded(read_bytes(path), path.name).splitlines()
        elif path.is_dir() or not columns:
            raise InputError("the run takes no such file", where=path.name,
                             do="give an NPY file of the shape of the training rows")  # fmt: skip
        else:
            cells = parquet_cells(path)[0] if is_parquet(path) else read_table(path, None)
    elif is_frame(rows_source):
        cells = frame_cells(rows_source, "new rows")[0]
    if cells is not None:
        return new_texts(cells, columns[0]) if kind == "text" else (
            latest_window(cells, columns, steps))  # fmt: skip
    if kind == "text":
        return _texts(rows_source, columns)
    array = to_array(rows_source)
    check_finite(array, None, "new rows") if len(array) else None
    if array.ndim < AXES[kind]:
        raise InputError(f"new rows of kind '{kind}' have {AXES[kind]} axes", where="new rows",
                         received=f"shape {array.shape}")  # fmt: skip
    as_it_is = kind != "sequence" or array.dtype.kind in "biuf"
    return array if as_it_is else array.astype(np.float64)


def new_lines(rows_source: Any) -> list[str] | None:
    """Lines of a text file (.txt), or of a list of sentences; None for anything else.

    Args:
        rows_source: what is to be predicted.

    Raises:
        InputError: the file does not exist, or is no UTF-8.

    Example:
        >>> new_lines(["He ran", "Yes"]), new_lines(np.zeros((1, 2)))
        (['He ran', 'Yes'], None)
    """
    if isinstance(rows_source, str | Path):
        path = existing(rows_source)
        if not path.name.removesuffix(".gz").endswith(".txt"):
            return None
        return decoded(read_bytes(path), path.name).splitlines()
    given = isinstance(rows_source, list | tuple) and len(rows_source) > 0
    return list(rows_source) if given and all(isinstance(r, str) for r in rows_source) else None


def _texts(rows_source: Any, columns: tuple[str, ...]) -> np.ndarray:
    """Texts from a list, an array, or a mapping with their column."""
    if isinstance(rows_source, Mapping):
        name = next(iter(columns), "")
        if name not in rows_source and len(rows_source) != 1:
            raise InputError(f"the column '{name}' is missing", where="new rows")
        rows_source = rows_source.get(name, next(iter(rows_source.values())))
    texts = list(rows_source)
    made = np.empty(len(texts), object)
    made[:] = [text if text is None or isinstance(text, str) else str(text) for text in texts]
    return made
