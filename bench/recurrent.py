"""Ten recurrent networks as one program beside one after the other: `python -m bench.recurrent`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median
from time import process_time

import numpy as np
import torch

import chymist as cy
from chymist.engine.allocation import keeping_memory
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import complete
from chymist.engine.events import Step
from chymist.engine.loop import train
from chymist.engine.population.training import Crew, stacked_rows

MEMBERS, ROUNDS = 10, 8


def sequences(steps: int, features: int) -> cy.Data:
    """Random sequences of ten classes."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2000, steps, features))
    return cy.load((x, draw.integers(0, 10, 2000)), kind="sequence")


def texts() -> cy.Data:
    """Random texts of 20 words on average, of 3,000 different ones."""
    draw = np.random.default_rng(0)
    words = np.array([f"w{n}" for n in range(3000)])
    lengths = np.clip(draw.poisson(20, 2000) + draw.integers(-10, 12, 2000), 2, 60)
    made = [" ".join(draw.choice(words, length)) for length in lengths]
    return cy.load((made, draw.integers(0, 2, 2000).astype(str)), kind="text")


def together(runs: list[Assembly]) -> Iterator[object]:
    """The steps of a population, one by one."""
    crew = Crew(runs, stacked_rows(runs))
    while True:
        for batch in crew.rows.stretch(crew.readers(), crew.batch_size, crew.steps_to_boundary()):
            yield crew.step(batch)


def characters(steps: int) -> cy.Data:
    """A random text of 65 characters in rows; the target of each step is the next character."""
    ids = np.random.default_rng(0).integers(0, 65, 1000 * steps + 1)
    rows = (ids[:-1].reshape(-1, steps), ids[1:].reshape(-1, steps))
    return cy.load(rows, kind="tokens", task="language")


def measured(data: cy.Data, cell: str, batch: int, embedding: int) -> tuple[float, float]:
    """Milliseconds of processor time of a step of one member: by the loop, and stacked."""
    split = cy.split(data, seed=0)
    model = getattr(cy.models, cell)(hidden=(32,), embedding=embedding)
    recipe = cy.Recipe(model=model, batch_size=batch, length="1000 steps", stop="none")
    full = complete(recipe, split)
    alone, *runs = (assemble(full, split, seed) for seed in range(MEMBERS + 1))
    loop = (event for event in train(alone.program, alone.state) if isinstance(event, Step))
    crew = together(runs)
    found: tuple[list[float], list[float]] = [], []
    for _ in range(ROUNDS + 1):
        for times, steps, count, share in ((found[0], loop, 10, 1), (found[1], crew, 2, MEMBERS)):
            began = process_time()
            for _ in range(count):
                next(steps)
            times.append(1e3 * (process_time() - began) / count / share)
    return median(found[0][1:]), median(found[1][1:])


def main() -> None:
    """Print a table in Markdown."""
    torch.set_num_threads(1)
    cases = {
        "8 steps x 8 features, batch 64": (sequences(8, 8), 64, 0),
        "50 steps x 8 features, batch 4": (sequences(50, 8), 4, 0),
        "50 steps x 8 features, batch 16": (sequences(50, 8), 16, 0),
        "50 characters as 8 numbers each, batch 16": (characters(50), 16, 8),
        "50 characters as 32 numbers each, batch 16": (characters(50), 16, 32),
        "28 steps x 28 features, batch 16": (sequences(28, 28), 16, 0),
        "28 steps x 28 features, batch 64": (sequences(28, 28), 64, 0),
        "texts, 20 words on average, batch 64": (texts(), 64, 32),
    }
    print("| rows | cell | loop, ms | stacked, ms | factor |\n|---|---|---|---|---|")
    with keeping_memory():
        for name, (data, batch, embedding) in cases.items():
            for cell in sys.argv[1:] or ("rnn", "gru", "lstm"):
                loop, stacked = measured(data, cell, batch, embedding or 32)
                print(f"| {name} | {cell} | {loop:.2f} | {stacked:.2f} | {loop / stacked:.1f} |",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
