"""Parquet files as tables: the same cells as in a text file, hence the same meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chymist.data.archives import MAX_RATIO, SMALL
from chymist.data.cells import short
from chymist.data.frames import as_texts
from chymist.data.tables import MAX_BYTES, Cells, column_names
from chymist.errors import InputError

SUFFIXES = (".parquet", ".pq")
MAX_CELLS = 2**28
MAX_COLUMNS = 100_000
MANY_SIGNS = 2**26  # of texts that stand once in the file and in many rows
BATCH = 2**16  # rows that are unpacked at a time
INDEX = re.compile(r"__index_level_\d+__")  # the row numbers of pandas


def is_parquet(path: str | Path) -> bool:
    """Whether a file is named as a Parquet file.

    Example:
        >>> is_parquet("data.parquet"), is_parquet("data.csv")
        (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


def parquet_cells(path: Path) -> tuple[Cells, dict[str, str]]:
    """The cells of a Parquet file as a text file would hold them.

    Args:
        path: of the file.

    Returns:
        The cells, and the kinds of the columns that are declared as categories.

    Raises:
        InputError: pyarrow is not installed; the file is damaged, too big, or holds columns of
            lists or records.

    Example:
        >>> import tempfile
        >>> import pyarrow, pyarrow.parquet
        >>> path = Path(tempfile.mkdtemp()) / "t.parquet"
        >>> pyarrow.parquet.write_table(pyarrow.table({"a": [1, None]}), path)
        >>> parquet_cells(path)[0].columns
        (['1', None],)
    """
    label = path.name
    if not path.is_file():
        raise InputError("not a file", where=label, do="give one Parquet file")
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(
            "Parquet files need the package pyarrow",
            where=label,
            do="pip install 'chymist[frames]', or give a CSV file",
        ) from None
    safe = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 2**20}
    try:
        with ParquetFile(path, **safe) as file:
            fields = list(file.schema_arrow)
            _check_size(file.metadata, path)
            _check_fields(fields, label)
        words = [field.name for field in fields if _is_text(pa.types, field.type)]
        with ParquetFile(
            path, **safe, read_dictionary=words, page_checksum_verification=True
        ) as file:
            return _cells(file, fields, path)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, UnicodeError,
            RecursionError) as error:  # fmt: skip
        said = " ".join(str(error).split())
        raise InputError(
            "the Parquet file cannot be read",
            where=label,
            received="".join(c if c.isprintable() else "?" for c in said)[:60],
            do="write or fetch it again",
        ) from None


def _cells(file: Any, fields: list[Any], path: Path) -> tuple[Cells, dict[str, str]]:
    """Batch by batch, so that no column is held twice."""
    label, signs, held = path.name, 0, path.stat().st_size
    index = _index_of(file.schema_arrow)
    kept = [n for n, field in enumerate(fields) if field.name not in index]
    names = column_names([fields[n].name for n in kept], label)
    columns: tuple[list[str | None], ...] = tuple([] for _ in kept)
    where = [f"{label}, column {short(name)}" for name in names]
    for batch in file.iter_batches(BATCH, use_threads=False):
        batch.validate(full=True)
        for n, cells, place in zip(kept, columns, where, strict=True):
            part = _texts(batch.column(n), place)
            signs += sum(len(cell) for cell in part if cell)
            if signs > min(MAX_BYTES, max(MANY_SIGNS, MAX_RATIO * held)):
                raise _too_much("texts", f"more than {signs:,} letters", path)
            cells.extend(part)
    rows = list(range(1, len(columns[0]) + 1)) if columns else []
    if columns and len(rows) != file.metadata.num_rows:
        raise ValueError(f"{len(rows)} rows of {file.metadata.num_rows}")
    kinds = {
        name: "category"
        for n, name in zip(kept, names, strict=True)
        if hasattr(fields[n].type, "index_type")
    }
    return Cells(names, columns, ((label, rows),), True, "row"), kinds


def _index_of(schema: Any) -> set[str]:
    """Names of the columns that hold the index of a frame of pandas; it is left aside."""
    about = schema.pandas_metadata
    named = about.get("index_columns") if isinstance(about, dict) else None
    found = {name for name in named if isinstance(name, str)} if isinstance(named, list) else set()
    return found | {name for name in schema.names if INDEX.fullmatch(name)}


def _texts(column: Any, where: str) -> list[str | None]:
    """The cells of a part of a column; different texts are unpacked once."""
    if hasattr(column, "dictionary"):
        words = _texts(column.dictionary, where)
        return [None if index is None else words[index] for index in column.indices.to_pylist()]
    return as_texts(_in_microseconds(column).to_pylist(), where)


def _in_microseconds(column: Any) -> Any:
    """Moments and spans as exact as Python knows them; what does not fit is an error."""
    import pyarrow as pa
    from pyarrow.compute import CastOptions

    kind: Any = None
    if pa.types.is_timestamp(column.type):
        kind = pa.timestamp("us", "UTC" if column.type.tz else None)
    elif pa.types.is_duration(column.type):
        kind = pa.duration("us")
    elif pa.types.is_time64(column.type):
        kind = pa.time64("us")
    if kind is None:
        return column
    return column.cast(options=CastOptions(kind, allow_time_truncate=True))


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_binary(kind))


def _check_size(about: Any, path: Path) -> None:
    """Refuse what would unpack to too much, by what the file says of itself."""
    held = path.stat().st_size
    cells = about.num_rows * about.num_columns
    parts = (about.row_group(n) for n in range(about.num_row_groups))
    size = sum(part.total_byte_size for part in parts)
    most = max(SMALL, MAX_RATIO * held)
    if about.num_columns > MAX_COLUMNS or cells > min(MAX_CELLS, most):
        what, received = "cells", f"{about.num_rows:,} rows, {about.num_columns:,} columns"
    elif size > min(MAX_BYTES, most):
        what, received = "bytes", f"{size:,}"
    else:
        return
    raise _too_much(what, received, path)


def _too_much(what: str, received: str, path: Path) -> InputError:
    return InputError(
        f"the Parquet file unpacks to too many {what}",
        where=path.name,
        received=f"{received} in a file of {path.stat().st_size:,} bytes",
        do="write fewer rows or columns into it",
    )


def _check_fields(fields: list[Any], label: str) -> None:
    """Refuse columns of lists, records and other types that have no cells."""
    import pyarrow as pa

    plain = (
        pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal,
        pa.types.is_temporal, pa.types.is_string, pa.types.is_large_string, pa.types.is_binary,
        pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_null,
    )  # fmt: skip
    for field in fields:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if not any(test(kind) for test in plain) or pa.types.is_interval(kind):
            raise InputError(
                "the column holds lists, records or a type without cells",
                where=f"{label}, column {short(field.name)}",
                received=str(kind)[:40],
                do="leave it out, or make columns of its parts",
            )
