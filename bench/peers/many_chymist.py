"""chymist: `cy.cross_validate`, and for many runs on one split the jobs that its searches use."""

from __future__ import annotations

import numpy as np

import chymist as cy
from bench.nets import build
from bench.populations import Many, ready
from chymist.verbs.jobs import Job, train_jobs

ready()
cross_validate, adam, mlp, prepare = cy.cross_validate, cy.optim.adam, cy.models.mlp, cy.prepare


def train(task: Many) -> np.ndarray:
    """Scores of the held-out rows of all members, in their order."""
    work = task.workload
    data = cy.load((task.x, task.y), task="classification")
    recipe = cy.Recipe(
        model=model_of(work.net), loss="cross_entropy", optimizer=adam(lr=task.members[0].rate),
        schedule="constant", batch_size=work.batch, length=f"{work.epochs} epochs", stop="none",
        data=prepare(scale="standard" if work.standard else "none"),
    )  # fmt: skip
    found = crossed(task, recipe, data) if work.folds else repeated(task, recipe, data)
    numbers = [int(name) for name in data.classes]  # the order of its classes
    return np.log(np.maximum(found, 1e-30))[:, np.argsort(numbers)]


def crossed(task: Many, recipe: cy.Recipe, data: cy.Data) -> np.ndarray:
    """Out-of-fold probabilities."""
    executor = "loop" if task.peer == "chymist-loop" else "auto"
    folds = task.workload.folds
    cv = cross_validate(recipe, data, folds, seed=task.seed, floors=False, executor=executor)
    if not np.array_equal(cv.predictions.rows, np.concatenate([m.held for m in task.members])):
        raise SystemExit("other folds than those of the peers")
    return cv.predictions.outputs


def repeated(task: Many, recipe: cy.Recipe, data: cy.Data) -> np.ndarray:
    """Probabilities by runs that differ in seed and rate."""
    first = task.members[0]
    split = cy.Split(data, first.train, np.array([], np.int64), first.held)
    jobs = [Job(recipe.replace(optimizer=adam(lr=m.rate)), split, m.seed) for m in task.members]
    return np.concatenate([one.predictions().outputs for one in train_jobs(jobs)])


def model_of(net: str):
    """The network: a part where chymist has it, else a factory of the user's own."""
    if net == "cnn-of-chymist":
        return "cnn"
    if net == "digits-batchnorm":
        return lambda: build(net)
    width = {"digits": 128, "mlp": 128, "cancer": 32}[net.partition("-")[0]]
    return mlp(hidden=(width,), dropout=0.2 if net == "digits-dropout" else 0.0)
