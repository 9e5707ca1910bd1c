"""What the training loop says while it runs. Whoever listens cannot change the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Step(NamedTuple):
    """One optimiser step was taken.

    Args:
        step: number of steps taken so far, from 1.
        loss: mean loss of the batch before the step.
        rate: learning rate of the step.
    """

    step: int
    loss: float
    rate: float


class Epoch(NamedTuple):
    """One pass over the training rows has ended and was evaluated.

    Args:
        epoch: number of epochs so far, from 1.
        step: number of steps so far.
        values: recorded values by name ("train_loss", "val_loss", "val_accuracy").
        best: whether these are the best weights so far by the stopping rule.
        last: whether the run ends here.
    """

    epoch: int
    step: int
    values: Mapping[str, float]
    best: bool
    last: bool


Event = Step | Epoch
