"""The learning-rate range test: which rates the model can be trained with, found by trying.

A copy of the run takes a few steps with a rate that grows from step to step. Where the loss falls
the rate is usable; where it rises again the rate is too large. The run itself is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from chymist.engine.assembly import assemble
from chymist.engine.events import Step
from chymist.engine.loop import State, train
from chymist.errors import Diverged, InputError
from chymist.values import Recipe, Split

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 120
SMOOTHING = 0.9
BLOWN_UP = 2.0  # the test ends where the smoothed loss is so many times its smallest value


@dataclass(frozen=True)
class RateRange:
    """What a range test found.

    Args:
        rate: the suggested learning rate.
        low, high: rates between which the smoothed loss falls.
    """

    rate: float
    low: float
    high: float


def find_rate(recipe: Recipe, split: Split, seed: int) -> RateRange:
    """Try growing learning rates on a copy of the run, with training rows only.

    Args:
        recipe: a complete recipe; the rate of its optimiser is ignored.
        split: the rows.
        seed: seed of the run.

    Returns:
        The suggested rate and the range in which the loss falls.

    Raises:
        InputError: the loss falls at no rate.

    Source: Smith 2017, Cyclical learning rates, arXiv:1506.01186.
    """
    trial = recipe.replace(optimizer=recipe.optimizer.replace(lr=HIGHEST), stop="none", clip="none")
    assembly = assemble(trial, split, seed)
    growth = (HIGHEST / LOWEST) ** (1 / (STEPS - 1))
    program = replace(
        assembly.program,
        schedule=lambda step: LOWEST / HIGHEST * growth**step,
        evaluate=lambda model: {},
        total_steps=STEPS,
    )
    state = State(assembly.state.model, assembly.state.optimizer, HIGHEST)
    rates: list[float] = []
    losses: list[float] = []
    with torch.random.fork_rng(devices=[]):
        try:
            for event in train(program, state):
                if isinstance(event, Step):
                    rates.append(event.rate)
                    losses.append(event.loss)
                    if event.loss > 4 * BLOWN_UP * min(losses) and len(losses) > STEPS // 4:
                        break
        except Diverged:
            pass  # the rate at which the loss is not finite is the end of the test
    return read_range(rates, losses)


def read_range(rates: Sequence[float], losses: Sequence[float]) -> RateRange:
    """Read a range test: a tenth of the rate at which the smoothed loss is smallest.

    Args:
        rates: learning rate of each step, ascending.
        losses: loss of each step.

    Returns:
        The suggested rate, at least the lower end of the range.

    Raises:
        InputError: the smoothed loss never falls by a hundredth.

    Example:
        >>> rates = [10.0**k for k in range(-6, 1)]
        >>> read_range(rates, [2.0, 2.0, 1.9, 1.0, 0.1, 5.0, 9.0]).high
        0.01
    """
    smooth = np.empty(len(losses))
    mean = 0.0
    for index, loss in enumerate(losses):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smooth[index] = mean / (1 - SMOOTHING ** (index + 1))
    best = int(smooth.argmin())
    falling = np.flatnonzero(smooth[: best + 1] < 0.99 * smooth[0])
    if not len(falling):
        raise InputError("no learning rate makes the loss fall", where="optimizer.lr auto",
                         received=f"tried {LOWEST:g} to {HIGHEST:g}",
                         do="give --optimizer.lr a number, or check data and model")  # fmt: skip
    low, high = float(rates[falling[0]]), float(rates[best])
    return RateRange(max(high / 10, low), low, high)
