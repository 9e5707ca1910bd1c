"""What recording layers costs: whole fits with and without, in pairs of alternating order.

    python -m bench.layers_overhead [--pairs 5] [--only digits-mlp,mnist-cnn]

A run is everything that `fit` does to its training: seconds of the processor, because on a busy
machine the wall clock tells of others; runs use one thread. Weights must come out bit-identical.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

import torch

import chymist as cy
from chymist.engine.layer_record import FILE, read_layers

ALLOWED = 0.03


@dataclass(frozen=True)
class Load:
    """A training run: its data, how many rows of it, and its recipe."""

    data: str
    rows: int
    recipe: cy.Recipe


LOADS = {
    "digits-mlp": Load("digits", 1797, cy.Recipe(model="mlp", stop="none", length="100 epochs")),
    "digits-cnn": Load("digits", 1797, cy.Recipe(model="cnn", stop="none", length="8 epochs")),
    "mnist-mlp": Load("mnist", 20_000, cy.Recipe(model="mlp", stop="none", length="5 epochs")),
    "mnist-cnn": Load("mnist", 3000, cy.Recipe(model="cnn", stop="none", length="3 epochs")),
}  # fmt: skip


def timed(load: Load, split: cy.Split, layers: bool) -> tuple[float, float, cy.Run]:
    """Seconds of the processor of a whole fit, of its training, and the run."""
    seconds: list[float] = []

    def started(*_: object) -> None:
        seconds.append(process_time())

    gc.collect()
    began = process_time()
    run = cy.fit(load.recipe, split, seed=0, threads=1, layers=layers, started=started)
    ended = process_time()
    return ended - began, ended - seconds[0], run


def measured(name: str, pairs: int) -> str:
    """One line of the table."""
    load = LOADS[name]
    data = cy.load(load.data)
    whole = cy.split(data, seed=0)
    split = cy.Split(data, whole.train[: load.rows], whole.valid[:500], whole.test, 0, "own", {})
    timed(load, split, True)
    ratios, plain, looks = [], [], 0
    for pair in range(pairs):
        found = {on: timed(load, split, on) for on in ((True, False), (False, True))[pair % 2]}
        one, other = found[True][2].model.state_dict(), found[False][2].model.state_dict()
        assert all(torch.equal(one[key], other[key]) for key in one), "not the same bits"
        ratios.append(found[True][1] / found[False][1] - 1)
        plain.append(found[False][1])
        stored = read_layers(found[True][2].path / FILE)
        looks = 0 if stored is None else len(stored.steps)
    steps = found[True][2].facts["steps"]
    spread = ", ".join(f"{ratio:+.1%}" for ratio in sorted(ratios))
    return (f"| {name} | {steps:,} | {looks} | {median(plain):.2f} s | {median(ratios):+.1%} | "
            f"{spread} | {'yes' if median(ratios) <= ALLOWED else 'no'} |")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default=",".join(LOADS))
    options = parser.parse_args(argv)
    print(
        "| run | steps | looks | without | more | of pairs | <= 3 % |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name in options.only.split(","):
        print(measured(name, options.pairs), flush=True)


if __name__ == "__main__":
    main()
