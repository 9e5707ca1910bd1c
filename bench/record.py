"""What recording costs a training run: whole runs with and without it, in pairs that take turns.

    python -m bench.record [--pairs 7] [--out FILE]

A run of some seconds with its record in a file, written every 0.1 s, and the same run whose record
stays in memory until its end. The weights must come out bit-identical. Seconds of the processor are
told, as on a busy machine the wall clock tells of others; beside them, the share of them that is
spent in writing. Points are written by the clock: where others use the machine as well, 0.1 s hold
fewer seconds of this process, and the share grows accordingly. Measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import torch

import chymist as cy
from chymist.engine import running
from chymist.engine.store import Recorder
from chymist.values import Run

LOADS = {
    "digits, softmax: 0.2 ms a step": ("softmax", 64, "200 epochs"),
    "digits, mlp: 0.5 ms a step": (cy.models.mlp(hidden=(128,)), 64, "150 epochs"),
    "digits, cnn: 15 ms a step": ("cnn", 64, "12 epochs"),
}


def trained(model: object, batch_size: int, length: str, every: float) -> tuple[Run, float, float]:
    """A run, its seconds, and those of them that were spent in writing."""
    spent, write = 0.0, Recorder.flush

    def timed(self: Recorder) -> None:
        nonlocal spent
        began = process_time()
        write(self)
        spent += process_time() - began

    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model=model, batch_size=batch_size, length=length, stop="none")
    kept = running.FLUSH_SECONDS
    running.FLUSH_SECONDS, Recorder.flush = every, timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as home:
            began = process_time()
            run = cy.fit(recipe, split, seed=0, out=Path(home) / "run", doctor=False)
            return run, process_time() - began, spent
    finally:
        running.FLUSH_SECONDS, Recorder.flush = kept, write  # type: ignore[method-assign]


def measure(pairs: int) -> dict[str, dict[str, float]]:
    """Ratios of paired runs, and shares, by load."""
    found = {}
    for name, (model, batch_size, length) in LOADS.items():
        ratios, shares = [], []
        for number in range(pairs):
            order = (0.1, 1e9) if number % 2 else (1e9, 0.1)
            runs = {every: trained(model, batch_size, length, every) for every in order}
            (one, with_it, spent), (other, without, _) = runs[0.1], runs[1e9]
            weights = one.model.state_dict(), other.model.state_dict()
            assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
            ratios.append(with_it / without - 1)
            shares.append(spent / with_it)
        found[name] = {
            "cost of a run, median of pairs": round(statistics.median(ratios), 4),
            "share spent in writing": round(statistics.median(shares), 4),
        }
    return found


def main(words: Sequence[str]) -> None:
    """Measure, and print or write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    text = json.dumps(measure(given.pairs), indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
