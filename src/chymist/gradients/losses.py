"""A loss as it is given: a name, a part of a recipe, or a function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chymist.errors import InputError
from chymist.parts import Part, part

Loss = str | Part | Callable[[Tensor, Tensor], Tensor]


def loss_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The function (outputs, targets) -> one number that a loss stands for.

    Raises:
        UsageError: no loss has this name.

    Example:
        >>> loss_function("mse").__name__
        'mse'
    """
    if isinstance(loss, str):
        return part("loss", loss).bind()
    return loss.bind() if isinstance(loss, Part) else loss


def as_double(tensor: Tensor) -> Tensor:
    """On the CPU, and in float64 if it holds real numbers; derivatives need the digits.

    Example:
        >>> as_double(torch.ones(2)).dtype, as_double(torch.tensor([1])).dtype
        (torch.float64, torch.int64)
    """
    here = tensor.detach().cpu().clone()
    return here.double() if here.is_floating_point() else here


def slope_of(output: Tensor, points: Tensor, where: str) -> Tensor:
    """Gradient of the sum of outputs at points; 0 where they do not depend on them.

    Raises:
        InputError: nothing that was calculated has a gradient, as in a tree.

    Example:
        >>> points = torch.tensor([1.0, 3.0], requires_grad=True)
        >>> slope_of(points**2, points, "an example")
        tensor([2., 6.])
    """
    if not output.requires_grad:
        raise InputError("the outputs of this model have no gradient", where=where,
                         do="give a model that is differentiable in its inputs")  # fmt: skip
    (slope,) = torch.autograd.grad(
        output.sum(), points, retain_graph=True, materialize_grads=True
    )  # fmt: skip
    return slope


def real_points(inputs: Tensor, where: str) -> Tensor:
    """Inputs in float64 that a gradient can be taken at.

    Raises:
        InputError: they are whole numbers, between which nothing is differentiable.

    Example:
        >>> real_points(torch.ones(1), "an example")
        tensor([1.], dtype=torch.float64, requires_grad=True)
    """
    points = as_double(inputs)
    if not points.is_floating_point():
        raise InputError("inputs must be real numbers", where=where,
                         received=str(points.dtype), do="give floats")  # fmt: skip
    return points.requires_grad_()
