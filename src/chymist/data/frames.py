"""Frames of pandas and polars as tables: the same cells as in a file, hence the same meaning.

Neither library is imported here: whoever passes a frame has imported it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from chymist.data.arrays import to_array
from chymist.data.cells import clean, short, to_text
from chymist.data.kinds import read_column
from chymist.data.tables import Cells, column_names
from chymist.data.tabular import (
    Wanted,
    array_targets,
    assembled,
    check_apart,
    chosen_target,
    table_data,
)
from chymist.data.targets import Targets, read_targets
from chymist.errors import InputError
from chymist.values import Data

LIBRARIES = ("pandas", "polars")
MAX_BITS = 1024  # of a whole number that is still finite as a float


def is_frame(value: Any, form: str = "Frame") -> bool:
    """Whether it is a frame (or, with form "Series", a column) of pandas or polars.

    Example:
        >>> is_frame({"a": [1]})
        False
    """
    return any(
        cls.__name__ in (f"Data{form}", f"Lazy{form}", form)
        and cls.__module__.partition(".")[0] in LIBRARIES
        for cls in type(value).__mro__
    )


def refuse_series(value: Any) -> None:
    """Refuse a single column of pandas or polars where rows are wanted.

    Raises:
        InputError: it is one.

    Example:
        >>> refuse_series({"a": [1]})
    """
    if is_frame(value, "Series"):
        raise InputError(
            "a series is a single column or row",
            where="source",
            received=type(value).__name__,
            do="give a frame, for example frame[[NAME]]",
        )


def frame_cells(frame: Any, label: str = "frame") -> tuple[Cells, dict[str, str]]:
    """The cells of a frame as a file would hold them; its index is left aside.

    Args:
        frame: of pandas or polars.
        label: its name, for messages.

    Returns:
        The cells, and the kinds of the columns that are declared as categories.

    Raises:
        InputError: names that come twice, or a cell that is no number, text or date.

    Example:
        >>> import pandas as pd
        >>> frame_cells(pd.DataFrame({"a": [1.5, None]}))[0].columns
        (['1.5', None],)
    """
    found = list(_columns(frame))
    names = column_names([str(name) for name, _, _ in found], label)
    cells = tuple(
        as_texts(values, f"{label}, column {short(name)}")
        for name, (_, values, _) in zip(names, found, strict=True)
    )
    kinds = {
        name: "category" for name, (_, _, declared) in zip(names, found, strict=True) if declared
    }
    rows = list(range(1, len(frame) + 1))
    return Cells(names, cells, ((label, rows),), True, "row"), kinds


def frame_data(frame: Any, targets: Any, wanted: Wanted) -> Data:
    """Data from a frame.

    Args:
        frame: of pandas or polars.
        targets: a column or array (rows,), or values (rows, outputs); None takes a column of the
            frame, as `wanted` says. Rows are paired by their order.
        wanted: what the user says about it.

    Raises:
        InputError: as with a file of the same cells.

    Example:
        >>> import pandas as pd
        >>> frame_data(pd.DataFrame({"a": [1, 2, 3]}), ["n", "y", "n"], Wanted()).classes
        ('n', 'y')
    """
    cells, kinds = frame_cells(frame)
    if targets is None:
        target = chosen_target(wanted.target, list(frame.columns))
        known = {**kinds, **(wanted.columns or {})}
        return table_data(cells, replace(wanted, target=target, columns=known), {})
    name, found = _targets(targets, wanted.task)
    if len(found.values) != len(cells):
        raise InputError(
            "columns and targets differ in length",
            where="targets",
            received=f"{len(cells)} rows, {len(found.values)} targets",
            do="give one target per row",
        )
    for each in [name, *map(str, targets.columns)] if is_frame(targets) else [name]:
        check_apart(each, cells.names)
    kinds.update(wanted.columns or {})
    read = [
        read_column(column, cells.columns[n], cells.place, kinds.get(column), n == 0)
        for n, column in enumerate(cells.names)
    ]
    return assembled(read, found, name, wanted, {}, _paired(frame, targets))


def as_texts(values: Sequence[Any], where: str) -> list[str | None]:
    """Values of any plain type as the texts that a file would hold.

    Raises:
        InputError: a value is no number, text or date.

    Example:
        >>> as_texts([True, 2.0, date(2020, 2, 1), timedelta(minutes=1), None, " a"], "t")
        ['True', '2', '2020-02-01', '60', None, 'a']
    """
    return [None if value is None else _text(value, where) for value in values]


def _columns(frame: Any) -> Iterator[tuple[Any, list[Any], bool]]:
    """Name, values and whether it is declared as a category, for each column of a frame."""
    if type(frame).__name__ == "LazyFrame":
        raise InputError("the frame is lazy", where="source", do="give frame.collect()")
    if hasattr(frame, "iloc"):
        for number, name in enumerate(frame.columns):
            column = frame.iloc[:, number]
            yield name, _values(column), str(column.dtype) == "category"
    else:
        for column in frame.get_columns():
            declared = str(column.dtype).startswith(("Categorical", "Enum"))
            yield column.name, column.to_list(), declared


def _values(column: Any) -> list[Any]:
    """The values of a column, None where one is missing."""
    if not hasattr(column, "isna"):
        values: list[Any] = column.to_list()
        return values
    pairs = zip(column.astype(object).tolist(), column.isna().tolist(), strict=True)
    return [None if missing else value for value, missing in pairs]


def _targets(targets: Any, task: str | None) -> tuple[str, Targets]:
    """Name and values of targets that are given beside a frame."""
    if is_frame(targets, "Series"):
        name = "target" if targets.name in (None, "") else str(targets.name)
        if str(targets.dtype).startswith(("category", "Categorical", "Enum")):
            task = task or "classification"
        return name, read_targets(name, as_texts(_values(targets), name), _row, task)
    labels = targets.to_numpy() if is_frame(targets) else to_array(targets)
    name = "target"
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
        name = str(next(iter(targets.columns))) if is_frame(targets) else name
    return name, array_targets(name, labels, task)


def _paired(frame: Any, targets: Any) -> list[str]:
    """A note where frame and column have different indexes."""
    first, second = getattr(frame, "index", None), getattr(targets, "index", None)
    if first is None or not hasattr(second, "equals") or first.equals(second):
        return []
    return ["inputs and targets have different indexes: rows are paired by their order"]


def _row(row: int) -> str:
    return f"row {row + 1}"


def _text(value: Any, where: str) -> str | None:
    if isinstance(value, str | bytes):
        try:
            text = value if isinstance(value, str) else value.decode("utf-8")
            text.encode("utf-8")
        except UnicodeError:
            raise _unread(value, "text that is not UTF-8", where) from None
        return clean(text)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return "inf"  # refused with the place of the cell
    if isinstance(value, bool | int | float | np.number | np.bool_) and not np.iscomplexobj(value):
        return to_text(value)
    if isinstance(value, datetime):
        return datetime.isoformat(value, " ")  # without the nanoseconds of pandas
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return to_text(value.total_seconds())
    plain = isinstance(value, Decimal | UUID) or type(value).__module__.startswith("pandas.")
    if not plain or hasattr(value, "__len__"):
        raise _unread(value, type(value).__name__, where)
    return clean(str(value))


def _unread(value: Any, received: str, where: str) -> InputError:
    return InputError(
        "the column holds neither numbers nor texts nor dates",
        where=where,
        received=f"{received}: {short(ascii(value)[:60], 30)}",
        do="leave it out, or make columns of its parts",
    )
