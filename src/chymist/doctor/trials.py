"""Trials: copies of somebody's model, trained by a plain loop of our own with one thing changed.

A trial starts from the weights that the user's model had before its first step and takes the same
rows, the same loss and a fresh optimiser of the same kind and options. So what differs between two
trials is what was changed, and the seed of order and dropout.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import torch
from torch import nn

from chymist.doctor.preflight import Rows
from chymist.doctor.probing import device_of, first_tensor
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.restoring import COPIED, untouched
from chymist.engine.events import Step
from chymist.engine.loop import Program, State, train
from chymist.engine.randomness import foreign_randomness
from chymist.engine.rows import InMemory
from chymist.errors import Diverged

MEASURED = 512  # rows on which a loss is measured, from all over the set
BATCH = 32  # rows of a step where nobody says


@dataclass(frozen=True, eq=False)
class Setup:
    """What a trial is made of.

    Args:
        model: a copy, with its initial weights; never trained itself.
        optimizer: kind of the optimiser.
        groups: its groups: options, and under "params" names of parameters.
        rates: learning rate of each step, as often as it was seen.
        loss_fn: of (outputs, targets).
        train: inputs and targets.
        batch_size: rows of a step.
        clip: norm to which gradients are clipped, or None.
    """

    model: nn.Module
    optimizer: type[torch.optim.Optimizer]
    groups: tuple[Mapping[str, Any], ...]
    loss_fn: LossFunction
    train: Rows
    batch_size: int = BATCH
    rates: list[float] = field(default_factory=list)
    clip: float | None = None


def setup_of(
    model: nn.Module, optimizer: object, loss_fn: LossFunction | None, train: Rows | None,
    batch_size: int | None,
) -> Setup | None:  # fmt: skip
    """What trials need, before the first step; None where trials cannot be made.

    They cannot without optimiser, loss or rows, for lazy or very large models, for models with
    hooks, which may write elsewhere, and for optimisers that also train something else, or whose
    groups differ in their rate.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> rows = torch.zeros(4, 2), torch.zeros(4, 1)
        >>> made = setup_of(model, torch.optim.SGD(model.parameters(), 0.1), nn.MSELoss(), rows, 2)
        >>> made.groups[0]["lr"], made.groups[0]["params"]
        (0.1, ['weight', 'bias'])
    """
    if not isinstance(optimizer, torch.optim.Optimizer) or loss_fn is None or train is None:
        return None
    names = {id(p): name for name, p in model.named_parameters()}
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    rates = {group.get("lr") for group in optimizer.param_groups if isinstance(group, dict)}
    hooked = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks
                 or m._backward_pre_hooks for m in model.modules())  # fmt: skip
    large = sum(p.numel() for p in model.parameters() if not _lazy(p)) > COPIED
    if (hooked or large or not set(held) <= names.keys() or len(rates) > 1
            or any(_lazy(p) for p in model.parameters())):  # fmt: skip
        return None
    groups = tuple({**group, "params": [names[id(p)] for p in group["params"]]}
                   for group in optimizer.param_groups)  # fmt: skip
    with untouched(model, loss_fn):
        try:
            return Setup(copy.deepcopy(model), type(optimizer), groups, loss_fn, train,
                         batch_size or BATCH)  # fmt: skip
        except FAILS:
            return None


def _lazy(parameter: nn.Parameter) -> bool:
    return isinstance(parameter, nn.parameter.UninitializedParameter)


@dataclass(frozen=True)
class Tried:
    """What came of a trial.

    Args:
        name: of it.
        loss: of fixed training rows, in eval() mode; infinite if it diverged.
        course: losses of its batches.
        steps: that it took.
    """

    name: str
    loss: float
    course: tuple[float, ...] = ()
    steps: int = 0


def attempt(name: str, setup: Setup, steps: int, seed: int, seconds: float) -> Tried | None:
    """Train a copy for some steps.

    Args:
        name: of the trial.
        setup: what it is made of.
        steps: of the optimiser.
        seed: of order and dropout.
        seconds: that it may take.

    Returns:
        What came of it; None if it took too long, or if the model refuses.
    """
    began, course = perf_counter(), list[float]()
    with foreign_randomness(seed), untouched(setup.model, setup.loss_fn):
        try:
            model = copy.deepcopy(setup.model)
            program, state = _program(setup, model, steps, seed)
            for event in train(program, state):
                if perf_counter() - began > seconds:
                    return None
                if isinstance(event, Step):
                    course.append(event.loss)
            return Tried(name, loss_of(model, setup), tuple(course), len(course))
        except Diverged:
            return Tried(name, math.inf, tuple(course), steps)
        except FAILS:
            return None


def _program(setup: Setup, model: nn.Module, steps: int, seed: int) -> tuple[Program, State]:
    """The loop's own nouns for a copy of the model."""
    named, device = dict(model.named_parameters()), device_of(model)
    groups = [{**group, "params": [named[n] for n in group["params"]]} for group in setup.groups]
    optimizer = setup.optimizer(groups)  # type: ignore[call-arg]
    rates = setup.rates or [float(setup.groups[0]["lr"])]
    top = max(rates) or 1.0

    def clip() -> object:
        assert setup.clip is not None
        return nn.utils.clip_grad_norm_(model.parameters(), setup.clip)

    program = Program(
        InMemory(setup.train[0].to(device), setup.train[1].to(device)),
        lambda one, inputs: one(inputs), setup.loss_fn,
        lambda step: rates[min(len(rates) - 1, step * len(rates) // steps)] / top,
        None if setup.clip is None else clip, lambda one: {}, None, setup.batch_size, steps, seed,
    )  # fmt: skip
    return program, State(model, optimizer, top)


def loss_of(model: nn.Module, setup: Setup) -> float:
    """Loss of fixed training rows in eval() mode; infinite where it is no number."""
    rows = torch.linspace(0, len(setup.train[0]) - 1, min(MEASURED, len(setup.train[0]))).long()
    inputs, targets = (part[rows].to(device_of(model)) for part in setup.train)
    with untouched(model, setup.loss_fn), torch.no_grad():
        model.eval()
        outputs = torch.cat([first_tensor(model(x)) for x in inputs.split(setup.batch_size)])
        loss = float(setup.loss_fn(outputs, targets))
    return loss if math.isfinite(loss) else math.inf


# ---------------------------------------------------------------- what may be changed
def scaled_rate(times: float) -> Callable[[Setup], Setup]:
    """A change of the learning rate."""

    def change(setup: Setup) -> Setup:
        groups = tuple({**g, "lr": float(g["lr"]) * times} for g in setup.groups)
        return replace(setup, groups=groups, rates=[rate * times for rate in setup.rates])

    return change


def standardised(setup: Setup) -> Setup | None:
    """Inputs with mean 0 and deviation 1: of each feature, or of each channel of images."""
    inputs, targets = setup.train
    if not inputs.is_floating_point() or not bool(torch.isfinite(inputs).all()):
        return None
    around = [0, *range(2, inputs.ndim)]
    mean, spread = inputs.mean(around, keepdim=True), inputs.std(around, keepdim=True)
    scale = torch.where(spread > 1e-9, spread, torch.ones_like(spread))
    return replace(setup, train=((inputs - mean) / scale, targets))


def drawn_anew(setup: Setup) -> Setup | None:
    """Weights as the modules draw them by themselves."""
    model, changed = copy.deepcopy(setup.model), False
    with foreign_randomness(0), torch.no_grad():
        for module in model.modules():
            draw = getattr(module, "reset_parameters", None)
            if callable(draw) and any(True for _ in module.parameters(recurse=False)):
                draw()
                changed = True
    return replace(setup, model=model) if changed else None


def set_free(setup: Setup) -> Setup | None:
    """Without weight decay and dropout."""
    model = copy.deepcopy(setup.model)
    drops = [m for m in model.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.p]
    for module in drops:
        module.p = 0.0
    decays = any(group.get("weight_decay") for group in setup.groups)
    groups = tuple({**g, "weight_decay": 0.0} if "weight_decay" in g else g for g in setup.groups)
    return replace(setup, model=model, groups=groups) if drops or decays else None


def clipped(setup: Setup) -> Setup:
    """Gradients clipped to norm 1."""
    return replace(setup, clip=1.0)


def in_large_batches(setup: Setup) -> Setup | None:
    """Eight times as many rows a step."""
    size = min(8 * setup.batch_size, len(setup.train[0]))
    return replace(setup, batch_size=size) if size > setup.batch_size else None


def shallower(setup: Setup) -> Setup | None:
    """A chain of modules without every second layer that has as many outputs as inputs."""
    model = copy.deepcopy(setup.model)
    for chain in [m for m in model.modules() if type(m) is nn.Sequential]:
        parts = _square_parts(list(chain.children()))
        if len(parts) >= 4:  # a tenth layer and more is deep; four square ones are not shallow
            gone = {n for part in parts[::2] for n in part}
            kept = [m for n, m in enumerate(chain.children()) if n not in gone]
            chain._modules.clear()
            for place, module in enumerate(kept):
                chain.add_module(str(place), module)
            return _without(replace(setup, model=model))
    return None


def _square_parts(modules: Sequence[nn.Module]) -> list[list[int]]:
    """Places of layers whose outputs fit their own inputs, each with what follows up to the next.

    Example:
        >>> _square_parts([nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)])
        [[2, 3]]
    """
    heads = [n for n, m in enumerate(modules) if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    found = []
    for at, following in zip(heads, [*heads[1:], len(modules)], strict=True):
        first = modules[at]
        if isinstance(first, nn.Linear):
            square = first.in_features == first.out_features
        else:
            assert isinstance(first, nn.Conv1d | nn.Conv2d)
            inside = 2 * int(first.padding[0]) == first.kernel_size[0] - 1
            square = (first.in_channels == first.out_channels and inside
                      and set(first.stride) == {1})  # fmt: skip
        shaping = any(isinstance(m, nn.Flatten | nn.modules.pooling._MaxPoolNd)
                      for m in modules[at:following])  # fmt: skip
        if square and not shaping and following < len(modules):
            found.append(list(range(at, following)))
    return found


def _without(setup: Setup) -> Setup | None:
    """The groups, less the parameters that are no longer there (names have moved: all in one)."""
    if len(setup.groups) > 1:
        return None
    names = [name for name, p in setup.model.named_parameters() if p.requires_grad]
    return replace(setup, groups=({**setup.groups[0], "params": names},))


Change = Callable[[Setup], Setup | None]
CHANGES: Mapping[str, Change] = {
    "lr x 0.1": scaled_rate(0.1), "lr x 0.01": scaled_rate(0.01), "lr x 10": scaled_rate(10.0),
    "lr x 100": scaled_rate(100.0), "standardised inputs": standardised,
    "weights drawn anew": drawn_anew, "no decay, no dropout": set_free,
    "clipped gradients": clipped, "batch x 8": in_large_batches, "half the depth": shallower,
}  # fmt: skip
