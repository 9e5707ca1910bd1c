"""Arrays in NPY files and in zips of them (NPZ): checked before memory is taken, never executed.

NumPy's own reader is not used: it takes the memory that a header claims, and reads objects if it
is let. Here the header is compared with the size of the file first, and there is no way to objects.
"""

from __future__ import annotations

import ast
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from chymist.data.archives import DAMAGED, check_entries
from chymist.data.blocks import as_type, row_blocks
from chymist.data.cells import short
from chymist.data.room import room_for
from chymist.errors import ChymistError, InputError

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000  # bytes, as in NumPy
MAX_ARRAYS = 1_000  # of an NPZ file
MAX_AXES = 8
MAPPED = 2**20  # bytes above which an array stays in its file
NUMBERS, TEXTS, DATES = "biuf", "US", "M"
LOCAL = struct.Struct("<4s22xHH")  # of the header in front of an entry of a zip


@dataclass(frozen=True)
class Header:
    """What an NPY file says of its array.

    Args:
        dtype: of the numbers, or of the columns.
        shape: of the array.
        fortran: whether the first axis runs fastest.
        offset: bytes in front of the numbers.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        kind = "columns" if self.dtype.names else str(self.dtype)
        return f"{'x'.join(map(str, self.shape)) or 'single'} {kind}"


@dataclass(frozen=True, eq=False)
class Stored:
    """The arrays of a file.

    Args:
        label: name of the file.
        headers: by name of the array.
        read: name -> array.
    """

    label: str
    headers: dict[str, Header]
    read: Callable[[str], np.ndarray]


def open_npy(path: Path) -> Stored:
    """The one array of an NPY file, under the name "array".

    Raises:
        InputError: not an NPY file, damaged, or of another size than it says.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.eye(2))
        >>> print(open_npy(path).headers["array"])
        2x2 float64
    """
    label = path.name
    try:
        with path.open("rb") as file:
            header = read_header(file, label)
        held = path.stat().st_size
    except OSError as error:
        raise _unreadable(label, error.strerror or type(error).__name__) from None
    _check_size(header, held, label)
    return Stored(label, {"array": header}, lambda _: _checked(_mapped(path, header), label))


def open_npz(path: Path) -> Stored:
    """The arrays of an NPZ file; other files in it are left aside.

    Raises:
        InputError: not a zip, damaged, unsafe or too big; an array of another size than it says.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> np.savez_compressed(path, x=np.eye(2))
        >>> open_npz(path).read("x").tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    label = path.name
    try:
        with zipfile.ZipFile(path) as archive:
            packed = path.stat().st_size
            entries = archive.infolist()
            check_entries(
                entries, label, packed, packed, "save inputs and targets with numpy.savez"
            )
            found = {e.filename[:-4]: e for e in entries if e.filename.endswith(".npy")}
            if len(found) > MAX_ARRAYS:
                raise InputError(
                    "the file holds too many arrays",
                    where=label,
                    received=f"{len(found):,}, at most {MAX_ARRAYS:,}",
                    do="keep inputs and targets only",
                )
            headers = {}
            for name, entry in found.items():
                where = f"{label}, {short(name)}"
                with archive.open(entry) as file:
                    headers[name] = read_header(file, where)
                _check_size(headers[name], entry.file_size, where)
    except ChymistError:
        raise
    except DAMAGED as error:
        raise _unreadable(label, str(error)[:60]) from None

    def read(name: str) -> np.ndarray:
        where = f"{label}, {short(name)}"
        try:
            return _checked(_entry(path, found[name], headers[name], where), where)
        except ChymistError:
            raise
        except DAMAGED as error:
            raise _unreadable(where, str(error)[:60]) from None

    return Stored(label, headers, read)


def read_header(file: IO[bytes], label: str) -> Header:
    """The header at the beginning of an NPY file.

    Raises:
        InputError: it is none, or is damaged.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros((3, 4)))
        >>> _ = file.seek(0)
        >>> read_header(file, "t.npy").shape
        (3, 4)
    """
    start = file.read(8)
    if start[:6] != MAGIC or len(start) < 8:
        raise _unreadable(label, f"first bytes {start[:6]!r}")
    wide = 2 if start[6] == 1 else 4
    count = file.read(wide)
    length = int.from_bytes(count, "little")
    if start[6] not in (1, 2, 3) or start[7] != 0 or len(count) < wide or length > MAX_HEADER:
        raise _unreadable(label, f"version {start[6]}.{start[7]}, a header of {length:,} bytes")
    text = file.read(length)
    if len(text) < length:
        raise _unreadable(label, "it ends in its header")
    try:
        plain = ast.literal_eval(text.decode("latin-1" if start[6] < 3 else "utf-8").strip())
        descr, fortran, shape = (plain[key] for key in ("descr", "fortran_order", "shape"))
        dtype = _dtype(descr)
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError):
        raise _unreadable(label, "a header that is damaged") from None
    right = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not right or not isinstance(fortran, bool):
        raise _unreadable(label, "a header that is damaged")
    return Header(dtype, shape, fortran, 8 + wide + length)


def _dtype(descr: Any) -> np.dtype:
    """The type that a header names; NumPy's remarks on old spellings are left aside."""
    if type(descr) not in (str, list):
        raise TypeError
    named: Any = descr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.lib.format.descr_to_dtype(named)


def _check_size(header: Header, held: int, label: str) -> None:
    """Refuse an array that is not as large as its file."""
    if header.offset + header.size != held:
        raise InputError(
            "the array is not as large as its header says",
            where=label,
            received=f"{header} in {held - header.offset:,} bytes"[:80],
            do="save or fetch it again",
        )


def check_kind(header: Header, label: str) -> None:
    """Refuse an array that is empty, a single value, or not of numbers, texts or plain columns.

    Raises:
        InputError: says what it holds.

    Example:
        >>> check_kind(Header(np.dtype("<f8"), (3, 4), False, 128), "t.npy")
    """
    dtype = header.dtype
    if dtype.hasobject:
        raise InputError(
            "the array holds Python objects, which are not read: they can run code",
            where=label,
            received=str(header)[:60],
            do="save numbers or texts (dtype float, int, str)",
        )
    parts = [dtype[name] for name in dtype.names] if dtype.names else [dtype]
    if any(part.kind not in NUMBERS + TEXTS + DATES or not part.itemsize for part in parts):
        raise InputError(
            "the array holds neither numbers nor texts",
            where=label,
            received=str(dtype)[:60],
            do="save it as float, int, bool or str",
        )
    if not header.shape or 0 in header.shape or len(header.shape) > MAX_AXES:
        raise InputError(
            "the array has no rows" if len(header.shape) <= MAX_AXES else "too many axes",
            where=label,
            received=f"shape {header.shape}"[:60],
            do="save an array of (rows, ...)",
        )


def _entry(path: Path, entry: zipfile.ZipInfo, header: Header, where: str) -> np.ndarray:
    """An array of an NPZ file: mapped if it is stored as it is, unpacked otherwise."""
    check_kind(header, where)
    if entry.compress_type == zipfile.ZIP_STORED and header.size >= MAPPED:
        with path.open("rb") as file:
            file.seek(entry.header_offset)
            start = entry.header_offset + LOCAL.size + sum(LOCAL.unpack(file.read(LOCAL.size))[1:])
        if start + entry.file_size > path.stat().st_size:
            raise _unreadable(where, "it ends too early")
        whole = np.memmap(path, np.uint8, "r", start, (entry.file_size,))
        crc = 0
        for block in row_blocks(whole):
            crc = zlib.crc32(block.data, crc)
        if crc != entry.CRC:
            raise _unreadable(where, "another checksum than the zip says")
        return _mapped(path, header, start)
    buffer = room_for((header.size,), where)
    at = 0
    with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
        file.read(header.offset)
        while chunk := file.read(2**20):
            buffer[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
            at += len(chunk)
    if at != header.size:
        raise _unreadable(where, "it ends too early")
    return buffer.view(header.dtype).reshape(header.shape, order="F" if header.fortran else "C")


def _mapped(path: Path, header: Header, start: int = 0) -> np.ndarray:
    """An array that stays in its file; a small one is read."""
    check_kind(header, path.name)
    order: Any = "F" if header.fortran else "C"
    offset = start + header.offset
    if header.size >= MAPPED:
        return np.memmap(path, header.dtype, "r", offset, header.shape, order)
    with path.open("rb") as file:
        file.seek(offset)
        content = bytearray(file.read(header.size))
    return np.frombuffer(content, header.dtype).reshape(header.shape, order=order)


def _checked(array: np.ndarray, where: str) -> np.ndarray:
    """An array with texts that are texts, and numbers as this machine holds them."""
    if array.dtype.names:
        return array
    if array.dtype.kind == "S":
        try:
            return np.char.decode(np.asarray(array), "utf-8")
        except UnicodeDecodeError:
            raise _unreadable(where, "texts that are not UTF-8") from None
    if array.dtype.kind == "U":
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        codes = array.view(np.uint32)
        if bool(((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any()):
            raise _unreadable(where, "signs that are not Unicode")
    if array.dtype.kind in NUMBERS:
        wide = array.dtype.itemsize > 8  # long doubles differ from machine to machine
        dtype = np.dtype(np.float64) if wide else array.dtype.newbyteorder("=")
        return as_type(array, dtype, where)
    return array


def columns_of(array: np.ndarray, label: str) -> dict[str, np.ndarray]:
    """The columns of a structured array.

    Raises:
        InputError: a column has axes or columns of its own, or the array is no list of rows.

    Example:
        >>> columns_of(np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), "t.npy")["b"]
        array([2.])
    """
    if array.ndim != 1:
        raise InputError(
            "an array of columns needs one axis",
            where=label,
            received=f"shape {array.shape}",
            do="save one record per row",
        )
    found = {}
    for name in array.dtype.names or ():
        column = np.ascontiguousarray(array[name])
        if column.dtype.kind == "M":
            column = column.astype("M8[us]")  # finer ones would be read as numbers
        found[name] = _checked(column, f"{label}, column {short(name)}")
    return found


def _unreadable(label: str, received: str) -> InputError:
    return InputError(
        "the array file cannot be read",
        where=label,
        received=received,
        do="save it again with numpy.save or numpy.savez",
    )
