"""Hearing when a loop calls its model, and whether gradients were clear when new ones came.

A forward hook costs some microseconds at every call, so it is there for a while only. It is the
one thing that a watcher ever attaches, with a hook at the gradients of the first steps.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from time import perf_counter

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class Ear:
    """Hears the calls of a model while it is open.

    Args:
        model: that is called; it is not kept alive.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> ear = Ear(model)
        >>> ear.open()
        >>> _ = model.eval()(torch.zeros(1, 2))
        >>> ear.modes
        {False}
        >>> ear.close()
        >>> len(model._forward_pre_hooks)
        0
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = weakref.ref(model)
        self.calls: RemovableHandle | None = None
        self.gradients: list[tuple[weakref.ref[nn.Parameter], RemovableHandle]] = []
        self.deaf = False
        self.mark()

    def mark(self) -> None:
        """Forget what was heard: a new step begins."""
        self.called = math.nan
        self.modes: set[bool] = set()
        self.clear: list[bool] = []

    def open(self) -> None:
        """Hear calls from now on."""
        model = self.model()
        if self.calls is None and model is not None:
            self.calls = model.register_forward_pre_hook(_Call(self))

    def open_for_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Hear gradients arrive at some parameters from now on."""
        few = {id(p): p for p in (parameters[0], parameters[len(parameters) // 2], parameters[-1])}
        for parameter in few.values():
            if parameter.is_leaf and parameter.requires_grad:
                handle = parameter.register_hook(_arrival(self, parameter))
                self.gradients.append((weakref.ref(parameter), handle))

    def close_for_gradients(self) -> None:
        """Hear no gradients any more."""
        while self.gradients:
            held, handle = self.gradients.pop()
            handle.remove()
            parameter = held()
            if parameter is not None and parameter._backward_hooks == {}:
                # torch goes on asking an empty dictionary at every backward pass
                parameter._backward_hooks = None

    def close(self) -> None:
        """Remove everything from the model."""
        self.close_for_gradients()
        self.mark()
        if self.calls is not None:
            self.calls.remove()
            self.calls = None


class _Call:
    """The hook. Copies of the model, made while it is open, get one that hears nothing."""

    def __init__(self, ear: Ear | None = None) -> None:
        self.ear = ear

    def __call__(self, module: nn.Module, inputs: object) -> None:
        ear = self.ear
        if ear is not None and not ear.deaf and module is ear.model():
            if math.isnan(ear.called):
                ear.called = perf_counter()
            ear.modes.add(module.training)

    def __reduce__(self) -> tuple[type[_Call], tuple[()]]:
        return _Call, ()


def _arrival(ear: Ear, parameter: nn.Parameter) -> Callable[[Tensor], None]:
    """A hook that works when a gradient has been computed and is about to be added."""
    held = weakref.ref(parameter)

    def arrived(gradient: Tensor) -> None:
        parameter = held()
        if parameter is not None and not ear.deaf:
            old = parameter.grad
            if old is not None and old.is_sparse:
                old = old._values()
            ear.clear.append(old is None or not bool(old.any()))

    arrived.__torch_unserializable__ = True  # type: ignore[attr-defined]  # saving need not warn
    return arrived
