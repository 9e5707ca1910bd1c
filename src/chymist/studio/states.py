"""Where a run stands, in a word, by what its folder shows."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec


class _Result(msgspec.Struct):
    status: str = "finished"


def state_of(folder: Path) -> str:
    """ "running", "interrupted", or how it has ended: "finished" or "diverged"."""
    if (folder / "environment.json").is_file() and not (folder / "result.json").is_file():
        return "running" if is_trained(folder) else "interrupted"
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / "result.json").read_bytes(), type=_Result).status
    return "finished"


def is_trained(folder: Path) -> bool:
    """Whether a process has a run folder to itself, see `engine.folder.alone_in`."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
