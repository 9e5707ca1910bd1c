"""Multilayer perceptron: affine maps with an activation between them."""

from __future__ import annotations

from torch import nn

from chymist.activations import widening
from chymist.models.layers import Dropout, Residual
from chymist.models.norms import Norm, normalizing
from chymist.models.shaping import flat_size
from chymist.parts import Count, Fraction, describer, spelled
from chymist.values import Shapes


@describer("model")
def mlp(
    shapes: Shapes,
    *,
    hidden: tuple[Count, ...] = (64,),
    activation: str = "relu",
    dropout: Fraction = 0.0,
    residual: bool = False,
    norm: Norm = "none",
) -> nn.Module:
    """Multilayer perceptron: h_0 = x, h_i = f(h_(i-1) W_i + b_i), y = h_n W + b.

    Args:
        hidden: widths of the hidden layers; () is a linear model.
        activation: f, by name ("elu") or with options ("elu(alpha=0.5)").
        dropout: probability of dropping a hidden value while training.
        residual: whether a hidden layer as wide as the one before adds to it, before f:
            z_i = z_(i-1) + f(z_(i-1)) W_i + b_i. Deep perceptrons can be optimised so.
        norm: what is normalised before f: "batch", "layer", "group", "rms" or "none".

    Example:
        >>> mlp(hidden=(64, 32)).build(Shapes((20,), 3))(__import__("torch").zeros(5, 20)).shape
        torch.Size([5, 3])

    Source: Rumelhart, Hinton, Williams 1986; residual connections: He et al. 2016,
        Identity mappings in deep residual networks.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = flat_size(shapes)
    pieces = widening(spelled("activation", activation).build(None))
    for place, size in enumerate(hidden):
        block = _between(norm, width * pieces, activation, dropout) if place else []
        block.append(nn.Linear(width, size * pieces))
        layers += [Residual(*block)] if residual and place and size == width else block
        width = size
    layers += _between(norm, width * pieces, activation, dropout) if hidden else []
    return nn.Sequential(*layers, nn.Linear(width, shapes.outputs))


def _between(norm: Norm, width: int, activation: str, dropout: float) -> list[nn.Module]:
    """What stands between two affine maps."""
    made = [*normalizing(norm, width), spelled("activation", activation).build(None)]
    return [*made, Dropout(dropout)] if dropout else made
