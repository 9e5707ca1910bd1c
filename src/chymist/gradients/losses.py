"""A loss as it is given: a name, a part of a recipe, or a function."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

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
        >>> import torch
        >>> as_double(torch.ones(2)).dtype, as_double(torch.tensor([1])).dtype
        (torch.float64, torch.int64)
    """
    here = tensor.detach().cpu().clone()
    return here.double() if here.is_floating_point() else here
