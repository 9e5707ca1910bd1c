"""How alike two maps are: ranks with and without their signs, and structure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.errors import InputError
from chymist.metrics import mid_ranks

WINDOW = 7  # pixels of a side, as in the implementations that everybody has
STEADY = (0.01**2, 0.03**2)  # keep quotients of flat windows finite, for values from 0 to 1


class Likeness(NamedTuple):
    """How alike the maps of each row are.

    NaN where the first map is constant; 0 where only the second is.

    Args:
        signed: rank correlation of the values, (rows,).
        absolute: rank correlation of the absolute values, (rows,).
        structure: mean structural similarity of the absolute values, (rows,); NaN for maps that
            are no images.
    """

    signed: np.ndarray
    absolute: np.ndarray
    structure: np.ndarray


def likeness(first: np.ndarray, second: np.ndarray) -> Likeness:
    """Compare maps row by row.

    Args:
        first: (rows, ...).
        second: of the same shape.

    Returns:
        A `Likeness`: 1 are the same orders, 0 have nothing to do with each other.

    Raises:
        InputError: the shapes differ.

    Example:
        >>> found = likeness(np.array([[1.0, -2.0, 3.0]]), np.array([[2.0, -4.0, 9.0]]))
        >>> found.signed.tolist(), found.absolute.tolist()
        ([1.0], [1.0])

    Source: Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != two.shape or one.ndim < 2:
        raise InputError("maps of different shapes", where="likeness",
                         received=f"{one.shape} and {two.shape}")  # fmt: skip
    structure = np.full(len(one), np.nan)
    if one.ndim >= 3 and min(one.shape[-2:]) >= 3:
        structure = np.array([_structure(a, b) for a, b in zip(one, two, strict=True)])
    pairs = [*zip(one.reshape(len(one), -1), two.reshape(len(two), -1), strict=True)]
    signed = np.array([rank_correlation(a, b) for a, b in pairs])
    absolute = np.array([rank_correlation(np.abs(a), np.abs(b)) for a, b in pairs])
    varied = np.array([bool(np.isfinite(a).all()) and np.ptp(a) > 0 for a, _ in pairs])
    ended = varied & np.isnan(signed)  # the second map says nothing, so it is not like the first
    return Likeness(*(np.where(ended, 0.0, part) for part in (signed, absolute, structure)))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; equal values share the mean of their ranks.

    Args:
        first: (n,).
        second: (n,).

    Returns:
        From -1 to 1; NaN if either is constant or not finite.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))
        1.0

    Source: Spearman 1904.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    one, two = (mid_ranks(values) - (len(values) + 1) / 2 for values in (first, second))
    size = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two / size) if size > 0 else float("nan")


def structural_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Mean structural similarity of two images with values from 0 to 1.

    SSIM = (2 m1 m2 + c1)(2 s12 + c2) / ((m1^2 + m2^2 + c1)(s1^2 + s2^2 + c2)) with means,
    variances and covariance in each square of 7 pixels (of the side, if that is less) that lies
    within the image.

    Args:
        first: (height, width).
        second: (height, width).

    Returns:
        1 for the same image, about 0 for images without common structure.

    Example:
        >>> image = np.arange(64.0).reshape(8, 8) / 63
        >>> round(structural_similarity(image, image), 6)
        1.0

    Source: Wang, Bovik, Sheikh, Simoncelli 2004.
    """
    side = min(WINDOW, *first.shape)

    def mean(values: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(values, (side, side))
        return np.asarray(windows.mean((-2, -1)))

    one, two = mean(first), mean(second)
    n = side * side / (side * side - 1)  # variances of samples
    vary, vary2 = n * (mean(first**2) - one**2), n * (mean(second**2) - two**2)
    both = n * (mean(first * second) - one * two)
    c1, c2 = STEADY
    found = (2 * one * two + c1) * (2 * both + c2)
    return float((found / ((one**2 + two**2 + c1) * (vary + vary2 + c2))).mean())


def _structure(first: np.ndarray, second: np.ndarray) -> float:
    """Structural similarity of absolute values, summed over channels, as shares of the largest."""
    images = []
    for values in (first, second):
        image = np.abs(values).reshape(-1, *values.shape[-2:]).sum(0)
        if not np.isfinite(image).all() or image.max() == image.min():
            return float("nan")
        images.append(image / image.max())
    return structural_similarity(*images)
