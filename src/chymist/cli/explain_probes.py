"""`chymist explain --method probes`: what a linear model reads off each layer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import chymist as cy
from chymist.cli.commands import moved_data, screen_of
from chymist.cli.explain_screens import ended, show_table
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.verbs.writing import place_of_drawing


def probes(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method probes --layer 3,6`."""
    screen = screen_of(options)
    if options.rows:
        raise UsageError("probes are scored on the validation rows", where="INPUT",
                         received=f"'{options.rows}'", do="leave the new rows out")  # fmt: skip
    if options.out:
        place_of_drawing(options.out)
    layers = None if options.layer is None else listed(options.layer, "--layer")
    found = cy.layer_probes(options.run, layers, data=moved_data(options))
    screen.line("Verdict", found.verdict, result=True)
    show_table(options, found)
    return ended(options, found, f"{found.metric} at each layer, trained and not")


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {"probes": probes}
