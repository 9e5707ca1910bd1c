"""Faults inside a process: every call that changes a file is counted, and the k-th one goes wrong.

This sees what Python does; `strace` sees what the kernel is asked for. Where both are at hand the
tests use both: a write that is torn in the middle can only be made here.
"""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable
from typing import Any

NAMES = (
    "rename",
    "replace",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
    "fsync",
    "fdatasync",
    "truncate",
)


class Injector:
    """Counts the calls that change files, records them, and makes one of them go wrong.

    Args:
        below: only paths with this text in them count.
        at: number of the call that goes wrong, from 1; 0 for none.
        how: "kill", "torn" (half of a write, then killed), or the name of an error ("ENOSPC").
        first, last: marks between which calls count; without a first one they count at once.
    """

    def __init__(
        self, below: str, at: int = 0, how: str = "kill", first: str = "event 1", last: str = ""
    ) -> None:
        self.below, self.at, self.how, self.first, self.last = below, at, how, first, last
        self.calls: list[list[str]] = []
        self.awake = not first
        self.paths: dict[int, str] = {}
        for name in NAMES:
            setattr(os, name, self._watched(name, getattr(os, name)))
        self._open, self._os_open = io.open, os.open
        io.open = self._opened  # type: ignore[assignment]
        os.open = self._os_opened  # type: ignore[assignment]

    def mark(self, name: str) -> None:
        """Say how far the run is."""
        self.awake = (self.awake or name == self.first) and name != self.last

    def call(self, name: str, path: str, to: str = "") -> str:
        """Record a call that is about to be made; returns what shall go wrong with it."""
        if not self.awake or self.below not in path + to:
            return ""
        self.calls.append([name, path, to])
        wrong = name not in ("read", "open") and self.at == sum(
            c[0] not in ("read", "open") for c in self.calls
        )
        if wrong and not (self.how == "torn" and name == "write"):
            if self.how in ("kill", "torn"):
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, self.how), os.strerror(getattr(errno, self.how)), path)
        return self.how if wrong else ""

    def _path(self, target: Any, folder: int | None = None) -> str:
        if isinstance(target, int):
            return os.readlink(f"/proc/self/fd/{target}")
        path = os.fspath(target)
        base = os.readlink(f"/proc/self/fd/{folder}") if folder is not None else os.getcwd()
        return os.path.join(base, path)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(target: Any, *rest: Any, **words: Any) -> Any:
            to = self._path(rest[0]) if name in ("rename", "replace") else ""
            plain = {"replace": "rename", "remove": "unlink", "fdatasync": "fsync"}.get(name, name)
            self.call(plain, self._path(target, words.get("dir_fd")), to)
            return real(target, *rest, **words)

        return watched

    def _opened(self, file: Any, mode: str = "r", *rest: Any, **words: Any) -> Any:
        path = self._path(file)
        writes = bool(set(mode) & set("wax+"))
        self.call("open" if writes else "read", path)
        stream = self._open(file, mode, *rest, **words)
        return _Stream(stream, path, self) if writes and self.below in path else stream

    def _os_opened(self, path: Any, flags: int, *rest: Any, **words: Any) -> int:
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self.call("open" if writes else "read", self._path(path, words.get("dir_fd")))
        return self._os_open(path, flags, *rest, **words)


class _Stream:
    """A file whose writes are seen."""

    def __init__(self, stream: Any, path: str, injector: Injector) -> None:
        self.stream, self.path, self.injector = stream, path, injector

    def write(self, content: bytes) -> int:
        """Write, or half of it."""
        if self.injector.call("write", self.path) == "torn":
            self.stream.write(content[: len(content) // 2])
            self.stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return int(self.stream.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
