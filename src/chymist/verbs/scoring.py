"""The metrics that are told of a run: those of its task."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from chymist.metrics import Undefined, all_metrics, chunk_f1, measure
from chymist.values import Data, Predictions

LANGUAGE = ("log_loss", "perplexity", "accuracy")


def metrics_of(made: Predictions, data: Data) -> dict[str, float]:
    """All metrics of the task, by name, the headline first.

    Of the next token: log loss, perplexity, accuracy, and bits a character where tokens are
    characters. Of tags in chunks (B-, I-, O): their F1 as well. Of several values a row: the RMSE
    pooled over all of them, sqrt of the mean of all squared errors, as forecasts are scored by;
    `rmse` is the mean of one root for each.

    Args:
        made: results of the model.
        data: the data.
    """
    if data.task == "language":
        found = {name: measure(made, name) for name in LANGUAGE}
        if all(len(token) <= 1 for token in data.vocabulary[2:]):
            found["bits_per_character"] = found["log_loss"] / math.log(2)
        return found
    found = all_metrics(made)
    if data.task == "regression" and made.outputs.ndim > 1:
        found["rmse_pooled"] = float(np.sqrt(np.square(made.outputs - made.targets).mean()))
    if data.task == "tagging" and all(name == "O" or name[1:2] == "-" for name in data.classes):
        with suppress(Undefined):
            found["chunk_f1"] = chunk_f1(_sentences(made, made.targets, data),
                                         _sentences(made, made.labels, data))  # fmt: skip
    return found


def _sentences(made: Predictions, numbers: np.ndarray, data: Data) -> list[list[str]]:
    """Tags of each row."""
    ends = np.flatnonzero(np.diff(made.rows)) + 1
    return [[data.classes[n] for n in part] for part in np.split(numbers, ends)]
