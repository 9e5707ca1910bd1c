"""Options that several verbs have in common; imports nothing that takes time."""

from __future__ import annotations

import argparse
from typing import Any

RECIPE_OPTIONS = (
    "model", "loss", "optimizer", "schedule", "batch-size", "length", "stop", "clip", "data",
    "precision", "accumulate", "init", "penalty", "gradient-noise", "augment",
)  # fmt: skip


def source(verb: argparse.ArgumentParser) -> None:
    """The data source, and how its rows are read and cut."""
    verb.add_argument(
        "source", metavar="SOURCE",
        help="a named set (digits), a CSV, Parquet, NPZ or NPY file, a folder or zip of images",
    )  # fmt: skip
    group = verb.add_argument_group("data")
    group.add_argument(
        "--target", metavar="COL", help="target column: its name, else its number (default: last)"
    )
    group.add_argument(
        "--test", metavar="FILE|FRACTION", help="test file, or share of all rows (0.2)"
    )
    group.add_argument("--valid", metavar="FRACTION", help="share of all rows for validation (0.2)")
    group.add_argument("--group", metavar="COL", help="rows with equal values stay together")
    group.add_argument(
        "--time", metavar="COL", help="order rows by time; the last ones are test rows"
    )
    group.add_argument(
        "--split-seed", type=int, metavar="N", help="seed of the cut into parts (that of the run)"
    )
    group.add_argument(
        "--columns", metavar="NAME=KIND,...",
        help="override kinds: number, category, date, text, id; a name with a comma is quoted: "
        """'"a, b"=id,c=text'""",
    )  # fmt: skip
    group.add_argument(
        "--image-size", type=int, metavar="N", help="scale and cut images to N x N pixels"
    )
    group.add_argument(
        "--graph", metavar="FILE",
        help="edges or adjacency (CSV): the rows are the nodes of this graph",
    )  # fmt: skip
    group.add_argument(
        "--missing", metavar="median",
        help="allow NaN in arrays; it is filled as --data.missing says (with the median)",
    )  # fmt: skip
    _steps(group)
    group.add_argument(
        "--header", choices=("yes", "no"), help="whether a CSV has a header (detected)"
    )


def _steps(group: Any) -> None:
    group.add_argument(
        "--kind", choices=("text", "language", "sequence"),
        help="a file with a column of texts, a running text, or a table in order of time",
    )  # fmt: skip
    group.add_argument(
        "--tokens", choices=("characters", "words", "spaces"),
        help="how a running text is cut (characters)",
    )  # fmt: skip
    group.add_argument("--steps", type=int, metavar="N", help="tokens or times of a row")
    group.add_argument("--horizon", type=int, metavar="N", help="times that are forecast (1)")


def recipe(verb: argparse.ArgumentParser, model: bool = True) -> None:
    """The fields of a recipe; those of a part follow with a dot."""
    group = verb.add_argument_group(
        "recipe", "options of a part follow its name with a dot: --model mlp --model.hidden 128,64"
    )
    group.add_argument("--recipe", metavar="FILE", help="a TOML recipe; options below override it")
    for option in RECIPE_OPTIONS:
        if option != "data" and (model or option != "model"):
            group.add_argument(f"--{option}", metavar=_PLAIN.get(option, "NAME"))


_PLAIN = {
    "batch-size": "N",
    "length": '"10 epochs"',
    "precision": "float32|float64|bfloat16|float16",
    "accumulate": "N",
}


def workers(group: Any) -> None:
    """`--workers`."""
    group.add_argument(
        "--workers", type=int, metavar="N",
        help="processes that prepare batches (none while all rows fit into memory)",
    )  # fmt: skip


def threads(group: Any) -> None:
    """`--threads`."""
    group.add_argument(
        "--threads", type=int, metavar="N", help="threads of torch (one for small work, else all)"
    )


def folds(group: Any, default: int) -> None:
    """`--folds` and `--protocol`."""
    group.add_argument("--folds", metavar="K|loo", help=f"folds, or one row a fold ({default})")
    group.add_argument(
        "--protocol", metavar="NAME",
        help="in place of folds: bootstrap, monte_carlo, leave_p_out, leave_groups_out or "
        "time_series; its options follow as --protocol.times 50",
    )  # fmt: skip


def plan(group: Any) -> None:
    """`--plan` and `--explain-plan`."""
    group.add_argument(
        "--plan", metavar="FILE", help="pin the forms of populations to those of a file"
    )
    group.add_argument("--explain-plan", action="store_true", help="say what was measured for it")


def several(run: Any, seeds: int, text: str) -> None:
    """`--seeds`, `--seed`, plan and threads."""
    run.add_argument("--seeds", type=int, default=seeds, metavar="S", help=text)
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    plan(run)
    threads(run)
