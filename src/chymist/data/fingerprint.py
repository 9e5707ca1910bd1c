"""A name for content: the hash of what was read, wherever and whenever it was read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from chymist.data.blocks import row_blocks
from chymist.data.cells import to_numbers

if TYPE_CHECKING:
    from chymist.values import Graph, Table


def fingerprint(
    inputs: Table | np.ndarray, targets: np.ndarray, classes: tuple[str, ...], target: str,
    graph: Graph | None = None, vocabulary: tuple[str, ...] = (),
) -> str:  # fmt: skip
    """SHA-256 over decoded content: column names and cells, or pixels, in row order.

    It does not depend on the file's name, place, date, compression, delimiter or quoting, nor on
    how a number was written (1e2 or 100), nor on whether images lay in a folder or in a zip.

    Args:
        inputs: columns by name, each (rows,), or an array (rows, ...).
        targets: class indices (rows,), or values (rows,) or (rows, outputs).
        classes: class names in index order; empty for regression.
        target: name of the target.
        graph: edges, weights and features, where there is one.
        vocabulary: what the numbers of tokens mean.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> x, y = np.array([[1.0], [2.0]]), np.array([0, 1])
        >>> fingerprint(x, y, ("no", "yes"), "y") == fingerprint(x.copy(), y, ("no", "yes"), "y")
        True
        >>> fingerprint(x, y, ("no", "yes"), "y") == fingerprint(x[::-1], y, ("no", "yes"), "y")
        False
    """
    state = hashlib.sha256(b"chymist data 1")
    if isinstance(inputs, np.ndarray) and inputs.dtype == object:
        _add_column(state, inputs)
    elif isinstance(inputs, np.ndarray):
        _add_array(state, inputs)
    else:
        for name, cells in inputs.items():
            _add_text(state, name)
            _add_column(state, cells)
    _add_text(state, target)
    for name in classes:
        _add_text(state, name)
    _add_array(state, targets)
    for token in vocabulary:
        _add_text(state, token)
    if graph is not None:
        owners = () if graph.owners is None else (graph.owners,)
        for part in (graph.edges, graph.weights, graph.features, *owners):
            _add_text(state, "") if part is None else _add_array(state, part)
    return state.hexdigest()


def _add_column(state: hashlib._Hash, cells: np.ndarray) -> None:
    """A column; numbers that are read as categories count as the same numbers."""
    numbers = cells if cells.dtype != object else to_numbers(cells)
    if numbers is not None:
        _add_array(state, numbers)
        return
    texts = ["" if cell is None else cell for cell in cells]
    state.update(b"text" + np.array([len(text) for text in texts], "<i8").tobytes())
    state.update("".join(texts).encode("utf-8", "surrogatepass"))


def _add_array(state: hashlib._Hash, values: np.ndarray) -> None:
    dtype = values.dtype.newbyteorder("<")
    _add_text(state, f"{dtype.str}{values.shape}")
    for block in row_blocks(values):
        part = np.ascontiguousarray(block, dtype)
        if dtype.kind == "f":
            part = np.where(np.isnan(part), np.nan, part).astype(dtype)  # one NaN of many
        state.update(part.data if part.size else b"")


def _add_text(state: hashlib._Hash, text: str) -> None:
    coded = text.encode("utf-8", "surrogatepass")
    state.update(len(coded).to_bytes(8, "little") + coded)
