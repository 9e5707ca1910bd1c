"""A model layer by layer: shapes, parameters, multiply-adds and receptive fields of any module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from chymist.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Receptive = tuple[int, ...] | Literal["all"] | None


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Args:
        name: its dotted name within the model; empty for the model itself.
        kind: its class ("Conv2d").
        output_shape: shape of its first output for one input, without the batch; empty if it is
            not called.
        parameters: numbers in its parameters that no row before it has counted, and what a solved
            model holds in its buffers.
        biases: how many of these are in parameters whose name says bias.
        multiply_adds: of its products and convolutions, for one input (a multiply-add is two
            floating-point operations).
        receptive_field: inputs that one place of the output depends on, along each axis; "all" of
            them; None where there are no places, or where it cannot be followed.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    biases: int = 0
    multiply_adds: int = 0
    receptive_field: Receptive = None

    @property
    def units(self) -> int:
        """Neurons: numbers in the output for one input."""
        return prod(self.output_shape) if self.output_shape else 0


def layer_table(
    model: nn.Module, input_shape: Sequence[int], costs: bool = False
) -> list[LayerRow]:
    """Trace a model once with two inputs of zeros and list its layers in the order of the calls.

    Layers are modules without children, and modules that hold parameters or carry out products of
    their own. A module that is called twice has one row, and a parameter that is used twice counts
    once; solved models have theirs in buffers, so that the counts add up to `count_fitted(model)`.
    The model is left as it was: mode, hooks, buffers and the global random state. On the device
    "meta" nothing is calculated, so that a model of any size is listed at once.

    Args:
        model: any module.
        input_shape: shape of one prepared input, without the batch.
        costs: whether multiply-adds and receptive fields are followed.

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
    from chymist.models.counting import numbers_of  # brings torch
    from chymist.reports.tracing import Call, calls_of

    traced: dict[int, Call] = {}
    spent: dict[int, int] = {}
    names = {id(module): name for name, module in model.named_modules()}
    for call in calls_of(model, tuple(input_shape), costs):
        if id(call.module) in names:
            traced.setdefault(id(call.module), call)
            spent[id(call.module)] = spent.get(id(call.module), 0) + call.own // 2
    rest = [Call(m, "", -1) for m in model.modules() if id(m) not in traced]
    counted: set[int] = set()
    rows = []
    for call in [*traced.values(), *rest]:
        module = call.module
        own = [(n, p) for n, p in module.named_parameters(recurse=False) if id(p) not in counted]
        counted |= {id(p) for _, p in own}
        fresh = sum(p.numel() for _, p in own) + numbers_of(module)
        leaf = id(module) in traced and not any(module.children())
        if fresh or leaf or spent.get(id(module)):
            rows.append(
                LayerRow(
                    names[id(module)], type(module).__name__, call.shape[1:], fresh,
                    sum(p.numel() for n, p in own if "bias" in n),
                    spent.get(id(module), 0), call.receptive_field,
                )
            )  # fmt: skip
    return rows


def call_with_zeros(run: Callable[[Tensor], Any], inputs: Tensor) -> None:
    """Call a model, with whole numbers if it does not take others (an embedding).

    Raises:
        InputError: it takes neither.
    """
    try:
        run(inputs)
    except (RuntimeError, TypeError, ValueError, IndexError):
        try:
            run(inputs.long())
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise refused(error, tuple(inputs.shape[1:])) from None


def refused(error: Exception, shape: Sequence[int], rows: str = "2 inputs of shape") -> InputError:
    """What to say when a model fails on inputs.

    Args:
        error: what it raised.
        shape: of one input.
        rows: how many inputs, in words.
    """
    reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
    return InputError("the model fails on inputs of this shape",
                      received=f"{rows} {tuple(shape)}", do=f"it says: {reason}")  # fmt: skip


@contextmanager
def plain_attention() -> Iterator[None]:
    """Attention in its single products, which can be counted, instead of one fused call."""
    import torch

    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


@contextmanager
def untouched(model: nn.Module, training: bool) -> Iterator[None]:
    """One mode for a while; afterwards modes, buffers and random state as before."""
    import torch

    modes = [(m, m.training) for m in model.modules()]
    buffers = [
        (m, name, b, b.clone())
        for m in model.modules()
        for name, b in m._buffers.items()
        if b is not None
    ]
    with torch.random.fork_rng(devices=[]):
        model.train(training)
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for module, name, buffer, content in buffers:
                    module._buffers[name] = buffer.copy_(content)
