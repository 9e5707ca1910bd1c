"""All first derivatives (Jacobian) and all second ones (Hessian) of small models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from chymist.errors import InputError, UsageError, nearest
from chymist.gradients.losses import Loss, as_double, loss_function, real_points, slope_of

MOST = 3000  # parameters of a Hessian: its entries are their square

Layout = Literal["numerator", "denominator"]


def jacobian(model: nn.Module, inputs: Tensor, layout: Layout = "numerator") -> np.ndarray:
    """Jacobian of each row's outputs with respect to its inputs, d y_k / d x_j, in float64.

    Rows are taken apart, as they are in evaluation mode. Books differ in which index comes first.
    In numerator layout it is that of y: d(Wx)/dx = W, the gradient of one output is a row (1, n),
    and the chain rule multiplies from the left. In denominator layout it is that of x:
    d(Wx)/dx = W^T, the gradient is a column (n, 1), and the chain rule multiplies from the right.

    Args:
        model: any module with outputs (batch, outputs).
        inputs: (batch, ...).
        layout: "numerator" or "denominator".

    Returns:
        (batch, outputs, ...), or (batch, ..., outputs) in denominator layout.

    Raises:
        InputError: the outputs are not (batch, outputs), or have no gradient (a tree).
        UsageError: there is no such layout.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> found = jacobian(layer, torch.ones(4, 3))
        >>> found.shape, bool(np.allclose(found[0], layer.weight.detach()))
        ((4, 2, 3), True)
        >>> jacobian(layer, torch.ones(4, 3), layout="denominator").shape
        (4, 3, 2)
    """
    if layout not in get_args(Layout):
        raise UsageError("unknown layout", where="jacobian", received=repr(layout),
                         do=nearest(str(layout), get_args(Layout)))  # fmt: skip
    twin = copy.deepcopy(model).cpu().double().eval()
    points = real_points(inputs, "jacobian")
    outputs = twin(points)
    if outputs.ndim != 2 or len(outputs) != len(points):
        raise InputError("the outputs are not (batch, outputs)", where="jacobian",
                         received=f"shape {tuple(outputs.shape)}")  # fmt: skip
    rows = [slope_of(column, points, "jacobian") for column in outputs.t()]
    return torch.stack(rows, 1 if layout == "numerator" else points.ndim).numpy()


def hessian(model: nn.Module, loss: Loss, batch: tuple[Tensor, Tensor]) -> np.ndarray:
    """Hessian of the loss with respect to all parameters, d^2 L / (d w_i d w_j), in float64.

    Args:
        model: a small module; its mode is kept.
        loss: name of a loss, or a function (outputs, targets) -> one number.
        batch: inputs and targets.

    Returns:
        (P, P), symmetric, in the order of `model.parameters()`.

    Raises:
        InputError: there are no parameters, or too many.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> hessian(layer, "mse", (torch.tensor([[3.0]]), torch.zeros(1, 1)))
        array([[18.]])
    """
    twin = copy.deepcopy(model).cpu().double()
    weights = [p for p in twin.parameters() if p.requires_grad]
    size = sum(p.numel() for p in weights)
    if not 0 < size <= MOST:
        raise InputError("no Hessian of a model of this size", where="hessian",
                         received=f"{size:,} parameters", do=f"take 1 to {MOST:,}")  # fmt: skip
    inputs, targets = (as_double(t) for t in batch)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        total = loss_function(loss)(twin(inputs), targets)
    slopes = torch.autograd.grad(total, weights, create_graph=True, materialize_grads=True)
    flat = torch.cat([slope.reshape(-1) for slope in slopes])
    rows = [_row(slope, weights) for slope in flat]
    full = torch.stack(rows).numpy()
    return np.asarray((full + full.T) / 2)


@dataclass(frozen=True, eq=False)
class Curvature:
    """How a loss bends at a point.

    Args:
        eigenvalues: of the Hessian, from the least to the largest.
        condition: largest by least absolute eigenvalue; inf where a direction is flat.
    """

    eigenvalues: np.ndarray
    condition: float

    @property
    def verdict(self) -> str:
        """What kind of point it would be if the gradient were 0."""
        largest = float(np.abs(self.eigenvalues).max())
        slack = 1e-10 * largest
        up = int((self.eigenvalues > slack).sum())
        down = int((self.eigenvalues < -slack).sum())
        flat = len(self.eigenvalues) - up - down
        shape = "a saddle" if up and down else "a bowl" if up else "a dome" if down else "flat"
        return (f"{shape}: {up} directions bend up, {down} down, {flat} are flat; "
                f"condition number {self.condition:.3g}")  # fmt: skip


def curvature(matrix: ArrayLike) -> Curvature:
    """Eigenvalues and condition number of a Hessian.

    Gradient descent with one rate needs about as many steps as the condition number.

    Args:
        matrix: symmetric, (P, P).

    Raises:
        InputError: not a symmetric matrix.

    Example:
        >>> curvature([[2, 0], [0, 20]]).verdict
        'a bowl: 2 directions bend up, 0 down, 0 are flat; condition number 10'
    """
    values = np.asarray(matrix, np.float64)
    square = values.ndim == 2 and values.shape[0] == values.shape[1] and values.size > 0
    if not square or not np.allclose(values, values.T, rtol=1e-6, atol=1e-9):
        raise InputError("not a symmetric matrix", where="curvature",
                         received=f"shape {values.shape}")  # fmt: skip
    eigenvalues = np.linalg.eigvalsh(values)
    sizes = np.abs(eigenvalues)
    flat = sizes.min() <= 1e-14 * sizes.max()
    return Curvature(eigenvalues, float("inf") if flat else float(sizes.max() / sizes.min()))


def _row(slope: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Second derivatives of one parameter with all; none where its slope is constant."""
    if not slope.requires_grad:
        return torch.cat([torch.zeros(w.numel(), dtype=w.dtype) for w in weights])
    again = torch.autograd.grad(slope, weights, retain_graph=True, materialize_grads=True)
    return torch.cat([part.reshape(-1) for part in again])
