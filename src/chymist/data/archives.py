"""The files of a folder or of a zip, by their names inside it; nothing is unpacked to disk."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chymist.data.cells import short
from chymist.errors import InputError

MAX_ENTRIES = 200_000
MAX_BYTES = 2**31  # of all entries of a zip, unpacked
MAX_RATIO = 200  # unpacked to packed, above which a zip is taken for a bomb
UNSEEN = ("__MACOSX", "Thumbs.db", "desktop.ini")
# What Python raises for damaged zips; the last for those that need a newer or secret method.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
)
SMALL = 2**20  # bytes below which the ratio does not matter


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder or zip holds.

    Args:
        label: its name, for messages.
        files: names of the files relative to it, with forward slashes, sorted.
        folders: names of the folders, likewise.
        read: name -> content.
    """

    label: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    read: Callable[[str], bytes]


def list_files(path: Path) -> Listing:
    """List a folder or zip; hidden files and what systems add are left aside.

    Raises:
        InputError: it cannot be read; a zip that is damaged, encrypted, unsafe or too big.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a").mkdir()
        >>> _ = (folder / "a" / "1.txt").write_text("x")
        >>> list_files(folder).files, list_files(folder).folders
        (('a/1.txt',), ('a',))
    """
    return _folder(path) if path.is_dir() else _zip(path)


def _folder(path: Path) -> Listing:
    files: list[str] = []
    folders: list[str] = []
    for entry in path.rglob("*"):
        name = entry.relative_to(path).as_posix()
        if _visible(name):
            (folders if entry.is_dir() else files).append(name)

    def read(name: str) -> bytes:
        place = path / name
        if place.exists() and not place.is_file():  # to open a pipe or device might never end
            raise InputError(
                "not a regular file",
                where=name,
                received="a pipe, socket or device",
                do="remove it",
            )
        try:
            return place.read_bytes()
        except OSError as error:
            raise InputError(
                "the file cannot be read",
                where=name,
                received=error.strerror or type(error).__name__,
                do="check its permissions",
            ) from None

    return Listing(path.name, tuple(sorted(files)), tuple(sorted(folders)), read)


def _zip(path: Path) -> Listing:
    label = path.name
    try:
        content = path.read_bytes()
        archive = zipfile.ZipFile(io.BytesIO(content))
    except DAMAGED as error:
        raise InputError(
            "the zip cannot be read",
            where=label,
            received=str(error)[:60],
            do="pack or fetch it again",
        ) from None
    entries = [entry for entry in archive.infolist() if entry.filename]  # no name is no file
    check_entries(entries, label, len(content))
    files = {e.filename: e for e in entries if not e.is_dir() and _visible(e.filename)}
    folders = {e.filename.rstrip("/") for e in entries if e.is_dir() and _visible(e.filename)}
    for name in files:
        folders.update(str(above) for above in PurePosixPath(name).parents if str(above) != ".")

    def read(name: str) -> bytes:
        try:
            return archive.read(files[name])
        except DAMAGED as error:
            raise InputError(
                "the file in the zip is damaged or encrypted",
                where=f"{label}, {name}",
                received=str(error)[:40],
                do="pack it again",
            ) from None

    return Listing(label, tuple(sorted(files)), tuple(sorted(folders)), read)


def check_entries(
    entries: list[zipfile.ZipInfo],
    label: str,
    packed: int,
    stored: int = 0,
    smaller: str = "unpack it and give the folder",
) -> None:
    """Refuse a zip that is unsafe or unpacks to too much.

    Args:
        entries: what it lists.
        label: its name, for messages.
        packed: its bytes.
        stored: bytes that may come on top because they are not unpacked into memory.
        smaller: what to do about one that is too big.

    Raises:
        InputError: too many entries, unsafe names, names given twice, a bomb.

    Example:
        >>> check_entries([zipfile.ZipInfo("a.txt")], "t.zip", 100)
    """
    if len(entries) > MAX_ENTRIES:
        raise InputError(
            "the zip has too many entries",
            where=label,
            received=f"{len(entries):,}, at most {MAX_ENTRIES:,}",
            do=smaller,
        )
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if ".." in parts or (parts and (parts[0].startswith("/") or parts[0].endswith(":"))):
            raise InputError(
                "the zip holds a name that leads out of it",
                where=label,
                received=short(entry.filename),
                do="pack it again with relative names",
            )
    names = Counter(entry.filename for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InputError(
            "the zip holds a name twice",
            where=label,
            received=short(twice[0]),
            do="pack it again",
        )
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BYTES + stored or (total > SMALL and total > MAX_RATIO * packed):
        raise InputError(
            "the zip unpacks to too much",
            where=label,
            received=f"{total / 2**20:,.0f} MiB from {packed / 2**20:,.1f} MiB",
            do=smaller,
        )


def _visible(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part in UNSEEN for part in parts)
