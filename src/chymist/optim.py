"""Optimisers: how the best function of the set is looked for.

Each function describes torch's own optimiser; the fused form is chosen where torch has one for the
device and dtype of the parameters. The weight decay is the L2 term of the gradient but for AdamW,
where it is decoupled. Those of `WHOLE` read all rows at every step; those of `AT_ONCE` and
`ITERATED` are solvers, see `engine.solving`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
import torch
from torch.nn import Parameter

from chymist.errors import UsageError
from chymist.parts import Count, Fraction, NonNegative, Positive, describer
from chymist.values import Recipe

Parameters = Iterable[Parameter]
Rate = Positive | Literal["auto"]
Momentum = Annotated[float, msgspec.Meta(gt=0, lt=1)]
AT_ONCE = ("closed_form", "direct", "irls")  # all rows give the best function, and no step is taken
ITERATED = ("lbfgs", "newton")  # steps from all rows that look at the loss more than once
WHOLE = ("bgd", *ITERATED)  # every step reads all rows: the batch size is "all"


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
        nesterov: look ahead by one momentum step, g + momentum v in place of v.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Raises:
        UsageError: Nesterov's form without momentum.

    Example:
        >>> sgd(lr=0.1, momentum=0.9)
        sgd(lr=0.1, momentum=0.9)

    Source: Robbins, Monro 1951; Polyak 1964; Nesterov 1983.
    """
    if nesterov and not momentum:
        raise UsageError("Nesterov's form needs momentum", where="optimizer.momentum",
                         received="0", do="give momentum=0.9, for example")  # fmt: skip
    return torch.optim.SGD(
        parameters, _number(lr), momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True
    )


@describer("optimizer")
def nesterov(
    parameters: Parameters,
    *,
    lr: Rate = 0.1,
    momentum: Momentum = 0.9,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """SGD with Nesterov's momentum: v <- momentum v + g;  w <- w - lr (g + momentum v).

    The same as `sgd` with nesterov=True.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        momentum: share of the last velocity that is kept, in (0, 1).
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> nesterov(lr=0.05)
        nesterov(lr=0.05)

    Source: Nesterov 1983; in this form Sutskever et al. 2013, ICML.
    """
    return torch.optim.SGD(
        parameters, _number(lr), momentum, weight_decay=weight_decay, nesterov=True, fused=True
    )


@describer("optimizer")
def bgd(
    parameters: Parameters,
    *,
    lr: Rate = 0.1,
    momentum: Fraction = 0.0,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """Batch gradient descent: w <- w - lr g, with g the gradient of the mean loss of all rows.

    The same as `sgd` with batch_size="all", which it sets: one step an epoch.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        momentum: share of the last velocity that is kept, in [0, 1).
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> bgd(lr=0.5)
        bgd(lr=0.5)

    Source: Cauchy 1847.
    """
    return torch.optim.SGD(parameters, _number(lr), momentum, weight_decay=weight_decay, fused=True)


@describer("optimizer")
def adagrad(
    parameters: Parameters,
    *,
    lr: Rate = 1e-2,
    eps: Positive = 1e-10,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """AdaGrad: s <- s + g^2, from the first step on;  w <- w - lr g / (sqrt(s) + eps).

    The steps only become shorter: with a gradient that stays the same, step t has length
    lr / sqrt(t + 1), whatever the gradient's size.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        eps: added to the denominator, which would be 0 where no gradient has come yet.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> adagrad(lr=0.1)
        adagrad(lr=0.1)

    Source: Duchi, Hazan, Singer 2011, JMLR 12.
    """
    return torch.optim.Adagrad(
        parameters, _number(lr), weight_decay=weight_decay, eps=eps, fused=True
    )


@describer("optimizer")
def rmsprop(
    parameters: Parameters,
    *,
    lr: Rate = 1e-3,
    alpha: Fraction = 0.99,
    eps: Positive = 1e-8,
    momentum: Fraction = 0.0,
    weight_decay: NonNegative = 0.0,
) -> torch.optim.Optimizer:
    """RMSProp: v <- alpha v + (1 - alpha) g^2;  w <- w - lr g / (sqrt(v) + eps).

    eps stands outside of the root, as in torch; Hinton's lecture has none. v begins at 0 and is not
    corrected for it, so the first step has length lr / sqrt(1 - alpha), ten times lr by default.

    Args:
        lr: learning rate; "auto" finds one by a range test before the run.
        alpha: decay of the running mean of g^2.
        eps: added to the denominator.
        momentum: share of the last step that is kept, in [0, 1).
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> rmsprop(lr=3e-3, alpha=0.9)
        rmsprop(alpha=0.9, lr=0.003)

    Source: Tieleman, Hinton 2012, lecture 6.5.
    """
    return torch.optim.RMSprop(
        parameters, _number(lr), alpha, eps, weight_decay=weight_decay, momentum=momentum
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
    """Least squares in one step, by singular values in double precision.

    Minimises sum_i (x_i w + b - t_i)^2 + l2 |w|^2; the intercept b is not penalised. For models
    with one affine layer (`linear`, `polynomial`, `random_features`) and the loss `mse`. In `irls`
    the penalty is l2 |w|^2 / 2: the same ridge has twice the number there.

    Args:
        l2: ridge penalty on the standardised inputs, as a sum over rows.

    Example:
        >>> closed_form()
        closed_form()

    Source: Gauss 1809; Golub, Van Loan 2013, chapter 5; Hoerl, Kennard 1970 (ridge).
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


@describer("optimizer")
def lbfgs(
    parameters: Parameters,
    *,
    history: Count = 100,
    tolerance: Positive = 1e-7,
    weight_decay: NonNegative = 0.0,
) -> tuple[int, float, float]:
    """L-BFGS: w <- w - t B g, with B from the last steps, t by a search for the Wolfe conditions.

    Every step reads all rows, some of them more than once. It ends before its length where the
    gradient is small or the loss falls no more. For losses without noise: no dropout.

    Args:
        history: steps that B, a picture of the inverse Hessian, is made from.
        tolerance: largest component of the gradient at which the end is reached.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> lbfgs(weight_decay=1e-3)
        lbfgs(weight_decay=0.001)

    Source: Liu, Nocedal 1989; `torch.optim.LBFGS` with line_search_fn="strong_wolfe".
    """
    return history, tolerance, weight_decay


@describer("optimizer")
def newton(
    parameters: Parameters,
    *,
    damping: NonNegative = 1e-6,
    tolerance: Positive = 1e-7,
    weight_decay: NonNegative = 0.0,
) -> tuple[float, float, float]:
    """Newton's method: w <- w - t (H + s I)^-1 g, with the whole Hessian H of the loss.

    s is the damping; where H + s I has eigenvalues that are not positive, s grows until it has
    none, so that the loss falls. t is 1, or the first of 1/2, 1/4, ... by which it falls. For
    models of up to 3,000 parameters: H has their number squared. In one dimension the step has
    length |f'| / f'', which leads to the minimum of a parabola at once.

    Args:
        damping: added to the diagonal of H.
        tolerance: largest component of the gradient at which the end is reached.
        weight_decay: factor of w that is added to the gradient (L2 penalty w^2 / 2).

    Example:
        >>> newton()
        newton()

    Source: Nocedal, Wright 2006, Numerical Optimization, algorithms 3.2 and 3.3.
    """
    return damping, tolerance, weight_decay


def is_solved(recipe: Recipe) -> bool:
    """Whether a recipe's model is found by a solver, and not trained in the steps of the loop.

    Example:
        >>> is_solved(Recipe(optimizer="lbfgs")), is_solved(Recipe(optimizer="bgd"))
        (True, False)
    """
    return recipe.optimizer is not None and recipe.optimizer.name in (*AT_ONCE, *ITERATED)


def _number(rate: Rate) -> float:
    """A rate that has been found; "auto" is replaced before an optimiser is built."""
    if rate == "auto":
        raise UsageError("the learning rate is not found yet", where="optimizer.lr",
                         do="fit replaces auto; here give a number")  # fmt: skip
    return rate
