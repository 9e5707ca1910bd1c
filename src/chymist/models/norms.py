"""Normalisation, g (x - mean) / sqrt(var + eps) + b: kinds differ in what the mean is over."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from chymist.errors import UsageError

Norm = Literal["none", "batch", "layer", "instance", "group", "rms"]
GROUPS, FEWEST = 8, 4  # groups at most, channels of a group at least: one value has no variance


class RMSNorm(nn.Module):
    """x / sqrt(mean of x^2 + eps), times g: the mean is over all values of a row, g by channel.

    Args:
        channels: size of the axis after the rows.
        eps: added under the root.

    Example:
        >>> RMSNorm(2)(torch.tensor([[3.0, 4.0]])).square().mean().round(decimals=4).item()
        1.0

    Source: Zhang, Sennrich 2019, Root mean square layer normalization, arXiv:1910.07467.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, ...) to the same shape."""
        return scaled(inputs, 1, self.eps) * self.weight.view(-1, *[1] * (inputs.ndim - 2))

    def extra_repr(self) -> str:
        """Size and option, for printing."""
        return f"{len(self.weight)}, eps={self.eps}"


def scaled(inputs: Tensor, rows: int, eps: float) -> Tensor:
    """Values divided by their root mean square over all but the first axes.

    Args:
        inputs: (..., channels, ...).
        rows: number of axes that are kept apart.
        eps: added under the root.

    Example:
        >>> scaled(torch.full((2, 3), 5.0), 1, 0.0)[0]
        tensor([1., 1., 1.])
    """
    axes = list(range(rows, inputs.ndim))
    return inputs * torch.rsqrt(inputs.square().mean(axes, keepdim=True) + eps)


def normalizing(kind: Norm, channels: int, image: bool = False) -> list[nn.Module]:
    """The layer that normalises, or none.

    batch: each channel over the rows of the batch (in evaluation by running means); layer: all
    values of a row; instance: each channel of a row; group: groups of channels of a row, up to 8
    of 4 or more; rms: as layer, without the mean. All but batch know one row only, and do
    the same in training and evaluation.

    Args:
        kind: by name.
        channels: size of the axis after the rows.
        image: whether height and width follow.

    Raises:
        UsageError: instance, where a channel is a single number.

    Example:
        >>> normalizing("group", 12, image=True)
        [GroupNorm(3, 12, ...)]

    Source: Ioffe, Szegedy 2015, arXiv:1502.03167; Ba, Kiros, Hinton 2016, arXiv:1607.06450;
        Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022; Wu, He 2018, arXiv:1803.08494.
    """
    if kind == "none":
        return []
    if kind == "batch":
        return [nn.BatchNorm2d(channels) if image else nn.BatchNorm1d(channels)]
    if kind == "rms":
        return [RMSNorm(channels)]
    if kind == "instance" and not image:
        raise UsageError(
            "instance normalisation needs several values of a channel", where="model.norm",
            received="one number each", do="use 'layer' or 'batch'",
        )  # fmt: skip
    if kind == "layer" and not image:
        return [nn.LayerNorm(channels)]
    groups = {"layer": 1, "instance": channels, "group": groups_of(channels)}
    return [nn.GroupNorm(groups[kind], channels)]


def groups_of(channels: int) -> int:
    """The number of groups that channels are normalised in.

    Example:
        >>> groups_of(64), groups_of(12), groups_of(7)
        (8, 3, 1)
    """
    counts = range(1, min(GROUPS, channels // FEWEST) + 1)
    return max((n for n in counts if channels % n == 0), default=1)
