"""Pictures of what columns are worth: drops with their floors, dependence curves and maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.heat import cells, every, key
from chymist.reports.markup import Markup, join, tag
from chymist.reports.svg import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    Scale,
    axes,
    dot,
    drawing,
    label,
    line,
    path,
    px,
    span,
    tick_texts,
)

MOST = 40  # columns that are drawn
CURVES = 60  # rows whose curves are drawn
TICKS = 200  # rows that are shown along the axis


def importance_chart(
    description: str, rows: Sequence[tuple[str, float, float, float, float]], title: str,
    text: Callable[[float], str],
) -> Markup:  # fmt: skip
    """Drops of a score with intervals, one below the other; grey is what noise gives.

    Args:
        description: what it shows.
        rows: name, value, low and high end, and floor of each column.
        title: of the axis.
        text: a drop as text.

    Returns:
        An SVG element.
    """
    shown, height = rows[:MOST], 24
    left = 14 + 8.0 * max(min(len(row[0]), 24) for row in shown)
    ends = np.array([v for row in shown for v in row[1:] if isfinite(v)] + [0.0])
    low, high = span(ends)
    x = Scale(low, high, left, WIDTH - 76)
    bottom = TOP - 14 + len(shown) * height
    parts = [label(title + "; grey: what noise gives", 0, 13, kind="title")]
    parts += [line(x(tick), TOP - 16, x(tick), bottom, "grid") for tick in x.ticks]
    parts.append(line(x(0.0), TOP - 16, x(0.0), bottom))
    parts += tick_texts(x, x.ticks, [text(tick) for tick in x.ticks], bottom + 16)
    for number, (name, value, least, most, floor) in enumerate(shown):
        at = TOP - 2 + number * height
        told = least > 0 and value > floor
        if floor > 0:
            start = max(-floor, low)
            parts.append(tag("rect", x=px(x(start)), y=px(at - 7), height="14", fill="#999999",
                             width=px(x(min(floor, high)) - x(start)), opacity="0.3"))  # fmt: skip
        parts.append(label(fit(name, 24), left - 10, at + 4, "end", "lead" if told else None))
        ends_ = (x(max(least, low)), x(min(most, high)))
        parts.append(line(ends_[0], at, ends_[1], at, "s1"))
        parts.append(dot(x(value), at, "s1", 3.6))
        parts.append(label(text(value) if told else f"{text(value)} ?", WIDTH - 68, at + 4))
    if len(rows) > len(shown):
        said = f"{len(rows) - len(shown)} columns with smaller drops are not drawn"
        parts.append(label(said, left, bottom + 34))
    return drawing(description, bottom + (40 if len(rows) > len(shown) else 24), *parts)


def dependence_chart(
    description: str, column: str, grid: np.ndarray, curves: np.ndarray,
    band: tuple[np.ndarray, np.ndarray, np.ndarray], cells_: np.ndarray, title: str,
) -> Markup:  # fmt: skip
    """A partial dependence: the mean, curves of rows (pale), and where the rows lie (ticks).

    Args:
        description: what it shows.
        column: its name.
        grid: floats, or names of categories, (points,).
        curves: (points, rows).
        band: mean, low and high end of the mean, (points,) each.
        cells_: what the rows have in the column.
        title: of the vertical axis.

    Returns:
        An SVG element.
    """
    if grid.dtype.kind not in "fiu":
        return _categories(description, column, grid, curves, band, cells_, title)
    picked = np.unique(np.linspace(0, curves.shape[1] - 1, CURVES).round().astype(int))
    low, high = span(np.concatenate([curves[:, picked].ravel(), *band]))
    x = Scale(*_ends(grid), LEFT, WIDTH - 26)
    y = Scale(low, high, HEIGHT - BOTTOM - 10, TOP)
    parts = [axes(x, Scale(low, high, HEIGHT - BOTTOM, TOP), column,
                  f"{title}; pale: single rows, band: 95 % of the mean")]  # fmt: skip
    for row in picked:
        parts.append(path([_line(x, y, grid, curves[:, row])], "s1", faint=True))
    parts.append(_band(x, y, grid, band))
    parts.append(path([_line(x, y, grid, band[0])], "s2"))
    inside = cells_[np.isfinite(cells_) & (cells_ >= grid[0]) & (cells_ <= grid[-1])]
    inside = np.sort(inside)[np.linspace(0, len(inside) - 1, min(len(inside), TICKS)).astype(int)]
    rug = "".join(f"M{px(x(float(v)))} {px(y.start + 4)}v6" for v in inside)
    parts.append(tag("path", d=Markup(rug), class_="axis", stroke=COLORS["axis"],
                     stroke_opacity="0.6", fill="none"))  # fmt: skip
    return drawing(description, HEIGHT, *parts)


def _ends(grid: np.ndarray) -> tuple[float, float]:
    low, high = float(grid[0]), float(grid[-1])
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _line(x: Scale, y: Scale, grid: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    return [(x(float(a)), y(float(b))) for a, b in zip(grid, values, strict=True)]


def _band(x: Scale, y: Scale, grid: np.ndarray, band: tuple[np.ndarray, ...]) -> Markup:
    """The interval of the mean as an area."""
    _, low, high = band
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return Markup("")
    corners = _line(x, y, grid, high) + _line(x, y, grid, low)[::-1]
    steps = "M" + "L".join(f"{px(a)} {px(b)}" for a, b in corners) + "Z"
    return tag("path", d=Markup(steps), fill=COLORS["s2"], fill_opacity="0.22")


def _categories(
    description: str, column: str, grid: np.ndarray, curves: np.ndarray,
    band: tuple[np.ndarray, ...], cells_: np.ndarray, title: str,
) -> Markup:  # fmt: skip
    """Means of categories with intervals; pale: 10 to 90 % of the rows; how many have each."""
    names = [str(name) for name in grid]
    spread = np.quantile(curves, [0.1, 0.9], axis=1)
    left = 14 + 8.0 * max(min(len(name), 20) for name in [*names, column])
    x = Scale(*span(np.concatenate([spread.ravel(), band[0]])), left, WIDTH - 90)
    bottom = TOP + 24 * len(names)
    parts = [label(f"{title}; pale: 10 to 90 % of the rows", 0, 13, kind="title")]
    parts += [label(column, left - 10, TOP - 8, "end", "title")]
    parts += [line(x(tick), TOP - 4, x(tick), bottom, "grid") for tick in x.ticks]
    parts += tick_texts(x, x.ticks, [f"{tick:.4g}" for tick in x.ticks], bottom + 16)
    for place, name in enumerate(names):
        at = TOP + 10 + 24 * place
        parts.append(label(fit(name, 20), left - 10, at + 4, "end", "lead"))
        parts.append(tag("line", x1=px(x(spread[0, place])), x2=px(x(spread[1, place])), y1=px(at),
                         y2=px(at), stroke=COLORS["s1"], stroke_width="7",
                         stroke_opacity="0.25"))  # fmt: skip
        low, high = (min(max(v[place], x.low), x.high) for v in band[1:])
        parts.append(line(x(low), at, x(high), at, "s2"))
        parts.append(dot(x(band[0][place]), at, "s2", 3.4))
        count = int((cells_ == grid[place]).sum())
        parts.append(label(f"{count:,} rows" if count else "no row", WIDTH - 82, at + 4))
    return drawing(description, bottom + 24, *parts)


def dependence_map(
    description: str, columns: Sequence[str], grids: Sequence[np.ndarray], means: np.ndarray,
    title: str,
) -> Markup:  # fmt: skip
    """A partial dependence of two columns as a heat map: the first upwards, the second across.

    Args:
        description: what it shows.
        columns: two names.
        grids: values of each.
        means: (points of the first, points of the second).
        title: what the colours are.

    Returns:
        An SVG element.
    """
    up, across = ([_text(v) for v in grid] for grid in grids)
    left, top = 16 + 7.5 * max(len(name) for name in up), 66
    width, height = (WIDTH - left - 20) / len(across), min(26.0, 260 / len(up))
    ends = float(means.min()), float(means.max())
    bottom = top + height * len(up)
    parts = [label(title, 0, 13, kind="title"),
             key(WIDTH - 150, 22, (f"{ends[0]:.3g}", f"{ends[1]:.3g}")),
             label(columns[0], 0, top - 10, kind="title"),
             cells(means[::-1], left, top, (width, height), ends)]  # fmt: skip
    for place in every(up, height, 15):
        at = bottom - height * (place + 0.5)
        parts.append(label(up[place], left - 8, at + 4, "end"))
    for place in every(across, width, 9.0 * max(map(len, across))):
        parts.append(label(across[place], left + width * (place + 0.5), bottom + 17, "middle"))
    parts.append(label(columns[1], WIDTH - 20, bottom + 34, "end", "title"))
    return drawing(description, bottom + 40, join(*parts))


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else fit(str(value), 14)
