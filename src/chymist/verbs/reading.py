"""Reading what a model has learnt, in the names and units of the raw data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from chymist.data.preparation import Preparation
from chymist.errors import InputError
from chymist.models.gaussian import Gaussian
from chymist.models.svm import SupportVectorMachine
from chymist.models.trees.modules import TreeModel
from chymist.reports.trees import NamedTree
from chymist.values import Run

LINEAR = ("linear", "logistic", "softmax", "generalized_linear", "perceptron", "linear_svm")


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
    """The coefficients of a linear model, in raw units.

    Those of a Gaussian classifier with a shared covariance are the weights of its log-odds.

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
    weights, intercept = _affine(run)
    shift, scale = (np.asarray(part, np.float64) for part in run.preparation.affine())
    weights = weights / scale[:, None]
    intercept = intercept - shift @ weights
    if run.data.task == "regression":
        zero = run.preparation.outputs(np.zeros((1, len(intercept))))[0]
        factor = run.preparation.outputs(np.ones((1, len(intercept))))[0] - zero
        weights, intercept = weights * factor, zero + factor * intercept
    return Coefficients(run.preparation.feature_names, weights, intercept)


def named_tree(model: Any, preparation: Preparation, classes: tuple[str, ...]) -> NamedTree:
    """The tree of a model, with names and units from the preparation.

    Args:
        model: of a run.
        preparation: of the run.
        classes: class names; empty for values.

    Raises:
        InputError: the model is no tree.
    """
    if not isinstance(model, TreeModel):
        raise InputError("the model is no tree", received=type(model).__name__,
                         do="use id3, c45, cart, random_forest or boosting")  # fmt: skip
    names = preparation.feature_names
    categories: list[tuple[str, ...]] = [() for _ in names]
    for feature in preparation.features:
        if feature.codes:
            categories[names.index(feature.name)] = feature.categories
    shift, scale = preparation.affine()
    unit, tree = (0.0, 1.0), model.tree()
    if not classes:
        unit = (preparation.target_shift[0], preparation.target_scale[0])
    elif model.adds:  # log-odds; the first tree has those of one class
        end = int(tree.roots[1]) if len(tree.roots) > 1 else len(tree)
        own = int(np.ptp(tree.value[:end], axis=0).argmax())
        tree, classes = replace(tree, value=tree.value[:, own : own + 1]), ()
    return NamedTree(tree, names, tuple(categories), classes, shift, scale, unit)


@dataclass(frozen=True, eq=False)
class SupportVectors:
    """The rows that a support vector machine rests on.

    Args:
        rows: their numbers in the data, (s,).
        weights: dual coefficients with their signs, (pairs, s); 0 where a row has no part in it.
        pairs: the two classes of each machine, by name; empty for a regression.
        margins: distance of each boundary to where its score is 1, in the space of the kernel.
    """

    rows: np.ndarray
    weights: np.ndarray
    pairs: tuple[tuple[str, str], ...]
    margins: np.ndarray


def support_vectors(run: Run) -> SupportVectors:
    """The support vectors of a run of `svm` or `svr`.

    Args:
        run: the run.

    Returns:
        Row numbers, dual coefficients and margins.

    Raises:
        InputError: the model is no support vector machine.

    Example:
        >>> import chymist as cy
        >>> found = support_vectors(cy.fit(cy.Recipe(model="svm"), cy.load("iris")))
        >>> found.pairs[0], found.weights.shape == (3, len(found.rows))
        (('setosa', 'versicolor'), True)
    """
    model = run.model
    if not isinstance(model, SupportVectorMachine):
        raise InputError("the model is no support vector machine",
                         received=f"'{run.recipe.model.name}'", do="use svm or svr")  # fmt: skip
    names = run.data.classes
    pairs = tuple((names[i], names[j]) for i, j in model.pairs) if names else ()
    rows = run.split.train[model.rows.cpu().numpy()]
    return SupportVectors(rows, model.dual.double().cpu().numpy(), pairs,
                          model.margins().double().cpu().numpy())  # fmt: skip


def _affine(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features, outputs) and intercepts of prepared inputs.

    Raises:
        InputError: the model is not linear in its inputs.
    """
    layers = [layer for layer in run.model.modules() if isinstance(layer, nn.Linear)]
    if isinstance(run.model, Gaussian) and run.model.covariance == "shared":
        weights, intercept = run.model.affine()
    elif run.recipe.model.name in LINEAR and len(layers) == 1:
        weights, intercept = layers[0].weight.detach(), layers[0].bias.detach()
    else:
        raise InputError(
            "the model is not linear in its inputs",
            received=f"'{run.recipe.model.name}'",
            do="use linear, logistic or softmax",
        )
    return weights.double().numpy().T, intercept.double().numpy()
