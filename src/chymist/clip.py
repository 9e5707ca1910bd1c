"""Gradient clipping: parameters -> a function that is called between backward pass and step.

Clipping bounds the gradient and leaves small ones as they are; `unit` sets the length of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from chymist.parts import Positive, describer

Clip = Callable[[], object]


@describer("clip")
def none(parameters: Iterable[Parameter]) -> None:
    """No clipping."""
    return None


@describer("clip")
def norm(parameters: Iterable[Parameter], max: Positive = 1.0) -> Clip:
    """Scale the gradient so that its norm over all parameters is at most `max`.

    Args:
        max: largest Euclidean norm.

    Example:
        >>> norm(1.0)
        norm(max=1.0)

    Source: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063.
    """
    fixed = list(parameters)
    return lambda: clip_grad_norm_(fixed, max)


@describer("clip")
def value(parameters: Iterable[Parameter], max: Positive = 1.0) -> Clip:
    """Cut every component of the gradient to [-max, max].

    Args:
        max: largest absolute value of a component.

    Example:
        >>> value(0.5)
        value(max=0.5)
    """
    fixed = list(parameters)
    return lambda: clip_grad_value_(fixed, max)


@describer("clip")
def unit(parameters: Iterable[Parameter]) -> Clip:
    """Gradient normalisation: g / |g| over all parameters, so that the rate is the step's length.

    A gradient of 0 stays 0.

    Example:
        >>> unit()
        unit()

    Source: Hazan, Levy, Shalev-Shwartz 2015, arXiv:1507.02030.
    """
    fixed = list(parameters)

    def normalize() -> None:
        gradients = [p.grad for p in fixed if p.grad is not None]
        whole = torch.stack([g.norm() for g in gradients]).norm()
        for gradient in gradients:
            gradient.div_(whole.clamp(min=torch.finfo(whole.dtype).tiny))

    return normalize
