"""Options of the verbs that look at runs and parts; imports nothing that takes time."""

from __future__ import annotations

import argparse
from typing import Any


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
    verb.add_argument(
        "--split", default="test", metavar="valid|test", help="which rows (default: test, counted)"
    )
    verb.add_argument(
        "--ordering", action="store_true",
        help="is training error < validation error (< test error, unless --split valid)?",
    )  # fmt: skip


def predict(verb: argparse.ArgumentParser) -> None:
    """`chymist predict`."""
    run_folder(verb)
    verb.add_argument(
        "rows",
        nargs="?",
        metavar="ROWS",
        help="new rows: a CSV, Parquet, NPY or NPZ file, an image, a folder or zip; of a graph the "
        "nodes, by a column of identifiers (all nodes)",
    )
    verb.add_argument(
        "--out",
        metavar="FILE",
        help="where to write the predictions: a file there is replaced, a link is followed, "
        "pipes are written to, - is standard output (the first free one of predictions.csv, "
        "predictions-2.csv, ...); text that a spreadsheet would run as a formula gets a leading "
        "apostrophe, + and - stay",
    )


def sample(verb: argparse.ArgumentParser) -> None:
    """`chymist sample`."""
    run_folder(verb)
    verb.add_argument("prompt", nargs="?", default="", metavar="TEXT", help="text to go on with")
    verb.add_argument("--length", type=int, default=200, metavar="N", help="tokens (200)")
    verb.add_argument(
        "--temperature", type=float, default=1.0, metavar="T",
        help="below 1 more careful, above 1 more daring; 0 takes the most probable (1)",
    )  # fmt: skip
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draws (0)")


def language(verb: Any) -> None:
    """`--lang`."""
    verb.add_argument(
        "--lang", choices=("en", "zh"),
        help="language of the report, and of titles and remedies of findings (that of the locale)",
    )  # fmt: skip


def report_file(verb: Any) -> None:
    """`--report`."""
    verb.add_argument("--report", metavar="FILE.html", help="write what is found as one HTML file")


def show(verb: argparse.ArgumentParser) -> None:
    """`chymist show`."""
    run_folder(verb)
    verb.add_argument(
        "--weights", metavar="FILE.png",
        help="of a network for images: where to draw the weights of its first layer",
    )  # fmt: skip
    verb.add_argument("--graph", metavar="FILE.svg", help="where to draw what flows through it")
    verb.add_argument(
        "--checkpoints", action="store_true", help="list the checkpoints, each read and verified"
    )
    verb.add_argument("--history", action="store_true", help="list what happened, and who asked")
    language(verb)


def report(verb: argparse.ArgumentParser) -> None:
    """`chymist report`."""
    run_on_data(verb)
    verb.add_argument("--out", metavar="FILE.html", help="the file (report.html in the folder)")
    language(verb)


def _experiments(verb: argparse.ArgumentParser) -> None:
    """The options of `diagnose` that train something."""
    verb.add_argument(
        "--experiments", action="store_true",
        help="find the cause by small trainings, and keep what they found",
    )  # fmt: skip
    verb.add_argument(
        "--budget", type=float, default=0.25, metavar="SHARE",
        help="steps of all experiments, as a share of those of the run (0.25)",
    )  # fmt: skip


def _fixing(verb: argparse.ArgumentParser) -> None:
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


def diagnose(verb: argparse.ArgumentParser) -> None:
    """`chymist diagnose`."""
    run_on_data(verb)
    report_file(verb)
    _experiments(verb)
    language(verb)
    _fixing(verb)


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
    verb.add_argument(
        "--filter", default="", metavar="TEXT",
        help="which of them: model:mlp accuracy>0.9 optimizer.lr<=1e-3 -state:damaged",
    )  # fmt: skip


def part(verb: argparse.ArgumentParser) -> None:
    """`chymist part`."""
    verb.add_argument(
        "name", nargs="?", metavar="NAME",
        help="name of a part, also with options: 'elu(alpha=0.5)'; without it, all are listed",
    )  # fmt: skip
    verb.add_argument("--kind", metavar="KIND", help="of the part, where two have the same name")
    verb.add_argument("--out", metavar="FILE", help="write its picture there, as an SVG")


def tree(verb: argparse.ArgumentParser) -> None:
    """`chymist tree`."""
    run_on_data(verb)
    verb.add_argument(
        "--stability", nargs="?", type=int, const=100, metavar="N",
        help="grow the tree again on N bootstraps, and say how often each cut is made again (100)",
    )  # fmt: skip
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draws (0)")
    verb.add_argument("--depth", type=int, metavar="N", help="levels of cuts that are shown (all)")
    verb.add_argument("--out", metavar="FILE.svg", help="where to draw it")


def support(verb: argparse.ArgumentParser) -> None:
    """`chymist support`."""
    run_on_data(verb)
    verb.add_argument("--out", metavar="FILE.csv", help="write a line for each support vector")


def reach(verb: argparse.ArgumentParser) -> None:
    """`chymist reach`."""
    verb.add_argument("runs", nargs="+", metavar="RUN", help="run folders, compared by their names")
    verb.add_argument("--rows", type=int, default=100, metavar="N", help="rows looked at (100)")
    verb.add_argument(
        "--split", default="valid", metavar="valid|train", help="which rows (default: valid)"
    )
    verb.add_argument("--out", metavar="FILE.svg", help="where to draw it")


def layers(verb: argparse.ArgumentParser) -> None:
    """`chymist layers`."""
    run_folder(verb)
    verb.add_argument(
        "--quantity", default="update_ratio", metavar="NAME",
        help="update_ratio, gradient_norm, weight_norm, activation_mean, activation_deviation, "
        "dead or saturated (update_ratio)",
    )  # fmt: skip
    verb.add_argument("--out", metavar="FILE.svg", help="where to draw it, layer by step")


def shapes(verb: argparse.ArgumentParser) -> None:
    """`chymist shapes`."""
    verb.add_argument("model", metavar="MODEL", help="name of a model")
    verb.add_argument(
        "--input", default="1x28x28", metavar="CxHxW", help="shape of one input (1x28x28)"
    )
    verb.add_argument("--outputs", type=int, default=10, metavar="N", help="number of outputs (10)")
    verb.add_argument(
        "--fields", metavar="FILE", help="where to draw what a unit of each layer sees (SVG)"
    )
    verb.add_argument("--graph", metavar="FILE", help="where to draw what flows through it (SVG)")
    verb.add_argument(
        "--flow", action="store_true", help="print what flows from where to where, call by call"
    )
    verb.add_argument(
        "--depth", type=int, metavar="N",
        help="of --graph and --flow: fold the modules N levels deep (all that fit on a page)",
    )  # fmt: skip
    memory = verb.add_argument_group("memory")
    memory.add_argument("--batch", type=int, default=32, metavar="N", help="rows of a batch (32)")
    memory.add_argument("--optimizer", default="adam", metavar="NAME", help="which one (adam)")


def graph(verb: argparse.ArgumentParser) -> None:
    """`chymist graph`."""
    verb.add_argument(
        "formula", metavar="FORMULA", help="names, numbers, + - * / **, and functions such as exp"
    )
    verb.add_argument("--at", default="", metavar="NAME=NUMBER,...", help="values of the names")
    verb.add_argument(
        "--expand", action="store_true", help="take sigmoid, tanh and softplus in small steps"
    )
    verb.add_argument("--out", metavar="FILE.svg", help="where to draw it")
