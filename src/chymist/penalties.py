"""Penalties on weights: soft ones pull at every step, hard ones bound the weights after it.

The objective of a run is loss + penalty. Weights are penalised, not biases, nor what normalisation
and activations learn: a bias shifts a function, it does not make it steep. The gradient of the
penalty is added to that of the loss before it is clipped; recorded losses are without it, so that
those on training and validation rows compare. `weight_decay` of an optimiser is another thing: for
`sgd` it is an L2 penalty of half its size on all parameters, and for `adamw` none at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from chymist.parts import NonNegative, Positive, describer

# Weights (K, ...) of K members, and their gradients if they have any.
Pair = tuple[Tensor, Tensor | None]


class Penalty(NamedTuple):
    """What a penalty does to weights w: l1 sum |w| + l2 sum w^2, and two bounds.

    Args:
        l1, l2: strengths of the soft penalties.
        unit: bound of the Euclidean norm of the weights into one unit.
        radius: bound of the Euclidean norm of all weights.
        first: whether the soft penalties are on the first weight matrix of the model alone.
    """

    l1: float = 0.0
    l2: float = 0.0
    unit: float = math.inf
    radius: float = math.inf
    first: bool = False


@describer("penalty")
def none(_: None) -> None:
    """No penalty: the objective is the loss.

    Example:
        >>> none()
        none()
    """
    return None


@describer("penalty")
def l1(_: None, *, strength: NonNegative = 1e-4) -> Penalty:
    """L1: strength times sum |w|, whose pull does not fade: weights of little use become about 0.

    Args:
        strength: lambda, per unit of the loss.

    Example:
        >>> l1(strength=0.01)
        l1(strength=0.01)

    Source: Tibshirani 1996, Regression shrinkage and selection via the lasso.
    """
    return Penalty(l1=strength)


@describer("penalty")
def l2(
    _: None, *, strength: NonNegative = 1e-4, layers: Literal["all", "first"] = "all"
) -> Penalty:
    """L2: strength times sum w^2, the squared norm; large weights are pulled most.

    With `sgd` it is weight_decay = 2 strength on the weights; with Adam it is not `adamw`'s decay.

    Args:
        strength: lambda, per unit of the loss.
        layers: "first" leaves all but the first weight matrix free, as graph convolutional
            networks have it.

    Example:
        >>> l2(strength=0.01)
        l2(strength=0.01)

    Source: Hoerl, Kennard 1970, Ridge regression; Krogh, Hertz 1992.
    """
    return Penalty(l2=strength, first=layers == "first")


@describer("penalty")
def elastic(_: None, *, l1: NonNegative = 1e-4, l2: NonNegative = 1e-4) -> Penalty:
    """Elastic net: l1 sum |w| + l2 sum w^2.

    Args:
        l1: strength of the absolute values.
        l2: strength of the squares.

    Example:
        >>> elastic(l1=0.01)
        elastic(l1=0.01)

    Source: Zou, Hastie 2005, Regularization and variable selection via the elastic net.
    """
    return Penalty(l1, l2)


@describer("penalty")
def max_norm(_: None, *, max: Positive = 3.0) -> Penalty:
    """Bound of each unit: after a step, the weights into a unit are scaled back to norm `max`.

    Args:
        max: largest Euclidean norm of the weights into one unit, or into one output channel.

    Example:
        >>> max_norm(max=2.0)
        max_norm(max=2.0)

    Source: Srebro, Shraibman 2005; Srivastava et al. 2014, JMLR 15 (with dropout).
    """
    return Penalty(unit=max)


@describer("penalty")
def l2_ball(_: None, *, radius: Positive = 10.0) -> Penalty:
    """L2 as a bound: after a step, all weights together are scaled back to norm `radius`.

    For each radius that bounds there is a strength of `l2` with the same optimum; the soft form is
    the usual one.

    Args:
        radius: largest Euclidean norm of all weights.

    Example:
        >>> l2_ball(radius=5.0)
        l2_ball(radius=5.0)

    Source: Goodfellow, Bengio, Courville 2016, section 7.2.
    """
    return Penalty(radius=radius)


def value(penalty: Penalty | None, model: nn.Module) -> Tensor:
    """What a penalty adds to the objective of a model; bounds add nothing.

    Args:
        penalty: built, or None.
        model: its weights, the parameters with two axes or more, count.

    Returns:
        A scalar that can be differentiated.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(layer.weight, -3.0)
        >>> round(value(Penalty(l1=0.1, l2=0.01), layer).item(), 4)
        0.78
    """
    strength = penalty or Penalty()
    found = torch.zeros(())
    weights = [p for p in model.parameters() if p.ndim > 1]
    for weight in weights[:1] if strength.first else weights:
        found = found + strength.l1 * weight.abs().sum() + strength.l2 * weight.square().sum()
    return found


def weights_of(model: nn.Module) -> list[Pair]:
    """The weights of one model as those of a single member, and their gradients.

    Example:
        >>> [(tuple(w.shape), g) for w, g in weights_of(nn.Linear(3, 2))]
        [((1, 2, 3), None)]
    """
    return [
        (p.detach().unsqueeze(0), None if p.grad is None else p.grad.unsqueeze(0))
        for p in model.parameters()
        if p.ndim > 1 and p.requires_grad
    ]


def pull(penalties: Sequence[Penalty], weights: Sequence[Pair]) -> None:
    """Add the gradients of the soft penalties of K members to those of their losses.

    The gradient of |w| is sign(w), with 0 at 0.

    Args:
        penalties: of each member.
        weights: of the members; what has no gradient gets none.

    Example:
        >>> w, g = torch.tensor([[[2.0, -1.0]]]), torch.zeros(1, 1, 2)
        >>> pull([Penalty(l1=0.1, l2=1.0)], [(w, g)])
        >>> g
        tensor([[[ 4.1000, -2.1000]]])
    """
    first, second = _column(penalties, "l1"), 2 * _column(penalties, "l2")
    everywhere = 1 - _column(penalties, "first")
    for place, (weight, gradient) in enumerate(weights):
        if place == 1:
            first, second = first * everywhere, second * everywhere
        if gradient is not None and bool(first.any()):
            gradient.addcmul_(weight.sign(), _along(first, weight))
        if gradient is not None and bool(second.any()):
            gradient.addcmul_(weight, _along(second, weight))


def constrain(penalties: Sequence[Penalty], weights: Sequence[Pair]) -> None:
    """Scale weights of K members back to the bounds of their penalties.

    Args:
        penalties: of each member.
        weights: of the members; they are changed in place.

    Example:
        >>> w = torch.tensor([[[3.0, 4.0], [0.3, 0.4]]])
        >>> constrain([Penalty(unit=1.0)], [(w, None)])
        >>> w
        tensor([[[0.6000, 0.8000],
                 [0.3000, 0.4000]]])
    """
    units, radii = _column(penalties, "unit"), _column(penalties, "radius")
    if bool(units.isfinite().any()):
        for weight, _ in weights:
            norms = weight.flatten(2).norm(dim=2)
            weight.mul_(_along(_shrinking(_along(units, norms), norms), weight))
    if weights and bool(radii.isfinite().any()):
        norms = torch.stack([w.flatten(1).norm(dim=1) for w, _ in weights]).norm(dim=0)
        shares = _shrinking(_along(radii, norms), norms)
        for weight, _ in weights:
            weight.mul_(_along(shares, weight))


def held(penalty: Penalty | None, model: nn.Module) -> float:
    """How far a bound holds the weights: the share of the units of the layer that is held most.

    Args:
        penalty: built, or None.
        model: its weights count, as in `weights_of`.

    Returns:
        0 without a bound; 1 where the bound of all weights together is reached.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> _ = layer.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
        >>> held(Penalty(unit=5.0), layer), held(Penalty(radius=9.0), layer)
        (0.5, 0.0)
    """
    bounds, weights = penalty or Penalty(), [w for w, _ in weights_of(model)]
    if not weights:
        return 0.0
    shares = [float((w.flatten(2).norm(dim=2) > _NEARLY * bounds.unit).float().mean())
              for w in weights]  # fmt: skip
    size = math.hypot(*(float(w.norm()) for w in weights))
    return max(*shares, float(size > _NEARLY * bounds.radius))


_NEARLY = 0.9  # of a bound, at which weights stand that a bound holds: a decay pulls them back


def _shrinking(bounds: Tensor, norms: Tensor) -> Tensor:
    """Factors that bring norms down to their bounds; those below stay."""
    return torch.where(norms > bounds, bounds / norms, torch.ones_like(norms))


def _column(penalties: Sequence[Penalty], name: str) -> Tensor:
    return torch.tensor([getattr(one, name) for one in penalties], dtype=torch.float64)


def _along(values: Tensor, weight: Tensor) -> Tensor:
    """Numbers of members, or of their units, in the shape of a weight."""
    return values.to(weight.device, weight.dtype).view(
        *values.shape, *[1] * (weight.ndim - values.ndim)
    )
