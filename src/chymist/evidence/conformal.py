"""Conformal prediction: intervals and label sets for new rows that hold without a model of errors.

All it needs is that the new row and the calibration rows are exchangeable (a random sample of the
same source). `split_conformal` needs rows that no training saw; `jackknife_plus` and `cv_plus` use
the left-out predictions of cross-validation, so that no row is lost; the two functions for label
sets are their counterparts for classification. `level` is the paper's 1 - alpha throughout.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Literal

import numpy as np

from chymist import keys
from chymist.errors import InputError, UsageError
from chymist.metrics import check_probabilities

Array = np.ndarray
Rule = Literal["lac", "aps"]

BLOCK = 4_000_000  # numbers held at a time


def conformal_quantile(scores: Array, level: float = 0.95) -> float:
    """The ceil(level (n + 1))-th smallest of n scores; infinite if n is too small for it.

    Args:
        scores: of the calibration rows, (n,); larger is stranger.
        level: share of new rows whose score is to be no larger.

    Returns:
        The quantile.

    Raises:
        InputError: no rows, NaN, or a level outside (0, 1).

    Example:
        >>> conformal_quantile(np.arange(1.0, 20.0)), conformal_quantile(np.arange(1.0, 9.0))
        (19.0, inf)

    Source: Vovk, Gammerman, Shafer 2005; Lei et al. 2018.
    """
    scores = _calibration(scores, "scores")
    rank = _rank(len(scores), level)
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else inf


def split_conformal(
    predictions: Array, residuals: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """Intervals of one width around the predictions of one model.

    prediction +- the conformal quantile of the absolute residuals of rows that the model was not
    trained on. Coverage is at least `level`, and at most level + 1/(n + 1) without ties.

    Args:
        predictions: of the model for the new rows, (m,).
        residuals: target minus prediction of the calibration rows, (n,); the sign does not matter.
        level: share of new targets to be covered.

    Returns:
        (low, high), (m,) each; infinite if n < level/(1 - level).

    Raises:
        InputError: wrong shapes, NaN, or a level outside (0, 1).

    Example:
        >>> low, high = split_conformal(np.array([5.0, 7.0]), np.arange(-9.0, 10.0), level=0.8)
        >>> low.tolist(), high.tolist()
        ([-3.0, -1.0], [13.0, 15.0])

    Source: Papadopoulos et al. 2002; Lei et al. 2018, Distribution-free predictive inference.
    """
    predictions = np.asarray(predictions, dtype=np.float64)
    width = conformal_quantile(np.abs(residuals), level)
    return predictions - width, predictions + width


def jackknife_plus(
    predictions: Array, residuals: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """Jackknife+ intervals, from the n models that each left out one training row.

    From the floor((1 - level)(n + 1))-th smallest of mu_-i(x) - |r_i| to the ceil(level (n + 1))-th
    smallest of mu_-i(x) + |r_i|. Coverage is at least 2 level - 1 for any model and data, and
    close to `level` for stable models.

    Args:
        predictions: for the new rows, by the model without training row i, (n, m).
        residuals: target minus prediction of row i by that model, (n,); the sign does not matter.
        level: share of new targets to be covered.

    Returns:
        (low, high), (m,) each; infinite if n < level/(1 - level).

    Raises:
        InputError: wrong shapes, NaN, or a level outside (0, 1).

    Example:
        >>> low, high = jackknife_plus(np.full((9, 1), 5.0), np.arange(1.0, 10.0), level=0.9)
        >>> low.item(), high.item()
        (-4.0, 14.0)

    Source: Barber, Candes, Ramdas, Tibshirani 2021, Predictive inference with the jackknife+.
    """
    return cv_plus(predictions, np.arange(len(predictions)), residuals, level)


def cv_plus(
    predictions: Array, folds: Array, residuals: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """CV+ intervals, from the models of the K folds of one cross-validation.

    As `jackknife_plus`, with the model that left out the fold of row i in place of the one that
    left out row i. Coverage is at least 2 level - 1 - sqrt(2/n), and close to `level` in practice.

    Args:
        predictions: for the new rows, by the model of each fold, (K, m).
        folds: which fold's model left out training row i, 0..K-1, (n,).
        residuals: target minus out-of-fold prediction of row i, (n,); the sign does not matter.
        level: share of new targets to be covered.

    Returns:
        (low, high), (m,) each; infinite if n < level/(1 - level).

    Raises:
        InputError: wrong shapes, NaN, a fold without predictions, or a level outside (0, 1).

    Example:
        >>> folds = np.arange(9) % 3
        >>> low, high = cv_plus(np.array([[4.0], [5.0], [6.0]]), folds, np.ones(9), level=0.8)
        >>> low.item(), high.item()
        (3.0, 7.0)

    Source: Barber, Candes, Ramdas, Tibshirani 2021.
    """
    centers, folds, width = _checked(predictions, folds, residuals)
    n, m = len(width), centers.shape[1]
    rank = _rank(n, level)
    if rank > n:
        return np.full(m, -inf), np.full(m, inf)
    low, high = np.empty(m), np.empty(m)
    step = max(1, BLOCK // n)
    for start in range(0, m, step):
        here = slice(start, start + step)
        middle = centers[folds, here]
        low[here] = np.partition(middle - width[:, None], n - rank, axis=0)[n - rank]
        high[here] = np.partition(middle + width[:, None], rank - 1, axis=0)[rank - 1]
    return low, high


def jackknife_minmax(
    predictions: Array, residuals: Array, level: float = 0.95
) -> tuple[Array, Array]:
    """Jackknife-minmax intervals: coverage of at least `level` for any model, at some width.

    [min_i mu_-i(x) - q, max_i mu_-i(x) + q] with q the conformal quantile of the |r_i|.

    Args:
        predictions: for the new rows, by the models that left out a row (or a fold), (n or K, m).
        residuals: target minus out-of-fold prediction of each training row, (n,).
        level: share of new targets to be covered.

    Returns:
        (low, high), (m,) each; infinite if n < level/(1 - level).

    Raises:
        InputError: wrong shapes, NaN, or a level outside (0, 1).

    Example:
        >>> low, high = jackknife_minmax(np.array([[4.0], [6.0]]), np.ones(19))
        >>> low.item(), high.item()
        (3.0, 7.0)

    Source: Barber, Candes, Ramdas, Tibshirani 2021.
    """
    centers = _matrix(predictions, "predictions", 2)
    width = conformal_quantile(np.abs(residuals), level)
    return centers.min(0) - width, centers.max(0) + width


def split_conformal_sets(
    probabilities: Array,
    calibration: Array,
    targets: Array,
    level: float = 0.95,
    rule: Rule = "lac",
    seed: int = 0,
) -> Array:
    """Label sets of one classifier that hold the true class with the chosen chance.

    A label is in the set if its score is at most the conformal quantile of the calibration rows'
    scores at their true classes; for the scores see `label_scores`.

    Args:
        probabilities: of the new rows, (m, C).
        calibration: of rows that the classifier was not trained on, (n, C).
        targets: classes of those rows, (n,).
        level: share of new rows whose class is to be in the set.
        rule: "lac", smallest sets on average, which may be empty; or "aps", sets that adapt to how
            hard a row is.
        seed: seed of the random part of "aps".

    Returns:
        Whether each label is in the set, bool (m, C).

    Raises:
        InputError: wrong shapes or values, or a level outside (0, 1).
        UsageError: unknown rule.

    Example:
        >>> known = np.array([[.9, .1], [.7, .3], [.6, .4], [.2, .8]])
        >>> split_conformal_sets(known, known, np.array([0, 0, 0, 1]), level=0.8).tolist()
        [[True, False], [True, False], [True, False], [False, True]]

    Source: Sadinle, Lei, Wasserman 2019 (LAC); Romano, Sesia, Candes 2020 (APS).
    """
    new = _matrix(probabilities, "probabilities", 2)[None]
    folds = np.zeros(len(np.asarray(targets)), dtype=np.int64)
    return cross_conformal_sets(new, calibration, targets, folds, level, rule, seed)


def cross_conformal_sets(
    probabilities: Array,
    out_of_fold: Array,
    targets: Array,
    folds: Array,
    level: float = 0.95,
    rule: Rule = "lac",
    seed: int = 0,
) -> Array:
    """Label sets from the K models of one cross-validation (CV+ for classes).

    A label is in the set if fewer than level (n + 1) of the training rows have a smaller
    out-of-fold score at their class than it has for the new row, by the model of the same fold.
    Coverage is at least 2 level - 1 up to a term of order 1/sqrt(n), and close to `level` in
    practice.

    Args:
        probabilities: of the new rows, by the model of each fold, (K, m, C).
        out_of_fold: probabilities of the training rows by the model that left them out, (n, C).
        targets: classes of the training rows, (n,).
        folds: which fold's model that was, 0..K-1, (n,).
        level: share of new rows whose class is to be in the set.
        rule: "lac" or "aps", see `split_conformal_sets`.
        seed: seed of the random part of "aps".

    Returns:
        Whether each label is in the set, bool (m, C).

    Raises:
        InputError: wrong shapes or values, or a level outside (0, 1).
        UsageError: unknown rule.

    Example:
        >>> known = np.array([[.9, .1], [.7, .3], [.6, .4], [.2, .8]])
        >>> new = np.array([[[.95, .05]], [[.55, .45]]])
        >>> sets = cross_conformal_sets(new, known, np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
        >>> sets.tolist(), "four rows are too few for a level of 0.95"
        ([[True, True]], 'four rows are too few for a level of 0.95')

    Source: Romano, Sesia, Candes 2020, Classification with valid and adaptive coverage (CV+).
    """
    new = _matrix(probabilities, "probabilities", 3)
    targets, known = check_probabilities(targets, out_of_fold)
    if known.shape[1] != new.shape[2]:
        raise InputError("the classes of new and calibration rows differ", where="probabilities",
                         received=f"{new.shape[2]} and {known.shape[1]} columns",
                         do="give both with one column per class")  # fmt: skip
    folds = _indices(folds, len(known), len(new), "folds")
    rng = keys.generator(seed, "label sets")
    own: Array = rng.random(len(known))
    other: Array = rng.random(new.shape[1:2])
    own_class = targets.astype(np.int64)[:, None]
    scores = np.take_along_axis(label_scores(known, rule, own), own_class, axis=1)[:, 0]
    smaller = np.zeros(new.shape[1:], dtype=np.int64)
    for k, model in enumerate(new):
        smaller += np.searchsorted(np.sort(scores[folds == k]), label_scores(model, rule, other))
    return np.asarray(smaller < _rank(len(known), level))


def label_scores(probabilities: Array, rule: Rule, uniform: Array) -> Array:
    """How strange each label would be for each row.

    "lac": 1 - p_y. "aps": the probability of all labels that are likelier than y, plus u p_y. Among
    equally likely labels the first counts as the likelier.

    Args:
        probabilities: (n, C).
        rule: "lac" or "aps".
        uniform: the u of each row, in [0, 1), (n,); "lac" does not use it.

    Returns:
        (n, C).

    Raises:
        UsageError: unknown rule.

    Example:
        >>> scores = label_scores(np.array([[0.5, 0.25, 0.25]]), "aps", np.array([0.5]))
        >>> scores.tolist()
        [[0.25, 0.625, 0.875]]

    Source: Sadinle, Lei, Wasserman 2019; Romano, Sesia, Candes 2020.
    """
    if rule == "lac":
        return np.asarray(1.0 - probabilities)
    if rule != "aps":
        raise UsageError("unknown rule for label sets", received=repr(rule),
                         do="choose 'lac' or 'aps'")  # fmt: skip
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    scores = np.empty(probabilities.shape)
    likelier = np.cumsum(ranked, axis=1) - ranked
    np.put_along_axis(scores, order, likelier + uniform[:, None] * ranked, axis=1)
    return scores


def _rank(n: int, level: float) -> int:
    """ceil(level (n + 1)), with the rounding of products such as 0.55 x 100 taken out."""
    if not 0 < level < 1:
        raise InputError("a level is between 0 and 1", where="level", received=f"{level:g}",
                         do="give 0.9 for nine of ten rows")  # fmt: skip
    return ceil(round(level * (n + 1), 9))


def _calibration(values: Array, where: str) -> Array:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values) or np.isnan(values).any():
        raise InputError("calibration needs a vector of numbers", where=where,
                         received=f"shape {values.shape}",
                         do="give one number per row, without NaN")  # fmt: skip
    return values


def _matrix(values: Array, where: str, axes: int) -> Array:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != axes or 0 in values.shape[:-1] or np.isnan(values).any():
        raise InputError(f"predictions have {axes} axes here, without NaN", where=where,
                         received=f"shape {values.shape}",
                         do="see the shapes in the description of the function")  # fmt: skip
    return values


def _indices(values: Array, n: int, end: int, where: str) -> Array:
    """Whole numbers 0..end-1, one per row."""
    values = np.asarray(values)
    whole = values.shape == (n,) and values.dtype.kind in "iu"
    if not whole or (n and not 0 <= values.min() <= values.max() < end):
        raise InputError(f"one whole number from 0 to {end - 1} per row is needed", where=where,
                         received=f"shape {values.shape}, {values.dtype}",
                         do=f"give {n} numbers")  # fmt: skip
    return values


def _checked(predictions: Array, folds: Array, residuals: Array) -> tuple[Array, Array, Array]:
    centers = _matrix(predictions, "predictions", 2)
    width = np.abs(_calibration(residuals, "residuals"))
    return centers, _indices(folds, len(width), len(centers), "folds"), width
