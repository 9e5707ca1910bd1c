"""Arrays and tensors as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chymist.data.blocks import as_type, row_blocks
from chymist.data.cells import refuse_masked
from chymist.data.tabular import (
    Wanted,
    array_targets,
    check_apart,
    check_rows,
    finished,
    mapping_data,
)
from chymist.errors import InputError, UsageError
from chymist.values import Column, Data

CHANNELS = (1, 2, 3, 4)
ROUNDED = 1e-3  # of a deviation: what float32 may take from a measurement


def array_data(inputs: Any, targets: Any, wanted: Wanted, missing: str | None = None) -> Data:
    """Data from arrays, tensors, or a mapping of columns, and targets.

    Args:
        inputs: (rows, features); images (rows, height, width), (rows, height, width, channels) or
            (rows, channels, height, width); or columns by name, each (rows,).
        targets: classes or values (rows,), or values (rows, outputs).
        wanted: task and name.
        missing: any value allows NaN in the inputs; `prepare(missing=...)` says how it is filled.

    Returns:
        Data of kind "array", "image" or "table".

    Raises:
        InputError: shapes that do not fit, infinite numbers, NaN without `missing`.

    Example:
        >>> array_data(np.eye(4), np.array([0, 1, 0, 1]), Wanted(name="four")).kind
        'array'
    """
    if is_mapping(inputs):
        columns = {str(name): values for name, values in inputs.items()}
        check_apart(str(getattr(targets, "name", None)), columns)
        return mapping_data(columns, to_array(targets), wanted)
    array, labels = to_array(inputs), to_array(targets)
    _check_shapes(array, labels)
    check_rows(len(array), wanted.name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    check_finite(array, missing)
    if wanted.columns:
        raise UsageError(
            "an array has no named columns",
            where="columns",
            do="give columns by name: ({'job': [...]}, y)",
        )
    found = array_targets("target", labels, wanted.task)
    data = Data(wanted.name, "array", found.task, array, found.values, found.classes)
    if array.ndim > 2:
        images, note = as_images(array, is_tensor(inputs))
        return finished(
            replace(data, kind="image", inputs=images, notes=note), found, wanted.test_from
        )
    numbers = as_type(array, np.dtype(np.float64)) if array.dtype.kind != "f" else array
    data = replace(data, inputs=numbers, columns=_columns(numbers))
    return finished(data, found, wanted.test_from)


def as_images(
    array: np.ndarray, channels_first: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """An array of images as (rows, height, width, channels).

    Args:
        array: (rows, height, width), or 4 axes with the channels last or first.
        channels_first: where the channels are taken to be if both places are possible.

    Returns:
        The images, and a note where the place of the channels was inferred.

    Example:
        >>> as_images(np.zeros((5, 3, 8, 8)))[0].shape, as_images(np.zeros((5, 8, 8)))[0].shape
        ((5, 8, 8, 3), (5, 8, 8, 1))
    """
    if array.dtype.kind in "bi" or (array.dtype.kind == "u" and array.dtype != np.uint8):
        small = array.size and int(array.min()) >= 0 and int(array.max()) <= 255
        array = as_type(array, np.dtype(np.uint8 if small else np.float32))
    elif array.dtype.kind == "f":
        array = as_type(array, np.dtype(np.float32))
    if array.ndim == 3:
        return array[..., None], ()
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if (channels_first and (first or not last)) or (first and not last):
        note = f"axis 2 is read as {array.shape[1]} channels"
        turned = array.transpose(0, 2, 3, 1)
        kept = isinstance(array, np.memmap)  # a copy would not stay on the disk
        return turned if kept else np.ascontiguousarray(turned), (note,)
    return array, (f"axis 4 is read as {array.shape[3]} channels",)


def check_finite(array: np.ndarray, missing: str | None, where: str = "inputs") -> None:
    """Refuse infinite numbers, and NaN unless it is allowed.

    Raises:
        InputError: the first such row.

    Example:
        >>> check_finite(np.array([[np.nan]]), "median")
    """
    if array.dtype.kind != "f":
        return
    start = 0
    for block in row_blocks(array):
        if not bool(np.isfinite(block).all()):
            _check_block(block, start, missing, where)
        start += len(block)


def _check_block(block: np.ndarray, start: int, missing: str | None, where: str) -> None:
    """Refuse what is not finite in a block of rows that begins at a row."""
    rows = block.reshape(len(block), -1)
    allow = 'fill it, or say missing="median" (--missing median)'
    allowed = block.ndim == 2 and where == "inputs"  # neither in images nor in new rows
    for test, what, advice in (
        (np.isinf, "a number is infinite", "correct or remove the row"),
        (np.isnan, "a number is missing (NaN)", allow if allowed else "fill it"),
    ):
        row, column = np.nonzero(test(rows))
        if len(row) and not (missing and test is np.isnan and block.ndim == 2):
            raise InputError(
                what,
                where=f"{where}, row {start + row[0] + 1}, column {column[0] + 1}",
                received=f"{len(row)} such cells",
                do=advice,
            )


def measured(values: np.ndarray) -> np.ndarray:
    """Measurements in float32, or in float64 where that would round their signal away.

    A feature that varies little, far from zero, is all in the last digits: at 1e9 the numbers of
    float32 lie 64 apart.

    Args:
        values: finite numbers, (..., features).

    Returns:
        As given, float64 if rounding changes a number by more than 0.001 of the standard
        deviation of its feature (of 1 if all are equal), else float32.

    Example:
        >>> near, far = np.array([[0.0], [1.0]]), np.array([[1e9], [1e9 + 1]])
        >>> measured(near).dtype, measured(far).dtype
        (dtype('float32'), dtype('float64'))
    """
    with np.errstate(over="ignore"):
        single: np.ndarray = values.astype(np.float32)
    if values.dtype == np.float32 or not values.size:
        return single
    for place in range(values.shape[-1]):
        exact = values[..., place].astype(np.float64)
        lost = float(np.abs(single[..., place] - exact).max())
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = float(exact.std()) if exact.min() < exact.max() else 1.0
        if lost and not lost <= ROUNDED * deviation < np.inf:
            return values.astype(np.float64)
    return single


def to_array(values: Any) -> np.ndarray:
    """A NumPy array of an array, tensor or list.

    Raises:
        InputError: rows of different length.

    Example:
        >>> to_array([[1, 2], [3, 4]]).shape
        (2, 2)
    """
    if is_tensor(values):
        values = values.detach().cpu().numpy()
    refuse_masked(values, "inputs")
    if isinstance(values, np.memmap):
        return values  # stays on the disk
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(
            "not an array", where="inputs", received=str(error)[:70], do="give rows of equal length"
        ) from None


def is_tensor(values: Any) -> bool:
    """Whether it is a torch tensor; torch is not imported for the question.

    Example:
        >>> is_tensor(np.zeros(2))
        False
    """
    return type(values).__module__.partition(".")[0] == "torch" and hasattr(values, "detach")


def is_mapping(values: Any) -> bool:
    """Whether it holds columns by name: a mapping or a data frame.

    Example:
        >>> is_mapping({"a": [1]}), is_mapping(np.zeros(2))
        (True, False)
    """
    return isinstance(values, Mapping) or (hasattr(values, "items") and hasattr(values, "columns"))


def _columns(numbers: np.ndarray) -> tuple[Column, ...]:
    """The columns of a flat array, named x1, x2, ..."""
    missing = np.zeros(numbers.shape[1], np.int64)
    low = high = numbers[0]
    for block in row_blocks(numbers):
        missing += np.isnan(block).sum(0)
        low = np.fmin(low, np.fmin.reduce(block, 0))
        high = np.fmax(high, np.fmax.reduce(block, 0))
    _check_columns(missing, len(numbers))
    same = "the same in all rows"
    return tuple(
        Column(f"x{n + 1}", "number", int(missing[n]), 0, same if low[n] == high[n] else "")
        for n in range(numbers.shape[1])
    )


def _check_shapes(array: np.ndarray, labels: np.ndarray) -> None:
    """Refuse inputs without numbers, with too few or many axes, or of another length."""
    if array.dtype.kind not in "biuf":
        raise InputError(
            "inputs need numbers",
            where="inputs",
            received=f"dtype {array.dtype}",
            do="give texts as columns by name: ({'job': [...]}, y)",
        )
    if array.ndim not in (2, 3, 4) or 0 in array.shape[1:]:
        raise InputError(
            "inputs need 2 axes, or 3 or 4 for images",
            where="inputs",
            received=f"shape {array.shape}",
            do="reshape to (rows, features)",
        )
    if labels.ndim == 0 or len(labels) != len(array):
        raise InputError(
            "inputs and targets differ in length",
            where="targets",
            received=f"{len(array)} inputs, targets of shape {labels.shape}",
            do="give one target per row",
        )


def _check_columns(missing: np.ndarray, rows: int) -> None:
    """Refuse a column without any number."""
    empty = np.flatnonzero(missing == rows)
    if len(empty):
        raise InputError(
            "the column has no values",
            where=f"inputs, column {empty[0] + 1}",
            received="NaN in all rows",
            do="remove it",
        )
