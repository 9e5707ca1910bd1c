"""Small trained runs for the tests of pages that show answers of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chymist as cy
from chymist.studio.tasks import TASKS


def make_runs(folder: Path) -> Path:
    """Runs on images, a table of two classes, values, and texts, in a folder of their own."""
    digits = cy.Recipe(model="cnn", length="1 epochs")
    cy.fit(digits, cy.split(cy.load("digits"), seed=0), seed=0, out=folder / "digits", doctor=False)
    quick = cy.Recipe(model="mlp", length="4 epochs")
    cancer = cy.split(cy.load("breast_cancer"), seed=0)
    cy.fit(quick, cancer, seed=0, out=folder / "cancer", doctor=False)
    diabetes = cy.split(cy.load("diabetes"), seed=0)
    cy.fit(quick, diabetes, seed=0, out=folder / "diabetes", doctor=False)
    texts = folder.parent / "texts.csv"
    lines = [
        f"{'good fine' if n % 2 else 'bad dull'} film number {n % 7},{n % 2}" for n in range(80)
    ]
    texts.write_text("\n".join(["text,label", *lines]))
    words = cy.split(cy.load(texts, target="label", kind="text"), seed=0)
    cy.fit(cy.Recipe(model="text_cnn", length="2 epochs"), words, seed=0, out=folder / "texts",
           doctor=False)  # fmt: skip
    return folder


def ask(task: str, folder: Path, **options: Any) -> Any:
    """The last answer of a task."""
    return list(TASKS[task](folder=str(folder), **options))[-1]
