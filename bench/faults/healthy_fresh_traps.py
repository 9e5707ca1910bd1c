"""Healthy programs that set a trap: unusual optimisation, unusual nets, unusual rows.

Written without a look at the doctor's rules; each has a bar, as in `healthy_fresh`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from bench.faults.building import adam, digits, net, parts, sgd, tumors, waves
from bench.faults.harness import Program, Rows
from bench.faults.healthy_fresh import Reader, cosine
from bench.faults.healthy_rows import (
    iris,
    made,
    mapped,
    pictured,
    tones,
)

CE = F.cross_entropy


class After:
    """Something that the program does after each step, in the place of a schedule."""

    def __init__(self, act: Callable[[int], object]) -> None:
        self.act, self.at = act, 0

    def step(self) -> None:
        """One step further."""
        self.at += 1
        self.act(self.at)


# ------------------------------------------------------------------ optimisation
def pretrained() -> nn.Sequential:
    """A net that some digits have taught already."""
    model = net(64, 64, 32, 10)
    (x, y), _ = digits(500)
    optimizer = adam(model, 5e-3)
    for at in range(250):
        rows = torch.arange(at * 32, at * 32 + 32) % 500
        optimizer.zero_grad()
        CE(model(x[rows]), y[rows]).backward()
        optimizer.step()
    return model


def frozen_backbone() -> Program:
    model = pretrained()
    model.requires_grad_(False)
    model[-1] = nn.Linear(32, 10)
    optimizer = adam(model[-1], 1e-2)
    return Program(model, CE, optimizer, *digits(), 32, 15)


def fine_tuning() -> Program:
    model = pretrained()
    return Program(model, CE, adam(model, 1e-5), *digits(), 32, 8)


def gradual_unfreezing() -> Program:
    model = pretrained()
    model[-1] = nn.Linear(32, 10)
    for layer in model[:-1]:
        layer.requires_grad_(False)
    opens = {120: model[2], 240: model[0]}
    after = After(lambda at: opens[at].requires_grad_(True) if at in opens else None)
    return Program(model, CE, adam(model, 2e-3), *digits(), 32, 15, schedule=after)


def warm_up_from_zero() -> Program:
    model = net(64, 64, 10)
    optimizer = adam(model, 3e-3)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min(1.0, at / 100))
    return Program(model, CE, optimizer, *digits(), 32, 20, schedule=rate)


def accumulation() -> Program:
    model = net(64, 64, 10)
    return Program(
        model, lambda o, y: CE(o, y) / 4, adam(model, 5e-3), *digits(896), 16, 20, accumulate=4
    )


def small_clip() -> Program:
    model = net(64, 64, 10)
    return Program(model, CE, sgd(model, 0.5, 0.9), *digits(), 32, 20, clip=0.1)


def edge_of_stability() -> Program:
    model = net(64, 64, 10)
    return Program(model, CE, sgd(model, 0.3), *digits(), 32, 20)


class Whole(torch.optim.LBFGS):
    """L-BFGS on all rows; the closure is its own."""

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor], rows: Rows) -> None:
        super().__init__(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")
        self.of = (model, loss, rows)

    def step(self, closure: Any = None) -> Any:
        """One step of the inner iterations."""
        model, loss, (x, y) = self.of

        def again() -> Tensor:
            self.zero_grad()
            value = loss(model(x), y)
            value.backward()
            return value

        return super().step(again)


def lbfgs() -> Program:
    model = net(4, 8, 3, act=nn.Tanh)
    train, valid = iris()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return CE(out, y) + 1e-2 * sum(p.square().sum() for p in model.parameters())

    return Program(model, loss, Whole(model, loss, train), train, valid, 100, 30)


def rprop() -> Program:
    model = net(30, 16, 2)
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-3)
    return Program(model, CE, optimizer, *tumors(), 380, 30)


def all_rows() -> Program:
    model = net(6, 48, 1)
    return Program(model, F.mse_loss, adam(model, 1e-2), *waves(), 500, 250)


def batch_of_one() -> Program:
    model = net(4, 16, 3)
    return Program(model, CE, sgd(model, 0.01), *iris(), 1, 15)


def converged() -> Program:
    model = nn.Linear(6, 1)
    rows = mapped(lambda x, _: x @ np.arange(1, 7) / 9, 400, 0.3, 6)
    return Program(model, F.mse_loss, sgd(model, 0.05), *rows, 32, 80)


def cosine_tail() -> Program:
    model = net(64, 64, 10)
    optimizer = sgd(model, 0.1, 0.9)
    return Program(model, CE, optimizer, *digits(), 32, 25, schedule=cosine(optimizer, 25 * 29))


# ------------------------------------------------------------------ nets
class Residual(nn.Module):
    """Blocks with skips; `zero`: "gain" a learned gain from 0, "last" the last map from 0."""

    def __init__(self, depth: int, zero: str = "", drop: float = 0.0) -> None:
        super().__init__()
        self.first, self.head, self.drop = nn.Linear(64, 32), nn.Linear(32, 10), drop
        self.blocks = nn.ModuleList(net(32, 32, 32) for _ in range(depth))
        self.gains = nn.Parameter(torch.zeros(depth)) if zero == "gain" else torch.ones(depth)
        if zero == "last":
            for block in self.blocks:
                nn.init.zeros_(block[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for gain, block in zip(self.gains, self.blocks, strict=True):
            keep = 1.0 - self.drop
            if self.training and self.drop:
                h = h + block(h) * (torch.rand(len(h), 1) < keep) / keep
            else:
                h = h + gain * block(h)
        return self.head(h)


def rezero() -> Program:
    model = Residual(10, "gain")
    return Program(model, CE, adam(model, 2e-3), *digits(), 64, 15)


def stochastic_depth() -> Program:
    model = Residual(6, drop=0.2)
    return Program(model, CE, adam(model, 2e-3), *digits(), 64, 25)


def zero_head() -> Program:
    model = net(64, 64, 10)
    nn.init.zeros_(model[-1].weight)
    nn.init.zeros_(model[-1].bias)
    return Program(model, CE, adam(model), *digits(), 32, 18)


def spectral() -> Program:
    model = net(64, 64, 10)
    model[0] = parametrizations.spectral_norm(model[0])
    return Program(model, CE, adam(model), *digits(), 32, 18)


def weight_norm() -> Program:
    model = net(64, 64, 10)
    model[0], model[2] = (parametrizations.weight_norm(model[i]) for i in (0, 2))
    return Program(model, CE, adam(model), *digits(), 32, 15)


class Averaged(nn.Module):
    """Trains a net, and answers with the moving average of its weights."""

    def __init__(self, fast: nn.Module) -> None:
        super().__init__()
        self.fast = fast
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
        self.slow = torch.optim.swa_utils.AveragedModel(fast, multi_avg_fn=average)

    def forward(self, x: Tensor) -> Tensor:
        return self.fast(x) if self.training else self.slow(x)


def moving_average() -> Program:
    model = Averaged(net(64, 64, 10))
    after = After(lambda _: model.slow.update_parameters(model.fast))
    return Program(model, CE, adam(model.fast), *digits(), 32, 18, schedule=after)


def wide_dropout() -> Program:
    model = net(64, 256, 256, 10, drop=0.5)
    return Program(model, CE, adam(model, 1e-3), *digits(), 64, 20)


class Sampled(nn.Module):
    """Dropout at the answers too: the mean of eight drawn nets."""

    def __init__(self) -> None:
        super().__init__()
        self.body = net(10, 64, 64, 1, drop=0.1)

    def forward(self, x: Tensor) -> Tensor:
        self.body.train()
        return torch.stack([self.body(x) for _ in range(1 if self.training else 8)]).mean(0)


def monte_carlo_dropout() -> Program:
    x, y = datasets.make_friedman1(1000, 10, noise=0.5, random_state=8)
    model = Sampled()
    rows = parts(x, (y - y.mean()) / y.std(), 600)
    return Program(model, F.mse_loss, adam(model, 3e-3), *rows, 32, 30)


def images(norm: Callable[[int], nn.Module]) -> nn.Sequential:
    """Two normalised convolutions."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        norm(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False),
        norm(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


def batch_norm_16() -> Program:
    model = images(nn.BatchNorm2d)
    return Program(model, CE, adam(model, 2e-3), *digits(image=True), 16, 8)


def group_norm() -> Program:
    model = images(lambda wide: nn.GroupNorm(4, wide))
    return Program(model, CE, adam(model), *digits(image=True), 32, 12)


def instance_norm() -> Program:
    model = images(lambda wide: nn.InstanceNorm2d(wide, affine=True))
    return Program(model, CE, adam(model), *digits(image=True), 32, 12)


def layer_norm() -> Program:
    model = nn.Sequential(
        nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64),
        nn.GELU(), nn.Linear(64, 10),
    )  # fmt: skip
    return Program(model, CE, adam(model, 2e-3), *digits(), 32, 15)


def residual_30() -> Program:
    model = Residual(15, "last")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return Program(model, CE, optimizer, *digits(), 64, 15, schedule=cosine(optimizer, 225))


def bottleneck_2() -> Program:
    model = net(64, 48, 24, 2, 24, 48, 64, act=nn.ELU)
    (x, _), (xv, _) = digits()
    return Program(model, F.mse_loss, adam(model), (x, x), (xv, xv), 32, 30, measure=pictured)


class Cast(nn.Module):
    """A net whose products are taken in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.body = net(64, 64, 10)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(x).float()


def bfloat16() -> Program:
    model = Cast()
    return Program(model, CE, adam(model), *digits(), 32, 15)


def float64() -> Program:
    model = net(6, 48, 1).double()
    (x, y), (xv, yv) = waves()
    return Program(
        model, F.mse_loss, adam(model), (x.double(), y.double()), (xv.double(), yv.double()), 32, 30
    )


# ------------------------------------------------------------------ rows
def one_hot_inputs() -> Program:
    draw = np.random.default_rng(3)
    kinds = draw.integers(0, 20, (1200, 4))
    y = draw.normal(0, 1, (4, 20))[np.arange(4), kinds].sum(1) + draw.normal(0, 0.3, 1200)
    x = np.eye(20)[kinds].reshape(1200, 80)
    model = net(80, 32, 1)
    return Program(model, F.mse_loss, adam(model), *parts(x, y / 2, 800, False), 32, 15, patience=4)


def raw_counts() -> Program:
    draw = np.random.default_rng(4)
    y = draw.integers(0, 3, 900)
    x = draw.poisson(
        np.exp(
            draw.normal(4, 1.5, 15)
            + 0.1 * draw.normal(0, 1, (3, 15))[y]
            + 0.15 * draw.normal(0, 1, (900, 15))
        )
    )
    model = nn.Sequential(nn.BatchNorm1d(15), *net(15, 32, 3))
    return Program(model, CE, adam(model), *parts(x, y, 600, False), 32, 15)


def repeated_rows() -> Program:
    draw = np.random.default_rng(5)
    x = draw.integers(0, 2, (1000, 6))
    odds = 1.5 * x[:, 0] - 2 * x[:, 1] + 2 * x[:, 2] * x[:, 3] - 0.4
    y = (draw.random(1000) < 1 / (1 + np.exp(-2 * odds))).astype(int)
    model = net(6, 16, 2)
    return Program(model, CE, adam(model), *parts(x.astype(float), y, 600, False), 32, 15)


def truly_easy() -> Program:
    x, y = datasets.make_blobs(600, 5, centers=3, cluster_std=0.5, random_state=1)
    model = net(5, 16, 3)
    return Program(model, CE, adam(model, 1e-2), *parts(x, y, 400), 32, 15)


def noise_floor() -> Program:
    rows = mapped(lambda x, draw: x[:, 0] + 3 * draw.normal(0, 1, len(x)), 800, 0.0)
    model = nn.Linear(4, 1)
    return Program(model, F.mse_loss, sgd(model, 0.01), *rows, 32, 20)


def forty_rows() -> Program:
    x, y = datasets.load_iris(return_X_y=True)
    model = net(4, 8, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.05)
    return Program(model, CE, optimizer, *parts(x, y, 40, seed=1), 8, 50)


def twenty_to_validate() -> Program:
    model = net(30, 16, 2)
    train, (x, y) = tumors()
    return Program(model, CE, adam(model), train, (x[:20], y[:20]), 32, 12)


def lucky_validation() -> Program:
    train, (x, y) = made(apart=0.8)
    x, y = x[100:220], y[100:220]
    model = net(12, 24, 2)
    return Program(model, CE, adam(model), train, (x, y), 32, 12)


def nine_to_one() -> Program:
    model = net(12, 32, 2)
    return Program(model, CE, adam(model), *made(share=0.9), 32, 20)


class Streams(nn.Module):
    """A recurrent net that goes on from the state where the last batch ended."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)
        self.state: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        go_on = self.training and self.state is not None and self.state.shape[1] == len(x)
        out, last = self.body(x, self.state if go_on else None)
        self.state = last.detach() if self.training else None
        return self.head(out)


def stateful() -> Program:
    draw = np.random.default_rng(6)
    s = np.zeros((16, 1201))
    for t in range(2, 1201):
        s[:, t] = 1.6 * s[:, t - 1] - 0.8 * s[:, t - 2] + 0.3 * draw.normal(0, 1, 16)
    s = torch.tensor(s / s.std(), dtype=torch.float32)
    x = torch.cat([s[:, a : a + 20] for a in range(0, 1200, 20)])[..., None]
    y = torch.cat([s[:, a + 1 : a + 21] for a in range(0, 1200, 20)])[..., None]
    model = Streams()
    return Program(
        model, F.mse_loss, adam(model, 1e-2), (x[:640], y[:640]), (x[640:], y[640:]), 16, 7,
        shuffle=False, clip=1.0,
    )  # fmt: skip


def shorter_first() -> Program:
    """Tones: the first third of the epochs sees tidy rows first."""
    (x, y), valid = tones()
    rough = (x[:, 2:] - x[:, 1:-1] * 1.5 + x[:, :-2]).square().mean((1, 2)).argsort()
    model = Reader(nn.GRU, 3)
    rows = (x[rough], y[rough])
    seen = iter(range(100))

    def batches(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        upto = min(400, 150 + 50 * next(seen))
        for part in torch.randperm(upto, generator=generator).split(32):
            yield rows[0][part], rows[1][part]

    return Program(model, CE, adam(model, 5e-3), rows, valid, 32, 15, batches=batches, clip=1.0)


def stream_once() -> Program:
    rows = mapped(lambda x, _: np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2], 12000, 0.2)
    model = net(4, 48, 1)
    optimizer = adam(model, 5e-3)
    return Program(
        model, F.mse_loss, optimizer, *rows, 16, 1, shuffle=False, schedule=cosine(optimizer, 750)
    )


def heavy_tails() -> Program:
    rows = mapped(lambda x, _: 8 + 1.5 * x[:, 0] + np.abs(x[:, 1]), 500, 0.2)
    (x, y), (xv, yv) = rows
    mean, deviation = y.mean(), y.std()
    model = net(4, 32, 1)
    goals = [(r.exp().log() - mean) / deviation for r in (y, yv)]
    return Program(model, F.mse_loss, adam(model), (x, goals[0]), (xv, goals[1]), 32, 20)


def three_scales() -> Program:
    draw = np.random.default_rng(13)
    x = draw.normal(0, 1, (1000, 5)) * [1, 100, 1e4, 0.01, 10] + [0, 50, -2e4, 1, 3]
    z = (x - x.mean(0)) / x.std(0)
    y = np.stack([1e3 * z[:, 0], z[:, 1] * z[:, 2], 1e-3 * np.tanh(z[:, 3] + z[:, 4])], 1)
    model = net(5, 64, 3)
    return Program(
        model, F.mse_loss, adam(model, 5e-3), *parts(x, (y - y.mean(0)) / y.std(0), 600), 32, 40
    )


def interpolates() -> Program:
    model = net(64, 512, 10)
    return Program(model, CE, adam(model, 1e-3), *digits(), 32, 25)


def image_to_noise() -> Program:
    (x, _), (xv, _) = digits(image=True)
    noise = torch.Generator().manual_seed(1)
    dirty = [r + 0.3 * torch.randn(r.shape, generator=noise) for r in (x, xv)]
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(),
        nn.Conv2d(12, 1, 3, padding=1),
    )  # fmt: skip
    return Program(
        model,
        F.mse_loss,
        adam(model, 5e-3),
        (dirty[0], x),
        (dirty[1], xv),
        32,
        10,
        measure=pictured,
    )


OPTIMISATION = (
    (frozen_backbone, 0.90, "weights that do not move"),
    (fine_tuning, 0.90, "flat loss, tiny updates"),
    (gradual_unfreezing, 0.92, "weights that do not move at first"),
    (warm_up_from_zero, 0.93, "a first step of rate 0"),
    (accumulation, 0.92, "gradients not cleared at each batch"),
    (small_clip, 0.93, "each gradient is clipped"),
    (edge_of_stability, 0.92, "large rate, bumps"),
    (lbfgs, 0.92, "second order, all rows"),
    (rprop, 0.94, "signs only, all rows"),
    (all_rows, 0.85, "one batch"),
    (batch_of_one, 0.92, "noisy loss"),
    (converged, 0.88, "flat loss for most of the run"),
    (cosine_tail, 0.93, "rate goes to 0"),
    (stream_once, 0.88, "one epoch"),
)
NETS = (
    (rezero, 0.92, "branches of gain 0"),
    (stochastic_depth, 0.92, "blocks left out at random"),
    (zero_head, 0.93, "outputs of 0 at the start"),
    (spectral, 0.92, "weight computed from a parameter"),
    (weight_norm, 0.92, "weight computed from parameters"),
    (moving_average, 0.93, "parameters in no optimizer"),
    (wide_dropout, 0.93, "validation better than training"),
    (monte_carlo_dropout, 0.80, "dropout at validation"),
    (batch_norm_16, 0.94, "batch normalisation, small batches"),
    (group_norm, 0.94, ""),
    (instance_norm, 0.92, ""),
    (layer_norm, 0.93, ""),
    (residual_30, 0.92, "32 layers, branches of 0"),
    (bottleneck_2, 0.32, "loss that stays high; bar: two principal components"),
    (bfloat16, 0.92, "rounded loss"),
    (float64, 0.85, "another type"),
)
ROWS = (
    (one_hot_inputs, 0.90, "columns mostly 0"),
    (raw_counts, 0.69, "logistic 0.74; large inputs, normalised inside"),
    (repeated_rows, 0.70, "rows shared by both sets; labels drawn"),
    (truly_easy, 0.99, "validation of 1"),
    (noise_floor, 0.03, "loss stays high; true share 0.1"),
    (forty_rows, 0.90, "few rows"),
    (twenty_to_validate, 0.85, "few rows to validate"),
    (lucky_validation, 0.80, "few rows to validate"),
    (nine_to_one, 0.90, "90 : 10"),
    (stateful, 0.80, "in order, state goes on; bar: the process itself 0.9"),
    (shorter_first, 0.92, "curriculum"),
    (heavy_tails, 0.90, "targets to e^12, in logarithms"),
    (three_scales, 0.90, "six orders of size, standardised"),
    (interpolates, 0.94, "training loss of 0"),
    (image_to_noise, 0.55, "noisy inputs"),
)
