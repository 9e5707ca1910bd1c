"""Weights in torch's first file format, read opcode by opcode: no name is imported, nothing called.

The file is four pickles (magic number, version, machine, names and places of tensors), a list of
storages, and their numbers. `NAMES` says what the few names stand for.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chymist.data.opcodes import Made, Maker, Name, Refused, dictionary, read_pickle
from chymist.errors import InputError

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"torch FloatStorage": "<f4", "torch DoubleStorage": "<f8", "torch HalfStorage": "<f2",
            "torch LongStorage": "<i8", "torch IntStorage": "<i4"}  # fmt: skip


@dataclass(frozen=True)
class _Storage:
    """Numbers that follow in the file: their type, name and count."""

    dtype: str
    key: str
    count: int


class _Tensor(Made):
    """A part of a storage: storage, offset, shape, strides, and two things that are not needed."""

    def value(self, settled: Any) -> _Tensor:
        """Itself, since its numbers come later in the file."""
        if len(self.arguments) != 6 or not isinstance(self.arguments[0], _Storage):
            raise Refused("a tensor of another form")
        _, offset, shape, strides = self.arguments[:4]
        fits = isinstance(shape, tuple) and isinstance(strides, tuple)
        if not fits or len(strides) != len(shape):
            raise Refused("a tensor of another form")
        if not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
            raise Refused("a tensor of another form")
        return self

    @property
    def storage(self) -> _Storage:
        """Where its numbers are."""
        found: _Storage = self.arguments[0]
        return found

    def cut(self, numbers: np.ndarray) -> np.ndarray:
        """Its part of the numbers of the storage."""
        _, offset, shape, strides = self.arguments[:4]
        if 0 in shape:
            return np.zeros(shape, numbers.dtype)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if last >= len(numbers) or math.prod(shape) > len(numbers):
            raise Refused("a tensor beyond its storage")
        steps = [stride * numbers.itemsize for stride in strides]
        return as_strided(numbers[offset:], shape, steps).copy()


def _storage_alone(arguments: tuple[Any, ...]) -> Any:
    """A type of storage is named, never called."""
    raise Refused("a call of a storage")


NAMES: dict[str, Maker] = {
    "collections OrderedDict": dictionary, "torch._utils _rebuild_tensor_v2": _Tensor,
    **dict.fromkeys(STORAGES, _storage_alone),
}  # fmt: skip


def read_state_dict(content: bytes, label: str) -> dict[str, np.ndarray]:
    """Weights by name.

    Args:
        content: of the file.
        label: its name, for messages.

    Raises:
        InputError: another format, a damaged file, or something that weights do not need.

    Example:
        >>> read_state_dict(b"N." * 5, "weights.pth")
        Traceback (most recent call last):
        chymist.errors.InputError: the weights cannot be read, in weights.pth...
    """
    stream = io.BytesIO(content)
    told = [read_pickle(stream, label, NAMES, _storage) for _ in range(5)]
    try:
        return _numbers(told, stream)
    except (Refused, struct.error, ValueError, TypeError, MemoryError) as error:
        raise InputError("the weights cannot be read", where=label,
                         received=str(error).splitlines()[0][:70] if str(error) else "",
                         do="fetch the file again") from None  # fmt: skip


def _numbers(told: list[Any], stream: io.BytesIO) -> dict[str, np.ndarray]:
    """The arrays of tensors by name, from what five pickles told and the storages behind them."""
    magic, version, _, named, keys = told
    if magic != MAGIC or version != VERSION or not isinstance(keys, list):
        raise Refused("another format")
    if not named or not isinstance(named, dict):
        raise Refused("more than named tensors")
    if not all(type(n) is str and isinstance(value, _Tensor) for n, value in named.items()):
        raise Refused("more than named tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in named.values()}
    if sorted(keys) != sorted(storages):
        raise Refused("other storages than those that are used")
    numbers = {}
    for key in keys:
        (count,), dtype = struct.unpack("<q", stream.read(8)), np.dtype(storages[key].dtype)
        if count != storages[key].count:  # which has bounds, before so much is read
            raise Refused("a storage of another size")
        raw = stream.read(count * dtype.itemsize)
        if len(raw) != count * dtype.itemsize:
            raise Refused("a storage of another size")
        numbers[key] = np.frombuffer(raw, dtype)
    return {name: tensor.cut(numbers[tensor.storage.key]) for name, tensor in named.items()}


def _storage(told: Any) -> _Storage:
    """A storage from ("storage", type, key, place, count, None)."""
    if not isinstance(told, tuple) or len(told) != 6 or told[0] != "storage" or told[5] is not None:
        raise Refused("a storage of another form")
    kind, key, count = told[1], told[2], told[4]
    if not isinstance(kind, Name) or kind.text not in STORAGES or type(key) is not str:
        raise Refused("a storage of another type")
    if type(count) is not int or not 0 <= count < 2**31:
        raise Refused("a storage of another size")
    return _Storage(STORAGES[kind.text], key, count)
