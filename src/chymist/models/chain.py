"""Affine maps and activations of K members, one after the other, with gradients derived by hand.

What torch records and what comes out is the same as layer by layer; but values and gradients of
hidden layers stay in the same memory from step to step, and activations work in place. For many
small members a step is bound by memory, so that this is worth a third of its time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chymist.models.stacked import PerRow, StackedDropout, StackedLinear, stack

aten = torch.ops.aten
Backward = Callable[[Tensor, Tensor], object]
# What an activation does to its input, and to the gradient of its output, both in place.
IN_PLACE: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Backward]] = {
    nn.ReLU: (
        torch.relu_,
        lambda g, y: aten.threshold_backward.grad_input(g, y, 0, grad_input=g),
    ),
    nn.Tanh: (torch.tanh_, lambda g, y: aten.tanh_backward.grad_input(g, y, grad_input=g)),
    nn.Sigmoid: (torch.sigmoid_, lambda g, y: aten.sigmoid_backward.grad_input(g, y, grad_input=g)),
}


class Chain(nn.Sequential):
    """Stacked layers of a perceptron: h_i = f(h_(i-1) W_i + b_i), with dropout where it is asked.

    With g_i the gradient of h_i W_i + b_i: dW_i = h_(i-1)^T g_i, db_i = sum of g_i over rows, and
    g_(i-1) = (g_i W_i^T) f'(h_(i-1)).

    Args:
        layers: by name; those of `links` after what only changes shapes.
    """

    def __init__(self, layers: Any) -> None:
        super().__init__(layers)
        self.links = links(self)
        self.room: dict[object, Tensor] = {}  # memory by use
        self.turn = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """(K, batch, ...) to (K, batch, outputs)."""
        for layer in list(self)[: len(self) - len(self.links)]:
            inputs = layer(inputs)
        if inputs.ndim == 3 and self.training and torch.is_grad_enabled():
            made: Tensor = _Through.apply(  # type: ignore[no-untyped-call]
                self, inputs, *self.parameters()
            )
            return made
        for layer in self.links:
            inputs = layer(inputs)
        return inputs

    def memory(self, use: object, like: Tensor, width: int) -> Tensor:
        """Memory for values (K, batch, width), the same as at the last step if that was as large.

        Args:
            use: what it is for.
            like: (K, batch, ...), of the same kind.
        """
        size = like.shape[0] * like.shape[1] * width
        held = self.room.get(use)
        if held is None or len(held) < size or held.dtype != like.dtype:
            held = self.room[use] = like.new_empty(size)
        return held[:size].view(*like.shape[:2], width)


class _Through(torch.autograd.Function):
    """A chain as one node of the graph."""

    @staticmethod
    def forward(ctx: Any, chain: Chain, inputs: Tensor, *parameters: Tensor) -> Tensor:
        """Keeps what enters each layer, and the masks of dropout."""
        chain.turn += 1
        values, entered, masks = inputs, [], {}
        for place, layer in enumerate(chain.links):
            entered.append(values)
            if isinstance(layer, StackedLinear):
                last = layer is chain.links[-1]  # whose values leave the chain
                width = layer.weight.shape[2]
                made = None if last else chain.memory(place, values, width)
                values = torch.bmm(values, layer.weight, out=made)
                if layer.bias is not None:
                    values.add_(layer.bias)
            elif isinstance(layer, StackedDropout):
                masks[place] = layer.mask(values)
                values = torch.mul(
                    values, masks[place], out=chain.memory(place, values, values.shape[2])
                )
            else:
                values = IN_PLACE[type(layer)][0](values)
        ctx.chain, ctx.turn, ctx.entered, ctx.masks = chain, chain.turn, entered, masks
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Gradients of the inputs and of the parameters, in their order."""
        chain = ctx.chain
        if ctx.turn != chain.turn:
            raise RuntimeError("a chain goes backward through its last forward pass only")
        found: list[Tensor | None] = []
        (gradient,) = gradients
        gradient = gradient.contiguous()
        for place in reversed(range(len(chain.links))):
            layer, entered = chain.links[place], ctx.entered[place]
            if isinstance(layer, StackedLinear):
                found += _of_parameters(layer, entered, gradient)
                if place or ctx.needs_input_grad[1]:
                    width = entered.shape[2]
                    made = chain.memory((place, "gradient"), entered, width) if place else None
                    gradient = torch.bmm(gradient, layer.weight.transpose(1, 2), out=made)
            elif place in ctx.masks:
                gradient.mul_(ctx.masks[place])
            else:
                IN_PLACE[type(layer)][1](gradient, entered)
        return (None, gradient if ctx.needs_input_grad[1] else None, *reversed(found))


def _of_parameters(layer: StackedLinear, entered: Tensor, gradient: Tensor) -> list[Tensor | None]:
    """Gradients of bias and weight, if a layer has them and trains them: in reverse order."""
    found: list[Tensor | None] = []
    if layer.bias is not None:
        found.append(gradient.sum(1, keepdim=True) if layer.bias.requires_grad else None)
    trains = layer.weight.requires_grad
    found.append(torch.bmm(entered.transpose(1, 2), gradient) if trains else None)
    return found


def chained(modules: Sequence[nn.Module]) -> nn.Module:
    """Modules of one architecture as one, as `stack` makes it; a perceptron becomes a `Chain`.

    Args:
        modules: the members; they are not changed.

    Raises:
        Unstackable: a layer has no stacked form.

    Example:
        >>> pair = chained([nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))] * 2)
        >>> type(pair).__name__, pair(torch.zeros(2, 5, 3)).shape
        ('Chain', torch.Size([2, 5, 2]))
    """
    model = stack(modules)
    if type(model) is nn.Sequential and links(model):
        return Chain(OrderedDict(model._modules))
    return model


def links(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """The layers from the first affine one on if they make a chain, and nothing if they do not.

    A chain begins and ends with an affine map. An activation works in place, where the layer before
    it does not need what it gave: after an affine map or dropout, not after another activation.

    Example:
        >>> pair = stack([nn.Sequential(nn.Flatten(), nn.Linear(3, 2))] * 2)
        >>> [type(layer).__name__ for layer in links(pair.children())]
        ['StackedLinear']
    """
    found = list(layers)
    while found and isinstance(found[0], PerRow):
        found.pop(0)
    known = {StackedLinear, StackedDropout, *IN_PLACE}
    if not found or not all(type(layer) in known for layer in found):
        return []
    plain = [type(layer) in IN_PLACE for layer in found]
    doubled = any(one and other for one, other in pairwise(plain))
    ends = isinstance(found[0], StackedLinear) and isinstance(found[-1], StackedLinear)
    return found if ends and not doubled else []
