"""Decoding single images: only known formats, bounded size, upright, in the wanted form."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chymist.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MAX_PIXELS = 50_000_000  # two copies of that many fit into 0.4 GB
STRIP = 2**21  # pixels that are flattened at once
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
SIDEWAYS = (5, 6, 7, 8)  # values of the EXIF orientation that swap width and height

# What Pillow raises for damaged files, besides OSError.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


class Header(NamedTuple):
    """Height, width and colour of an image, upright."""

    height: int
    width: int
    colour: bool


def read_header(content: bytes, label: str) -> Header:
    """Size and colour of an image, without decoding its pixels.

    Raises:
        InputError: no image, an animation, or more than 50 million pixels.

    Example:
        >>> read_header(example_png(), "a.png")
        Header(height=2, width=3, colour=False)
    """
    image = _open(content, label)
    width, height = image.size
    try:
        if image.getexif().get(0x0112) in SIDEWAYS:
            width, height = height, width
    except DAMAGED as error:
        raise _damaged(label, error) from None
    return Header(height, width, image.mode not in GREY_MODES)


def decode(content: bytes, label: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of an image in a given form.

    The image is turned upright as its EXIF entry says; transparent parts become white; it is cut
    to the wanted proportions around its centre and resized (bicubic) if its size differs.

    Args:
        content: bytes of the file.
        label: name of the file, for messages.
        shape: (height, width, channels) with 1 or 3 channels.

    Returns:
        uint8 of that shape.

    Raises:
        InputError: a damaged image.

    Example:
        >>> decode(example_png(), "a.png", (2, 3, 1)).tolist()
        [[[0], [50], [100]], [[150], [200], [250]]]
    """
    from PIL import Image, ImageOps

    image = _open(content, label)
    height, width, channels = shape
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        image = _flat(image, channels)
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise _damaged(label, error) from None
    return np.asarray(image, np.uint8).reshape(shape)


def example_png() -> bytes:
    """A grey image of 2 x 3 pixels as a PNG file, for examples.

    Example:
        >>> example_png()[1:4]
        b'PNG'
    """
    from PIL import Image

    file = io.BytesIO()
    pixels = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _open(content: bytes, label: str) -> Image.Image:
    """An image whose header is read and whose size is bounded."""
    from PIL import Image

    if not content:
        raise _damaged(label, EOFError("an empty file"))
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        frames = int(getattr(image, "n_frames", 1))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_big(label, "more than twice as many") from None
    except DAMAGED as error:
        raise _damaged(label, error) from None
    if image.width * image.height > MAX_PIXELS:
        raise _too_big(label, f"{image.width} x {image.height}")
    if frames > 1:
        raise InputError(
            "the image is an animation",
            where=label,
            received=f"{frames} frames",
            do="give one frame, or remove it",
        )
    return image


def _flat(image: Image.Image, channels: int) -> Image.Image:
    """An image without transparency, in grey or RGB; strip by strip, to bound the memory."""
    from PIL import Image

    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode and "transparency" not in image.info:
        return image
    most = image.getextrema()[1] if image.mode.startswith("I") or image.mode == "F" else 0
    deep = isinstance(most, int | float) and most > 255
    flat = Image.new(mode, image.size)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        flat.paste(_flat_strip(strip, deep).convert(mode), (0, top))
    return flat


def _flat_strip(image: Image.Image, deep: bool) -> Image.Image:
    """An image without transparency and with eight bits a channel."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: the upper eight bits.
        levels = np.asarray(image, np.float64) / (257.0 if deep else 1.0)
        return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image


def _too_big(label: str, received: str) -> InputError:
    return InputError(
        "the image is too big",
        where=label,
        received=f"{received} pixels, at most {MAX_PIXELS:,}",
        do="make it smaller",
    )


def _damaged(label: str, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "cannot identify" in reason:
        reason = "no PNG, JPEG, BMP, GIF or WebP"
    return InputError(
        "the image cannot be read",
        where=label,
        received=reason[:50],
        do="replace or remove the file",
    )
