"""The primitives of the SVG kit: scales, round ticks, axes and paths, as pure functions.

Colours are attributes that a style sheet may override: classes `s1`, `s2` and `s3` are the lines
(blue and dashed, vermilion, green: Okabe and Ito's palette, which the colour-blind tell apart),
`grid`, `axis` and `faint` the rest. A drawing is therefore readable where style sheets are
stripped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10

import numpy as np

from chymist.reports.markup import Markup, join, tag

WIDTH, HEIGHT = 460, 265
WIDEST = 560  # the style sheet draws nothing wider, if it does not say so itself
LEFT, RIGHT, TOP, BOTTOM = 58, 78, 40, 38
FONT = 12.5
GAP = 22  # between drawings of one picture
COLORS = {
    "s1": "#0072b2",
    "s2": "#d55e00",
    "s3": "#009e73",
    "axis": "#767676",
    "best": "#767676",
    "floor": "#767676",
}
LARGEST, SMALLEST = sys.float_info.max, 1e-290
DASHES = {"s1": "6 4"}  # of curves, so that two differ without colour
DASHED = {"best": "2 3", "floor": "7 3 1 3"}  # of straight lines


@dataclass(frozen=True)
class Scale:
    """A map from values to pixels, linear or logarithmic.

    Args:
        low, high: values at the two ends, low < high; positive for a logarithmic scale.
        start, end: pixels at the two ends.
        log: whether equal ratios are equal distances.

    Example:
        >>> Scale(0.0, 10.0, 100.0, 200.0)(5.0)
        150.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of one value."""
        if self.log:
            share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:  # halves, so that the span of the largest numbers does not overflow
            share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values within the scale."""
        return log_ticks(self.low, self.high) if self.log else nice_ticks(self.low, self.high)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from low to high.

    Args:
        low, high: the range, low < high.
        count: about how many.

    Example:
        >>> nice_ticks(0.0, 1.0), nice_ticks(3.0, 97.0)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [20.0, 40.0, 60.0, 80.0])

    Source: Heckbert 1990, Nice numbers for graph labels, Graphics Gems.
    """
    if alike(low, high):
        return [low]
    rough = high / count - low / count
    power = floor(log10(rough))
    unit = next(m for m in (1, 2, 5, 10) if rough <= m * 10.0**power * (1 + 1e-9))
    step = unit * 10.0**power
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    # Divided by a power of ten where that is exact: 3 * 0.1 is not 0.3.
    scale = 10.0**-power
    exact = power < 0 and isfinite(scale)
    ticks = [n * unit / scale if exact else n * step for n in range(first, last + 1)]
    return [t for t in ticks if isfinite(t)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within a range, with their double and fivefold where few fit.

    Example:
        >>> log_ticks(0.01, 10.0), log_ticks(0.3, 3.0)
        ([0.01, 0.1, 1.0, 10.0], [0.5, 1.0, 2.0])
    """
    lowest, highest = floor(log10(low)), ceil(log10(high))
    every = max(1, (highest - lowest) // 5)
    powers = range(lowest, highest + 1)
    units = (1, 2, 5) if highest - lowest <= 2 else (1,)
    kept = [p for p in powers if p % every == 0 and -300 < p < 308]
    ticks = [float(f"{u}e{p}") for p in kept for u in units]
    return [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)] or [low, high]


def tick_labels(ticks: Sequence[float], percent: bool = False) -> list[str]:
    """Ticks as texts with equally many decimals.

    Example:
        >>> tick_labels([0.0, 0.5, 1.0]), tick_labels([0.9, 0.95], percent=True)
        (['0', '0.5', '1'], ['90 %', '95 %'])
    """
    if percent:
        return [f"{100 * t:.6g} %" for t in ticks]
    if all(t == round(t) and abs(t) < 1e6 for t in ticks):
        return [f"{t:,.0f}" for t in ticks]
    for digits in range(4, 12):  # ticks that are close together need more
        texts = [f"{t:.{digits}g}" for t in ticks]
        if len(set(texts)) == len(texts):
            break
    return texts


def span(values: np.ndarray, log: bool = False, zero: bool = False) -> tuple[float, float]:
    """The range that an axis must show, with a little room; never empty.

    Args:
        values: finite or not; only finite ones count.
        log: whether the axis is logarithmic.
        zero: whether the axis must hold zero.

    Example:
        >>> span(np.array([1.0, np.nan, 1.0]))
        (0.5, 1.5)
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if log:
        return low / 1.15, min(high * 1.15, LARGEST)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    size = max(abs(low), abs(high))
    room = high / 20 - low / 20
    if alike(low, high):
        room = size / 2 if size > SMALLEST else 0.5
    down = low if zero and low == 0 else low - room
    return max(down, -LARGEST), min(high + room, LARGEST)


def alike(low: float, high: float) -> bool:
    """Whether two numbers are so near that an axis between them would show rounding.

    Example:
        >>> alike(0.1 + 0.2, 0.3), alike(0.3, 0.4)
        (True, False)
    """
    half = high / 2 - low / 2
    return half <= 1e-12 * max(abs(low), abs(high)) or half < SMALLEST


def wide(values: np.ndarray) -> bool:
    """Whether values span so much that only a logarithmic axis shows them."""
    finite = values[np.isfinite(values)]
    return bool(len(finite)) and finite.min() > SMALLEST and bool(finite.max() / 30 > finite.min())


def label(
    content: object, x: float, y: float, anchor: str = "start", kind: str | None = None
) -> Markup:
    """A text; `kind` is its class."""
    fill = COLORS.get(kind or "", "#767676")
    place = anchor if anchor != "start" else None
    return tag("text", content, x=px(x), y=px(y), text_anchor=place, class_=kind, fill=fill)


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> Markup:
    """A straight line."""
    color = COLORS.get(kind, "#d8d8d8")
    ends = {"x1": px(x1), "y1": px(y1), "x2": px(x2), "y2": px(y2)}
    return tag("line", **ends, class_=kind, stroke=color, stroke_dasharray=DASHED.get(kind))


def dot(x: float, y: float, kind: str, size: float = 3.0) -> Markup:
    """A filled point."""
    return tag("circle", cx=px(x), cy=px(y), r=px(size), class_=f"{kind} dot", fill=COLORS[kind])


def path(runs: Sequence[Sequence[tuple[float, float]]], kind: str, faint: bool = False) -> Markup:
    """Unbroken runs of points as one line."""
    steps = "".join(
        "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points) for points in runs if points
    )
    return tag(
        "path", d=Markup(steps), class_=f"{kind} faint" if faint else kind, fill="none",
        stroke=COLORS[kind], stroke_width=None if faint else "1.8",
        stroke_opacity="0.4" if faint else None,
        stroke_dasharray=None if faint else DASHES.get(kind),
    )  # fmt: skip


def tick_texts(x: Scale, ticks: Sequence[float], texts: Sequence[str], y: float) -> list[Markup]:
    """Tick labels below an axis; those that would run into the one before are left out."""
    parts, last = [], -inf
    for tick, text in zip(ticks, texts, strict=True):
        at, half = x(tick), 5 * len(text)
        if at - half > last:
            parts.append(label(text, at, y, "middle"))
            last = at + half
    return parts


def axes(
    x: Scale, y: Scale, x_title: str, y_title: str, percent: bool = False, whole: bool = False
) -> Markup:
    """Grid lines, tick labels and titles; the vertical axis has its title at the top, unturned.

    Args:
        x, y: the scales.
        x_title, y_title: what they show, with units.
        percent: whether the vertical axis is written in percent.
        whole: whether the horizontal axis is labelled at whole numbers only.
    """
    parts = [label(y_title, 0, 13, kind="title")]
    for value, text in zip(y.ticks, tick_labels(y.ticks, percent), strict=True):
        at = y(value)
        parts += [line(x.start, at, x.end, at, "grid"), label(text, x.start - 8, at + 4, "end")]
    parts.append(line(x.start, y.start, x.end, y.start))
    ticks = [t for t in x.ticks if t == round(t)] if whole else x.ticks
    parts += [line(x(tick), y.start, x(tick), y.start + 4) for tick in ticks]
    parts += tick_texts(x, ticks, tick_labels(ticks), y.start + 18)
    parts.append(label(x_title, x.end, y.start + 35, "end", kind="title"))
    return join(*parts)


def drawing(description: str, height: float, *parts: object, width: float = WIDTH) -> Markup:
    """A whole drawing; the description is read out instead of it."""
    return tag(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {px(width)} {px(height)}",
        width=px(width), height=px(height), role="img", aria_label=description[:300],
        font_size=str(FONT), font_family="system-ui, sans-serif",
        style=f"max-width:{px(width)}px" if width > WIDEST else None,
    )  # fmt: skip


def side_by_side(description: str, drawings: Sequence[Markup], columns: int = 2) -> Markup:
    """Drawings of the usual size as one, in columns.

    Args:
        description: of all of them.
        drawings: as charts make them.
        columns: at most.

    Example:
        >>> both = side_by_side("two", [drawing("a", HEIGHT, "A"), drawing("b", HEIGHT, "B")])
        >>> both.count("<svg"), both.count("<g"), f'width="{2 * WIDTH}"' in both
        (1, 2, True)
    """
    columns = min(columns, max(len(drawings), 1))
    parts = []
    for number, one in enumerate(drawings):
        row, column = divmod(number, columns)
        inner = Markup(one[one.index(">") + 1 : one.rindex("</svg>")])
        at = f"translate({px(column * WIDTH)} {px(row * (HEIGHT + GAP))})"
        parts.append(tag("g", inner, transform=at))
    rows = -(-len(drawings) // columns)
    height = rows * (HEIGHT + GAP) - GAP
    return drawing(description, height, *parts, width=columns * WIDTH)


def px(value: float) -> str:
    """A coordinate with at most one decimal.

    Example:
        >>> px(12.0), px(0.25)
        ('12', '0.2')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
