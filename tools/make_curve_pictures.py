"""Make the pictures of `docs/learning-curves.md` and `docs/complexity.md`.

Run `.venv/bin/python tools/make_curve_pictures.py`. All come from scikit-learn's digits or
generated data; nothing is drawn by hand.
"""

from __future__ import annotations

import numpy as np
from make_pictures import FOLDER

import chymist as cy
from chymist.keys import generator
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.reports.style import as_file

CLOSED = cy.Recipe(model="linear", optimizer="closed_form")
DEGREES = np.arange(1, 7)


def learning_curve() -> str:
    """A perceptron on digits, from 90 to 1,437 rows."""
    recipe = cy.Recipe(model="mlp", length="15 epochs")
    curve = cy.learning_curve(recipe, cy.load("digits"), folds=5, seeds=3)
    print(curve.verdict)
    return curve.svg()


def sine(rows: int, seed: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """x and y = sin(x) + noise."""
    rng = generator(seed, "sine")
    x = rng.uniform(-3, 3, rows)
    return x, np.sin(x) + rng.normal(0, sigma, rows)


def bias_variance() -> Markup:
    """Bias and variance of polynomials, by degree."""
    x, y = sine(3400, 0, 0.5)
    parts = []
    for degree in DEGREES:
        data = cy.load((np.stack([x**k for k in range(1, degree + 1)], axis=1), y))
        found = cy.bias_variance(CLOSED, data, members=50, test=400, sets="disjoint")
        print(degree, found.verdict)
        parts.append(found.parts)
    names = (
        ("error", "error", "s3"),
        ("bias", "bias", "s2"),
        ("variance", "variance", "s1"),
    )
    lines = [
        Line(name, DEGREES.astype(float), np.array([getattr(p, key) for p in parts]), kind)
        for name, key, kind in names
    ]
    title = "Mean squared error of polynomials of degree 1 to 6, and its parts"
    return line_chart(title, lines, "degree", "squared error", zero=True)


def intervals() -> Markup:
    """90 % intervals of a cubic, from 80 rows."""
    x, y = sine(80, 1, 0.3)
    new = np.linspace(-3, 3, 60)
    data = cy.load((np.stack([x, x**2, x**3], axis=1), y))
    found = cy.intervals(CLOSED, data, np.stack([new, new**2, new**3], axis=1), level=0.9)
    print(found)
    lines = [
        Line("high", new, found.high, "s1"), Line("predicted", new, found.value, "s2"),
        Line("low", new, found.low, "s1"),
    ]  # fmt: skip
    return line_chart("Predictions with 90 % intervals", lines, "x", "y")


def complexity() -> str:
    """Polynomials of degree 1 to 15 on 20 rows."""
    x, y = sine(20, 0, 0.2)
    recipe = cy.Recipe(model="polynomial", precision="float64")
    degrees = [1, 2, 3, 5, 7, 9, 12, 15]
    curve = cy.validation_curve(recipe, cy.load((x[:, None], y)), "model.degree", degrees, seeds=5)
    print(curve.verdict)
    return curve.svg()


def double_descent() -> str:
    """Random features on 150 rows, from fewer features than rows to many more."""
    rng = generator(0, "linear")
    x, w = rng.normal(size=(150, 10)), rng.normal(size=10)
    data = cy.load((x, x @ w / 3 + rng.normal(0, 0.5, 150)))
    recipe = cy.Recipe(model="random_features", precision="float64")
    widths = [5, 10, 20, 40, 60, 80, 100, 119, 140, 180, 250, 400, 1000]
    curve = cy.validation_curve(recipe, data, "model.width", widths, seeds=3)
    print(curve.verdict)
    return curve.svg()


def main() -> None:
    """Train and write the pictures."""
    pieces = {
        "learning-curve": learning_curve(), "bias-variance": bias_variance(),
        "intervals": intervals(), "complexity": complexity(), "double-descent": double_descent(),
    }  # fmt: skip
    for name, piece in pieces.items():
        (FOLDER / f"{name}.svg").write_text(as_file(piece), encoding="utf-8")
        print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
