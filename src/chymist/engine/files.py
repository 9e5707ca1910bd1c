"""Writing files so that they are whole or absent, and reading only what is a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

STANDARD_OUTPUT = Path("/dev/stdout")


def write_file(path: Path, content: bytes) -> None:
    """Write a file and flush it to the disk; it appears whole, by rename.

    Args:
        path: its place.
        content: its bytes.

    Raises:
        OSError: the disk is full or the folder is not writable.
    """
    draft = path.with_name(f".tmp-{path.name}")
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # gone already if the rename was reached


def write_through(path: Path, content: bytes) -> None:
    """Write a file at a place that a user chose: to what is there, not in its stead.

    A device, a pipe and standard output get the bytes; a link is followed and stays; a file is
    replaced as a whole, or not at all.

    Args:
        path: its place.
        content: its bytes.

    Raises:
        OSError: the disk is full or the folder is not writable.
    """
    if not is_stream(path):
        write_file(path.resolve(), content)
        return
    if path == STANDARD_OUTPUT:  # opened anew, a file would be written from its own place on
        sys.stdout.flush()
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            stream.write(content)
        return
    with path.open("ab") as stream:  # what the shell opened with >> is not to be cut
        stream.write(content)


def read_file(path: Path) -> bytes:
    """The bytes of an ordinary file.

    Raises:
        OSError: it is something else, is not there, or cannot be read.
    """
    check_ordinary(path)
    return path.read_bytes()


def check_ordinary(path: Path) -> None:
    """Refuse what is no ordinary file: to read a pipe or a device might never end.

    Raises:
        FileNotFoundError: it is something else, or nothing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing")


def is_stream(path: Path) -> bool:
    """Whether a path is no place for a file but leads to a device, a pipe or an open stream."""
    if path == STANDARD_OUTPUT:
        return True
    if path.absolute().parts[1:2] in (("dev",), ("proc",)) and path.exists():
        return not path.is_dir()
    return path.exists() and not path.is_file() and not path.is_dir()


def flush_folder(path: Path) -> None:
    """Flush a folder's list of names to the disk, so that a rename survives a power failure."""
    flush_file(path)


def flush_file(path: Path) -> None:
    """Flush what was written to a file by whomever to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
