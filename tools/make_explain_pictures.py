"""Make the pictures of maps and of their checks in `docs/explaining.md`, and print its figures.

Run `.venv/bin/python tools/make_explain_pictures.py` (a minute). All are measured on scikit-learn's
digits; nothing is drawn by hand.
"""

from __future__ import annotations

import numpy as np
import torch
from make_pictures import FOLDER

import chymist as cy
from chymist.explanation.attribution import METHODS
from chymist.explanation.faithfulness import Faithfulness, faithfulness
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.reports.style import as_file
from chymist.values import Run

ROWS = 64


def of_digits() -> Run:
    """A small CNN of digits."""
    split = cy.split(cy.load("digits"), seed=0)
    return cy.fit(cy.Recipe(length="20 epochs"), split, seed=0, doctor=False)


def faithful(run: Run, method: str) -> Faithfulness:
    """How faithful the maps of the first validation rows are."""
    inputs, training = (
        torch.as_tensor(run.preparation.inputs(run.data.take(rows), np.float32))
        for rows in (run.split.valid[:ROWS], run.split.train)
    )
    with torch.no_grad():
        targets = run.model.eval()(inputs).argmax(1)
    maps = METHODS[method](run.model, inputs, targets)
    return faithfulness(run.model, inputs, targets, maps, baseline=training.mean(0, keepdim=True),
                        name="mean of the training rows")  # fmt: skip


def curves(integrated: Faithfulness, saliency: Faithfulness) -> Markup:
    """What is left of the answer as pixels are taken away."""
    shares = 100 * integrated.shares
    lines = [
        Line("random order", shares, integrated.random.mean((0, 1)), "s3"),
        Line("saliency", shares, saliency.deletion.mean(0), "s1"),
        Line("integrated", shares, integrated.deletion.mean(0), "s2"),
    ]
    return line_chart("Probability of the answer as pixels are taken away", lines,
                      "pixels taken away, %", "probability of the answer", percent=True,
                      zero=True)  # fmt: skip


def main() -> None:
    """Measure and write the pictures."""
    run = of_digits()
    integrated, saliency = (faithful(run, name) for name in ("integrated-gradients", "saliency"))
    found = {
        "explain-grad-cam": cy.explain(run, most=4),
        "explain-integrated": cy.explain(run, most=4, method="integrated-gradients"),
        "trust-maps": cy.explain(run, method="integrated-gradients", which="first", most=4),
    }
    print(run, *found.values(), sep="\n")
    print(f"integrated gradients: {integrated}\nsaliency: {saliency}")
    pieces = {name: one.svg() for name, one in found.items()}
    pieces["trust-deletion"] = curves(integrated, saliency)
    for name, piece in pieces.items():
        (FOLDER / f"{name}.svg").write_text(as_file(piece), encoding="utf-8")
        print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
