"""What watching a loop costs: whole runs with and without the doctor, in interleaved pairs.

    python -m bench.doctor_overhead [--pairs 5] [--seconds 15] [--only toy,mlp] [--out FILE]

A run is everything from the model to the last line: `watch`, steps, epochs, validation, and reading
the findings. Imports are not counted. Each pair trains the same model on the same batches, once
with and once without, in slices that take turns: a machine changes its speed within seconds by more
than what is measured here. Weights must come out bit-identical. Runs use one thread, so seconds of
the processor are told: on a busy machine the wall clock tells of others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import chymist as cy
from chymist.doctor import hearing, watching

SHARE, TOY = 0.03, 0.5  # what is allowed: of the time; seconds, where that is more, for toys
NORMAL = 5e-3  # seconds of a step from which on a run is no toy
VALIDATED = 1000  # rows
SLICES = 200  # of a run


@dataclass(frozen=True)
class Load:
    """A training run.

    Args:
        make: the model.
        shape: of an input.
        rows: of the training set.
        batch: rows of a step.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    rows: int
    batch: int


def perceptron(*sizes: int) -> nn.Sequential:
    """Affine maps with ReLU between them."""
    layers: list[nn.Module] = []
    for one, other in pairwise(sizes):
        layers += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolutions() -> nn.Sequential:
    """A small network for pictures, with batch normalisation and dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip


class Classifier(nn.Module):
    """A transformer over rows of a picture."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
        self.start, self.layers = nn.Linear(28, 64), nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores of (rows, 1, 28, 28)."""
        return self.head(self.layers(self.start(x[:, 0])).mean(1))


LOADS = {
    "toy": Load(lambda: perceptron(64, 32, 10), (64,), 1400, 32),
    "digits": Load(lambda: perceptron(64, 128, 128, 10), (64,), 1400, 64),
    "mlp": Load(lambda: perceptron(784, 512, 512, 10), (784,), 20_000, 256),
    "cnn": Load(convolutions, (1, 28, 28), 5000, 64),
    "transformer": Load(Classifier, (1, 28, 28), 5000, 64),
    "large": Load(lambda: perceptron(784, 3000, 2500, 10), (784,), 20_000, 64),
}  # the last has 10 million weights


def data(load: Load) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and validation rows of ten classes with some room between them."""
    made = torch.Generator().manual_seed(0)
    y = torch.randint(0, 10, (load.rows + VALIDATED,), generator=made)
    middles = torch.randn(10, *load.shape, generator=made)
    x = torch.randn(len(y), *load.shape, generator=made) + 0.3 * middles[y]
    n = load.rows
    return (x[:n], y[:n]), (x[n:], y[n:])


class Clock:
    """The wall clock of a run that is paused now and then: the doctor reads this one instead."""

    def __init__(self) -> None:
        self.lost = 0.0

    def __call__(self) -> float:
        return perf_counter() - self.lost


class Run(NamedTuple):
    """What is left of a run: weights, what the doctor said, and the seconds it counted itself."""

    weights: list[Tensor]
    said: list[str]
    counted: float


def training(load: Load, steps: int, watched: bool, slices: int) -> Generator[None, None, Run]:
    """A whole run, which pauses so many times."""
    (x, y), valid = data(load)
    torch.manual_seed(0)
    model, w = load.make(), None
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    yield
    if watched:
        w = cy.watch(model, optimizer, cross_entropy, (x, y), valid, load.batch)
    order, said, done = torch.Generator().manual_seed(0), list[str](), 0
    while done < steps:
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x), generator=order).split(load.batch)[: steps - done]:
            inputs, targets = x[rows], y[rows]
            outputs = model(inputs)
            loss = cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, done = total + loss.item(), done + 1
            if w is not None:
                w.step(loss, inputs, targets, outputs)
            if done % max(1, steps // slices) == 0:
                yield
        model.eval()
        with torch.no_grad():
            out = model(valid[0])
            lost = cross_entropy(out, valid[1]).item()
        if w is not None:
            w.epoch(lost, out, valid[1], total)
    if w is not None:
        said = [f"{f.code} ({f.level})" for f in w.findings]
        w.close()
    return Run([p.detach() for p in model.parameters()], said, w.record.spent if w else 0.0)


def side_by_side(load: Load, steps: int, turns: Sequence[bool]) -> dict[bool, tuple[float, Run]]:
    """Seconds and ends of runs with and without the doctor, which take turns in small slices.

    Machines change their speed within seconds by more than what is measured here.
    """
    clock = Clock()
    for module in (watching, hearing):  # what other slices take is no waiting for data
        module.perf_counter = clock
    runs = {watched: training(load, steps, watched, SLICES) for watched in turns}
    spent, states = dict.fromkeys(turns, 0.0), dict[bool, Tensor]()
    for watched in turns:  # data and models, and the first random state
        next(runs[watched])
        states[watched] = torch.get_rng_state()
    ended: dict[bool, tuple[float, Run]] = {}
    while len(ended) < len(runs):
        for watched in turns:
            if watched in ended:
                continue
            torch.set_rng_state(states[watched])
            began, wall = process_time(), perf_counter()
            try:
                next(runs[watched])
            except StopIteration as end:
                ended[watched] = spent[watched] + process_time() - began, end.value
            spent[watched] += process_time() - began
            clock.lost += 0.0 if watched else perf_counter() - wall
            states[watched] = torch.get_rng_state()
    return ended


def measure(name: str, load: Load, pairs: int, seconds: float) -> dict[str, object]:
    """The cost of watching one load."""
    steps = max(100, int(seconds / (side_by_side(load, 60, [False])[False][0] / 60)))
    extra, shares, own = [], [], []
    for number in range(pairs):
        ended = side_by_side(load, steps, ((False, True), (True, False))[number % 2])
        (plain, left), (watched, right) = ended[False], ended[True]
        if not all(torch.equal(a, b) for a, b in zip(left.weights, right.weights, strict=True)):
            raise SystemExit(f"{name}: weights differ with the doctor")
        extra.append(watched - plain)
        shares.append(extra[-1] / plain)
        own.append(right.counted)
    step, middle = plain / steps, float(np.median(extra))
    allowed = max(SHARE * plain, 0.0 if step >= NORMAL else TOY)
    return {
        "load": name,
        "weights": sum(w.numel() for w in right.weights),
        "steps": steps,
        "step_ms": round(1e3 * step, 3),
        "plain_seconds": round(plain, 2),
        "extra_seconds": [round(e, 3) for e in sorted(extra)],
        "share": round(float(np.median(shares)), 4),
        "counted_seconds": round(float(np.median(own)), 3),  # by the doctor, on the wall clock
        "allowed_seconds": round(allowed, 3),
        "kept": middle <= allowed,
        "said": right.said,
    }


def main(words: Sequence[str]) -> int:
    """Measure, print a line for each load, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0, help="of a run, about")
    parser.add_argument("--only", default="", help="names of loads")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    # Imports are not counted: a first watched run loads what the findings need.
    side_by_side(LOADS["toy"], 60, [True])
    table = []
    for name, load in LOADS.items():
        if not asked.only or name in asked.only.split(","):
            table.append(measure(name, load, asked.pairs, asked.seconds))
            print(json.dumps(table[-1]), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    return 0 if all(row["kept"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
