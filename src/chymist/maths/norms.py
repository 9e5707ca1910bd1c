"""Norms of vectors and matrices."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError, UsageError


def vector_norm(vector: ArrayLike, p: float = 2) -> float:
    """The p-norm of a vector, (sum_i |x_i|^p)^(1/p).

    p = inf is the largest |x_i|. p = 0 counts what is not zero; it is no norm, because twice the
    vector has the same count. Vectors are near when the norm of their *difference* is small:
    (1, 0) and (0, 1) have equal norms.

    Args:
        vector: numbers, (n,).
        p: 0, or from 1 to infinity.

    Raises:
        InputError: not a vector.
        UsageError: p is between 0 and 1, or negative: no norm.

    Example:
        >>> [round(vector_norm([3, 4], p), 6) for p in (0, 1, 2, 3, np.inf)]
        [2.0, 7.0, 5.0, 4.497941, 4.0]

    Source: Minkowski 1896.
    """
    sizes = np.abs(np.asarray(vector, np.float64))
    if sizes.ndim != 1:
        raise InputError("not a vector", where="vector_norm", received=f"shape {sizes.shape}")
    if p == 0:
        return float(np.count_nonzero(sizes))
    if not p >= 1:
        raise UsageError("no norm", where="p", received=str(p), do="give 0, or 1 to infinity")
    largest = float(sizes.max(initial=0.0))
    if p == np.inf or largest in (0.0, np.inf):
        return largest
    return largest * float(((sizes / largest) ** p).sum() ** (1 / p))


def matrix_norm(matrix: ArrayLike, kind: Literal[1, 2, "inf", "fro"] | float = 2) -> float:
    """A norm of a matrix: the largest that it makes of a vector of norm 1, or Frobenius'.

    1: the largest sum of |a_ij| down a column. inf: the largest sum along a row. 2: the largest
    singular value. "fro": sqrt(sum_ij a_ij^2), the 2-norm of the flattened matrix.

    Args:
        matrix: numbers, (n, m).
        kind: which of the four.

    Raises:
        InputError: not a matrix.
        UsageError: another kind.

    Example:
        >>> [round(matrix_norm([[1, 2], [3, 4]], kind), 6) for kind in (1, "inf", 2, "fro")]
        [6.0, 7.0, 5.464986, 5.477226]

    Source: Golub, Van Loan 2013, Matrix computations, section 2.3.
    """
    values = np.asarray(matrix, np.float64)
    if values.ndim != 2 or not values.size:
        raise InputError("not a matrix", where="matrix_norm", received=f"shape {values.shape}")
    if kind == 1:
        return float(np.abs(values).sum(0).max())
    if kind in ("inf", np.inf):
        return float(np.abs(values).sum(1).max())
    if kind == 2:
        return float(np.linalg.svd(values, compute_uv=False)[0])
    if kind == "fro":
        return vector_norm(values.ravel())
    raise UsageError("no such norm", where="kind", received=repr(kind), do="1, 2, 'inf' or 'fro'")
