"""One hidden layer that approximates a function, built instead of trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError, UsageError

MOST = 100_000  # units


@dataclass(frozen=True, eq=False)
class ReLULayer:
    """A hidden layer of ReLU units of one input: y = c + sum_i v_i max(0, x - t_i).

    Args:
        knots: t_i, where each unit begins to act, (units,); as biases of a layer they are -t_i.
        outputs: v_i, the weights of the next layer, (units,).
        constant: c, its bias.
        width: distance of two knots.
    """

    knots: np.ndarray
    outputs: np.ndarray
    constant: float
    width: float

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """The outputs at some places, (n,)."""
        active = np.maximum(0.0, np.asarray(x, np.float64)[..., None] - self.knots)
        return np.asarray(active @ self.outputs + self.constant)

    def bound(self, curvature: float) -> float:
        """Largest error on the interval: width^2 / 8 times the largest |f''|.

        Args:
            curvature: the largest |f''| of the function on the interval.
        """
        return self.width**2 / 8 * curvature


def relu_interpolation(
    function: Callable[[np.ndarray], ArrayLike], low: float, high: float, units: int
) -> ReLULayer:
    """The hidden layer of n ReLU units that is f at n + 1 even places, and straight between them.

    Unit i bends the line at its knot t_i by the change of slope there. The error is at most
    h^2 / 8 max |f''|, h = (high - low) / n: half of it takes sqrt(2) times the units, in one
    dimension. Descent has to find such weights; here they are written down.

    Args:
        function: f, of an array of places (n,).
        low, high: ends of the interval.
        units: n.

    Returns:
        A `ReLULayer`: call it, or copy its numbers into `models.mlp(hidden=(n,))`.

    Raises:
        UsageError: no units, or no interval.
        InputError: f does not give one finite value for each place.

    Example:
        >>> layer = relu_interpolation(np.square, 0.0, 1.0, 4)
        >>> layer(np.array([0.5, 0.625])), layer.bound(2.0)
        (array([0.25   , 0.40625]), 0.015625)

    Source: Cybenko 1989; Hornik 1991; de Boor 2001, A practical guide to splines, chapter 3.
    """
    if not 1 <= units <= MOST:
        raise UsageError("a hidden layer needs units", where="units", received=str(units),
                         do=f"give 1 to {MOST:,}")  # fmt: skip
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError("no interval", where="low, high", received=f"{low:g} to {high:g}",
                         do="give low < high")  # fmt: skip
    places = np.linspace(low, high, units + 1)
    values = np.asarray(function(places), np.float64)
    if values.shape != places.shape or not np.isfinite(values).all():
        raise InputError("the function must give one finite value for each place", where="function",
                         received=f"shape {values.shape}")  # fmt: skip
    slopes = np.diff(values) / np.diff(places)
    bends = np.diff(slopes, prepend=0.0)
    return ReLULayer(places[:-1], bends, float(values[0]), (high - low) / units)
