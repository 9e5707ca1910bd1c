"""What a save must look like from outside: rules over the sequence of its calls.

A kill does not show a missing flush (the kernel still holds the bytes), a power failure does; so
flushes are checked by their place in the sequence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import NamedTuple

REMOVALS = ("unlink", "rmdir", "rename")
FINISHED = re.compile(r"/checkpoints/step-\d+$")
LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+|\?)")
PLACE = re.compile(r'(?:\b(?:\d+|AT_FDCWD)<([^>]*)>|AT_FDCWD)?(?:,\s*)?(?:"([^"]*)")?')
PLAIN = {
    "openat": "open", "creat": "open", "pwrite64": "write", "writev": "write",
    "fdatasync": "fsync", "renameat": "rename", "renameat2": "rename", "unlinkat": "unlink",
    "mkdirat": "mkdir", "ftruncate": "truncate",
}  # fmt: skip


class Call(NamedTuple):
    """One call that reads or changes a file.

    Args:
        name: open (for writing), read (open for reading), write, fsync, rename, unlink, mkdir,
            rmdir, truncate.
        path: what it works on.
        to: new name, of a rename.
    """

    name: str
    path: str
    to: str = ""


def read_strace(text: str) -> list[tuple[str, Call]]:
    """System calls that strace wrote down with -y, by their own names, in order."""
    found = []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        name, words = match[1], match[2]
        places = [
            os.path.join(folder, file) for folder, file in PLACE.findall(words) if folder or file
        ]
        if not places:
            continue
        plain = PLAIN.get(name, name)
        if plain == "open" and not re.search(r"O_WRONLY|O_RDWR", words) and name != "creat":
            plain = "read"
        if name == "unlinkat" and "AT_REMOVEDIR" in words:
            plain = "rmdir"
        path = places[0].rstrip("/")
        found.append((name, Call(plain, path, places[1] if plain == "rename" else "")))
    return found


def protocol_problems(calls: Iterable[Call]) -> list[str]:
    """What is wrong with the calls of one save, from its first to its last; nothing if all is well.

    The rules: a file is flushed after its last write; the folder of the draft is flushed after the
    last name in it changed; every file is read back after that; the manifest comes last; only then
    does the draft get its name; the folder above is flushed; only then is anything old removed.
    """
    files: dict[str, str] = {}  # of the draft: written, flushed or read back
    folders: dict[str, str] = {}
    last_written = published = ""
    durable = False
    problems: list[str] = []
    for name, path, to in calls:
        folder = str(PurePath(path).parent)
        if name in ("write", "truncate"):
            files[path], last_written = "written", path
            folders.setdefault(folder, "changed")
            if published:
                problems.append(f"{PurePath(path).name} is written after the rename")
        elif name in ("open", "mkdir"):
            folders[folder] = "changed"
            durable = durable and folder != str(PurePath(published).parent)
        elif name == "fsync" and path in files:
            files[path] = "flushed"
        elif name == "fsync":
            folders[path] = "flushed"
            durable = durable or (bool(published) and path == str(PurePath(published).parent))
        elif name == "read" and files.get(path) == "flushed" and folders.get(folder) == "flushed":
            files[path] = "read back"
        elif name == "rename" and FINISHED.search(to):
            problems += _unready(path, files, folders, last_written)
            published = to
        elif name == "rename" and not FINISHED.search(path):
            files[to] = files.pop(path, "written")
            folders[folder] = "changed"
            last_written = to if last_written == path else last_written
        elif name in REMOVALS and "/checkpoints/step-" in path and not durable:
            problems.append(f"{PurePath(path).name} is removed before the new one is durable")
    if not published:
        problems.append("no checkpoint appeared")
    elif not durable:
        problems.append("the folder of the checkpoints is not flushed after the rename")
    return problems


def _unready(
    draft: str, files: dict[str, str], folders: dict[str, str], last_written: str
) -> list[str]:
    """What is missing when a draft gets its name."""
    inside = {p: s for p, s in files.items() if p.startswith(draft + "/")}
    problems = [f"{PurePath(p).name} is not flushed" for p, s in inside.items() if s == "written"]
    problems += [
        f"{PurePath(p).name} is not read back" for p, s in inside.items() if s == "flushed"
    ]
    if folders.get(draft) != "flushed":
        problems.append("the folder of the draft is not flushed")
    if PurePath(last_written).name != "MANIFEST.json":
        problems.append("the manifest is not the last file")
    return problems
