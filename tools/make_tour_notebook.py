"""Write `docs/tour.ipynb`, a notebook without outputs, from the cells below.

Run `.venv/bin/python tools/make_tour_notebook.py`; `tests/test_notebook.py` carries it out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parent.parent / "docs" / "tour.ipynb"

# Text of a cell; one that begins with "#" and a space is Markdown.
CELLS = (
    """# chymist in a notebook

Run the cells from top to bottom: half a minute, and nothing is downloaded.
The same road in words is [the tour](tour.md).""",
    """import chymist as cy

data = cy.load("digits")
data""",
    """# Cut the rows

The test rows are sealed; nothing below looks at them.""",
    """split = cy.split(data, test=0.2, valid=0.2, seed=0)
split""",
    """# Train, and watch

The curves are drawn over at most twice a second, and stay when the run has ended.""",
    """recipe = cy.Recipe(model=cy.models.cnn(channels=(8, 16)), length="5 epochs")
run = cy.fit(recipe, split, seed=0, out="tour/first", threads=1, observer=cy.live())""",
    """# A run shows its verdict, its score with the interval, its curve and its findings.""",
    """run""",
    """# The whole report is one file.""",
    """cy.report(run)""",
    """# Where did it look, on the rows that it got most wrong?""",
    """cy.explain(run, method="grad-cam", most=3)""",
    """# Would a simple model do? Every row is predicted by models that have not seen it.""",
    """recipes = {
    "softmax": cy.Recipe(model="softmax", length="20 epochs"),
    "mlp": cy.Recipe(model=cy.models.mlp(hidden=(16,)), length="20 epochs"),
}
cy.compare(recipes, cy.load("iris"), folds=5, seeds=3, threads=1)""",
    """# What is wrong with a run that does not learn?""",
    """slow = recipe.replace(optimizer=cy.optim.sgd(lr=1e-6))
second = cy.fit(slow, split, seed=0, out="tour/second", threads=1)
cy.diagnose(second)""",
)


def notebook() -> dict[str, Any]:
    """The notebook as plain values."""
    return {
        "cells": [_cell(number, text) for number, text in enumerate(CELLS)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, text: str) -> dict[str, Any]:
    """A cell; a notebook keeps its text as lines."""
    made = {"id": f"cell-{number:02d}", "metadata": {}, "source": text.splitlines(keepends=True)}
    if text.startswith("# "):
        return {"cell_type": "markdown", **made}
    return {"cell_type": "code", "execution_count": None, **made, "outputs": []}


def text() -> str:
    """The content of the file."""
    return json.dumps(notebook(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), "utf-8")
