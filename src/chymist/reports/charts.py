"""Charts of the SVG kit: lines with their envelope, bars, histogram, scatter and intervals.

Each is a pure function from numbers to one drawing. Points are never left out in silence: where
there are more than pixels, every pixel column shows its first, least, greatest and last value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from chymist.reports.markup import Markup, join, tag
from chymist.reports.saying import ENGLISH, Say
from chymist.reports.svg import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    alike,
    axes,
    dot,
    drawing,
    label,
    line,
    path,
    px,
    span,
    tick_texts,
    wide,
)

COLUMNS = WIDTH - LEFT - RIGHT  # one pixel column each


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a chart.

    Args:
        name: its direct label.
        x: positions, ascending, (points,).
        y: values, (points,); not all need be finite.
        kind: "s1" (dashed), "s2" (solid) or "s3" (dotted).
        faint: drawn thin and pale, without label.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    kind: str = "s2"
    faint: bool = False


@dataclass(frozen=True)
class Mark:
    """A level or position worth pointing at: value and its label."""

    value: float
    name: str


@dataclass(frozen=True, eq=False)
class Columns:
    """Points gathered into columns: position, number, first, least, greatest and last value."""

    x: np.ndarray
    count: np.ndarray
    first: np.ndarray
    least: np.ndarray
    greatest: np.ndarray
    last: np.ndarray
    mean: np.ndarray


def envelope(x: np.ndarray, y: np.ndarray, columns: int = COLUMNS) -> Columns:
    """Gather points into equally wide columns; no extreme value is lost.

    Args:
        x: positions, ascending, (points,).
        y: finite values, (points,).
        columns: how many at most.

    Returns:
        `Columns` of those that hold a point; x is the mean position.

    Example:
        >>> found = envelope(np.arange(6.0), np.array([1.0, 9.0, 2.0, 3.0, 0.0, 4.0]), columns=2)
        >>> found.greatest.tolist(), found.least.tolist(), found.count.tolist()
        ([9.0, 4.0], [1.0, 0.0], [3, 3])

    Source: Jugel et al. 2014, M4: a visualization-oriented time series data aggregation.
    """
    width = (x[-1] - x[0]) / columns or 1.0
    place = np.minimum(((x - x[0]) / width).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(starts[1:], len(x))
    count = ends - starts
    return Columns(
        np.add.reduceat(x / np.repeat(count, count), starts), count, y[starts],
        np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts), y[ends - 1],
        np.add.reduceat(y / np.repeat(count, count), starts),
    )  # fmt: skip


def line_chart(
    description: str,
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    *,
    percent: bool = False,
    zero: bool = False,
    best: Mark | None = None,
    floor: Mark | None = None,
    say: Say = ENGLISH,
) -> Markup:
    """Lines over a common axis, labelled at their ends; logarithmic where values span decades.

    Args:
        description: what it shows, for those who hear it.
        lines: what to draw; their non-finite points become crosses at the top.
        x_title, y_title: what the axes are, with units.
        percent: whether the vertical axis is written in percent.
        zero: whether the vertical axis starts at zero.
        best: a position marked with a vertical line.
        floor: a level marked with a horizontal line.
        say: the language.

    Returns:
        An SVG element.
    """
    values = np.concatenate([one.y for one in lines] or [np.zeros(0)])
    places = np.concatenate([one.x for one in lines] or [np.zeros(0)])
    log = wide(values) and not zero
    level = [floor.value] if floor else []
    x = Scale(*_tight(places), LEFT, WIDTH - _end_room(lines))
    low, high = span(np.append(values, level), log, zero)
    high = min(high, 1.0) if percent and np.nanmax(values, initial=0.0) <= 1 else high
    y = Scale(low, high, HEIGHT - BOTTOM, TOP, log)
    y_title += say(", logarithmic axis") if log else ""
    parts = [axes(x, y, x_title, y_title, percent, True)]
    if floor:
        parts.append(_floor(floor, lines, x, y))
    if best:
        at = x(best.value)
        side = "end" if at > (x.start + x.end) / 2 else "start"
        parts.append(line(at, y.start, at, y.end, "best"))
        parts.append(label(best.name, at, y.end - 13, side))
    parts += [_curve(one, x, y) for one in lines]
    parts.append(_end_labels(lines, x.end + 7, y))
    return drawing(description, HEIGHT, *parts)


def bars(description: str, rows: Sequence[tuple[str, float, str]]) -> Markup:
    """Horizontal bars from zero.

    Args:
        description: what it shows.
        rows: name, length and text of each bar.

    Returns:
        An SVG element.
    """
    left, room, height = _label_room([row[0] for row in rows], 17), 116, 22
    scale = Scale(0.0, max((r[1] for r in rows), default=0.0) or 1.0, left, WIDTH - room)
    parts = []
    for number, (name, value, text) in enumerate(rows):
        at = number * height + 4
        end = scale(value)
        parts.append(label(fit(name, 17), left - 8, at + 12.5, "end"))
        parts.append(_bar(left, at + 1, max(end - left, 0.5), height - 6))
        parts.append(label(text, end + 6, at + 12.5))
    return drawing(description, len(rows) * height + 6, *parts)


def histogram(
    description: str, values: np.ndarray, x_title: str, zero: bool = False, y_title: str = "rows"
) -> Markup:
    """Counts of finite values in equally wide bins; `zero` marks the value zero.

    Args:
        description: what it shows.
        values: any numbers; only finite ones count.
        x_title: what they are, with their unit.
        zero: whether to draw a line at zero.
        y_title: what is counted.

    Returns:
        An SVG element.
    """
    counts, edges = binned(values)
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - 16)
    y = Scale(0.0, max(float(counts.max()) * 1.05, 1.0), HEIGHT - BOTTOM, TOP)
    parts = [axes(x, y, x_title, y_title)]
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            wide_, at = max(x(end) - x(start) - 1, 0.5), y(float(count))
            parts.append(_bar(x(start) + 0.5, at, wide_, y.start - at))
    if zero and edges[0] < 0 < edges[-1]:
        parts.append(line(x(0.0), y.start, x(0.0), y.end, "best"))
    return drawing(description, HEIGHT, *parts)


def binned(values: np.ndarray, most: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of at most 40 equally wide bins (Freedman and Diaconis).

    Example:
        >>> counts, edges = binned(np.array([1.0, 2.0, 2.0, np.nan]))
        >>> int(counts.sum())
        3
    """
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    low, high = span(finite)
    if not len(finite) or not isfinite(high - low):
        return np.array([len(finite)]), np.array([low, high])
    if not alike(float(finite.min()), float(finite.max())):
        low, high = float(finite.min()), float(finite.max())
    quarters = np.subtract(*np.percentile((finite - low) / (high - low), [75, 25]))
    width = 2 * quarters / len(finite) ** (1 / 3)
    count = int(np.ceil(1 / width)) if width > 1 / most else most if width > 0 else 10
    return np.histogram(finite, bins=max(count, 5), range=(low, high))


def scatter(
    description: str, x_values: np.ndarray, y_values: np.ndarray, x_title: str, y_title: str,
    say: Say = ENGLISH,
) -> Markup:  # fmt: skip
    """Points, with the diagonal on which both values agree.

    Args:
        description: what it shows.
        x_values, y_values: finite, (points,).
        x_title, y_title: what they are, with units.
        say: the language.

    Returns:
        An SVG element.
    """
    low, high = span(np.concatenate([x_values, y_values]))
    x = Scale(low, high, LEFT, WIDTH - RIGHT)
    y = Scale(low, high, HEIGHT - BOTTOM, TOP)
    spots = "".join(f"M{px(x(a))} {px(y(b))}h0" for a, b in zip(x_values, y_values, strict=True))
    cloud = tag(
        "path", d=Markup(spots), class_="s1 cloud", fill="none", stroke=COLORS["s1"],
        stroke_width="4.5", stroke_linecap="round", stroke_opacity="0.45",
    )  # fmt: skip
    diagonal = line(x.start, y.start, x.end, y.end, "best")
    hint = label(say("equal"), x.end + 6, y.end + 4)
    return drawing(description, HEIGHT, axes(x, y, x_title, y_title), diagonal, hint, cloud)


def interval_chart(
    description: str,
    rows: Sequence[tuple[str, float, float, float]],
    text: Callable[[float], str],
) -> Markup:
    """Values with their intervals, one below the other; the first is the one in question.

    Args:
        description: what it shows.
        rows: name, value, low and high end.
        text: a value as text.

    Returns:
        An SVG element.
    """
    room, height = 70, 26
    left = _label_room([row[0] for row in rows], 21)
    low, high = span(np.array(window(rows), np.float64))
    x = Scale(low, high, left, WIDTH - room)
    bottom = len(rows) * height + 4
    parts = [line(x(tick), 4, x(tick), bottom, "grid") for tick in x.ticks]
    parts += tick_texts(x, x.ticks, [text(tick) for tick in x.ticks], bottom + 16)
    for number, (name, value, least, most) in enumerate(rows):
        at, kind, weight = (
            number * height + 17,
            "s1" if number else "s2",
            None if number else "lead",
        )
        parts.append(label(fit(name, 21), left - 10, at + 4, "end", weight))
        parts.append(label(text(value), WIDTH - room + 10, at + 4, kind=weight))
        if value < low:
            parts.append(label("◂", x.start, at + 4, kind=kind))
        elif value > high:
            parts.append(label("▸", x.end, at + 4, "end", kind))
        elif isfinite(value):
            if least <= most:
                parts.append(line(x(max(least, low)), at, x(min(most, high)), at, kind))
            parts.append(dot(x(value), at, kind, 3.4 if number else 4.2))
    return drawing(description, bottom + 22, *parts)


def window(rows: Sequence[tuple[str, float, float, float]]) -> tuple[float, float]:
    """The range that shows the first two rows well; others are in it unless they are far away.

    Args:
        rows: name, value, low and high end.

    Example:
        >>> near, far = ("a", 0.96, 0.94, 0.98), ("c", 0.1, 0.08, 0.12)
        >>> window([near, ("b", 0.97, 0.95, 0.99), far]), window([near, far])
        ((0.94, 0.99), (0.08, 0.98))
    """
    low = high = rows[0][1]
    for number, row in enumerate(rows):
        ends = [v for v in row[1:] if isfinite(v)]
        least, most = min([low, *ends]), max([high, *ends])
        if number < 2 or most - least <= 8 * (high - low) or high == low:
            low, high = least, most
    return low, high


def fit(name: str, most: int) -> str:
    """A name cut to a number of characters."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _label_room(names: Sequence[str], most: int) -> float:
    """Pixels that the longest name needs at the left."""
    return 14 + 8.8 * max((min(len(name), most) for name in names), default=0)


def _bar(x: float, y: float, width: float, height: float) -> Markup:
    place = {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}
    return tag("rect", **place, class_="bar", fill=COLORS["s1"])


def _tight(values: np.ndarray) -> tuple[float, float]:
    """The range of positions, without room, never empty."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _floor(floor: Mark, lines: Sequence[Line], x: Scale, y: Scale) -> Markup:
    """A level, its name at the right end on the side where no curve ends."""
    at = y(floor.value)
    ends = [one.y[np.isfinite(one.y)][-1:] for one in lines]
    below = y.end + 20 > at or (y.start - 20 > at and any(e > floor.value for e in np.hstack(ends)))
    name = label(floor.name, x.end - 2, at + (15 if below else -5), "end")
    return join(line(x.start, at, x.end, at, "floor"), name)


def _curve(drawn: Line, x: Scale, y: Scale) -> Markup:
    """One line: broken at non-finite values, each of them a cross at the top."""
    finite = np.isfinite(drawn.y)
    runs = []
    for part in np.split(np.arange(len(finite)), np.flatnonzero(np.diff(finite)) + 1):
        if len(part) and finite[part[0]]:
            runs.append(_points(drawn.x[part], drawn.y[part], x, y))
    parts = [path(runs, drawn.kind, drawn.faint)]
    if len(drawn.y) <= 40 and not drawn.faint:
        parts += [dot(*p, drawn.kind, 2.4) for run in runs for p in run]
    elif len(runs) > 1:
        parts += [dot(*run[0], drawn.kind, 1.2) for run in runs if len(run) == 1]
    lost = np.unique(np.round([x(v) for v in drawn.x[~finite]]))
    parts += [label("×", at, y.end - 2, "middle", "lost") for at in lost]
    return join(*parts)


def _points(
    places: np.ndarray, values: np.ndarray, x: Scale, y: Scale
) -> list[tuple[float, float]]:
    if len(values) <= 2 * COLUMNS:
        return [(x(float(a)), y(float(b))) for a, b in zip(places, values, strict=True)]
    c = envelope(places, values)
    corners = np.stack([c.first, c.least, c.greatest, c.last], axis=1)
    return [(x(float(at)), y(float(v))) for at, row in zip(c.x, corners, strict=True) for v in row]


def _end_room(lines: Sequence[Line]) -> float:
    """Pixels that the longest name needs at the right, where letters are wide."""
    return max([float(RIGHT), *(10 + 7.0 * len(one.name) for one in lines if not one.faint)])


def _end_labels(lines: Sequence[Line], left: float, y: Scale) -> Markup:
    """Names at the right, pushed apart where they would overlap, and up from the axis."""
    ends = []
    for drawn in lines:
        finite = drawn.y[np.isfinite(drawn.y)]
        if len(finite) and not drawn.faint:
            ends.append((y(float(finite[-1])), drawn))
    ends.sort(key=lambda pair: pair[0])
    places, above = [], -100.0
    for at, _ in ends:
        above = max(at + 4, above + 15)
        places.append(above)
    below = y.start + 19
    for number in reversed(range(len(places))):
        places[number] = below = min(places[number], below - 15)
    return join(*(
        label(drawn.name, left, at, kind=drawn.kind)
        for at, (_, drawn) in zip(places, ends, strict=True)
    ))  # fmt: skip
