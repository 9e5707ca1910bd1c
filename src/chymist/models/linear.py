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

    Inputs of any shape are flattened to (batch, features); outputs are (batch, outputs) in the
    unit of the (standardised) target. With the optimiser `closed_form` it is solved in one step.

    Example:
        >>> linear().build(Shapes((3,), 1))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

    Source: Gauss 1809.
    """
    return _affine(shapes)


@describer("model")
def logistic(shapes: Shapes) -> nn.Module:
    """Logistic regression for two classes: P(class 1 | x) = 1 / (1 + exp(-(x w + b))).

    Outputs are logits (batch, 1), for the loss `binary_cross_entropy`.

    Raises:
        UsageError: there are more than two classes.

    Example:
        >>> logistic().build(Shapes((3,), 1))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

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

    Outputs are logits (batch, classes), for the loss `cross_entropy`.

    Example:
        >>> softmax().build(Shapes((3,), 4))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 4])

    Source: Bishop 2006, section 4.3.4.
    """
    return _affine(shapes)


def _affine(shapes: Shapes) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(flat_size(shapes), shapes.outputs))
