"""When a run ends before its length: early stopping, as a rule on recorded values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chymist.errors import UsageError, nearest
from chymist.parts import NonNegative, describer
from chymist.values import Length


@dataclass(frozen=True)
class Rule:
    """An early-stopping rule with its units resolved.

    Args:
        monitor: recorded series that is watched ("val_loss", "val_accuracy").
        patience: steps without improvement after which the run ends.
        min_delta: smallest change that counts as improvement.
        sign: +1 if smaller is better, -1 if larger is.
    """

    monitor: str
    patience: int
    min_delta: float
    sign: int

    def improved(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best one so far; one that is not finite never is."""
        if not math.isfinite(value):
            return False
        return best is None or self.sign * (best - value) > self.min_delta


@describer("stop")
def none(steps_per_epoch: int) -> None:
    """Train for the full length; the last weights are the result."""
    return None


@describer("stop")
def early(
    steps_per_epoch: int,
    monitor: str = "val_loss",
    patience: str = "5 epochs",
    min_delta: NonNegative = 0.0,
) -> Rule:
    """Stop when the watched value has not improved for a while; the best weights are the result.

    The value is looked at after every epoch.

    Args:
        monitor: "val_loss", or "val_" and the name of a metric ("val_accuracy").
        patience: how long to wait, with its unit ("5 epochs", "500 steps").
        min_delta: smallest change that counts as improvement.

    Raises:
        UsageError: the name or the length is wrong.

    Example:
        >>> early("val_loss", patience="5 epochs").build(23).patience
        115

    Source: Prechelt 1998, Early stopping - but when?
    """
    return Rule(
        monitor, Length.parse(patience, "stop.patience").steps(steps_per_epoch), min_delta,
        -1 if monitor.removeprefix("val_") in RISING else 1,
    )  # fmt: skip


RISING = frozenset({"accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "auc", "r2"})


def check_monitor(monitor: str, produced: list[str]) -> None:
    """Refuse a monitor that the run does not record, before the first step.

    Raises:
        UsageError: with the nearest name that the run does record.
    """
    if monitor not in produced:
        raise UsageError(
            "unknown value to monitor",
            where="stop.monitor",
            received=f"'{monitor}'",
            do=nearest(monitor, produced),
        )
