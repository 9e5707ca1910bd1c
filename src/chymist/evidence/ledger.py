"""The ledger of looks: who has looked at which test rows, and how often.

A test score is honest once. Every `evaluate` on test rows appends one line to a file per (data
fingerprint, test rows) in the user's state folder, so that the count survives the run folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from chymist.errors import InputError


@dataclass(frozen=True)
class Looks:
    """How often some test rows were looked at.

    Args:
        count: looks so far, this one included.
        runs: different runs among them.

    Example:
        >>> print(Looks(3, 2))
        look 3, 2 runs
    """

    count: int
    runs: int

    def __str__(self) -> str:
        return f"look {self.count}, {self.runs} run{'' if self.runs == 1 else 's'}"


def look(
    fingerprint: str, test_rows: np.ndarray, run_id: str, home: str | Path | None = None
) -> Looks:
    """Count a look at test rows.

    Args:
        fingerprint: fingerprint of the data.
        test_rows: row numbers of the test part, (n,); their order does not matter.
        run_id: what tells one run from another.
        home: state folder; `state_folder()` if not given.

    Returns:
        The looks so far, this one included.

    Raises:
        InputError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = look("abc", np.arange(3), "run-1", folder)
        ...     print(look("abc", np.arange(3), "run-2", folder))
        look 2, 2 runs
    """
    path = ledger_file(fingerprint, test_rows, home)
    entry = {"run": run_id, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    line = json.dumps(entry).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            with _locked(handle):
                before = path.read_bytes()
                torn = b"\n" if before and not before.endswith(b"\n") else b""
                os.write(handle, torn + line)
        finally:
            os.close(handle)
    except OSError as failure:
        raise _unusable(path, failure) from None
    return _count(before + torn + line)


def peek(fingerprint: str, test_rows: np.ndarray, home: str | Path | None = None) -> Looks:
    """The looks so far, without counting one.

    Args:
        fingerprint: fingerprint of the data.
        test_rows: row numbers of the test part, (n,).
        home: state folder; `state_folder()` if not given.

    Returns:
        The looks so far; zero if there is no ledger.

    Raises:
        InputError: the ledger cannot be read.

    Example:
        >>> peek("abc", np.arange(3), home="no-such-folder")
        Looks(count=0, runs=0)
    """
    path = ledger_file(fingerprint, test_rows, home)
    try:
        return _count(path.read_bytes())
    except FileNotFoundError:
        return Looks(0, 0)
    except OSError as failure:
        raise _unusable(path, failure) from None


def state_folder() -> Path:
    """Where chymist keeps what must outlive a run.

    $CHYMIST_HOME, else $XDG_STATE_HOME/chymist, else ~/.local/state/chymist.
    """
    if own := os.environ.get("CHYMIST_HOME"):
        return Path(own)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "chymist"


def ledger_file(fingerprint: str, test_rows: np.ndarray, home: str | Path | None = None) -> Path:
    """The file that holds the looks at some rows of some data."""
    rows = np.sort(np.asarray(test_rows, dtype="<i8"))
    text = fingerprint.encode() + b"\x1f" + rows.tobytes()
    name = hashlib.blake2b(text, digest_size=16).hexdigest()
    return Path(home or state_folder()) / "looks" / f"{name}.jsonl"


def _count(content: bytes) -> Looks:
    """Every line is a look; a damaged one cannot say whose, so it is no further run."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    runs = {run for run in map(_run_of, lines) if run is not None}
    return Looks(len(lines), max(len(runs), min(1, len(lines))))


def _run_of(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return str(entry["run"]) if isinstance(entry, dict) and "run" in entry else None


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    """Hold the file for one writer; without fcntl (Windows) an appended line is whole anyway."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _unusable(path: Path, failure: OSError) -> InputError:
    return InputError("cannot write the ledger of looks at test rows", where=str(path.parent),
                      received=failure.strerror or "an error", code="ledger-unwritable",
                      do="set CHYMIST_HOME to a writable folder")  # fmt: skip
