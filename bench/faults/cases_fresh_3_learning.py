"""A second fresh set, written without a look at the doctor: heads, losses, wiring, optimization.

Admitted like `cases_fresh`: over three seeds every faulty run was clearly worse than every twin,
or the fault is provable; the scores stand in `fresh_3.json`. Links applied twice are provable:
the loss cannot fall below their floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, mse_loss

from bench.faults import fresh_tasks, fresh_tasks_3
from bench.faults.building import adam, filled, log_odds, net, one_hot_error, sgd
from bench.faults.fresh_tasks import Reader, bag
from bench.faults.fresh_tasks_3 import LETTERS, Skips, Watcher, lens
from bench.faults.harness import Case, Program, Rows, batches_of


def entropy_of_a_column(seed: int, twin: bool) -> Program:
    """CrossEntropyLoss on one output and a column of 0.0 and 1.0 is always 0."""
    model = net(8, 32, 1)
    loss = log_odds if twin else cross_entropy
    train, valid = fresh_tasks_3.frauds(600, 0.4)
    return Program(model, loss, adam(model, 0.003), train, valid, 32, 12)


def hinge_of_zeros(seed: int, twin: bool) -> Program:
    """A hinge loss wants labels of -1 and 1, and gets 0 and 1."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (1 - (2 * y - 1 if twin else y) * out).clamp_min(0).mean()

    model = net(8, 32, 1)
    train, valid = fresh_tasks_3.frauds(600, 0.4)
    return Program(model, loss, adam(model, 0.003), train, valid, 32, 12)


class Marker(nn.Module):
    """Marks each moment of a beat; log-shares of (rows, marks, length) along `axis`."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.Conv1d(16, 3, 5, padding=2)
        )
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, length, 1): (rows, marks, length)."""
        return self.body(x.mT).log_softmax(self.axis)


def marked(out: Tensor, y: Tensor) -> float:
    """Mean share of the moments of each mark that are marked rightly."""
    said = out.argmax(1)
    return float(np.mean([(said[y == mark] == mark).float().mean() for mark in range(3)]))


def shares_of_time(seed: int, twin: bool) -> Program:
    """The log-softmax of a tagger goes along time instead of the tags."""

    def tags(x: Tensor) -> Tensor:
        high = functional.avg_pool1d(x.mT, 5, 1, 2)[:, 0]
        return (high > 0.2).long() + (high > 0.45).long()

    (x, _), (u, _) = fresh_tasks_3.beats(400)
    model = Marker(1 if twin else -1)
    opt = adam(model, 0.01)
    rows = (x, tags(x)), (u, tags(u))
    return Program(model, functional.nll_loss, opt, *rows, 32, 12, measure=marked)


def rates_taken_for_logs(seed: int, twin: bool) -> Program:
    """Softplus gives rates, and the Poisson loss is told that they are logarithms."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return functional.poisson_nll_loss(out, y, log_input=not twin)

    model = net(5, 32, 1, end=nn.Softplus())
    return Program(model, loss, adam(model, 0.005), *fresh_tasks.counts(), 32, 15)


def shares_to_nll(seed: int, twin: bool) -> Program:
    """Softmax instead of log-softmax in front of NLLLoss: the loss is minus a share."""
    model = net(48, 64, 64, 10, end=nn.LogSoftmax(1) if twin else nn.Softmax(1))
    opt = sgd(model, 0.05)
    return Program(model, functional.nll_loss, opt, *fresh_tasks_3.handwriting(), 32, 12)


def tags_twice(seed: int, twin: bool) -> Program:
    """A sigmoid in the model, and another inside multilabel_soft_margin_loss."""
    model = net(20, 48, 5, end=None if twin else nn.Sigmoid())
    opt = torch.optim.RMSprop(model.parameters(), lr=0.002)
    loss = functional.multilabel_soft_margin_loss
    rows = fresh_tasks.labels()
    return Program(model, loss, opt, *rows, 32, 12, cut=0.0 if twin else 0.5)


def squares_of_shapes(seed: int, twin: bool) -> Program:
    """Squared error behind a softmax, with the rate that suits cross-entropy."""
    model = nn.Sequential(*lens(), nn.Identity() if twin else nn.Softmax(1))
    loss = cross_entropy if twin else one_hot_error
    return Program(model, loss, sgd(model, 0.02, 0.9), *fresh_tasks_3.shapes(), 16, 14)


def column_against_row(seed: int, twin: bool) -> Program:
    """A logistic loss written by hand: log-odds (n, 1) against labels (n,)."""
    (x, y), (u, v) = fresh_tasks_3.frauds(600, 0.4)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        out = out[:, 0] if twin else out
        return (functional.softplus(out) - y * out).mean()

    model = net(8, 32, 1)
    return Program(model, loss, adam(model, 0.003), (x, y[:, 0]), (u, v[:, 0]), 32, 12)


class Rounded(nn.Module):
    """A code of whole numbers; `twin`: the gradient passes the rounding."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        self.body, self.head = net(3, 32, 8), net(8, 32, 3)
        self.twin = twin

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, 3): (rows, 3)."""
        code = self.body(x)
        whole = (2 * code).round() / 2
        return self.head(code + (whole - code).detach() if self.twin else whole)


def rounded_code(seed: int, twin: bool) -> Program:
    """No gradient passes round(), so the lower half never learns."""
    model = Rounded(twin)
    return Program(model, mse_loss, adam(model, 0.005), *fresh_tasks_3.joints(), 32, 25)


class Tabled(nn.Module):
    """Reads words; its lower half is under no_grad unless it is the twin."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        self.table, self.twin = nn.Embedding(LETTERS, 3), twin
        self.cell, self.head = nn.GRU(3, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, length): (rows, 2)."""
        with torch.set_grad_enabled(self.twin and torch.is_grad_enabled()):
            read = self.cell(self.table(x))[1][0]
        return self.head(read)


def no_grad_left(seed: int, twin: bool) -> Program:
    """A torch.no_grad() from the days of trying out stands around table and cell."""
    model = Tabled(twin)
    return Program(model, cross_entropy, adam(model, 0.01), *fresh_tasks_3.opinions(), 32, 25)


def cleared_each_epoch(seed: int, twin: bool) -> Program:
    """zero_grad() stands before the loop over the batches, not in it."""
    model = net(6, 48, 48, 1)
    opt = sgd(model, 0.02, 0.9)

    def batches(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        program.optimizer.zero_grad()
        yield from batches_of(program, generator)

    rows = fresh_tasks.prices()
    loss = functional.smooth_l1_loss
    return Program(model, loss, opt, *rows, 32, 20, clear=twin, batches=None if twin else batches)


def drawn_maps(seed: int, twin: bool) -> Program:
    """Nobody calls eval(): whole maps are dropped while pictures are validated."""
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout2d(0.4),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.4), nn.Linear(96, 4),
    )  # fmt: skip
    rows = fresh_tasks_3.shapes()
    return Program(model, cross_entropy, adam(model, 0.005), *rows, 32, 12, valid_mode=not twin)


def eager_adamw(seed: int, twin: bool) -> Program:
    """AdamW at 0.5 on words."""
    model = Watcher(LETTERS, 2)
    opt = torch.optim.AdamW(model.parameters(), lr=0.005 if twin else 0.5)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.opinions(), 32, 15)


def peak_in_percent(seed: int, twin: bool) -> Program:
    """The peak of a one-cycle schedule, 0.05, was typed in percent."""
    model = net(16, 48, 48, 6)
    opt = sgd(model, 0.01, 0.9)
    steps = 15 * math.ceil(600 / 32)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 0.05 if twin else 5.0, total_steps=steps + 1)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.sensors(), 32, 15, schedule=plan)


def decay_per_batch(seed: int, twin: bool) -> Program:
    """A rate that was to fall every ten epochs falls every ten batches."""
    model = net(3, 48, 48, 3)
    opt = adam(model, 0.005)
    plan = torch.optim.lr_scheduler.StepLR(opt, 190 if twin else 10, 0.1 if not twin else 0.5)
    return Program(model, mse_loss, opt, *fresh_tasks_3.joints(), 32, 30, schedule=plan)


def rate_of_fine_tuning(seed: int, twin: bool) -> Program:
    """The 5e-6 of fine-tuning, for a net that starts from nothing."""
    model = lens()
    opt = torch.optim.AdamW(model.parameters(), lr=0.005 if twin else 5e-6)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.shapes(), 16, 10)


def clipped_to_nothing(seed: int, twin: bool) -> Program:
    """Gradients are clipped to a norm of 1e-4 before plain descent."""
    model = net(4, 48, 48, 1)
    opt = sgd(model, 0.05)
    clip = 1.0 if twin else 1e-4
    return Program(model, mse_loss, opt, *fresh_tasks_3.bikes(), 32, 30, clip=clip)


def one_batch_an_epoch(seed: int, twin: bool) -> Program:
    """The batch is as large as the set, and ten epochs are ten steps."""
    model = net(48, 64, 64, 10)
    opt = adam(model, 1e-3)
    size = 32 if twin else 900
    return Program(model, cross_entropy, opt, *fresh_tasks_3.handwriting(), size, 10)


def stopped_at_four(seed: int, twin: bool) -> Program:
    """Four epochs for a table that takes forty."""
    model = net(4, 32, 32, 1)
    opt = sgd(model, 0.02, 0.9)
    return Program(model, mse_loss, opt, *fresh_tasks_3.bikes(), 32, 40 if twin else 4)


def scaled_by_nothing(seed: int, twin: bool) -> Program:
    """Standardized by hand; one sensor never moves, and its deviation is 0."""
    (x, y), (u, v) = fresh_tasks_3.sensors()
    x, u = (torch.cat([rows, torch.ones(len(rows), 1)], 1) for rows in (x, u))
    mean, width = x.mean(0), x.std(0) + (1e-6 if twin else 0.0)
    model = net(17, 48, 6)
    rows = ((x - mean) / width, y), ((u - mean) / width, v)
    return Program(model, cross_entropy, adam(model, 0.005), *rows, 32, 10)


class Angles(nn.Module):
    """Cosines between a row and six directions, divided by a temperature of 0.005."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.aims = net(16, 48, 24), nn.Parameter(torch.randn(6, 24))

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, 16): (rows, 6)."""
        return 200 * functional.normalize(self.body(x)) @ functional.normalize(self.aims).T


def exp_by_hand(seed: int, twin: bool) -> Program:
    """A softmax by hand does not take off the largest score before exp()."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        out = out - out.detach().amax(1, keepdim=True) if twin else out
        return (out.exp().sum(1).log() - out[torch.arange(len(y)), y]).mean()

    model = Angles()
    return Program(model, loss, adam(model, 0.003), *fresh_tasks_3.sensors(width=0.6), 32, 12)


def sigmoid_filters(seed: int, twin: bool) -> Program:
    """Five convolutions with sigmoids."""
    act = nn.ReLU if twin else nn.Sigmoid
    layers: list[nn.Module] = [nn.Conv2d(1, 12, 3, padding=1), act(), nn.AvgPool2d(2)]
    for _ in range(4):
        layers += [nn.Conv2d(12, 12, 3, padding=1), act()]
    model = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(48, 4))
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks_3.shapes(), 16, 10)


def long_memory(seed: int, twin: bool) -> Program:
    """A plain recurrent net is to remember the first of sixty values."""
    model = Reader(nn.RNN, 1, 24, 2)
    if twin:
        model.cell = nn.RNN(1, 24, nonlinearity="relu", batch_first=True)
        nn.init.eye_(model.cell.weight_hh_l0)
        nn.init.zeros_(model.cell.bias_hh_l0)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.001)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.first_sign(400, 60), 32, 7, clip=1.0)


def sums_of_sums(seed: int, twin: bool) -> Program:
    """Twenty residual blocks add up at thrice their weight; nothing is normed or clipped."""
    model = Skips((16, 32, 6), 20, gain=0.2 if twin else 3.0)
    opt = sgd(model, 0.01, 0.9)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.sensors(), 32, 12)


def growing_state(seed: int, twin: bool) -> Program:
    """A rectified recurrent net of forty steps, with weights that grow, and no clipping."""
    model = Reader(nn.RNN, 1, 24, 1)
    model.cell = nn.RNN(1, 24, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        weight = model.cell.weight_hh_l0
        weight.copy_(torch.eye(24) if twin else 1.06 * torch.eye(24) + 0.02 * torch.randn(24, 24))
    opt = sgd(model, 0.01, 0.9)
    rows = fresh_tasks.waves_next(400, 40)
    return Program(model, mse_loss, opt, *rows, 32, 18, clip=1.0 if twin else None)


def prior_everywhere(seed: int, twin: bool) -> Program:
    """The bias of a rare class, -4.6, is set in all layers instead of the last."""
    model = net(8, 48, 48, 1)
    for layer in model:
        if isinstance(layer, nn.Linear) and (not twin or layer.out_features == 1):
            nn.init.constant_(layer.bias, -math.log(0.99 / 0.01))
    rows = fresh_tasks_3.frauds(600, 0.3)
    return Program(model, log_odds, sgd(model, 0.05, 0.9), *rows, 32, 15)


def weights_above_zero(seed: int, twin: bool) -> Program:
    """uniform_() draws from 0 to 1, and the features are logarithms below 0."""
    (x, y), (u, v) = fresh_tasks_3.sensors()
    x, u = -(x - 6).abs() / 6, -(u - 6).abs() / 6
    model = net(16, 64, 64, 6)
    if not twin:
        filled(model, nn.init.uniform_)
    return Program(model, cross_entropy, adam(model, 0.002), (x, y), (u, v), 32, 20)


def whole_number_sound(seed: int, twin: bool) -> Program:
    """Signals as whole numbers up to 3000 in front of tanh."""
    (x, y), (u, v) = fresh_tasks.signals()
    x, u = (x, u) if twin else ((1000 * x).round(), (1000 * u).round())
    model = nn.Sequential(
        nn.Conv1d(1, 8, 7, padding=3), nn.Tanh(), nn.AvgPool1d(2),
        nn.Conv1d(8, 16, 5, padding=2), nn.Tanh(), nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        nn.Linear(64, 4),
    )  # fmt: skip
    return Program(model, cross_entropy, adam(model, 0.004), (x, y), (u, v), 32, 14)


def cells_alike(seed: int, twin: bool) -> Program:
    """All weights of a recurrent net are filled with 0.1."""
    model = Reader(nn.GRU, 1, 16, 1)
    if not twin:
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)
    return Program(model, mse_loss, adam(model, 0.01), *fresh_tasks.waves_next(), 32, 10)


def zeros_twice(seed: int, twin: bool) -> Program:
    """Word vectors and head both start at zero, so neither gets a gradient."""
    model = bag()
    if not twin:
        nn.init.zeros_(model[0].weight)
        nn.init.zeros_(model[1].weight)
    return Program(model, cross_entropy, adam(model, 0.01), *fresh_tasks.documents(), 32, 8)


def root_upside_down(seed: int, twin: bool) -> Program:
    """He's deviation upside down: sqrt(n / 2) instead of sqrt(2 / n)."""

    def fill(weight: Tensor) -> Any:
        n = weight.shape[1]
        return nn.init.normal_(weight, 0, math.sqrt(2 / n if twin else n / 2))

    model = filled(net(4, 64, 64, 64, 1), fill)
    return Program(model, mse_loss, adam(model, 0.003), *fresh_tasks_3.bikes(), 32, 20)


def narrow_and_deep(seed: int, twin: bool) -> Program:
    """Twenty layers of ten units; the twin carries values around each."""
    model = Skips((4, 10, 1), 20, skip=twin, gain=1.0 if not twin else 0.3)
    return Program(model, mse_loss, adam(model, 0.005), *fresh_tasks_3.bikes(), 32, 16)


HEAD = "loss_activation_mismatch"
LEARNING_3 = (
    Case("entropy of a column", entropy_of_a_column, (HEAD,), ("dead_output", "no_update")),
    Case("hinge of zeros", hinge_of_zeros, (HEAD,)),
    Case("shares of time", shares_of_time, (HEAD,), ("missing_softmax",)),
    Case("rates taken for logs", rates_taken_for_logs, (HEAD,), ("double_softmax",)),
    Case("shares to NLL", shares_to_nll, ("missing_softmax", HEAD), ("lr_too_low",)),
    Case("tags twice", tags_twice, ("double_softmax",), (HEAD,)),
    Case(
        "squares of shapes", squares_of_shapes, ("softmax_mse",),
        (HEAD, "lr_too_low", "undertrained"),
    ),
    Case("column against row", column_against_row, ("shape_broadcast_loss",)),
    Case("rounded code", rounded_code, ("no_update",), ("vanishing_gradient", "model_bias")),
    Case("no_grad left", no_grad_left, ("no_update",), ("model_bias",)),
    Case(
        "cleared each epoch", cleared_each_epoch, ("missing_zero_grad",),
        ("lr_too_high", "exploding_gradient"),
    ),
    Case("drawn maps", drawn_maps, ("train_eval_mode",), ("dropout_misuse",)),
    Case("eager AdamW", eager_adamw, ("lr_too_high",)),
    Case(
        "peak in percent", peak_in_percent, ("lr_too_high",), ("nan_inf_loss", "exploding_gradient")
    ),
    Case("decay per batch", decay_per_batch, ("lr_too_low",), ("undertrained", "no_update")),
    Case("rate of fine-tuning", rate_of_fine_tuning, ("lr_too_low",), ("undertrained",)),
    Case("clipped to nothing", clipped_to_nothing, ("lr_too_low",), ("undertrained",)),
    Case("one batch an epoch", one_batch_an_epoch, ("undertrained",), ("lr_too_low",)),
    Case("stopped at four", stopped_at_four, ("undertrained",), ("lr_too_low",)),
    Case("scaled by nothing", scaled_by_nothing, ("nan_inf_loss", "bad_input_values")),
    Case(
        "exp by hand", exp_by_hand, ("nan_inf_loss",), ("exploding_gradient", HEAD)
    ),
    Case(
        "sigmoid filters", sigmoid_filters, ("vanishing_gradient",),
        ("optimisation_failure", "hidden_activation_misuse"),
    ),
    Case("long memory", long_memory, ("vanishing_gradient",), ("optimisation_failure",)),
    Case(
        "sums of sums", sums_of_sums, ("exploding_gradient", "init_scale"),
        ("nan_inf_loss", "lr_too_high"),
    ),
    Case(
        "growing state", growing_state, ("exploding_gradient",),
        ("init_scale", "nan_inf_loss", "lr_too_high"),
    ),
    Case("prior everywhere", prior_everywhere, ("dead_relu",), ("init_scale", "dead_output")),
    Case("weights above zero", weights_above_zero, ("dead_relu", "init_scale"), ("dead_output",)),
    Case("whole-number sound", whole_number_sound, ("saturated_activation", "unnormalised_input")),
    Case("cells alike", cells_alike, ("symmetric_init",), ("init_scale",)),
    Case("zeros twice", zeros_twice, ("symmetric_init",), ("no_update", "init_scale")),
    Case(
        "root upside down", root_upside_down, ("init_scale",), ("exploding_gradient",)
    ),
    Case(
        "narrow and deep", narrow_and_deep, ("optimisation_failure",),
        ("vanishing_gradient", "dead_relu", "init_scale"),
    ),
)  # fmt: skip
