"""Pictures of raw rows, small enough to be part of a page."""

from __future__ import annotations

import base64
import io

import numpy as np

SIDE = 96  # pixels of the longer side at most


def to_bytes(images: np.ndarray) -> tuple[np.ndarray, str]:
    """Raw images as 8-bit grey or colour, and what was done to them.

    Args:
        images: (n, height, width, channels) or (n, height, width); bright 8-bit ones as they
            are, others stretched from their least to their greatest finite value.

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
        images, said = images.mean(-1, keepdims=True), "Shown is the mean of the channels. "
    if images.dtype == np.uint8 and images.max(initial=0) > 127:
        return images, said
    values = np.asarray(images, np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    stretched = (values - low) / (high - low or 1.0) * 255
    made = np.round(np.nan_to_num(stretched, posinf=255.0)).clip(0, 255).astype(np.uint8)
    return made, said + f"Brightness runs from {low:.4g} (black) to {high:.4g} (white)."


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
