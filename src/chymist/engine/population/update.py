"""One optimiser step of all members, each with its own learning rate and decay."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from chymist.models.stacked_parts import Stacked
from chymist.parts import Part, definition

COLUMNS = ("lr", "weight_decay")  # options in which members trained together may differ


class Update:
    """torch's own optimiser over stacked parameters, with a rate and a decay for each member.

    A step of SGD or Adam is linear in its rate. Where members differ in rate or decay, the
    optimiser takes its step from zero at rate 1, which gives the direction, and each member goes
    along it at its own rate.

    Args:
        model: the stacked model.
        optimizers: of each member; equal but for `lr` and `weight_decay`.
        apart: whether the rates of the members may differ.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[Part], apart: bool) -> None:
        trained = [
            (parameter, partial(layer.plain, name))
            for layer in model.modules()
            for name, parameter in layer._parameters.items()
            if isinstance(layer, Stacked) and parameter is not None and parameter.requires_grad
        ]
        self.parameters = [parameter for parameter, _ in trained]
        self.plain = [plain for _, plain in trained]
        first = optimizers[0]
        decays = [decay_of(part) for part in optimizers]
        self.apart = apart or len(set(decays)) > 1
        self.decoupled = first.name == "adamw"
        self.decays = (
            torch.tensor(decays, dtype=torch.float64) if self.apart and any(decays) else None
        )
        self.moved = self.parameters
        options = {"lr": 1.0}
        if self.apart:
            self.moved = [nn.Parameter(torch.zeros_like(p)) for p in self.parameters]
            if "weight_decay" in definition(first.kind, first.name).options:
                options["weight_decay"] = 0.0
        self.optimizer: torch.optim.Optimizer = first.replace(**options).build(self.moved)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, columns: Tensor) -> None:
        """One step of all members.

        Args:
            columns: learning rate of each member, (K,).
        """
        if not self.apart:
            self.optimizer.param_groups[0]["lr"] = float(columns[0])
            self.optimizer.step()
            return
        with torch.no_grad():
            for parameter, direction in zip(self.parameters, self.moved, strict=True):
                direction.zero_()
                direction.grad = self._with_decay(parameter, columns)
            self.optimizer.step()
            for parameter, direction in zip(self.parameters, self.moved, strict=True):
                parameter.addcmul_(direction, _along(columns, parameter))

    def _with_decay(self, parameter: nn.Parameter, rates: Tensor) -> Tensor | None:
        """The gradient with the L2 term of each member; a decoupled decay acts on the weights."""
        gradient = parameter.grad
        if self.decays is None or gradient is None:
            return gradient
        if self.decoupled:
            parameter.mul_(_along(1 - rates * self.decays, parameter))
            return gradient
        return gradient.addcmul(parameter, _along(self.decays, parameter))

    def adopt(self, members: Sequence[torch.optim.Optimizer]) -> None:
        """Go on from the moments of the members' own optimisers, if they have any.

        Args:
            members: over their parameters in the order of the stacked ones.
        """
        for number, (moved, plain) in enumerate(zip(self.moved, self.plain, strict=True)):
            found = [m.state[m.param_groups[0]["params"][number]] for m in members]
            for name, first in found[0].items():
                if isinstance(first, Tensor) and first.ndim:
                    held = torch.empty_like(moved, requires_grad=False)  # fused steps walk raw
                    plain(held).copy_(torch.stack([state[name] for state in found]))  # memory
                    self.optimizer.state[moved][name] = held
                else:  # the number of steps, of which all have taken as many
                    self.optimizer.state[moved][name] = copy.deepcopy(first)

    def give_back(self, place: int, member: torch.optim.Optimizer) -> None:
        """Leave a member's own optimiser with the moments that it has now."""
        own = member.param_groups[0]["params"]
        for parameter, moved, plain in zip(own, self.moved, self.plain, strict=True):
            for name, value in self.optimizer.state[moved].items():
                if isinstance(value, Tensor) and value.ndim:
                    kept = torch.empty_like(parameter, requires_grad=False)
                    member.state[parameter][name] = kept.copy_(plain(value)[place])
                else:
                    member.state[parameter][name] = copy.deepcopy(value)


def clip_members(clip: Part, parameters: Sequence[nn.Parameter]) -> None:
    """Clip the gradient of each member by its own norm, or by value.

    Args:
        clip: the part of the recipe.
        parameters: stacked, (K, ...) each.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    most = float(clip.options.get("max", 1.0))
    if clip.name == "value":
        for gradient in gradients:
            gradient.clamp_(-most, most)
    elif clip.name == "norm":
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        shares = (most / (norms + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
        for gradient in gradients:
            gradient.mul_(_along(shares, gradient))


def decay_of(optimizer: Part) -> float:
    """The weight decay of an optimiser, given or by default."""
    known = definition(optimizer.kind, optimizer.name).options.get("weight_decay")
    return float(optimizer.options.get("weight_decay", known.default if known else 0.0))


def _along(values: Tensor, parameter: Tensor) -> Tensor:
    """A number for each member in the shape of a stacked parameter."""
    return values.to(parameter.device, parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))
