"""A deep look at a model: one pass forward and back on fixed rows, which leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from chymist.doctor.reading_loss import FAILS, LossFunction

ROWS = 256  # of a probe: enough that a unit which fires for 1 % of the rows is seen in 92 % of looks
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Threshold, nn.Hardtanh)


@dataclass(frozen=True)
class Layer:
    """What came out of one leaf module.

    Args:
        name: in the model.
        kind: of the module, as "ReLU".
        mean, deviation: over all values.
        silent: share of its units that are 0 on every row.
        zeros: share of all values that are 0.
        saturated: share of its units that are at the rails of a sigmoid or tanh on 90 % of the rows.
        units: their number.
    """

    name: str
    kind: str
    mean: float
    deviation: float
    silent: float
    zeros: float
    saturated: float
    units: int


@dataclass(frozen=True)
class Probe:
    """What a deep look saw.

    Args:
        step: when.
        loss: of the fixed rows in eval() mode; train_loss in train() mode.
        outputs: of the model for them, in eval() mode.
        layers: in the order in which they work.
        gradients: norm of the gradient of each trained parameter, by name, in train() mode.
        weights: norm of each trained parameter.
    """

    step: int
    loss: float
    train_loss: float
    outputs: Tensor
    layers: tuple[Layer, ...]
    gradients: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)


def probe(model: nn.Module, loss_fn: LossFunction, inputs: Tensor, targets: Tensor,
          step: int) -> Probe | None:  # fmt: skip
    """Look at a model on fixed rows.

    Args:
        model: is left as it was: modes, buffers, gradients, random state, hooks.
        loss_fn: of (outputs, targets).
        inputs, targets: the rows, the same at every look.
        step: of the run, for the record.

    Returns:
        None if the model or the loss cannot take the rows.
    """
    layers: list[Layer] = []
    try:
        with untouched(model):
            with listening(model, layers), torch.no_grad():
                model.eval()
                outputs = model(inputs)
                loss = float(loss_fn(outputs, targets))
            named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
            model.train()
            value = loss_fn(model(inputs), targets)
            found = torch.autograd.grad(value, [p for _, p in named], allow_unused=True)
    except FAILS:
        return None
    return Probe(
        step, loss, float(value.detach()), outputs.detach().clone(), tuple(layers),
        {n: float(g.norm()) for (n, _), g in zip(named, found, strict=True) if g is not None},
        {n: float(p.detach().norm()) for n, p in named},
    )  # fmt: skip


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Whatever is done to modes, buffers and random states inside is undone afterwards."""
    modes = [(m, m.training) for m in model.modules()]
    buffers = [(b, b.detach().clone()) for b in model.buffers()]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for buffer, values in buffers:
                    buffer.copy_(values)


@contextmanager
def listening(model: nn.Module, layers: list[Layer]) -> Iterator[None]:
    """Note what comes out of the leaf modules while this is open."""
    handles = []
    for name, module in model.named_modules():
        if not list(module.children()):
            handles.append(module.register_forward_hook(_noting(name, layers)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _noting(name: str, layers: list[Layer]) -> Callable[..., None]:
    def note(module: nn.Module, inputs: object, output: object) -> None:
        values = output[0] if isinstance(output, tuple) else output
        if isinstance(values, Tensor) and values.is_floating_point() and values.ndim >= 2:
            layers.append(_described(name, module, values.detach()))

    return note


def _described(name: str, module: nn.Module, values: Tensor) -> Layer:
    """Numbers about the output (rows, units) or (rows, channels, ...) of a layer."""
    units = values.transpose(1, -1).flatten(0, -2) if values.ndim > 2 else values
    zero = units == 0
    low, high = {nn.Sigmoid: (0.01, 0.99), nn.Tanh: (-0.99, 0.99)}.get(
        type(module), (float("-inf"), float("inf"))
    )  # the thresholds of SageMaker Debugger and TheDeepChecker
    railed = ((units < low) | (units > high)).float().mean(0) > 0.9
    return Layer(
        name, type(module).__name__, float(units.mean()), float(units.std()),
        float(zero.all(0).float().mean()), float(zero.float().mean()),
        float(railed.float().mean()), units.shape[1],
    )  # fmt: skip
