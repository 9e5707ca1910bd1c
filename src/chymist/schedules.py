"""Learning-rate schedules: total steps -> (step -> factor of the learning rate)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import msgspec

from chymist.parts import Positive, describer

Schedule = Callable[[int], float]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@describer("schedule")
def constant(total: int) -> Schedule:
    """The same rate at every step: factor 1.

    Example:
        >>> constant().build(100)(7)
        1.0
    """
    return lambda step: 1.0


@describer("schedule")
def one_cycle(
    total: int, *, warmup: Share = 0.3, start: Positive = 0.04, end: Positive = 4e-6
) -> Schedule:
    """Up from `start` to 1 over the first share of the run, then down to `end`, as half cosines.

    The defaults are those of `torch.optim.lr_scheduler.OneCycleLR`; the optimiser's learning rate
    is the maximum of the cycle. Momentum is not cycled.

    Args:
        warmup: share of the steps that go up, in [0, 1].
        start: factor at the first step.
        end: factor at the last step.

    Example:
        >>> rate = one_cycle(warmup=0.5).build(100)
        >>> round(rate(0), 2), rate(49), round(rate(99), 6)
        (0.04, 1.0, 4e-06)

    Source: Smith, Topin 2018, arXiv:1708.07120.
    """
    peak = max(warmup * total - 1, 0.0)

    def factor(step: int) -> float:
        if step < peak:
            return _cosine(start, 1.0, step / peak)
        return _cosine(1.0, end, (step - peak) / max(total - 1 - peak, 1e-12))

    return factor


def _cosine(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` (share 0) to `last` (share 1)."""
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
