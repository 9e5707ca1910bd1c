"""Sheets of small pictures with captions, as SVG and as PNG, from one layout."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.errors import printable
from chymist.reports.markup import Markup, tag
from chymist.reports.pictures import data_uri
from chymist.reports.svg import COLORS, drawing, label, px

WIDTH, MARGIN, GAP = 920, 10, 6
LETTER, LINE, CHARACTER = 11, 14, 5.8  # pixels of captions: size, line, width of a character
NOTEBOOK = 100_000  # bytes of a picture in a notebook


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture with a caption.

    Args:
        image: uint8, (height, width, 1 or 3).
        caption: of one line or more; cut where it is wider than the picture and its neighbours.
        crossed: whether it is crossed out, as units that never respond are.
        size: width and height as drawn, in pixels; None as the line says.
        frame: colour of a frame, "" for none.
    """

    image: np.ndarray
    caption: str = ""
    crossed: bool = False
    size: tuple[float, float] | None = None
    frame: str = ""


@dataclass(frozen=True, eq=False)
class Line:
    """Pictures beside each other under a heading; they go on below where there is no room.

    Args:
        heading: a sentence, or nothing.
        cells: the pictures.
        side: pixels of the longer side of a picture.
    """

    heading: str
    cells: tuple[Cell, ...]
    side: float = 72


@dataclass(frozen=True, eq=False)
class Sheet:
    """Lines of pictures under a title, with a note that says how to read them.

    Args:
        title: what it shows.
        lines: from top to bottom.
        note: how it was made, and what the brightness means.

    Example:
        >>> dot = Cell(np.zeros((2, 2, 1), np.uint8), "unit 1", crossed=True)
        >>> sheet = Sheet("Dots", (Line("one", (dot,)),), "All are black.")
        >>> sheet.svg().count("<image"), sheet.png()[1:4]
        (1, b'PNG')
    """

    title: str
    lines: tuple[Line, ...]
    note: str = ""

    def svg(self) -> str:
        """The sheet as an SVG element."""
        items, height = _layout(self)
        return str(drawing(self.title, height, *map(_in_svg, items), width=WIDTH))

    def png(self, scale: float = 2.0, colors: int = 0) -> bytes:
        """The sheet as a PNG file.

        Args:
            scale: pixels for each pixel of the SVG.
            colors: how many are kept; 0 keeps all.
        """
        from PIL import Image, ImageDraw

        items, height = _layout(self)
        made = Image.new("RGB", (round(WIDTH * scale), round(height * scale)), "white")
        pen = ImageDraw.Draw(made)
        for item in items:
            _in_png(item, made, pen, scale)
        stream = io.BytesIO()
        (made.quantize(colors) if colors else made).save(stream, "PNG", optimize=True)
        return stream.getvalue()

    def html(self) -> str:
        """The sheet for a notebook, in at most 100 kB; larger ones are drawn smaller."""
        whole = self.svg()
        if len(whole) <= NOTEBOOK:
            return whole
        for scale in (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1):
            data = base64.b64encode(self.png(scale, 64)).decode()
            picture = tag("img", src=Markup("data:image/png;base64," + data), alt=self.title)
            if len(picture) <= NOTEBOOK:
                break
        return str(picture)


@dataclass(frozen=True, eq=False)
class _Item:
    """Something at a place: a text (kind "text" or "title"), a picture, a cross, or a frame."""

    kind: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    content: Any = None


def _layout(sheet: Sheet) -> tuple[list[_Item], float]:
    """Everything at its place, and the height of the whole."""
    items = [_Item("title", MARGIN, 20, content=printable(sheet.title))]
    y = 32.0
    for text in _wrapped(sheet.note):
        items.append(_Item("text", MARGIN, y + LETTER, content=text))
        y += LINE
    for line in sheet.lines:
        y += 8
        for text in _wrapped(line.heading):
            items.append(_Item("title", MARGIN, y + LETTER, content=text))
            y += LINE + 3
        y = _place_cells(line, y, items)
    return items, y + MARGIN


def _place_cells(line: Line, y: float, items: list[_Item]) -> float:
    """Place the pictures of a line from y on; returns where the next may begin."""
    x, tallest = float(MARGIN), 0.0
    for cell in line.cells:
        width, height = cell.size or _size(cell.image, line.side)
        room = max(width, line.side if cell.size is None else 0)
        if x + room > WIDTH - MARGIN and x > MARGIN:
            x, y, tallest = float(MARGIN), y + tallest + GAP, 0.0
        items.append(_Item("image", x, y, width, height, cell.image))
        if cell.crossed:
            items.append(_Item("cross", x, y, width, height))
        if cell.frame:
            items.append(_Item("frame", x, y, width, height, cell.frame))
        captions = [_cut(text, room) for text in cell.caption.split("\n")] if cell.caption else []
        for number, text in enumerate(captions):
            at = y + height + LETTER + 2 + number * (LINE - 2)
            items.append(_Item("text", x, at, content=text))
        tallest = max(tallest, height + len(captions) * (LINE - 2) + 2)
        x += room + GAP
    return y + tallest + GAP


def _size(image: np.ndarray, side: float) -> tuple[float, float]:
    """Width and height of a picture whose longer side is given."""
    height, width = image.shape[:2]
    return side * width / max(height, width), side * height / max(height, width)


def _cut(text: str, room: float) -> str:
    most = max(4, int((room + GAP - 2) / CHARACTER))
    text = printable(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, most: int = int((WIDTH - 2 * MARGIN) / CHARACTER)) -> list[str]:
    """A text in lines."""
    lines: list[str] = []
    for word in printable(text).split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += " " + word
        else:
            lines.append(word[:most])
    return lines


def _in_svg(item: _Item) -> Markup:
    if item.kind in ("text", "title"):
        kind = "title" if item.kind == "title" else None
        words = label(item.content, item.x, item.y, kind=kind)
        return Markup(words.replace("<text ", f'<text font-size="{LETTER}" ', 1))
    place = {"x": px(item.x), "y": px(item.y), "width": px(item.width), "height": px(item.height)}
    if item.kind == "image":
        side = round(2 * max(item.width, item.height))
        return tag("image", href=Markup(data_uri(item.content, side)), **place,
                   preserveAspectRatio="none", style="image-rendering:pixelated")  # fmt: skip
    if item.kind == "frame":
        return tag("rect", **place, fill="none", stroke=item.content, stroke_width="1.5")
    x, y, right, below = item.x, item.y, item.x + item.width, item.y + item.height
    d = f"M{px(x)} {px(y)}L{px(right)} {px(below)}M{px(right)} {px(y)}L{px(x)} {px(below)}"
    return tag("path", d=d, stroke=COLORS["s2"], stroke_width="1.5", fill="none")


def _in_png(item: _Item, made: Any, pen: Any, scale: float) -> None:
    from PIL import Image, ImageFont

    x, y = item.x * scale, item.y * scale
    right, below = x + item.width * scale, y + item.height * scale
    if item.kind in ("text", "title"):
        font = ImageFont.load_default(LETTER * scale)
        pen.text((x, y), item.content, "#222" if item.kind == "title" else "#666", font, "ls")
    elif item.kind == "image":
        grey = item.content.shape[-1] == 1
        picture = Image.fromarray(item.content[..., 0] if grey else item.content).convert("RGB")
        size = max(1, round(right - x)), max(1, round(below - y))
        larger = size[0] >= picture.width and size[1] >= picture.height
        way = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
        made.paste(picture.resize(size, way), (round(x), round(y)))
    elif item.kind == "frame":
        pen.rectangle((x, y, right, below), outline=item.content, width=max(1, round(1.5 * scale)))
    else:
        for ends in ((x, y, right, below), (right, y, x, below)):
            pen.line(ends, COLORS["s2"], max(1, round(1.5 * scale)))


def shaded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers as grey: `low` is black and `high` white; all are black where these are equal.

    Args:
        values: (height, width).
        low, high: of the scale.

    Returns:
        uint8, (height, width, 1).

    Example:
        >>> shaded(np.array([[0.0, 1.0, 2.0]]), 0.0, 2.0).ravel().tolist()
        [0, 128, 255]
    """
    shares = (np.nan_to_num(values) - low) / (high - low or 1.0)
    made: np.ndarray = np.round(255 * shares.clip(0, 1)).astype(np.uint8)[..., None]
    return made


def raw_shaded(images: Sequence[np.ndarray], low: float, high: float) -> list[np.ndarray]:
    """Raw pixels on the scale of their data set; of other than 1 or 3 channels the mean.

    Args:
        images: (height, width, channels) each.
        low, high: the range of pixels.

    Example:
        >>> raw_shaded([np.full((1, 1, 2), 8.0)], 0.0, 16.0)[0].ravel().tolist()
        [128]
    """
    made = []
    for image in images:
        values = np.asarray(image, np.float64)
        if values.shape[-1] not in (1, 3):
            values = values.mean(-1, keepdims=True)
        shares = (values - low) / (high - low or 1.0)
        made.append(np.round(255 * np.nan_to_num(shares).clip(0, 1)).astype(np.uint8))
    return made
