"""Explanations as a picture: each row, its map, and what they are in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.numbers import number
from chymist.reports.pictures import to_bytes
from chymist.reports.shades import as_shares, overlay, shade
from chymist.reports.sheets import Box, Item, Picture, Sheet, Words
from chymist.reports.svg import WIDTH

SIDE, THIRD, GAP, LINE = 107.0, 69.3, 6.0, 17.0
HALF, WHOLE, BOLD = 33, 70, 60  # letters of a line
BARS = 10  # columns of a row that are drawn


@dataclass(frozen=True, eq=False)
class Card:
    """One row and its map.

    Args:
        words: lines of text; the first is the verdict.
        values: the map: (height, width) of an image, (columns,) of a table, (steps, features).
        shown: what it is a map of: pixels uint8 (height, width, 1 or 3), cells by column as they
            are written, or numbers (steps, features).
        beside: of an image, another map to be drawn beside it.
    """

    words: Sequence[str]
    values: np.ndarray
    shown: np.ndarray | Mapping[str, str]
    beside: np.ndarray | None = None


def map_sheet(title: str, legend: str, cards: Sequence[Card], notes: Sequence[str]) -> Sheet:
    """Rows with their maps on one sheet.

    Args:
        title: what is shown.
        legend: what the strongest colour means; of bars, what they mean.
        cards: of one kind.
        notes: sentences at the foot.

    Returns:
        A `Sheet`: `svg()`, `png()`.

    Example:
        >>> card = Card(["said 1"], np.eye(3), np.ones((3, 3, 1), np.uint8))
        >>> map_sheet("A map", "speaks for it", [card], []).svg().count("<image")
        3
    """
    signed = any(bool((card.values < 0).any()) for card in cards)
    of_image = bool(cards) and not isinstance(cards[0].shown, Mapping) and cards[0].shown.ndim == 3
    of_columns = bool(cards) and isinstance(cards[0].shown, Mapping)
    draw = _image if of_image else _columns if of_columns else _steps
    lines = wrap(title, BOLD)
    items: list[Item] = [Words(one, 0, 14 + LINE * n, "lead") for n, one in enumerate(lines)]
    top, across = 19 + LINE * len(lines), 2 if of_image else 1
    items += [Words(legend, 0, top)] if of_columns else _legend(legend, signed, top)
    top += LINE
    for first in range(0, len(cards), across):
        heights = []
        for place, card in enumerate(cards[first : first + across]):
            made, height = draw(card, place * (WIDTH / 2 + GAP), top)
            items += made
            heights.append(height)
        top += max(heights) + 2 * GAP
    for note in notes:
        for line in wrap(note, WHOLE):
            items.append(Words(line, 0, top + LINE - 6))
            top += LINE
    about = f"{title}. {'; '.join(card.words[0] for card in cards)}"
    return Sheet(about, WIDTH, top + GAP, items)


def _legend(meaning: str, signed: bool, foot: float) -> list[Item]:
    """The scale of the colours, from left to right."""
    shares = np.linspace(-1.0 if signed else 0.0, 1.0, 96)[None]
    ends = ("against", meaning) if signed else ("nothing", meaning)
    left = 58.0
    return [
        Words(ends[0], 0, foot),
        Picture(shade(shares), left, foot - 9, 96, 11, "scale of the colours"),
        Words(ends[1], left + 96 + GAP, foot),
    ]


def _image(card: Card, left: float, top: float) -> tuple[list[Item], float]:
    """The picture, beside it the map over it (and another), the words below."""
    pixels = np.asarray(card.shown)
    maps = [card.values] if card.beside is None else [card.values, card.beside]
    side = SIDE if card.beside is None else THIRD
    tall = side * min(pixels.shape[0] / pixels.shape[1], 2.0)
    seen = [pixels, *(overlay(pixels, as_shares(values)) for values in maps)]
    about = (card.words[0], "the map over it", "the map of random weights")
    items: list[Item] = [
        Picture(one, left + place * (side + GAP), top, side, tall, about[place])
        for place, one in enumerate(seen)
    ]
    for place, text in enumerate(card.words):
        at = top + tall + LINE * (place + 1)
        items.append(Words(fit(text, HALF), left, at, None if place else "lead"))
    return items, tall + LINE * len(card.words) + 4


def _steps(card: Card, left: float, top: float) -> tuple[list[Item], float]:
    """The numbers as a grey strip, a line for each feature, and the map below it."""
    items = _heading(card, left, top)
    at = top + LINE * len(card.words) + 2
    tall = min(max(14.0, 7.0 * card.values.shape[1]), 110.0)
    lines = [to_bytes(one[None, None, :, None])[0] for one in np.asarray(card.shown).T]
    grey = np.concatenate(lines, 1)[0]
    items.append(Picture(grey, left, at, WIDTH, tall, "the numbers at each step"))
    items.append(Picture(shade(as_shares(card.values.T)), left, at + tall + 3, WIDTH, tall,
                         "the map at each step"))  # fmt: skip
    return items, at - top + 2 * tall + 8


def _columns(card: Card, left: float, top: float) -> tuple[list[Item], float]:
    """A bar for each of the strongest columns, to the right if it speaks for the answer."""
    items = _heading(card, left, top)
    cells = dict(card.shown) if isinstance(card.shown, Mapping) else {}
    names, values = list(cells), np.nan_to_num(card.values)
    order = np.argsort(-np.abs(values), kind="stable")[:BARS]
    end = float(np.abs(values).max()) or 1.0
    at, middle, half = top + LINE * len(card.words) + 4, 300.0, 92.0
    if not (values < 0).any():
        middle, half = 215.0, 170.0
    for place in order:
        size = half * float(abs(values[place])) / end
        start = middle - size if values[place] < 0 else middle
        cell = fit(cells[names[place]], 14)
        name = fit(names[place], 26 - len(cell))
        items += [
            Words(f"{name} = {cell}", left, at + 12),
            Box(start, at + 2, max(size, 1.0), 12, "s1" if values[place] < 0 else "s2"),
            Words(number(float(values[place])), left + WIDTH, at + 12, None, "end"),
        ]
        at += LINE
    if len(names) > BARS:
        rest = float(np.abs(np.delete(values, order)).max())
        items.append(Words(f"{len(names) - BARS} more columns, none beyond {number(rest)}", left,
                           at + 12))  # fmt: skip
        at += LINE
    return items, at - top + 4


def _heading(card: Card, left: float, top: float) -> list[Item]:
    return [
        Words(fit(text, WHOLE), left, top + LINE * (place + 1) - 4, None if place else "lead")
        for place, text in enumerate(card.words)
    ]
