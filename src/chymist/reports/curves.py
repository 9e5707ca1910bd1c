"""Learning curves drawn: scores on training and held rows against the number of training rows."""

from __future__ import annotations

from collections.abc import Sequence
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
)
from chymist.values import SHARES, Score, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = (("training", "s1"), ("held out", "s2"))


def curve_svg(sizes: Sequence[int], train: Sequence[Score], held: Sequence[Score]) -> Markup:
    """Both scores over the number of training rows, with their intervals as bands.

    Args:
        sizes: training rows, ascending.
        train, held: scores on training and on held rows, one a size.

    Returns:
        An SVG element; the horizontal axis is logarithmic.
    """
    metric = held[0].metric
    x = Scale(float(sizes[0]), float(sizes[-1]), LEFT, WIDTH - RIGHT, log=True)
    ends = np.array([v for s in (*train, *held) for v in (s.value, s.low, s.high)])
    low, high = span(ends[np.isfinite(ends)])
    y = Scale(low, min(high, 1.0) if metric in SHARES else high, HEIGHT - BOTTOM, TOP)
    name = metric_name(metric)
    parts = [_frame(x, y, sizes, name, metric in SHARES)]
    labels = []
    for (part, kind), scores in zip(PARTS, (train, held), strict=True):
        points = [(x(float(n)), y(s.value)) for n, s in zip(sizes, scores, strict=True)]
        parts += [_band(sizes, scores, x, y, kind), path([points], kind)]
        parts += [dot(*point, kind, 2.6) for point in points]
        labels.append((points[-1][1], part, kind))
    above = -100.0
    for at, part, kind in sorted(labels):
        above = max(at + 4, above + 15)
        parts.append(label(part, WIDTH - RIGHT + 7, above, kind=kind))
    title = f"{name} on training and held-out rows by number of training rows"
    return drawing(title, HEIGHT, *parts)


def plot_curve(sizes: Sequence[int], train: Sequence[Score], held: Sequence[Score]) -> Axes:
    """The same with matplotlib; nothing is shown and no global state is touched.

    Args:
        sizes, train, held: as for `curve_svg`.

    Returns:
        matplotlib axes; their figure is `axes.figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    found = figure.subplots()
    metric = held[0].metric
    factor = 100 if metric in SHARES else 1
    for (part, kind), scores in zip(PARTS, (train, held), strict=True):
        value, low, high = factor * np.array([(s.value, s.low, s.high) for s in scores]).T
        style = "--" if kind == "s1" else "-"
        found.plot(sizes, value, marker=".", label=part, color=COLORS[kind], linestyle=style)
        found.fill_between(sizes, low, high, color=COLORS[kind], alpha=0.15, linewidth=0)
    unit = " (%)" if metric in SHARES else ""
    found.set(xscale="log", xlabel="training rows", ylabel=metric_name(metric) + unit)
    found.set_xticks(sizes, [f"{n:,}" for n in sizes])
    found.minorticks_off()
    found.legend(frameon=False)
    return found


def curve_html(
    verdict: str, sizes: Sequence[int], train: Sequence[Score], held: Sequence[Score]
) -> Markup:
    """Verdict, drawing and numbers for a notebook."""
    rows = [
        [f"{n:,}", show(b.metric, b.value), interval(b), show(a.metric, a.value), interval(a)]
        for n, a, b in zip(sizes, train, held, strict=True)
    ]
    heads = ["rows", "held out", "95 % interval", "training", "95 % interval"]
    return tag(
        "div",
        tag("p", tag("strong", safe(verdict, 400))),
        tag("div", curve_svg(sizes, train, held), style="max-width:460px"),
        table(heads, rows, {0, 1, 2, 3, 4}),
    )


def _frame(x: Scale, y: Scale, sizes: Sequence[int], name: str, percent: bool) -> Markup:
    """Axes whose horizontal ticks are the sizes: of sizes that halve, few are round numbers."""
    parts = [label(name, 0, 13, kind="title")]
    for value, text in zip(y.ticks, tick_labels(y.ticks, percent), strict=True):
        at = y(value)
        parts += [line(x.start, at, x.end, at, "grid"), label(text, x.start - 8, at + 4, "end")]
    parts.append(line(x.start, y.start, x.end, y.start))
    ticks = [float(size) for size in sizes]
    parts += [line(x(tick), y.start, x(tick), y.start + 4) for tick in ticks]
    parts += tick_texts(x, ticks, [f"{size:,}" for size in sizes], y.start + 18)
    parts.append(label("training rows, logarithmic axis", x.end, y.start + 35, "end", "title"))
    return join(*parts)


def _band(sizes: Sequence[int], scores: Sequence[Score], x: Scale, y: Scale, kind: str) -> Markup:
    """The intervals as an area; infinite ends are cut at the edge of the drawing."""
    low, high = ([min(max(end, y.low), y.high) for end in ends]
                 for ends in zip(*((s.low, s.high) for s in scores), strict=True))  # fmt: skip
    there = [(x(float(n)), y(v)) for n, v in zip(sizes, high, strict=True)]
    back = [(x(float(n)), y(v)) for n, v in zip(sizes, low, strict=True)][::-1]
    corners = "L".join(f"{px(a)} {px(b)}" for a, b in [*there, *back])
    return tag("path", d=Markup(f"M{corners}Z"), fill=COLORS[kind], fill_opacity="0.14",
               stroke="none")  # fmt: skip
