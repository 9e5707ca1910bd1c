"""One forward pass written down: which modules are called, what flows between operations."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.nn.utils.parametrize import ParametrizationList
from torch.overrides import TorchFunctionMode

from chymist.errors import InputError
from chymist.models.unshared import Unshared2d
from chymist.reports.layers import Receptive, call_with_zeros, plain_attention, untouched
from chymist.reports.metering import Meter, tensors_in

# Calls that look at values, so that what is calculated next may depend on them.
READS = {"bool", "int", "float", "index", "complex", "item", "tolist", "numpy", "equal", "allclose"}
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One call of a torch function, or of a module that hides what it does.

    Args:
        name: of the function ("relu"); of an input its name.
        call: position of the module call that it happens in.
        inputs: position and whole shape of each tensor that flows in; constants do not flow.
        shapes: whole shapes of its results.
        fed: whether it depends on the inputs of the model.
        parameters: what it uses of the model's own, by identity.
        multiply_adds: for the whole batch.
        receptive_field: of its first result.
        memory: bytes of results that have a place of their own.
    """

    name: str
    call: int
    inputs: tuple[tuple[int, Shape], ...] = ()
    shapes: tuple[Shape, ...] = ()
    fed: bool = True
    parameters: tuple[int, ...] = ()
    multiply_adds: int = 0
    receptive_field: Receptive = None
    memory: int = 0


@dataclass
class Call:
    """One call of a module.

    Args:
        module: the module.
        name: its dotted name within the model; if the model does not list it, its own or its class.
        parent: position of the call that it happens in; -1 of the model itself.
        shape: whole shape of its first output.
        multiply_adds: for the whole batch, with those of modules inside of it.
        own: of these, those outside of the modules inside of it.
        receptive_field: of its first output.
        result: position of the operation that its first output comes from, or None.
        opaque: whether it calculates in ways that were not seen.
    """

    module: nn.Module
    name: str
    parent: int
    shape: Shape = field(default=(), init=False)
    multiply_adds: int = field(default=0, init=False)
    own: int = field(default=0, init=False)
    receptive_field: Receptive = field(default=None, init=False)
    result: int | None = field(default=None, init=False)
    opaque: bool = field(default=False, init=False)


@dataclass
class Trace:
    """A forward pass.

    Args:
        batch: rows of the inputs.
        calls: of modules, in order; the first is the model.
        operations: in order; the first are the inputs.
        outputs: position and whole shape of what the model returns.
        reads: calls that look at values that depend on the inputs.
        strangers: numbers in parameters that are used and that the model does not list.
    """

    batch: int
    calls: list[Call] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    outputs: list[tuple[int, Shape]] = field(default_factory=list)
    reads: set[int] = field(default_factory=set)
    strangers: dict[int, int] = field(default_factory=dict)


def trace(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None,
    batch: int = 2, costs: bool = True,
) -> Trace:  # fmt: skip
    """Call a model once in evaluation mode and write down what happens; it stays as it was.

    Tensors are known by their identity; what is changed in place is followed through its storage.
    Modules in plain lists are seen too.

    Args:
        model: any module.
        args, kwargs: what it is called with.
        batch: rows of the inputs.
        costs: whether multiply-adds and receptive fields are followed.

    Returns:
        The trace.

    Raises:
        InputError: it has lazy layers, which have no sizes before their first batch.
        Exception: whatever the model raises.

    Example:
        >>> found = trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (torch.zeros(2, 3),))
        >>> [call.name for call in found.calls], [done.name for done in found.operations]
        (['', '0', '1'], ['input', 'linear', 'relu'])
    """
    if any(isinstance(p, nn.UninitializedParameter) for p in model.parameters()):
        raise InputError("lazy layers have no sizes before their first batch",
                         received=type(model).__name__,
                         do="call the model once on a batch")  # fmt: skip
    meter = Meter(batch)
    given = dict(kwargs or {})
    with untouched(model, training=False), torch.no_grad(), plain_attention():
        recorder = Recorder(model, meter, batch)
        recorder.begin(args, given)
        with recorder.hooked(), meter if costs else nullcontext(), recorder:
            output = model(*args, **given)
        recorder.end(output)
    return recorder.trace


def calls_of(model: nn.Module, shape: Sequence[int], costs: bool) -> list[Call]:
    """Calls of modules on two inputs of zeros.

    Args:
        model: any module.
        shape: of one input.
        costs: whether multiply-adds and receptive fields are followed.

    Raises:
        InputError: the model fails on inputs of this shape.

    Example:
        >>> [call.shape for call in calls_of(nn.Linear(3, 4), (3,), costs=False)]
        [(2, 4)]
    """
    found: list[Call] = []

    def run(given: Tensor) -> None:
        found[:] = trace(model, (given,), batch=2, costs=costs).calls

    first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    call_with_zeros(run, torch.zeros((2, *shape), dtype=first.dtype, device=first.device))
    return found


class Recorder(TorchFunctionMode):
    """Writes calls of torch and of modules into a trace while it is entered.

    Args:
        model: the module that is traced.
        meter: counts what is calculated.
        batch: rows of the inputs.
    """

    def __init__(self, model: nn.Module, meter: Meter, batch: int) -> None:
        super().__init__()
        self.trace = Trace(batch)
        self._meter = meter
        self._names = {id(module): name for name, module in model.named_modules()}
        self._inputs = list(inspect.signature(model.forward).parameters)
        self._own = {id(p): p for p in model.parameters()}
        self._made: dict[int, int] = {}  # operation that a tensor comes from
        self._written: dict[int, int] = {}  # operation that last changed a storage
        self._alive: list[Any] = []  # a number of an object is not used again while it lives
        self._stack: list[int] = []
        self._open: list[tuple[int, int]] = []  # operations and cost when a call began
        self._inner: list[int] = []  # cost of the modules inside of each open call
        self._hidden = 0  # open calls of parametrizations, which belong to their layer
        self._paused = False
        self._thread = threading.get_ident()

    def begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Say what the inputs are."""
        names = self._inputs if len(args) > 1 else ["input"]
        names = names + ["input"] * len(args)
        named = [*zip(names, args, strict=False), *kwargs.items()]
        tensors = [(name, t) for name, value in named for t in tensors_in([value])]
        for name, tensor in tensors:
            if id(tensor) in self._made:  # given twice
                continue
            done = Operation(name, -1, shapes=_shapes([tensor]), memory=_bytes(tensor))
            self._add(done, [tensor])
        if len(tensors) == 1:
            self._meter.begin(tensors[0][1])

    def end(self, output: Any) -> None:
        """Say what the model returned."""
        made = [(self._source(t), tuple(t.shape)) for t in tensors_in([output])]
        self.trace.outputs = [(place, shape) for place, shape in made if place is not None]

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Listen to the calls of all modules, those that the model does not list too."""
        handles = [
            modules.register_module_forward_pre_hook(self._before),
            modules.register_module_forward_hook(self._after, with_kwargs=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
                # torch forgets this one, and warns ever after that there are hooks.
                modules._global_forward_hooks_with_kwargs.pop(handle.id, None)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry out a call and write it down."""
        kwargs = kwargs or {}
        if self._paused or not self._stack or threading.get_ident() != self._thread:
            return func(*args, **kwargs)
        tensors = list(tensors_in([args, kwargs]))
        versions = {id(tensor): _version(tensor) for tensor in tensors}
        places = [(self._source(tensor), tuple(tensor.shape)) for tensor in tensors]
        flows = tuple(dict.fromkeys((at, shape) for at, shape in places if at is not None))
        spent = self._meter.multiply_adds
        result = func(*args, **kwargs)
        name = name_of(func)
        if name == "iter":  # of its rows, which are walked once
            rows = list(result)
            self._note(name, rows, flows, tensors, spent)
            return iter(rows)
        changed = [t for t in tensors if _version(t) != versions[id(t)]]
        if tensors and tensors[0].is_inference() and result is tensors[0]:  # it has no versions
            changed = tensors[:1]
        fresh = [t for t in tensors_in([result]) if id(t) not in versions]
        if changed or fresh:
            self._note(name, [*fresh, *changed], flows, tensors, spent)
            for tensor in changed:
                self._written[storage_of(tensor)] = len(self.trace.operations) - 1
        elif name in READS and any(self.trace.operations[at].fed for at, _ in flows):
            self.trace.reads.add(self._stack[-1])
        return result

    def _note(
        self, name: str, results: list[Tensor], flows: tuple[tuple[int, Shape], ...],
        tensors: list[Tensor], spent: int,
    ) -> None:  # fmt: skip
        if not results:
            return
        used = dict.fromkeys(id(t) for t in tensors if id(t) in self._own)
        for tensor in tensors:
            if isinstance(tensor, nn.Parameter) and id(tensor) not in self._own:
                self.trace.strangers[id(tensor)] = tensor.numel()
                self._alive.append(tensor)
        before = {storage_of(tensor) for tensor in tensors}
        own = {storage_of(t): _bytes(t) for t in results if storage_of(t) not in before}
        fed = any(self.trace.operations[at].fed for at, _ in flows)
        self._add(
            Operation(
                name, self._stack[-1], flows, _shapes(results), fed, tuple(used),
                self._meter.multiply_adds - spent, self._meter.seen(results[0]), sum(own.values()),
            ),
            results,
        )  # fmt: skip

    def _add(self, done: Operation, results: list[Tensor]) -> None:
        for tensor in results:
            self._made[id(tensor)] = len(self.trace.operations)
            self._alive.append(tensor)
        self.trace.operations.append(done)

    def _source(self, tensor: Tensor) -> int | None:
        """The operation that a tensor comes from; None of what is given with the model."""
        made = self._made.get(id(tensor), -1)
        last = max(made, self._written.get(storage_of(tensor), -1))
        return last if last >= 0 else None

    def _before(self, module: nn.Module, _: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if self._hidden or isinstance(module, ParametrizationList):
            self._hidden += 1
            return
        name = self._names.get(id(module), str(getattr(module, "name", type(module).__name__)))
        self.trace.calls.append(Call(module, name, self._stack[-1] if self._stack else -1))
        self._stack.append(len(self.trace.calls) - 1)
        self._open.append((len(self.trace.operations), self._meter.multiply_adds))
        self._inner.append(0)

    def _after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        if threading.get_ident() != self._thread:
            return None
        if self._hidden:
            self._hidden -= 1
            return None
        while self.trace.calls[self._stack[-1]].module is not module:
            self._leave()  # it ended in an error that its caller caught
        if isinstance(module, Unshared2d):  # its windows are taken apart on the way
            self._meter.windowed(args[0], output, module.side)
        call, begun = self.trace.calls[self._stack[-1]], self._open[-1][0]
        replaced = self._attributed(call, begun, list(tensors_in([args, kwargs])), output)
        made = list(tensors_in([output if replaced is None else replaced]))
        if made:
            call.shape, call.result = tuple(made[0].shape), self._source(made[0])
            call.receptive_field = self._meter.seen(made[0])
        self._leave()
        return replaced

    def _leave(self) -> None:
        call, (_, start) = self.trace.calls[self._stack.pop()], self._open.pop()
        call.multiply_adds = self._meter.multiply_adds - start
        call.own = call.multiply_adds - self._inner.pop()
        if self._inner:
            self._inner[-1] += call.multiply_adds

    def _attributed(self, call: Call, begun: int, given: list[Tensor], output: Any) -> Any:
        """Make outputs that no operation inside of the call explains results of the call itself.

        What hands its input through (an identity, dropout in evaluation mode) gives an alias of it
        instead, so that who uses the output and who uses the input can be told apart.
        """
        made = list(tensors_in([output]))
        loose = [t for t in made if self._source(t) is None or (self._source(t) or 0) < begun]
        if not loose:
            return None
        call.opaque = all(self._source(t) is None for t in loose) and not isinstance(
            loose[0], nn.Parameter
        )
        replaced = None
        if len(made) == 1 and output is made[0] and not call.opaque:
            self._paused = True
            replaced = output.view_as(output)
            self._paused = False
            loose = [replaced]
        places = [(self._source(t), tuple(t.shape)) for t in given]
        flows = tuple(dict.fromkeys((at, shape) for at, shape in places if at is not None))
        fed = any(self.trace.operations[at].fed for at, _ in flows)
        used = (
            [id(p) for p in call.module.parameters() if id(p) in self._own] if call.opaque else []
        )
        done = Operation("", self._stack[-1], flows, _shapes(loose), fed, tuple(used),
                         receptive_field=self._meter.seen(loose[0]))  # fmt: skip
        self._add(done, loose)
        return replaced


def name_of(function: Any) -> str:
    """Name of a torch function; of an attribute that is looked up ("T"), its own.

    Example:
        >>> name_of(torch.relu), name_of(Tensor.__add__), name_of(Tensor.T.__get__)
        ('relu', 'add', 'T')
    """
    name = getattr(function, "__name__", "call")
    if name == "__get__":
        name = getattr(getattr(function, "__self__", None), "__name__", name)
    return name.strip("_") or "call"


def storage_of(tensor: Tensor) -> int:
    """What tells the memory of a tensor apart from that of others, views of it excepted."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except RuntimeError:  # also what torch has not implemented: sparse ones have none of their own
        return -id(tensor)


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _shapes(tensors: list[Tensor]) -> tuple[Shape, ...]:
    return tuple(tuple(tensor.shape) for tensor in tensors)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
