"""Large arrays block by block, so that those on the disk never come into memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chymist.data.room import HELD, room_for

BLOCK = 2**24  # bytes of one block


def row_blocks(array: np.ndarray, size: int = BLOCK) -> Iterator[np.ndarray]:
    """Blocks of consecutive rows, from the first row to the last.

    Args:
        array: (rows, ...).
        size: bytes of a block; at least one row is given.

    Example:
        >>> [len(block) for block in row_blocks(np.zeros((5, 2)), size=32)]
        [2, 2, 1]
    """
    step = max(1, size // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        yield np.asarray(array[start : start + step])


def empty_array(
    shape: tuple[int, ...], dtype: np.dtype, label: str, held: int = HELD
) -> np.ndarray:
    """An array to be filled; on the disk where it is large, see `room_for`.

    Args:
        shape: (rows, ...).
        dtype: of its numbers.
        label: what it is for, in messages.
        held: bytes that may be held in memory.

    Raises:
        DiskFull: it fits neither into memory nor on the disk.

    Example:
        >>> empty_array((2, 3), np.dtype("<f4"), "t").shape
        (2, 3)
    """
    rows, row = shape[0], dtype.itemsize * int(np.prod(shape[1:], dtype=object))
    return room_for((rows, row), label, held).view(dtype).reshape(shape)


def as_type(array: np.ndarray, dtype: np.dtype, label: str = "inputs") -> np.ndarray:
    """An array with numbers of another type; one on the disk stays there if it is large.

    Args:
        array: (rows, ...).
        dtype: what is wanted; an array that has it is given back as it is.
        label: what it is, in messages.

    Example:
        >>> as_type(np.array([[1, 2]]), np.dtype(np.float32)).dtype
        dtype('float32')
    """
    if array.dtype == dtype:
        return array
    if not isinstance(array, np.memmap):
        return array.astype(dtype)
    made = empty_array(array.shape, dtype, label)
    _fill(made, row_blocks(array))
    return made


def one_below_other(first: np.ndarray, second: np.ndarray, label: str) -> np.ndarray:
    """The rows of two arrays with the same axes behind the first.

    Example:
        >>> one_below_other(np.zeros((2, 3)), np.ones((1, 3)), "t").shape
        (3, 3)
    """
    dtype = np.result_type(first, second)
    made = empty_array((len(first) + len(second), *first.shape[1:]), dtype, label)
    _fill(made[: len(first)], row_blocks(first))
    _fill(made[len(first) :], row_blocks(second))
    return made


def without_column(array: np.ndarray, column: int, label: str) -> np.ndarray:
    """A matrix without one of its columns.

    Example:
        >>> without_column(np.array([[1, 2, 3]]), 1, "t")
        array([[1, 3]])
    """
    made = empty_array((len(array), array.shape[1] - 1), array.dtype, label)
    _fill(made, (np.delete(block, column, 1) for block in row_blocks(array)))
    return made


def _fill(made: np.ndarray, blocks: Iterator[np.ndarray]) -> None:
    start = 0
    for block in blocks:
        made[start : start + len(block)] = block
        start += len(block)
