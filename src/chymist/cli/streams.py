"""Standard output and error as they really are: closed, full, a broken pipe, or ASCII only."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from chymist.errors import DiskFull

OUTPUT_LOST = "output-lost"  # code of the error that cannot be said on standard output


def prepare_streams() -> None:
    """Make both streams writable: a closed one is silent, a character they lack becomes "?".

    In UTF-8 only halves of file names that are no text are lacking; these are shown as codes.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # one that has changed its nature stays as it is
                stream.reconfigure(errors="backslashreplace" if _is_unicode(stream) else "replace")


def print_json(answer: Mapping[str, Any]) -> None:
    """Print one JSON object, in pure ASCII: no terminal, and no encoding, can misread it.

    Raises:
        DiskFull, BrokenPipeError: as `flush_output`.
    """
    with standard_output():
        print(json.dumps(answer, allow_nan=False))


def flush_output() -> None:
    """Write what waits for standard output.

    Raises:
        DiskFull: it leads to a file that cannot grow.
        BrokenPipeError: its reader has gone.
    """
    with standard_output():
        sys.stdout.flush()


@contextmanager
def standard_output() -> Iterator[None]:
    """Say what goes wrong while standard output is written to.

    Raises:
        DiskFull, BrokenPipeError: as `flush_output`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_output()
        raise DiskFull(
            "the output could not be written",
            where="standard output",
            received=str(error.strerror),
            do="free some space, or send it elsewhere",
            code=OUTPUT_LOST,
        ) from None


def silence_output() -> None:
    """Send what still waits for standard output nowhere, so that Python's exit does not fail."""
    with suppress(OSError, ValueError):  # a stream in memory has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_unicode(stream: Any) -> bool:
    name = str(getattr(stream, "encoding", None) or "utf-8").lower()
    return name.replace("-", "").replace("_", "").startswith("utf")
