"""Make the pictures of `docs/networks.md`, and print its figures (ten minutes).

Run `.venv/bin/python tools/make_network_pictures.py`. All come from scikit-learn's digits.
"""

from __future__ import annotations

from functools import partial

from make_pictures import FOLDER

import chymist as cy
from chymist.models import sized
from chymist.parts import Part
from chymist.values import Shapes

RECIPE = cy.Recipe(optimizer=cy.optim.adam(lr=5e-3), batch_size=32, length="15 epochs")
IMAGE = Shapes((1, 8, 8), 10)


def fields() -> None:
    """What units see: CNN, RNN, GCN."""
    shape = (1, 28, 28)
    models: dict[str, str | Part] = {
        "cnn": "lenet5",
        "rnn": "row_rnn",
        "gcn": cy.models.grid_gcn(hidden=(8, 8, 8)),
    }
    for name, model in models.items():
        found = cy.receptive_fields(model, shape)
        found.save(FOLDER / f"fields-{name}.svg")
        print(found, flush=True)


def probes() -> None:
    """DNN beside CNN of equal size, on changed validation rows."""
    split = cy.split(cy.load("digits"), seed=0)
    models = {
        "dnn": cy.models.mlp(hidden=(64,)),
        "cnn": cy.models.cnn(channels=(10, 20), hidden=(), norm="none", dropout=0.0),
    }
    for name, model in models.items():
        run = cy.fit(RECIPE.replace(model=model), split, seed=0)
        found = cy.invariance(run)
        found.save(FOLDER / f"invariance-{name}.svg")
        print(name, found, flush=True)
        for cells in found.table()[1]:
            print(*cells, sep=" | ")


def layers(depth: int, width: int) -> Part:
    """A perceptron of so many hidden layers."""
    return cy.models.mlp(hidden=(width,) * depth)


def deep_and_wide() -> None:
    """Perceptrons of one to six hidden layers, of equal size."""
    entries = {
        f"{depth} hidden": RECIPE.replace(model=sized(partial(layers, depth), IMAGE, 4810))
        for depth in (1, 2, 3, 6)
    }
    found = cy.compare(entries, cy.load("digits"), folds=3, seeds=5)
    print(found, flush=True)


def networks() -> None:
    """DNN, CNN, RNN, GCN, with and without the order of the pixels."""
    found = cy.compare_networks(cy.load("digits"), recipe=RECIPE)
    print(found.verdict, *found.reasons, *found.table()[1], sep="\n", flush=True)
    found.save(FOLDER / "networks.svg")


def main() -> None:
    """Train, print and draw."""
    for make in (fields, probes, deep_and_wide, networks):
        make()


if __name__ == "__main__":
    main()
