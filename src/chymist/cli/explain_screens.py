"""What the methods of `chymist explain` read and print alike."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chymist.cli.commands import emit, screen_of, width
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.reports.text import table


def rows_of(text: str | None, choices: str = "worst, best, first") -> Any:
    """A choice of rows by its name, or row numbers, which count from 1 on the command line.

    Args:
        text: of `--which`.
        choices: names that the method knows, for the error.

    Returns:
        None, the name, or numbers from 0.

    Raises:
        UsageError: a row number is none.

    Example:
        >>> rows_of(None), rows_of("best"), rows_of("17,204")
        (None, 'best', [16, 203])
    """
    if text is None or text.isalpha():
        return text
    parts = listed(text, "--which")
    for part in parts:
        if not part.isdecimal() or int(part) < 1:
            raise UsageError("no row number", where="--which", received=f"'{part}'",
                             do=f"give {choices}, or numbers from 1: 17,204")  # fmt: skip
    return [int(part) - 1 for part in parts]


def only_new_rows(options: argparse.Namespace) -> None:
    """New rows are all shown.

    Raises:
        UsageError: rows of the run are chosen beside them.
    """
    if options.rows and options.which:
        raise UsageError("new rows are all shown", where="--which", received=options.which,
                         do="leave it out, or leave the new rows out")  # fmt: skip


def given(options: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that were given, by name."""
    return said({name: getattr(options, name) for name in names})


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def show_table(options: argparse.Namespace, found: Any) -> None:
    """Print the table of a result."""
    heads, cells = found.table()
    screen_of(options).block(table(cells, heads, width() - 8))


def ended(
    options: argparse.Namespace, found: Any, what: str, picture: str = "seen.svg",
    save: Callable[[str], object] | None = None,
) -> int:  # fmt: skip
    """Draw a result where `--out` says, and print it as JSON where that is asked for.

    Args:
        options: of the command.
        found: the result.
        what: is drawn.
        picture: name that is proposed.
        save: draws; None is the result's own way.

    Returns:
        The exit code.
    """
    screen = screen_of(options)
    if options.out:
        (save or found.save)(options.out)
        screen.line("Files", f"{options.out}  {what}")
    else:
        screen.line("Next", f"--out {picture} draws {what}")
    if options.json:
        emit({"run": options.run, "method": options.chosen, **found.to_dict(),
              "picture": options.out})  # fmt: skip
    return 0
