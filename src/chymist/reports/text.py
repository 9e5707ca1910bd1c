"""Plain text for terminals: sparklines, bars and tables that fit a width."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isfinite

from chymist.errors import printable

BLOCKS = "▁▂▃▄▅▆▇█"
SIGNS = "_.-=+*#@"  # the same eight levels for terminals without block characters


def sparkline(values: Sequence[float], plain: bool | None = None) -> str:
    """A line of one character a value, from the least to the greatest.

    Args:
        values: numbers; those that are not finite become "x".
        plain: ASCII only; None asks standard output what it can show.

    Returns:
        As many characters as values.

    Example:
        >>> sparkline([3, 2, 1, float("nan")], plain=False), sparkline([1, 2], plain=True)
        ('█▅▁x', '_@')
    """
    levels = SIGNS if _ascii_only(plain) else BLOCKS
    finite = [v for v in values if isfinite(v)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    reach = high / 2 - low / 2  # halved, so that the span of the largest numbers is finite

    def level(value: float) -> str:
        if not isfinite(value):
            return "x"
        share = (value / 2 - low / 2) / reach if reach else 0.0
        return levels[min(7, round(7 * share))]

    return "".join(level(value) for value in values)


def bar(share: float, width: int = 20, plain: bool | None = None) -> str:
    """A bar that is filled to a share.

    Args:
        share: in [0, 1]; others are cut to it, what is no number is 0.
        width: characters.
        plain: ASCII only; None asks standard output what it can show.

    Example:
        >>> bar(0.5, 4, plain=False), bar(0.25, 4, plain=True)
        ('━━──', '#...')
    """
    full, empty = "#." if _ascii_only(plain) else "━─"
    filled = round(min(max(share, 0.0), 1.0) * width) if share == share else 0
    return full * filled + empty * (width - filled)


def table(
    rows: Sequence[Sequence[object]],
    headers: Sequence[str],
    width: int = 80,
    plain: bool | None = None,
) -> str:
    """Aligned columns that are never wider than the terminal.

    Columns of numbers are aligned to the right. Where the table is too wide, the widest columns
    are cut first, with an ellipsis. Control characters are shown as their codes.

    Args:
        rows: cells.
        headers: names of the columns.
        width: characters of the terminal.
        plain: ASCII only; None asks standard output what it can show.

    Returns:
        Lines of at most `width` characters, a header and one a row.

    Example:
        >>> print(table([["iris", 150], ["wine", 1780]], ["name", "rows"], 20, plain=True))
        name  rows
        ----  ----
        iris   150
        wine  1780
    """
    from rich.cells import cell_len

    ascii_only = _ascii_only(plain)
    cells = [[printable(str(cell)) for cell in row] for row in [headers, *rows]]
    columns = list(zip(*cells, strict=True))
    right = [len(c) > 1 and all(_is_number(cell) for cell in c[1:]) for c in columns]
    wanted = [max(map(cell_len, column)) for column in columns]
    widths = _fitted(wanted, width - 2 * (len(columns) - 1))
    rule = ["-" * n if ascii_only else "─" * n for n in widths]
    lines = [cells[0], rule, *cells[1:]]
    dots = "~" if ascii_only else "…"
    made = (
        "  ".join(_placed(*part, dots) for part in zip(row, widths, right, strict=True))
        for row in lines
    )
    return "\n".join(_cut(text.rstrip(), width) for text in made)


def _fitted(wanted: Sequence[int], room: int) -> list[int]:
    """Widths that fit the room: the widest are cut, and none below three characters."""
    widths = list(wanted)
    while sum(widths) > room and max(widths) > 3:
        widest = widths.index(max(widths))
        others = max((w for w in widths if w < widths[widest]), default=3)
        widths[widest] -= max(1, min(widths[widest] - max(others, 3), sum(widths) - room))
    return widths


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(text, width) if cell_len(text) > width else text


def _placed(cell: str, width: int, right: bool, dots: str) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        return set_cell_size(cell, width - 1) + dots
    gap = " " * (width - cell_len(cell))
    return gap + cell if right else cell + gap


def _is_number(cell: str) -> bool:
    """Whether a cell reads as a number, or is empty."""
    bare = cell.replace(",", "").removesuffix("%").removesuffix(" s").strip()
    if not bare:
        return True
    try:
        float(bare)
    except ValueError:
        return False
    return True


def shows(signs: str) -> bool:
    """Whether standard output can show some characters.

    Example:
        >>> shows("plain")
        True
    """
    try:
        signs.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _ascii_only(plain: bool | None) -> bool:
    return not shows(BLOCKS + "━─…") if plain is None else plain
