"""Speed, measured side by side: `make bench`.

Everything is interleaved in one process (or one series of fresh processes for start-up), and
medians are compared. The three training loops start from the same weights and do the same work on
the same rows, two of them in the same order: 784-128-10, batch 64, Adam at 1e-3, one epoch over
20,000 rows, loss checked at every step. The losses they reach are printed, because speed without
equal quality is no speed.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import chymist as cy
from chymist.engine.loop import Program, State, steps_per_epoch, train
from chymist.engine.running import Recorder, _record
from chymist.keys import order
from chymist.models import build_model
from chymist.parts import part
from chymist.values import Shapes

ROWS, BATCH, REPEATS = 20_000, 64, 9


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST's first rows where there are any, else random ones of the same size."""
    try:
        data = cy.load("mnist")
        inputs = torch.from_numpy(data.inputs[:ROWS].reshape(ROWS, 784)).float() / 255
        return inputs, torch.from_numpy(data.targets[:ROWS])
    except cy.InputError:
        print("mnist is not here: random rows of the same size")
        return torch.rand(ROWS, 784), torch.randint(0, 10, (ROWS,))


def net() -> nn.Module:
    """The network of the hand-written loops, with the weights that chymist's loop starts from."""
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    start = build_model(cy.models.mlp(hidden=(128,)), Shapes((784,), 10), 0)
    for ours, theirs in zip(model.parameters(), start.parameters(), strict=True):
        ours.data.copy_(theirs.data)
    return model


def chymist_loop(inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """chymist's loop with its record, as `fit` runs it."""
    model = build_model(cy.models.mlp(hidden=(128,)), Shapes((784,), 10), 0)
    optimizer = cy.optim.adam(lr=1e-3).build(list(model.parameters()))
    steps = steps_per_epoch(ROWS, BATCH)
    program = Program(
        inputs, targets, part("loss", "cross_entropy").bind(),
        cy.schedules.constant().build(steps), None, lambda model: {}, None, BATCH, steps, 0,
    )  # fmt: skip
    with Recorder(None) as recorder:
        for event in train(program, State(model, optimizer, 1e-3)):
            _record(recorder, event)
        return float(recorder.series()["loss"][-50:, 1].mean())


def hand_loop(inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """What a careful person writes: indexes in-memory tensors and checks the loss."""
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    visits, losses = torch.from_numpy(order(0, 0, ROWS)), []
    for start in range(0, ROWS, BATCH):
        index = visits[start : start + BATCH]
        loss = functional.cross_entropy(model(inputs[index]), targets[index])
        if not math.isfinite(loss.item()):
            raise SystemExit("diverged")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses[-50:])


def tutorial_loop(inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """The loop of the tutorials, over a DataLoader."""
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for batch, labels in DataLoader(TensorDataset(inputs, targets), BATCH, shuffle=True):
        loss = functional.cross_entropy(model(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses[-50:])


def race(threads: int) -> None:
    """Run the loops in turn and print medians and ratios."""
    torch.set_num_threads(threads)
    inputs, targets = rows()
    loops: dict[str, Callable[[torch.Tensor, torch.Tensor], float]] = {
        "chymist": chymist_loop, "hand-written": hand_loop, "DataLoader": tutorial_loop
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in loops}
    losses: dict[str, float] = {}
    for _ in range(REPEATS):
        for name, loop in loops.items():
            began = perf_counter()
            losses[name] = loop(inputs, targets)
            times[name].append(perf_counter() - began)
    ours = statistics.median(times["chymist"])
    print(f"\ntraining 784-128-10, batch {BATCH}, {threads} thread(s), medians of {REPEATS}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(
            f"  {name:<14}{ROWS / median:>10,.0f} rows/s   chymist is {median / ours:.2f} x"
            f"   last loss {losses[name]:.3f}"
        )


def start_up() -> None:
    """Time of `import chymist` and `chymist --help` in fresh processes."""
    commands = {
        "bare python": ["-c", "pass"],
        "import chymist": ["-c", "import chymist"],
        "chymist --help": ["-m", "chymist", "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, words in commands.items():
            began = perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            times[name].append(perf_counter() - began)
    print(f"\nstart-up, medians of {REPEATS} fresh processes")
    for name, seconds in times.items():
        print(f"  {name:<16}{statistics.median(seconds):.3f} s")


if __name__ == "__main__":
    start_up()
    for count in (1, 2):
        race(count)
