"""Options of `chymist studio`; imports nothing that takes time."""

from __future__ import annotations

import argparse


def studio(verb: argparse.ArgumentParser) -> None:
    """`chymist studio`."""
    verb.add_argument(
        "runs", nargs="*", default=["runs"], metavar="RUNS",
        help="run folders, or folders that hold run folders (runs)",
    )  # fmt: skip
    verb.add_argument("--port", type=int, metavar="N", help="on this machine only (7077)")
