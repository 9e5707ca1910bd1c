"""Models of a population that get the same inputs: their first layers as one wide product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chymist.models.stacked import StackedLinear, stack


class WideLinear(StackedLinear):
    """`nn.Linear` of K members with the same inputs: y = x [W[1] ... W[K]]^T, one product.

    The weights lie in memory as (features, K, outputs), so that they are the wide matrix.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__(layers)
        held = self.weight.detach().transpose(0, 1).contiguous().transpose(0, 1)
        self.weight = nn.Parameter(held, self.weight.requires_grad)

    def forward(self, inputs: Tensor) -> Tensor:
        """(1, batch, features) to (K, batch, outputs)."""
        wide = self.weight.transpose(0, 1).flatten(1)
        made: Tensor = (
            inputs[0] @ wide
            if self.bias is None
            else torch.addmm(self.bias.flatten(), inputs[0], wide)
        )
        return made.view(len(made), self.members, -1).transpose(0, 1)


class Repeated(nn.Module):
    """The same inputs for each of K members, (1, batch, ...) to (K, batch, ...); nothing is copied.

    Args:
        held: a stacked model.
        members: K.
    """

    def __init__(self, held: nn.Module, members: int) -> None:
        super().__init__()
        self.held, self.members = held, members

    def forward(self, inputs: Tensor) -> Tensor:
        """What the model gives for the repeated inputs."""
        made: Tensor = self.held(inputs.expand(self.members, *inputs.shape[1:]))
        return made


def stack_wide(modules: Sequence[nn.Module]) -> nn.Module:
    """Modules of one architecture as one that maps inputs common to all, (1, batch, ...).

    A first layer that is linear becomes one wide product; for any other the inputs are repeated.

    Args:
        modules: as in `stack`.

    Returns:
        A module that maps (1, batch, ...) to (K, batch, ...).

    Raises:
        Unstackable: a layer has no stacked form.

    Example:
        >>> pair = stack_wide([nn.Linear(3, 2), nn.Linear(3, 2)])
        >>> pair(torch.zeros(1, 5, 3)).shape
        torch.Size([2, 5, 2])
    """
    model = stack(modules)
    if isinstance(model, StackedLinear):
        return WideLinear(modules)
    if type(model) is nn.Sequential:
        plain: Any = modules
        flat = type(plain[0][0]) is nn.Flatten
        if isinstance(model[int(flat)], StackedLinear):
            model[int(flat)] = WideLinear([module[int(flat)] for module in plain])
            return model
    return Repeated(model, len(modules))
