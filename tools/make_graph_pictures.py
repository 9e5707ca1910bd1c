"""Make the pictures of `docs/derivatives.md` and `docs/calculators.md`.

Run `.venv/bin/python tools/make_graph_pictures.py`. All are calculated; nothing is drawn by hand.
"""

from __future__ import annotations

import numpy as np
import torch
from make_pictures import FOLDER

import chymist as cy
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.reports.style import as_file

SIGMOID = {"w0": 2, "x0": -1, "w1": -3, "x1": -2, "w2": -3}


def sigmoid() -> str:
    """The neuron of the course, in small steps."""
    return cy.gradients.graph("sigmoid(w0*x0 + w1*x1 + w2)", SIGMOID, expand=True).svg()


def network() -> str:
    """A network of two layers on three rows, and its loss."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    cy.models.initialize(model, seed=0)
    rows = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return cy.gradients.model_graph(model, "cross_entropy", (rows, torch.tensor([0, 1, 1]))).svg()


def gates() -> Markup:
    """A gated memory over nine steps."""
    x1 = np.array([1, 3, 2, 4, 2, 1, 3, 6, 1.0])
    x2 = np.array([0, 1, 0, 1, 0, 0, -1, 1, 0])
    x3 = np.array([0, 0, 0, 0, 0, 1, 0, 0, 1])
    found = cy.maths.gated_memory(x1, 100 * x2 - 10, 100 * x2 + 10, 100 * x3 - 10)
    steps = np.arange(1.0, 10)
    lines = [
        Line("input", steps, x1, "s3"), Line("memory", steps, found.memory, "s1"),
        Line("output", steps, found.output, "s2"),
    ]  # fmt: skip
    return line_chart("Input, memory and output of a gated cell", lines, "step", "value", zero=True)


def main() -> None:
    """Calculate and write the pictures."""
    pieces = {"graph-sigmoid": sigmoid(), "graph-network": network(), "gates": gates()}
    for name, piece in pieces.items():
        (FOLDER / f"{name}.svg").write_text(as_file(piece), encoding="utf-8")
        print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
