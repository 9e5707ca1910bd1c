"""Cuts of a protocol as a picture: a line a cut, a cell a row of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.protocols import Cut
from chymist.reports.markup import Markup, join, tag
from chymist.reports.svg import COLORS, dot, drawing, label, px

CELL, GAP = 14, 3
PANEL = 232  # pixels from one panel to the next
MOST = 5  # cuts of a panel that are drawn


def cuts_picture(panels: Sequence[tuple[str, str, Sequence[Cut]]], columns: int = 2) -> Markup:
    """Panels of cuts: squares are trained on, circles are held out, small dots neither.

    A number in a square says how often a bootstrap drew the row.

    Args:
        panels: title; one mark for each row of the data (its class, group or time); cuts, of which
            the first five are drawn.
        columns: panels beside each other.

    Example:
        >>> cut = Cut(np.array([0, 0, 2]), np.array([1]), 0, 0)
        >>> picture = cuts_picture([("bootstrap", "aab", [cut])])
        >>> picture.count("<rect"), picture.count("<circle"), "The first: train" in picture
        (2, 1, True)
    """
    height = max(34 + (CELL + GAP) * min(len(cuts), MOST) for _, _, cuts in panels) + 14
    drawn = [
        _panel(title, marks, cuts[:MOST], 6 + PANEL * (at % columns), height * (at // columns))
        for at, (title, marks, cuts) in enumerate(panels)
    ]
    words = f"Cuts of {', '.join(title for title, _, _ in panels)}. The first: " + "; ".join(
        f"train {_listed(cut.train)}, held {_listed(cut.held)}" for cut in panels[0][2][:2]
    )
    rows = -(-len(panels) // columns)
    return drawing(words, height * rows, *drawn, width=PANEL * min(columns, len(panels)))


def _panel(title: str, marks: str, cuts: Sequence[Cut], left: float, top: float) -> Markup:
    parts = [label(title, left, top + 14, kind="lead")]
    places = [left + (CELL + GAP) * row + CELL / 2 for row in range(len(marks))]
    parts += [label(m, x, top + 29, anchor="middle") for m, x in zip(marks, places, strict=True)]
    for line, cut in enumerate(cuts):
        middle = top + 34 + (CELL + GAP) * line + CELL / 2
        times = np.bincount(cut.train, minlength=len(marks))
        for row, x in enumerate(places):
            if row in cut.held:
                parts.append(dot(x, middle, "s2", CELL / 2))
            elif times[row]:
                parts += _square(x, middle, int(times[row]))
            else:
                parts.append(dot(x, middle, "axis", 1.5))
    return join(*parts)


def _square(x: float, y: float, times: int) -> list[Markup]:
    """A row that is trained on, and how often if that is not once."""
    corner = {"x": px(x - CELL / 2), "y": px(y - CELL / 2)}
    square = tag("rect", **corner, width=px(CELL), height=px(CELL), class_="s1 dot",
                 fill=COLORS["s1"])  # fmt: skip
    number = tag("text", str(times), x=px(x), y=px(y + 4.5), text_anchor="middle",
                 style="fill:#fff;font-weight:700")  # fmt: skip
    return [square, number] if times > 1 else [square]


def _listed(rows: np.ndarray) -> str:
    return " ".join(str(row + 1) for row in rows[:30])
