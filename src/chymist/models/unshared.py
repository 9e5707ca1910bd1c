"""Convolution without its shared weights: a layer of local units, each place with its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.stacked_parts import Stacked


class Unshared2d(nn.Conv2d):
    """y[o, p] = sum over the patch at place p of w[o, p] x, + b[o, p]: every unit sees a patch.

    Where w[o, p] is the same at all places p this is a convolution. Without the sharing it has as
    many times the weights as there are places.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: odd side of a patch; the border is padded so that height and width stay.
        height, width: of the inputs, in pixels: the places.
        bias: whether each unit has one.

    Attributes:
        weight: (outputs x places, inputs, kernel, kernel), the units in the order of the outputs.

    Example:
        >>> layer = Unshared2d(1, 2, 3, 4, 4)
        >>> shape, shared = layer(torch.zeros(5, 1, 4, 4)).shape, nn.Conv2d(1, 2, 3)
        >>> shape, layer.weight.numel(), shared.weight.numel()
        (torch.Size([5, 2, 4, 4]), 288, 18)

    Source: LeCun 1989, Generalization and network design strategies; Taigman et al. 2014.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, height: int, width: int, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs * height * width, kernel, padding=kernel // 2, bias=bias)
        self.side = kernel
        self.places = height, width

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, outputs, height, width)."""
        return local(inputs[None], self.weight[None], _or_none(self.bias), self.side)[0]

    def by_place(self) -> list[Tensor]:
        """Weights of each place, views of (outputs, inputs, kernel, kernel).

        One place is what an initialisation may look at: its fan-out is that of its own units.
        """
        height, width = self.places
        return list(self.weight.unflatten(0, (-1, height * width)).unbind(1))

    def extra_repr(self) -> str:
        """What it was made of, for printing."""
        height, width = self.places
        outputs = self.out_channels // (height * width)
        return f"{self.in_channels}, {outputs}, kernel={self.side}, places={height}x{width}"


class StackedUnshared(Stacked):
    """`Unshared2d` of K members, as one product over members and places."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.side = int(layers[0].side)

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, inputs, height, width) to (K, batch, outputs, height, width)."""
        return local(inputs, self.weight, self.bias, self.side)


def local(inputs: Tensor, weight: Tensor, bias: Tensor | None, side: int) -> Tensor:
    """Patches times the weights of their places, for K members.

    Args:
        inputs: (K, batch, channels, height, width).
        weight: (K, outputs x places, channels, side, side).
        bias: (K, outputs x places), or None.
        side: of a patch.

    Example:
        >>> local(torch.ones(1, 1, 1, 1, 2), torch.tensor([2.0, 3.0]).view(1, 2, 1, 1, 1), None, 1)
        tensor([[[[[2., 3.]]]]])
    """
    members, batch, _, height, width = inputs.shape
    patches = functional.unfold(inputs.flatten(0, 1), side, padding=side // 2)
    patches = patches.view(members, batch, -1, height * width)
    held = weight.reshape(members, -1, height * width, patches.shape[2])
    made: Tensor = torch.einsum("kbfp,kopf->kbop", patches, held)
    if bias is not None:
        made = made + bias.view(members, 1, -1, height * width)
    return made.view(members, batch, -1, height, width)


def _or_none(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias[None]
