"""What tells a run folder from another one in its place, and when something in it has changed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

RECORD = "records.sqlite"
Stamp = tuple[tuple[int, int, int] | None, ...]


class _Named(msgspec.Struct):
    id: str = ""


def identity(folder: Path) -> str:
    """Eight letters that stay the same while a run is trained, resumed, moved or copied.

    Two folders with one name have two identities, so that points of the one are never taken for
    those of the other. Every run has a random number; an imported log is told by its content.
    """
    with suppress(OSError, msgspec.MsgspecError):
        named = msgspec.json.decode((folder / "environment.json").read_bytes(), type=_Named)
        if named.id:
            return hashlib.sha256(named.id.encode()).hexdigest()[:8]
    content = repr((folder.name, stamp(folder, ("environment.json", "imported.json"))))
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def stamp(folder: Path, names: tuple[str, ...]) -> Stamp:
    """Number, time and size of files of a folder: another stamp, another content."""
    found: list[tuple[int, int, int] | None] = []
    for name in names:
        try:
            seen = (folder / name).stat()
            found.append((seen.st_ino, seen.st_mtime_ns, seen.st_size))
        except OSError:
            found.append(None)
    return tuple(found)
