"""How far to go along a direction: the first of halved steps that brings enough."""

from __future__ import annotations

from collections.abc import Callable

HALVINGS, ENOUGH = 60, 1e-4  # share of the promised fall that must come


def shortened(
    look: Callable[[float], float], value: float, slope: float, rounding: float = 0.0
) -> tuple[float, float] | None:
    """The first share t of 1, 1/2, 1/4, ... with f(t) <= f(0) + 1e-4 t f'(0) (Armijo's rule).

    Args:
        look: f, the loss a share of the step away.
        value: f(0).
        slope: f'(0), negative.
        rounding: of f, which may be missing.

    Returns:
        t and f(t); None where even the shortest step does not make the loss fall.

    Example:
        >>> shortened(lambda t: (1 - 3 * t) ** 2, 1.0, -6.0)
        (0.5, 0.25)

    Source: Armijo 1966; Nocedal, Wright 2006, Numerical Optimization, algorithm 3.1.
    """
    for halving in range(HALVINGS):
        share = 0.5**halving
        after = look(share)
        if after <= value + ENOUGH * share * slope + rounding:
            return share, after
    return None
