"""One optimiser step of all members, each with its own learning rate and decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chymist.parts import Part, definition

COLUMNS = ("lr", "weight_decay")  # options in which members trained together may differ


class Update:
    """torch's own optimiser over stacked parameters, with a rate and a decay for each member.

    A step of SGD or Adam is linear in its rate. Where members differ in rate or decay, the
    optimiser takes its step from zero at rate 1, which gives the direction, and each member goes
    along it at its own rate.

    Args:
        parameters: stacked, (K, ...) each.
        optimizers: of each member; equal but for `lr` and `weight_decay`.
        apart: whether the rates of the members may differ.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], optimizers: Sequence[Part], apart: bool
    ) -> None:
        self.parameters = list(parameters)
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

    def step(self, rates: Sequence[float]) -> None:
        """One step of all members.

        Args:
            rates: learning rate of each member.
        """
        if not self.apart:
            self.optimizer.param_groups[0]["lr"] = rates[0]
            self.optimizer.step()
            return
        columns = torch.tensor(rates, dtype=torch.float64)
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

    def take_over(self, before: Update, kept: Tensor) -> None:
        """Go on with the moments of the members that were kept.

        Args:
            before: the update of more members.
            kept: their numbers there.
        """
        for old, new in zip(before.moved, self.moved, strict=True):
            self.optimizer.state[new] = {
                name: value[kept] if isinstance(value, Tensor) and value.ndim else value
                for name, value in before.optimizer.state[old].items()
            }


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
