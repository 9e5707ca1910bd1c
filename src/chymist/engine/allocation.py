"""Memory: what is freed at every step stays with the process; what stays is not searched."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h
CHOSEN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
KEPT = 1 << 30
GROWN = 32 << 20  # where glibc's own threshold ends up in a process that frees large blocks


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Let glibc reuse freed blocks instead of giving each large one back to the kernel.

    The activations of a batch are allocated and freed at every step; as mapped blocks each would be
    cleared and faulted in again, page by page. No number depends on it. Other C libraries, and
    settings that the user has made in the environment, are left alone.
    """
    library = None if any(name in os.environ for name in CHOSEN) else _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, KEPT)
    library.mallopt(TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, GROWN)
        library.mallopt(TRIM_THRESHOLD, 2 * GROWN)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return None
    return library if hasattr(library, "gnu_get_libc_version") else None


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage in cycles while many objects are made that will stay.

    Python looks through all objects each time that their number has grown by a quarter; with torch
    loaded that is a tenth of a second. What is not in a cycle is freed at once, as always.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
