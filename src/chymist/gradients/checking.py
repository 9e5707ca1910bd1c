"""Gradients against finite differences: is what autograd (or a backward by hand) says true?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError
from chymist.gradients.losses import Loss, as_double, loss_function
from chymist.keys import generator
from chymist.reports.text import table

STEP = 6e-6  # about the cube root of float64's resolution: the best step of a central difference
KINK = 1e-2  # share by which slopes of the two sides differ, above which there is a kink


@dataclass(frozen=True)
class CheckedParameter:
    """One parameter.

    Args:
        name: its dotted name.
        size: how many numbers it holds.
        checked: how many of them were compared.
        kinks: how many of these stand at a kink, where there is no derivative; they do not count.
        error: |analytic - numerical| / max(|analytic|, |numerical|), by the 2-norm.
    """

    name: str
    size: int
    checked: int
    kinks: int
    error: float


@dataclass(frozen=True)
class GradientCheck:
    """What a check of gradients found.

    Args:
        parameters: one entry a parameter.
        tolerance: relative error up to which a gradient is right.
        calls: forward passes that finite differences took; autograd took one, and one backward.
    """

    parameters: tuple[CheckedParameter, ...]
    tolerance: float
    calls: int

    @property
    def wrong(self) -> tuple[CheckedParameter, ...]:
        """Parameters whose gradient is not what finite differences say."""
        return tuple(p for p in self.parameters if not p.error <= self.tolerance)

    @property
    def agrees(self) -> bool:
        """Whether every gradient is right."""
        return not self.wrong

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        if self.wrong:
            worst = max(self.wrong, key=lambda p: (p.error != p.error, p.error))
            return (f"{len(self.wrong)} of {len(self.parameters)} gradients are wrong; the worst "
                    f"is that of '{worst.name}', by {worst.error:.1e} of its size.")  # fmt: skip
        largest = max((p.error for p in self.parameters), default=0.0)
        checked = sum(p.checked - p.kinks for p in self.parameters)
        return (f"All gradients agree with finite differences, to {largest:.1e} of their size "
                f"({checked:,} numbers, {self.calls:,} forward passes).")  # fmt: skip

    def __str__(self) -> str:
        cells = [
            [p.name, f"{p.size:,}", f"{p.checked:,}", f"{p.kinks:,}", f"{p.error:.1e}",
             "" if p.error <= self.tolerance else "wrong"]
            for p in self.parameters
        ]  # fmt: skip
        heads = ["parameter", "size", "checked", "kinks", "error", "verdict"]
        return f"{table(cells, heads, 100)}\n{self.verdict}"


def check(
    model: nn.Module,
    loss: Loss,
    batch: tuple[Tensor, Tensor],
    *,
    entries: int = 100,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of a model with central finite differences, in float64.

    (L(w + h) - L(w - h)) / 2h is computed for some numbers of each parameter. A number whose slopes
    to the left and to the right differ stands at a kink (ReLU at 0): it is counted, not judged.
    The model is copied and stays as it is; random layers draw the same numbers at every call.

    Args:
        model: any module; its mode (training or evaluation) is kept.
        loss: name of a loss, or a function (outputs, targets) -> one number.
        batch: inputs and targets.
        entries: numbers of each parameter that are compared, drawn from the seed; all if there are
            no more.
        tolerance: relative error up to which a gradient is right.
        seed: of the draw.

    Raises:
        InputError: the loss is not one number, or the model has no parameters.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        >>> found = check(model, "cross_entropy", (torch.ones(5, 3), torch.tensor([0, 1, 0, 1, 1])))
        >>> found.agrees
        True

    Source: Goodfellow, Bengio, Courville 2016, Deep learning, section 11.5.
    """
    twin, lossy = _measurable(model, loss, batch)
    named = [(name, p) for name, p in twin.named_parameters() if p.requires_grad]
    if not named:
        raise InputError("the model has no parameters with gradients", where="check")
    total = lossy()
    slopes = torch.autograd.grad(total, [p for _, p in named], allow_unused=True)
    rows = []
    for (name, values), slope in zip(named, slopes, strict=True):
        count = min(entries, values.numel())
        chosen = generator(seed, "check", name).choice(values.numel(), count, replace=False)
        flat = torch.zeros_like(values) if slope is None else slope
        analytic = flat.reshape(-1)[torch.from_numpy(np.sort(chosen))].numpy()
        numerical, smooth = _differences(lossy, values, np.sort(chosen), float(total.detach()))
        rows.append(
            CheckedParameter(name, values.numel(), count, int((~smooth).sum()),
                             _relative(analytic[smooth], numerical[smooth]))
        )  # fmt: skip
    return GradientCheck(tuple(rows), tolerance, 2 * sum(r.checked for r in rows))


def _measurable(
    model: nn.Module, loss: Loss, batch: tuple[Tensor, Tensor]
) -> tuple[nn.Module, Callable[[], Tensor]]:
    """A copy in float64, and its loss on the batch as a function of its parameters."""
    twin = copy.deepcopy(model).cpu().double()
    inputs, targets = (as_double(t) for t in batch)
    compute = loss_function(loss)

    def lossy() -> Tensor:
        with torch.random.fork_rng(devices=[]):  # a layer that drops at random drops the same
            torch.default_generator.manual_seed(0)
            found = compute(twin(inputs), targets)
        if found.numel() != 1:
            received = f"shape {tuple(found.shape)}"
            raise InputError("the loss is not one number", received=received, do="take the mean")
        return found

    return twin, lossy


def _differences(
    lossy: Callable[[], Tensor], values: Tensor, chosen: np.ndarray, middle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes by central differences, and whether both sides agree about them."""
    slopes, smooth = np.empty(len(chosen)), np.empty(len(chosen), bool)
    numbers = values.detach() if values.ndim else values.detach().view(1)
    for row, place in enumerate(zip(*np.unravel_index(chosen, numbers.shape), strict=True)):
        start = float(numbers[place])
        step = STEP * max(1.0, abs(start))
        ends = []
        for way in (step, -step):
            numbers[place] = start + way
            with torch.no_grad():
                ends.append(float(lossy()))
        numbers[place] = start
        right, left = (ends[0] - middle) / step, (middle - ends[1]) / step
        slopes[row] = (ends[0] - ends[1]) / (2 * step)
        noise = 100 * np.finfo(float).eps * max(map(abs, (middle, *ends))) / step
        smooth[row] = not abs(right - left) > KINK * max(abs(right), abs(left)) + noise + step
    return slopes, smooth


def _relative(analytic: np.ndarray, numerical: np.ndarray) -> float:
    size = max(np.linalg.norm(analytic), np.linalg.norm(numerical))
    if not size > 1e-9:  # nothing moves the loss; a slope of rounding is none
        return 0.0 if size == size else float("nan")
    return float(np.linalg.norm(analytic - numerical) / size)
