"""Rows of small pictures with captions, under a title and a note that says how to read them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chymist.errors import printable
from chymist.reports.markup import Markup, tag
from chymist.reports.sheets import Box, Item, Picture, Sheet, Words

WIDTH, MARGIN, GAP = 920, 10, 6
LINE, CHARACTER = 15, 6.8  # pixels of a line of text, and of a character
NOTEBOOK = 100_000  # bytes of a picture in a notebook
CROSS = np.array([213, 94, 0], np.uint8)


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture with a caption.

    Args:
        image: uint8, (height, width, 1 or 3).
        caption: of one line or more; cut where it is wider than the picture and its neighbours.
        crossed: whether it is crossed out, as units that never respond are.
        size: width and height as drawn, in pixels; None as the line says.
        frame: colour of a frame by its kind in the kit ("s2", "s3", "axis"); "" for none.
    """

    image: np.ndarray
    caption: str = ""
    crossed: bool = False
    size: tuple[float, float] | None = None
    frame: str = ""


@dataclass(frozen=True, eq=False)
class PictureRow:
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
class PictureRows:
    """Rows of pictures under a title, with a note.

    Args:
        title: what they show.
        rows: from top to bottom.
        note: how they were made, and what the brightness means.

    Example:
        >>> dot = Cell(np.zeros((2, 2, 1), np.uint8), "unit 1", crossed=True)
        >>> rows = PictureRows("Dots", (PictureRow("one", (dot,)),), "All are black.")
        >>> rows.sheet.svg().count("<image"), rows.sheet.png()[1:4]
        (1, b'PNG')
    """

    title: str
    rows: tuple[PictureRow, ...]
    note: str = ""

    @property
    def sheet(self) -> Sheet:
        """Everything at its place."""
        items: list[Item] = [Words(printable(self.title), MARGIN, 20, "lead")]
        y = 30.0
        for text in _wrapped(self.note):
            items.append(Words(text, MARGIN, y + 12))
            y += LINE
        for row in self.rows:
            y += 8
            for text in _wrapped(row.heading):
                items.append(Words(text, MARGIN, y + 12, "lead"))
                y += LINE + 4
            y = _place_cells(row, y, items)
        return Sheet(self.title, WIDTH, y + MARGIN, items)

    def html(self) -> str:
        """The rows for a notebook, in at most 100 kB; larger ones are drawn smaller."""
        from PIL import Image

        for dots in (2.0, 1.0):
            whole = str(self.sheet.svg(dots))
            if len(whole) <= NOTEBOOK:
                return whole
        made = Image.open(io.BytesIO(self.sheet.png())).convert("RGB")
        picture = ""
        for share in (0.7, 0.5, 0.35, 0.25, 0.15, 0.1):
            small = made.resize((round(made.width * share), max(1, round(made.height * share))))
            stream = io.BytesIO()
            small.save(stream, "JPEG", quality=60)
            data = base64.b64encode(stream.getvalue()).decode()
            picture = tag("img", src=Markup("data:image/jpeg;base64," + data), alt=self.title)
            if len(picture) <= NOTEBOOK:
                break
        return str(picture)


def _place_cells(row: PictureRow, y: float, items: list[Item]) -> float:
    """Place the pictures of a row from y on; returns where the next may begin."""
    x, tallest = float(MARGIN), 0.0
    for cell in row.cells:
        width, height = cell.size or _size(cell.image, row.side)
        room = max(width, row.side if cell.size is None else 0)
        if x + room > WIDTH - MARGIN and x > MARGIN:
            x, y, tallest = float(MARGIN), y + tallest + GAP, 0.0
        edge = 0.5 if cell.frame == "axis" else 1.5
        if cell.frame:
            items.append(Box(x - edge, y - edge, width + 2 * edge, height + 2 * edge, cell.frame))
        image = crossed_out(cell.image) if cell.crossed else cell.image
        items.append(Picture(image, x, y, width, height, cell.caption.split("\n")[0]))
        captions = [_cut(text, room) for text in cell.caption.split("\n")] if cell.caption else []
        for number, text in enumerate(captions):
            items.append(Words(text, x, y + height + 13 + number * (LINE - 2)))
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


def crossed_out(image: np.ndarray) -> np.ndarray:
    """A picture with both diagonals in orange, enlarged so that they can be seen.

    Args:
        image: uint8, (height, width, 1 or 3).

    Example:
        >>> crossed_out(np.zeros((4, 4, 1), np.uint8)).shape
        (48, 48, 3)
    """
    times = max(1, -(-48 // max(image.shape[:2])))
    made = image.repeat(times, 0).repeat(times, 1)
    made = made.repeat(3, 2) if made.shape[2] == 1 else made.copy()
    lines, columns = np.indices(made.shape[:2])
    down = lines * made.shape[1] - columns * made.shape[0]
    up = (lines + 1) * made.shape[1] + columns * made.shape[0] - made.shape[0] * made.shape[1]
    made[(np.abs(down) <= max(made.shape[:2])) | (np.abs(up) <= max(made.shape[:2]))] = CROSS
    return made


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
