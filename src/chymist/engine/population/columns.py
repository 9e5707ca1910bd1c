"""The steps of optimisers with momentum, betas, alpha and eps of each member, over [K] columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from chymist.parts import Part, definition

# Options that enter a step other than as its length.
RULED = ("momentum", "betas", "eps", "alpha")


class Rule(NamedTuple):
    """How an optimiser steps.

    Args:
        options: those that its step takes as columns, (K,) or (K, 2) each.
        moments: what it remembers, under torch's names.
        step: (gradient, what is remembered, columns) -> what is subtracted at rate 1.
        counts: whether it counts its steps.
    """

    options: tuple[str, ...]
    moments: tuple[str, ...]
    step: Callable[..., Tensor]
    counts: bool = True


class ColumnSteps:
    """What `torch.optim` does at rate 1 without decay, where members differ in more than these.

    SGD:     v <- momentum v + g;  step -v, with Nesterov's -(g + momentum v).
    Adam:    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
    step -(m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
    AdaGrad: s <- s + g^2;  step -g / (sqrt(s) + eps).
    RMSProp: v <- alpha v + (1 - alpha) g^2;  u <- momentum u + g / (sqrt(v) + eps);  step -u.

    Args:
        parameters: stacked, (K, ...) each; they move from where they are.
        optimizers: of each member, all of one kind.

    Source: see `chymist.optim`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], optimizers: Sequence[Part]) -> None:
        self.parameters = parameters
        self.state: dict[nn.Parameter, dict[str, Tensor]] = defaultdict(dict)
        self.rule = _rule_of(optimizers[0])
        self.columns = [_column(optimizers, name) for name in self.rule.options]
        for parameter in parameters:
            state = self.state[parameter]
            for name in self.rule.moments:
                state[name] = torch.zeros_like(parameter, requires_grad=False)
            if self.rule.counts:
                state["step"] = torch.zeros(len(optimizers), dtype=torch.float64)

    def step(self) -> None:
        """One step of all members, by their gradients."""
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    if self.rule.counts:
                        state["step"].add_(1)
                    parameter.sub_(self.rule.step(parameter.grad, state, *self.columns))


def _sgd(gradient: Tensor, state: dict[str, Tensor], momentum: Tensor) -> Tensor:
    return state["momentum_buffer"].mul_(along(momentum, gradient)).add_(gradient)


def _nesterov(gradient: Tensor, state: dict[str, Tensor], momentum: Tensor) -> Tensor:
    return gradient.addcmul(_sgd(gradient, state, momentum), along(momentum, gradient))


def _adam(gradient: Tensor, state: dict[str, Tensor], betas: Tensor, eps: Tensor) -> Tensor:
    beta1, beta2, taken = betas[:, 0], betas[:, 1], state["step"]
    mean = state["exp_avg"].lerp_(gradient, along(1 - beta1, gradient))
    square = state["exp_avg_sq"].lerp_(gradient.square(), along(1 - beta2, gradient))
    root = square.div(along(1 - beta2**taken, gradient)).sqrt_().add_(along(eps, gradient))
    return mean.div(along(1 - beta1**taken, gradient)).div_(root)


def _adagrad(gradient: Tensor, state: dict[str, Tensor], eps: Tensor) -> Tensor:
    total = state["sum"].addcmul_(gradient, gradient)
    return gradient / total.sqrt().add_(along(eps, gradient))


def _rmsprop(
    gradient: Tensor, state: dict[str, Tensor], alpha: Tensor, momentum: Tensor, eps: Tensor
) -> Tensor:
    square = state["square_avg"].lerp_(gradient.square(), along(1 - alpha, gradient))
    scaled = gradient / square.sqrt().add_(along(eps, gradient))
    return state["momentum_buffer"].mul_(along(momentum, gradient)).add_(scaled)


RULES = {
    "sgd": Rule(("momentum",), ("momentum_buffer",), _sgd, counts=False),
    "nesterov": Rule(("momentum",), ("momentum_buffer",), _nesterov, counts=False),
    "adam": Rule(("betas", "eps"), ("exp_avg", "exp_avg_sq"), _adam),
    "adagrad": Rule(("eps",), ("sum",), _adagrad),
    "rmsprop": Rule(("alpha", "momentum", "eps"), ("square_avg", "momentum_buffer"), _rmsprop),
}
RULES |= {"bgd": RULES["sgd"], "adamw": RULES["adam"]}


def _rule_of(optimizer: Part) -> Rule:
    """The rule of a kind of optimiser."""
    return RULES["nesterov" if option_of(optimizer, "nesterov") else optimizer.name]


def differ(optimizers: Sequence[Part]) -> bool:
    """Whether the optimisers of members differ in an option of `RULED`."""
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
