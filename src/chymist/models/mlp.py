"""Multilayer perceptron: affine maps with an activation between them."""

from __future__ import annotations

from torch import nn

from chymist.models.layers import Dropout
from chymist.models.shaping import flat_size
from chymist.parts import Count, Fraction, describer, part
from chymist.values import Shapes


@describer("model")
def mlp(
    shapes: Shapes,
    *,
    hidden: tuple[Count, ...] = (64,),
    activation: str = "relu",
    dropout: Fraction = 0.0,
) -> nn.Module:
    """Multilayer perceptron: h_0 = x, h_i = f(h_(i-1) W_i + b_i), y = h_n W + b.

    Args:
        hidden: widths of the hidden layers; () is a linear model.
        activation: name of f.
        dropout: probability of dropping a hidden value while training.

    Example:
        >>> mlp(hidden=(64, 32)).build(Shapes((20,), 3))(__import__("torch").zeros(5, 20)).shape
        torch.Size([5, 3])

    Source: Rumelhart, Hinton, Williams 1986.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = flat_size(shapes)
    for size in hidden:
        layers += [nn.Linear(width, size), part("activation", activation).build(None)]
        if dropout:
            layers.append(Dropout(dropout))
        width = size
    return nn.Sequential(*layers, nn.Linear(width, shapes.outputs))
