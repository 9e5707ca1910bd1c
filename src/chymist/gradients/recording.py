"""What torch calculates, recorded call by call, with the gradient that comes back to each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor
from torch.overrides import TorchFunctionMode

CONSTANT = "constant"
SIGNS = {
    "add": "+", "sub": "-", "subtract": "-", "mul": "×", "multiply": "×", "div": "/",
    "divide": "/", "true_divide": "/", "truediv": "/", "pow": "^", "float_power": "^",
    "matmul": "@", "mm": "@", "bmm": "@", "mv": "@",
}  # fmt: skip
SETTINGS = ("alpha", "rounding_mode", "out", "dtype")  # of a call, not what it is applied to


@dataclass
class Record:
    """One value: where it comes from, what it is, and later its gradient.

    Args:
        operation: sign or name of what made it; empty for what is given.
        name: name of what is given; empty for what is calculated.
        inputs: positions of the records that it is calculated from.
        value: a copy of the value.
        gradient: of the last value with respect to this one; None if there is none.
    """

    operation: str
    name: str
    inputs: tuple[int, ...]
    value: np.ndarray
    gradient: np.ndarray | None = field(default=None)


class Recorder(TorchFunctionMode):
    """Records calls of torch while it is entered: `with Recorder(given) as recorder`.

    A call is recorded where a user of torch would write it: `linear`, not the products inside of
    it. Only what has a gradient is recorded; other tensors are constants.

    Args:
        given: tensors that the calculation starts from, by name.
    """

    def __init__(self, given: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.records: list[Record] = []
        self._places: dict[int, int] = {}
        self._alive: list[Tensor] = []  # a number of an object is not used again while it lives
        for name, tensor in given.items():
            self._add(Record("", name, (), _copy(tensor)), tensor)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out a call and record its results."""
        kwargs = kwargs or {}
        named = sorted(kwargs, key=lambda name: name not in ("input", "self"))
        operands = [*args, *(kwargs[name] for name in named if name not in SETTINGS)]
        tensors = list(_tensors([*operands, *(kwargs.get(name) for name in SETTINGS)]))
        # As they are before the call, which may work in place.
        new = {id(t): _given(t) for t in tensors if id(t) not in self._places}
        versions = {id(tensor): tensor._version for tensor in tensors}
        results = func(*args, **kwargs)
        for made in _tensors([results]):
            known = id(made) in self._places or id(made) in versions
            changed = versions.get(id(made), made._version) != made._version
            if not made.requires_grad or (known and not changed):
                continue  # no gradient, or handed through as it is
            inputs = tuple(self._place(tensor, new.get(id(tensor))) for tensor in tensors)
            label = _label(_name(func), operands, kwargs)
            self._add(Record(label, "", inputs, _copy(made)), made)
        return results

    def finish(self, last: Tensor) -> list[Record]:
        """Send the gradient back from the last value; what it does not depend on is left out.

        Args:
            last: one number.
        """
        end = self._place(last)
        last.backward()
        needed, waiting = set(), [end]
        while waiting:
            place = waiting.pop()
            if place not in needed:
                needed.add(place)
                waiting += self.records[place].inputs
        order = sorted(needed)
        new = {old: place for place, old in enumerate(order)}
        kept = [self.records[old] for old in order]
        for record in kept:
            record.inputs = tuple(new[old] for old in record.inputs)
        return kept

    def _place(self, tensor: Tensor, new: Record | None = None) -> int:
        """Position of a tensor's record; one that was not seen being made is a constant."""
        if id(tensor) not in self._places:
            record = new or _given(tensor)
            self._add(record, tensor, hook=record.name != CONSTANT)
        return self._places[id(tensor)]

    def _add(self, record: Record, tensor: Tensor, hook: bool = True) -> None:
        self._places[id(tensor)] = len(self.records)
        self._alive.append(tensor)
        self.records.append(record)
        if hook and tensor.requires_grad:
            tensor.register_hook(_keep(record))


def _given(tensor: Tensor) -> Record:
    """A tensor that was not seen being made."""
    return Record("", "unrecorded" if tensor.requires_grad else CONSTANT, (), _copy(tensor))


def _keep(record: Record) -> Callable[[Tensor], None]:
    def hook(gradient: Tensor) -> None:
        record.gradient = _copy(gradient)

    return hook


def _label(name: str, operands: list[Any], settings: Mapping[str, Any]) -> str:
    """A sign, with the number that it takes: "+ 1", "1 /"; otherwise the name of the call."""
    turned = name[0] == "r" and name[1:] in SIGNS
    sign = SIGNS.get(name[1:] if turned else name)
    numbers = [one for one in operands if isinstance(one, Real)]
    if sign is None or (turned and not numbers):
        return name
    if settings.get("rounding_mode"):
        return f"{name}_{settings['rounding_mode']}"
    alpha = settings.get("alpha", 1)
    if len(operands) != 2 or len(numbers) != 1:
        return sign if alpha == 1 else f"{sign} {alpha:g} ×"
    if turned or operands[0] is numbers[0]:
        return f"{numbers[0]:g} {sign}" if alpha == 1 else f"{numbers[0]:g} {sign} {alpha:g} ×"
    return f"{sign} {alpha * numbers[0]:g}"


def _name(func: Any) -> str:
    """Name of a call; of an attribute that is looked up ("T"), its own."""
    name = getattr(func, "__name__", "call")
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    return name.strip("_") or "call"


def _tensors(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _copy(tensor: Tensor) -> np.ndarray:
    here = tensor.detach().cpu()
    return np.array(here.numpy() if here.is_complex() else here.double().numpy())
