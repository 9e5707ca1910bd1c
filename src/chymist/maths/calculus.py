"""Slopes of functions: of the usual squashing functions, along directions, and by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import null_space
from scipy.special import expit, softmax

from chymist.errors import InputError

Array = np.ndarray
Function = Callable[[Array], float]


def sigmoid_derivative(z: ArrayLike) -> Array:
    """Derivative of the sigmoid s(z) = 1 / (1 + e^-z): s'(z) = s(z) (1 - s(z)) <= 1/4.

    Args:
        z: numbers of any shape.

    Returns:
        The same shape.

    Example:
        >>> sigmoid_derivative([0.0, 1.0]).round(6)
        array([0.25    , 0.196612])
    """
    share = expit(np.asarray(z, np.float64))
    return np.asarray(share * expit(-np.asarray(z, np.float64)))


def softmax_jacobian(z: ArrayLike) -> Array:
    """Jacobian of softmax: d p_i / d z_j = p_i (1 - p_i) for i = j, -p_i p_j for others.

    Args:
        z: logits, (k,).

    Returns:
        (k, k), symmetric; its rows add up to 0.

    Raises:
        InputError: not a vector.

    Example:
        >>> softmax_jacobian([1, 2, 3]).round(6)[0]
        array([ 0.081925, -0.022033, -0.059892])
    """
    logits = _vector(z)
    p = softmax(logits)
    return np.asarray(np.diag(p) - np.outer(p, p))


def numerical_gradient(function: Function, at: ArrayLike, step: float = 6e-6) -> Array:
    """Gradient by central differences, (f(x + h e_i) - f(x - h e_i)) / 2h for each i.

    The slow reference of every other way to differentiate: two calls of f for each input, and an
    error of order h^2 + eps / h.

    Args:
        function: f of an array (n,), to a number.
        at: x, (n,).
        step: h for inputs of size 1; larger inputs have a larger one.

    Returns:
        (n,).

    Raises:
        InputError: not a vector.

    Example:
        >>> numerical_gradient(lambda x: x[0] ** 2 + x[1] ** 2, [1, 2]).round(6)
        array([2., 4.])
    """
    point = _vector(at)
    slopes = np.empty_like(point)
    for place, size in enumerate(step * np.maximum(1.0, np.abs(point))):
        move = np.zeros_like(point)
        move[place] = size
        slopes[place] = (function(point + move) - function(point - move)) / (2 * size)
    return slopes


def directional_derivative(
    function: Function, at: ArrayLike, direction: ArrayLike, step: float = 1e-6
) -> float:
    """Slope of f along a ray, lim (f(x + t d) - f(x)) / t for t from above, d of length 1.

    It may exist where partial derivatives do not: |x| at 0 has slope 1 in both directions. Where f
    is differentiable it is the gradient times d, so it is largest along the gradient and 0 along
    the level set.

    Args:
        function: f of an array (n,), to a number.
        at: x, (n,).
        direction: d, (n,); scaled to length 1.
        step: t; two steps of different length cancel the error of first order.

    Raises:
        InputError: no vectors of one size, or a direction of length 0.

    Example:
        >>> bowl = lambda x: x[0] ** 2 + x[1] ** 2
        >>> round(directional_derivative(bowl, [1, 2], [1, 2]), 6)
        4.472136
    """
    point, way = _vector(at), _vector(direction)
    length = np.linalg.norm(way)
    if point.shape != way.shape or not length > 0:
        raise InputError("no direction at this point", where="directional_derivative",
                         received=f"{way.tolist()} at {point.tolist()}"[:80],
                         do="give a direction that is not 0, with as many numbers")  # fmt: skip
    start, way = function(point), way / length
    step *= max(1.0, float(np.abs(point).max()))  # a smaller one is lost in rounding
    slopes = [(function(point + t * way) - start) / t for t in (step, step / 2)]
    return float(2 * slopes[1] - slopes[0])


def level_set_directions(gradient: ArrayLike) -> Array:
    """Directions in which f does not change to first order: those orthogonal to its gradient.

    Args:
        gradient: (n,), not 0.

    Returns:
        An orthonormal basis, a direction a row, (n - 1, n).

    Raises:
        InputError: no vector, or a gradient of 0, where every direction is one.

    Example:
        >>> level_set_directions([2, 4]).round(6)  # of x^2 + y^2 at (1, 2)
        array([[-0.894427,  0.447214]])
    """
    slopes = _vector(gradient)
    if not np.abs(slopes).max() > 0:
        raise InputError("a gradient of 0 has no level set", where="level_set_directions",
                         received=str(slopes.tolist())[:80])  # fmt: skip
    return np.asarray(null_space(slopes[None]).T)


def midpoint_convex(function: Callable[[ArrayLike], float], a: ArrayLike, b: ArrayLike) -> bool:
    """Midpoint test of convexity: f((a + b) / 2) <= (f(a) + f(b)) / 2.

    A continuous function that passes for all pairs is convex; one pair that fails disproves it.
    (The segment must lie on or above the graph. That it does not meet the graph is not enough:
    a concave function has that too.)

    Args:
        function: f of a number or an array.
        a, b: two points.

    Example:
        >>> midpoint_convex(lambda x: x**2, 0, 2), midpoint_convex(lambda x: -(x**2), 0, 2)
        (True, False)

    Source: Jensen 1906.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    above = (float(function(first)) + float(function(second))) / 2
    slack = 1e-12 * max(1.0, abs(above))
    return bool(float(function((first + second) / 2)) <= above + slack)


def _vector(values: ArrayLike) -> Array:
    made = np.asarray(values, np.float64)
    if made.ndim != 1 or not made.size:
        raise InputError("not a vector", received=f"shape {made.shape}")
    return made
