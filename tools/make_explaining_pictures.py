"""Make the pictures of `docs/explaining.md`, and print its figures (a minute).

Run `.venv/bin/python tools/make_explaining_pictures.py [NAME ...]`. All come from scikit-learn's
digits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from make_pictures import FOLDER

import chymist as cy


def looked() -> None:
    """Where a small CNN looked on the digits that it answers worst, by two methods."""
    run = cy.fit(cy.Recipe(length="20 epochs"), cy.split(cy.load("digits"), seed=0), seed=0)
    print(run, flush=True)
    for name, method in (("grad-cam", "grad-cam"), ("integrated", "integrated-gradients")):
        found = cy.explain(run, method=method, most=4)
        found.save(FOLDER / f"explain-{name}.svg")
        print(found, flush=True)


PICTURES: dict[str, Callable[[], None]] = {"looked": looked}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or PICTURES:
        PICTURES[chosen]()
