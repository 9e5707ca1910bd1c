"""Errors as one line: what, where, what was received, what to do.

Every error that a user can cause is a `ChymistError`; its class gives the exit code of the
command line. Nothing here imports anything but the standard library.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

LONGEST = 400  # characters of what was received that are said


class ChymistError(Exception):
    """An error that can be said in one line.

    Args:
        what: what is wrong, in words ("unknown column").
        where: file, row, column, option or argument; may be empty.
        received: what was found there; may be empty.
        do: what the user can do about it.
        code: short stable identifier for programs ("unknown-column").

    Example:
        >>> print(InputError("unknown column", where="a.csv", received="'agee'", do="try 'age'"))
        unknown column, in a.csv: got 'agee'; try 'age'
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", received: str = "", do: str = "", code: str = ""
    ) -> None:
        self.what, self.where, self.do = what, where, do
        self.received = received if len(received) <= LONGEST else received[:LONGEST] + "..."
        self.code = code or what.split(":")[0].strip().lower().replace(" ", "-")
        super().__init__(self.line())

    def line(self) -> str:
        """The error as one printable line (control characters are escaped)."""
        text = self.what
        if self.where:
            text += f", in {self.where}"
        if self.received:
            text += f": got {self.received}"
        if self.do:
            text += f"; {self.do}"
        return printable(text)

    def to_dict(self) -> dict[str, str]:
        """The error as the `error` object of the JSON contract."""
        names = ("code", "what", "where", "received", "do")
        return {name: printable(str(getattr(self, name))) for name in names}


class InputError(ChymistError, ValueError):
    """The data, a file or an argument is wrong (exit code 1)."""


class UsageError(ChymistError, ValueError):
    """An unknown verb, option, part name or value (exit code 2)."""

    exit_code = 2


class WorkerLost(ChymistError, RuntimeError):
    """Processes that prepare batches died or hang (exit code 1); the run can be resumed."""


class Diverged(ChymistError, ArithmeticError):
    """A loss or weight became non-finite (exit code 3)."""

    exit_code = 3


class OutOfMemory(ChymistError, MemoryError):
    """The run does not fit into memory (exit code 4)."""

    exit_code = 4


class DiskFull(ChymistError, OSError):
    """A file could not be written because the disk is full (exit code 5)."""

    exit_code = 5


class Interrupted(ChymistError):
    """Ctrl-C or SIGTERM; the run was saved (exit code 130)."""

    exit_code = 130


KINDS = (InputError, UsageError, WorkerLost, Diverged, OutOfMemory, DiskFull, Interrupted)


def from_dict(told: Mapping[str, str]) -> ChymistError:
    """An error that another process has told, see `ChymistError.to_dict`.

    Example:
        >>> from_dict(UsageError("no such layer", received="'conv9'").to_dict()).line()
        "no such layer: got 'conv9'"
    """
    kinds = {kind.__name__: kind for kind in KINDS}
    kind = kinds.get(told.get("kind", ""), InputError)
    return kind(told["what"], where=told["where"], received=told["received"], do=told["do"],
                code=told["code"])  # fmt: skip


def printable(text: str) -> str:
    r"""Text with control characters escaped, so that names from files are inert in a terminal.

    Example:
        >>> printable("a\x1b[31mb\n")
        'a\\x1b[31mb\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice that names the nearest right name, or lists the known ones.

    Example:
        >>> nearest("adm", ["adam", "sgd"])
        "did you mean 'adam'?"
        >>> nearest("zzz", ["adam", "sgd"])
        'known: adam, sgd'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known: " + ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
