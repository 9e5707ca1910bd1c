"""Linear function sets: one affine map, read as value, as log-odds or as class scores."""

from __future__ import annotations

from typing import Literal

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


@describer("model")
def generalized_linear(
    shapes: Shapes, link: Literal["identity", "logit", "log"] = "identity"
) -> nn.Module:
    """Generalised linear model: g(E[t | x]) = x w + b, with the link g.

    Outputs are x W + b; the loss holds the inverse of the link: `mse` that of "identity" (Gaussian
    noise), `binary_cross_entropy` that of "logit" (two classes), `poisson` that of "log" (counts).
    The optimiser `irls` finds the maximum of the likelihood.

    Args:
        link: the function g that makes the expectation linear.

    Example:
        >>> model = generalized_linear(link="log").build(Shapes((3,), 1))
        >>> model(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

    Source: Nelder, Wedderburn 1972; McCullagh, Nelder 1989.
    """
    return _affine(shapes)


@describer("model")
def perceptron(shapes: Shapes) -> nn.Module:
    """Perceptron: class = sign(x w + b) of two classes, argmax_k (x w_k + b_k) of more.

    Outputs are the scores before the sign, for the loss `perceptron`: (batch, 1), or
    (batch, classes). By default it is trained by Rosenblatt's rule: one row a step, rate 1. On rows
    that a hyperplane separates it makes at most (R / gamma)^2 mistakes (`mistake_bound`); on others
    it never comes to rest.

    Example:
        >>> perceptron().build(Shapes((3,), 1))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

    Source: Rosenblatt 1958; Novikoff 1962.
    """
    return _affine(shapes)


@describer("model")
def linear_svm(shapes: Shapes) -> nn.Module:
    """Linear support vector machine, trained by descent: class = sign(x w + b), or argmax.

    Outputs are scores for the loss `hinge`: (batch, 1) of two classes, (batch, classes) of more.
    The margin is largest only with a penalty of the weights: `sgd(weight_decay=1/(n C))` descends
    |w|^2 / 2 + C sum of hinge losses, with the intercept in w. `svm` solves the same exactly.

    Example:
        >>> linear_svm().build(Shapes((3,), 4))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 4])

    Source: Cortes, Vapnik 1995; Shalev-Shwartz et al. 2011 (Pegasos).
    """
    return _affine(shapes)


def _affine(shapes: Shapes) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(flat_size(shapes), shapes.outputs))
