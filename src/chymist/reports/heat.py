"""Heat maps: cells whose colour is a number, with the scale beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.reports.markup import Markup, join, tag
from chymist.reports.shades import shade
from chymist.reports.svg import label, px


def color(share: float, signed: bool = False) -> str:
    """The colour of a number: white to blue; or blue, white, vermilion where there is a middle.

    Args:
        share: in [0, 1], or in [-1, 1] with a middle; others are cut.
        signed: whether there is a middle.

    Example:
        >>> color(0.0), color(1.0), color(1.0, signed=True)
        ('#ffffff', '#00528c', '#a63600')
    """
    return _colors(np.array([share]), signed)[0]


def _colors(shares: np.ndarray, signed: bool) -> list[str]:
    """Colours of numbers; "" of what is no number."""
    known = np.nan_to_num(shares)
    made = shade(known.clip(-1, 1) if signed else -known.clip(0, 1))
    return ["#" + bytes(rgb).hex() if share == share else ""
            for rgb, share in zip(made, shares.tolist(), strict=True)]  # fmt: skip


def ink(share: float) -> str:
    """Black or white, which of them is read on the colour of a share.

    Example:
        >>> ink(0.1), ink(-0.9)
        ('#1d1d1b', '#ffffff')
    """
    return "#ffffff" if abs(share) > 0.55 else "#1d1d1b"


def cells(
    values: np.ndarray, left: float, top: float, size: tuple[float, float],
    ends: tuple[float, float], signed: bool = False,
) -> Markup:  # fmt: skip
    """The cells of a heat map; runs of one colour are one rectangle.

    Args:
        values: (rows, columns); NaN is left empty.
        left, top: corner.
        size: width and height of a cell.
        ends: values of the two ends of the scale; with a middle, minus and plus the same number.
        signed: whether the scale has a middle at zero.
    """
    low, high = ends
    reach = high if signed else high - low
    parts = []
    for row, line in enumerate(np.asarray(values, float)):
        shares = (line if signed else line - low) / (reach or 1.0)
        colors = _colors(np.round(shares, 2), signed)
        start = 0
        for end in range(1, len(colors) + 1):
            if end < len(colors) and colors[end] == colors[start]:
                continue
            if colors[start]:
                parts.append(tag(
                    "rect", x=px(left + start * size[0]), y=px(top + row * size[1]),
                    width=px((end - start) * size[0] + 0.1), height=px(size[1]),
                    fill=colors[start],
                ))  # fmt: skip
            start = end
    return tag("g", *parts, shape_rendering="crispEdges")


def key(
    left: float,
    top: float,
    ends: tuple[str, str],
    signed: bool = False,
    width: float = 120,
    least: float = -1.0,
) -> Markup:
    """The scale of a heat map with the numbers at its ends.

    Args:
        left, top: corner.
        ends: the numbers as text.
        signed: whether it has a middle, which is 0.
        width: of the band.
        least: 0 where the scale has a middle, and nothing is below it.
    """
    steps = np.linspace(least if signed else 0, 1, 25)[None]
    band = cells(steps, left, top, (width / 25, 9), (-1 if signed else 0, 1), signed)
    middle = (
        label("0", left + width / 2, top + 23, "middle")
        if signed and least < 0 and width > 90
        else ""
    )
    return join(
        band, label(ends[0], left, top + 23), middle, label(ends[1], left + width, top + 23, "end")
    )


def every(names: Sequence[str], room: float, each: float) -> list[int]:
    """Places of the names that are written where not all find room.

    Args:
        names: in order.
        room: pixels between two neighbours.
        each: pixels that a name needs.

    Example:
        >>> every(["a", "b", "c", "d"], room=6, each=12)
        [0, 2]
    """
    step = max(1, int(np.ceil(each / room)))
    return list(range(0, len(names), step))
