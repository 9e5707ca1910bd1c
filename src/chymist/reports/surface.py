"""Pictures of a search: the value of every configuration against one hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.markup import Markup
from chymist.reports.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    axes,
    dot,
    drawing,
    label,
    line,
    span,
    tick_labels,
    tick_texts,
    wide,
)
from chymist.space import Axis, Choice, Range, text_of

SPREAD = 0.16  # of the room of a choice, in which its configurations stand side by side


@dataclass(frozen=True)
class Spot:
    """One configuration in a picture.

    Args:
        at: its value of the hyperparameter.
        value: its metric; infinite if it diverged.
        low, high: the interval, or the value twice if none is to be drawn.
        kind: "s2" the best, "s1" trained to the end, "s3" dropped early.
    """

    at: object
    value: float
    low: float
    high: float
    kind: str


def surface_chart(
    description: str, axis: Axis, spots: Sequence[Spot], x_title: str, y_title: str, percent: bool
) -> Markup:
    """The metric of configurations against one hyperparameter, with intervals.

    The horizontal axis is logarithmic where the search was; what diverged is a cross at the top.

    Args:
        description: what it shows.
        axis: what was searched.
        spots: the configurations, the best last, so that nothing hides it.
        x_title, y_title: what the axes are.
        percent: whether the vertical axis is written in percent.

    Returns:
        An SVG element.
    """
    ends = np.array([end for spot in spots for end in (spot.value, spot.low, spot.high)], float)
    logarithmic = wide(ends) and not percent
    low, high = span(ends, logarithmic)
    high = min(high, 1.0) if percent else high
    y = Scale(low, high, HEIGHT - BOTTOM, TOP, logarithmic)
    if isinstance(axis, Range):
        x = Scale(axis.low, axis.high, LEFT, WIDTH - RIGHT, axis.log)
        parts = [axes(x, y, x_title, y_title, percent, axis.whole)]
        places = [x(float(np.ravel([spot.at])[0])) for spot in spots]
    else:
        x = Scale(-0.5, len(axis.values) - 0.5, LEFT, WIDTH - RIGHT)
        parts = [_frame(x, y, axis, x_title, y_title, percent)]
        places = [x(p) for p in _side_by_side(axis, spots)]
    for place, spot in zip(places, spots, strict=True):
        if not isfinite(spot.value):
            parts.append(label("×", place, y.end - 2, "middle", "lost"))
            continue
        if spot.low < spot.high:
            parts.append(line(place, y(spot.low), place, y(spot.high), spot.kind))
        parts.append(dot(place, y(spot.value), spot.kind, 4.2 if spot.kind == "s2" else 3.0))
    return drawing(description, HEIGHT, *parts)


def _side_by_side(axis: Choice, spots: Sequence[Spot]) -> list[float]:
    """Positions of spots: about their choice, in turn, so that they do not hide each other."""
    order = [axis.values.index(spot.at) for spot in spots]
    most = max(order.count(number) for number in order)
    seen = [order[:n].count(number) for n, number in enumerate(order)]
    step = 4 * SPREAD / max(most, 4)
    return [
        number + (turn - (order.count(number) - 1) / 2) * step
        for number, turn in zip(order, seen, strict=True)
    ]


def _frame(
    x: Scale, y: Scale, axis: Choice, x_title: str, y_title: str, percent: bool
) -> Markup:  # fmt: skip
    """Axes whose horizontal one names choices."""
    names = [fit(text_of(value), 14) for value in axis.values]
    parts = [label(y_title, 0, 13, kind="title")]
    for value, text in zip(y.ticks, tick_labels(y.ticks, percent), strict=True):
        at = y(value)
        parts += [line(x.start, at, x.end, at, "grid"), label(text, x.start - 8, at + 4, "end")]
    parts.append(line(x.start, y.start, x.end, y.start))
    parts += tick_texts(x, list(range(len(names))), names, y.start + 18)
    parts.append(label(x_title, x.end, y.start + 35, "end", kind="title"))
    return Markup("".join(parts))
