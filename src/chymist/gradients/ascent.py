"""Gradient ascent on the input: what an output of a model likes to see."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.gradients.image_prior import ImagePrior
from chymist.gradients.losses import real_points, slope_of


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where an ascent ended.

    Args:
        inputs: (batch, ...), as they are in the end.
        values: of the output, before the first step and after each, (steps + 1, batch).
    """

    inputs: np.ndarray
    values: np.ndarray


def ascend(
    model: nn.Module, inputs: Tensor, unit: int = 0, *,
    steps: int = 100, rate: float = 0.1, radius: float | None = None,
    prior: ImagePrior | None = None, dtype: torch.dtype = torch.float64,
) -> Ascent:  # fmt: skip
    """Change the inputs, not the weights, so that one output grows.

    x <- x + rate d y_unit / d x, and back onto the ball |x - x_0| <= radius where it leaves it.
    Without a bound the outputs of a linear model grow for ever; within it, its best input is
    x_0 + radius w / |w|.

    Args:
        model: any module with outputs (batch, outputs); taken in evaluation mode, not changed.
        inputs: where to start, (batch, ...).
        unit: number of the output.
        steps: how many.
        rate: length of a step per unit of slope.
        radius: largest Euclidean distance of each row from its start; None for no bound.
        prior: what else counts, such as a penalty and a range of values; None for nothing.
        dtype: of the numbers; float32 is faster and not as exact.

    Returns:
        An `Ascent`.

    Raises:
        InputError: the outputs are not (batch, outputs) or have no gradient (a tree), or a step led
            out of all numbers.
        UsageError: no such output, or steps, rate or radius out of range.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 3.0)
        >>> ascend(layer, torch.zeros(1, 2), radius=2.0).inputs.round(4)
        array([[1.4142, 1.4142]])

    Source: Simonyan, Vedaldi, Zisserman 2014, Deep inside convolutional networks, arXiv:1312.6034.
    """
    _check(steps, rate, radius)
    held = prior or ImagePrior()
    twin = copy.deepcopy(model).cpu().to(dtype).eval()
    start = real_points(inputs, "ascend").detach().to(dtype)
    held.check(start)
    here, values = start.clone(), []
    for step in range(steps + 1):
        here.requires_grad_()
        seen = held.moved(here, step) if step < steps else here
        found = _output(twin(seen), len(start), unit)
        values.append(found.detach().numpy())
        if step < steps:
            slope = held.slope(slope_of(found, here, "ascend"), here, start)
            here = here.detach() + rate * held.pace(step, steps) * slope
            here = _within(held.settled(here), start, radius)
        if not bool(here.isfinite().all()):
            raise InputError("the ascent left all numbers", where=f"step {step + 1}",
                             do="take a smaller rate, or a radius")  # fmt: skip
    return Ascent(here.detach().numpy(), np.stack(values))


def _check(steps: int, rate: float, radius: float | None) -> None:
    """Refuse numbers that are out of range.

    Raises:
        UsageError: they are.
    """
    sizes = {"rate": rate} | ({} if radius is None else {"radius": radius})
    for name, value in sizes.items():
        if not 0 < value < math.inf:
            raise UsageError(f"the {name} must be a positive number", where="ascend",
                             received=repr(value))  # fmt: skip
    if steps < 1:
        raise UsageError("at least one step", where="ascend", received=repr(steps))


def _output(outputs: Tensor, rows: int, unit: int) -> Tensor:
    """One output of each row.

    Raises:
        InputError: the outputs are not (batch, outputs).
        UsageError: there is no such output.
    """
    if outputs.ndim != 2 or len(outputs) != rows:
        raise InputError("the outputs are not (batch, outputs)", where="ascend",
                         received=f"shape {tuple(outputs.shape)}")  # fmt: skip
    if not 0 <= unit < outputs.shape[1]:
        raise UsageError("there is no such output", where="unit", received=repr(unit),
                         do=f"give 0 to {outputs.shape[1] - 1}")  # fmt: skip
    return outputs[:, unit]


def _within(points: Tensor, start: Tensor, radius: float | None) -> Tensor:
    """The nearest points of the balls around the start."""
    if radius is None:
        return points
    away = points - start
    length = away.flatten(1).norm(dim=1).clamp_min(radius)
    nearest: Tensor = start + away * (radius / length).reshape(-1, *[1] * (away.ndim - 1))
    return nearest
