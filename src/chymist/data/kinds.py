"""What a column is: number, category, date, text or identifier."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import numpy as np

from chymist.data.cells import (
    DAY_FIRST,
    MONTH_FIRST,
    date_order,
    is_number,
    short,
    to_date,
    to_numbers,
    to_text,
)
from chymist.errors import InputError, UsageError, nearest
from chymist.values import Column, Kind

KINDS: tuple[str, ...] = get_args(Kind)
ID_NAME = re.compile(
    r"(id|no|nr|index|idx|key|uuid|row|row ?names?|unnamed.*|.*([_\s-]id|[a-z]I[dD]))",
)
MAX_CATEGORIES = 1000
WHOLE = re.compile(r"(?<!.)(-?\d+)\.0+(?!.)")
ID_LENGTH = 40  # characters of the longest identifier
TEXT_WORDS = 3  # average words above which different texts are prose

Place = Callable[[int], str]
Seen = dict[str, None]  # different texts in the order in which they come


def read_column(
    name: str, cells: list[str | None], place: Place, kind: str | None = None, first: bool = False
) -> tuple[Column, np.ndarray]:
    """Infer or obey the kind of a column and convert its cells.

    A column is a number if all its cells are, a date if all are dates of one form, an identifier
    if its name or its first place and its values say so, text if most of its cells differ, and a
    category otherwise.

    Args:
        name: name of the column.
        cells: its texts; None is missing.
        place: row number -> file and line, for messages.
        kind: what the user says it is; None infers it.
        first: whether it is the first column, where row numbers stand.

    Returns:
        The column, and its cells: float64 with NaN for a number, else texts with None.

    Raises:
        InputError: no value at all, an infinite number, or a cell that does not fit `kind`.
        UsageError: an unknown kind.

    Example:
        >>> column, cells = read_column("age", ["39", None, "50"], str)
        >>> column.kind, column.missing, cells
        ('number', 1, array([39., nan, 50.]))
    """
    if kind is not None:
        check_known(name, kind)
    seen: Seen = dict.fromkeys(cell for cell in cells if cell is not None)
    missing = cells.count(None)
    if not seen and kind not in ("text", "id"):
        raise InputError(
            "the column has no values",
            where=f"column {short(name)}",
            received=f"{missing} missing cells",
            do="remove it, or declare its kind as text",
        )
    if kind is None:
        kind, note = _infer(name, cells, seen, place, first)
    else:
        note = check_kind(name, cells, kind, place)
    values = _converted(cells, kind, note)
    if kind == "number" and bool(np.isinf(values).any()):
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise InputError(
            "a number is infinite",
            where=f"{place(row)}, column {short(name)}",
            received=short(cells[row]),
            do="correct the cell or leave it empty",
        )
    if len(seen) == 1 and not note:
        note = "the same in all rows"
    known: Kind = kind  # type: ignore[assignment]  # checked above
    return Column(name, known, missing, len(seen), note), values


def check_known(name: str, kind: str) -> None:
    """Refuse an unknown kind of column.

    Raises:
        UsageError: the nearest right kind is named.

    Example:
        >>> check_known("age", "number")
    """
    if kind not in KINDS:
        raise UsageError(
            "unknown kind of column",
            where=f"column {short(name)}",
            received=short(kind),
            do=nearest(kind, KINDS),
        )


def check_kind(name: str, cells: list[str | None], kind: str, place: Place) -> str:
    """Check that cells fit the kind that the user gave.

    Returns:
        A note: how the dates are ordered, or why the column is not used.

    Raises:
        InputError: the first cell that does not fit, with its row.

    Example:
        >>> check_kind("d", ["24.12.2020"], "date", str)
        'dates are day/month/year'
    """
    if kind == "number" and to_numbers(cells) is None:
        row = next(r for r, c in enumerate(cells) if c is not None and to_numbers([c]) is None)
        raise InputError(
            "the cell is not a number",
            where=f"{place(row)}, column {short(name)}",
            received=short(cells[row]),
            do="correct it, or declare a category",
        )
    if kind == "date":
        order = date_order(cells)
        if order is None:
            bad = [r for r, c in enumerate(cells) if c is not None and date_order([c]) is None]
            row = bad[0] if bad else 0
            raise InputError(
                "the cell is not a date, or day and month cannot be told apart",
                where=f"{place(row)}, column {short(name)}",
                received=short(cells[row]),
                do="write YYYY-MM-DD",
            )
        return order
    return "not used: declared as " + kind if kind in ("text", "id") else ""


def column_of(name: str, values: np.ndarray, kind: str | None = None) -> tuple[Column, np.ndarray]:
    """A column given as an array: numbers stay numbers, everything else is read as text.

    Args:
        name: name of the column.
        values: numbers, texts, truth values or dates, (rows,).
        kind: what the user says it is.

    Raises:
        InputError: as `read_column`.

    Example:
        >>> column_of("x", np.array([1, 2]))[1]
        array([1., 2.])
    """
    numeric = values.dtype.kind in "biuf"
    if numeric and kind in (None, "number"):
        numbers = values.astype(np.float64)
        found = numbers[~np.isnan(numbers)]
        infinite = np.flatnonzero(np.isinf(numbers))
        if len(infinite):
            raise InputError(
                "a number is infinite",
                where=f"row {infinite[0] + 1}, column {short(name)}",
                do="correct or remove it",
            )
        if not len(found):
            raise InputError(
                "the column has no values",
                where=f"column {short(name)}",
                received=f"{len(numbers)} missing cells",
                do="remove it",
            )
        distinct = len(np.unique(found))
        note = "the same in all rows" if distinct == 1 else ""
        return Column(name, "number", len(numbers) - len(found), distinct, note), numbers
    cells = [to_text(value) for value in values.tolist()]
    return read_column(name, cells, lambda row: f"row {row + 1}", kind)


def _infer(
    name: str, cells: list[str | None], seen: Seen, place: Place, first: bool
) -> tuple[str, str]:
    """Kind and note of a column, from its cells."""
    named = ID_NAME.fullmatch(name) is not None or ID_NAME.fullmatch(name.lower()) is not None
    unique = len(seen) == len(cells) > 1
    numbers = to_numbers(cells)
    if numbers is not None:
        whole = unique and bool((numbers == np.floor(numbers)).all())
        with np.errstate(invalid="ignore"):  # between infinite cells, which are refused later
            run = whole and len(cells) >= 10 and bool((np.diff(numbers) == 1).all())
        if whole and (named or (run and first and numbers[0] in (0, 1))):
            return "id", "not used: numbers the rows"
        return "number", ""
    order = date_order(list(seen))
    if order is not None:
        return "date", order
    longest = max(len(cell) for cell in seen)
    if unique and longest <= ID_LENGTH and (named or len(cells) >= 10):
        return "id", "not used: different in every row"
    words = sum(len(cell.split()) for cell in seen) / len(seen)
    most = len(seen) > (len(cells) - cells.count(None)) / 2
    if (most and (words > TEXT_WORDS or len(seen) > 50)) or len(seen) > MAX_CATEGORIES:
        return "text", _near_miss(cells, seen, place) or "not used: mostly different texts"
    return "category", _near_miss(cells, seen, place)


def _near_miss(cells: list[str | None], seen: Seen, place: Place) -> str:
    """Which cell keeps a column of numbers from being one."""
    texts = {cell for cell in seen if not is_number(cell)}
    if len(texts) > 0.05 * len(cells):
        return ""
    wrong = [row for row, cell in enumerate(cells) if cell in texts]
    present = len(cells) - cells.count(None)
    if present < 20 or len(wrong) > 0.05 * present:
        return ""
    return f"not a number because of {short(cells[wrong[0]], 20)} ({place(wrong[0])})"


def _converted(cells: list[str | None], kind: str, note: str) -> np.ndarray:
    if kind == "number":
        numbers = to_numbers(cells)
        assert numbers is not None
        return numbers
    if kind == "date":
        order = note if note in (DAY_FIRST, MONTH_FIRST) else ""
        dates = {cell: to_date(cell, order) for cell in dict.fromkeys(cells) if cell is not None}
        cells = [None if cell is None else dates[cell] for cell in cells]
    if kind == "category":  # a frame writes whole numbers with a point if one is missing
        cells = [cell and WHOLE.sub(r"\1", cell) for cell in cells]
    texts = np.empty(len(cells), object)
    texts[:] = cells
    return texts
