"""Pictures with words: what stands where, drawn as SVG or as PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chymist.reports.markup import Markup, tag
from chymist.reports.svg import COLORS, FONT, drawing, label, px

Anchor = Literal["start", "middle", "end"]
INK, SOFT, PAPER = "#1d1d1b", "#5c5c57", "#fdfdfa"
SHARP = 2  # dots of a picture file for a unit of the drawing
MARGIN = 10  # around a picture file
PHOTO = 6000  # bytes of a PNG from which on a JPEG stands in its place


@dataclass(frozen=True)
class Words:
    """A line of text; its foot is at y."""

    text: str
    x: float
    y: float
    kind: str | None = None
    anchor: Anchor = "start"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, uint8 (height, width, 1 or 3), stretched to its place."""

    image: np.ndarray
    x: float
    y: float
    width: float
    height: float
    about: str = ""


@dataclass(frozen=True)
class Box:
    """A filled rectangle in a colour of the kit."""

    x: float
    y: float
    width: float
    height: float
    kind: str


Item = Words | Picture | Box


@dataclass(frozen=True, eq=False)
class Sheet:
    """Things and their places.

    Args:
        about: what is seen, in words, for those who do not see it.
        width, height: of the whole.
        items: what stands on it; later ones over earlier ones.
    """

    about: str
    width: float
    height: float
    items: Sequence[Item]

    def svg(self, dots: float = SHARP) -> Markup:
        """As an SVG element; `dots` of each picture for a unit of the drawing at most."""
        parts = [_svg(item, dots) for item in self.items]
        return drawing(self.about, self.height, *parts, width=self.width)

    def png(self) -> bytes:
        """As a PNG file."""
        from PIL import Image, ImageDraw

        size = [round((side + 2 * MARGIN) * SHARP) for side in (self.width, self.height)]
        canvas = Image.new("RGB", (size[0], size[1]), PAPER)
        pen = ImageDraw.Draw(canvas)
        for item in self.items:
            _paint(canvas, pen, item)
        stream = io.BytesIO()
        canvas.save(stream, "PNG", optimize=True)
        return stream.getvalue()


def _svg(item: Item, dots: float) -> Markup:
    if isinstance(item, Words):
        return label(item.text, item.x, item.y, item.anchor, item.kind)
    place = {"x": px(item.x), "y": px(item.y), "width": px(item.width), "height": px(item.height)}
    if isinstance(item, Box):
        return tag("rect", **place, class_=f"dot {item.kind}", stroke="none",
                   fill=COLORS.get(item.kind, "#767676"))  # fmt: skip
    side = round(dots * max(item.width, item.height))
    crisp = None if max(item.image.shape) > side // 2 else "image-rendering:pixelated"
    return tag("image", tag("title", item.about) if item.about else Markup(""), **place,
               preserveAspectRatio="none", style=crisp,
               href=Markup(_small(item.image, side)))  # fmt: skip


def _small(image: np.ndarray, side: int) -> str:
    """A picture as an address within the drawing: PNG, or JPEG where that is large."""
    made = _pillow(image)
    made.thumbnail((side, side))
    stream = io.BytesIO()
    made.save(stream, "PNG", optimize=True)
    kind = "png"
    if stream.tell() > PHOTO:
        stream, kind = io.BytesIO(), "jpeg"
        made.save(stream, "JPEG", quality=82)
    return f"data:image/{kind};base64," + base64.b64encode(stream.getvalue()).decode()


def _paint(canvas: Any, pen: Any, item: Item) -> None:
    from PIL.Image import Resampling

    x, y = (item.x + MARGIN) * SHARP, (item.y + MARGIN) * SHARP
    if isinstance(item, Words):
        ink = {"lead": INK, None: SOFT}.get(item.kind, COLORS.get(item.kind or "", SOFT))
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[item.anchor]
        pen.text((x, y), item.text, ink, _font(item.kind == "lead"), anchor)
        return
    width, height = round(item.width * SHARP), round(item.height * SHARP)
    if isinstance(item, Box):
        pen.rectangle((x, y, x + width - 1, y + height - 1), COLORS.get(item.kind, SOFT))
        return
    small = item.image.shape[0] < height
    made = _pillow(item.image).resize(
        (width, height), Resampling.NEAREST if small else Resampling.LANCZOS
    )
    canvas.paste(made, (round(x), round(y)))


def _pillow(image: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


@cache
def _font(bold: bool) -> Any:
    """DejaVu Sans, which matplotlib brings; it has the letters of most scripts."""
    from PIL import ImageFont

    spec = find_spec("matplotlib")
    folder = Path(str(spec.origin)).parent if spec else Path()
    path = folder / "mpl-data" / "fonts" / "ttf" / f"DejaVuSans{'-Bold' if bold else ''}.ttf"
    size = FONT * SHARP * 0.92  # it is wider than the fonts of most systems
    return ImageFont.truetype(str(path), size) if path.is_file() else ImageFont.load_default(size)
