"""Single cells of a table: what is missing, what is a number, what is a date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chymist.errors import InputError

MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"})
UNKNOWN = ("NAType", "NaTType")  # what pandas puts where a value is missing

# Written to a column's note when its dates are not in ISO order; read when new rows come.
DAY_FIRST = "dates are day/month/year"
MONTH_FIRST = "dates are month/day/year"

_ISO = re.compile(
    r"\d{4}[-/](0?[1-9]|1[0-2])([-/](0?[1-9]|[12]\d|3[01]))?"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?"
)
_LOCAL = re.compile(r"(\d{1,2})([/.])(\d{1,2})\2(\d{4})([ T]\d{1,2}:\d{2}(:\d{2})?)?")


def clean(cell: str) -> str | None:
    """A cell without surrounding blanks, or None if it is a marker for a missing value.

    Example:
        >>> clean(" 3 "), clean("?")
        ('3', None)
    """
    cell = cell.strip()
    return None if cell in MISSING else cell


def is_number(cell: str | None) -> bool:
    """Whether a text is a number ("1e5", " 3 ").

    Example:
        >>> is_number("1e5"), is_number("1_000"), is_number("11th")
        (True, False, False)
    """
    if cell is None or "_" in cell:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def to_numbers(cells: Iterable[str | None]) -> np.ndarray | None:
    """Cells as float64 with NaN for missing ones, or None if one is no number.

    Example:
        >>> to_numbers(["1", None, "2.5"])
        array([1. , nan, 2.5])
        >>> to_numbers(["1", "x"]) is None
        True
    """
    found = list(cells)
    try:
        numbers = np.array([np.nan if cell is None else float(cell) for cell in found], np.float64)
    except ValueError:
        return None
    return None if any(cell is not None and "_" in cell for cell in found) else numbers


def to_text(value: Any) -> str | None:
    """A value of an array as the text that a file would hold.

    Example:
        >>> to_text(3.0), to_text(2.5), to_text(float("nan")), to_text("a")
        ('3', '2.5', None, 'a')
    """
    if value is None or type(value).__name__ in UNKNOWN:
        return None
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isnan(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return clean(str(value))


def refuse_masked(values: Any, where: str) -> None:
    """Refuse an array with masked cells: their values would count.

    Raises:
        InputError: a cell is masked.

    Example:
        >>> refuse_masked(np.ma.masked_equal([1, 2], 3), "inputs")
    """
    if np.ma.is_masked(values):
        raise InputError(
            "the array has masked cells",
            where=where,
            received=f"{int(np.ma.getmaskarray(values).sum())} of them",
            do="fill them, for example with array.filled(numpy.nan)",
        )


def date_order(cells: Sequence[str | None]) -> str | None:
    """How the dates of a column are written: "" (ISO), `DAY_FIRST`, `MONTH_FIRST`.

    Dates such as 03/04/2020 are ambiguous; one value above 12 in the column decides. With dots
    the day always comes first.

    Returns:
        None if a cell is no date, or the order cannot be known.

    Example:
        >>> date_order(["1949-01", None]), date_order(["13/04/2020", "01/02/2020"])
        ('', 'dates are day/month/year')
        >>> date_order(["03/04/2020"]) is None
        True
    """
    present = [cell for cell in cells if cell is not None]
    if not present:
        return None
    if all(_ISO.fullmatch(cell) for cell in present):
        return "" if all(to_date(cell, "") for cell in present) else None
    matches = [_LOCAL.fullmatch(cell) for cell in present]
    parts = [(int(m[1]), int(m[3]), m[2]) for m in matches if m]
    if len(parts) < len(present):
        return None
    first, second = max(p[0] for p in parts), max(p[1] for p in parts)
    if second <= 12 and (first > 12 or all(p[2] == "." for p in parts)):
        order = DAY_FIRST
    elif first <= 12 and second > 12:
        order = MONTH_FIRST
    else:
        return None
    return order if all(to_date(cell, order) for cell in present) else None


def to_date(cell: str, order: str) -> str | None:
    """A date as ISO text (UTC if it names a time zone), or None if it is no such date.

    Args:
        cell: text of the cell.
        order: "" for ISO, or how day and month are ordered.

    Example:
        >>> to_date("1949-01", ""), to_date("24.12.2020", DAY_FIRST), to_date("2020-02-30", "")
        ('1949-01-01', '2020-12-24', None)
    """
    local = _LOCAL.fullmatch(cell) if order else None
    if local:
        day, month = (local[1], local[3]) if order == DAY_FIRST else (local[3], local[1])
        date, clock = f"{local[4]}-{int(month):02}-{int(day):02}", (local[5] or "").strip(" T")
    elif _ISO.fullmatch(cell):
        date, _, clock = cell.replace("/", "-").replace("T", " ").partition(" ")
        year, *rest = date.split("-")
        date = "-".join([year, *(f"{int(part):02}" for part in (*rest, "1")[:2])])
    else:
        return None
    clock = clock.zfill(5) if len(clock.partition(":")[0]) == 1 and len(clock) == 4 else clock
    try:
        moment = datetime.fromisoformat(f"{date} {clock}".strip())
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    midnight = not (moment.hour or moment.minute or moment.second or moment.microsecond)
    return moment.date().isoformat() if midnight else moment.isoformat()


def short(value: object, limit: int = 40) -> str:
    """A received value in quotes, cut to a length that fits into one line.

    Example:
        >>> short("abc"), short("x" * 100, 5)
        ("'abc'", "'xxxxx...'")
    """
    text = str(value)
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}...'"
