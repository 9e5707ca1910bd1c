"""Least squares in one step: the exact best function of the linear set."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import UsageError


def least_squares(
    inputs: np.ndarray, targets: np.ndarray, l2: float = 0.0, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercept that minimise |X W + b - T|^2 + l2 |W|^2.

    With weights v of rows, n sum_i v_i |x_i W + b - t_i|^2 / sum_i v_i stands for the first term.

    Inputs and targets are centred, so that the intercept is not penalised and the factorisation is
    better conditioned; a rank-deficient X gives the solution of smallest norm.

    Args:
        inputs: X, (rows, features).
        targets: T, (rows, outputs).
        l2: penalty, summed over rows, >= 0.
        weights: v, (rows,), >= 0; None is 1 for all.

    Returns:
        W (features, outputs) and b (outputs,), float64.

    Example:
        >>> w, b = least_squares(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]))
        >>> round(float(w[0, 0]), 9), round(float(b[0]), 9)
        (2.0, 1.0)

    Source: Golub, Van Loan, Matrix Computations, chapter 5.
    """
    x, t = inputs.astype(np.float64), targets.astype(np.float64)
    x_mean, t_mean = np.average(x, 0, weights), np.average(t, 0, weights)
    x, t = x - x_mean, t - t_mean
    if weights is not None:
        roots = np.sqrt(weights / weights.mean())[:, None]
        x, t = roots * x, roots * t
    if l2:
        x = np.vstack([x, np.sqrt(l2) * np.eye(x.shape[1])])
        t = np.vstack([t, np.zeros((x.shape[1], t.shape[1]))])
    found = np.linalg.lstsq(x, t, rcond=None)[0]
    return found, t_mean - x_mean @ found


def solve_least_squares(
    model: nn.Module, inputs: Tensor, targets: Tensor, weights: Tensor | None, l2: float
) -> None:
    """Put the exact least-squares solution into a linear model.

    Args:
        model: with one affine layer; changed.
        inputs, targets: all rows.
        weights: of the rows, or None.
        l2: penalty, summed over rows.

    Raises:
        UsageError: the model is not one affine layer.
    """
    layer = only_layer(model)
    flat, wanted = _given(model, layer, inputs).cpu().numpy(), targets.cpu().numpy()
    rows = None if weights is None else weights.double().cpu().numpy()
    found, intercept = least_squares(flat, wanted, l2, rows)
    layer.weight.copy_(torch.from_numpy(found.T))
    layer.bias.copy_(torch.from_numpy(intercept))


def _given(model: nn.Module, layer: nn.Linear, inputs: Tensor) -> Tensor:
    """What the model gives its affine layer: the inputs themselves, or fixed features of them.

    In double precision: features that depend on each other (the square of a column of two values)
    would be told apart by their rounding, and get weights that are large and mean nothing.
    """
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    exact = copy.deepcopy(model).double()
    hook.remove()
    with torch.no_grad():
        exact(inputs.double())
    return seen[0]


def only_layer(model: nn.Module) -> nn.Linear:
    """The one affine layer that holds all parameters of a model.

    Raises:
        UsageError: the model is anything else.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if len(layers) == 1 and len(list(model.parameters())) == len(list(layers[0].parameters())):
        return layers[0]
    raise UsageError(
        "closed_form is for models with one affine layer: linear, polynomial, random_features",
        where="optimizer",
        do="use another optimizer, for example adam",
    )
