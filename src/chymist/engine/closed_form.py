"""Least squares in one step: the exact best function of the linear set."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.columns import Columns
from chymist.errors import UsageError

TRIED = 256  # rows on which a model is asked whether it is affine
ILL_CONDITIONED = 30.0  # Belsley's bound of a strong dependence


def least_squares(
    inputs: np.ndarray,
    targets: np.ndarray,
    l2: float = 0.0,
    weights: np.ndarray | None = None,
    single: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercept that minimise |X W + b - T|^2 + l2 |W|^2.

    With weights v of rows, n sum_i v_i |x_i W + b - t_i|^2 / sum_i v_i stands for the first term,
    with n the number of rows that weigh anything.

    Inputs and targets are centred, so that the intercept is not penalised, and columns are scaled
    to length 1, so that their units do not matter; a rank-deficient X gives the solution of
    smallest norm.

    Args:
        inputs: X, (rows, features).
        targets: T, (rows, outputs).
        l2: penalty, summed over rows, >= 0.
        weights: v, (rows,), >= 0; None is 1 for all.
        single: whether inputs were rounded to single precision: what depends but for that, depends.

    Returns:
        W (features, outputs) and b (outputs,), float64.

    Example:
        >>> w, b = least_squares(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]))
        >>> round(float(w[0, 0]), 9), round(float(b[0]), 9)
        (2.0, 1.0)

    Source: Golub, Van Loan, Matrix Computations, chapter 5.
    """
    counted = np.ones(len(inputs)) if weights is None else weights.astype(np.float64)
    inputs, targets, counted = (rows[counted > 0] for rows in (inputs, targets, counted))
    columns = Columns.of(inputs, counted, l2, single)
    t = targets.astype(np.float64)
    t_mean = np.average(t, 0, counted)
    x, t = columns.roots * columns.rows, columns.roots * (t - t_mean)
    if l2:
        x = np.vstack([x, np.diag(np.sqrt(columns.penalties))])
        t = np.vstack([t, np.zeros((x.shape[1], t.shape[1]))])
    least = None if l2 else columns.tolerance
    return columns.raw(np.linalg.lstsq(x, t, rcond=least)[0], t_mean)


def solve_least_squares(
    model: nn.Module, inputs: Tensor, targets: Tensor, weights: Tensor | None, l2: float
) -> list[str]:
    """Put the exact least-squares solution into a linear model.

    Args:
        model: with one affine layer; changed.
        inputs, targets: all rows.
        weights: of the rows, or None.
        l2: penalty, summed over rows.

    Returns:
        What is to be said of the columns, in sentences.

    Raises:
        UsageError: the model is not one affine layer.
    """
    layer = only_layer(model, inputs)
    single = inputs.dtype != torch.float64
    flat, wanted = given(model, layer, inputs).cpu().numpy(), targets.cpu().numpy()
    rows = None if weights is None else weights.double().cpu().numpy()
    found, intercept = least_squares(flat, wanted, l2, rows, single)
    layer.weight.copy_(torch.from_numpy(found.T))
    layer.bias.copy_(torch.from_numpy(intercept))
    return dependence(flat, rows, single) if not l2 else []


def dependence(x: np.ndarray, weights: np.ndarray | None = None, single: bool = False) -> list[str]:
    """Whether columns follow from each other, wholly or nearly, as notes.

    Of columns that are centred and scaled to length 1, the condition number is the ratio of the
    greatest to the smallest singular value: 1 where none is correlated with another.

    Args:
        x: (rows, features).
        weights: of rows, or None.
        single: whether columns were rounded to single precision.

    Returns:
        At most one sentence.

    Example:
        >>> line = np.arange(5.0)
        >>> dependence(np.stack([line, 2 * line], 1))[0][:46]
        'columns depend on each other: rank 1 of 2, so '

    Source: Belsley, Kuh, Welsch 1980, Regression diagnostics, section 3.2.
    """
    counted = np.ones(len(x)) if weights is None else weights.astype(np.float64)
    columns = Columns.of(x[counted > 0], counted[counted > 0], single=single)
    rank = columns.rank
    if rank < x.shape[1]:
        return [
            f"columns depend on each other: rank {rank} of {x.shape[1]}, so many weights fit as "
            "well, and the shortest are taken"
        ]
    condition = float(columns.values[0] / columns.values[-1]) if rank else 1.0
    if condition < ILL_CONDITIONED:
        return []
    return [
        f"columns nearly depend on each other: condition number {condition:.3g}; "
        "their weights are uncertain, what they predict together is not"
    ]


def given(model: nn.Module, layer: nn.Linear, inputs: Tensor) -> Tensor:
    """What the model gives its affine layer: the inputs themselves, or fixed features of them.

    In double precision: features that depend on each other (the square of a column of two values)
    would be told apart by their rounding, and get weights that are large and mean nothing. In
    evaluation mode, in which the model is scored.
    """
    return _seen(model, layer, inputs)[0]


def only_layer(model: nn.Module, inputs: Tensor) -> nn.Linear:
    """The one affine layer that a model is, but for what comes before it.

    Args:
        model: any.
        inputs: some rows, see `affine_layer`.

    Raises:
        UsageError: the model is anything else.
    """
    layer = affine_layer(model, inputs[:TRIED])
    if layer is not None:
        return layer
    raise UsageError(
        "the optimizer is for models with one affine layer, with an intercept and at the end: "
        "linear, softmax, polynomial, ...",
        where="optimizer",
        do="use another optimizer, for example adam",
    )


def affine_layer(model: nn.Module, inputs: Tensor) -> nn.Linear | None:
    """The layer with all parameters of a model, whose outputs are those of the model; or None.

    Args:
        model: any.
        inputs: some rows, on which it is tried with its weights and with their negatives.

    Example:
        >>> layer, rows = nn.Linear(2, 1), torch.eye(2)
        >>> affine_layer(nn.Sequential(nn.Flatten(), layer), rows) is layer
        True
        >>> affine_layer(nn.Sequential(layer, nn.ReLU()), rows) is None
        True
    """
    layer = _layer_of(model)
    if layer is None or layer.bias is None:
        return None
    for sign in (1.0, -1.0):
        features, made, outputs = _seen(model, layer, inputs, sign)
        alike = features.ndim == 2 and made.shape == outputs.shape
        if not (alike and torch.allclose(made, outputs, equal_nan=True)):
            return None
    return layer


def _layer_of(model: nn.Module) -> nn.Linear | None:
    """The one affine layer that holds all parameters of a model, or None."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    whole = len(layers) == 1 and len(list(model.parameters())) == len(list(layers[0].parameters()))
    return layers[0] if whole else None


def _seen(
    model: nn.Module, layer: nn.Linear, inputs: Tensor, sign: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """What goes into the layer, what it makes of it, and what the model makes of that."""
    place = next(n for n, module in enumerate(model.modules()) if module is layer)
    exact = copy.deepcopy(model).double().eval()
    own = list(exact.modules())[place]
    seen: list[tuple[Tensor, Tensor]] = []
    own.register_forward_hook(lambda _, given, made: seen.append((given[0], made.clone())))
    with torch.no_grad():
        for values in own.parameters():
            values.mul_(sign)
        outputs = exact(inputs.double())
    return *seen[0], outputs
