"""Options of the verbs on what networks assume; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import run_options as of_runs
from chymist.cli import shared_options as shared


def networks(verb: argparse.ArgumentParser) -> None:
    """`chymist networks`."""
    shared.source(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--networks", metavar="NAME,...", help="some of DNN,CNN,RNN,GCN (all)")
    run.add_argument(
        "--parameters", type=int, metavar="N",
        help="of each network (those of a perceptron with 64 hidden units)",
    )  # fmt: skip
    run.add_argument("--rows", type=int, default=1000, metavar="N", help="most rows (1000)")
    run.add_argument("--folds", type=int, default=3, metavar="K", help="folds (3)")
    shared.several(run, 5, "cut and initialise S times (5)")
    run.add_argument("--out", metavar="FILE", help="where to draw the scores (SVG)")
    shared.recipe(verb, model=False)


def invariance(verb: argparse.ArgumentParser) -> None:
    """`chymist invariance`."""
    of_runs.run_on_data(verb)
    verb.add_argument(
        "--changes", metavar="NAME,...",
        help="some of shift,scale,rotation,shear,elastic,resolution (all)",
    )  # fmt: skip
    verb.add_argument("--out", metavar="FILE", help="where to draw the curves (SVG)")
