"""`families`: the course's table of function set, goodness and solver, read out of the code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chymist.data import load, split
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.errors import ChymistError
from chymist.models.counting import count_fitted
from chymist.parts import definition, registered
from chymist.values import Recipe, Split

TASKS = ("2 classes", "3 classes", "values")


@dataclass(frozen=True)
class Family:
    """One function set for one task, with what it is trained by unless a recipe says otherwise.

    Args:
        model: its name.
        text: what it is, in a line.
        task: "2 classes", "3 classes" or "values".
        loss, optimizer: names of the defaults.
        parameters: of 4 columns, or of pictures of 28 x 28 pixels.
        needs: "" or "pictures".
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
        In the order of their names; a model that is not for a task has no row for it.

    Example:
        >>> [(f.loss, f.optimizer) for f in families() if (f.model, f.task) == ("linear", "values")]
        [('mse', 'closed_form')]

    Source: the course's table of linear models; Li, Statistical Learning Methods (model, strategy,
        algorithm).
    """
    made = []
    tables = {task: _rows(task, False) for task in TASKS}
    pictures = {task: _rows(task, True) for task in TASKS}
    for name in sorted(registered("model")):
        for task in TASKS:
            for rows, needs in ((tables[task], ""), (pictures[task], "pictures")):
                if found := _family(name, task, rows, needs):
                    made.append(found)
                    break
    return made


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


def _rows(task: str, pictures: bool) -> Split:
    """Forty rows of noise with targets of a kind."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (40, 28, 28, 1)) if pictures else random.normal(size=(40, 4))
    classes = 2 if task == "2 classes" else 3
    y = random.normal(size=40) if task == "values" else np.arange(40) % classes
    return split(load((x.astype(np.uint8) if pictures else x, y)), seed=0)
