"""`chymist explain`: what in an image, a row of a table or a sequence spoke for an answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from chymist.cli.commands import emit, moved_data, screen_of, width
from chymist.cli.explain_options import MAPS, OWNERS
from chymist.cli.inputs import count
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.reports.text import table
from chymist.verbs.explaining import explain_rows
from chymist.verbs.writing import place_of_picture

# Options that some of the maps have, and not all.
OF_METHODS = [n for n, owners in OWNERS.items() if 0 < len({*owners} & {*MAPS}) < len(MAPS)]


def maps(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method grad-cam`, and the other maps."""
    screen = screen_of(options)
    most = 8 if options.most is None else options.most
    count(most, "--most")
    if options.out:
        place_of_picture(options.out, options.rows or "")
    if options.rows and options.which:
        raise UsageError("new rows are all shown", where="--which", received=options.which,
                         do="leave it out, or leave the new rows out")  # fmt: skip
    given = {name: getattr(options, name) for name in OF_METHODS}
    found = explain_rows(
        options.run, options.rows, method=options.method, target=options.target,
        which=_which(options.which), most=most,
        checks=None if options.checks is None else options.checks == "on", data=moved_data(options),
        **{name: value for name, value in given.items() if value is not None},
    )  # fmt: skip
    screen.line("Result", found.title, result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    for check in found.checks:
        screen.line("Check", str(check.sentence), result=True)
    for note in found.notes:
        screen.line("Note", note)
    if options.out:
        found.save(options.out)
        screen.line("Files", f"{options.out}  each row and its map")
    else:
        screen.line("Next", "--out seen.svg draws each row and its map")
    if options.json:
        emit({"run": options.run, **found.to_dict(), "picture": options.out})
    return 0


def _which(text: str | None) -> Any:
    """A choice by its name, or row numbers, which count from 1 on the command line.

    Raises:
        UsageError: a row number is none.
    """
    if text is None or text.isalpha():
        return text or "worst"
    rows = []
    for part in listed(text, "--which"):
        if not part.isdecimal() or int(part) < 1:
            raise UsageError("no row number", where="--which", received=f"'{part}'",
                             do="give worst, best, first, or numbers from 1: 17,204")  # fmt: skip
        rows.append(int(part) - 1)
    return rows


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = dict.fromkeys(MAPS, maps)
