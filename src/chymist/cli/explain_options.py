"""Options of `chymist explain`; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import run_options as of_runs


def explain(verb: argparse.ArgumentParser) -> None:
    """`chymist explain`."""
    of_runs.run_on_data(verb)
    verb.add_argument(
        "rows", nargs="?", metavar="INPUT",
        help="new rows: a file as for `predict` (the validation rows that are answered worst)",
    )  # fmt: skip
    verb.add_argument("--method", metavar="NAME", help="how to explain (what fits the data)")
    verb.add_argument("--out", metavar="FILE", help="where to draw it (SVG, PNG)")
