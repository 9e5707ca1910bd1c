"""`families`: the course's table of function set, goodness and solver, read out of the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.data import load, split
from chymist.data.graphs import graph_of
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.errors import ChymistError
from chymist.models.counting import count_fitted
from chymist.parts import definition, registered
from chymist.values import Recipe, Split

TASKS = ("2 classes", "3 classes", "values")
NEEDS = ("", "pictures", "sequences", "texts", "nodes", "roads")  # what a model may need, in turn
PHOTO_MODELS = ("alexnet", "vgg16", "vgg16_small", "efficientnet_lite0")


@dataclass(frozen=True)
class Family:
    """One function set for one task, with what it is trained by unless a recipe says otherwise.

    Args:
        model: its name.
        text: what it is, in a line.
        task: "2 classes", "3 classes" or "values".
        loss, optimizer: names of the defaults.
        parameters: of 4 columns; of pictures of 28 x 28 pixels, sequences of 12 steps of 4 numbers,
            texts of 4 words, 40 nodes of a graph, or windows of 4 roads, where it needs them.
        needs: "", "pictures", "sequences", "texts", "nodes" or "roads".
    """

    model: str
    text: str
    task: str
    loss: str
    optimizer: str
    parameters: int
    needs: str = ""


def families() -> list[Family]:
    """Every function set of the palette, with its default loss and solver for each task.

    A model is a triple: a set of functions, a measure of how good one is, and a way to the best
    one. What stands here is what `fit` does: each row comes from assembling a run.

    Returns:
        In the order of their names; a model that is not for a task has no row for it, nor has one
        that takes photos of 224 x 224 pixels and has millions of weights.

    Example:
        >>> [(f.loss, f.optimizer) for f in families() if (f.model, f.task) == ("linear", "values")]
        [('mse', 'closed_form')]

    Source: the course's table of linear models; Li, Statistical Learning Methods (model, strategy,
        algorithm).
    """
    kinds = {(task, needs): _rows(task, needs) for task in TASKS for needs in NEEDS}
    found = (
        next(
            filter(None, (_family(name, task, kinds[task, needs], needs) for needs in NEEDS)), None
        )
        for name in sorted({*registered("model")} - {*PHOTO_MODELS})
        for task in TASKS
    )
    return [one for one in found if one is not None]


def _family(name: str, task: str, rows: Split, needs: str) -> Family | None:
    """A row of the table, or None if the model is not for these data."""
    try:
        recipe = complete(Recipe(model=name), rows)
        assembly = assemble(recipe, rows, seed=0)
    except ChymistError:
        return None
    text = (definition("model", name).build.__doc__ or "").strip().splitlines()[0]
    count = count_fitted(assembly.state.model)
    return Family(name, text, task, recipe.loss.name, recipe.optimizer.name, count, needs)


def _rows(task: str, needs: str) -> Split:
    """Forty rows of noise with targets of a kind."""
    random = np.random.default_rng(0)
    classes = 2 if task == "2 classes" else 3
    y = random.normal(size=40) if task == "values" else np.arange(40) % classes
    x = random.normal(size=(40, 12, 4))
    if needs == "pictures":
        source: Any = random.integers(0, 256, (40, 28, 28, 1)).astype(np.uint8)
    elif needs == "texts":
        source = [" ".join(words) for words in random.choice(["a", "b", "c"], (40, 4))]
    elif needs == "nodes":
        source = graph_of(40, random.integers(0, 40, (80, 2)), features=abs(x[:, 0]))
    else:
        source = x if needs else random.normal(size=(40, 4))
    if needs == "roads":
        y = random.normal(size=(40, 4)) if task == "values" else y
    kind = {"sequences": "sequence", "roads": "sequence", "texts": "text"}.get(needs)
    graph = graph_of(4, [[0, 1], [1, 2], [2, 3]]) if needs == "roads" else None
    return split(load((source, y), kind=kind, graph=graph), seed=0)
