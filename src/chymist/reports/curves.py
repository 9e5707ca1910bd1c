"""Curves drawn: scores on training and held rows against the rows, or a value of the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chymist.reports.markup import Markup, join, safe, table, tag
from chymist.reports.numbers import interval, metric_name
from chymist.reports.svg import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    dot,
    drawing,
    label,
    line,
    path,
    px,
    span,
    tick_labels,
    tick_texts,
    wide,
)
from chymist.values import SHARES, Score, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 1e-3  # of the middle score; less (rows learnt by heart) is drawn at the edge
PARTS, KINDS = ("training", "held out"), ("s1", "s2")


@dataclass(frozen=True)
class Positions:
    """Where the points of a curve stand, and how they are called.

    Args:
        at: positions, ascending.
        texts: their labels.
        title: what the axis shows.
        log: whether the axis is logarithmic.
        marks: positions worth pointing at, with a word for each.
        levels: scores worth pointing at, with a word for each.
    """

    at: tuple[float, ...]
    texts: tuple[str, ...]
    title: str
    log: bool = False
    marks: tuple[tuple[float, str], ...] = ()
    levels: tuple[tuple[float, str], ...] = ()

    @classmethod
    def rows(cls, sizes: Sequence[int]) -> Positions:
        """Numbers of training rows."""
        texts = tuple(f"{n:,}" for n in sizes)
        return cls(tuple(map(float, sizes)), texts, "training rows", log=True)


def curve_svg(
    positions: Positions, train: Sequence[Score], held: Sequence[Score],
    parts: tuple[str, str] = PARTS,
) -> Markup:  # fmt: skip
    """Two series of scores over a horizontal axis, with their intervals as bands.

    Args:
        positions: the horizontal axis.
        train, held: scores on training and on held rows, one a position.
        parts: what the two series are, where they are something else.

    Returns:
        An SVG element; scores that differ many times over have a logarithmic axis.
    """
    metric = held[0].metric
    x = Scale(positions.at[0], positions.at[-1], LEFT, WIDTH - RIGHT, log=positions.log)
    y = _heights(metric, positions, [*train, *held])
    name = metric_name(metric)
    drawn = [_frame(x, y, positions, name, metric in SHARES)]
    labels = []
    for at, word in positions.marks:
        drawn += [line(x(at), y.start, x(at), y.end, "best"),
                  label(word, x(at) + 4, y.end - 6, kind="title")]  # fmt: skip
    for value, word in positions.levels:
        if y.low <= value <= y.high:
            drawn.append(line(x.start, y(value), x.end, y(value), "floor"))
            labels.append((y(value), word, "title"))
    for part, kind, scores in zip(parts, KINDS, (train, held), strict=True):
        points = [
            (x(at), y(max(s.value, y.low))) for at, s in zip(positions.at, scores, strict=True)
        ]
        drawn += [_band(positions, scores, x, y, kind), path([points], kind)]
        drawn += [dot(*point, kind, 2.6) for point in points]
        labels.append((points[-1][1], part, kind))
    above = -100.0
    for height, part, kind in sorted(labels):
        above = max(height + 4, above + 15)
        drawn.append(label(part, WIDTH - RIGHT + 7, above, kind=kind))
    told = "on training and held-out rows" if parts == PARTS else f"of {' and '.join(parts)}"
    title = f"{name} {told} by {positions.title}"
    return drawing(title, HEIGHT, *drawn)


def plot_curve(positions: Positions, train: Sequence[Score], held: Sequence[Score]) -> Axes:
    """The same with matplotlib; nothing is shown and no global state is touched.

    Args:
        positions, train, held: as for `curve_svg`.

    Returns:
        matplotlib axes; their figure is `axes.figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    found = figure.subplots()
    metric = held[0].metric
    factor = 100 if metric in SHARES else 1
    for part, kind, scores in zip(PARTS, KINDS, (train, held), strict=True):
        value, low, high = factor * np.array([(s.value, s.low, s.high) for s in scores]).T
        style = "--" if kind == "s1" else "-"
        found.plot(positions.at, value, marker=".", label=part, color=COLORS[kind], linestyle=style)
        found.fill_between(positions.at, low, high, color=COLORS[kind], alpha=0.15, linewidth=0)
    for at, word in positions.marks:
        found.axvline(at, color=COLORS["best"], linestyle=":", label=word)
    for level, word in positions.levels:
        found.axhline(factor * level, color=COLORS["floor"], linestyle="-.", label=word)
    unit = " (%)" if metric in SHARES else ""
    found.set(xscale="log" if positions.log else "linear", xlabel=positions.title,
              ylabel=metric_name(metric) + unit)  # fmt: skip
    y = _heights(metric, positions, [*train, *held])
    if y.log:
        found.set(yscale="log", ylim=(y.low, y.high))
    found.set_xticks(positions.at, positions.texts)
    found.minorticks_off()
    found.legend(frameon=False)
    return found


def curve_html(
    verdict: str, positions: Positions, train: Sequence[Score], held: Sequence[Score]
) -> Markup:
    """Verdict, drawing and numbers for a notebook."""
    rows = [
        [text, show(b.metric, b.value), interval(b), show(a.metric, a.value), interval(a)]
        for text, a, b in zip(positions.texts, train, held, strict=True)
    ]
    heads = [positions.title, "held out", "95 % interval", "training", "95 % interval"]
    return tag(
        "div",
        tag("p", tag("strong", safe(verdict, 400))),
        tag("div", curve_svg(positions, train, held), style="max-width:460px"),
        table(heads, rows, {0, 1, 2, 3, 4}),
    )


def _heights(metric: str, positions: Positions, scores: Sequence[Score]) -> Scale:
    """The vertical axis: logarithmic where scores, which are no shares, differ many times over."""
    values = np.array([s.value for s in scores])
    start, end = HEIGHT - BOTTOM, TOP
    shown = values[values > np.median(values) * SMALL]
    if metric not in SHARES and wide(shown):
        low, high = span(shown, log=True)
        return Scale(low, high, start, end, log=True)
    ends = [v for s in scores for v in (s.value, s.low, s.high)]
    low, high = span(np.array([*ends, *(level for level, _ in positions.levels)]))
    return Scale(low, min(high, 1.0) if metric in SHARES else high, start, end)


def _frame(x: Scale, y: Scale, positions: Positions, name: str, percent: bool) -> Markup:
    """Axes whose horizontal ticks are the points: of sizes that halve, few are round numbers."""
    parts = [label(name, 0, 13, kind="title")]
    for value, text in zip(y.ticks, tick_labels(y.ticks, percent), strict=True):
        at = y(value)
        parts += [line(x.start, at, x.end, at, "grid"), label(text, x.start - 8, at + 4, "end")]
    parts.append(line(x.start, y.start, x.end, y.start))
    parts += [line(x(tick), y.start, x(tick), y.start + 4) for tick in positions.at]
    parts += tick_texts(x, positions.at, positions.texts, y.start + 18)
    title = positions.title + (", logarithmic axis" if positions.log else "")
    parts.append(label(title, x.end, y.start + 35, "end", "title"))
    return join(*parts)


def _band(positions: Positions, scores: Sequence[Score], x: Scale, y: Scale, kind: str) -> Markup:
    """The intervals as an area; infinite ends are cut at the edge of the drawing."""
    low, high = ([min(max(end, y.low), y.high) for end in ends]
                 for ends in zip(*((s.low, s.high) for s in scores), strict=True))  # fmt: skip
    there = [(x(at), y(v)) for at, v in zip(positions.at, high, strict=True)]
    back = [(x(at), y(v)) for at, v in zip(positions.at, low, strict=True)][::-1]
    corners = "L".join(f"{px(a)} {px(b)}" for a, b in [*there, *back])
    return tag("path", d=Markup(f"M{corners}Z"), fill=COLORS[kind], fill_opacity="0.14",
               stroke="none")  # fmt: skip
