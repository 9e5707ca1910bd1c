"""Room for decoded content: in memory, or on the disk where it is large."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from chymist.errors import DiskFull

HELD = 2**30  # bytes of one array that are held in memory


def room_for(shape: tuple[int, ...], label: str, held: int = HELD) -> np.ndarray:
    """An empty uint8 array: beyond `held` bytes a memory-mapped file without a name.

    The file goes away with the array, however the process ends.

    Args:
        shape: of the array.
        label: what it is for, in messages.
        held: bytes that may be held in memory.

    Returns:
        uint8, writable.

    Raises:
        DiskFull: it fits neither into memory nor on the disk.

    Example:
        >>> room_for((2, 3), "photos").shape, type(room_for((2, 3), "photos", held=0)).__name__
        ((2, 3), 'memmap')
    """
    size = math.prod(shape)
    if size <= held:
        return np.empty(shape, np.uint8)
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DiskFull(
            "the unpacked data do not fit on the disk", where=label,
            received=f"{size / 1e9:,.1f} GB, {free / 1e9:,.1f} GB free in {folder}",
            do="set TMPDIR to a larger disk, or give images a smaller image_size",
        )  # fmt: skip
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # a disk that fills up later would kill the process
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.uint8, "w+", shape=shape)
