"""A model called on several inputs: what depends on the data, and what on the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chymist.keys import torch_generator
from chymist.reports.kinds import kind_of
from chymist.reports.layers import refused
from chymist.reports.saying import Say, saying
from chymist.reports.tracing import Trace, trace

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
FAULTS = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError)
ROWS = (2, 3)
ENGLISH = saying("en")


@dataclass(frozen=True)
class Passes:
    """What a model did.

    Args:
        found: one pass.
        other: the same with another number of rows; None where this could not be tried, or took
            another way.
        moved: names and classes of modules whose way is another one for another input.
        rows: whether the way depends on the number of rows.
        reading: names and classes of modules that look at values of their data.
        restless: names and classes of modules whose way is another one for the same input, as of a
            generator that is not torch's, or of compiled code; then the others say nothing.
    """

    found: Trace
    other: Trace | None
    moved: tuple[tuple[str, str], ...] = ()
    rows: bool = False
    reading: tuple[tuple[str, str], ...] = ()
    restless: tuple[tuple[str, str], ...] = ()

    def notes(self, say: Say = ENGLISH) -> list[str]:
        """What a picture of one pass does not show, in sentences.

        Args:
            say: says them.
        """
        said = [
            say(
                "The way through {module} depends on its data: two inputs took different ways, and "
                "this is one of them.",
                module=_called(*one, say),
            )
            for one in self.moved
        ]
        said += [
            say(
                "The way through {module} changes from call to call, for the same input too: this "
                "is one of them.",
                module=_called(*one, say),
            )
            for one in self.restless
        ]
        if self.rows:
            said.append(say("What is calculated depends on the number of rows of a batch."))
        said += [
            say("Values are looked at in {module}, so the way may depend on them.",
                module=_called(*one, say))
            for one in self.reading
            if one not in (*self.moved, *self.restless)
        ]  # fmt: skip
        many = sum(self.found.strangers.values())
        if many:
            said.append(
                say(
                    "Parameters that the model does not list are used, as of modules in a plain "
                    "list ({n} numbers): they are not in its total, and optimisers miss them.",
                    n=f"{many:,}",
                )
            )
        return said


def passes(model: nn.Module, shape: Sequence[int]) -> Passes:
    """Call a model on two kinds of rows, of different numbers.

    All rows of a batch are the same, so that what differs between two batches of one row does so
    for their number.

    Args:
        model: any module.
        shape: of one input.

    Raises:
        InputError: it fails on inputs of this shape.

    Example:
        >>> found = passes(nn.Linear(3, 4), (3,))
        >>> found.found.operations[1].shapes, found.other.operations[1].shapes, found.notes()
        (((2, 4),), ((3, 4),), [])
    """
    shape = tuple(shape)
    first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    free = torch.randn(shape, generator=torch_generator(0, "architecture")).to(first)
    zeros = torch.zeros(shape, dtype=first.dtype, device=first.device)
    failed: Exception | None = None
    for one, another in ((free, -free), (zeros, zeros + 1), (zeros.long(), zeros.long() + 1)):
        rows = _stacked(one, another)
        try:
            found = _traced(model, rows(0, 0), ROWS[0])
        except FAULTS as error:
            failed = failed or error
            continue
        return _compared(model, found, rows)
    assert failed is not None
    raise refused(failed, shape) from None


def passes_on(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Passes:
    """Call a model on inputs that are given, and once more with the signs of numbers turned.

    Args:
        model: any module.
        args, kwargs: what it is called with.

    Raises:
        InputError: it fails on them.
    """
    try:
        found = trace(model, args, kwargs, batch=1)
    except FAULTS as error:
        raise refused(error, (), "the inputs that were given") from None
    turned = _turned(args), _turned(dict(kwargs))
    try:
        second = trace(model, *turned, batch=1, costs=False)
    except FAULTS:
        return Passes(found, None, (), False, _reading(found))
    if _way(found) == _way(second):
        return Passes(found, None, (), False, _reading(found, second))
    again = _tried(model, (args, dict(kwargs)), 1)
    if again is not None and _way(again) != _way(found):
        return _unsettled(found, again)
    return Passes(found, None, (_parting(found, second),), False, _reading(found, second))


def _unsettled(found: Trace, again: Trace) -> Passes:
    """Of two passes on the same input, which took different ways."""
    return Passes(found, None, (), False, _reading(found, again), (_parting(found, again),))


def _stacked(one: Tensor, another: Tensor) -> Callable[[int, int], Arguments]:
    """Inputs by which row is repeated and how often."""

    def rows(kind: int, many: int) -> Arguments:
        row = (one, another)[kind]
        return (row.expand(ROWS[many], *row.shape).clone(),), {}

    return rows


def _compared(model: nn.Module, found: Trace, rows: Callable[[int, int], Arguments]) -> Passes:
    """What changes with the row, and what with the number of rows."""
    second = _tried(model, rows(1, 0), ROWS[0])
    kind = 0
    if second is not None and len(second.operations) > len(found.operations):
        found, second, kind = _traced(model, rows(1, 0), ROWS[0]), found, 1  # shows more
    other = _tried(model, rows(kind, 1), ROWS[1])
    way = _way(found)
    moved = second is not None and _way(second) != way
    more = other is not None and _way(other) != way
    again = _tried(model, rows(kind, 0), ROWS[0]) if moved or more else None
    if again is not None and _way(again) != way:
        return _unsettled(found, again)
    parting = (_parting(found, second),) if moved and second is not None else ()
    seen = [one for one in (found, other, second) if one is not None]
    return Passes(found, None if more else other, parting, more, _reading(*seen))


def _tried(model: nn.Module, inputs: Arguments, batch: int) -> Trace | None:
    try:
        return trace(model, *inputs, batch=batch, costs=False)
    except FAULTS:
        return None


def _traced(model: nn.Module, inputs: Arguments, batch: int) -> Trace:
    return trace(model, *inputs, batch=batch)


def _way(found: Trace) -> list[tuple[object, ...]]:
    """What happened, without shapes: they may follow the number of rows."""
    return [
        (done.name, found.calls[done.call].name if done.call >= 0 else "",
         tuple(at for at, _ in done.inputs), tuple(map(len, done.shapes)))
        for done in found.operations
    ]  # fmt: skip


def _parting(one: Trace, two: Trace) -> tuple[str, str]:
    """The innermost module in which two passes part."""
    ways = _way(one), _way(two)
    at = next((n for n, pair in enumerate(zip(*ways, strict=False)) if pair[0] != pair[1]),
              min(map(len, ways)))  # fmt: skip
    names = [[call.name for call in found.calls] for found in (one, two)]
    alike = next((n for n, pair in enumerate(zip(*names, strict=False)) if pair[0] != pair[1]),
                 min(map(len, names)))  # fmt: skip
    longer = one if at < len(one.operations) else two
    place = longer.operations[at].call if at < len(longer.operations) else 0
    while place >= alike:  # only one of the passes calls this
        place = longer.calls[place].parent
    call = longer.calls[max(place, 0)]
    return call.name, kind_of(call.module)


def _reading(*traces: Trace) -> tuple[tuple[str, str], ...]:
    calls = [found.calls[at] for found in traces for at in sorted(found.reads)]
    return tuple(dict.fromkeys((call.name, kind_of(call.module)) for call in calls))


def _called(name: str, kind: str, say: Say) -> str:
    return f"{name} ({kind})" if name else say("the model ({kind})", kind=kind)


def _turned(value: Any) -> Any:
    """The same with the signs of its numbers turned."""
    if isinstance(value, Tensor):
        return -value if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: _turned(one) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_turned(one) for one in value)
    return value
