"""Options of `chymist studio`; imports nothing that takes time."""

from __future__ import annotations

import argparse


def studio(verb: argparse.ArgumentParser) -> None:
    """`chymist studio`."""
    verb.add_argument(
        "runs", nargs="*", metavar="RUNS",
        help="run folders, or folders that hold run folders (runs)",
    )  # fmt: skip
    verb.add_argument("--port", type=int, metavar="N", help="on this machine only (7077)")
    verb.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=False,
        help="open it in the browser as well",
    )  # fmt: skip
