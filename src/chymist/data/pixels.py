"""Images as arrays: their scale, fitted on training rows, and the layout that models take."""

from __future__ import annotations

from typing import Any

import numpy as np

from chymist.data.features import fit_scale
from chymist.errors import InputError

ROWS_AT_ONCE = 4096  # bounds the memory of counting pixels


def fit_pixels(images: np.ndarray, rows: np.ndarray, scale: str) -> tuple[float, float]:
    """One shift and one scale for all pixels, from the training rows.

    Args:
        images: (rows, height, width, channels), uint8 or float.
        rows: training rows.
        scale: "auto", "standard", "minmax", "pixel" or "none".

    Returns:
        shift and scale: pixel -> (pixel - shift) / scale.

    Example:
        >>> images = np.array([0, 4], np.uint8).reshape(2, 1, 1, 1)
        >>> fit_pixels(images, np.array([0, 1]), "standard")
        (2.0, 2.0)
        >>> fit_pixels(images, np.array([1]), "pixel")
        (0.0, 4.0)
    """
    if scale == "none":
        return 0.0, 1.0
    if images.dtype != np.uint8:
        values = images[rows].astype(np.float64).ravel()
        if scale == "pixel":
            return 0.0, 255.0 if values.max() > 1 else 1.0
        return fit_scale(values, scale, "pixels")
    counts = np.zeros(256, np.int64)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = images[rows[start : start + ROWS_AT_ONCE]]
        counts += np.bincount(part.ravel(), minlength=256)
    levels = np.arange(256, dtype=np.float64)
    seen = levels[counts > 0]
    if scale == "pixel":
        # A set such as scikit-learn's digits uses 17 levels of the 256.
        return 0.0, 255.0 if seen.max() > 127 else max(float(seen.max()), 1.0)
    if scale == "minmax" or len(seen) == 1:
        return fit_scale(seen, scale, "pixels")
    mean = float((levels * counts).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))


def prepared_pixels(raw: Any, shape: tuple[int, ...], pixels: tuple[float, float]) -> np.ndarray:
    """Images as models take them.

    Args:
        raw: (rows, height, width, channels).
        shape: (channels, height, width) of the training images.
        pixels: shift and scale.

    Returns:
        float32 (rows, channels, height, width), C-contiguous.

    Raises:
        InputError: another shape, or pixels that are not finite.

    Example:
        >>> prepared_pixels(np.full((1, 1, 1, 1), 4, np.uint8), (1, 1, 1), (2.0, 2.0)).tolist()
        [[[[1.0]]]]
    """
    channels, height, width = shape
    images = np.asarray(raw)
    if images.shape[1:] != (height, width, channels):
        raise InputError(
            "images have another shape than the training images",
            where="new rows",
            received=f"shape {images.shape}",
            do=f"give (rows, {height}, {width}, {channels})",
        )
    made = np.require(images.transpose(0, 3, 1, 2), np.float32, ["C", "W"])
    if images.dtype.kind == "f" and not _finite(made):
        raise InputError(
            "a pixel is not finite", where="new rows", do="correct or remove the image"
        )
    own = None if np.may_share_memory(made, images) else made
    if pixels[0]:
        made = own = np.subtract(made, np.float32(pixels[0]), out=own)
    if pixels[1] != 1:
        made = np.divide(made, np.float32(pixels[1]), out=own)
    return made


def _finite(values: np.ndarray) -> bool:
    """Whether all values are finite; their sum tells it in one pass, if it does not overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    return bool(np.isfinite(total)) or bool(np.isfinite(values).all())
