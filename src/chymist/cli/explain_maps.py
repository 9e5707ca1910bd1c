"""`chymist explain`: what in an image, a row of a table or a sequence spoke for an answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from chymist.cli.commands import moved_data, screen_of
from chymist.cli.explain_options import MAPS, OWNERS
from chymist.cli.explain_screens import ended, given, only_new_rows, rows_of, show_table
from chymist.cli.inputs import count
from chymist.verbs.explaining_rows import explain_rows
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
    only_new_rows(options)
    found = explain_rows(
        options.run, options.rows, method=options.method, target=options.target,
        which=rows_of(options.which) or "worst", most=most,
        checks=None if options.checks is None else options.checks == "on", data=moved_data(options),
        **given(options, OF_METHODS),
    )  # fmt: skip
    screen.line("Result", found.title, result=True)
    show_table(options, found)
    for check in found.checks:
        screen.line("Check", str(check.sentence), result=True)
    for note in found.notes:
        screen.line("Note", note)
    return ended(options, found, "each row and its map")


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = dict.fromkeys(MAPS, maps)
