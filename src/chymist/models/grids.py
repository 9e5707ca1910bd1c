"""Images and sequences for networks of other families: rows as steps, pixels as nodes of a grid."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.errors import UsageError
from chymist.models.blocks import RowsAsSteps
from chymist.models.layers import Dropout
from chymist.models.recurrent import Options, Recurrent
from chymist.models.shaping import image_shape
from chymist.parts import Count, Fraction, describer
from chymist.values import Shapes

Readout = Literal["mean", "nodes"]


class Neighborhood(nn.Module):
    """One step among the neighbours of a grid, X' = A X: each pixel has up to eight.

    A = D^-1/2 (A' + I) D^-1/2 as in a GCN, of the graph whose nodes are pixels and whose edges lead
    to the pixels that touch it. The window sum is A' + I, so that no matrix is needed.

    Args:
        height, width: of the grid.

    Example:
        >>> Neighborhood(1, 2)(torch.tensor([[[[1.0, 3.0]]]])).flatten()
        tensor([2.0000, 2.0000])

    Source: Kipf, Welling 2017, arXiv:1609.02907, on the king's graph.
    """

    root: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        root = window_sum(torch.ones(1, 1, height, width))[0, 0].rsqrt()
        self.register_buffer("root", root, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same shape."""
        flat = (inputs * self.root).flatten(0, -4)
        return window_sum(flat).view(inputs.shape) * self.root


class StepsAsGrid(nn.Module):
    """A sequence as an image of one row: (batch, steps, features) to (batch, features, 1, steps).

    Example:
        >>> StepsAsGrid()(torch.zeros(5, 20, 3)).shape
        torch.Size([5, 3, 1, 20])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Steps become pixels."""
        return inputs.transpose(-1, -2).unsqueeze(-2)


def window_sum(images: Tensor) -> Tensor:
    """Sum of each pixel and those that touch it, (batch, channels, height, width) to the same.

    Example:
        >>> window_sum(torch.ones(1, 1, 2, 3)).flatten().tolist()
        [4.0, 6.0, 4.0, 4.0, 6.0, 4.0]
    """
    return functional.avg_pool2d(images, 3, 1, 1, divisor_override=1)


@describer("model")
def grid_gcn(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (32, 32), readout: Readout = "nodes",
    dropout: Fraction = 0.0,
) -> nn.Module:  # fmt: skip
    """Graph convolutional network of an image: pixels are nodes, edges lead to those that touch.

    Each layer averages over neighbours and maps, H' = relu(A H W + b), with one W for all of them:
    unlike a convolution it does not know left from right. Steps of a sequence are a line of nodes.

    Args:
        hidden: features of a node after each layer.
        readout: "nodes" maps what all nodes have, each with weights of its own; "mean" their mean,
            which does not know where in the image a node is.
        dropout: probability of dropping a value before the last map.

    Raises:
        UsageError: neither images nor sequences of numbers.

    Example:
        >>> grid_gcn().build(Shapes((1, 8, 8), 10))(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])

    Source: Kipf, Welling 2017, arXiv:1609.02907; images as grid graphs: Bruna et al. 2014,
        arXiv:1312.6203.
    """
    layers: list[nn.Module] = []
    if len(shapes.inputs) == 2 and not shapes.vocabulary:
        layers.append(StepsAsGrid())
        (width, depth), height = shapes.inputs, 1
    else:
        depth, height, width = image_shape(shapes, "grid_gcn")
    if shapes.each_step:
        raise UsageError("the model 'grid_gcn' gives one output for all steps",
                         received="a target for every step", do="use 'gru' or 'lstm'")  # fmt: skip
    for size in hidden:
        layers += [Neighborhood(height, width), nn.Conv2d(depth, size, 1), nn.ReLU()]
        depth = size
    if readout == "mean":
        layers.append(nn.AdaptiveAvgPool2d(1))
    layers += [nn.Flatten(), *([Dropout(dropout)] if dropout else [])]
    features = depth if readout == "mean" else depth * height * width
    return nn.Sequential(*layers, nn.Linear(features, shapes.outputs))


@describer("model")
def row_rnn(
    shapes: Shapes, *, cell: Literal["rnn", "gru", "lstm"] = "gru",
    hidden: tuple[Count, ...] = (64,), bidirectional: bool = False, dropout: Fraction = 0.0,
) -> nn.Module:  # fmt: skip
    """Recurrent network of an image: its rows of pixels are the steps, from the top down.

    Args:
        cell: "rnn", "gru" or "lstm".
        hidden: units of each layer.
        bidirectional: whether a second network reads from the bottom up.
        dropout: probability of dropping a value before each layer and before the last map.

    Raises:
        UsageError: no images.

    Example:
        >>> row_rnn().build(Shapes((1, 8, 8), 10))(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])

    Source: Le, Jaitly, Hinton 2015, arXiv:1504.00941, which reads pixel by pixel.
    """
    depth, height, width = image_shape(shapes, "row_rnn")
    steps = shapes._replace(inputs=(height, depth * width))
    options = Options(cell, hidden, 1, dropout, bidirectional, False, False, "last", "none")
    return nn.Sequential(RowsAsSteps(), Recurrent(steps, options))
