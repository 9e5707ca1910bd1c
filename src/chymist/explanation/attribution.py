"""Maps of single inputs: how much each of their numbers speaks for an answer.

All are functions of (module, inputs, targets); `functools.partial` binds their options. They leave
the module as it was, and the map of a row does not depend on the rows beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.explanation.asking import (
    Attributor,
    at_once,
    at_rest,
    by_rows,
    checked,
    slopes,
    values_at,
)  # fmt: skip
from chymist.keys import torch_generator
from chymist.values import whole_number

Rule = Literal[
    "gauss-legendre", "riemann-left", "riemann-right", "riemann-middle", "riemann-trapezoid"
]
MOST_CALLS = 10_000  # of a model for one row
RULES = Rule.__args__  # type: ignore[attr-defined]


def saliency(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, absolute: bool = True
) -> Tensor:
    """How strongly an answer reacts to each number of its input: |d y_target / d x|.

    Args:
        module: gives (batch, outputs).
        inputs: (batch, ...).
        targets: number of the output of each row, int64, (batch,).
        absolute: whether the sign is left out.

    Returns:
        Maps of the shape of the inputs.

    Raises:
        InputError: the outputs are no (batch, outputs), or have no gradient.
        UsageError: there is no such output.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[3.0, -1.0]])
        >>> saliency(layer, torch.zeros(1, 2), torch.tensor([0]))
        tensor([[3., 1.]])

    Source: Simonyan, Vedaldi, Zisserman 2014, arXiv:1312.6034.
    """
    inputs, targets = checked(inputs, targets)
    with at_rest(module):
        found = by_rows(slopes, module, inputs, targets)
    return found.abs() if absolute else found


def input_x_gradient(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The input times the gradient at it: x_i d y_target / d x_i; of a linear model w_i x_i.

    Args:
        module, inputs, targets: as in `saliency`.

    Returns:
        Maps of the shape of the inputs.

    Raises:
        InputError, UsageError: as in `saliency`.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[3.0, -1.0]])
        >>> input_x_gradient(layer, torch.tensor([[2.0, 5.0]]), torch.tensor([0]))
        tensor([[ 6., -5.]])

    Source: Shrikumar et al. 2016, arXiv:1605.01713.
    """
    return inputs.detach() * saliency(module, inputs, targets, absolute=False)


def smooth_grad(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, samples: int = 25,
    level: float = 0.15, seed: int = 0, absolute: bool = True, noise: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Saliency averaged over noisy copies of the input: mean |d y / d x| at x + s e, e ~ N(0, 1).

    Args:
        module, inputs, targets, absolute: as in `saliency`.
        samples: noisy copies of each row.
        level: s as a share of the distance from the least to the greatest number of the row.
        seed: of the noise, which is the same for all rows.
        noise: what is added, (samples, batch, ...), in place of s e; `samples`, `level` and `seed`
            have no meaning then.

    Returns:
        Maps of the shape of the inputs.

    Raises:
        InputError: as in `saliency`, or the noise does not fit.
        UsageError: as in `saliency`, or fewer samples than 1, or a negative level.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[3.0, -1.0]])
        >>> smooth_grad(layer, torch.zeros(1, 2), torch.tensor([0]), samples=2)
        tensor([[3., 1.]])

    Source: Smilkov et al. 2017, arXiv:1706.03825.
    """
    inputs, targets = checked(inputs, targets)
    whole_number(samples, "samples", 1, MOST_CALLS)
    if not 0 <= level < math.inf:
        raise UsageError("the level of noise is negative", where="level", received=repr(level),
                         do="give 0.1 to 0.2")  # fmt: skip
    if noise is not None and noise.shape[1:] != inputs.shape:
        raise InputError("the noise does not fit the inputs", where="noise",
                         received=f"shape {tuple(noise.shape)}",
                         do=f"give (samples, {', '.join(map(str, inputs.shape))})")  # fmt: skip
    flat = inputs.flatten(1)
    spread = (flat.amax(1) - flat.amin(1)) if flat.numel() else flat.sum(1)
    size = level * spread.reshape(-1, *[1] * (inputs.ndim - 1))
    count = samples if noise is None else len(noise)
    with at_rest(module):
        total = torch.zeros_like(inputs)
        for sample in range(count):
            added = size * _draw(inputs, seed, sample) if noise is None else noise[sample]
            found = by_rows(slopes, module, inputs + added.to(inputs), targets)
            total += found.abs() if absolute else found
    return total / count


def _draw(inputs: Tensor, seed: int, sample: int) -> Tensor:
    """Normal noise of the shape of one row."""
    source = torch_generator(seed, "smooth-grad", sample)
    return torch.randn(inputs.shape[1:], generator=source, dtype=torch.float64).to(inputs)


def integrated_gradients(
    module: nn.Module, inputs: Tensor, targets: Tensor, *, baseline: float | Tensor = 0.0,
    steps: int = 50, rule: Rule = "gauss-legendre",
) -> Tensor:  # fmt: skip
    """What each number adds on the straight way from a baseline to the input.

    (x_i - b_i) times the mean of d y_target / d x_i along b + a (x - b), 0 <= a <= 1. The numbers
    of a map add up to y(x) - y(b), but for the error of the rule: see `completeness_gap`.

    Args:
        module, inputs, targets: as in `saliency`.
        baseline: where the way begins: a number, or a tensor that fits a row or the inputs.
        steps: points of the rule.
        rule: how the integral is worked out: "gauss-legendre", or "riemann-left", "-right",
            "-middle" or "-trapezoid".

    Returns:
        Maps of the shape of the inputs.

    Raises:
        InputError: as in `saliency`, or the baseline does not fit.
        UsageError: as in `saliency`, or an unknown rule, or too few steps.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[3.0, -1.0]])
        >>> row = torch.tensor([[2.0, 5.0]])
        >>> integrated_gradients(layer, row, torch.tensor([0]), baseline=1.0).round(decimals=4)
        tensor([[ 3., -4.]])

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.
    """
    inputs, targets = checked(inputs, targets)
    places, weights = _rule(rule, steps)
    start = _baseline(baseline, inputs)

    def one(module: nn.Module, rows: Tensor, numbers: Tensor) -> Tensor:
        begin, wanted = rows[:, 0], rows[:, 1]
        total, many = torch.zeros_like(begin), max(1, at_once(begin) // max(len(begin), 1))
        for some in range(0, steps, many):
            a = places[some : some + many].to(begin).reshape(-1, *[1] * begin.ndim)
            points = (begin + a * (wanted - begin)).flatten(0, 1)
            slope = slopes(module, points, numbers.repeat(len(a))).unflatten(0, (len(a), -1))
            total += (slope * weights[some : some + many].to(begin).reshape(a.shape)).sum(0)
        return total * (wanted - begin)

    with at_rest(module):
        return by_rows(one, module, torch.stack([start, inputs], 1), targets)


def completeness_gap(
    module: nn.Module, inputs: Tensor, targets: Tensor, maps: Tensor, *,
    baseline: float | Tensor = 0.0,
) -> Tensor:  # fmt: skip
    """How far a map is from adding up to the answer: sum of the map - (y(x) - y(b)), (batch,).

    Args:
        module, inputs, targets: as in `saliency`.
        maps: of the shape of the inputs.
        baseline: as in `integrated_gradients`.

    Example:
        >>> layer, row = nn.Linear(2, 1), torch.ones(1, 2)
        >>> maps = integrated_gradients(layer, row, torch.tensor([0]))
        >>> bool(completeness_gap(layer, row, torch.tensor([0]), maps).abs() < 1e-6)
        True
    """
    inputs, targets = checked(inputs, targets)
    start = _baseline(baseline, inputs)
    with at_rest(module):
        here, there = (by_rows(values_at, module, rows, targets) for rows in (inputs, start))
    return maps.flatten(1).sum(1) - (here - there)


def occlusion(
    module: nn.Module, inputs: Tensor, targets: Tensor, *,
    window: int | tuple[int, ...] | None = None, stride: int | tuple[int, ...] | None = None,
    baseline: float | Tensor = 0.0,
) -> Tensor:  # fmt: skip
    """What an answer loses when a window of the input is covered: y(x) - y(x covered).

    Where windows overlap, a number gets the mean of those that cover it; windows are cut at the
    border. Needs no gradient, so it serves trees and whole numbers too.

    Args:
        module, inputs, targets: as in `saliency`; the inputs may be whole numbers.
        window: its size along each axis of a row; one number stands for each axis but the channels
            of an image. None is a seventh of the side of an image, a step of a sequence, or one
            number.
        stride: how far it moves along each axis; None is half of the window.
        baseline: what covers it, as in `integrated_gradients`.

    Returns:
        Maps of the shape of the inputs, in real numbers.

    Raises:
        InputError: as in `saliency`, or the baseline does not fit.
        UsageError: as in `saliency`, or the window does not fit a row, or the stride the window.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[3.0, -1.0]])
        >>> occlusion(layer, torch.tensor([[2.0, 5.0]]), torch.tensor([0])).round(decimals=4)
        tensor([[ 6., -5.]])

    Source: Zeiler, Fergus 2014, arXiv:1311.2901.
    """
    inputs, targets = checked(inputs, targets, real=False)
    shape = tuple(inputs.shape[1:])
    sizes = _sizes(window, shape)
    masks = list(_windows(shape, sizes, _strides(stride, sizes, shape)))
    start = _baseline(baseline, inputs)

    def one(module: nn.Module, rows: Tensor, numbers: Tensor) -> Tensor:
        begin, wanted = rows[:, 0], rows[:, 1]
        whole = values_at(module, wanted, numbers)
        total = torch.zeros(wanted.shape, dtype=whole.dtype, device=whole.device)
        covers, many = torch.zeros_like(total[:1]), max(1, at_once(wanted) // max(len(wanted), 1))
        for some in range(0, len(masks), many):
            places = masks[some : some + many]
            points = wanted.repeat(len(places), *[1] * wanted.ndim)
            for copy, place in zip(points, places, strict=True):
                copy[(slice(None), *place)] = begin[(slice(None), *place)]
            found = values_at(module, points.flatten(0, 1), numbers.repeat(len(places)))
            for place, value in zip(places, found.reshape(len(places), -1), strict=True):
                lost = (whole - value).reshape(-1, *[1] * len(shape))
                total[(slice(None), *place)] += lost
                covers[(slice(None), *place)] += 1
        return total / covers

    with at_rest(module):
        return by_rows(one, module, torch.stack([start, inputs], 1), targets)


METHODS: Mapping[str, Attributor] = {
    "saliency": saliency,
    "input-x-gradient": input_x_gradient,
    "smooth-grad": smooth_grad,
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
}


def _rule(rule: str, steps: int) -> tuple[Tensor, Tensor]:
    """Points from 0 to 1 and their weights, float64.

    Raises:
        UsageError: an unknown rule, or too few steps.
    """
    whole_number(steps, "steps", 2 if rule == "riemann-trapezoid" else 1, MOST_CALLS)
    if rule == "gauss-legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return torch.from_numpy((1 + points) / 2), torch.from_numpy(weights / 2)
    equal = torch.full((steps,), 1 / steps, dtype=torch.float64)
    middle = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    if rule == "riemann-trapezoid":
        equal = torch.full((steps,), 1 / (steps - 1), dtype=torch.float64)
        equal[[0, -1]] /= 2
        return torch.linspace(0, 1, steps, dtype=torch.float64), equal
    away = {"riemann-left": -0.5, "riemann-middle": 0.0, "riemann-right": 0.5}
    if rule not in away:
        raise UsageError("unknown rule", where="rule", received=repr(rule)[:60],
                         do=f"give {', '.join(RULES)}")  # fmt: skip
    return middle + away[rule] / steps, equal


def _baseline(baseline: float | Tensor, inputs: Tensor) -> Tensor:
    """A baseline as a tensor of the shape of the inputs.

    Raises:
        InputError: it does not fit.
    """
    try:
        given = torch.as_tensor(baseline, dtype=inputs.dtype, device=inputs.device).detach()
        return given.expand(inputs.shape).clone()
    except (RuntimeError, TypeError, ValueError):
        shape = getattr(baseline, "shape", None)
        raise InputError("the baseline does not fit the inputs", where="baseline",
                         received=f"shape {tuple(shape)}" if shape else repr(baseline)[:60],
                         do=f"give a number, or {tuple(inputs.shape[1:])}") from None  # fmt: skip


def _sizes(window: int | tuple[int, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Size of the window along each axis of a row.

    Raises:
        UsageError: it does not fit.
    """
    image = len(shape) == 3
    if window is None:
        side = max(1, round(min(shape[1:]) / 7)) if image else 1
        window = (shape[0], side, side) if image else (1,) * len(shape)
    elif isinstance(window, int):
        window = (shape[0], window, window) if image else (window,) * len(shape)
    fits = len(window) == len(shape)
    if not fits or any(not 1 <= w <= n for w, n in zip(window, shape, strict=True)):
        raise UsageError("the window does not fit a row", where="window",
                         received=repr(window)[:60],
                         do=f"give up to {shape} for its axes")  # fmt: skip
    return window


def _strides(
    stride: int | tuple[int, ...] | None, sizes: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int, ...]:
    """How far the window moves along each axis.

    Raises:
        UsageError: it would leave gaps, or not move.
    """
    if stride is None:
        stride = tuple(max(1, size // 2) for size in sizes)
    elif isinstance(stride, int):
        stride = tuple(min(stride, w) if w == n else stride
                       for w, n in zip(sizes, shape, strict=True))  # fmt: skip
    fits = len(stride) == len(sizes)
    if not fits or any(not 1 <= s <= w for s, w in zip(stride, sizes, strict=True)):
        raise UsageError("the stride does not fit the window", where="stride",
                         received=repr(stride)[:60],
                         do=f"give 1 to {sizes}, so that everything is covered")  # fmt: skip
    return stride


def _windows(
    shape: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    """All places of a window."""
    axes = [
        [slice(at * step, at * step + size) for at in range(-((size - side) // step) + 1)]
        for side, size, step in zip(shape, sizes, strides, strict=True)
    ]
    return product(*axes)
