"""Modules of a user's own over a leading member axis, by `torch.func.vmap` where that is exact."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from chymist.models.stacked_parts import Stacked, Unstackable


class Vmapped(nn.Module):
    """K modules of one architecture as one: the plain forward pass, mapped over the members.

    Args:
        modules: the members; they are not changed.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        for name, _ in modules[0].named_modules():
            layer = layers[name] = Stacked([module.get_submodule(name) for module in modules])
            if name:  # put in its place by hand: it may be called as a method of ours
                parent, _, own = name.rpartition(".")
                layers[parent]._modules[own] = layer
        self.held = layers[""]
        self.plain = [copy.deepcopy(modules[0])]  # in a list: its numbers are nobody's

    def train(self, mode: bool = True) -> Vmapped:
        """Set the mode of the plain module too."""
        self.plain[0].train(mode)
        return super().train(mode)

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to (K, batch, ...)."""
        parameters: dict[str, Tensor] = dict(self.held.named_parameters())

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            made: Tensor = functional_call(self.plain[0], (parameters, buffers), (x,))
            return made

        made: Tensor = vmap(one)(parameters, dict(self.held.named_buffers()), inputs)
        return made


def check_vmapped(module: nn.Module, inputs: Tensor) -> None:
    """Try a module on a batch, mapped and plain: values, gradients and independence of rows.

    Args:
        module: one member; it is not changed.
        inputs: a few rows, (batch, ...), at least three.

    Raises:
        Unstackable: `vmap` refuses it, draws or loops inside, or its rows influence each other,
            so that padding would change the others.

    Example:
        >>> check_vmapped(nn.Linear(3, 2), torch.zeros(4, 3))
    """
    if any(buffer.layout != torch.strided for buffer in module.buffers()):
        raise Unstackable(f"{type(module).__name__} holds sparse numbers")
    plain = copy.deepcopy(module).train()
    pair = Vmapped([plain, plain]).train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of operations that vmap only loops over
        try:
            made = pair(torch.stack([inputs, inputs]))
            made.sum().backward()
        except (RuntimeError, UserWarning, ValueError, TypeError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:90]
            raise Unstackable(f"vmap refuses {type(module).__name__}: {said}") from None
    alone, fewer = plain(inputs), plain(inputs[:-1])
    if not torch.allclose(made[1], alone, 1e-4, 1e-5):
        raise Unstackable(f"{type(module).__name__} gives other values under vmap")
    if not torch.allclose(alone[:-1], fewer, 1e-4, 1e-5):
        raise Unstackable(f"rows of a batch influence each other in {type(module).__name__}")
