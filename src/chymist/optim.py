"""Optimisers: how the best function of the set is looked for.

Each function describes torch's own optimiser; the fused form is chosen where torch has one for the
device and dtype of the parameters. Adam's and SGD's weight decay is the L2 term of the gradient,
AdamW's is decoupled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch.nn import Parameter

from chymist.errors import UsageError
from chymist.parts import Count, Fraction, NonNegative, Positive, describer
from chymist.values import Recipe

Parameters = Iterable[Parameter]
Rate = Positive | Literal["auto"]
AT_ONCE = (
    "closed_form",
    "direct",
    "irls",
)  # all rows give the best function, and no step is taken


@describer("optimizer")
def sgd(
    parameters: Parameters,
    *,
    lr: Rate = 0.1,
    momentum: Fraction = 0.0,
    nesterov: bool = False,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent: v <- momentum v + g;  w <- w - lr v.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        momentum: share of the last velocity that is kept, in [0, 1).
        nesterov: look ahead by one momentum step.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> sgd(lr=0.1, momentum=0.9)
        sgd(lr=0.1, momentum=0.9)

    Source: Robbins, Monro 1951; Polyak 1964; Nesterov 1983.
    """
    return torch.optim.SGD(
        parameters, _number(lr), momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True
    )


@describer("optimizer")
def adam(
    parameters: Parameters,
    *,
    lr: Rate = 1e-3,
    betas: tuple[Fraction, Fraction] = (0.9, 0.999),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """Adam: m, v are running means of g and g^2;  w <- w - lr m^ / (sqrt(v^) + eps).

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        betas: decay of the running means of g and of g^2.
        eps: added to the denominator.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> adam(lr=3e-4).options
        {'lr': 0.0003}

    Source: Kingma, Ba 2015, arXiv:1412.6980.
    """
    return torch.optim.Adam(parameters, _number(lr), betas, eps, weight_decay, fused=True)


@describer("optimizer")
def adamw(
    parameters: Parameters,
    *,
    lr: Rate = 1e-3,
    betas: tuple[Fraction, Fraction] = (0.9, 0.999),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 1e-2,
) -> torch.optim.Optimizer:
    """AdamW: Adam whose decay acts on the weights, w <- (1 - lr decay) w, not on the gradient.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        betas: decay of the running means of g and of g^2.
        eps: added to the denominator.
        weight_decay: share of w, per unit of lr, removed at each step.

    Example:
        >>> adamw(weight_decay=0.01)
        adamw(weight_decay=0.01)

    Source: Loshchilov, Hutter 2019, arXiv:1711.05101.
    """
    return torch.optim.AdamW(parameters, _number(lr), betas, eps, weight_decay, fused=True)


@describer("optimizer")
def closed_form(parameters: Parameters, *, l2: NonNegative = 0.0) -> float:
    """Least squares in one step, by orthogonal factorisation in double precision.

    Minimises sum_i (x_i w + b - t_i)^2 + l2 |w|^2; the intercept b is not penalised. For the model
    `linear` with the loss `mse` only.

    Args:
        l2: ridge penalty on the standardised inputs, as a sum over rows.

    Example:
        >>> closed_form()
        closed_form()

    Source: Gauss 1809; Golub 1965 (QR); Hoerl, Kennard 1970 (ridge).
    """
    return l2


@describer("optimizer")
def direct(parameters: Parameters) -> None:
    """The model's own way to its best function, in one step from all rows.

    For models that are counted, solved or grown instead of descended: each says how in its text.

    Example:
        >>> direct()
        direct()
    """
    return None


@describer("optimizer")
def irls(
    parameters: Parameters, *, l2: NonNegative = 0.0, iterations: Count = 100
) -> tuple[float, int]:
    """Newton's method for models with one affine layer: iteratively reweighted least squares.

    Minimises sum_i loss_i + l2 |w|^2 / 2 over all rows in double precision: w <- w - t H^-1 g with
    the exact Hessian H, starting from zero; t is halved until the sum falls. The intercept is not
    penalised. For the losses `mse`, `binary_cross_entropy`, `cross_entropy` and `poisson`.

    Args:
        l2: penalty, as a sum over rows; 1 / C of scikit-learn's LogisticRegression.
        iterations: most steps; a few suffice unless there is no minimum.

    Example:
        >>> irls(l2=1.0)
        irls(l2=1.0)

    Source: Fisher 1935; Nelder, Wedderburn 1972; Boyd, Vandenberghe 2004, section 9.5.
    """
    return l2, iterations


def is_solved(recipe: Recipe) -> bool:
    """Whether a recipe's model is found at once, and not trained in steps.

    Example:
        >>> is_solved(Recipe(optimizer=closed_form())), is_solved(Recipe(optimizer=adam()))
        (True, False)
    """
    return recipe.optimizer is not None and recipe.optimizer.name in AT_ONCE


def _number(rate: Rate) -> float:
    """A rate that has been found; "auto" is replaced before an optimiser is built."""
    if rate == "auto":
        raise UsageError("the learning rate is not found yet", where="optimizer.lr",
                         do="fit replaces auto; here give a number")  # fmt: skip
    return rate
