"""What the bootstraps of `cross_validate` say about a model that is trained on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from chymist.evidence.bootstrap_error import (
    BootstrapError,
    bootstrap_error,
    no_information_share,
    no_information_square,
)
from chymist.protocols import Cut
from chymist.values import Predictions, Score


def bootstrap_estimate(
    cuts: Sequence[Cut], results: Sequence[Predictions], whole: Predictions
) -> BootstrapError:
    """The .632+ estimate of the 0-1 loss of classes, or of the squared error of values.

    Args:
        cuts: the bootstraps.
        results: results of each on the rows that it did not draw.
        whole: results of a model of all rows on these rows, ascending.
    """
    losses = np.zeros((len(cuts), len(whole.rows)))
    drawn = np.zeros(losses.shape, np.int64)
    for number, (cut, result) in enumerate(zip(cuts, results, strict=True)):
        places = np.searchsorted(whole.rows, cut.train)
        drawn[number] = np.bincount(places, minlength=len(whole.rows))
        losses[number, np.searchsorted(whole.rows, result.rows)] = _losses(result)
    classes = whole.targets.ndim < whole.outputs.ndim
    rate = no_information_share if classes else no_information_square
    return bootstrap_error(
        losses, drawn, float(_losses(whole).mean()), rate(whole.targets, whole.labels),
        groups=whole.groups, share=classes,
    )  # fmt: skip


def corrected_score(found: BootstrapError, made: Predictions, metric: str) -> Score | None:
    """The .632+ estimate in the units of the headline metric.

    Args:
        found: the estimate.
        made: out-of-bag results.
        metric: "accuracy" or "rmse"; None for the latter on several outputs, which has one root for
            each of them.
    """
    if metric == "rmse" and made.outputs.ndim > 1:
        return None
    value, low, high = found.point632_plus, found.low, found.high
    if metric == "rmse":
        value, low, high = sqrt(value), sqrt(low), sqrt(high)
    else:
        value, low, high = 1 - value, 1 - high, 1 - low
    return Score(metric, value, low, high, len(np.unique(made.rows)), ".632+")


def _losses(made: Predictions) -> np.ndarray:
    """0-1 loss of each row, or its squared error, averaged over the outputs."""
    if made.targets.ndim < made.outputs.ndim:
        return np.asarray(made.labels != made.targets, np.float64)
    squares = (made.outputs - made.targets) ** 2
    return np.asarray(squares.reshape(len(squares), -1).mean(1))
