"""Multilayer perceptron: affine maps with an activation between them."""

from __future__ import annotations

from torch import nn

from chymist.models.layers import Dropout, Residual
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
    residual: bool = False,
) -> nn.Module:
    """Multilayer perceptron: h_0 = x, h_i = f(h_(i-1) W_i + b_i), y = h_n W + b.

    Args:
        hidden: widths of the hidden layers; () is a linear model.
        activation: name of f.
        dropout: probability of dropping a hidden value while training.
        residual: whether a hidden layer as wide as the one before adds to it, before f:
            z_i = z_(i-1) + f(z_(i-1)) W_i + b_i. Deep perceptrons can be optimised so.

    Example:
        >>> mlp(hidden=(64, 32)).build(Shapes((20,), 3))(__import__("torch").zeros(5, 20)).shape
        torch.Size([5, 3])

    Source: Rumelhart, Hinton, Williams 1986; residual connections: He et al. 2016,
        Identity mappings in deep residual networks.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = flat_size(shapes)
    for place, size in enumerate(hidden):
        block = _activated(activation, dropout) if place else []
        block.append(nn.Linear(width, size))
        layers += [Residual(*block)] if residual and place and size == width else block
        width = size
    layers += _activated(activation, dropout) if hidden else []
    return nn.Sequential(*layers, nn.Linear(width, shapes.outputs))


def _activated(activation: str, dropout: float) -> list[nn.Module]:
    """What stands between two affine maps."""
    made: list[nn.Module] = [part("activation", activation).build(None)]
    return [*made, Dropout(dropout)] if dropout else made
