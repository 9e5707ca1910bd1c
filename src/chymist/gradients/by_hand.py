"""Gradients derived by hand: the formulas of the course, written out in NumPy.

The losses are sums over rows: E = sum of (O - t)^2 / 2 with sigmoid outputs O, or the cross entropy
of softmax. One forward pass keeps what the backward pass needs; each delta is dE / d(sum that goes
into a neuron).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_softmax

from chymist.errors import InputError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Affine:
    """Gradients of one affine layer.

    Args:
        weights: dE/dW, (inputs, outputs).
        bias: dE/db, (outputs,).
        deltas: dE / d(weighted sums), (rows, outputs).
    """

    weights: Array
    bias: Array
    deltas: Array


@dataclass(frozen=True, eq=False)
class Derived:
    """A loss and its gradients.

    Args:
        loss: E, a sum over rows.
        layers: gradients, from the first layer to the last.
    """

    loss: float
    layers: tuple[Affine, ...]


def perceptron(
    inputs: ArrayLike, weights: ArrayLike, bias: ArrayLike, targets: ArrayLike
) -> Derived:
    """Sigmoid neurons with squared error: dE/dw_jk = (O_k - t_k) O_k (1 - O_k) x_j.

    Args:
        inputs: (rows, features).
        weights: (features, outputs).
        bias: (outputs,).
        targets: (rows, outputs), in [0, 1].

    Raises:
        InputError: the shapes do not fit.

    Example:
        >>> found = perceptron([[1.0, 2.0]], [[0.0], [0.0]], [0.0], [[1.0]])
        >>> found.loss, found.layers[0].weights.ravel().tolist()
        (0.125, [-0.125, -0.25])

    Source: Widrow, Hoff 1960; Rumelhart, Hinton, Williams 1986.
    """
    x, w, b, t = _arrays(inputs, weights, bias, targets)
    outputs = expit(_sums(x, w, b, t.shape))
    deltas = (outputs - t) * outputs * (1 - outputs)
    return Derived(float(np.square(outputs - t).sum() / 2), (_affine(x, deltas),))


def softmax(inputs: ArrayLike, weights: ArrayLike, bias: ArrayLike, labels: ArrayLike) -> Derived:
    """Softmax with cross entropy: dE/dz_k = p_k - [k is the label], dE/dw_jk = x_j dE/dz_k.

    Args:
        inputs: (rows, features).
        weights: (features, classes).
        bias: (classes,).
        labels: class indices, (rows,).

    Raises:
        InputError: the shapes do not fit, or labels are no class indices.

    Example:
        >>> found = softmax([[1.0]], [[0.0, 0.0]], [0.0, 0.0], [0])
        >>> round(found.loss, 6), found.layers[0].deltas.tolist()
        (0.693147, [[-0.5, 0.5]])

    Source: Bridle 1990.
    """
    x, w, b, truth = _arrays(inputs, weights, bias, labels)
    sums = _sums(x, w, b, (truth.size, _units(w)))
    if truth.ndim != 1 or not np.isin(truth, np.arange(w.shape[1])).all():
        raise InputError("labels are class indices, one for each row", where="softmax",
                         received=str(truth)[:60], do=f"give 0 to {w.shape[1] - 1}")  # fmt: skip
    logs = log_softmax(sums, axis=1)
    chosen = np.arange(len(truth)), truth.astype(int)
    deltas = np.exp(logs)
    deltas[chosen] -= 1
    return Derived(float(-logs[chosen].sum()), (_affine(x, deltas),))


def two_layers(
    inputs: ArrayLike,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    targets: ArrayLike,
) -> Derived:
    """A hidden layer of sigmoid neurons before sigmoid outputs, with squared error.

    The backward pass is a network turned round, linear, with the slopes of the forward pass as
    gains: delta_k = (O_k - t_k) O_k (1 - O_k), delta_j = O_j (1 - O_j) sum_k w_jk delta_k, and
    dE/dw_ij = O_i delta_j.

    Args:
        inputs: (rows, features).
        first: weights (features, hidden) and bias (hidden,).
        second: weights (hidden, outputs) and bias (outputs,).
        targets: (rows, outputs), in [0, 1].

    Raises:
        InputError: the shapes do not fit.

    Example:
        >>> found = two_layers([[1.0]], ([[0.0]], [0.0]), ([[2.0]], [-1.0]), [[1.0]])
        >>> found.loss, [layer.deltas.item() for layer in found.layers]
        (0.125, [-0.0625, -0.125])

    Source: Rumelhart, Hinton, Williams 1986.
    """
    x, w, b, t = _arrays(inputs, *first, targets)
    hidden = expit(_sums(x, w, b, (len(x) if x.ndim else 0, _units(w))))
    last = perceptron(hidden, *second, t)
    turned = last.layers[0].deltas @ np.asarray(second[0], np.float64).T
    return Derived(last.loss, (_affine(x, turned * hidden * (1 - hidden)), *last.layers))


def _arrays(*given: ArrayLike) -> list[Array]:
    """All in float64.

    Raises:
        InputError: something is no array of numbers.
    """
    try:
        return [np.asarray(values, np.float64) for values in given]
    except (TypeError, ValueError) as error:
        raise InputError("not an array of numbers", where="by_hand",
                         received=str(error)[:60]) from None  # fmt: skip


def _units(weights: Array) -> int:
    """Outputs of a layer; 0 where the weights are no matrix, which `_sums` refuses."""
    return weights.shape[1] if weights.ndim == 2 else 0


def _sums(x: Array, w: Array, b: Array, wanted: tuple[int, ...]) -> Array:
    fits = x.ndim == w.ndim == 2 and x.shape[1] == w.shape[0] and b.shape == w.shape[1:]
    if not fits or (len(x), w.shape[1]) != wanted:
        received = f"inputs {x.shape}, weights {w.shape}, bias {b.shape}, for outputs {wanted}"
        raise InputError("the shapes do not fit", where="by_hand", received=received)
    return np.asarray(x @ w + b)


def _affine(x: Array, deltas: Array) -> Affine:
    return Affine(x.T @ deltas, deltas.sum(0), deltas)
