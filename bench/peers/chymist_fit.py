"""chymist: `cy.fit`, as its users call it."""

from __future__ import annotations

import numpy as np

import chymist as cy
from bench.nets import build, scores, shaped
from bench.task import RATE, Task
from chymist.engine.events import Epoch


def train(task: Task) -> np.ndarray:
    """Validation scores after training; the clock starts when the rows have been read."""
    work = task.workload
    rows = np.concatenate([task.x, task.xv]), np.concatenate([task.y, task.yv])
    data = cy.load(rows, task="classification")
    count = len(task.x)
    valid = np.arange(count, count + len(task.xv))
    split = cy.Split(data, np.arange(count), valid, np.array([], np.int64))
    model = cy.models.mlp(hidden=(128,)) if work.net == "mlp" else factory_of(work.net)
    recipe = cy.Recipe(
        model=model, loss="cross_entropy", optimizer=cy.optim.adam(lr=RATE), schedule="constant",
        batch_size=work.batch, length=f"{work.epochs} epochs", stop="none",
        data=cy.prepare(scale="pixel" if data.inputs.dtype == np.uint8 else "none"),
    )  # fmt: skip
    fit = cy.fit
    task.clock.begin()
    run = fit(recipe, split, task.seed, observer=lambda event: _told(task, event))
    found = scores(run.model, shaped(task.xv, work.net))
    numbers = [int(name) for name in data.classes]  # it counts the classes that it has seen
    made = np.full_like(found, -1e9)
    made[:, numbers] = found[:, : len(numbers)]
    return made


def factory_of(net: str):
    """A factory of the user's own network."""

    def make():
        return build(net)

    return make


def _told(task: Task, event: object) -> None:
    if isinstance(event, Epoch):
        task.clock.tick()
