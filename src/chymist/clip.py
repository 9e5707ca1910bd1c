"""Gradient clipping: parameters -> a function that is called between backward pass and step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
