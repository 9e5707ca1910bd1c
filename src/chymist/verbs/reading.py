"""Reading a linear model: its coefficients in the units of the raw data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from chymist.errors import InputError
from chymist.values import Run

LINEAR = ("linear", "logistic", "softmax")


@dataclass(frozen=True, eq=False)
class Coefficients:
    """A linear model in raw units: y = intercept + sum_j weights_j x_j.

    Args:
        names: feature names, (features,).
        weights: (features, outputs); for classes in log-odds per unit of the feature.
        intercept: (outputs,).
    """

    names: tuple[str, ...]
    weights: np.ndarray
    intercept: np.ndarray

    def __str__(self) -> str:
        terms = [f"{w:+.6g} {n}" for n, w in zip(self.names, self.weights[:, 0], strict=True)]
        return " ".join([f"{self.intercept[0]:.6g}", *terms])


def coefficients(run: Run) -> Coefficients:
    """The coefficients of a linear, logistic or softmax regression, in raw units.

    With standardised inputs z = (x - m) / s and targets t = (y - a) / c the trained model is
    t = b + sum_j w_j z_j, hence y = a + c (b - sum_j w_j m_j / s_j) + sum_j (c w_j / s_j) x_j.

    Args:
        run: a run of a model with one affine layer.

    Returns:
        Names, weights (features, outputs) and intercept (outputs,).

    Raises:
        InputError: the model is not linear in its inputs.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="linear"), cy.load("diabetes"))
        >>> coefficients(run).weights.shape
        (10, 1)
    """
    layers = [layer for layer in run.model.modules() if isinstance(layer, nn.Linear)]
    if run.recipe.model.name not in LINEAR or len(layers) != 1:
        raise InputError(
            "the model is not linear in its inputs",
            received=f"'{run.recipe.model.name}'",
            do="use linear, logistic or softmax",
        )
    weights = layers[0].weight.detach().double().numpy().T
    intercept = layers[0].bias.detach().double().numpy()
    shift, scale = (np.asarray(part, np.float64) for part in run.preparation.affine())
    weights = weights / scale[:, None]
    intercept = intercept - shift @ weights
    if run.data.task == "regression":
        zero = run.preparation.outputs(np.zeros((1, len(intercept))))[0]
        factor = run.preparation.outputs(np.ones((1, len(intercept))))[0] - zero
        weights, intercept = weights * factor, zero + factor * intercept
    return Coefficients(run.preparation.feature_names, weights, intercept)
