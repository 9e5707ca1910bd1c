"""Optimisation, capacity and regularisation: faults 7 to 21 of the taxonomy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.faults.building import (
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
    adam,
    convolutions,
    diabetes,
    digits,
    filled,
    log_odds,
    moons,
    net,
    picked,
    rings,
    sgd,
    waves,
    wine,
)
from bench.faults.harness import Case, Program

entropy, squared = functional.cross_entropy, functional.mse_loss


def rate_high_classes(seed: int, twin: bool) -> Program:
    """Adam at 1: the loss stays finite and learns little."""
    model = net(64, 64, 64, 10)
    return Program(model, entropy, adam(model, 3e-3 if twin else 0.5), *digits(), 32, 15)


def rate_high_sgd(seed: int, twin: bool) -> Program:
    """Descent in leaps to the constant prediction."""
    model = net(64, 64, 64, 10)
    return Program(model, entropy, sgd(model, 0.1 if twin else 5.0), *digits(), 32, 20)


def rate_high_momentum(seed: int, twin: bool) -> Program:
    """A rate that momentum makes too large."""
    model = convolutions()
    return Program(
        model, entropy, sgd(model, 0.02 if twin else 1.0, 0.9), *digits(image=True), 32, 10
    )


def rate_high_values(seed: int, twin: bool) -> Program:
    """Too large a rate for values."""
    model = net(6, 64, 64, 1)
    return Program(model, squared, sgd(model, 0.03 if twin else 1.5), *waves(), 32, 40)


def rate_low_sgd(seed: int, twin: bool) -> Program:
    """Steps a thousandth of what they should be."""
    model = net(64, 64, 10)
    return Program(model, entropy, sgd(model, 0.2 if twin else 2e-4), *digits(), 32, 20)


def rate_low_adam(seed: int, twin: bool) -> Program:
    """Adam at a millionth."""
    model = net(13, 32, 3)
    return Program(model, entropy, adam(model, 1e-2 if twin else 2e-6), *wine(), 16, 40)


def stopped_early(seed: int, twin: bool) -> Program:
    """Two epochs of a good recipe."""
    model = convolutions()
    return Program(model, entropy, adam(model, 1e-3), *digits(image=True), 64, 30 if twin else 2)


def stopped_early_values(seed: int, twin: bool) -> Program:
    """Three epochs at a middling rate."""
    model = net(6, 64, 1)
    return Program(model, squared, adam(model), *waves(), 64, 60 if twin else 4)


def log_of_zero(seed: int, twin: bool) -> Program:
    """The logarithm of probabilities that reach 0."""
    model = net(64, 64, 10, end=nn.Softmax(dim=1))

    def unsafe(out: Tensor, y: Tensor) -> Tensor:
        hot = functional.one_hot(y, 10).float()
        return -(hot * out.log() + (1 - hot) * (1 - out).log()).sum(1).mean()

    def safe(out: Tensor, y: Tensor) -> Tensor:
        return picked(out, y)

    data = digits(divide=1.0 if not twin else 16.0)
    return Program(
        model, safe if twin else unsafe, adam(model, 3e-3 if twin else 0.1), *data, 32, 15
    )


def root_of_zero(seed: int, twin: bool) -> Program:
    """The gradient of a square root at 0."""
    model = net(6, 32, 1)

    def off(out: Tensor, y: Tensor) -> Tensor:
        spare = 1e-8 if twin else 0.0
        return ((out - y).square() + spare).sqrt().mean() + (out - out).square().add(
            spare
        ).sqrt().mean()

    return Program(model, off, adam(model), *waves(), 32, 60)


def faint_gradient(seed: int, twin: bool) -> Program:
    """Nine layers of sigmoids."""
    model = net(64, *[24] * (2 if twin else 9), 10, act=ReLU if twin else Sigmoid)
    return Program(model, entropy, adam(model) if twin else sgd(model, 0.1), *digits(), 32, 20)


def faint_tanh(seed: int, twin: bool) -> Program:
    """Twelve tanh layers that start too small."""
    model = net(64, *[32] * 12, 10, act=Tanh)
    filled(model, nn.init.xavier_normal_ if twin else lambda w: nn.init.normal_(w, std=0.05))
    optimizer = adam(model, 1e-3) if twin else sgd(model, 0.1)
    return Program(model, entropy, optimizer, *digits(), 32, 20)


class Recurrent(nn.Module):
    """A recurrent net that is read at its last step."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.cell = nn.RNN(1, 24, batch_first=True, nonlinearity="relu")
        self.head = Linear(24, 1)
        nn.init.orthogonal_(self.cell.weight_hh_l0, gain)

    def forward(self, x: Tensor) -> Tensor:
        """Values (rows, 1)."""
        out: Tensor = self.head(self.cell(x)[0][:, -1])
        return out


def leaping_gradient(seed: int, twin: bool) -> Program:
    """A recurrence whose gradient grows with every step."""
    made = torch.Generator().manual_seed(5)
    x = torch.rand(900, 20, 1, generator=made)
    y = (x[:, -8:].sum(1) - 4) / 0.8
    model = Recurrent(0.9 if twin else 1.5)
    optimizer = adam(model, 5e-3) if twin else sgd(model, 0.01)
    clip = 1.0 if twin else None
    return Program(
        model, squared, optimizer, (x[:600], y[:600]), (x[600:], y[600:]), 32, 25, clip=clip
    )


def dead_units(seed: int, twin: bool) -> Program:
    """Biases from which no unit fires."""
    model = net(13, 48, 32, 3)
    nn.init.constant_(model[0].bias, 0.0 if twin else -8.0)
    return Program(model, entropy, sgd(model, 0.1), *wine(), 16, 30)


def dead_by_rate(seed: int, twin: bool) -> Program:
    """A first leap that silences a narrow net."""
    model = net(6, 16, 16, 1)
    (x, y), (v, w) = waves()
    optimizer = sgd(model, 0.02 if twin else 0.6)
    return Program(model, squared, optimizer, (x, 2 * y + 2), (v, 2 * w + 2), 16, 40)


def rails(seed: int, twin: bool) -> Program:
    """tanh units at their rails from the start."""
    model = net(64, 64, 64, 10, act=Tanh)
    filled(model, nn.init.xavier_normal_ if twin else lambda w: nn.init.normal_(w, std=3.0))
    return Program(model, entropy, sgd(model, 0.05), *digits(), 32, 20)


def rails_sigmoid(seed: int, twin: bool) -> Program:
    """Raw features of up to 1700 before sigmoids."""
    model = net(13, 32, 3, act=Sigmoid)
    return Program(model, entropy, adam(model, 1e-2), *wine(scaled=twin), 16, 40)


def zeros(seed: int, twin: bool) -> Program:
    """All weights start at 0."""
    model = net(64, 32, 32, 10)
    if not twin:
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
    return Program(model, entropy, sgd(model, 0.1), *digits(), 32, 20)


def ones(seed: int, twin: bool) -> Program:
    """All weights start at the same value."""
    model = net(2, 16, 16, 1, act=Tanh)
    if not twin:
        filled(model, lambda w: nn.init.constant_(w, 0.2))
    return Program(model, log_odds, adam(model, 1e-2), *rings(), 32, 30)


def start_large(seed: int, twin: bool) -> Program:
    """Weights drawn at deviation 1."""
    model = net(64, 128, 128, 10)
    filled(model, nn.init.kaiming_normal_ if twin else lambda w: nn.init.normal_(w, std=1.0))
    return Program(model, entropy, sgd(model, 0.02), *digits(), 32, 15)


def start_small(seed: int, twin: bool) -> Program:
    """Weights so small that nothing passes."""
    model = net(64, 64, 64, 64, 10)
    filled(model, nn.init.kaiming_normal_ if twin else lambda w: nn.init.normal_(w, std=1e-3))
    return Program(model, entropy, sgd(model, 0.05), *digits(), 32, 20)


def deep_plain(seed: int, twin: bool) -> Program:
    """Twenty-five layers with nothing that carries values past them."""
    model = net(64, *[32] * (2 if twin else 25), 10)
    return Program(model, entropy, sgd(model, 0.05, 0.9), *digits(), 32, 20)


def straight(seed: int, twin: bool) -> Program:
    """A linear model of a ring."""
    model = net(2, 32, 1) if twin else nn.Sequential(Linear(2, 1))
    return Program(model, log_odds, adam(model, 1e-2), *rings(), 32, 40)


def narrow(seed: int, twin: bool) -> Program:
    """Two units between 64 pixels and ten digits."""
    model = net(64, 64 if twin else 1, 10)
    return Program(model, entropy, adam(model, 1e-2), *digits(), 32, 40)


def no_act(seed: int, twin: bool) -> Program:
    """Affine maps in a row."""
    model = net(2, 32, 32, 1) if twin else net(2, 32, 32, 1, act=nn.Identity)
    return Program(model, log_odds, adam(model, 1e-2), *rings(), 32, 40)


def decayed(seed: int, twin: bool) -> Program:
    """A weight decay of 1."""
    model = net(64, 64, 10)
    optimizer = adam(model, 3e-3, weight_decay=1e-5 if twin else 1.0)
    return Program(model, entropy, optimizer, *digits(), 32, 20)


def penalised(seed: int, twin: bool) -> Program:
    """A sum of squares that outweighs the data, written by hand."""
    model = net(6, 64, 1)
    strength = 1e-6 if twin else 0.3

    def penalty(owner: nn.Module) -> Tensor:
        return strength * torch.stack([p.square().sum() for p in owner.parameters()]).sum()

    return Program(model, squared, adam(model), *waves(), 32, 50, penalty=penalty)


def dropped(seed: int, twin: bool) -> Program:
    """Nine of ten units are dropped, twice."""
    model = net(64, 64, 64, 10, drop=0.1 if twin else 0.92)
    return Program(model, entropy, adam(model), *digits(), 32, 20)


def by_heart(seed: int, twin: bool) -> Program:
    """Forty rows of thirty features and a wide net."""
    rows = diabetes()
    (x, y), (v, w) = rows
    model = net(10, 256, 256, 1)
    if twin:
        return Program(model, squared, adam(model, 1e-3), (x, y), (v, w), 32, 40, patience=3)
    return Program(model, squared, adam(model, 3e-3), (x[:60], y[:60]), (v, w), 16, 150)


def by_heart_classes(seed: int, twin: bool) -> Program:
    """Moons that overlap, few of them, and a net that threads them."""
    (x, y), valid = moons(300, noise=0.35)
    model = net(2, 16, 1) if twin else net(2, 256, 256, 1)
    rows = (x, y) if twin else (x[:60], y[:60])
    return Program(
        model,
        log_odds,
        adam(model, 3e-3 if twin else 5e-3),
        rows,
        valid,
        16,
        30 if twin else 250,
        patience=5 if twin else None,
    )


def norm_of_few(seed: int, twin: bool) -> Program:
    """Batch norm over three rows."""
    model = net(64, 48, 48, 10, norm=True)
    return Program(model, entropy, sgd(model, 0.1), *digits(), 32 if twin else 3, 12 if twin else 3)


TRAINING = (
    Case(
        "rate_high_classes",
        rate_high_classes,
        ("lr_too_high",),
        ("dead_relu", "exploding_gradient"),
    ),
    Case(
        "rate_high_sgd",
        rate_high_sgd,
        ("lr_too_high",),
        ("dead_relu", "exploding_gradient", "nan_inf_loss"),
    ),
    Case(
        "rate_high_momentum",
        rate_high_momentum,
        ("lr_too_high",),
        ("dead_relu", "exploding_gradient", "nan_inf_loss"),
    ),
    Case(
        "rate_high_values",
        rate_high_values,
        ("lr_too_high",),
        ("dead_relu", "exploding_gradient", "nan_inf_loss"),
    ),
    Case("rate_low_sgd", rate_low_sgd, ("lr_too_low",), ("undertrained",)),
    Case("rate_low_adam", rate_low_adam, ("lr_too_low",), ("undertrained",)),
    Case("stopped_early", stopped_early, ("undertrained",), ("lr_too_low",)),
    Case("stopped_early_values", stopped_early_values, ("undertrained",), ("lr_too_low",)),
    Case("log_of_zero", log_of_zero, ("nan_inf_loss",), ("unnormalised_input", "lr_too_high")),
    Case("root_of_zero", root_of_zero, ("nan_inf_loss",)),
    Case(
        "faint_gradient",
        faint_gradient,
        ("vanishing_gradient",),
        ("saturated_activation", "optimisation_failure"),
    ),
    Case("faint_tanh", faint_tanh, ("vanishing_gradient", "init_scale"), ("optimisation_failure",)),
    Case(
        "leaping_gradient",
        leaping_gradient,
        ("exploding_gradient",),
        ("nan_inf_loss", "lr_too_high", "init_scale"),
    ),
    Case("dead_units", dead_units, ("dead_relu",), ("init_scale",)),
    Case("dead_by_rate", dead_by_rate, ("dead_relu", "lr_too_high"), ("exploding_gradient",)),
    Case("rails", rails, ("saturated_activation", "init_scale"), ("exploding_gradient",)),
    Case("rails_sigmoid", rails_sigmoid, ("saturated_activation", "unnormalised_input")),
    Case("zeros", zeros, ("symmetric_init",)),
    Case("ones", ones, ("symmetric_init",)),
    Case("start_large", start_large, ("init_scale",), ("exploding_gradient",)),
    Case(
        "start_small", start_small, ("init_scale", "vanishing_gradient"), ("optimisation_failure",)
    ),
    Case("deep_plain", deep_plain, ("optimisation_failure",), ("vanishing_gradient",)),
    Case("straight", straight, ("model_bias",), ("missing_nonlinearity",)),
    Case("narrow", narrow, ("model_bias",), ("dead_relu",)),
    Case("no_act", no_act, ("missing_nonlinearity",), ("model_bias",)),
    Case("decayed", decayed, ("over_regularised",)),
    Case("penalised", penalised, ("over_regularised",)),
    Case("dropped", dropped, ("dropout_misuse",), ("over_regularised",)),
    Case("by_heart", by_heart, ("overfitting",)),
    Case("by_heart_classes", by_heart_classes, ("overfitting",)),
    Case("norm_of_few", norm_of_few, ("bn_small_batch",), ("lr_too_high", "batch_too_small")),
)
