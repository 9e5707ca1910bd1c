"""Options of `chymist steer` and `chymist branch`; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import run_options as of_runs
from chymist.cli import shared_options as shared


def steer(verb: argparse.ArgumentParser) -> None:
    """`chymist steer`."""
    of_runs.run_folder(verb)
    verb.add_argument(
        "action", metavar="ACTION",
        help="pause, resume (after a pause) and checkpoint leave the result the same to the bit; "
        "finish-epoch and stop end the run with its best weights, scored; stop-now saves and ends "
        "it without a score, for chymist resume",
    )  # fmt: skip
    verb.add_argument(
        "--wait", type=float, default=30.0, metavar="S", help="seconds to wait for its answer (30)"
    )


def branch(verb: argparse.ArgumentParser) -> None:
    """`chymist branch`."""
    of_runs.run_on_data(verb)
    verb.add_argument(
        "--step", type=int, metavar="N", help="of the checkpoint (the newest; see chymist show "
        "RUN --checkpoints)",
    )  # fmt: skip
    shared.recipe(verb)
    run = verb.add_argument_group("run")
    of_runs.language(run)
    run.add_argument("--out", metavar="DIR", help="folder of the branch (<run>-branch-NNNN)")
