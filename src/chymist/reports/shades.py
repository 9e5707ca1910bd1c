"""Numbers as colours: even steps to the eye, and told apart by the colour-blind."""

from __future__ import annotations

import numpy as np

WHITE, PLUS, MINUS = (255, 255, 255), (166, 54, 0), (0, 82, 140)
STRONGEST = 0.99  # share of a map's numbers that lie within the scale of its colours

# Björn Ottosson 2020, A perceptual color space for image processing: linear RGB to cones, their
# cube roots to lightness and two opponent colours.
_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                   [0.2119034982, 0.6806995451, 0.1073969566],
                   [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_OPPONENTS = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                       [1.9779984951, -2.4285922050, 0.4505937099],
                       [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def shade(shares: np.ndarray) -> np.ndarray:
    """Colours of numbers from -1 (blue) over 0 (white) to 1 (vermilion).

    Steps of equal size are steps of equal size to the eye: straight lines in Oklab.

    Args:
        shares: any shape; numbers beyond -1 and 1 have the colours of these.

    Returns:
        uint8, (..., 3).

    Example:
        >>> shade(np.array([-1.0, 0.0, 1.0])).tolist()
        [[0, 82, 140], [255, 255, 255], [166, 54, 0]]
    """
    v = np.nan_to_num(np.asarray(shares, np.float64)).clip(-1, 1)[..., None]
    white, plus, minus = (_to_oklab(np.array(color) / 255) for color in (WHITE, PLUS, MINUS))
    found = white + np.abs(v) * (np.where(v < 0, minus, plus) - white)
    made: np.ndarray = np.round(_from_oklab(found) * 255).clip(0, 255).astype(np.uint8)
    return made


def as_shares(values: np.ndarray) -> np.ndarray:
    """Numbers of a map as shares of its largest size, but for the strongest hundredth.

    Args:
        values: any shape.

    Returns:
        float64 in [-1, 1]; zeros where all are zero or no number.

    Example:
        >>> as_shares(np.array([0.0, -2.0, 4.0])).round(1).tolist()
        [0.0, -0.5, 1.0]
    """
    numbers = np.nan_to_num(np.asarray(values, np.float64), posinf=0.0, neginf=0.0)
    sizes = np.abs(numbers)
    end = float(np.quantile(sizes, STRONGEST, method="higher")) or float(sizes.max())
    found: np.ndarray = (numbers / end).clip(-1, 1) if end > 0 else numbers
    return found


def overlay(image: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """A map over a pale grey picture.

    Args:
        image: uint8, (height, width, 1 or 3).
        shares: of the map, in [-1, 1], (height, width).

    Returns:
        uint8, (height, width, 3).

    Example:
        >>> overlay(np.zeros((2, 2, 1), np.uint8), np.eye(2)).shape
        (2, 2, 3)
    """
    grey = image.astype(np.float64).mean(-1, keepdims=True) / 255
    pale = 0.65 + 0.35 * grey
    made: np.ndarray = np.round(pale * shade(shares)).astype(np.uint8)
    return made


def _to_oklab(rgb: np.ndarray) -> np.ndarray:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    found: np.ndarray = np.cbrt(linear @ _CONES.T) @ _OPPONENTS.T
    return found


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    cones = (lab @ np.linalg.inv(_OPPONENTS).T) ** 3
    linear = (cones @ np.linalg.inv(_CONES).T).clip(0, 1)
    found: np.ndarray = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return found
