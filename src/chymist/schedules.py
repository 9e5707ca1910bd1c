"""Learning-rate schedules: the length of a run -> (step -> factor of the learning rate).

The factor multiplies the rate of the optimiser; steps count from 0. `plateau` also watches a
recorded value: what it remembers is part of the run's state, so that a resumed run goes on alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import msgspec

from chymist.parts import Fraction, Positive, describer, part
from chymist.values import Length, Recipe

Schedule = Callable[[int], float]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shrink = Annotated[float, msgspec.Meta(gt=0, le=1)]
Passes = Annotated[int, msgspec.Meta(ge=0)]


# Schedules whose factor does not depend on how many steps an epoch has.
WITHOUT_EPOCHS = ("constant", "one_cycle", "cosine", "plateau")


class Span(NamedTuple):
    """How long a run is.

    Args:
        total: its steps.
        per_epoch: steps of one pass over its rows.
    """

    total: int
    per_epoch: int = 1


@describer("schedule")
def constant(span: Span) -> Schedule:
    """The same rate at every step: factor 1.

    Example:
        >>> constant().build(Span(100))(7)
        1.0
    """
    return lambda step: 1.0


@describer("schedule")
def step_decay(span: Span, *, every: str = "10 epochs", factor: Shrink = 0.1) -> Schedule:
    """Down by a factor after every so many epochs or steps: factor^floor(t / every).

    Args:
        every: how long the rate stays, with its unit ("10 epochs", "500 steps").
        factor: what the rate is multiplied by then, in (0, 1].

    Raises:
        UsageError: the length has no unit.

    Example:
        >>> rate = step_decay(every="2 epochs", factor=0.5).build(Span(total=60, per_epoch=10))
        >>> rate(19), rate(20), rate(40)
        (1.0, 0.5, 0.25)

    Source: `torch.optim.lr_scheduler.StepLR`.
    """
    steps = Length.parse(every, "schedule.every").steps(span.per_epoch)
    return lambda step: factor ** (step // steps)


@describer("schedule")
def exponential(
    span: Span, *, factor: Shrink = 0.95, per: Literal["epoch", "step"] = "epoch"
) -> Schedule:
    """Down by the same factor after every epoch or step: factor^t.

    Args:
        factor: what the rate is multiplied by each time, in (0, 1].
        per: what t counts.

    Example:
        >>> rate = exponential(factor=0.5).build(Span(total=30, per_epoch=10))
        >>> rate(9), rate(10), rate(29)
        (1.0, 0.5, 0.25)

    Source: `torch.optim.lr_scheduler.ExponentialLR`.
    """
    unit = _unit(span, per)
    return lambda step: factor ** (step // unit)


@describer("schedule")
def inverse_sqrt(span: Span, *, per: Literal["epoch", "step"] = "epoch") -> Schedule:
    """Down with the root of time: 1 / sqrt(t + 1). Some texts call it 1/t decay, which it is not.

    Args:
        per: what t counts.

    Example:
        >>> rate = inverse_sqrt(per="step").build(Span(5))
        >>> [round(rate(t), 6) for t in range(5)]
        [1.0, 0.707107, 0.57735, 0.5, 0.447214]

    Source: Robbins, Monro 1951, whose conditions the power 1/2 just misses; Zinkevich 2003, ICML.
    """
    unit = _unit(span, per)
    return lambda step: 1 / math.sqrt(step // unit + 1)


@describer("schedule")
def cosine(span: Span, *, end: Share = 0.0) -> Schedule:
    """Down along half a cosine: end + (1 - end) (1 + cos(pi t / T)) / 2, with T the whole run.

    Args:
        end: factor at step T, which comes after the last one.

    Example:
        >>> rate = cosine().build(Span(100))
        >>> rate(0), round(rate(50), 6)
        (1.0, 0.5)

    Source: Loshchilov, Hutter 2017, SGDR, arXiv:1608.03983, without restarts.
    """
    return lambda step: _cosine(1.0, end, step / span.total)


@describer("schedule")
def warmup(
    span: Span,
    *,
    length: str = "1 epoch",
    start: Positive = 0.1,
    then: Literal["constant", "cosine", "exponential", "inverse_sqrt", "step_decay"] = "cosine",
) -> Schedule:
    """Up in a straight line from `start` to 1, then another schedule over the steps that are left.

    Args:
        length: how long it goes up, with its unit ("1 epoch", "500 steps").
        start: factor at the first step.
        then: the schedule that follows, with the options that it has by default.

    Raises:
        UsageError: the length has no unit.

    Example:
        >>> rate = warmup(length="10 steps", then="constant").build(Span(100))
        >>> rate(0), round(rate(5), 6), rate(10), rate(99)
        (0.1, 0.55, 1.0, 1.0)

    Source: Goyal et al. 2017, arXiv:1706.02677; `torch.optim.lr_scheduler.LinearLR`.
    """
    rise = Length.parse(length, "schedule.length").steps(span.per_epoch)
    rest = Span(max(span.total - rise, 1), span.per_epoch)
    follow: Schedule = part("schedule", then).build(rest)
    return lambda step: start + (1 - start) * step / rise if step < rise else follow(step - rise)


class Watched(NamedTuple):
    """What a plateau remembers; where it stands before the first epoch by default.

    Args:
        factor: of the rate, as lowered so far.
        best: the best value so far.
        waited: epochs without a better one, since then or since the rate was lowered.
    """

    factor: float = 1.0
    best: float | None = None
    waited: int = 0


@dataclass(frozen=True)
class Plateau:
    """A schedule that lowers the rate where a loss no longer falls, see `plateau`."""

    monitor: str
    factor: float
    patience: int
    threshold: float

    def __call__(self, step: int) -> float:
        """The factor that the step alone gives: 1. The other one is `Watched.factor`."""
        return 1.0

    def after(self, value: float, seen: Watched) -> Watched:
        """What it remembers after an epoch with this loss; one that is not finite never counts.

        Example:
            >>> rule, seen = plateau(patience=1, factor=0.5).build(Span(9)), Watched()
            >>> for loss in (1.0, 0.9, 0.95, 0.9):
            ...     seen = rule.after(loss, seen)
            >>> seen
            Watched(factor=0.5, best=0.9, waited=0)
        """
        least = math.inf if seen.best is None else seen.best - self.threshold * abs(seen.best)
        if math.isfinite(value) and value < least:
            return Watched(seen.factor, value, 0)
        if seen.waited < self.patience:
            return Watched(seen.factor, seen.best, seen.waited + 1)
        return Watched(seen.factor * self.factor, seen.best, 0)


@describer("schedule")
def plateau(
    span: Span,
    *,
    monitor: Literal["val_loss", "train_loss"] = "val_loss",
    factor: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.1,
    patience: Passes = 10,
    threshold: Fraction = 1e-4,
) -> Plateau:
    """Lower the rate by a factor each time that a loss has not fallen for a while.

    The loss is looked at after every epoch. With the validation loss the score on these rows is
    optimistic, as with early stopping, and says so.

    Args:
        monitor: "val_loss" or "train_loss".
        factor: what the rate is multiplied by then, in (0, 1).
        patience: epochs without a better loss that are borne; the next one lowers the rate.
        threshold: share of the best loss by which a better one must fall below it.

    Example:
        >>> plateau(patience=5)
        plateau(patience=5)

    Source: `torch.optim.lr_scheduler.ReduceLROnPlateau`, with its rule and its defaults.
    """
    return Plateau(monitor, factor, patience, threshold)


@describer("schedule")
def one_cycle(
    span: Span, *, warmup: Share = 0.3, start: Positive = 0.04, end: Positive = 4e-6
) -> Schedule:
    """Up from `start` to 1 over the first share of the run, then down to `end`, as half cosines.

    The defaults are those of `torch.optim.lr_scheduler.OneCycleLR`; the optimiser's learning rate
    is the maximum of the cycle. Momentum is not cycled.

    Args:
        warmup: share of the steps that go up, in [0, 1].
        start: factor at the first step.
        end: factor at the last step.

    Example:
        >>> rate = one_cycle(warmup=0.5).build(Span(100))
        >>> round(rate(0), 2), rate(49), round(rate(99), 6)
        (0.04, 1.0, 4e-06)

    Source: Smith, Topin 2018, arXiv:1708.07120.
    """
    total, peak = span.total, max(warmup * span.total - 1, 0.0)

    def factor(step: int) -> float:
        if step < peak:
            return _cosine(start, 1.0, step / peak)
        return _cosine(1.0, end, (step - peak) / max(total - 1 - peak, 1e-12))

    return factor


def _cosine(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` (share 0) to `last` (share 1)."""
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _unit(span: Span, per: str) -> int:
    """Steps of what a schedule counts."""
    return span.per_epoch if per == "epoch" else 1


def monitored(recipe: Recipe) -> str | None:
    """The loss that the schedule of a recipe watches, or None.

    Example:
        >>> monitored(Recipe(schedule="plateau")), monitored(Recipe(schedule="cosine"))
        ('val_loss', None)
    """
    if recipe.schedule is None or recipe.schedule.name != "plateau":
        return None
    return str(recipe.schedule.options.get("monitor", "val_loss"))
