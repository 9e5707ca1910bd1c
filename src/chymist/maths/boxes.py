"""Boxes in images, their formats and their overlap; overlap of segmented areas.

A box is (left, top, right, bottom) in pixels; y grows downwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError

Array = np.ndarray


def box_iou(first: ArrayLike, second: ArrayLike) -> Array:
    """Intersection over union of boxes, each of the first with each of the second.

    Boxes that do not meet have 0 wherever they are, so that as a loss it has no slope there.

    Args:
        first: corners, (n, 4) or one box (4,).
        second: corners, (m, 4) or one box (4,).

    Returns:
        Shares in [0, 1], (n, m), without the axes of single boxes.

    Raises:
        InputError: no boxes, or a right or bottom edge before the left or top one.

    Example:
        >>> box_iou([0, 0, 2, 2], [[1, 1, 3, 3], [5, 5, 6, 6]]).round(6)
        array([0.142857, 0.      ])

    Source: Jaccard 1901; Everingham et al. 2010, The Pascal visual object classes challenge.
    """
    a, b = _boxes(first), _boxes(second)
    one, other = np.atleast_2d(a)[:, None], np.atleast_2d(b)[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., 2:], other[..., 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = _area(one) + _area(other) - common
    shares = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return np.asarray(shares.reshape(a.shape[:-1] + b.shape[:-1]))


def centered_box(box: ArrayLike) -> Array:
    """Corners to (x of the centre, y of the centre, width, height).

    Args:
        box: (..., 4), left, top, right, bottom.

    Raises:
        InputError: no box.

    Example:
        >>> centered_box([10, 20, 50, 80])
        array([30., 50., 40., 60.])
    """
    corners = _boxes(box)
    low, high = corners[..., :2], corners[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def box_corners(box: ArrayLike) -> Array:
    """(x of the centre, y of the centre, width, height) to corners.

    Args:
        box: (..., 4); width and height are not negative.

    Raises:
        InputError: no box.

    Example:
        >>> box_corners([30, 50, 40, 60])
        array([10., 20., 50., 80.])
    """
    values = np.asarray(box, np.float64)
    if values.shape[-1:] != (4,):
        raise InputError("a box has four numbers", received=f"shape {values.shape}")
    middle, half = values[..., :2], values[..., 2:] / 2
    return _boxes(np.concatenate([middle - half, middle + half], axis=-1))


def mean_iou(confusion: ArrayLike) -> float:
    """Mean over classes of TP / (TP + FP + FN), for segmented images.

    Args:
        confusion: counts (of pixels) by true class (down) and predicted class (across), (k, k).

    Returns:
        A share in [0, 1]; classes that occur in neither are left out.

    Raises:
        InputError: no table of counts.

    Example:
        >>> mean_iou([[1, 1, 0], [0, 0, 0], [0, 0, 5]])  # IoU 1/2, 0 and 1
        0.5

    Source: Everingham et al. 2010.
    """
    counts = np.asarray(confusion, np.float64)
    if counts.ndim != 2 or len(set(counts.shape)) != 1 or counts.min() < 0 or not counts.sum():
        raise InputError("not a confusion matrix", received=f"shape {counts.shape}")
    right = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - right
    return float(np.mean(right[union > 0] / union[union > 0]))


def _boxes(box: ArrayLike) -> Array:
    values = np.asarray(box, np.float64)
    if values.shape[-1:] != (4,) or values.ndim > 2:
        raise InputError("a box has four numbers", received=f"shape {values.shape}")
    if not (values[..., 2:] >= values[..., :2]).all():
        raise InputError("a box ends before it begins", received=str(values.tolist())[:80],
                         do="give left, top, right, bottom")  # fmt: skip
    return values


def _area(boxes: Array) -> Array:
    return np.asarray(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1))
