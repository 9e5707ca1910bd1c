"""`chymist layers`."""

from __future__ import annotations

import argparse

import chymist as cy
from chymist.cli.commands import emit, screen_of
from chymist.engine.files import write_through
from chymist.reports.style import as_file
from chymist.verbs.writing import place_of_drawing


def layers(options: argparse.Namespace) -> int:
    """`chymist layers`."""
    screen = screen_of(options)
    out = place_of_drawing(options.out) if options.out else None
    found = cy.layer_history(options.run)
    picture = found.svg(options.quantity)
    for line in str(found).splitlines():
        screen.line("Layers", line, result=True)
    for name, row in zip(found.layers(options.quantity), found.values(options.quantity),
                         strict=True):  # fmt: skip
        screen.line("", f"{name}: {options.quantity} {row[0]:.3g} at first, {row[-1]:.3g} at last")
    if out:
        write_through(out, as_file(picture).encode())
        screen.line("Files", f"{out}  the picture")
    if options.json:
        emit({**found.to_dict(), "picture": options.out})
    return 0


LAYERS = {"layers": layers}
