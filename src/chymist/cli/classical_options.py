"""Options of the verbs of the classical family; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import shared_options as shared


def pca(verb: argparse.ArgumentParser) -> None:
    """`chymist pca`."""
    shared.source(verb)
    group = verb.add_argument_group("components", _PREPARED)
    group.add_argument(
        "--components", type=int, metavar="N", help="how many to keep (those that hold the share)"
    )
    group.add_argument(
        "--share", type=float, default=0.95, metavar="SHARE", help="of the variance (0.95)"
    )
    group.add_argument(
        "--held", type=float, default=0.2, metavar="SHARE",
        help="of the rows that judge the number of components (0.2)",
    )  # fmt: skip
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of their choice (0)")
    group.add_argument("--out", metavar="FILE.svg", help="draw the errors of reconstruction there")


def kmeans(verb: argparse.ArgumentParser) -> None:
    """`chymist kmeans`."""
    shared.source(verb)
    group = verb.add_argument_group("clusters", _PREPARED)
    group.add_argument(
        "--clusters", type=int, required=True, metavar="N", help="number of clusters"
    )
    group.add_argument("--seeds", type=int, default=10, metavar="S", help="starts (10)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    group.add_argument("--out", metavar="FILE.csv", help="write the cluster of each row there")


def crossing(verb: argparse.ArgumentParser) -> None:
    """`chymist crossing`."""
    shared.source(verb)
    verb.add_argument("--models", metavar="A,B", help="two models, to which recipe options apply")
    verb.add_argument("--recipes", metavar="FILE,FILE", help="or two TOML recipes")
    shared.recipe(verb, model=False)
    group = verb.add_argument_group("run")
    group.add_argument(
        "--sizes", metavar="SIZE,...",
        help="shares of the training rows (0.5) or their numbers (200); five halvings by default",
    )  # fmt: skip
    group.add_argument("--folds", type=int, default=5, metavar="K", help="folds (5)")
    group.add_argument(
        "--seeds", type=int, default=3, metavar="S", help="cut and initialise S times (3)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")


def mistake_bound(verb: argparse.ArgumentParser) -> None:
    """`chymist mistake-bound`."""
    shared.source(verb)
    group = verb.add_argument_group("rows", _PREPARED)
    group.add_argument(
        "--against", metavar="CLASS", help="this class against all others, where there are more"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the cut (0)")


def bag(verb: argparse.ArgumentParser) -> None:
    """`chymist bag`."""
    shared.source(verb)
    shared.recipe(verb)
    group = verb.add_argument_group("run")
    group.add_argument("--members", type=int, default=25, metavar="N", help="bootstraps (25)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything (0)")
    group.add_argument(
        "--plan", metavar="FILE", help="pin the forms of populations to those of a file"
    )
    shared.threads(group)
    group.add_argument(
        "--rows", metavar="ROWS", help="new rows, which the average predicts (needs --out)"
    )
    group.add_argument("--out", metavar="FILE.csv", help="where to write the predictions")


_PREPARED = "rows are prepared as for training; --data.scale none leaves numbers as they are"
