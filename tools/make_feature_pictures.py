"""Make the pictures of what units look for, in `docs/explaining.md`.

Run `.venv/bin/python tools/make_feature_pictures.py`. All come from scikit-learn's digits.
"""

from __future__ import annotations

from typing import Any

from make_pictures import FOLDER

import chymist as cy


def main() -> None:
    """Train a network for a moment, and draw what its units look for."""
    split = cy.split(cy.load("digits"), seed=0)
    run = cy.fit(cy.Recipe(model="cnn", length="10 epochs"), split)
    pictures: dict[str, Any] = {
        "feature-maps": cy.feature_maps(run),
        "made-images": cy.maximize_activation(run, "3"),
        "feature-wall": cy.feature_wall(run, units=3, patches=6),
        "nearest": cy.nearest_examples(run),
    }
    for name, made in pictures.items():
        made.save(FOLDER / f"{name}.png")
        print(made)


if __name__ == "__main__":
    main()
