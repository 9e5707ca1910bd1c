"""`chymist reach`."""

from __future__ import annotations

import argparse
from pathlib import Path

import chymist as cy
from chymist.cli.commands import emit, screen_of
from chymist.engine.files import write_through
from chymist.errors import UsageError
from chymist.reports.style import as_file
from chymist.verbs.writing import place_of_file


def reach(options: argparse.Namespace) -> int:
    """`chymist reach`."""
    screen = screen_of(options)
    out = place_of_file(options.out) if options.out else None
    named = {Path(folder).name: folder for folder in options.runs}
    if len(named) < len(options.runs):
        raise UsageError("runs need names of their own", where="chymist reach",
                         received=", ".join(options.runs), do="name each run once")  # fmt: skip
    found = cy.gradient_reach(named, rows=options.rows, split=options.split)
    screen.line("Rows", f"{found.rows:,} of the part '{options.split}'")
    for line in str(found).splitlines():
        screen.line("Reach", line, result=True)
    if out:
        write_through(out, as_file(found.svg()).encode())
        screen.line("Files", f"{out}  the picture")
    if options.json:
        emit({**found.to_dict(), "picture": options.out})
    return 0


REACHING = {"reach": reach}
