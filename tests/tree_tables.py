"""Tables of textbooks, as codes, and trees as nested dictionaries; for the tests of trees."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chymist.models.trees import Sample, Tree


class Table(NamedTuple):
    """Columns by name: numbers, or codes with the names of the categories."""

    names: tuple[str, ...]
    inputs: np.ndarray
    categories: tuple[tuple[str, ...], ...]
    labels: np.ndarray
    classes: tuple[str, ...]

    def sample(self, rows: Any = slice(None)) -> Sample:
        sizes = np.array([len(names) for names in self.categories])
        return Sample(self.inputs[rows], self.labels[rows], len(self.classes), sizes)

    def counts(self, name: str) -> np.ndarray:
        """Rows of each class in each category of a column."""
        column = self.names.index(name)
        made = np.zeros((len(self.categories[column]), len(self.classes)))
        np.add.at(made, (self.inputs[:, column].astype(int), self.labels), 1)
        return made

    def nested(self, tree: Tree, node: int = 0) -> Any:
        """A tree as {column: {category: ...}}, with class names at the leaves."""
        if tree.column[node] < 0:
            return self.classes[int(tree.value[node].argmax())]
        column = int(tree.column[node])
        kids = [self.nested(tree, kid) for kid in tree.children(node)]
        names = self.categories[column] or (f"<={tree.threshold[node]:.4g}", ">")
        return {self.names[column]: dict(zip(names, kids, strict=True))}


def table_of(names: list[str], rows: list[list[str]]) -> Table:
    """A table from cells as texts; the last column is the class."""
    inputs, categories = np.zeros((len(rows), len(names) - 1)), []
    for column in range(len(names) - 1):
        cells = [row[column] for row in rows]
        try:
            inputs[:, column] = [float(cell) for cell in cells]
            categories.append(())
        except ValueError:
            known = sorted(set(cells))
            inputs[:, column] = [known.index(cell) for cell in cells]
            categories.append(tuple(known))
    # "yes" wins ties, as in the books.
    classes = sorted({row[-1] for row in rows}, reverse=True)
    labels = np.array([classes.index(row[-1]) for row in rows])
    return Table(tuple(names[:-1]), inputs, tuple(categories), labels, tuple(classes))


def watermelon(folder: Path, numbers: bool = False, first: str = "") -> Table:
    """Watermelon 3.0, or 2.0 without its numbers; a column may be put first."""
    with (folder / "decision_trees/watermelon_3.csv").open(encoding="utf-8") as file:
        names, *rows = list(csv.reader(file))
    kept = [n for n in range(1, len(names)) if numbers or names[n] not in ("密度", "含糖率")]
    kept.sort(key=lambda n: names[n] != first)
    return table_of([names[n] for n in kept], [[row[n] for n in kept] for row in rows])


def tennis(folder: Path, kind: str = "nominal") -> Table:
    """Quinlan's play-tennis."""
    text = (folder / f"decision_trees/weather.{kind}.arff").read_text(encoding="utf-8")
    names = [line.split()[1] for line in text.splitlines() if line.startswith("@attribute")]
    rows = [line.split(",") for line in text.split("@data")[1].split()]
    return table_of(names, rows)
