"""The steps of SGD and Adam with momentum, betas and eps of each member, over [K] columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chymist.parts import Part, definition

RULED = ("momentum", "betas", "eps")  # options that enter a step other than as its length


class ColumnSteps:
    """What `torch.optim` does at rate 1 without decay, where members differ in more than these.

    SGD:  v <- momentum v + g;  step -v, with Nesterov's -(g + momentum v).
    Adam: m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
    step -(m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).

    Args:
        parameters: stacked, (K, ...) each; they move from where they are.
        optimizers: of each member, all "sgd" or all of Adam's kinds.

    Source: Polyak 1964; Nesterov 1983; Kingma, Ba 2015, arXiv:1412.6980.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], optimizers: Sequence[Part]) -> None:
        self.parameters = parameters
        self.state: dict[nn.Parameter, dict[str, Tensor]] = defaultdict(dict)
        self.adaptive = optimizers[0].name != "sgd"
        self.nesterov = not self.adaptive and bool(option_of(optimizers[0], "nesterov"))
        self.columns: tuple[Tensor, ...] = (_column(optimizers, "momentum"),)
        if self.adaptive:
            betas = _column(optimizers, "betas")
            self.columns = (betas[:, 0], betas[:, 1], _column(optimizers, "eps"))
        for parameter in parameters:
            state = self.state[parameter]
            for name in ("exp_avg", "exp_avg_sq") if self.adaptive else ("momentum_buffer",):
                state[name] = torch.zeros_like(parameter, requires_grad=False)
            if self.adaptive:
                state["step"] = torch.zeros(len(optimizers), dtype=torch.float64)

    def step(self) -> None:
        """One step of all members, by their gradients."""
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    move = self._adam if self.adaptive else self._sgd
                    move(parameter, parameter.grad, self.state[parameter])

    def _sgd(self, parameter: nn.Parameter, gradient: Tensor, state: dict[str, Tensor]) -> None:
        momentum = along(self.columns[0], parameter)
        velocity = state["momentum_buffer"].mul_(momentum).add_(gradient)
        parameter.sub_(gradient.addcmul(velocity, momentum) if self.nesterov else velocity)

    def _adam(self, parameter: nn.Parameter, gradient: Tensor, state: dict[str, Tensor]) -> None:
        beta1, beta2, eps = self.columns
        taken = state["step"].add_(1)
        mean = state["exp_avg"].lerp_(gradient, along(1 - beta1, parameter))
        square = state["exp_avg_sq"].lerp_(gradient.square(), along(1 - beta2, parameter))
        root = square.div(along(1 - beta2**taken, parameter)).sqrt_().add_(along(eps, parameter))
        parameter.sub_(mean.div(along(1 - beta1**taken, parameter)).div_(root))


def differ(optimizers: Sequence[Part]) -> bool:
    """Whether the optimisers of members differ in momentum, betas or eps."""
    return any(len({str(option_of(part, name)) for part in optimizers}) > 1 for name in RULED)


def option_of(optimizer: Part, name: str) -> Any:
    """An option of an optimiser, given or by default; 0 if it has none of that name."""
    known = definition(optimizer.kind, optimizer.name).options.get(name)
    return optimizer.options.get(name, known.default if known else 0.0)


def along(values: Tensor, parameter: Tensor) -> Tensor:
    """A number for each member in the shape of a stacked parameter."""
    return values.to(parameter.device, parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))


def _column(optimizers: Sequence[Part], name: str) -> Tensor:
    """An option of all members as a column."""
    return torch.tensor([option_of(part, name) for part in optimizers], dtype=torch.float64)
