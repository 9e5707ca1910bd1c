"""What says whether a checkpoint is whole: its files, with size and SHA-256. Imports no torch."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from chymist.engine.files import check_ordinary, read_file
from chymist.errors import InputError

FORMAT = 2
NEEDED = ("model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json")
BEST = "best.safetensors"
# Errors of the machine, not of the checkpoint: no access, no memory, too many open files.
PASSING = (errno.EACCES, errno.EPERM, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """The files of a checkpoint: size and SHA-256 of each."""

    format: int
    files: dict[str, tuple[int, str]]


class Kept(NamedTuple):
    """A checkpoint that a run has kept.

    Args:
        step: optimiser steps that were taken.
        at: when it was saved, in seconds since 1970.
        size: bytes of its files.
        damage: what is wrong with it; empty if every file is as its manifest says.
    """

    step: int
    at: float
    size: int
    damage: str


def kept_checkpoints(folder: Path) -> list[Kept]:
    """The checkpoints of a run, oldest first, each checked against its manifest.

    Args:
        folder: of the run.
    """
    found = []
    for path in list_checkpoints(folder / "checkpoints"):
        if not path.name[5:].isdecimal():
            continue
        damage = ""
        try:
            verify(path)
            sizes = [file.stat().st_size for file in path.iterdir()]
            found.append(Kept(int(path.name[5:]), path.stat().st_mtime, sum(sizes), ""))
            continue
        except InputError as error:
            damage = error.received
        except OSError as error:  # pruned meanwhile, or not to be read
            damage = str(error.strerror)
        if path.is_dir():
            found.append(Kept(int(path.name[5:]), path.stat().st_mtime, 0, damage))
    return found


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints of a run, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def is_passing(error: Exception) -> bool:
    """Whether an error is one of the machine, which says nothing about what was read."""
    return getattr(error, "errno", None) in PASSING


def verify(path: Path) -> None:
    """Check a checkpoint against its manifest.

    Raises:
        InputError: a file is missing, or its size or content differs.
    """
    try:
        manifest = msgspec.json.decode(read_file(path / "MANIFEST.json"), type=Manifest)
        if manifest.format != FORMAT:
            raise ValueError(f"format {manifest.format}")
        for name in NEEDED:
            if name not in manifest.files:
                raise ValueError(f"{name} is not listed")
        if (path / BEST).exists() and BEST not in manifest.files:
            raise ValueError(f"{BEST} is not listed")
        for name, told in manifest.files.items():
            if Path(name).name != name or digest(path / name) != told:
                raise ValueError(f"{name} differs")
    except (OSError, msgspec.DecodeError, ValueError) as error:
        if is_passing(error):
            raise
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> InputError:
    """The error of a checkpoint that cannot be read."""
    return InputError(
        "checkpoint is damaged",
        where=path.name,
        received=(str(error).splitlines() or [""])[0].replace(f"{path}/", "")[:90],
        do="an older one is used if there is one",
    )


def digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    check_ordinary(path)
    with path.open("rb") as stream:
        return path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
