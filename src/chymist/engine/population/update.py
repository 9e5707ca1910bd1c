"""One optimiser step of all members, each with its own rate, decay, momentum and betas."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from chymist.engine.population.columns import RULED, ColumnSteps, along, differ, option_of
from chymist.models.stacked_parts import Stacked
from chymist.parts import Part, definition
from chymist.penalties import Pair

COLUMNS = ("lr", "weight_decay", *RULED)  # options in which members trained together may differ


class Update:
    """torch's own optimiser over stacked parameters, with a rate and a decay for each member.

    A step of each of them is linear in its rate. Where members differ in rate or decay, the
    optimiser takes its step from zero at rate 1, which gives the direction, and each member goes
    along it at its own rate. Where they differ in an option of `RULED`, that direction is computed
    by `ColumnSteps`.

    Args:
        model: the stacked model.
        optimizers: of each member; equal but for the options in `COLUMNS`.
        apart: whether the rates of the members may differ.
        counted: whether they may have taken different numbers of steps.
    """

    def __init__(
        self, model: nn.Module, optimizers: Sequence[Part], apart: bool, counted: bool = False
    ) -> None:
        trained = [
            (parameter, partial(layer.plain, name), partial(layer.part_of, name))
            for layer in model.modules()
            for name, parameter in layer._parameters.items()
            if isinstance(layer, Stacked) and parameter is not None and parameter.requires_grad
        ]
        self.parameters = [parameter for parameter, _, _ in trained]
        self.plain = [plain for _, plain, _ in trained]
        self.own = [own for _, _, own in trained]
        first = optimizers[0]
        decays = [decay_of(part) for part in optimizers]
        ruled = counted or differ(optimizers)
        self.apart = apart or ruled or len(set(decays)) > 1
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
        self.drops = [() if option_of(p, "momentum") else ("momentum_buffer",) for p in optimizers]
        self.optimizer: torch.optim.Optimizer | ColumnSteps = (
            ColumnSteps(self.moved, optimizers)
            if ruled
            else first.replace(**options).build(self.moved)
        )

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def gradients(self, place: int) -> list[Tensor | None]:
        """Gradients of a member, as views, in the order of its own parameters."""
        return [
            None if parameter.grad is None else own(place, plain(parameter.grad))
            for parameter, plain, own in zip(self.parameters, self.plain, self.own, strict=True)
        ]

    def weights(self) -> list[Pair]:
        """What penalties are on: parameters with two axes or more in the plain model."""
        seen = [
            (plain(p.detach()), None if p.grad is None else plain(p.grad))
            for p, plain in zip(self.parameters, self.plain, strict=True)
        ]
        return [(weight, gradient) for weight, gradient in seen if weight.ndim > 2]

    def step(self, columns: Tensor) -> None:
        """One step of all members.

        Args:
            columns: learning rate of each member, (K,).
        """
        if not self.apart and isinstance(self.optimizer, torch.optim.Optimizer):
            self.optimizer.param_groups[0]["lr"] = float(columns[0])
            self.optimizer.step()
            return
        with torch.no_grad():
            for parameter, direction in zip(self.parameters, self.moved, strict=True):
                direction.zero_()
                direction.grad = self._with_decay(parameter, columns)
            self.optimizer.step()
            for parameter, direction in zip(self.parameters, self.moved, strict=True):
                parameter.addcmul_(direction, along(columns, parameter))

    def _with_decay(self, parameter: nn.Parameter, rates: Tensor) -> Tensor | None:
        """The gradient with the L2 term of each member; a decoupled decay acts on the weights."""
        gradient = parameter.grad
        if self.decays is None or gradient is None:
            return gradient
        if self.decoupled:
            parameter.mul_(along(1 - rates * self.decays, parameter))
            return gradient
        return gradient.addcmul(parameter, along(self.decays, parameter))

    def adopt(self, members: Sequence[torch.optim.Optimizer]) -> None:
        """Go on from the moments of the members' own optimisers, if they have any.

        Args:
            members: over their parameters in the order of the stacked ones.
        """
        views = zip(self.moved, self.plain, self.own, strict=True)
        for number, (moved, plain, own) in enumerate(views):
            found = [m.state[m.param_groups[0]["params"][number]] for m in members]
            for name in dict.fromkeys(name for state in found for name in state):
                if name == "step":
                    taken = [state[name] for state in found]
                    held = (
                        torch.stack(taken).to(torch.float64)
                        if isinstance(self.optimizer, ColumnSteps)
                        else copy.deepcopy(taken[0])  # all have taken as many
                    )
                else:  # what a member does not keep is nothing yet
                    held = torch.zeros_like(moved, requires_grad=False)  # fused steps walk raw
                    for place, state in enumerate(found):  # memory
                        if name in state:
                            own(place, plain(held)).copy_(state[name])
                self.optimizer.state[moved][name] = held

    def moments(self) -> list[Tensor]:
        """What the optimiser remembers of each member, (K, ...) each; counts of steps too."""
        found = [values for state in self.optimizer.state.values() for values in state.values()]
        return [values for values in found if values.ndim]

    def give_back(self, place: int, member: torch.optim.Optimizer) -> None:
        """Leave a member's own optimiser with the moments that it has now."""
        parameters = member.param_groups[0]["params"]
        views = zip(parameters, self.moved, self.plain, self.own, strict=True)
        for parameter, moved, plain, own in views:
            for name, value in self.optimizer.state[moved].items():
                if name in self.drops[place]:
                    continue
                if name == "step":
                    taken = value[place] if value.ndim else value
                    member.state[parameter][name] = taken.to(torch.float32, copy=True)
                else:
                    kept = torch.empty_like(parameter, requires_grad=False)
                    member.state[parameter][name] = kept.copy_(own(place, plain(value)))


def clip_members(clip: Part, parameters: Sequence[nn.Parameter]) -> None:
    """Clip the gradient of each member by its own norm or by value, or set its norm to 1.

    Args:
        clip: the part of the recipe.
        parameters: stacked, (K, ...) each.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    most = float(clip.options.get("max", 1.0))
    if clip.name == "value":
        for gradient in gradients:
            gradient.clamp_(-most, most)
    elif clip.name in ("norm", "unit"):
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        shares = (
            (most / (norms + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
            if clip.name == "norm"
            else 1 / norms.clamp(min=torch.finfo(norms.dtype).tiny)
        )
        for gradient in gradients:
            gradient.mul_(along(shares, gradient))


def decay_of(optimizer: Part) -> float:
    """The weight decay of an optimiser, given or by default."""
    return float(option_of(optimizer, "weight_decay"))
