"""Normalisation of the steps of texts: what fills them up has no part in it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from chymist.models.norms import normalizing

StepNorm = Literal["none", "batch", "layer"]


class NormalizedSteps(nn.Module):
    """Batch or layer normalisation of (batch, steps, units).

    layer: mean and variance are over the units of one step of one row, so that no other step or row
    matters. batch: they are over all steps of all rows of the batch, each unit apart, in evaluation
    running means; steps behind the end of a text are left out, and stay 0.

    Args:
        kind: "batch" or "layer".
        units: of a step.

    Example:
        >>> values = torch.tensor([[[1.0], [100.0]], [[3.0], [5.0]]])
        >>> NormalizedSteps("batch", 1)(values, torch.tensor([1, 2])).detach().round().flatten()
        tensor([-1.,  0., -0.,  1.])

    Source: Laurent et al. 2016, Batch normalized recurrent neural networks (over rows and steps),
        arXiv:1510.01378; Ba, Kiros, Hinton 2016, Layer normalization, arXiv:1607.06450.
    """

    def __init__(self, kind: StepNorm, units: int) -> None:
        super().__init__()
        (self.norm,) = normalizing(kind, units)

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, steps, units) to the same shape.

        `lengths` are the steps of each row; None means that all of them are there.
        """
        if isinstance(self.norm, nn.LayerNorm):
            made: Tensor = self.norm(values)
            return made
        if lengths is None:
            made = self.norm(values.flatten(0, 1))
            return made.view_as(values)
        there = (torch.arange(values.shape[1])[None] < lengths[:, None]).to(values.device)
        return torch.zeros_like(values).masked_scatter(there[:, :, None], self.norm(values[there]))


def ends_of(values: Tensor, lengths: Tensor | None, both: bool) -> Tensor:
    """What the last step of each row gives, (batch, units); a second direction ends at the first.

    Args:
        values: (batch, steps, units).
        lengths: steps of each row; None for all.
        both: whether the second half of the units reads from the end.

    Example:
        >>> values = torch.arange(8.0).view(1, 4, 2)
        >>> ends_of(values, None, False), ends_of(values, torch.tensor([3]), True)
        (tensor([[6., 7.]]), tensor([[4., 1.]]))
    """
    rows = torch.arange(len(values))
    last = values[:, -1] if lengths is None else values[rows, lengths - 1]
    if not both:
        return last
    half = values.shape[2] // 2
    return torch.cat([last[:, :half], values[:, 0, half:]], 1)
