"""Linear function sets: one affine map, read as value, as log-odds or as class scores."""

from __future__ import annotations

from torch import nn

from chymist.errors import UsageError
from chymist.models.shaping import flat_size
from chymist.parts import describer
from chymist.values import Shapes


@describer("model")
def linear(shapes: Shapes) -> nn.Module:
    """Linear regression: y = x W + b.

    Source: Gauss 1809.
    """
    return _affine(shapes)


@describer("model")
def logistic(shapes: Shapes) -> nn.Module:
    """Logistic regression for two classes: P(class 1 | x) = 1 / (1 + exp(-(x w + b))).

    Source: Cox 1958.
    """
    if shapes.outputs != 1:
        raise UsageError(
            "logistic regression is for two classes",
            received=f"{shapes.outputs} classes",
            do="use the model 'softmax'",
        )
    return _affine(shapes)


@describer("model")
def softmax(shapes: Shapes) -> nn.Module:
    """Softmax regression: P(class k | x) is proportional to exp(x w_k + b_k).

    Source: Bishop 2006, section 4.3.4.
    """
    return _affine(shapes)


def _affine(shapes: Shapes) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(flat_size(shapes), shapes.outputs))
