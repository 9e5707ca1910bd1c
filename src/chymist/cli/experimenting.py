"""Options of experiments."""

from __future__ import annotations

import argparse


def add_experiments(verb: argparse.ArgumentParser) -> None:
    """The options of `diagnose` that train something."""
    verb.add_argument(
        "--experiments", action="store_true",
        help="find the cause by small trainings, and keep what they found",
    )  # fmt: skip
    verb.add_argument(
        "--budget", type=float, default=0.25, metavar="SHARE",
        help="steps of all experiments, as a share of those of the run (0.25)",
    )  # fmt: skip
