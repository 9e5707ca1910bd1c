"""What a peer is given: rows, settings, and the clock that it tells about its epochs."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from bench.workloads import Workload

RATE = 1e-3  # of Adam, for every peer


class Moment(NamedTuple):
    """Seconds of the wall clock, and seconds of processor that this process has used."""

    wall: float
    cpu: float


def moment() -> Moment:
    """Now."""
    return Moment(perf_counter(), process_time())


@dataclass
class Clock:
    """When training began, and when each epoch had been trained and validated."""

    began: Moment = field(default_factory=moment)
    epochs: list[Moment] = field(default_factory=list)

    def begin(self) -> None:
        """Now everything is read; what follows counts."""
        self.began = moment()

    def tick(self) -> None:
        """An epoch and its validation are over."""
        self.epochs.append(moment())


@dataclass(frozen=True)
class Task:
    """One training run: prepared arrays in memory, the workload, a seed.

    Args:
        x, y: training rows; y are class indices.
        xv, yv: validation rows.
    """

    workload: Workload
    x: np.ndarray
    y: np.ndarray
    xv: np.ndarray
    yv: np.ndarray
    seed: int
    clock: Clock
