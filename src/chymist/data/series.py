"""Series of measurements as windows: some steps in, the next ones out, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chymist.data.arrays import measured, to_array
from chymist.data.cells import short
from chymist.data.kinds import read_column
from chymist.data.tables import Cells
from chymist.data.tabular import Wanted, check_rows, column_index, finished, target_index
from chymist.data.targets import Targets
from chymist.errors import InputError, UsageError
from chymist.values import Column, Data

STEPS = 12  # steps in, where nothing is said
VALID, TEST = 0.1, 0.2  # shares of the series, at its end


def windows(
    series: Any, *, steps: int = STEPS, horizon: int = 1, target: int | str = 0,
    valid: float = VALID, test: float = TEST, name: str = "series",
) -> Data:  # fmt: skip
    """A series as rows: `steps` measurements in, the next `horizon` values of one of them out.

    The last values are for test, those before them for validation. A window whose values out lie
    on both sides of a cut is left out, so that no part learns from a value that another is scored
    on; what goes in may be of the part before, as it is known by then.

    Args:
        series: numbers in order of time, (times,) or (times, features), or columns by name, all
            at equal distances in time.
        steps: steps in.
        horizon: steps out.
        target: name or number from 0 of what is forecast.
        valid, test: shares of the windows.
        name: name of the data.

    Returns:
        Data of kind "sequence", inputs (rows, steps, features), targets (rows,) or
        (rows, horizon).

    Raises:
        InputError: too few values, or a gap.
        UsageError: no such target, or a number out of range.

    Example:
        >>> data = windows(np.arange(10.0), steps=3, horizon=2, valid=0.2, test=0.2)
        >>> data.inputs[0].ravel().tolist(), data.targets[0].tolist()
        ([0.0, 1.0, 2.0], [3.0, 4.0])
        >>> len(data), data.targets[data.test_rows].tolist()
        (4, [[7.0, 8.0], [8.0, 9.0]])

    Source: Hyndman, Athanasopoulos 2021, Forecasting: principles and practice, section 5.8.
    """
    if isinstance(series, Mapping):
        columns = {str(key): to_array(column).astype(np.float64) for key, column in series.items()}
    else:
        values = to_array(series).astype(np.float64)
        values = values[:, None] if values.ndim == 1 else values
        columns = {f"value_{n + 1}": column for n, column in enumerate(values.T)}
    names = tuple(columns)
    if isinstance(target, int) and not 0 <= target < len(names):
        raise UsageError("no such column", where="target", received=str(target),
                         do=f"give 0 to {len(names) - 1}")  # fmt: skip
    at = target if isinstance(target, int) else column_index(target, names, "target")
    for column, values in columns.items():
        if not np.isfinite(values).all():
            raise InputError("a series has a gap", where=f"column {short(column)}",
                             received=f"value {int(np.argmin(np.isfinite(values))) + 1}",
                             do="fill it in")  # fmt: skip
    there = np.ones(len(columns[names[at]]), bool)
    return windowed(columns, names[at], there, (steps, horizon), (valid, test), Wanted(name=name))


def windowed(
    columns: Mapping[str, np.ndarray], target: str, there: np.ndarray, sizes: tuple[int, int],
    shares: tuple[float, float], wanted: Wanted,
) -> Data:  # fmt: skip
    """Columns of one length as windows.

    Args:
        columns: numbers by name, (times,) each.
        target: which one is forecast.
        there: whether the target was measured, (times,); windows in which it was not are left out.
        sizes: steps in and out.
        shares: of the windows for validation and test.
        wanted: name of the data.

    Example:
        >>> columns = {"a": np.arange(20.0)}
        >>> made = windowed(columns, "a", np.ones(20, bool), (3, 1), (0.2, 0.2), Wanted(name="s"))
        >>> made.inputs[0].ravel().tolist(), made.targets[0].ravel().tolist()
        ([0.0, 1.0, 2.0], [3.0])
    """
    steps, horizon = sizes
    if min(sizes) < 1 or min(shares) < 0 or sum(shares) >= 1:
        raise UsageError("windows need steps in and out, and shares that leave rows for training",
                         where="steps, horizon, valid, test", received=f"{sizes}, {shares}",
                         do="give steps from 1, shares from 0 to below 1")  # fmt: skip
    values = measured(np.stack(list(columns.values()), axis=1))
    count = len(values) - steps - horizon + 1
    if count < 4:
        raise InputError("the series is too short for its windows", where=wanted.name,
                         received=f"{len(values)} values, {steps} steps in, {horizon} out",
                         do="give more values, or fewer steps")  # fmt: skip
    view = np.lib.stride_tricks.sliding_window_view
    inputs = view(values[: len(values) - horizon], steps, axis=0).transpose(0, 2, 1)
    out = view(columns[target][steps:], horizon)
    whole = view(there[steps:], horizon).all(1)
    first_test = count - int(np.ceil(shares[1] * count))
    first_valid = first_test - int(np.ceil(shares[0] * count))
    part = (np.arange(count) >= first_valid).astype(int) + (np.arange(count) >= first_test)
    last = np.minimum(np.arange(count) + horizon - 1, count - 1)  # window of the last value out
    kept = np.flatnonzero(whole & (part == part[last]))
    check_rows(len(kept), wanted.name)
    targets = out[kept] if horizon > 1 else out[kept, 0]
    told = [f"windows of {steps} steps in and {horizon} out"]
    if not whole.all():
        lost = int((~whole).sum())
        told.append(f"{lost:,} windows whose values out were not measured are left out")
    known = tuple(Column(name, "number") for name in columns)
    data = Data(wanted.name, "sequence", "regression", inputs[kept], np.array(targets),
                (), known, target, notes=tuple(told))  # fmt: skip
    data = finished(data, Targets("regression", data.targets, ()), None)
    rows = [np.flatnonzero(part[kept] == n) for n in (1, 2)]
    return replace(data, valid_rows=rows[0] if len(rows[0]) else None,
                   test_rows=rows[1] if len(rows[1]) else None)  # fmt: skip


def table_windows(
    cells: Cells, sizes: tuple[int, int], wanted: Wanted, source: Mapping[str, Any]
) -> Data:
    """Windows of the columns of a table whose lines follow each other in time.

    The target goes in, and all other columns of numbers. A missing number is the one before it.

    Args:
        cells: the table.
        sizes: steps in and out.
        wanted: target and name.
        source: how to read it again.

    Raises:
        InputError: the target is no number, or the table is too short.
    """
    target = cells.names[target_index(wanted.target, cells.names)]
    read = {name: read_column(name, cells.columns[place], cells.place)
            for place, name in enumerate(cells.names)}  # fmt: skip
    if read[target][0].kind != "number":
        raise InputError("a series is of numbers", where=f"column {short(target)}",
                         received=f"a {read[target][0].kind}", do="give target=NAME")  # fmt: skip
    order = [target, *(name for name in cells.names if name != target)]
    columns = {name: read[name][1] for name in order if read[name][0].kind == "number"}
    values = np.stack(list(columns.values()), axis=1)
    begin = int(np.argmax(np.isfinite(values).all(1)))  # what is missing before has no value
    there = np.isfinite(values[begin:, 0])
    gaps = int((~np.isfinite(values[begin:])).sum())
    filled = dict(zip(columns, _carried(values[begin:]).T, strict=True))
    aside = [name for name in cells.names if name not in columns]
    data = windowed(filled, target, there, sizes, (VALID, TEST), wanted)
    told = [f"columns that are no numbers are left aside: {', '.join(aside)}"] * bool(aside)
    told += [f"{gaps:,} missing numbers are those before them"] * bool(gaps)
    told += [f"the first {begin} lines lack a number and are left out"] * bool(begin)
    return replace(data, source=dict(source), notes=(*data.notes, *told))


def latest_window(cells: Cells, names: tuple[str, ...], steps: int) -> np.ndarray:
    """The last steps of new lines, from which the next values are forecast.

    Args:
        cells: the new lines.
        names: columns of the training rows, in order.
        steps: steps in.

    Returns:
        (1, steps, features).

    Raises:
        InputError: a column is missing, or there are fewer lines than steps.
    """
    read = []
    for name in names:
        at = column_index(name, cells.names, "new rows")
        read.append(read_column(name, cells.columns[at], cells.place, "number")[1])
    values = _carried(np.stack(read, axis=1))[-steps:]
    if len(values) < steps or not np.isfinite(values).all():
        raise InputError("too few new lines", where="new rows",
                         received=f"{len(values)} lines", do=f"give at least {steps}")  # fmt: skip
    found: np.ndarray = values[None]
    return found


def _carried(values: np.ndarray) -> np.ndarray:
    """Missing numbers as the last ones before them, (times, features)."""
    times = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
    found: np.ndarray = np.take_along_axis(values, np.maximum.accumulate(times, axis=0), axis=0)
    return found
