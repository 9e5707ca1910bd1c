"""The options of `chymist diagnose` that belong to `--fix`; imports nothing that takes time."""

from __future__ import annotations

import argparse


def add_fixing(verb: argparse.ArgumentParser) -> None:
    """Add `--fix`, `--seeds` and `--out`."""
    group = verb.add_argument_group("fix")
    group.add_argument(
        "--fix", nargs="?", const="", metavar="CODE",
        help="carry out the remedy of a finding on a copy and prove it by paired runs "
        "(of the first finding that has changes)",
    )  # fmt: skip
    group.add_argument("--seeds", type=int, default=3, metavar="N", help="pairs of runs (3)")
    group.add_argument(
        "--out", metavar="DIR", help="folder of the cured run (<run>-fixed-NNNN beside it)"
    )
