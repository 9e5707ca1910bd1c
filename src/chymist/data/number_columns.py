"""Many columns of numbers at once: what `features` does column by column, to the bit.

A fold of a population is prepared in a fraction of its training time, so that one call a column
would be what it waits for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.data.features import Feature, Options

SIMPLE_FILLS = ("auto", "median")


def fit_number_columns(
    names: Sequence[str], cells: np.ndarray, options: Options
) -> dict[int, Feature]:
    """Fit the columns for which nothing is special: no empty cell, different numbers.

    Args:
        names: of the columns.
        cells: training cells, (rows, columns).
        options: what the user wants.

    Returns:
        What becomes of each such column, by its place; the others are left to `fit_feature`.

    Example:
        >>> cells = np.array([[1.0, 2.0], [3.0, 2.0]])
        >>> made = fit_number_columns(["a", "b"], cells, Options())
        >>> list(made), made[0].shift, made[0].scale
        ([0], 2.0, 1.0)
    """
    plain = options.missing in SIMPLE_FILLS and options.scale in ("auto", "standard", "none")
    if not plain or options.transform != "none" or len(cells) < 2:
        return {}
    values = np.ascontiguousarray(cells.T, np.float64)  # each column as it would be read alone
    ranked, half = np.sort(values, 1), len(cells) // 2  # faster than np.median, and its bits
    with np.errstate(over="ignore", invalid="ignore"):
        fills = ranked[:, half - 1 + len(cells) % 2 : half + 1].mean(1)
        shifts, scales = values.mean(1), values.std(1)
    usual = np.isfinite(fills) & np.isfinite(shifts) & np.isfinite(scales) & (scales > 0)
    usual &= ranked[:, 0] != ranked[:, -1]
    if options.scale == "none":
        shifts, scales = np.zeros(len(values)), np.ones(len(values))
    return {
        place: Feature(names[place], place, "number", float(fills[place]), False,
                       float(shifts[place]), float(scales[place]))
        for place in np.flatnonzero(usual).tolist()
    }  # fmt: skip


def write_number_columns(features: Sequence[Feature], cells: np.ndarray, out: np.ndarray) -> bool:
    """Write the features of plain number columns, if that is all they are.

    Args:
        features: of all columns that are used.
        cells: (rows, columns) of the raw array.
        out: (rows, features), floating.

    Returns:
        Whether it was done; False leaves it, with every message, to the columns one by one.

    Example:
        >>> feature = Feature("a", 0, "number", 0.0, shift=1.0, scale=2.0)
        >>> out = np.empty((1, 1), np.float32)
        >>> write_number_columns([feature], np.array([[5.0]]), out), out.item()
        (True, 2.0)
    """
    if cells.dtype.kind not in "biuf" or any(
        f.kind != "number" or f.log or f.flag or f.kept for f in features
    ):
        return False
    places = [feature.position for feature in features]
    chosen = cells if places == list(range(cells.shape[1])) else cells[:, places]
    with np.errstate(over="ignore", invalid="ignore"):
        values = chosen - np.array([feature.shift for feature in features])
        if np.isnan(values.sum()) and (empty := np.isnan(chosen)).any():
            filled = np.where(empty, [feature.fill for feature in features], chosen)
            values = filled - [feature.shift for feature in features]
        values /= [feature.scale for feature in features]
        out[:] = values
        total = out.sum(dtype=np.float64)  # finite only if all of them are
    return bool(np.isfinite(total) or np.isfinite(out).all())
