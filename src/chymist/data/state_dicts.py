"""Weights in torch's first file format, read opcode by opcode: no name is imported, nothing called.

The file is four pickles (magic number, version, machine, names and places of tensors), a list of
storages, and their numbers. A closed table says what the few names stand for.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chymist.errors import InputError

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"torch FloatStorage": "<f4", "torch DoubleStorage": "<f8", "torch HalfStorage": "<f2",
            "torch LongStorage": "<i8", "torch IntStorage": "<i4"}  # fmt: skip
DICTIONARY, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
ARGUMENTS = ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "SHORT_BINUNICODE")
MOST = 10**6  # opcodes of a file; that of EfficientNet-Lite0 has 10,696
MARK = object()


class _Refused(Exception):
    """Something that weights do not need."""


@dataclass(frozen=True)
class _Name:
    """A name of the closed table."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """Numbers that follow in the file: their type, name and count."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(content: bytes, label: str) -> dict[str, np.ndarray]:
    """Weights by name.

    Args:
        content: of the file.
        label: its name, for messages.

    Raises:
        InputError: another format, a damaged file, or something that weights do not need.

    Example:
        >>> read_state_dict(b"", "weights.pth")
        Traceback (most recent call last):
        chymist.errors.InputError: the weights cannot be read, in weights.pth...
    """
    try:
        return _read(io.BytesIO(content))
    except (_Refused, ValueError, IndexError, KeyError, TypeError, struct.error,
            AttributeError, UnicodeDecodeError, MemoryError) as error:  # fmt: skip
        raise InputError("the weights cannot be read", where=label,
                         received=str(error).splitlines()[0][:70] if str(error) else "",
                         do="fetch the file again") from None  # fmt: skip


def _read(stream: io.BytesIO) -> dict[str, np.ndarray]:
    if _run(stream) != MAGIC or _run(stream) != 1001:
        raise _Refused("another format")
    _run(stream)
    named, keys = _run(stream), _run(stream)
    tensors = {name: value for name, value in named.items() if isinstance(value, _Tensor)}
    if not tensors or len(tensors) != len(named) or not all(type(name) is str for name in tensors):
        raise _Refused("more than named tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if sorted(keys) != sorted(storages):
        raise _Refused("other storages than those that are used")
    numbers = {}
    for key in keys:
        (count,), dtype = struct.unpack("<q", stream.read(8)), np.dtype(storages[key].dtype)
        raw = stream.read(max(0, count) * dtype.itemsize)
        if count != storages[key].count or len(raw) != count * dtype.itemsize:
            raise _Refused("a storage of another size")
        numbers[key] = np.frombuffer(raw, dtype)
    return {name: _cut(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _cut(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    """The numbers of a tensor."""
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, numbers.dtype)
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
    if last >= len(numbers) or math.prod(tensor.shape) > len(numbers):
        raise _Refused("a tensor beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


def _run(stream: io.BytesIO) -> Any:
    """The value of one pickle."""
    stack: list[Any] = []
    memory: dict[Any, Any] = {}
    for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        name = opcode.name
        if number > MOST:
            raise _Refused("too many opcodes")
        if name in ("PROTO", "BUILD"):  # what is built is a note on versions
            del stack[len(stack) - (name == "BUILD") :]
        elif name in VALUES:
            stack.append(VALUES[name])
        elif name in ARGUMENTS:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memory[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memory[argument])
        elif name == "STOP":
            return stack.pop()
        else:
            _containers(name, argument, stack)
    raise _Refused("no end")


def _containers(name: str, argument: Any, stack: list[Any]) -> None:
    """Opcodes that make something of what lies on the stack."""
    if name in ("MARK", "EMPTY_DICT", "EMPTY_LIST"):
        stack.append(MARK if name == "MARK" else {} if name == "EMPTY_DICT" else [])
    elif name == "GLOBAL":
        if argument not in (DICTIONARY, TENSOR, *STORAGES):
            raise _Refused(f"the name {argument}")
        stack.append(_Name(argument))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack[-count:] = [tuple(stack[-count:])]
    elif name == "TUPLE":
        stack.append(tuple(_marked(stack)))
    elif name in ("APPENDS", "APPEND"):
        items = _marked(stack) if name == "APPENDS" else [stack.pop()]
        stack[-1].extend(items)
    elif name in ("SETITEMS", "SETITEM"):
        items = _marked(stack) if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
        for key, value in _pairs(items):
            stack[-1][key] = value
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name == "REDUCE":
        given, called = stack.pop(), stack.pop()
        stack.append(_made(called, given))
    else:
        raise _Refused(f"the opcode {name}")


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(items[::2], items[1::2], strict=True)


def _marked(stack: list[Any]) -> list[Any]:
    """What lies above the last mark."""
    place = len(stack) - 1
    while stack[place] is not MARK:
        place -= 1
        if place < 0:
            raise _Refused("no mark")
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _storage(told: Any) -> _Storage:
    """A storage from ("storage", type, key, place, count, None)."""
    if not isinstance(told, tuple) or len(told) != 6 or told[0] != "storage" or told[5] is not None:
        raise _Refused("a storage of another form")
    kind, key, count = told[1], told[2], told[4]
    if not isinstance(kind, _Name) or kind.text not in STORAGES or type(key) is not str:
        raise _Refused("a storage of another type")
    if type(count) is not int or not 0 <= count < 2**31:
        raise _Refused("a storage of another size")
    return _Storage(STORAGES[kind.text], key, count)


def _made(called: Any, given: Any) -> Any:
    """An empty dictionary, or a tensor."""
    if called == _Name(DICTIONARY) and given == ():
        return {}
    if called != _Name(TENSOR) or not isinstance(given, tuple) or len(given) != 6:
        raise _Refused("a call")
    storage, offset, shape, strides = given[:4]
    whole = [offset, *shape, *strides]
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in whole):
        raise _Refused("a tensor of another form")
    if len(strides) != len(shape):
        raise _Refused("a tensor of another form")
    return _Tensor(storage, offset, shape, strides)
