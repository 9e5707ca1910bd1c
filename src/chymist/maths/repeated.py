"""One weight used at every step: what it does to a signal, to its gradient and to the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from chymist.errors import UsageError

Array = np.ndarray


class Repeated(NamedTuple):
    """Output and slope, of the shape of the weights: values that depend on a repeated weight."""

    output: Array
    slope: Array


def repeated_weight(weight: ArrayLike, steps: int) -> Repeated:
    """A linear network of one unit that multiplies by the same weight: y = w^steps.

    Its slope dy/dw = steps w^(steps - 1) is nothing or enormous: 1.01^999 is 20,751, and 0.99^999
    is 0.00004. That is the repeated product, whatever the activation.

    Args:
        weight: w, of any shape.
        steps: how often it multiplies, 1 or more. Of T steps of a sequence it multiplies T - 1
            times what entered at the first.

    Returns:
        y and dy/dw.

    Raises:
        UsageError: fewer than one step.

    Example:
        >>> output, slope = repeated_weight([1.01, 1.0, 0.99], 999)
        >>> output.round(1).tolist(), float(slope[1])
        ([20751.6, 1.0, 0.0], 999.0)

    Source: Bengio, Simard, Frasconi 1994, Learning long-term dependencies is difficult.
    """
    _check(steps)
    w = np.asarray(weight, np.float64)
    with np.errstate(over="ignore"):
        return Repeated(w**steps, steps * w ** (steps - 1))


def recurrent_error(
    weight: ArrayLike, bias: ArrayLike = 0.0, steps: int = 50, start: float = 0.5,
    target: float = 0.7,
) -> Repeated:  # fmt: skip
    """Squared error of one recurrent unit after many steps, and its slope along the weight.

    h_t = w sigmoid(h_(t-1)) + b from h_0 = start; the error is (sigmoid(h_steps) - target)^2. Over
    w and b it is flat nearly everywhere, with a cliff where the unit tips over from one rest to
    another.

    Args:
        weight, bias: w and b, of shapes that broadcast.
        steps: how often the unit is run, 1 or more.
        start: state before the first step.
        target: what the last output should be.

    Returns:
        The error and its derivative with respect to w.

    Raises:
        UsageError: fewer than one step.

    Example:
        >>> slopes = np.abs(recurrent_error(np.linspace(3, 8, 2001), bias=-2.4).slope)
        >>> bool(slopes.max() > 1000 * np.median(slopes))
        True

    Source: Pascanu, Mikolov, Bengio 2013, On the difficulty of training recurrent neural networks,
        arXiv:1211.5063, figure 6.
    """
    _check(steps)
    w, b = np.broadcast_arrays(np.asarray(weight, np.float64), np.asarray(bias, np.float64))
    state, slope = np.full(w.shape, float(start)), np.zeros(w.shape)
    for _ in range(steps):
        output = expit(state)
        slope = output + w * output * (1 - output) * slope
        state = w * output + b
    output = expit(state)
    return Repeated((output - target) ** 2, 2 * (output - target) * output * (1 - output) * slope)


def walk_down(
    error: Callable[[float], tuple[ArrayLike, ArrayLike]], start: float, *,
    rate: float, steps: int = 50, most: float | None = None,
) -> Array:  # fmt: skip
    """Gradient descent on an error of one number, with or without clipping: w <- w - rate g.

    Clipping bounds |g| by `most`, so that a cliff throws nobody out of the valley.

    Args:
        error: w to (error, slope).
        start: first w.
        rate: learning rate.
        steps: how many.
        most: largest absolute gradient; None for no clipping.

    Returns:
        w before the first step and after each, (steps + 1,).

    Raises:
        UsageError: fewer than one step, or a bound or rate that is not positive.

    Example:
        >>> walk_down(lambda w: (w**2, 2 * w), 4.0, rate=0.5, steps=2, most=1.0).tolist()
        [4.0, 3.5, 3.0]
    """
    _check(steps)
    for name, value in (("rate", rate), ("most", 1.0 if most is None else most)):
        if not 0 < value < np.inf:
            raise UsageError(f"{name} must be a positive number", where="walk_down",
                             received=repr(value))  # fmt: skip
    walked = [float(start)]
    for _ in range(steps):
        slope = float(np.asarray(error(walked[-1])[1]))
        bounded = slope if most is None else float(np.clip(slope, -most, most))
        walked.append(walked[-1] - rate * bounded)
    return np.array(walked)


def _check(steps: int) -> None:
    if steps < 1:
        raise UsageError("at least one step", where="steps", received=repr(steps))
