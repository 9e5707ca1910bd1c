"""Make pictures and measure figures of `docs/neurons.md`; `bench/attributes.py` has the others.

Run `.venv/bin/python tools/make_neuron_pictures.py [NAME ...]`. All come from scikit-learn's digits
or generated data; nothing is drawn by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product

import numpy as np
from make_pictures import FOLDER

import chymist as cy
from chymist.evidence.intervals import wilson
from chymist.models import initialize
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.reports.pictures import to_png
from chymist.reports.style import as_file
from chymist.values import Split
from chymist.verbs.showing_weights import ShownWeights

NONE = np.array([], np.int64)
FULL = {"schedule": "constant", "batch_size": "all", "stop": "none"}


def xor() -> Markup:
    """Share of 100 seeds that learn XOR, by width and activation."""
    corners = np.array(list(product((0.0, 1.0), repeat=2)))
    data = cy.load((corners, np.array([0, 1, 1, 0])), task="classification")
    rows = Split(data, np.arange(4), NONE, NONE)
    widths, lines = np.array([1, 2, 3, 4, 6, 8]), []
    for activation, kind in (("tanh", "s2"), ("relu", "s1")):
        solved = []
        for width in widths:
            model = cy.models.mlp(hidden=(int(width),), activation=activation)
            recipe = cy.Recipe(model=model, loss="binary_cross_entropy", length="1000 steps",
                               optimizer=cy.optim.adam(lr=0.05), **FULL)  # fmt: skip
            found = cy.fit_population(recipe, rows, seeds=100)
            solved.append(sum(score is not None and score.value == 1 for score in found.scores))
            low, high = wilson(solved[-1], 100)
            print(f"xor {activation} 2-{width}-1: {solved[-1]} of 100 [{low:.2f}, {high:.2f}]")
        lines.append(Line(activation, widths.astype(float), np.array(solved) / 100, kind))
    title = "Share of 100 starts that learn XOR, by units of the hidden layer"
    return line_chart(title, lines, "hidden units", "solved", percent=True, zero=True)


def wave(x: np.ndarray) -> np.ndarray:
    """One period of a sine on [0, 1]; its second derivative is at most 4 pi^2."""
    return np.sin(2 * np.pi * x)


def approximation() -> Markup:
    """Largest error of a hidden layer by its width: bound, built, trained."""
    fine, widths = np.linspace(0, 1, 4001), [2, 4, 8, 16, 32, 64]
    data = cy.load((np.linspace(0, 1, 257)[:, None], wave(np.linspace(0, 1, 257))))
    rows = Split(data, np.arange(257), NONE, NONE)
    bounds, built, trained = [], [], []
    for width in widths:
        layer = cy.maths.relu_interpolation(wave, 0, 1, width)
        bounds.append(layer.bound(4 * np.pi**2))
        built.append(np.abs(layer(fine) - wave(fine)).max())
        recipe = cy.Recipe(
            model=cy.models.mlp(hidden=(width,)), loss="mse", batch_size="all",
            optimizer=cy.optim.adam(lr=0.01), length="2000 steps", stop="none",
        )  # fmt: skip
        found = cy.fit_population(recipe, rows, seeds=3)
        errors = [np.abs(cy.predict(found.run(k), fine[:, None]) - wave(fine)).max()
                  for k in range(3)]  # fmt: skip
        trained.append(np.median(errors))
        print(f"approximation {width}: bound {bounds[-1]:.3g}, built {built[-1]:.3g}, trained "
              f"{trained[-1]:.3g} [{min(errors):.3g}, {max(errors):.3g}]")  # fmt: skip
    places = np.array(widths, float)
    lines = [Line("bound", places, np.array(bounds), "s3"),
             Line("built", places, np.array(built), "s1"),
             Line("trained", places, np.array(trained), "s2")]  # fmt: skip
    title = "Largest error on a sine wave, by units of the one hidden layer"
    return line_chart(title, lines, "hidden units", "largest error")


def nested() -> str:
    """A function of a function of a function."""
    at = {"w1": 1.0, "w2": -2.0, "w3": 0.5, "x": 0.3}
    return cy.gradients.graph("tanh(w3 * tanh(w2 * tanh(w1 * x)))", at).svg()


def units() -> bytes:
    """First layer of a perceptron on digits, before (above) and after training."""
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,)), length="60 epochs", stop="none")
    run = cy.fit(recipe, split, seed=0)
    print(f"units: {run.score}, alone {[f'{share:.2f}' for share in specialised(run)]}")
    before = cy.models.mlp(hidden=(16,)).build(cy.Shapes((1, 8, 8), 10))
    initialize(before, seed=0)
    start = before[1].weight.detach().double().numpy().reshape(16, 8, 8, 1)
    both = np.concatenate([start[:8], start[8:], cy.show_weights(run).weights])
    return to_png(ShownWeights(both[:32]).sheet)


def specialised(run: cy.Run) -> np.ndarray:
    """Share of the variance of each hidden unit that lies between the classes."""
    import torch

    inputs = torch.from_numpy(run.preparation.inputs(run.data.inputs))
    hidden = run.model[:3](inputs).detach().numpy()
    classes = run.data.targets
    means = np.stack([hidden[classes == c].mean(0) for c in range(10)])
    return np.asarray(means[classes].var(0) / np.maximum(hidden.var(0), 1e-12))


def width() -> None:
    """One unit against many; and shapes of as many parameters."""
    digits = cy.load("digits")
    recipe = cy.Recipe(model="mlp", length="30 epochs")
    widths = [(1,), (2,), (4,), (8,), (16,), (64,)]
    curve = cy.validation_curve(recipe, digits, "model.hidden", widths, seeds=1)
    print("width", curve.verdict)
    print(curve)
    shapes = {"46-24-12": (46, 24, 12), "32-32-32": (32, 32, 32), "16-34-64": (16, 34, 64)}
    recipes = {name: recipe.replace(model=cy.models.mlp(hidden=hidden), length="60 epochs")
               for name, hidden in shapes.items()}  # fmt: skip
    for name, hidden in shapes.items():
        print(name, cy.shapes(cy.models.mlp(hidden=hidden), (1, 8, 8), 10).parameters)
    print(cy.compare(recipes, digits, folds=5, seeds=2))


PICTURES: dict[str, Callable[[], Markup | str | bytes | None]] = {
    "xor": xor, "approximation": approximation, "graph-nested": nested, "first-layer": units,
    "width": width,
}  # fmt: skip


def main(names: list[str]) -> None:
    """Measure, and write the pictures."""
    for name in names or PICTURES:
        piece = PICTURES[name]()
        if piece is None:
            continue
        path = FOLDER / f"{name}.{'png' if isinstance(piece, bytes) else 'svg'}"
        path.write_bytes(piece if isinstance(piece, bytes) else as_file(piece).encode())
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
