"""Make the tables of `docs/choosing.md`: `.venv/bin/python tools/make_choosing.py` (a minute)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chymist as cy
from chymist.verbs.sensing import IMAGE_VALUES
from chymist.verbs.triples import Family

PAGE = Path(__file__).parent.parent / "docs" / "choosing.md"


def family_table() -> str:
    """Each function set with its default loss and solver for each task."""
    lines = ["| model | what it is | task | loss | solver |", "|---|---|---|---|---|"]
    by_model: dict[str, list[Family]] = {}
    for one in cy.families():
        by_model.setdefault(one.model, []).append(one)
    for name, rows in by_model.items():
        pairs: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            pairs.setdefault((row.loss, row.optimizer), []).append(row.task)
        text = rows[0].text.replace("|", "\\|")
        for number, ((loss, optimizer), tasks) in enumerate(pairs.items()):
            first = (f"`{name}`", text) if number == 0 else ("", "")
            cells = (*first, ", ".join(tasks), f"`{loss}`", f"`{optimizer}`")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def effect_table() -> str:
    """What each hyperparameter does on digits as 64 numbers."""
    digits = cy.load("digits")
    pixels = np.asarray(digits.inputs, float).reshape(len(digits), -1)
    heads, cells = cy.effects(cy.load((pixels, digits.targets))).rows()
    cells += cy.effects(digits, values=IMAGE_VALUES).rows()[1]
    rows: list[list[object]] = [[*heads], ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)


def between(name: str, text: str, table: str) -> str:
    """The page with another table between two marks."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    return f"{before}{start}\n{table}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Write both tables into the page."""
    text = between("families", PAGE.read_text("utf-8"), family_table())
    PAGE.write_text(between("effects", text, effect_table()), "utf-8")


if __name__ == "__main__":
    main()
