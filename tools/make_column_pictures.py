"""Make the pictures of columns, words, edges and gates of `docs/explaining.md`.

Run `.venv/bin/python tools/make_column_pictures.py`. Rows are those of scikit-learn's diabetes, or
generated.
"""

from __future__ import annotations

import numpy as np
from make_pictures import FOLDER

import chymist as cy
from chymist.values import Data, Run

GOOD, BAD = ["good", "fine", "bright"], ["bad", "dull", "poor"]
REST = ["a", "the", "film", "play", "was", "and", "it", "so"]


def diabetes() -> Run:
    """A perceptron on the table of diabetes."""
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(32,)), length="60 epochs")
    return cy.fit(recipe, cy.split(cy.load("diabetes"), valid=0.3), doctor=False)


def reviews(rows: int = 600) -> Data:
    """Eight words each, one of which decides; "not" before it turns it round."""
    draw = np.random.default_rng(0)
    texts, labels = [], []
    for _ in range(rows):
        words = draw.choice(REST, 7).tolist()
        pleased, turned, place = *draw.integers(0, 2, 2), int(draw.integers(7))
        words[place] = draw.choice(GOOD if pleased else BAD)
        words[place:place] = ["not"] if turned else []
        texts.append(" ".join(words))
        labels.append("pos" if pleased != turned else "neg")
    return cy.load((texts, labels), kind="text")


def circles() -> Data:
    """Four groups of nodes that know each other; what a node is, its neighbours know better."""
    draw, size = np.random.default_rng(1), 8
    edges = [[0, size], [1, 2 * size], [size, 3 * size]]
    for group in range(4):
        base = group * size
        edges += [[base + a, base + b] for a in range(size) for b in range(a + 1, size)
                  if draw.random() < 0.4]  # fmt: skip
    classes = np.repeat([0, 1, 0, 1], size)
    features = 0.5 * np.eye(2)[classes] + draw.normal(size=(4 * size, 2)) * 0.3
    names = np.array(["even", "odd"])[classes].tolist()
    return cy.load((cy.graph_of(4 * size, edges, features=features), names))


def main() -> None:
    """All pictures."""
    run = diabetes()
    cy.permutation_importance(run).save(FOLDER / "column-importance.svg")
    cy.partial_dependence(run, "bmi").save(FOLDER / "column-dependence.svg")
    recipe = cy.Recipe(model=cy.models.lstm(hidden=(32,)), length="20 epochs", stop="none",
                       optimizer=cy.optim.adam(lr=1e-2))  # fmt: skip
    reader = cy.fit(recipe, reviews(), doctor=False)
    text = "the play was not dull and it"
    print(reader.score)
    words = cy.explain_words(reader, [text, "it was a bright film"], method="occlusion")
    words.save(FOLDER / "words.svg")
    cy.gate_trace(reader, text).save(FOLDER / "gate-trace.svg")
    network = cy.fit(cy.Recipe(model="gcn", length="80 epochs"), circles(), doctor=False)
    print(network.score)
    cy.explain_graph(network, 0).save(FOLDER / "edges.svg")


if __name__ == "__main__":
    main()
