"""A deep look at a model: one pass forward and back on fixed rows, which leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from chymist.doctor.functions import Functions, hearing_functions, is_torchs
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.restoring import put_back
from chymist.doctor.restoring import untouched as untouched

ROWS = (
    256  # of a probe: enough that a unit which fires for 1 % of the rows is seen in 92 % of looks
)
SUMMED = 200_000  # values of a layer whose mean, deviation and zeros are taken
Guard = Callable[[], AbstractContextManager[object]]
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Threshold, nn.Hardtanh)


@dataclass(frozen=True)
class Layer:
    """What came out of one leaf module, or of one call of an activation function.

    Args:
        name: in the model; of a function that of the module around it and its own: "block.relu".
        kind: of the module, as "ReLU"; of a function that of the module which does the same.
        mean, deviation: over all values, or of the larger layers those of some rows.
        silent: share of its units that are 0 on every row.
        zeros: share of these values that are 0.
        saturated: share of its units that are at the rails of a sigmoid or tanh on 90 % of rows.
        units: their number.
        rate: of a dropout that is called as a function.
        some: of its values a copy, if they were asked for.
    """

    name: str
    kind: str
    mean: float
    deviation: float
    silent: float
    zeros: float
    saturated: float
    units: int
    rate: float = 0.0
    some: Tensor | None = None


@dataclass(frozen=True)
class Probe:
    """What a deep look saw.

    Args:
        step: when.
        loss: of the fixed rows in eval() mode; train_loss in train() mode.
        outputs: of the model for them, in eval() mode; targets: of the same rows.
        layers: in the order in which they work.
        gradients: norm of the gradient of each trained parameter, by name, in train() mode.
        weights: norm of each trained parameter.
    """

    step: int
    loss: float
    train_loss: float
    outputs: Tensor
    targets: Tensor
    layers: tuple[Layer, ...]
    gradients: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)


def probe(model: nn.Module, loss_fn: LossFunction, inputs: Tensor, targets: Tensor,
          step: int, modes: Sequence[bool] = (), inside: bool = False) -> Probe | None:  # fmt: skip
    """Look at a model on fixed rows.

    Args:
        model: is left as it was: modes, buffers, gradients, random states, hooks.
        loss_fn: of (outputs, targets).
        inputs, targets: the rows, the same at every look.
        step: of the run, for the record.
        modes: `training` of all modules while the run trains; none: what `model.train()` gives,
            or the modes as they are if the model is in training mode.
        inside: whether this is one of several looks inside of `untouched`.

    Returns:
        None if the model or the loss cannot take the rows.

    Example:
        >>> look = probe(nn.Linear(3, 2), nn.functional.cross_entropy, torch.zeros(5, 3),
        ...              torch.zeros(5, dtype=torch.long), step=0)
        >>> look.outputs.shape, sorted(look.gradients)
        (torch.Size([5, 2]), ['bias', 'weight'])
    """
    layers: list[Layer] = []
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    inputs, targets = (part.to(device_of(model)) for part in (inputs, targets))
    modules = list(model.modules())
    training = model.training
    try:
        with put_back(model) if inside else untouched(model, loss_fn):
            kept = list(modes) if len(modes) == len(modules) else [m.training for m in modules]
            with listening(model, layers), torch.no_grad():
                model.eval()
                said = model(inputs)
                loss = float(loss_fn(said, targets))
            outputs = first_tensor(said).detach().to("cpu", copy=True)
            if modes or training:
                for module, mode in zip(modules, kept, strict=True):
                    module.training = mode
            else:
                model.train()
            value = loss_fn(model(inputs), targets)
            found = _gradients(value, [p for _, p in named])
            sizes = norms([g for g in found if g is not None])
            weights = dict(zip((n for n, _ in named), norms([p for _, p in named]), strict=True))
    except FAILS:
        return None
    arrived = [n for (n, _), g in zip(named, found, strict=True) if g is not None]
    pulls = dict(zip(arrived, sizes, strict=True))
    return Probe(
        step, loss, float(value.detach()), outputs, targets.cpu(), tuple(layers), pulls, weights,
    )  # fmt: skip


def _gradients(value: Tensor, parameters: list[nn.Parameter]) -> Sequence[Tensor | None]:
    """Gradients that leave `.grad` as it is; none where nothing is trained."""
    if not parameters or not value.requires_grad:
        return [None] * len(parameters)
    return torch.autograd.grad(value, parameters, allow_unused=True)


def norms(tensors: Sequence[Tensor]) -> list[float]:
    """Euclidean norms, with one wait for the device.

    Example:
        >>> norms([torch.tensor([3.0, 4.0]), torch.zeros(2)])
        [5.0, 0.0]
    """
    if not tensors:
        return []
    dense = [t.detach().coalesce().values() if t.is_sparse else t.detach() for t in tensors]
    found = [
        torch.linalg.vector_norm(t, dtype=None if t.element_size() >= 4 else torch.float32)
        for t in dense
    ]
    return torch.stack([v.to(found[0].device, torch.float32) for v in found]).tolist()


def device_of(model: nn.Module) -> torch.device:
    """Where the parameters of a model are.

    Example:
        >>> device_of(nn.Linear(2, 1))
        device(type='cpu')
    """
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def first_tensor(said: object) -> Tensor:
    """The tensor that a model gives, or the first one of several; "logits" come first.

    Raises:
        TypeError: if there is none.

    Example:
        >>> first_tensor({"loss": torch.zeros(()), "logits": torch.zeros(2, 3)}).shape
        torch.Size([2, 3])
    """
    if isinstance(said, Tensor):
        return said
    if isinstance(said, Mapping):
        return first_tensor(said["logits"] if "logits" in said else list(said.values()))
    for part in said if isinstance(said, tuple | list) else ():
        if isinstance(part, Tensor):
            return part
    raise TypeError("no tensor")


@contextmanager
def listening(
    model: nn.Module, layers: list[Layer], keep: int = 0, guard: Guard = nullcontext
) -> Iterator[None]:
    """Note what comes out of leaf modules and activation functions while this is open.

    If a function was the last that was heard and the model's output is another tensor, that output
    is noted too: the function is not the model's head.

    Args:
        model: is called inside.
        layers: get what was heard.
        keep: how many values of a layer are kept, evenly spread.
        guard: surrounds the taking of each note.

    Example:
        >>> model, layers = nn.Sequential(nn.Linear(2, 4), nn.ReLU()), []
        >>> with listening(model, layers):
        ...     _ = model(torch.zeros(3, 2))
        >>> [(layer.name, layer.kind, layer.units) for layer in layers]
        [('0', 'Linear', 4), ('1', 'ReLU', 4)]
    """
    units = _Units()

    def tell(name: str, kind: str, output: Tensor, rate: float) -> None:
        values = output.detach()
        if values.is_floating_point() and values.ndim >= 1:
            rows = values if values.ndim > 1 else values.unsqueeze(1)
            with guard():
                layers.append(_described(name, kind, rows, units.last, rate, keep))

    with hearing_functions(model, tell) as functions:
        handles = [
            # before the hooks that open the mode again: numbers are taken while it is off
            module.register_forward_hook(
                _noting(name, layers, units, functions, keep, guard), prepend=True
            )
            for name, module in model.named_modules()
            if module is model or not list(module.children())
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _noting(
    name: str, layers: list[Layer], units: _Units, functions: Functions, keep: int, guard: Guard
) -> Callable[..., None]:
    def note(module: nn.Module, inputs: object, output: object) -> None:
        with guard():
            noted(module, output)

    def noted(module: nn.Module, output: object) -> None:
        whole = bool(list(module.children()))
        if whole and functions.last is None:
            return
        values = first_tensor(output) if whole else output
        values = values[0] if isinstance(values, tuple) else values
        if not isinstance(values, Tensor):
            return
        if whole or not is_torchs(module):
            if functions.gave(values):
                return
            if name and not list(module.parameters()):  # x * sigmoid(x): what it does is one layer
                while layers and layers[-1].name.startswith(f"{name}."):
                    layers.pop()
        functions.last = None
        if values.is_floating_point() and values.ndim >= 2:
            kind = type(module).__name__
            axis = units.axis(module, values)
            called = kind if whole else name
            layers.append(_described(called, kind, values.detach(), axis, keep=keep))

    return note


class _Units:
    """Which axis holds the units: the last one behind affine maps, 1 behind convolutions."""

    def __init__(self) -> None:
        self.last = 1

    def axis(self, module: nn.Module, values: Tensor) -> int:
        """Of the output of a module; elementwise ones keep what came before them."""
        if isinstance(module, _LAST):
            self.last = -1
        elif isinstance(module, _FIRST):
            self.last = 1
        return self.last


_LAST = (nn.Linear, nn.Bilinear, nn.Embedding, nn.LayerNorm, nn.RNNBase, nn.MultiheadAttention)
_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.Flatten)
# The thresholds of SageMaker Debugger and TheDeepChecker.
_RAILS = {"Sigmoid": (0.01, 0.99), "Tanh": (-0.99, 0.99)}


def _described(
    name: str, kind: str, values: Tensor, axis: int, rate: float = 0.0, keep: int = 0
) -> Layer:
    """Numbers about the output (rows, ..., units) or (rows, units, ...) of a layer."""
    values = values.float()
    others = [d for d in range(values.ndim) if d != axis % values.ndim]
    silent = (values.amax(others) == 0) & (values.amin(others) == 0)
    some = values[:: -(-values.numel() // SUMMED)]
    railed = 0.0
    if kind in _RAILS:
        low, high = _RAILS[kind]
        often = ((values < low) | (values > high)).float().mean(others) > 0.9
        railed = float(often.float().mean())
    return Layer(
        name, kind, float(some.mean()), float(some.std(unbiased=False)),
        float(silent.float().mean()), float((some == 0).float().mean()),
        railed, len(silent), rate, _few(values, keep) if keep else None,
    )  # fmt: skip


def _few(values: Tensor, most: int) -> Tensor:
    """A copy of so many values, evenly spread."""
    flat = values.reshape(-1)
    return flat[:: -(-len(flat) // most)].clone() if len(flat) else flat
