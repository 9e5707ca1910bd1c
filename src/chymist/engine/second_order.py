"""Solvers that use curvature: each step looks at the loss of all rows, some of them many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from chymist.engine.halving import shortened
from chymist.errors import Diverged, UsageError

Loss = Callable[[], Tensor]  # of all rows at the weights as they stand

MOST_PARAMETERS = 3000  # of a model whose whole Hessian is computed and factorised
MOST_LOOKS = 26  # at the loss in a step of L-BFGS; the line search of torch takes 25 by default
AT_A_TIME = 128  # rows of a Hessian
SMALLEST_SHIFT, GROWTH = 1e-3, 10.0


def lbfgs_steps(
    parameters: list[nn.Parameter], loss: Loss, history: int, tolerance: float
) -> Iterator[bool]:
    """The steps of `torch.optim.LBFGS` with a line search for the strong Wolfe conditions.

    Args:
        parameters: changed at every step.
        loss: of all rows.
        history: steps that the picture of the curvature is made from.
        tolerance: largest component of the gradient at which the end is reached.

    Yields:
        After every step whether it was the last: the gradient is small, or the loss falls no more.
    """
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=1, max_eval=MOST_LOOKS, history_size=history,
        tolerance_grad=tolerance, tolerance_change=0.0, line_search_fn="strong_wolfe",
    )  # fmt: skip
    known: list[Tensor] = []  # the loss here, whose gradients are those that the parameters hold

    def evaluate() -> Tensor:
        if known:
            return known.pop()
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value.detach()

    while True:
        before = float(optimizer.step(evaluate))
        after = evaluate()
        yield _largest([p.grad for p in parameters]) <= tolerance or not float(after) < before
        known[:] = [after]


def newton_steps(
    parameters: list[nn.Parameter], loss: Loss, damping: float, tolerance: float
) -> Iterator[bool]:
    """Newton's steps with the whole Hessian, shortened by halves until the loss falls enough.

    Args:
        parameters: changed at every step.
        loss: of all rows.
        damping: added to the diagonal of the Hessian.
        tolerance: largest component of the gradient at which the end is reached.

    Yields:
        After every step whether it was the last: the gradient is small, or the loss falls no more.

    Source: Nocedal, Wright 2006, Numerical Optimization, algorithms 3.1 and 3.3.
    """
    while True:
        value = loss()
        slopes = torch.autograd.grad(value, parameters, create_graph=True)
        gradient = torch.cat([slope.flatten() for slope in slopes])
        if not gradient.requires_grad:
            raise UsageError("newton needs a loss that bends", where="optimizer",
                             received="second derivatives that are 0 everywhere",
                             do="use lbfgs, or another loss")  # fmt: skip
        direction = newton_direction(_hessian(gradient, parameters), gradient.detach(), damping)
        slope = float(gradient.detach() @ direction)
        fell = _go_along(parameters, loss, direction, float(value.detach()), slope)
        yield not fell or _largest(torch.autograd.grad(loss(), parameters)) <= tolerance


def newton_direction(hessian: Tensor, gradient: Tensor, damping: float = 0.0) -> Tensor:
    """The step -(H + s I)^-1 g with the smallest of some s >= damping that makes the loss fall.

    Where H has only positive eigenvalues, s is the damping: without it, the step from any point of
    a parabola leads to its minimum, and its length is |f'| / f''.

    Args:
        hessian: H, (n, n), symmetric.
        gradient: g, (n,).
        damping: >= 0.

    Returns:
        (n,), in the dtype of the gradient.

    Example:
        >>> newton_direction(torch.tensor([[4.0]]), torch.tensor([6.0]))  # of 2 w^2 at w = 1.5
        tensor([-1.5000])
    """
    whole, slope = hessian.double(), gradient.double()
    scale = float(whole.diagonal().abs().max())
    shift = damping
    if not bool(whole.isfinite().all()) or not bool(slope.isfinite().all()):
        raise Diverged("a derivative of the loss is not finite", where="newton",
                       do="use another optimizer, or another loss")  # fmt: skip
    while True:
        shifted = whole + shift * torch.eye(len(whole), dtype=whole.dtype, device=whole.device)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if not int(failed):
            return -torch.cholesky_solve(slope[:, None], factor)[:, 0].to(gradient.dtype)
        shift = max(GROWTH * shift, SMALLEST_SHIFT * scale, torch.finfo(whole.dtype).tiny)


def _hessian(gradient: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    """Second derivatives, from a gradient that can be derived once more; (n, n)."""
    rows = []
    for wanted in torch.eye(len(gradient), dtype=gradient.dtype, device=gradient.device).split(
        AT_A_TIME
    ):
        parts = torch.autograd.grad(
            gradient, parameters, wanted, retain_graph=True, is_grads_batched=True,
            materialize_grads=True,
        )  # fmt: skip
        rows.append(torch.cat([part.flatten(1) for part in parts], 1))
    whole = torch.cat(rows)
    return (whole + whole.T) / 2


def _go_along(
    parameters: list[nn.Parameter], loss: Loss, direction: Tensor, value: float, slope: float
) -> bool:
    """Take the longest of the halved steps that makes the loss fall enough; whether there is one.

    Without one the parameters stay where they are.
    """
    with torch.no_grad():
        start = parameters_to_vector(parameters)

        def look(share: float) -> float:
            vector_to_parameters(start + share * direction, parameters)
            return float(loss())

        found = shortened(look, value, slope)
        if found is not None and found[1] < value:
            return True
        vector_to_parameters(start, parameters)
    return False


def _largest(gradients: list[Tensor | None] | tuple[Tensor, ...]) -> float:
    """The largest component of a gradient in parts."""
    return max(float(part.abs().max()) for part in gradients if part is not None)
