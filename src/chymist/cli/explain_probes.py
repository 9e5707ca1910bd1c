"""`chymist explain --method probes`: what a linear model reads off each layer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import chymist as cy
from chymist.cli.commands import emit, moved_data, screen_of, width
from chymist.reports.text import table
from chymist.verbs.writing import place_of_drawing


def probes(options: argparse.Namespace) -> int:
    """`chymist explain --method probes`."""
    screen = screen_of(options)
    if options.out:
        place_of_drawing(options.out)
    found = cy.layer_probes(options.run, data=moved_data(options))
    screen.line("Verdict", found.verdict, result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    if options.out:
        found.save(options.out)
        screen.line("Files", f"{options.out}  {found.metric} at each layer, trained and not")
    if options.json:
        emit({"run": options.run, "method": "probes", **found.to_dict(), "picture": options.out})
    return 0


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {"probes": probes}
