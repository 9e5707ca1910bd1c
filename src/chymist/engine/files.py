"""Writing files so that they are whole or absent."""

from __future__ import annotations

import os
from pathlib import Path


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
