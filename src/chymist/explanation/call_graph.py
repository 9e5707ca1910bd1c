"""What a model calls for one batch, as a graph: its nodes are calls, within their modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from chymist.reports.event_files import GraphNode


def call_graph(model: nn.Module, inputs: Tensor) -> tuple[GraphNode, ...]:
    """The calls of torch that a model makes for some inputs, with what each takes and its shape.

    Data-dependent flow is followed as these inputs lead it. A module that is called twice has its
    calls twice. The model is called once, as it stands; hooks are removed again.

    Args:
        model: any module, in the mode in which it is to be shown.
        inputs: of a batch, (batch, ...).

    Returns:
        Nodes in the order of the calls: "input", parameters where they are used, calls, "output".

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
        >>> [node.name for node in call_graph(model, torch.zeros(1, 3))]
        ['input', '0-Linear/weight', '0-Linear/bias', '0-Linear/linear', '1-ReLU/relu', 'output']
    """
    names = {name: _place(model, name) for name, _ in model.named_modules()}
    calls = _Calls(model, names)
    calls.note("input", "input", (), inputs)
    with ExitStack() as hooks, torch.no_grad(), calls:
        for name, module in model.named_modules():
            if name:
                for handle in calls.attach(names[name], module):
                    hooks.callback(handle.remove)
        outputs = model(inputs)
    made = [calls.places[id(t)] for t in _tensors([outputs]) if id(t) in calls.places]
    shape = next((tuple(t.shape) for t in _tensors([outputs])), None)
    return (*calls.nodes, GraphNode("output", "output", tuple(dict.fromkeys(made)), shape))


def _place(model: nn.Module, name: str) -> str:
    """Where a module stands: names of the modules that it is part of; numbers with their kinds."""
    parts, module = [], model
    for part in name.split(".") if name else []:
        module = module.get_submodule(part)
        parts.append(f"{part}-{type(module).__name__}" if part.isdecimal() else part)
    return "/".join(parts)


class _Calls(TorchFunctionMode):
    """Notes calls while it is entered; knows in which module they are made."""

    def __init__(self, model: nn.Module, names: dict[str, str]) -> None:
        super().__init__()
        self.nodes: list[GraphNode] = []
        self.places: dict[int, str] = {}
        self._alive: list[Tensor] = []  # a number of an object is not used again while it lives
        self._within: list[str] = []
        self._seen: Counter[str] = Counter()
        given = [*model.named_parameters(), *model.named_buffers()]
        self._given = dict[int, tuple[str, Tensor]]()
        for name, tensor in given:
            module, _, last = name.rpartition(".")
            place = names.get(module, module)
            self._given[id(tensor)] = (f"{place}/{last}" if place else last, tensor)

    def attach(self, name: str, module: nn.Module) -> Iterator[Any]:
        """Hear when a module begins and ends."""
        yield module.register_forward_pre_hook(lambda *_: self._within.append(name))
        yield module.register_forward_hook(lambda *_: self._leave())

    def _leave(self) -> None:
        self._within.pop()

    def note(self, name: str, kind: str, inputs: Iterable[str], made: Tensor) -> None:
        """Add a node, and remember what it made."""
        self._seen[name] += 1
        unique = name if self._seen[name] == 1 else f"{name}_{self._seen[name] - 1}"
        self.nodes.append(GraphNode(unique, kind, tuple(inputs), tuple(made.shape)))
        self.places[id(made)] = unique
        self._alive.append(made)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out a call and note its results."""
        kwargs = kwargs or {}
        taken = list(_tensors([*args, *kwargs.values()]))
        for tensor in taken:
            if id(tensor) in self._given and id(tensor) not in self.places:
                name, given = self._given[id(tensor)]
                kind = "Parameter" if isinstance(given, nn.Parameter) else "Buffer"
                self.note(name, kind, (), given)
        versions = {id(t): t._version for t in taken}
        inputs = tuple(dict.fromkeys(self.places[id(t)] for t in taken if id(t) in self.places))
        results = func(*args, **kwargs)
        for made in _tensors([results]):
            if inputs and versions.get(id(made), -1) != made._version:
                kind = _name(func)
                self.note("/".join([*self._within[-1:], kind]), kind, inputs, made)
        return results


def _name(func: Any) -> str:
    """Name of a call; of an attribute that is looked up ("T"), its own."""
    name = getattr(func, "__name__", "call")
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    return str(name).strip("_") or "call"


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())
