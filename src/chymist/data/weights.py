"""How much each training row counts in the loss."""

from __future__ import annotations

import numpy as np

from chymist.data.cells import short
from chymist.data.features import as_numbers
from chymist.errors import InputError, UsageError, nearest
from chymist.values import Data

NONE, BALANCED = "none", "balanced"


def row_weights(data: Data, rows: np.ndarray, how: str = NONE) -> np.ndarray | None:
    """Weights of rows in the loss, sum_i w_i l_i / sum_i w_i over a batch.

    Args:
        data: the data.
        rows: training rows, (n,); a row may occur more than once.
        how: "none"; "balanced" for n / (C n_c) for a row of class c, so that the C classes that
            occur count alike; or the name of a column of numbers.

    Returns:
        float64 (n,), or None if all rows count alike by "none".

    Raises:
        UsageError: "balanced" for a regression.
        InputError: no such column, or cells that are no weights.

    Example:
        >>> from chymist.data import load
        >>> data = load(([[0.0], [1.0], [2.0]], ["a", "b", "b"]))
        >>> row_weights(data, np.arange(3), "balanced").tolist()
        [1.5, 0.75, 0.75]

    Source: King, Zeng 2001, Logistic regression in rare events data (class weights).
    """
    if how == NONE:
        return None
    if how == BALANCED:
        if data.task != "classification":
            raise UsageError("balanced weights are for classes", where="data.weights",
                             received=f"data of the task {data.task}",
                             do="give the name of a column")  # fmt: skip
        counts = np.bincount(data.targets[rows], minlength=len(data.classes))
        made: np.ndarray = len(rows) / ((counts > 0).sum() * counts[data.targets[rows]])
        return made
    names = [column.name for column in data.columns]
    if how not in names:
        raise InputError("no such column of weights", where="data.weights", received=short(how),
                         do=nearest(how, [*names, BALANCED])[:90])  # fmt: skip
    inputs = data.inputs
    cells = inputs[rows, names.index(how)] if isinstance(inputs, np.ndarray) else inputs[how][rows]
    values = as_numbers(cells, "number", how, "")
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        bad = values[~(np.isfinite(values) & (values >= 0))]
        raise InputError("weights are finite, not negative, and not all zero", where=how,
                         received=str(bad[0]) if len(bad) else "zeros only",
                         do="correct the column, or leave out data.weights")  # fmt: skip
    return np.asarray(values, np.float64)
