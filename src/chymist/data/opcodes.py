"""Old public files that are pickles, read opcode by opcode: numbers, texts, containers and arrays.

A pickle is a program that may call anything. Here no name is imported and nothing is called: a
closed table says what our own code makes of the few names that such files need, and everything else
is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from chymist.data.cells import short
from chymist.errors import InputError

DEEPEST = 100  # containers within containers
KEYS = (str, bytes, int, float, type(None))  # what a key of a dictionary may be
LARGEST_INT = 128  # bits; torch's magic number has 77


class Refused(Exception):
    """Something that no table of numbers needs."""


@dataclass
class Made:
    """An object by name that a file asks for; what it is made of may come later.

    Args:
        arguments: what it was called with.
        state: what it was built from, or None.
    """

    arguments: tuple[Any, ...]
    state: Any = None

    def value(self, settled: Callable[[Any], Any]) -> Any:
        """What it stands for; `settled` gives that of parts."""
        raise Refused(f"a bare {type(self).__name__.lower()}")


class DType(Made):
    """A type of numbers: its code, and in its state the order of bytes."""

    def dtype(self) -> np.dtype[Any]:
        """Booleans, whole numbers and floating ones of at most 8 bytes."""
        code = self.arguments[0] if self.arguments else None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        codes = [f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)] + ["b1"]
        if code not in codes or code == "f1" or order not in ("<", ">", "|", "="):
            raise Refused(f"numbers of type {short(code)}")
        return np.dtype(f"{order}{code}")


class Array(Made):
    """An array of numbers: version, shape, type, order of axes, bytes."""

    def value(self, settled: Callable[[Any], Any]) -> np.ndarray:
        """The array, whose bytes must be as many as its shape says."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise Refused("an array without content")
        _, shape, kind, turned, raw = self.state
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        whole = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
        if not whole or not isinstance(kind, DType) or not isinstance(raw, bytes):
            raise Refused("an array that is not of numbers")
        dtype, count = kind.dtype(), 1
        for length in shape:
            count *= length
        if count * dtype.itemsize != len(raw):
            raise Refused(f"an array of shape {shape} in {len(raw)} bytes")
        flat = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
        return flat.reshape(shape, order="F" if turned is True else "C")


class Sparse(Made):
    """A sparse matrix by rows (CSR), as SciPy wrote it."""

    def value(self, settled: Callable[[Any], Any]) -> Any:
        """A `scipy.sparse.csr_matrix` whose parts fit each other."""
        from scipy.sparse import csr_matrix

        state = settled(self.state)
        names = ("data", "indices", "indptr")
        if not isinstance(state, dict) or not all(
            isinstance(state.get(n), np.ndarray) and state[n].ndim == 1 for n in names
        ):
            raise Refused("a sparse matrix without content")
        shape, (values, columns, ends) = state.get("_shape"), (state[n] for n in names)
        if not (isinstance(shape, tuple) and len(shape) == 2 and all(type(n) is int for n in shape)
                and columns.dtype.kind == ends.dtype.kind == "i" and len(ends) == shape[0] + 1
                and ends[0] == 0 and ends[-1] == len(values) == len(columns)
                and (np.diff(ends) >= 0).all() and int(columns.min(initial=0)) >= 0
                and int(columns.max(initial=-1)) < shape[1] < 2**31):  # fmt: skip
            raise Refused("a sparse matrix whose parts do not fit each other")
        return csr_matrix((values, columns, ends), shape)


def _type(arguments: tuple[Any, ...]) -> Any:
    """A type that is only handed on, as to `_reconstruct`."""
    raise Refused("a call of a type")


def dictionary(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """An empty dictionary, of whatever kind the file has.

    Example:
        >>> dictionary(())
        {}
    """
    if len(arguments) > 1 or not all(isinstance(part, Name) for part in arguments):
        raise Refused("a dictionary with content of its own")
    return {}


def _encoded(arguments: tuple[Any, ...]) -> bytes:
    """Bytes that were written as text, as Python 3 does for Python 2."""
    if len(arguments) != 2 or type(arguments[0]) is not str or arguments[1] != "latin1":
        raise Refused("an encoding")
    return arguments[0].encode("latin-1")


def _no_bytes(arguments: tuple[Any, ...]) -> bytes:
    """Empty bytes, which old protocols have no opcode for."""
    if arguments:
        raise Refused("bytes of something")
    return b""


Maker = Callable[[tuple[Any, ...]], Any]


@dataclass(frozen=True)
class Name:
    """A name of the table, on the stack."""

    text: str
    maker: Maker


NAMES: Mapping[str, Maker] = {
    "numpy dtype": DType, "numpy ndarray": _type, "numpy.core.multiarray _reconstruct": Array,
    "numpy._core.multiarray _reconstruct": Array, "scipy.sparse.csr csr_matrix": Sparse,
    "scipy.sparse._csr csr_matrix": Sparse, "collections defaultdict": dictionary,
    "collections OrderedDict": dictionary, "__builtin__ list": _type, "builtins list": _type,
    "_codecs encode": _encoded,
    "__builtin__ bytes": _no_bytes, "builtins bytes": _no_bytes,
}  # fmt: skip


def read_pickle(
    content: bytes | BinaryIO, where: str, names: Mapping[str, Maker] = NAMES,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:  # fmt: skip
    """What a pickle holds, if that is numbers, texts, containers and arrays.

    Args:
        content: of the file; a stream is left where the pickle ends.
        where: its name, for errors.
        names: what our own code makes of a name "module name" that the file asks for, called with
            the arguments as a tuple.
        persistent: what stands for a persistent identifier, or None to refuse them.

    Returns:
        Numbers, texts, bytes, lists, tuples, dictionaries, arrays, `scipy.sparse.csr_matrix`.

    Raises:
        InputError: the file asks for anything else, or is damaged.

    Example:
        >>> read_pickle(b"\\x80\\x02]\\x94(K\\x01K\\x02Ne.", "a.pickle")
        [1, 2, None]
    """
    machine = _Machine(names, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.step(opcode.name, argument)
        if len(machine.stack) != 1 or machine.outer:
            raise Refused("another end than one value")
        return _settled(machine.stack[0], {}, 0)
    except Refused as error:
        received = str(error)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError):
        received = "a damaged file"
    raise InputError("the file is not one of numbers, texts and arrays alone", where=where,
                     received=received, do="nothing of it was run; give another file")  # fmt: skip


@dataclass
class _Machine:
    """The stack and memory that the opcodes work on."""

    names: Mapping[str, Maker]
    persistent: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    outer: list[list[Any]] = field(default_factory=list)  # stacks below the marks
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        if name in PUSHED:
            if type(argument) is int and argument.bit_length() > LARGEST_INT:
                raise Refused(f"a number of more than {LARGEST_INT} bits")
            self.stack.append(argument)
        elif name in FRESH:
            self.stack.append(FRESH[name]())
        elif name in WORK:
            WORK[name](self, argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise Refused(f"the opcode {name}")

    def above(self) -> list[Any]:
        """What lies above the last mark."""
        found, self.stack = self.stack, self.outer.pop()
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        """The last few values, taken away."""
        if count > len(self.stack):
            raise LookupError
        found = tuple(self.stack[-count:])
        del self.stack[-count:]
        return found

    def mark(self, _: Any) -> None:
        """Begin a new stack."""
        self.outer.append(self.stack)
        self.stack = []

    def keep(self, number: Any) -> None:
        """Remember the last value; without a number, under the next one."""
        self.memo[len(self.memo) if number is None else number] = self.stack[-1]

    def name(self, asked: Any) -> None:
        """A name of the table, given whole or as two texts on the stack."""
        asked = " ".join(self.last(2)) if asked is None else asked
        if asked not in self.names:
            raise Refused(f"the name {short(asked)}")
        self.stack.append(Name(asked, self.names[asked]))

    def make(self, _: Any) -> None:
        """What a name stands for, of its arguments."""
        named, arguments = self.last(2)
        if not isinstance(named, Name) or not isinstance(arguments, tuple):
            raise Refused("a call of what is no name")
        self.stack.append(named.maker(arguments))

    def build(self, _: Any) -> None:
        """Give an object its state; attributes of a dictionary are left out."""
        state = self.last(1)[0]
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state
        elif not isinstance(self.stack[-1], dict):
            raise Refused("a state of what is no object")

    def extend(self, values: Any) -> None:
        """Values to the end of the list below."""
        if type(self.stack[-1]) is not list:
            raise Refused("values for what is no list")
        self.stack[-1].extend(values)

    def assign(self, flat: Any) -> None:
        """Keys and values into the dictionary below."""
        if type(self.stack[-1]) is not dict or len(flat) % 2:
            raise Refused("items for what is no dictionary")
        self.stack[-1].update(_pairs(flat))

    def foreign(self, _: Any) -> None:
        """What stands for a persistent identifier."""
        if self.persistent is None:
            raise Refused("a persistent identifier")
        self.stack.append(self.persistent(self.last(1)[0]))


PUSHED = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
FRESH: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict,
}  # fmt: skip
WORK: Mapping[str, Callable[[_Machine, Any], Any]] = {
    "MARK": _Machine.mark, "POP_MARK": lambda m, _: m.above(), "POP": lambda m, _: m.last(1),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "TUPLE": lambda m, _: _push(m, tuple(m.above())),
    "LIST": lambda m, _: _push(m, m.above()),
    "DICT": lambda m, _: _push(m, dict(_pairs(m.above()))),
    "TUPLE1": lambda m, _: m.stack.append(m.last(1)),
    "TUPLE2": lambda m, _: m.stack.append(m.last(2)),
    "TUPLE3": lambda m, _: m.stack.append(m.last(3)),
    "APPEND": lambda m, _: m.extend(m.last(1)), "APPENDS": lambda m, _: m.extend(m.above()),
    "SETITEM": lambda m, _: m.assign(m.last(2)), "SETITEMS": lambda m, _: m.assign(m.above()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.keep),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, at: m.stack.append(m.memo[at])),
    "GLOBAL": _Machine.name, "STACK_GLOBAL": _Machine.name, "REDUCE": _Machine.make,
    "NEWOBJ": _Machine.make, "BUILD": _Machine.build, "BINPERSID": _Machine.foreign,
}  # fmt: skip


def _push(machine: _Machine, value: Any) -> None:
    """A value onto the stack that lies below the mark, which is open again."""
    machine.stack.append(value)


def _pairs(flat: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a flat list; keys are plain."""
    keys, values = flat[::2], flat[1::2]
    if not all(isinstance(key, KEYS) for key in keys):
        raise Refused("a key that is no number and no text")
    return list(zip(keys, values, strict=True))


def _settled(value: Any, known: dict[int, Any], depth: int) -> Any:
    """A value whose objects are made, each of them once."""
    if not isinstance(value, list | tuple | dict | Made | Name):
        return value
    if depth > DEEPEST:
        raise Refused(f"containers nested more than {DEEPEST} deep")
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = None  # within itself
    found: Any

    def inner(part: Any) -> Any:
        if id(part) in known and known[id(part)] is None:
            raise Refused("a container that holds itself")
        return _settled(part, known, depth + 1)

    if isinstance(value, Made):
        found = value.value(inner)
    elif isinstance(value, dict):
        found = {key: inner(part) for key, part in value.items()}
    elif isinstance(value, list | tuple):
        found = type(value)(inner(part) for part in value)
    else:
        raise Refused("a name alone")
    known[id(value)] = found
    return found
