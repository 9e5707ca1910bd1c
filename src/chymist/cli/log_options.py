"""Options of the verbs that write and read logs; imports nothing that takes time."""

from __future__ import annotations

import argparse
from typing import Any


def board(verb: Any) -> None:
    """`--tensorboard`."""
    verb.add_argument(
        "--tensorboard", metavar="DIR",
        help="also write event files, in a folder of their own within this one",
    )  # fmt: skip


def without_layers(verb: Any) -> None:
    """`--no-layers`."""
    verb.add_argument(
        "--no-layers", action="store_true", help="do not record what layers do while it trains"
    )


def tensorboard(verb: argparse.ArgumentParser) -> None:
    """`chymist tensorboard`."""
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="folders of runs, imported logs or populations"
    )
    verb.add_argument(
        "--out", default="tensorboard", metavar="DIR",
        help="folder that gets a folder for each run; what is in it stays (tensorboard)",
    )  # fmt: skip


def import_log(verb: argparse.ArgumentParser) -> None:
    """`chymist import-log`."""
    verb.add_argument(
        "logs", nargs="+", metavar="LOG",
        help="an event file, the folder of a run's event files, or a CSV file; each becomes a run",
    )  # fmt: skip
    verb.add_argument(
        "--out", metavar="DIR", help="the run folder, of a single log (runs/<name>-NNNN)"
    )
