"""Plans of a search: how far each configuration is trained before the better ones go on.

A rung is a length at which configurations are compared. Brackets are groups of configurations that
compete among themselves; successive halving has one, Hyperband several, which begin to drop
configurations at different rungs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chymist.values import Length

ETA = 3  # a third goes on


@dataclass(frozen=True)
class Plan:
    """When which configurations are dropped.

    Args:
        rungs: lengths at which they are compared, ascending, all below the full length.
        brackets: number of the bracket of each configuration.
        going_on: for each rung, how many go on in each bracket; None if all do.
    """

    rungs: tuple[Length, ...]
    brackets: tuple[int, ...]
    going_on: tuple[tuple[int | None, ...], ...]


def to_the_end(trials: int) -> Plan:
    """All configurations are trained to the end."""
    return Plan((), (0,) * trials, ())


def halving(trials: int, length: Length) -> Plan:
    """Successive halving: at each rung the best third goes on, and three are trained to the end.

    Three, so that the winner is compared with somebody.

    Args:
        trials: number of configurations.
        length: the full length.

    Example:
        >>> plan = halving(32, Length(30, "epochs"))
        >>> [str(rung) for rung in plan.rungs], plan.going_on
        (['3 epochs', '10 epochs'], ((10,), (3,)))

    Source: Jamieson, Talwalkar 2016, arXiv:1502.07943.
    """
    count = min(_power(trials) - 1, _power(length.count))
    going_on = tuple((trials // ETA ** (n + 1),) for n in range(count))
    return Plan(_rungs(length, count), (0,) * trials, going_on)


def hyperband(trials: int, length: Length) -> Plan:
    """Hyperband: brackets from many configurations that are dropped early to few that never are.

    Bracket s of s_max + 1 has ceil((s_max + 1) / (s + 1) * 3^s) configurations, times a factor that
    brings their sum to the number of trials, and begins to drop at length / 3^s.

    Args:
        trials: number of configurations.
        length: the full length.

    Example:
        >>> plan = hyperband(32, Length(27, "epochs"))
        >>> [str(rung) for rung in plan.rungs], plan.going_on
        (['3 epochs', '9 epochs'], ((6, None, None), (2, 3, None)))
        >>> [plan.brackets.count(bracket) for bracket in range(3)]
        [18, 9, 5]

    Source: Li et al. 2018, Hyperband, arXiv:1603.06560.
    """
    most = 0
    while most < _power(length.count) and sum(_sizes(most + 1)) <= trials:
        most += 1
    sizes = _sizes(most)
    scaled = [n * trials // sum(sizes) for n in sizes]
    scaled[0] += trials - sum(scaled)
    going_on = tuple(
        tuple(
            max(1, n // ETA ** (rung - bracket + 1)) if bracket <= rung else None
            for bracket, n in enumerate(scaled)
        )
        for rung in range(most)
    )
    brackets = tuple(b for b, n in enumerate(scaled) for _ in range(n))
    return Plan(_rungs(length, most), brackets, going_on)


def _sizes(most: int) -> list[int]:
    """Configurations of each bracket, the one that drops earliest first."""
    return [math.ceil((most + 1) / (s + 1) * ETA**s) for s in range(most, -1, -1)]


def _rungs(length: Length, count: int) -> tuple[Length, ...]:
    """Lengths that are the full one divided by powers of three."""
    counts = [round(length.count / ETA ** (count - n)) for n in range(count)]
    return tuple(Length(c, length.unit) for c in counts)


def _power(number: int) -> int:
    """The largest k with 3^k <= number."""
    return next(k for k in range(64) if ETA ** (k + 1) > number)
