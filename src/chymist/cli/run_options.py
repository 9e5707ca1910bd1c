"""Options of the verbs that look at runs and parts; imports nothing that takes time."""

from __future__ import annotations

import argparse
from typing import Any

from chymist.cli.experimenting import add_experiments
from chymist.cli.fixing_options import add_fixing


def run_folder(verb: argparse.ArgumentParser) -> None:
    """The run folder."""
    verb.add_argument("run", metavar="RUN", help="a run folder")


def run_on_data(verb: argparse.ArgumentParser) -> None:
    """A run folder, and where its rows are now."""
    run_folder(verb)
    verb.add_argument(
        "--data",
        metavar="SOURCE",
        help="where the data of the run is now, if it was moved (checked by its fingerprint)",
    )


def evaluate(verb: argparse.ArgumentParser) -> None:
    """`chymist evaluate`."""
    run_on_data(verb)
    verb.add_argument("--split", default="test", metavar="valid|test", help="which rows (test)")


def predict(verb: argparse.ArgumentParser) -> None:
    """`chymist predict`."""
    run_folder(verb)
    verb.add_argument(
        "rows",
        metavar="ROWS",
        help="new rows: a CSV, Parquet, NPY or NPZ file, an image, a folder or zip",
    )
    verb.add_argument(
        "--out",
        metavar="FILE",
        help="where to write the predictions: a file there is replaced, a link is followed, "
        "pipes are written to, - is standard output (the first free one of predictions.csv, "
        "predictions-2.csv, ...); text that a spreadsheet would run as a formula gets a leading "
        "apostrophe, + and - stay",
    )


def language(verb: Any) -> None:
    """`--lang`."""
    verb.add_argument(
        "--lang", choices=("en", "zh"),
        help="language of findings: their titles and remedies (that of the locale)",
    )  # fmt: skip


def show(verb: argparse.ArgumentParser) -> None:
    """`chymist show`."""
    run_folder(verb)
    language(verb)


def report(verb: argparse.ArgumentParser) -> None:
    """`chymist report`."""
    run_on_data(verb)
    language(verb)


def diagnose(verb: argparse.ArgumentParser) -> None:
    """`chymist diagnose`."""
    run_on_data(verb)
    add_experiments(verb)
    language(verb)
    add_fixing(verb)


def why(verb: argparse.ArgumentParser) -> None:
    """`chymist why`."""
    verb.add_argument(
        "code", nargs="?", metavar="CODE", help="as in a finding; without it, all are listed"
    )
    language(verb)


def runs(verb: argparse.ArgumentParser) -> None:
    """`chymist runs`."""
    verb.add_argument(
        "folder", nargs="?", default="runs", metavar="FOLDER", help="where runs are (runs)"
    )


def part(verb: argparse.ArgumentParser) -> None:
    """`chymist part`."""
    verb.add_argument(
        "name", nargs="?", metavar="NAME", help="name of a part; without it, all are listed"
    )


def shapes(verb: argparse.ArgumentParser) -> None:
    """`chymist shapes`."""
    verb.add_argument("model", metavar="MODEL", help="name of a model")
    verb.add_argument(
        "--input", default="1x28x28", metavar="CxHxW", help="shape of one input (1x28x28)"
    )
    verb.add_argument("--outputs", type=int, default=10, metavar="N", help="number of outputs (10)")
