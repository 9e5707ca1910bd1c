"""What stacked layers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Unstackable(Exception):
    """A layer has no stacked form; the message says which."""


class Stacked(nn.Module):
    """Parameters and buffers of K layers, under their names, with a leading member axis.

    Args:
        layers: one layer of each member; equal in everything but their numbers.
    """

    weight: Any  # (K, ...), or None
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.members = len(layers)
        for name, first in layers[0].named_parameters(recurse=False):
            values = self.joined([layer.get_parameter(name).detach() for layer in layers])
            self.register_parameter(name, nn.Parameter(values, first.requires_grad))
        for name in dict(layers[0].named_buffers(recurse=False)):
            values = torch.stack([layer.get_buffer(name) for layer in layers])
            self.register_buffer(name, values)
        for name in [*layers[0]._parameters, *layers[0]._buffers]:
            if not hasattr(self, name):  # bias=False leaves None under the name
                setattr(self, name, None)

    def joined(self, values: Sequence[Tensor]) -> Tensor:
        """A parameter of all members as one tensor."""
        return torch.stack(list(values))

    def plain(self, name: str, values: Tensor) -> Tensor:
        """Numbers of the shape that a parameter has here, seen as (K, *shape of the plain layer).

        Args:
            name: of the parameter or buffer.
            values: its numbers, or its gradient or moments.
        """
        return values

    def part_of(self, name: str, place: int, values: Tensor) -> Tensor:
        """A member's part of numbers that are seen as `plain` gives them: a view.

        Args:
            name: of the parameter or buffer.
            place: of the member.
            values: (K, *shape of the plain layer).
        """
        return values[place]
