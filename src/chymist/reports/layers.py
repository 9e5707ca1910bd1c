"""A model layer by layer: names, kinds, output shapes and parameter counts of any module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chymist.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Args:
        name: its dotted name within the model; empty for the model itself.
        kind: its class ("Conv2d").
        output_shape: shape of its first output for one input, without the batch; empty if it is
            not called.
        parameters: numbers in its parameters that no row before it has counted.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


def layer_table(model: nn.Module, input_shape: Sequence[int]) -> list[LayerRow]:
    """Trace a model once with two inputs of zeros and list its layers in the order of the calls.

    Layers are modules without children, and modules that hold parameters of their own. A module
    that is called twice has one row, and a parameter that is used twice counts once, so that the
    counts add up to `sum(p.numel() for p in model.parameters())`. The model is left as it was:
    mode, hooks, buffers and the global random state.

    Args:
        model: any module.
        input_shape: shape of one prepared input, without the batch.

    Returns:
        One row a layer; layers with parameters that were not called stand at the end.

    Raises:
        InputError: the model fails on inputs of this shape.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> [(row.kind, row.output_shape, row.parameters) for row in layer_table(model, (3,))]
        [('Linear', (4,), 16), ('ReLU', (4,), 0), ('Linear', (2,), 10)]
    """
    traced = _trace(model, tuple(input_shape))
    called = {id(module) for module, _ in traced}
    names = {id(module): name for name, module in model.named_modules()}
    rest = [(m, ()) for m in model.modules() if id(m) not in called]
    counted: set[int] = set()
    rows = []
    for module, shape in traced + rest:
        own = {id(p): p.numel() for p in module.parameters(recurse=False)}
        fresh = sum(count for key, count in own.items() if key not in counted)
        counted |= own.keys()
        if fresh or (id(module) in called and not any(module.children())):
            rows.append(LayerRow(names[id(module)], type(module).__name__, shape, fresh))
    return rows


def _trace(model: nn.Module, shape: tuple[int, ...]) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Modules in the order in which they are first called, with the shapes of their outputs."""
    import torch

    places: dict[int, tuple[nn.Module, tuple[int, ...]]] = {}

    def before(module: nn.Module, _: Any) -> None:
        places.setdefault(id(module), (module, ()))

    def after(module: nn.Module, _: Any, output: Any) -> None:
        if not places[id(module)][1]:
            places[id(module)] = (module, _shape_of(output))

    first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    inputs = torch.zeros((2, *shape), dtype=first.dtype, device=first.device)
    with _untouched(model), torch.no_grad():
        handles = [m.register_forward_pre_hook(before) for m in model.modules()]
        handles += [m.register_forward_hook(after) for m in model.modules()]
        try:
            _call(model, inputs)
        finally:
            for handle in handles:
                handle.remove()
    return list(places.values())


def _call(model: nn.Module, inputs: Tensor) -> None:
    """Call the model, with whole numbers if it does not take others (an embedding)."""
    try:
        model(inputs)
    except (RuntimeError, TypeError, ValueError, IndexError):
        try:
            model(inputs.long())
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
            raise InputError(
                "the model fails on inputs of this shape",
                received=f"2 inputs of shape {tuple(inputs.shape[1:])}",
                do=f"it says: {reason}",
            ) from None


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards modes, buffers and random state as before."""
    import torch

    modes = [(m, m.training) for m in model.modules()]
    buffers = [
        (m, name, b, b.clone())
        for m in model.modules()
        for name, b in m._buffers.items()
        if b is not None
    ]
    with torch.random.fork_rng(devices=[]):
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for module, name, buffer, content in buffers:
                    module._buffers[name] = buffer.copy_(content)


def _shape_of(output: Any) -> tuple[int, ...]:
    """Shape of the first tensor in an output, without the batch."""
    if hasattr(output, "shape"):
        return tuple(output.shape[1:])
    parts = output.values() if isinstance(output, dict) else output
    if isinstance(output, dict | list | tuple):
        return next((shape for part in parts if (shape := _shape_of(part))), ())
    return ()
