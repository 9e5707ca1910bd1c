"""Stacked convolutions: three forms of the same numbers; the machine decides which is fastest."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.stacked_parts import Stacked


class StackedConv(Stacked):
    """Convolutions of K members, plain or transposed, in one or two dimensions, one by one."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.layer = _without_numbers(layers[0])

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to (K, batch, channels, ...)."""
        biases = [None] * self.members if self.bias is None else self.bias.unbind()
        parts = zip(inputs.unbind(), self.weight.unbind(), biases, strict=True)
        return torch.stack([_convolved(self.layer, x, w, b) for x, w, b in parts])


class GroupedConv(StackedConv):
    """The same as one convolution, in which the channels of each member are a group."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.layer.groups *= self.members

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, ...) to (K, batch, channels, ...)."""
        wide = inputs.transpose(0, 1).flatten(1, 2)  # members side by side as channels
        bias = None if self.bias is None else self.bias.flatten()
        made = _convolved(self.layer, wide, self.weight.flatten(0, 1), bias)
        return made.view(len(made), self.members, -1, *made.shape[2:]).transpose(0, 1)


class UnfoldedConv(StackedConv):
    """The same as a batched product with the patches of the images, for plain 2-d convolutions.

    Others are computed one after the other.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, channels, height, width) to (K, batch, channels, height, width)."""
        layer = self.layer
        zeros = isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros"
        if not zeros or layer.groups > 1 or layer.dilation != (1, 1) or layer.padding == "same":
            return super().forward(inputs)
        (height, width), stride = layer.kernel_size, layer.stride
        y, x = (0, 0) if layer.padding == "valid" else layer.padding
        patches = functional.pad(inputs, (x, x, y, y)).unfold(3, height, stride[0])
        patches = patches.unfold(4, width, stride[1])  # (K, batch, channels, rows, columns, h, w)
        rows = patches.permute(0, 1, 3, 4, 2, 5, 6).flatten(4).flatten(1, 3)
        weight = self.weight.flatten(2).transpose(1, 2)
        made = (
            torch.bmm(rows, weight)
            if self.bias is None
            else torch.baddbmm(self.bias.unsqueeze(1), rows, weight)
        )
        _, batch, _, down, right, _, _ = patches.shape
        return made.view(self.members, batch, down, right, -1).permute(0, 1, 4, 2, 3)


def _without_numbers(layer: Any) -> Any:
    """A copy of a layer that is kept for its settings only."""
    kept = copy.copy(layer)
    kept._parameters = dict.fromkeys(layer._parameters)
    return kept


def _convolved(layer: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What a convolution gives with another weight and bias."""
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        plain: Tensor = layer._conv_forward(inputs, weight, bias)
        return plain
    apply: Any = functional.conv_transpose1d if inputs.ndim == 3 else functional.conv_transpose2d
    made: Tensor = apply(
        inputs, weight, bias, layer.stride, layer.padding, layer.output_padding, layer.groups,
        layer.dilation,
    )  # fmt: skip
    return made
