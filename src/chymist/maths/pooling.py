"""Pooling of a matrix by hand."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError, UsageError, nearest
from chymist.maths.sizes import convolution_size


def pool(
    matrix: ArrayLike,
    size: int = 2,
    stride: int | None = None,
    kind: Literal["max", "mean"] = "max",
) -> np.ndarray:
    """The largest (or mean) number of each window of a matrix.

    Rows and columns that do not fill a window are dropped.

    Args:
        matrix: (height, width).
        size: height and width of a window.
        stride: from one window to the next; the size of a window by default.
        kind: "max" or "mean".

    Returns:
        One number a window.

    Raises:
        InputError: not a matrix.
        UsageError: the window does not fit, or an unknown kind.

    Example:
        >>> pool([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
        array([[6., 8.],
               [3., 4.]])
    """
    values = np.asarray(matrix, np.float64)
    if values.ndim != 2:
        raise InputError("not a matrix", where="pool", received=f"shape {values.shape}")
    if kind not in ("max", "mean"):
        raise UsageError("unknown kind of pooling", where="pool", received=repr(kind),
                         do=nearest(str(kind), ("max", "mean")))  # fmt: skip
    step = size if stride is None else stride
    rows, columns = (convolution_size(n, size, step) for n in values.shape)
    windows = np.lib.stride_tricks.sliding_window_view(values, (size, size))[::step, ::step]
    reduced = windows.max((2, 3)) if kind == "max" else windows.mean((2, 3))
    return np.asarray(reduced[:rows, :columns])
