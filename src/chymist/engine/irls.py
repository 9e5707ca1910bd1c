"""Newton's method on all rows, for losses of an affine map: the exact best function."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from chymist.engine.halving import shortened

Loss = Callable[..., Tensor]  # (outputs, targets, reduction="none") -> (rows,)

CONVERGED = 1e-13  # fall that the next step promises, as a share of the objective
CERTAIN = 20.0  # log-odds of a row beyond which no data of any size speak


@dataclass(frozen=True, eq=False)
class Objective:
    """n sum_i v_i loss_i / sum_i v_i + sum_j l_j |W_j|^2 / 2 of theta = (W, b).

    Args:
        features: rows with a last column of ones, float64 (n, p + 1).
        targets: as the loss takes them.
        loss: of outputs (n, m).
        weights: v of rows, (n,), with mean 1.
        penalties: l of the rows of theta, (p + 1,); the last one, the intercept, has 0.
    """

    features: Tensor
    targets: Tensor
    loss: Loss
    weights: Tensor
    penalties: Tensor

    def value(self, theta: Tensor) -> float:
        """The objective at theta (p + 1, m)."""
        each = self.loss(self.features @ theta, self.targets, reduction="none")
        return float((each * self.weights).sum() + (self.penalties @ theta.square()).sum() / 2)

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient (p + 1, m) and Hessian (p + 1, m, p + 1, m), both exact.

        The loss of a row depends on its own outputs alone, so that H = sum_i x_i x_i' (x) h_i with
        the small Hessian h_i of the row in its m outputs.
        """
        outputs = (self.features @ theta).requires_grad_()
        with torch.enable_grad():
            total = (self.loss(outputs, self.targets, reduction="none") * self.weights).sum()
            (slopes,) = torch.autograd.grad(total, outputs, create_graph=True)
            bends = torch.stack([
                torch.autograd.grad(slopes[:, j].sum(), outputs, retain_graph=True)[0]
                for j in range(slopes.shape[1])
            ], 1)  # fmt: skip
        slopes, x = slopes.detach(), self.features
        p, m = theta.shape
        hessian = x.new_empty(p, m, p, m)
        for j in range(m):
            for k in range(j, m):
                block = x.T @ (bends[:, j, k, None] * x)
                hessian[:, j, :, k] = block
                hessian[:, k, :, j] = block
            hessian[:, j, :, j].diagonal().add_(self.penalties)
        return x.T @ slopes + self.penalties[:, None] * theta, hessian


class Iterate(NamedTuple):
    """Where Newton's method stands after a step.

    Args:
        theta: (p + 1, m).
        value: of the objective.
        length: share of the full step that was taken.
        last: whether there is nothing left to gain.
    """

    theta: Tensor
    value: float
    length: float
    last: bool


def newton(objective: Objective, outputs: int) -> Generator[Iterate]:
    """Newton's method with halved steps from zero, until a step promises nothing.

    A Hessian without inverse (columns that depend on each other, classes whose scores may all be
    shifted) gives the shortest step. One more step is taken after convergence, which costs little
    and squares what error is left.

    Args:
        objective: convex.
        outputs: m, columns of theta.

    Yields:
        An `Iterate` after every step.
    """
    theta = objective.features.new_zeros(objective.features.shape[1], outputs)
    value, done = objective.value(theta), False
    while True:
        gradient, hessian = objective.derivatives(theta)
        size = gradient.numel()
        inverse = torch.linalg.pinv(hessian.reshape(size, size), hermitian=True)
        step = -(inverse @ gradient.reshape(size)).reshape(theta.shape)
        slope = float((gradient * step).sum())
        # What is smaller than the rounding of the sum cannot be asked for.
        found = shortened(partial(_along, objective, theta, step), value, slope, 1e-12 * abs(value))
        length, value = found or (0.0, value)
        theta = theta + length * step
        yield Iterate(theta, value, length, done or found is None)
        if done or found is None:
            return
        done = -slope / 2 <= CONVERGED * (1 + abs(value))


def _along(objective: Objective, theta: Tensor, step: Tensor, length: float) -> float:
    """The objective a share of a step away."""
    return objective.value(theta + length * step)


def separated(outputs: Tensor, targets: Tensor, weights: Tensor) -> bool:
    """Whether scores put every row that counts strictly on its side: then no weights are best.

    Args:
        outputs: log-odds (n, 1) with targets 0 or 1 (n, 1), or scores (n, classes) with indices.
        targets: as said.
        weights: of rows, (n,).
    """
    counted = weights > 0
    if outputs.shape[1] == 1:
        lead = outputs[:, 0] * (2 * targets.reshape(-1) - 1)
    else:
        right = torch.nn.functional.one_hot(targets.long(), outputs.shape[1]).bool()
        lead = outputs[right] - outputs.masked_fill(right, -torch.inf).amax(1)
    return bool((lead[counted] > 0).all())
