"""Options of the verbs that look at images; imports nothing that takes time."""

from __future__ import annotations

import argparse

from chymist.cli import shared_options as shared


def batch(verb: argparse.ArgumentParser) -> None:
    """`chymist batch`."""
    shared.source(verb)
    shared.recipe(verb)
    group = verb.add_argument_group("batch")
    group.add_argument("--rows", type=int, default=8, metavar="N", help="images (8)")
    group.add_argument("--epoch", type=int, default=0, metavar="N", help="epoch, from 0 (0)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the run (0)")
    group.add_argument("--out", required=True, metavar="FILE.png", help="where to draw them")


def features(verb: argparse.ArgumentParser) -> None:
    """`chymist features`."""
    shared.source(verb)
    group = verb.add_argument_group("features")
    group.add_argument("--batch", type=int, default=32, metavar="N", help="images at once (32)")
    group.add_argument("--out", required=True, metavar="FILE.npz", help="where to write them")
