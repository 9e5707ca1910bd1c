"""Using somebody's model and leaving no trace: what is done to it inside is undone afterwards."""

from __future__ import annotations

import functools
import random
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.randomness import unchanged_randomness

# Parameters of more values in all are not copied: a forward pass that changes weights in place is
# rare, and a second copy of a model that fills its device would not fit.
COPIED = 50_000_000
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


@contextmanager
def untouched(model: nn.Module, loss_fn: object = None) -> Iterator[None]:
    """Whatever is done to a model inside is undone afterwards.

    That is: modes, buffers, weights, plain attributes and what lists and dictionaries among them
    hold; the global random states; generators that the model or the loss hold or name. Inside,
    gradients are recorded, precision is the model's own, nothing is compiled, and nothing warns.

    Args:
        model: any module.
        loss_fn: a function or module that is called inside too.

    Example:
        >>> model = nn.Dropout()
        >>> with untouched(model):
        ...     _ = model.eval()
        >>> model.training
        True
    """
    modules = [*model.modules()]
    if isinstance(loss_fn, nn.Module):
        modules += loss_fn.modules()
    attributes = [_attributes(module) for module in modules]
    tensors = [(tensor, tensor.detach().clone()) for tensor in _tensors(modules)]
    generators = [_returning(held) for held in _generators(modules, loss_fn)]
    with unchanged_randomness(), _plain(model):
        try:
            yield
        finally:
            for restore in (*attributes, *generators):
                restore()
            _restore(tensors)


@contextmanager
def put_back(model: nn.Module) -> Iterator[None]:
    """Modes, buffers and global random states are put back afterwards; it costs little.

    For one of several looks inside of `untouched`, which puts back all the rest.

    Args:
        model: any module.

    Example:
        >>> model = nn.BatchNorm1d(2)
        >>> with put_back(model):
        ...     _ = model(torch.randn(8, 2))
        >>> model.running_mean
        tensor([0., 0.])
    """
    modules = [*model.modules()]
    modes = [module.training for module in modules]
    tensors = [(buffer, buffer.detach().clone()) for buffer in _buffers(modules).values()]
    with unchanged_randomness():
        try:
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                if module.training != mode:
                    module.training = mode
            _restore(tensors)


def _restore(tensors: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Give tensors the values back that they had."""
    for tensor, values in tensors:
        if not torch.equal(tensor.detach(), values):
            # `.data` has a count of changes of its own: graphs that wait for their
            # backward pass would refuse a tensor that was written to
            tensor.data.copy_(values)


@contextmanager
def quiet() -> Iterator[None]:
    """What the doctor tries may be odd; no library warns the user of it.

    Example:
        >>> with quiet():
        ...     warnings.warn("a mean of nothing")
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def unchanged_generators(holders: Iterable[object]) -> Iterator[None]:
    """Put random generators that some objects hold back where they stood.

    Args:
        holders: objects whose attributes are looked at.

    Example:
        >>> loader = torch.utils.data.DataLoader([1, 2, 3], generator=torch.Generator())
        >>> before = loader.generator.get_state()
        >>> with unchanged_generators([loader]):
        ...     _ = torch.rand(3, generator=loader.generator)
        >>> torch.equal(loader.generator.get_state(), before)
        True
    """
    held = [value for holder in holders for value in getattr(holder, "__dict__", {}).values()]
    restorers = [_returning(value) for value in held if isinstance(value, GENERATORS)]
    try:
        yield
    finally:
        for restore in restorers:
            restore()


@contextmanager
def _plain(model: nn.Module) -> Iterator[None]:
    """Gradients on; no autocast, whose cache of cast weights would outlive us; nothing compiled."""
    device = next((p.device.type for p in model.parameters()), "cpu")
    with ExitStack() as opened:
        opened.enter_context(quiet())
        opened.enter_context(torch.inference_mode(False))
        opened.enter_context(torch.enable_grad())
        for kind in {device, "cpu"}:
            if torch.is_autocast_enabled(kind):
                opened.enter_context(torch.autocast(kind, enabled=False))
        if (
            "torch._dynamo" in sys.modules
        ):  # else nothing has been compiled, and it is slow to import
            opened.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _buffers(modules: list[nn.Module]) -> dict[int, Tensor]:
    """Buffers by identity."""
    held = {id(b): b for module in modules for b in module._buffers.values() if b is not None}
    return {key: buffer for key, buffer in held.items() if buffer.layout == torch.strided}


def _tensors(modules: list[nn.Module]) -> list[Tensor]:
    """Tensors that a forward pass may change: buffers, plain attributes, and weights."""
    found = _buffers(modules)
    found |= {id(v): v for m in modules for v in vars(m).values() if isinstance(v, Tensor)}
    weights = {id(p): p for m in modules for p in m._parameters.values() if p is not None}
    if sum(p.numel() for p in weights.values()) <= COPIED:
        found |= weights
    return [tensor for tensor in found.values() if tensor.layout == torch.strided]


def _attributes(module: nn.Module) -> Callable[[], None]:
    """What gives a module the attributes back that it has now, and their contents."""
    before = dict(vars(module))
    held = [
        (value, list(value.items()) if isinstance(value, dict) else list(value))
        for value in before.values()
        if isinstance(value, dict | list | set | deque)
    ]

    def restore() -> None:
        _refill(vars(module), list(before.items()))
        for container, content in held:
            _refill(container, content)

    return restore


def _refill(container: Any, content: list[Any]) -> None:
    """Give a container its content back, if it has another."""
    if isinstance(container, dict):
        now = list(container.items())
        same = len(now) == len(content) and all(
            a[0] is b[0] and a[1] is b[1] for a, b in zip(now, content, strict=True)
        )
        if not same and [k for k, _ in now] == [k for k, _ in content]:
            for (key, value), (_, old) in zip(now, content, strict=True):
                if value is not old:
                    container[key] = old
            return
    else:
        now = list(container)
        same = len(now) == len(content) and all(a is b for a, b in zip(now, content, strict=True))
    if not same:
        container.clear()
        container.extend(content) if hasattr(container, "extend") else container.update(content)


def _generators(modules: list[nn.Module], loss_fn: object) -> list[object]:
    """Random generators that modules or a loss hold, close over, or name."""
    reached = [value for module in modules for value in vars(module).values()]
    for kind in {type(m) for m in modules if not type(m).__module__.startswith("torch.")}:
        reached += _named_by(vars(kind).values())
    reached += _named_by([loss_fn])
    return list({id(value): value for value in reached if isinstance(value, GENERATORS)}.values())


def _named_by(things: Iterable[object]) -> list[object]:
    """What functions close over or name, and what methods, partials and objects hold."""
    found: list[object] = []
    for thing in things:
        if isinstance(thing, functools.partial):
            found += [*thing.args, *thing.keywords.values(), *_named_by([thing.func])]
        elif isinstance(thing, MethodType):
            found += [*vars(thing.__self__).values()] if hasattr(thing.__self__, "__dict__") else []
            found += _named_by([thing.__func__])
        elif isinstance(thing, FunctionType):
            names = thing.__code__.co_names
            found += [thing.__globals__[n] for n in names if n in thing.__globals__]
            found += [_content(cell) for cell in thing.__closure__ or ()]
        elif hasattr(thing, "__dict__") and callable(thing) and not isinstance(thing, type):
            found += [*vars(thing).values(), *_named_by([vars(type(thing)).get("__call__")])]
    return found


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a name that has no value yet
        return None


def _returning(generator: Any) -> Callable[[], object]:
    """What puts a generator back to where it stands now."""
    if isinstance(generator, torch.Generator):
        return functools.partial(generator.set_state, generator.get_state())
    if isinstance(generator, random.Random):
        return functools.partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return functools.partial(generator.set_state, generator.get_state())
    bits = generator.bit_generator
    return functools.partial(setattr, bits, "state", bits.state)
