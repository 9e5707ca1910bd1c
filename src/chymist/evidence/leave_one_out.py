"""Leave-one-out in closed form: every row predicted by the model of the others, from one fit.

Ridge and least squares by the leverages of the hat matrix, for a whole path of penalties; Gaussian
classifiers by rank-one down-dates of means and covariances. These are no approximations: each
prediction is that of the model refitted without the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from chymist.errors import InputError, UsageError

Array = np.ndarray

ALONE = 1e-3  # 1 - leverage, below which a row is refitted for want of digits
SINGULAR = 1e-9  # share of a determinant that a row may leave
NUMBERS_AT_ONCE = 2**21  # of temporary arrays
SMOOTHING = 1e-9  # of the largest variance, as in scikit-learn's GaussianNB

GaussianKind = Literal["lda", "qda", "gaussian"]


def ridge_path(
    inputs: Array, targets: Array, penalties: Any, *, standardize: bool | Array = False
) -> Array:
    """Leave-one-out predictions of ridge regression, exact, for a whole path of penalties.

    Of the model that minimises |y - b - X w|^2 + penalty |w|^2, the intercept b not penalised:

        y_i - prediction_i = (y_i - fitted_i) / (1 - h_ii),  H = 1/n + U diag(s^2/(s^2+penalty)) U^T

    with U and s of the centred inputs. Without `standardize` the inputs are taken in the units in
    which they are given, the same for all rows. With it, every fold divides its columns by the
    deviation (1/n) of its own n - 1 rows, as a pipeline of scaler and ridge would that is refitted
    for each row; their moments are down-dated, and one small eigenproblem is solved for each row.

    Penalty 0 is least squares, the shortest solution where several fit. Rows that the others do
    not determine (leverage 1, such as the only one of a category) are refitted one by one.

    Args:
        inputs: X, (n, features).
        targets: y, (n,) or (n, outputs).
        penalties: (penalties,), >= 0, summed over rows.
        standardize: whether columns are standardised by each fold; or which, (features,).

    Returns:
        Predictions (penalties, n) or (penalties, n, outputs), float64.

    Raises:
        InputError: fewer than two rows, wrong shapes, or values that are not finite.
        UsageError: a penalty that is negative or no number.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 2.0, 6.0])
        >>> ridge_path(x, y, [0.0, 9.0]).round(3) + 0.0
        array([[0.   , 2.   , 6.   ],
               [3.273, 2.667, 1.263]])

    Source: Allen 1974 (PRESS); Golub, Heath, Wahba 1979; Hastie, Tibshirani, Friedman 2009, 7.10.
    """
    x, y = finite_matrix(inputs), np.asarray(targets, np.float64)
    if y.shape[:1] != x.shape[:1] or y.ndim > 2 or not np.isfinite(y).all():
        raise InputError("not one finite target a row", received=f"{y.shape}, inputs {x.shape}")
    path = np.asarray(penalties, np.float64)
    if path.ndim != 1 or not len(path) or not (np.isfinite(path) & (path >= 0)).all():
        raise UsageError("penalties are numbers from 0", where="penalties",
                         received=str(penalties)[:60], do="give [0.1, 1, 10]")  # fmt: skip
    scaled = np.asarray(standardize, bool) & (np.ptp(x, 0) > 0)
    wanted, centred = y.reshape(len(y), -1), (x - x.mean(0)) / np.where(scaled, x.std(0), 1.0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    kept = values > _cut(centred.shape) * values.max(initial=0)
    left, values, right = left[:, kept], values[kept], right[kept]
    room = 1 - 1 / len(x) - (left**2).sum(1)
    if scaled.any() and (path.any() or len(values) == len(x) - 1):
        alone = room < ALONE
        factors = left, values[:, None] * right
        made = _down_dated(factors, room, wanted, path, scaled, np.flatnonzero(~alone))
    else:
        alone = (room < ALONE) & (len(values) < len(x) - 1)
        made = _by_leverage(left, values, wanted, path, np.where(alone, 1.0, room))
    for row in np.flatnonzero(alone):
        others = np.delete(np.arange(len(x)), row)
        made[:, row] = _refitted(x[others], wanted[others], x[row], path, scaled)
    return made.reshape(len(path), *y.shape)


def _by_leverage(left: Array, values: Array, y: Array, path: Array, room: Array) -> Array:
    """Predictions (penalties, n, outputs) from the singular vectors of the centred inputs."""
    n, rank = left.shape
    centred = y - y.mean(0)
    along = left.T @ centred
    if rank == n - 1:
        # The inputs fit any targets. Residual and 1 - h then vanish together with the penalty,
        # which is divided out of both, so that their ratio keeps all its digits.
        room, rest, factor = np.zeros(n), np.zeros_like(y), np.ones((len(path), 1))
    else:
        rest, factor = centred - left @ along, path[:, None]
    weights = (factor / (values**2 + path[:, None])).T
    shrunk = weights[:, :, None] * along[:, None, :]
    residuals = rest[:, None, :] + np.tensordot(left, shrunk, axes=1)
    shares = room[:, None] + left**2 @ weights
    return np.asarray(y - (residuals / shares[:, :, None]).transpose(1, 0, 2))


def _down_dated(
    factors: tuple[Array, Array], room: Array, y: Array, path: Array, scaled: Array, rows: Array
) -> Array:
    """Predictions (penalties, n, outputs) of some rows, each with the scales of the other rows.

    With X = U R centred, a = n / (n - 1) and u a row of U, the scatter of the others is
    R^T (I - a u u^T) R = F^T F, F = (I - b u u^T) R: a factor, whose condition is not squared.
    """
    (left, right), n = factors, len(y)
    ratio, centred = n / (n - 1), y - y.mean(0)
    along = left.T @ centred
    made = np.zeros((len(path), *y.shape))
    for part in in_parts(rows, right.shape[1] * (2 * len(right) + len(path))):
        u, gaps = left[part][:, :, None], (left[part] @ right)[:, None, :]
        root = np.sqrt(ratio * room[part])[:, None, None]
        bend = ratio / (1 + root)
        factor = right - bend * u * gaps
        scales = np.sqrt(np.where(scaled, (factor**2).sum(1) / (n - 1), 1.0))[:, None, :]
        turned, values, axes = np.linalg.svd(factor / scales, full_matrices=False)
        usable = values > _cut((n, right.shape[1])) * values[:, :1]
        toward = np.where(usable[:, :, None], axes @ (ratio * gaps / scales).transpose(0, 2, 1), 0)
        others = along - ratio * u * centred[part][:, None, :]
        others = others + bend / root * u * (u.transpose(0, 2, 1) @ others)
        squares = np.where(usable, values**2, 1.0)[:, None, :] + path[:, None]
        terms = toward * (turned.transpose(0, 2, 1) @ others)
        made[:, part] = (values[:, None, :] / squares @ terms).transpose(1, 0, 2)
    return np.asarray(made + y.mean(0) - centred / (n - 1))


def _refitted(x: Array, y: Array, new: Array, path: Array, scaled: Array) -> Array:
    """Predictions (penalties, outputs) for one row by models of the other rows."""
    scales = np.where(scaled & (np.ptp(x, 0) > 0), x.std(0), 1.0)
    mean, gap = y.mean(0), (new - x.mean(0)) / scales
    left, values, right = np.linalg.svd((x - x.mean(0)) / scales, full_matrices=False)
    kept = values > _cut(x.shape) * values.max(initial=0)
    along = left[:, kept].T @ (y - mean)
    shrink = values[kept] / (values[kept] ** 2 + path[:, None])
    return np.asarray(mean + (shrink * (right[kept] @ gap)) @ along)


def nearest_others(inputs: Array, *, standardize: bool | Array = False) -> Array:
    """Number of the nearest other row (Euclidean) of every row; of equally near ones the first.

    Args:
        inputs: X, (n, features).
        standardize: whether distances are in deviations of the other rows, as in `ridge_path`.

    Returns:
        Row numbers, (n,), int64.

    Raises:
        InputError: as in `ridge_path`.

    Example:
        >>> nearest_others(np.array([[0.0], [1.0], [5.0]])).tolist()
        [1, 0, 1]
    """
    x = finite_matrix(inputs)
    found = np.empty(len(x), np.int64)
    for row in range(len(x)):
        others = np.delete(x, row, 0)
        scaled = np.asarray(standardize, bool) & (np.ptp(others, 0) > 0)
        gaps = (others - x[row]) / np.where(scaled, others.std(0), 1.0)
        nearest = int(np.argmin(np.einsum("nf,nf->n", gaps, gaps)))
        found[row] = nearest + (nearest >= row)
    return found


def gaussian_classifiers(inputs: Array, labels: Array, kind: GaussianKind) -> Array:
    """Leave-one-out class probabilities of Gaussian classifiers, exact.

    Each class is a normal distribution with its frequency as prior, by maximum likelihood
    (covariances are divided by the number of rows, as scikit-learn 1.9 does): "lda" shares one
    covariance, "qda" has one for each class, "gaussian" has variances only (naive Bayes; 1e-9 of
    the largest variance of a column is added, as by scikit-learn's GaussianNB). Without row x of
    class c with n_c rows, d = x - mean_c and a = n_c / (n_c - 1):

        mean_c' = mean_c - d / (n_c - 1),    S' = S - a d d^T,
        S'^-1 = S^-1 + a S^-1 d d^T S^-1 / (1 - a q),    |S'| = |S| (1 - a q),    q = d^T S^-1 d

    LDA and QDA do not depend on the units of the columns, nor on any affine map of them.

    Args:
        inputs: (n, features).
        labels: class indices 0..classes-1, (n,).
        kind: "lda", "qda" or "gaussian".

    Returns:
        Probabilities (n, classes), those of row i by the model without it.

    Raises:
        InputError: a class with too few rows, or a covariance that is singular without some row.
        UsageError: an unknown kind.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        >>> gaussian_classifiers(x, y, "lda").argmax(1).tolist()
        [0, 0, 1, 1]

    Source: Sherman, Morrison 1950; Ripley 1996, Pattern Recognition and Neural Networks, 3.2.
    """
    if kind not in _DENSITIES:
        raise UsageError("unknown kind of Gaussian classifier", where="kind", received=repr(kind),
                         do="use lda, qda or gaussian")  # fmt: skip
    x, y = finite_matrix(inputs), np.asarray(labels)
    counts = class_counts(y, len(x), x.shape[1] + 2 if kind == "qda" else 2)
    others = counts - np.eye(len(counts), dtype=int)[y]
    means = np.stack([x[y == k].mean(0) for k in range(len(counts))])
    logits = np.log(others / (len(x) - 1)) + _DENSITIES[kind](x, y, counts, means)
    logits -= logits.max(1, keepdims=True)
    made = np.exp(logits)
    return np.asarray(made / made.sum(1, keepdims=True))


def class_counts(labels: Array, rows: int, least: int = 1) -> Array:
    """Rows of each class, after checking that labels are class indices.

    Args:
        labels: class indices, (rows,).
        rows: number of rows.
        least: fewest rows that a class may have.

    Raises:
        InputError: they are not, or a class has fewer rows.

    Example:
        >>> class_counts(np.array([0, 1, 1]), 3).tolist()
        [1, 2]
    """
    if labels.shape != (rows,) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError("labels are not class indices (rows,)",
                         received=f"shape {labels.shape}, dtype {labels.dtype}")  # fmt: skip
    counts = np.bincount(labels)
    if len(counts) < 2:
        raise InputError("one class only", do="give rows of two classes")
    if counts.min() < least:
        raise InputError(
            "a class has too few rows to leave one out", where=f"class {counts.argmin()}",
            received=f"{counts.min()}", do=f"give {least} rows or more, or drop the class",
        )  # fmt: skip
    return counts


def _lda(x: Array, y: Array, counts: Array, means: Array) -> Array:
    """Log densities (n, classes) up to what the classes share, with one covariance."""
    gaps, _ = _whitened(x - means[y], x[:, None, :] - means)
    rows = np.arange(len(x))
    own = gaps[rows, y]
    ratio = counts[y] / (counts[y] - 1)
    gaps[rows, y] *= ratio[:, None]
    left = _determinant(ratio * (own**2).sum(1))
    across = np.einsum("nkd,nd->nk", gaps, own)
    squares = (gaps**2).sum(2) + (ratio / left)[:, None] * across**2
    return np.asarray(-0.5 * (len(x) - 1) * squares)


def _qda(x: Array, y: Array, counts: Array, means: Array) -> Array:
    """Log densities (n, classes) up to a constant, with a covariance for each class."""
    made = np.empty((len(x), len(counts)))
    features = x.shape[1]
    for k, count in enumerate(counts):
        own = y == k
        gaps, volume = _whitened(x[own] - means[k], x - means[k])
        squares, rows = (gaps**2).sum(1), np.full(len(x), count)
        volumes, ratio = np.full(len(x), volume), count / (count - 1)
        left = _determinant(ratio * squares[own])
        squares[own] *= ratio**2 / left
        volumes[own] += np.log(left)
        rows[own] -= 1
        made[:, k] = -0.5 * (rows * squares + volumes - features * np.log(rows))
    return made


def _naive(x: Array, y: Array, counts: Array, means: Array) -> Array:
    """Log densities (n, classes) up to a constant, with variances only."""
    n, rows, ratio = len(x), np.arange(len(x)), (counts / (counts - 1))[y][:, None]
    gaps = x[:, None, :] - means
    own = gaps[rows, y]
    squares = np.stack([((x[y == k] - means[k]) ** 2).sum(0) for k in range(len(counts))])
    left, whole = squares[y] - ratio * own**2, (x - x.mean(0)) ** 2
    spread = (whole.sum(0) - whole * n / (n - 1)) / (n - 1)
    lost = (left < ALONE * squares[y]) | (spread < ALONE * whole.mean(0))
    for row in np.flatnonzero(lost.any(1)):  # one far away: what is left has lost its digits
        others = rows != row
        spread[row] = x[others].var(0)
        left[row] = x[others & (y == y[row])].var(0) * (counts[y[row]] - 1)
    variances = np.broadcast_to(squares / counts[:, None], gaps.shape).copy()
    variances[rows, y] = left / (counts[y] - 1)[:, None]
    variances += SMOOTHING * spread.max(1)[:, None, None]
    if (variances <= 0).any():
        raise InputError("all columns are constant without some row", do="give other columns")
    gaps[rows, y] = own * ratio
    return np.asarray(-0.5 * (gaps**2 / variances + np.log(variances)).sum(2))


_DENSITIES = {"lda": _lda, "qda": _qda, "gaussian": _naive}


def _whitened(within: Array, gaps: Array) -> tuple[Array, float]:
    """Gaps in coordinates in which within^T within is the identity, and log |within^T within|."""
    scales = np.sqrt((within**2).mean(0))
    scales = np.where(scales > 0, scales, 1.0)
    _, values, right = np.linalg.svd(within / scales, full_matrices=False)
    if len(within) < within.shape[1] or values[-1] <= _cut(within.shape) * values[0]:
        raise _singular()
    volume = 2 * float(np.log(values).sum() + np.log(scales).sum())
    return np.asarray((gaps / scales) @ (right.T / values)), volume


def _determinant(squares: Array) -> Array:
    """Share of the determinant that is left without each row, 1 - squares."""
    if (1 - squares < SINGULAR).any():
        raise _singular(f"without row {int(squares.argmax())} of the rows that are given")
    return np.asarray(1 - squares)


def _singular(where: str = "") -> InputError:
    return InputError("a covariance is singular, or nearly so", where=where,
                      do="drop columns that follow from others, or use softmax")  # fmt: skip


def finite_matrix(inputs: Array) -> Array:
    """Inputs as float64 (n, features), checked.

    Raises:
        InputError: no matrix, fewer than two rows, or values that are not finite.

    Example:
        >>> finite_matrix(np.array([[1], [2]])).dtype
        dtype('float64')
    """
    x = np.asarray(inputs, np.float64)
    if x.ndim != 2 or len(x) < 2 or not x.shape[1] or not np.isfinite(x).all():
        raise InputError("inputs are not a finite matrix of at least two rows",
                         received=f"shape {x.shape}", do="give (rows, features)")  # fmt: skip
    return x


def _cut(shape: tuple[int, ...]) -> float:
    """Share of the largest singular value below which one counts as zero, as NumPy's lstsq does."""
    return float(np.finfo(np.float64).eps * max(shape))


def in_parts(rows: Array, numbers: int) -> Iterator[Array]:
    """Rows in parts whose temporary arrays, so many numbers a row, fit into little memory.

    Example:
        >>> [part.tolist() for part in in_parts(np.arange(3), 2**20)]
        [[0, 1], [2]]
    """
    size = max(1, NUMBERS_AT_ONCE // numbers)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
