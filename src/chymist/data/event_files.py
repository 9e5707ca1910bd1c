"""TensorBoard event files: their frames, written and read; nothing in them is believed.

A file is a list of records: the length (8 bytes, little-endian), its checksum, the record, its
checksum. Each record is an event: a clock, a step, and values by tag. The messages are those of
the package `tensorboard`, which is imported when a file is written or read.
"""

from __future__ import annotations

import math
import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np

from chymist.errors import InputError, UsageError, printable

VERSION = "brain.Event:2"  # of the format; from 2 on a restart says so itself
LARGEST = 2**28  # bytes of a record that is read
LAST_STEP = 2**53  # points are float64
MOST_TAGS = 10_000
LONG = 4096  # bytes from which on a checksum is calculated in blocks
OTHERS = ("images", "histograms", "audio", "texts", "tensors", "graphs")

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reflected


@dataclass
class Events:
    """The numbers of event files.

    Args:
        series: by tag, (wall time, step, value) of each point in the order of writing.
        left_out: how many other things were there, by kind ("images", "graphs", ...).
        notes: what a reader of the numbers should know: files that end early, points that a restart
            took back.
    """

    series: dict[str, list[tuple[float, int, float]]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


@cache
def messages() -> SimpleNamespace:
    """The messages of the package `tensorboard`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto import event_pb2, graph_pb2, summary_pb2, types_pb2
        from tensorboard.util import tensor_util
    except ImportError:
        raise UsageError("the package tensorboard is not installed", where="event files",
                         do="pip install 'chymist[tensorboard]'") from None  # fmt: skip
    return SimpleNamespace(
        Event=event_pb2.Event, SessionLog=event_pb2.SessionLog, Summary=summary_pb2.Summary,
        GraphDef=graph_pb2.GraphDef, DataType=types_pb2, make_ndarray=tensor_util.make_ndarray,
        Unreadable=DecodeError, scalar_class=summary_pb2.DATA_CLASS_SCALAR,
    )  # fmt: skip


@cache
def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


def checksum(content: bytes) -> int:
    """The masked CRC-32C of a record: ((c >> 15) | (c << 17)) + 0xa282ead8, modulo 2^32.

    Args:
        content: any bytes.

    Example:
        >>> hex(checksum(b"123456789"))
        '0xc78ab0e5'

    Source: RFC 3720, appendix B.4 (CRC-32C); TensorFlow, core/lib/hash/crc32c.h (the mask).
    """
    table, crc, done = _table(), 0xFFFFFFFF, 0
    if len(content) > LONG:
        crc, done = _of_blocks(content, crc)
    for byte in content[done:]:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _of_blocks(content: bytes, crc: int) -> tuple[int, int]:
    """The checksum so far of as many bytes as fill a square, all its rows at once, and how many.

    It is linear: that of a row that begins at a state is that of the row from nought, plus that
    of as many zeros from the state, which is the sum of those from its bits.
    """
    side = math.isqrt(len(content))
    rows = np.frombuffer(content, np.uint8, side * side).reshape(side, side)
    table = np.array(_table(), np.uint32)
    state = np.concatenate([np.zeros(side, np.uint32), np.uint32(1) << np.arange(32, dtype="u4")])
    for column in np.pad(rows.T, ((0, 0), (0, 32))):
        state = table[(state ^ column) & 255] ^ state >> 8
    bits = state[side:].tolist()
    for row in state[:side].tolist():
        after = 0
        for bit, value in enumerate(bits):
            after ^= value if crc >> bit & 1 else 0
        crc = after ^ row
    return crc, side * side


def frame(content: bytes) -> bytes:
    """A record as it stands in a file: length, its checksum, content, its checksum.

    Example:
        >>> len(frame(b"abc"))
        19
    """
    head = struct.pack("<Q", len(content))
    return b"".join(
        (head, struct.pack("<I", checksum(head)), content, struct.pack("<I", checksum(content)))
    )


def is_event_file(path: Path) -> bool:
    """Whether a file has the name of an event file.

    Example:
        >>> is_event_file(Path("events.out.tfevents.1700000000.host")), is_event_file(Path("a.csv"))
        (True, False)
    """
    return "tfevents" in path.name and not path.name.endswith(".profile-empty")


def read_events(paths: Sequence[Path]) -> Events:
    """The numbers of the event files of one run, one file after the other.

    A file that ends within a record, as a killed program leaves it, gives the records before. The
    same holds for a record that does not fit its checksum. Where a later event says that training
    started anew at a step, earlier points of that step and later ones are dropped, as TensorBoard
    does; in files older than format 2, so are points that a smaller step of their tag comes after.

    Args:
        paths: of the files, in the order of writing.

    Raises:
        InputError: a file is no event file, or has more tags than anybody can look at.
        UsageError: the package `tensorboard` is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "events.out.tfevents.1"
        >>> begun = messages().Event(file_version=VERSION).SerializeToString()
        >>> value = {"value": [{"tag": "loss", "simple_value": 0.5}]}
        >>> point = messages().Event(wall_time=2.0, step=1, summary=value).SerializeToString()
        >>> _ = path.write_bytes(frame(begun) + frame(point) + frame(point)[:20])
        >>> read_events([path]).series
        {'loss': [(2.0, 1, 0.5)]}
    """
    reader = _Reader()
    for path in paths:
        reader.read(path)
    if reader.dropped:
        reader.found.notes.append(
            f"{reader.dropped:,} points were written anew after a restart; the later ones stand"
        )
    return reader.found


class _Reader:
    """Reads files one after the other, and remembers of those before what an event needs."""

    def __init__(self) -> None:
        self.found, self.kinds = Events(), dict[str, str]()
        self.dropped, self.latest, self.restarts = 0, -1, True
        self.known = messages()

    def read(self, path: Path) -> None:
        """Read one file."""
        for number, (place, content) in enumerate(_records(path, self.found.notes)):
            event = self.known.Event()
            try:
                event.ParseFromString(content)
            except self.known.Unreadable:
                raise _no_events(path, f"a record at byte {place:,} that is no event") from None
            if not number:
                self._begin(path, event)
            self._take(event)

    def _begin(self, path: Path, event: Any) -> None:
        version = event.file_version
        if not version.startswith("brain.Event:"):
            raise _no_events(path, f"a first record of format '{printable(version[:30])}'")
        self.restarts = version.partition(":")[2].partition(".")[0] not in ("0", "1")

    def _take(self, event: Any) -> None:
        """The numbers of one event."""
        kind = event.WhichOneof("what")
        if kind == "session_log" and event.session_log.status == self.known.SessionLog.START:
            self._forget(event.step, list(self.found.series))
        elif kind in ("graph_def", "meta_graph_def"):
            self.found.left_out["graphs"] += kind == "graph_def"
        elif kind == "summary":
            if event.step < self.latest and not self.restarts:
                self._forget(event.step, [value.tag for value in event.summary.value])
            else:
                self.latest = event.step
            for value in event.summary.value:
                self._keep(event, value)

    def _forget(self, step: int, tags: Sequence[str]) -> None:
        """Drop points that a restart takes back."""
        for tag in tags:
            points = self.found.series.get(tag, [])
            kept = [point for point in points if point[1] < step]
            self.dropped += len(points) - len(kept)
            if points:
                self.found.series[tag] = kept

    def _keep(self, event: Any, value: Any) -> None:
        """A value, if it is a number; else it is counted."""
        tag, kind = value.tag, value.WhichOneof("value")
        if value.HasField("metadata"):  # written with the first value of a tag only
            plugin = value.metadata.plugin_data.plugin_name
            scalar = value.metadata.data_class == self.known.scalar_class
            self.kinds.setdefault(tag, "scalars" if scalar else plugin)
        number = None
        if kind == "simple_value":
            number = value.simple_value
        elif kind == "tensor" and self.kinds.get(tag, "") in ("", "scalars"):
            number = self._number(value.tensor)
        if number is None:
            plugin = self.kinds.get(tag, "") if kind == "tensor" else ""
            self.found.left_out[_kind_of(kind, plugin)] += 1
            return
        if tag not in self.found.series and len(self.found.series) >= MOST_TAGS:
            raise InputError("the log has too many tags", received=f"more than {MOST_TAGS:,}",
                             do="give a log of fewer series")  # fmt: skip
        if abs(event.step) > LAST_STEP:
            raise InputError("the log has a step that is no count", where=printable(tag[:40]),
                             received=f"step {event.step}", do="write the log anew")  # fmt: skip
        point = event.wall_time, event.step, float(number)
        self.found.series.setdefault(tag, []).append(point)

    def _number(self, tensor: Any) -> float | None:
        """The number in a tensor of one number; None of any other."""
        types = self.known.DataType
        real = (types.DT_FLOAT, types.DT_DOUBLE, types.DT_HALF, types.DT_BFLOAT16,
                types.DT_INT32, types.DT_INT64)  # fmt: skip
        sizes = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.dtype not in real or any(size != 1 for size in sizes[:8]) or len(sizes) > 8:
            return None  # a shape is asked first: a small message may claim to be a huge array
        try:
            return float(np.asarray(self.known.make_ndarray(tensor), np.float64).reshape(()))
        except (ValueError, TypeError, IndexError):
            return None


def _kind_of(kind: str | None, plugin: str) -> str:
    """What a value that is no number is called."""
    if kind == "tensor":
        return {"text": "texts"}.get(plugin, plugin if plugin in OTHERS else "tensors")
    return {"image": "images", "histo": "histograms", "audio": "audio"}.get(kind or "", "tensors")


def _records(path: Path, notes: list[str]) -> Iterator[tuple[int, bytes]]:
    """The records of a file with their places, up to its end or the first damage."""
    place, number, problem = 0, 0, ""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise _no_events(path, "no plain file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while place < size:
                content, problem = _record(file, size - place)
                if content is None:
                    break
                yield place, content
                place, number = place + len(content) + 16, number + 1
    except OSError as error:
        raise InputError("the file cannot be read", where=str(path),
                         received=error.strerror or type(error).__name__,
                         do="check the path and its permissions") from None  # fmt: skip
    if not number:
        raise _no_events(path, problem or "no records")
    if problem:
        notes.append(f"{printable(path.name)} was read up to byte {place:,}: {problem}")


def _record(file: BinaryIO, left: int) -> tuple[bytes | None, str]:
    """One record, or what is wrong with it."""
    ends = "it ends within a record, as a program leaves it that was killed or still writes"
    if left < 16:
        return None, ends
    head, sums = file.read(8), file.read(4)
    if len(sums) < 4 or struct.unpack("<I", sums)[0] != checksum(head):
        return None, "the length of a record does not fit its checksum"
    (length,) = struct.unpack("<Q", head)
    if length > LARGEST:
        return None, f"a record of {length:,} bytes"
    if length + 16 > left:
        return None, ends
    content, sums = file.read(length), file.read(4)
    if len(sums) < 4 or struct.unpack("<I", sums)[0] != checksum(content):
        return None, "a record does not fit its checksum"
    return content, ""


def _no_events(path: Path, received: str) -> InputError:
    return InputError("not a TensorBoard event file", where=str(path), received=received,
                      do="give a file events.out.tfevents..., or a CSV log")  # fmt: skip


def as_points(points: Sequence[tuple[float, int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Points of a tag as (points, 2) of step and value, and their wall times (points,).

    Example:
        >>> as_points([(1.5, 3, 0.25)])[0].tolist()
        [[3.0, 0.25]]
    """
    walls, steps, values = (np.array(c, np.float64) for c in zip(*points, strict=True))
    return np.stack([steps, values], 1), np.where(walls > 0, walls, math.nan)
