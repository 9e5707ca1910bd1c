"""A `Dataset` of torch as rows: every item is read once."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from chymist.errors import InputError


def opened(source: Any) -> Any:
    """The rows of a `torch.utils.data.Dataset` as (inputs, targets); anything else as it is.

    Args:
        source: what a user gave to `load`.

    Raises:
        InputError: a loader, a stream, items that are no pairs of equal shapes, or items that
            change by chance.

    Example:
        >>> import torch
        >>> made = torch.utils.data.TensorDataset(torch.eye(3), torch.arange(3))
        >>> inputs, targets = opened(made)
        >>> inputs.shape, targets.tolist()
        (torch.Size([3, 3]), [0, 1, 2])
    """
    module = sys.modules.get("torch.utils.data")
    if module is None:
        return source
    if isinstance(source, module.DataLoader):
        raise InputError("a loader gives batches, not rows", where="source",
                         received=type(source).__name__,
                         do="give loader.dataset, and the recipe its batch_size")  # fmt: skip
    if not isinstance(source, module.Dataset):
        return source
    if isinstance(source, module.IterableDataset) or not hasattr(source, "__len__"):
        raise InputError("a stream has no rows that can be split", where="source",
                         received=type(source).__name__,
                         do="give a Dataset with a length, or arrays")  # fmt: skip
    return _rows(source)


def _rows(source: Any) -> tuple[Any, np.ndarray]:
    """All items of a set, one below the other."""
    items = [_pair(source[number], number) for number in range(len(source))]
    if not items:
        raise InputError("the set has no rows", where="source", received=type(source).__name__)
    again = _pair(source[0], 0)
    if not all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=_numeric(a))
               for a, b in zip(items[0], again, strict=True)):  # fmt: skip
        raise InputError("the set changes its rows by chance", where="row 1",
                         received="two readings that differ",
                         do="leave random transforms out; give the recipe augment=")  # fmt: skip
    inputs, targets = zip(*items, strict=True)
    try:
        if all(type(one).__name__ == "Tensor" for one in inputs):
            import torch

            return torch.stack(list(inputs)), np.array([np.asarray(one) for one in targets])
        return np.stack([np.asarray(one) for one in inputs]), np.array([*map(np.asarray, targets)])
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError("rows of a set have different shapes", where="source",
                         received=str(error).splitlines()[0][:80],
                         do="bring them to one shape in the set") from None  # fmt: skip


def _numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fc"


def _pair(item: Any, number: int) -> tuple[Any, Any]:
    """An item as (input, target)."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise InputError("an item of the set is no pair (input, target)",
                         where=f"row {number + 1}", received=type(item).__name__,
                         do="give a Dataset whose items are (input, target)")  # fmt: skip
    return item[0], item[1]
