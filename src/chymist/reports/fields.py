"""Receptive fields as a picture: a panel a layer, with what is seen of the input filled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.markup import Markup, join, tag
from chymist.reports.svg import COLORS, WIDTH, drawing, label, px

COLUMNS, PANEL, GAP, LETTERS, HEAD = 3, 110, 16, 20, 32


def field_chart(description: str, panels: Sequence[tuple[str, str, np.ndarray]]) -> Markup:
    """Panels side by side: images as squares, sequences and rows of numbers as a strip.

    Args:
        description: what they show.
        panels: title, how far is seen, and what, bool (height, width) or (places,); of one shape.

    Returns:
        An SVG element.

    Example:
        >>> some, whole = np.eye(2, dtype=bool), np.ones((2, 2), bool)
        >>> drawn = field_chart("two", [("a", "2 x 2", some), ("b", "all", whole)])
        >>> drawn.count("<text"), drawn.count('class="bar"')
        (4, 4)
    """
    parts: list[Markup] = []
    tall = max((_grid(seen).shape[0] / _grid(seen).shape[1] for *_, seen in panels), default=1.0)
    height = max(PANEL * min(tall, 2.0), 14)
    step = (WIDTH - COLUMNS * PANEL) / (COLUMNS - 1) + PANEL
    for number, (title, far, seen) in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        left, top = column * step, row * (height + GAP + HEAD)
        parts.append(label(fit(title, LETTERS), left, top + 12))
        parts.append(label(fit(far, LETTERS), left, top + 26))
        parts.append(_panel(_grid(seen), left, top + HEAD, height))
    rows = -(-len(panels) // COLUMNS)
    return drawing(description, rows * (height + GAP + HEAD), *parts)


def _grid(seen: np.ndarray) -> np.ndarray:
    return seen if seen.ndim == 2 else seen[None]


def _panel(seen: np.ndarray, left: float, top: float, height: float) -> Markup:
    """One input: what is seen row by row, as few bars as there are runs."""
    tall, wide = height / seen.shape[0], PANEL / seen.shape[1]
    bars = []
    for row, line in enumerate(seen):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            bars.append(tag(
                "rect", x=px(left + start * wide), y=px(top + row * tall),
                width=px((end - start) * wide), height=px(tall + 0.1), class_="bar",
                fill=COLORS["s1"],
            ))  # fmt: skip
    frame = tag("rect", x=px(left), y=px(top), width=px(PANEL), height=px(height), fill="none",
                stroke=COLORS["axis"])  # fmt: skip
    return join(*bars, frame)
