"""Charts of many trainings: curves with their band, paired dots, differences beside zero.

Each is a pure function from numbers to one drawing. Where more trainings are drawn than a page can
carry, evenly many of them are drawn as thin lines, and the mean and its band are of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from chymist.evidence.bands import band_of
from chymist.reports.charts import COLUMNS, Mark, envelope, fit
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
    wide,
)

MOST_LINES = 120  # thin lines of one chart
MOST_POINTS = 9000  # of all thin lines of one chart
NAME, ROOM = 21, 74  # letters of a name at the left, pixels of a number at the right


@dataclass(frozen=True, eq=False)
class Course:
    """The curves of several trainings of one kind.

    Args:
        name: its direct label; "" for none.
        curves: a value after every epoch, (trainings, epochs), nan where one had ended.
        kind: "s1", "s2" or "s3".
    """

    name: str
    curves: np.ndarray
    kind: str = "s2"


def band_chart(
    description: str,
    courses: Sequence[Course],
    titles: tuple[str, str],
    *,
    percent: bool = False,
    heights: tuple[float, float] | None = None,
    floor: Mark | None = None,
) -> Markup:
    """Curves by epoch: thin lines, their mean, and its band (see `chymist.evidence.bands`).

    Args:
        description: what it shows, for those who hear it.
        courses: what to draw.
        titles: of the horizontal and the vertical axis.
        percent: whether the vertical axis is written in percent.
        heights: the lowest and highest value to show; None is what there is.
        floor: a level marked with a horizontal line.

    Returns:
        An SVG element; the vertical axis is logarithmic where values span decades.
    """
    values = np.concatenate([one.curves.ravel() for one in courses] or [np.zeros(0)])
    shown = values if heights is None else np.array(heights)
    log = wide(shown) and not percent
    level = [floor.value] if floor and heights is None else []
    low, high = span(np.append(shown, level), log)
    y = Scale(low, min(high, 1.0) if percent else high, HEIGHT - BOTTOM, TOP, log)
    length = max((one.curves.shape[1] for one in courses), default=1)
    room = max([24.0, *(10 + 7.0 * len(fit(one.name, NAME)) for one in courses if one.name)])
    x = Scale(*((1.0, float(length)) if length > 1 else (0.5, 1.5)), LEFT, WIDTH - room)
    parts = [axes(x, y, *titles, percent, True)]
    if floor and y.low <= floor.value <= y.high:
        at = y(floor.value)
        parts += [line(x.start, at, x.end, at, "floor"), label(floor.name, x.end, at - 5, "end")]
    thin = max(MOST_LINES // max(len(courses), 1), 1)
    parts += [_thin(one, x, y, thin) for one in courses]
    parts += [_middle(one, x, y) for one in courses]
    parts.append(_names(courses, x.end + 7, y))
    return drawing(description, HEIGHT, *parts)


def drawn_lines(count: int, courses: int = 1) -> int:
    """How many of the trainings of a course are drawn as thin lines.

    Example:
        >>> drawn_lines(30), drawn_lines(300)
        (30, 120)
    """
    return min(count, max(MOST_LINES // courses, 1))


def dots_chart(
    description: str,
    rows: Sequence[tuple[str, np.ndarray]],
    text: Callable[[float], str],
    *,
    joined: bool = False,
    floor: Mark | None = None,
) -> Markup:
    """A row of dots for each of several things, with its mean; what was paired may be joined.

    Args:
        description: what it shows.
        rows: name and values, (n,); joined rows have equally many.
        text: a value as text.
        joined: whether value k of a row is joined to value k of the row below.
        floor: a level marked with a vertical line.

    Returns:
        An SVG element.
    """
    left, height = 14 + 8.8 * max((min(len(n), NAME) for n, _ in rows), default=0), 38
    every = np.concatenate([values for _, values in rows])
    x = Scale(*span(np.append(every, [floor.value] if floor else [])), left, WIDTH - ROOM)
    bottom = len(rows) * height + 6
    parts = [line(x(tick), 4, x(tick), bottom, "grid") for tick in x.ticks]
    parts += tick_texts(x, x.ticks, [text(tick) for tick in x.ticks], bottom + 16)
    if floor:
        parts += [line(x(floor.value), 4, x(floor.value), bottom, "floor")]
        parts.append(label(floor.name, *_beside(x(floor.value), x, bottom)))
    levels = [number * height + 22.0 for number in range(len(rows))]
    if joined:
        parts.append(_joins([values for _, values in rows], levels, x))
    for number, ((name, values), at) in enumerate(zip(rows, levels, strict=True)):
        kind, finite = "s1" if number else "s2", values[np.isfinite(values)]
        parts.append(label(fit(name, NAME), left - 10, at + 4, "end", None if number else "lead"))
        parts.append(_cloud(finite, at, x, kind))
        if len(finite):
            mean = float(finite.mean())
            parts.append(line(x(mean), at - 12, x(mean), at + 12, kind))
            parts.append(label(text(mean), WIDTH - ROOM + 10, at + 4))
    return drawing(description, bottom + (38 if floor else 22), *parts)


def differences_chart(
    description: str, rows: Sequence[tuple[str, float, float, float, bool]],
    text: Callable[[float], str],
) -> Markup:  # fmt: skip
    """Differences with their intervals, beside zero; an end off the axis becomes an arrow.

    Args:
        description: what it shows.
        rows: name, difference, low and high end, and whether it is clear of zero.
        text: a difference as text.

    Returns:
        An SVG element.
    """
    letters = max((min(len(row[0]), 2 * NAME) for row in rows), default=0)
    left, height = min(14 + 7.6 * letters, 230.0), 26
    ends = np.array([end for row in rows for end in row[1:4]])
    far = 4 * np.nanmax(np.abs([row[1] for row in rows if isfinite(row[1])] or [1.0]))
    near = ends[np.isfinite(ends) & ((np.abs(ends) <= far) | (far == 0))]
    x = Scale(*span(np.append(near, 0.0)), left, WIDTH - ROOM)
    bottom = len(rows) * height + 4
    parts = [line(x(tick), 4, x(tick), bottom, "grid") for tick in x.ticks]
    parts += tick_texts(x, x.ticks, [text(tick) for tick in x.ticks], bottom + 16)
    parts.append(line(x(0.0), 2, x(0.0), bottom))
    for number, (name, value, low, high, clear) in enumerate(rows):
        at, kind = number * height + 17, "s2" if clear else "s1"
        parts.append(label(fit(name, int((left - 14) / 6.4)), left - 10, at + 4, "end"))
        parts.append(label(text(value), WIDTH - ROOM + 10, at + 4))
        if isfinite(value) and x.low <= value <= x.high:
            parts.append(line(x(max(low, x.low)), at, x(min(high, x.high)), at, kind))
            parts.append(dot(x(value), at, kind, 3.8))
        if low < x.low:
            parts.append(label("◂", x.start, at + 4, "middle", kind))
        if high > x.high:
            parts.append(label("▸", x.end, at + 4, "middle", kind))
    return drawing(description, bottom + 22, *parts)


def _beside(at: float, x: Scale, bottom: float) -> tuple[float, float, str]:
    """Where the name of a vertical line stands: below the ticks, within the drawing."""
    share = (at - x.start) / (x.end - x.start)
    return at, bottom + 33, "start" if share < 0.3 else "end" if share > 0.7 else "middle"


def _thin(one: Course, x: Scale, y: Scale, most: int) -> Markup:
    """Thin lines of the trainings, evenly many of them; of none that is alone."""
    count = len(one.curves)
    if count < 2:
        return Markup("")
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
    columns = max(10, min(COLUMNS, MOST_POINTS // (4 * len(chosen))))
    runs = []
    for values in one.curves[chosen]:
        there = np.isfinite(values)
        places, heights = np.flatnonzero(there) + 1.0, values[there]
        if len(places) > 4 * columns:
            c = envelope(places, heights, columns)
            places = np.repeat(c.x, 4)
            heights = np.stack([c.first, c.least, c.greatest, c.last], axis=1).ravel()
        inside = np.clip(heights, y.low, y.high)
        runs.append([(x(float(a)), y(float(v))) for a, v in zip(places, inside, strict=True)])
    return path(runs, one.kind, faint=True)


def _middle(one: Course, x: Scale, y: Scale) -> Markup:
    """The mean line of a course over its band."""
    band = band_of(one.curves)
    parts = []
    there = np.flatnonzero(np.isfinite(band.low) & np.isfinite(band.high))
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        if len(run) > 1:
            up = [(x(e + 1.0), y(float(np.clip(band.high[e], y.low, y.high)))) for e in run]
            down = [(x(e + 1.0), y(float(np.clip(band.low[e], y.low, y.high)))) for e in run[::-1]]
            corners = "L".join(f"{px(a)} {px(b)}" for a, b in _few(up) + _few(down))
            parts.append(tag("path", d=Markup(f"M{corners}Z"), fill=COLORS[one.kind],
                             class_=f"{one.kind} dot", fill_opacity="0.18"))  # fmt: skip
    known = np.flatnonzero(np.isfinite(band.mean))
    points = [(x(e + 1.0), y(float(np.clip(band.mean[e], y.low, y.high)))) for e in known]
    parts.append(path([_few(points)], one.kind))
    if len(points) == 1:
        parts.append(dot(*points[0], one.kind))
    return join(*parts)


def _few(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a mean, which is smooth: at most two a pixel column, the ends among them."""
    step = -(-len(points) // (2 * COLUMNS))
    return points if step < 2 else [*points[:-1:step], points[-1]]


def _names(courses: Sequence[Course], left: float, y: Scale) -> Markup:
    """Names of courses at the right, pushed apart where they would overlap."""
    ends = []
    for one in courses:
        mean = band_of(one.curves).mean
        mean = mean[np.isfinite(mean)]
        if len(mean) and one.name:
            ends.append((y(float(np.clip(mean[-1], y.low, y.high))), one))
    parts, above = [], -100.0
    for at, one in sorted(ends, key=lambda pair: pair[0]):
        above = max(at + 4, above + 15)
        parts.append(label(fit(one.name, NAME), left, above, kind=one.kind))
    return join(*parts)


def _cloud(values: np.ndarray, at: float, x: Scale, kind: str) -> Markup:
    """Values as dots in one row: those that would hide each other stand above and below it."""
    places = np.round([x(float(v)) for v in np.sort(values)])
    turn = np.zeros(len(places), np.int64)
    for number in range(1, len(places)):
        if places[number] == places[number - 1]:
            turn[number] = turn[number - 1] + 1
    rise = np.minimum((turn + 1) // 2, 4) * np.where(turn % 2, -2.6, 2.6)
    spots = "".join(f"M{px(a)} {px(at + r)}h0" for a, r in zip(places, rise, strict=True))
    return tag("path", d=Markup(spots), class_=f"{kind} cloud", fill="none", stroke=COLORS[kind],
               stroke_width="5", stroke_linecap="round", stroke_opacity="0.5")  # fmt: skip


def _joins(columns: Sequence[np.ndarray], levels: Sequence[float], x: Scale) -> Markup:
    """Lines from a value of a row to the one of the same training in the row below."""
    runs = []
    for values in np.stack(columns, axis=1)[:MOST_LINES]:
        finite = np.flatnonzero(np.isfinite(values))
        runs.append([(x(float(values[k])), levels[k]) for k in finite.tolist()])
    return path(runs, "s3", faint=True)
