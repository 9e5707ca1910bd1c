"""Pictures of raw rows, small enough to be part of a page."""

from __future__ import annotations

import base64
import io

import numpy as np

from chymist.reports.saying import ENGLISH, Say

SIDE = 96  # pixels of the longer side at most


def to_bytes(images: np.ndarray, say: Say = ENGLISH) -> tuple[np.ndarray, str]:
    """Raw images as 8-bit grey or colour, and what was done to them.

    Args:
        images: (n, height, width, channels) or (n, height, width); bright 8-bit ones as they
            are, others stretched from their least to their greatest finite value.
        say: the language.

    Returns:
        uint8 of shape (n, height, width, 1 or 3), and a sentence, or nothing.

    Example:
        >>> made, _ = to_bytes(np.array([0.0, 0.5, 1.0]).reshape(1, 1, 3, 1))
        >>> made.ravel().tolist()
        [0, 128, 255]
    """
    images = images if images.ndim == 4 else images[..., None]
    said = ""
    if images.shape[-1] not in (1, 3):
        images, said = images.mean(-1, keepdims=True), say("Shown is the mean of the channels. ")
    if images.dtype == np.uint8 and images.max(initial=0) > 127:
        return images, said
    values = np.asarray(images, np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    stretched = (values - low) / (high - low or 1.0) * 255
    made = np.round(np.nan_to_num(stretched, posinf=255.0)).clip(0, 255).astype(np.uint8)
    told = say("Brightness runs from {low} (black) to {high} (white).",
               low=f"{low:.4g}", high=f"{high:.4g}")  # fmt: skip
    return made, said + told


def signed_bytes(weights: np.ndarray) -> np.ndarray:
    """Weights as grey pictures: 0 is grey, the largest absolute weight of each black or white.

    Args:
        weights: (n, height, width, channels); of 1 or 3 channels, else their mean is shown.

    Returns:
        uint8, (n, height, width, 1 or 3).

    Example:
        >>> signed_bytes(np.array([-2.0, 0.0, 1.0]).reshape(1, 1, 3, 1)).ravel().tolist()
        [0, 128, 191]
    """
    values = np.nan_to_num(np.asarray(weights, np.float64))
    if values.shape[-1] not in (1, 3):
        values = values.mean(-1, keepdims=True)
    most = np.abs(values).max((1, 2, 3), keepdims=True)
    shares = values / np.where(most > 0, most, 1.0)
    return np.floor(127.5 * (1 + shares) + 0.5).astype(np.uint8)


def tiled(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Pictures side by side, and line below line, on white.

    Args:
        images: uint8, (n, height, width, channels).
        columns: how many stand in a line.
        gap: pixels to the right of each and below.

    Returns:
        uint8, (lines * (height + gap), columns * (width + gap), channels).

    Example:
        >>> tiled(np.zeros((3, 4, 4, 1), np.uint8), columns=2, gap=1).shape
        (10, 10, 1)
    """
    lines = -(-len(images) // columns)
    room = ((0, lines * columns - len(images)), (0, 0), (0, 0), (0, 0))
    made = np.pad(images, room, constant_values=255)
    made = np.pad(made, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    _, height, width, channels = made.shape
    grid = made.reshape(lines, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.asarray(grid.reshape(lines * height, columns * width, channels))


def enlarged(images: np.ndarray, least: int = 64) -> np.ndarray:
    """Small pictures with each pixel repeated, until the longer side has `least` pixels or fewer.

    Args:
        images: (n, height, width, channels).
        least: pixels of the longer side.

    Example:
        >>> enlarged(np.zeros((1, 8, 8, 1), np.uint8)).shape
        (1, 64, 64, 1)
    """
    times = max(1, least // max(images.shape[1:3]))
    return images.repeat(times, 1).repeat(times, 2)


def to_png(image: np.ndarray) -> bytes:
    """One picture as a PNG file.

    Args:
        image: uint8, (height, width, 1 or 3).

    Example:
        >>> to_png(np.zeros((8, 8, 1), np.uint8))[1:4]
        b'PNG'
    """
    from PIL import Image

    stream = io.BytesIO()
    grey = image.shape[-1] == 1
    Image.fromarray(image[..., 0] if grey else image).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def data_uri(image: np.ndarray, side: int = SIDE) -> str:
    """One picture as the address of a PNG within the page.

    Args:
        image: uint8, (height, width, 1 or 3).
        side: pixels of the longer side at most; larger pictures are reduced.

    Example:
        >>> data_uri(np.zeros((8, 8, 1), np.uint8))[:22]
        'data:image/png;base64,'
    """
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
