"""What a forward pass costs and sees: multiply-adds, and the receptive field of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# Calls that hand every place on as it is, in another shape or type.
SAME = {
    "view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "expand", "alias", "detach", "clone",
    "_to_copy", "select", "slice", "split", "unsafe_split", "chunk", "cat", "native_dropout",
    "native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit", "lift_fresh",
    "_native_batch_norm_legit_no_training", "_batch_norm_with_update", "_batch_norm_no_update",
}  # fmt: skip
TURNED = {"t", "transpose", "permute", "movedim"}  # the same, in an order that is not followed
REDUCED = {"mean", "sum", "amax", "var", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"}
PRODUCTS = {"mm", "addmm"}
POOLED = {
    "max_pool2d_with_indices", "avg_pool2d", "max_pool3d_with_indices", "avg_pool3d",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """What one place of a tensor sees of the input.

    Args:
        sizes: inputs along each axis.
        jumps: inputs from one place to the next.
        shape: places along each axis; None where their order is not known.
    """

    sizes: tuple[int, ...]
    jumps: tuple[float, ...]
    shape: tuple[int, ...] | None


Seen = Field | Literal["all", "unknown"]


class Meter(TorchDispatchMode):
    """Watches a forward pass while it is entered.

    Args:
        batch: rows of the inputs.

    Attributes:
        multiply_adds: of all products and convolutions so far, for the whole batch.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.batch = batch
        self.multiply_adds = 0
        self._seen: dict[int, Seen] = {}
        self._alive: list[Tensor] = []  # a number of an object is not used again while it lives

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not to be kept out of compiled code: that would import the compiler, for seconds."""
        return False

    def begin(self, inputs: Tensor) -> None:
        """Say what the input is: with two axes or more, each but the first is one of places."""
        self.multiply_adds = 0
        if inputs.ndim > 2:
            ones = (1,) * (inputs.ndim - 2)
            self._put(inputs, Field(ones, ones, tuple(inputs.shape[2:])))

    def windowed(self, given: Tensor, made: Tensor, size: int) -> None:
        """Say that each place of a result sees a window of what was given, in steps of 1."""
        before = self._seen.get(id(given), "unknown")
        if isinstance(before, Field) and before.shape == tuple(given.shape[2:]):
            reach = zip(before.sizes, before.jumps, strict=True)
            sizes = tuple(own + round((size - 1) * jump) for own, jump in reach)
            before = replace(before, sizes=sizes)
        elif isinstance(before, Field):
            before = "unknown"
        self._put(made, before)

    def seen(self, output: Any) -> tuple[int, ...] | Literal["all"] | None:
        """The receptive field of an output; "all" of the input; None where it is not known."""
        found = next((self._seen[id(t)] for t in tensors_in([output]) if id(t) in self._seen), None)
        return found.sizes if isinstance(found, Field) else "all" if found == "all" else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out a call, count it and follow what its result sees."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        packet = func._overloadpacket
        name = packet.__name__
        if name in _COSTS:
            self.multiply_adds += _COSTS[name](args)
        elif packet in flop_registry:
            self.multiply_adds += flop_registry[packet](*args, **kwargs, out_val=result) // 2
        given = [t for t in tensors_in(args) if id(t) in self._seen]
        if given:
            pointwise = torch.Tag.pointwise in func.tags
            for made in tensors_in([result]):
                self._put(made, self._follow(name, pointwise, args, given, made))
        return result

    def _follow(
        self, name: str, pointwise: bool, args: Sequence[Any], given: list[Tensor], made: Tensor
    ) -> Seen:
        before = _joined([self._seen[id(t)] for t in given])
        if not isinstance(before, Field):
            return before
        if pointwise or name in SAME or (name == "_softmax" and args[1] == 1):
            return before
        if name in TURNED:
            return replace(before, shape=None)
        whole = before.shape is not None and _plain(given[0].shape[2:]) == _plain(before.shape)
        if name in PRODUCTS and made.shape[0] == self.batch and before.shape is not None:
            return "all"
        if not whole:
            return "unknown"
        if name in REDUCED and all(n == 1 for n in made.shape[2:]):
            return "all"
        if name in REDUCED:
            return before if made.shape[2:] == before.shape else "unknown"
        return (
            _windowed(name, before, args, made) if name in {*POOLED, "convolution"} else "unknown"
        )

    def _put(self, tensor: Tensor, seen: Seen) -> None:
        self._seen[id(tensor)] = seen
        self._alive.append(tensor)


def _windowed(name: str, before: Field, args: Sequence[Any], made: Tensor) -> Seen:
    """After a convolution or pooling: k more windows of the step before, at s times its step."""
    axes, back = len(before.sizes), False
    if name == "convolution":
        kernel, stride, dilation, back = args[1].shape[2:], args[3], args[5], args[6]
    else:
        kernel, stride = args[1], args[2] if len(args) > 2 and len(args[2]) else args[1]
        dilation = args[4] if name.startswith("max") and len(args) > 4 else [1]
    ends = [_last(list(values), axes) for values in (kernel, stride, dilation)]
    sizes, jumps = [], []
    for size, jump, k, s, d in zip(before.sizes, before.jumps, *ends, strict=True):
        span = d * (k - 1) + 1
        sizes.append(size + round((ceil(span / s) - 1 if back else span - 1) * jump))
        jumps.append(jump / s if back else jump * s)
    return Field(tuple(sizes), tuple(jumps), tuple(made.shape[-axes:]))


def _last(values: list[int], axes: int) -> list[int]:
    """A value for each axis: one for all, or those of the last axes (1-D pooling has one more)."""
    return values * axes if len(values) == 1 else values[-axes:]


def _joined(seen: list[Seen]) -> Seen:
    fields = [s for s in seen if isinstance(s, Field)]
    if len(fields) < len(seen):
        return "unknown" if "unknown" in seen else "all"
    first = fields[0]
    sizes = tuple(max(column) for column in zip(*(f.sizes for f in fields), strict=True))
    alike = all((f.jumps, f.shape) == (first.jumps, first.shape) for f in fields)
    return replace(first, sizes=sizes, shape=first.shape if alike else None)


def _plain(shape: Sequence[int]) -> list[int]:
    return [n for n in shape if n != 1]


def tensors_in(values: Iterable[Any]) -> Iterable[Tensor]:
    """Tensors in values, also in lists, tuples and dictionaries in them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)
        elif isinstance(value, dict):
            yield from tensors_in(value.values())


def _attention(args: Sequence[Any]) -> int:
    """Queries by keys, and shares by values."""
    query, keys, values = (tensor.shape for tensor in args[:3])
    rows = query[:-1].numel() * keys[-2]
    return int(rows * (query[-1] + values[-1]))


def _recurrent(args: Sequence[Any]) -> int:
    """Both matrices of a layer, at each step of each sequence."""
    steps: int = args[0].shape[:2].numel()
    return int(steps * (args[1].numel() + args[2].numel()))


# Fused calls that torch's own list does not hold.
_COSTS: dict[str, Callable[[Sequence[Any]], int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "mkldnn_rnn_layer": _recurrent,
}
