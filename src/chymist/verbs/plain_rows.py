"""Rows as floors and memorisers take them: numbers only, none of them missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.data.preparation import Preparation, fit_preparation
from chymist.values import Data


def plain_rows(
    preparation: Preparation, options: Mapping[str, Any], data: Data, train: np.ndarray,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:  # fmt: skip
    """Training rows and other rows, prepared as for a linear model; None if they already are.

    Trees read columns as they are: missing cells, and categories as codes. Whoever measures
    distances or multiplies by weights needs them filled, scaled and one-hot.

    Args:
        preparation: of the run.
        options: of its preparation, as in the recipe.
        data: the data.
        train: training rows, on which the preparation is fitted.
        rows: the other rows.

    Returns:
        Two matrices (rows, features), float32; or None.
    """
    raw = bool(preparation.categories) or any(feature.kept for feature in preparation.features)
    if not raw:
        return None
    usual = {"missing": "auto", "encode": "onehot", "scale": "auto"}
    fitted = fit_preparation(data, train, {**options, **usual})
    return fitted.inputs(data.take(train)), fitted.inputs(data.take(rows))
