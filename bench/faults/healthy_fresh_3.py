"""Healthy programs of the second fresh set: plain recipes, and traps that only look like faults.

Written without a look at the doctor. Each has a bar that three seeds have reached; the table at
the end says where it comes from: what logistic regression (LR), ridge regression, the nearest
neighbours (NN) or a random forest (RF) reach on the same rows, or the best that the noise allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, mse_loss

from bench.faults import fresh_tasks, fresh_tasks_3
from bench.faults.building import adam, log_odds, net, parts, sgd, tumors, wine
from bench.faults.fresh_tasks import Reader, bag, ears
from bench.faults.fresh_tasks_3 import LETTERS, Skips, Watcher, lens
from bench.faults.harness import Case, Program, Rows, batches_of


# ------------------------------------------------------------------ plain
def shapes_cnn() -> Program:
    model = lens()
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks_3.shapes(), 16, 10)


def beats_cnn() -> Program:
    model = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (1, 40)), *ears(3))
    opt = torch.optim.AdamW(model.parameters(), 0.006)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.beats(), 32, 16)


def opinions_attention() -> Program:
    model = Watcher(LETTERS, 2)
    return Program(model, cross_entropy, adam(model, 0.01), *fresh_tasks_3.opinions(), 32, 15)


def houses_adam() -> Program:
    model = net(4, 48, 48, 1)
    return Program(model, mse_loss, adam(model, 0.003), *fresh_tasks_3.houses(), 32, 25)


def joints_momentum() -> Program:
    model = net(3, 64, 64, 3, act=nn.Tanh)
    return Program(model, mse_loss, sgd(model, 0.1, 0.9), *fresh_tasks_3.joints(), 32, 30)


def customers_logistic() -> Program:
    model = nn.Linear(10, 1)
    rows = fresh_tasks_3.customers(column=True)
    return Program(model, log_odds, sgd(model, 0.1), *rows, 32, 12)


def customers_small_net() -> Program:
    model = net(10, 16, 2, drop=0.2)
    opt = torch.optim.AdamW(model.parameters(), 0.003, weight_decay=0.05)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.customers(900), 32, 10)


def sensors_adagrad() -> Program:
    model = net(16, 48, 6)
    opt = torch.optim.Adagrad(model.parameters(), lr=0.05)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.sensors(), 32, 15)


def wine_few_epochs() -> Program:
    model = net(13, 32, 3)
    return Program(model, cross_entropy, adam(model, 0.01), *wine(), 16, 8)


def much_noise() -> Program:
    rng = np.random.default_rng(41)
    x = rng.normal(size=(1000, 8))
    y = 0.5 * x[:, 0] + 0.35 * np.abs(x[:, 1]) + 0.4 * x[:, 2] + rng.normal(0, 1, 1000)
    model = net(8, 8, 1)
    opt = adam(model, 0.003)
    return Program(model, mse_loss, opt, *parts(x, (y - y.mean()) / y.std(), 500), 32, 12)


def corners_cnn() -> Program:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 4)
    )
    opt = torch.optim.RMSprop(model.parameters(), lr=0.001)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.corners(), 32, 8)


def handwriting_momentum() -> Program:
    model = net(48, 64, 32, 10)
    opt = torch.optim.SGD(model.parameters(), 0.03, 0.9, nesterov=True, weight_decay=1e-4)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.handwriting(), 32, 15)


def bikes_rmsprop() -> Program:
    model = net(4, 64, 64, 1, act=nn.SiLU)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.002)
    plan = torch.optim.lr_scheduler.ExponentialLR(opt, 0.999)
    rows = fresh_tasks_3.bikes()
    return Program(model, functional.l1_loss, opt, *rows, 32, 35, schedule=plan)


def first_sign_gru() -> Program:
    model = Reader(nn.GRU, 1, 16, 2)
    opt = torch.optim.AdamW(model.parameters(), 0.01)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.first_sign(400, 10), 32, 12, clip=1.0)


# ------------------------------------------------------------------ losses and heads
def log_softmax_twice() -> Program:
    model = net(16, 48, 6, end=nn.LogSoftmax(1))
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks_3.sensors(), 32, 15)


def brier_score() -> Program:
    model = net(16, 48, 6, end=nn.Softmax(1))

    def brier(out: Tensor, y: Tensor) -> Tensor:
        return (out - functional.one_hot(y, 6)).square().sum(1).mean()

    return Program(model, brier, adam(model, 0.005), *fresh_tasks_3.sensors(), 32, 20)


def bounded_by_tanh() -> Program:
    (x, y), (u, v) = fresh_tasks_3.joints()
    model = net(3, 48, 48, 3, end=nn.Tanh())
    rows = (x, y / 2.8), (u, v / 2.8)
    return Program(model, mse_loss, adam(model, 0.003), *rows, 32, 30)


def smoothed_labels() -> Program:
    model = net(48, 64, 10)
    loss = nn.CrossEntropyLoss(label_smoothing=0.2)
    return Program(model, loss, adam(model, 0.003), *fresh_tasks_3.handwriting(), 32, 15)


def ten_spare_classes() -> Program:
    model = net(16, 48, 16)
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks_3.sensors(), 32, 15)


def weighed_frauds() -> Program:
    model = net(8, 16, 1)
    weight = torch.tensor(19.0)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(out, y, pos_weight=weight)

    return Program(model, loss, adam(model, 0.002), *fresh_tasks_3.frauds(1200, 0.05), 64, 12)


def student_t() -> Program:
    (x, y), valid = fresh_tasks_3.bikes()
    rng = torch.Generator().manual_seed(1)
    noise = torch.randn(y.shape, generator=rng) / torch.rand(y.shape, generator=rng).clamp_min(0.02)
    model = net(4, 48, 48, 1)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (1 + ((out - y) / 0.2) ** 2).log().mean()

    rows = (x, y + 0.05 * noise), valid
    return Program(model, loss, adam(model, 0.004), *rows, 32, 25)


def big_output() -> Program:
    """Energies in the hundreds: the net computes in units of one, its last layer multiplies."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = net(4, 48, 48, 1)

        def forward(self, x: Tensor) -> Tensor:
            return 500 + 200 * self.body(x)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return mse_loss(out / 200, y / 200)

    (x, y), (u, v) = fresh_tasks_3.bikes()
    model = Scaled()
    rows = (x, 500 + 200 * y), (u, 500 + 200 * v)
    return Program(model, loss, adam(model, 0.004), *rows, 32, 25)


# ------------------------------------------------------------------ optimization
class Lines(nn.Module):
    """Products of two rows of a small table: starts at a saddle."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(12, 16, bias=False), nn.Linear(16, 12, bias=False)
        for layer in (self.one, self.two):
            nn.init.normal_(layer.weight, 0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, 12): (rows, 12)."""
        return self.two(self.one(x))


def plateau_then_success() -> Program:
    rng = np.random.default_rng(42)
    x = rng.normal(size=(900, 12))
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    model = Lines()
    rows = fresh_tasks.cut(x, x @ turn + 0.1 * rng.normal(size=x.shape), 600)
    return Program(model, mse_loss, sgd(model, 0.1, 0.9), *rows, 32, 25)


def converged_early() -> Program:
    model = nn.Sequential(nn.Linear(4, 3))
    rows = parts(*datasets.load_iris(return_X_y=True), 100)
    opt = adam(model, 0.05, weight_decay=1e-2)
    return Program(model, cross_entropy, opt, *rows, 20, 80)


def long_warm_up() -> Program:
    model = Watcher(LETTERS, 2)
    opt = torch.optim.AdamW(model.parameters(), 0.01)
    plan = torch.optim.lr_scheduler.LambdaLR(opt, lambda at: min(1.0, at / 120))
    return Program(model, cross_entropy, opt, *fresh_tasks_3.opinions(), 32, 18, schedule=plan)


def restarts() -> Program:
    model = net(4, 48, 48, 1)
    opt = sgd(model, 0.05, 0.9)
    plan = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 22 * 8)
    rows = fresh_tasks_3.bikes()
    return Program(model, mse_loss, opt, *rows, 32, 32, schedule=plan)


def steps_of_eight() -> Program:
    model = net(16, 48, 6)
    opt = sgd(model, 0.01, 0.9)  # the losses of a step are added
    rows = fresh_tasks_3.sensors()
    return Program(model, cross_entropy, opt, *rows, 8, 15, accumulate=8)


def always_clipped() -> Program:
    model = Reader(nn.GRU, 1, 16, 1)
    opt = adam(model, 0.01)
    rows = fresh_tasks.waves_next(400)
    return Program(model, mse_loss, opt, *rows, 32, 10, clip=0.01)


def frozen_vectors() -> Program:
    model = bag()
    nn.init.normal_(model[0].weight)
    model[0].weight.requires_grad_(False)
    opt = adam(model[1], 0.02)
    return Program(model, cross_entropy, opt, *fresh_tasks.documents(), 32, 10)


def fixed_random_waves() -> Program:
    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("turn", 0.8 * torch.randn(4, 100))
            self.head = nn.Linear(200, 1)

        def forward(self, x: Tensor) -> Tensor:
            angle = x @ self.turn
            return self.head(torch.cat([angle.sin(), angle.cos()], 1))

    model = Waves()
    return Program(model, mse_loss, adam(model, 0.01), *fresh_tasks_3.bikes(), 32, 25)


def forty_blocks() -> Program:
    model = Skips((16, 24, 6), 40, gain=0.15)
    return Program(model, cross_entropy, adam(model, 0.002), *fresh_tasks_3.sensors(), 32, 9)


def sigmoid_units() -> Program:
    model = net(4, 32, 32, 1, act=nn.Sigmoid)
    return Program(model, mse_loss, adam(model, 0.03), *fresh_tasks_3.bikes(), 32, 45)


# ------------------------------------------------------------------ units and regularization
def sparse_by_design() -> Program:
    class Best(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            edge = x.topk(8, dim=1).values[:, -1:]
            return x.relu() * (x >= edge)

    model = nn.Sequential(nn.Linear(48, 200), Best(), nn.Linear(200, 10))
    return Program(model, cross_entropy, adam(model, 0.003), *fresh_tasks_3.handwriting(), 32, 12)


def half_dropped() -> Program:
    (x, y), valid = fresh_tasks_3.handwriting()
    model = net(48, 256, 256, 10, drop=0.5)
    rows = (x[:400], y[:400]), valid
    return Program(model, cross_entropy, adam(model, 0.002), *rows, 32, 20)


def useful_decay() -> Program:
    rng = np.random.default_rng(43)
    x = rng.normal(size=(700, 60))
    y = (x[:, :3].sum(1) + rng.normal(0, 1, 700) > 0).astype(int)
    model = nn.Linear(60, 2)
    opt = torch.optim.SGD(model.parameters(), 0.05, 0.9, weight_decay=0.1)
    return Program(model, cross_entropy, opt, *fresh_tasks.cut(x, y, 200), 20, 20)


def lasso() -> Program:
    rng = np.random.default_rng(44)
    x = rng.normal(size=(800, 40))
    y = x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2] + rng.normal(0, 0.5, 800)
    model = nn.Linear(40, 1)

    def penalty(model: nn.Module) -> Tensor:
        return 0.03 * torch.stack([p.abs().sum() for p in model.parameters()]).sum()

    rows = fresh_tasks.cut(x, y, 300)
    return Program(model, mse_loss, sgd(model, 0.02), *rows, 20, 25, penalty=penalty)


def mild_gap() -> Program:
    (x, y), valid = fresh_tasks_3.sensors()
    model = net(16, 96, 6)
    rows = (x[:250], y[:250]), valid
    return Program(model, cross_entropy, adam(model, 0.003), *rows, 16, 20)


def norm_of_four_pictures() -> Program:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip
    return Program(model, cross_entropy, adam(model, 0.003), *fresh_tasks_3.shapes(), 4, 4)


# ------------------------------------------------------------------ rows
def raw_counts_of_words() -> Program:
    (x, y), (u, v) = fresh_tasks.documents()
    counts = [functional.one_hot(rows, 200).sum(1).float() for rows in (x, u)]
    model = net(200, 32, 4)
    rows = (counts[0], y), (counts[1], v)
    return Program(model, cross_entropy, adam(model, 0.003), *rows, 32, 8)


def natural_repeats() -> Program:
    rng = np.random.default_rng(45)
    x = rng.integers(0, 3, (1200, 4))
    odds = 1.3 * (x[:, 0] - 1) - 1.1 * (x[:, 1] == x[:, 2]) + 0.4
    y = (rng.uniform(size=1200) < 1 / (1 + np.exp(-odds))).astype(int)
    model = net(4, 16, 2)
    return Program(
        model, cross_entropy, adam(model, 0.005), *fresh_tasks.cut(x - 1.0, y, 700), 32, 10
    )


def in_order_of_time() -> Program:
    rng = np.random.default_rng(46)
    noise = rng.normal(0, 0.3, 1010)
    at = np.arange(1010)
    wave = np.sin(at / 5) + 0.5 * np.sin(at / 13) + noise
    x = np.stack([wave[i : i + 1000] for i in range(10)], 1)
    model = net(10, 16, 1)
    rows = fresh_tasks.cut(x, wave[10:], 700)
    return Program(model, mse_loss, adam(model, 0.003), *rows, 35, 25, shuffle=False)


def flipped_pictures() -> Program:
    def flips(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        for x, y in batches_of(program, generator):
            turned = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
            yield torch.where(turned, x.flip(2, 3), x), y

    model = lens()
    rows = fresh_tasks_3.shapes()
    return Program(model, cross_entropy, adam(model, 0.006), *rows, 16, 11, batches=flips)


def tiny_table() -> Program:
    rng = np.random.default_rng(47)
    x = rng.normal(size=(160, 3))
    y = (x @ [1.5, -1.0, 0.5] + rng.normal(0, 0.4, 160) > 0).astype(int)
    model = nn.Linear(3, 2)
    return Program(model, cross_entropy, sgd(model, 0.2), *fresh_tasks.cut(x, y, 40), 8, 25)


def log_prices() -> Program:
    (x, y), (u, v) = fresh_tasks.prices()
    model = net(6, 48, 1)
    rows = (x, y.log()), (u, v.log())
    return Program(model, mse_loss, adam(model, 0.005), *rows, 32, 20)


def rare_but_clear() -> Program:
    rng = np.random.default_rng(48)
    y = (rng.uniform(size=2400) < 0.06).astype(int)
    x = rng.normal(size=(2400, 6)) + 3.0 * y[:, None] * (np.arange(6) < 2)
    model = net(6, 16, 2)
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks.cut(x, y, 1400), 32, 10)


def patient_tumors() -> Program:
    model = net(30, 16, 1)
    rows = tumors(column=True)
    return Program(model, log_odds, adam(model, 0.003), *rows, 32, 60, patience=5)


PLAIN = (
    (shapes_cnn, 0.91, "plain; NN 0.91, LR 0.68"),
    (beats_cnn, 0.93, "plain; LR 0.92, NN 1.00"),
    (opinions_attention, 0.90, "plain; a bag of words 0.71"),
    (houses_adam, 0.95, "plain; RF 0.95"),
    (joints_momentum, 0.97, "plain; RF 0.98"),
    (customers_logistic, 0.66, "moderate by nature; LR 0.69"),
    (customers_small_net, 0.66, "moderate by nature; LR 0.69"),
    (sensors_adagrad, 0.90, "plain; NN 0.94"),
    (wine_few_epochs, 0.93, "few epochs; LR 0.97"),
    (corners_cnn, 0.95, "plain; LR 0.99"),
    (handwriting_momentum, 0.95, "plain; LR 0.97"),
    (bikes_rmsprop, 0.90, "plain; RF 0.92"),
    (first_sign_gru, 0.95, "plain; LR 1.00"),
    (much_noise, 0.20, "loss that stays high; ridge about 0.25, true share 0.31"),
)
TRAPS: tuple[tuple[Callable[[], Program], float, str], ...] = (
    (log_softmax_twice, 0.90, "log-softmax twice is log-softmax; NN 0.94"),
    (brier_score, 0.90, "squares behind a softmax, on purpose; NN 0.94"),
    (bounded_by_tanh, 0.95, "bounded head, bounded targets; RF 0.98"),
    (smoothed_labels, 0.95, "loss floor; LR 0.97"),
    (ten_spare_classes, 0.90, "units for classes to come; NN 0.94"),
    (weighed_frauds, 0.80, "19 : 1, weighed; LR 0.82, the densities themselves 0.83"),
    (student_t, 0.85, "heavy tails in training, bounded gradients; RF 0.92 without them"),
    (big_output, 0.90, "targets of 500 +- 200, a head that is scaled; RF 0.92"),
    (plateau_then_success, 0.90, "saddle at the start; ridge 0.99"),
    (converged_early, 0.90, "flat loss; LR 0.96"),
    (long_warm_up, 0.90, "tiny rates at first; a bag of words 0.71"),
    (restarts, 0.90, "the rate jumps back; RF 0.92"),
    (steps_of_eight, 0.90, "gradients not cleared at each batch; NN 0.94"),
    (always_clipped, 0.90, "each gradient is clipped; 0.97 where none is"),
    (frozen_vectors, 0.85, "a table that does not move; 1.00 where it does"),
    (fixed_random_waves, 0.85, "random features, drawn once; RF 0.92"),
    (forty_blocks, 0.85, "42 layers; NN 0.94"),
    (sigmoid_units, 0.90, "sigmoids that learn; RF 0.92"),
    (sparse_by_design, 0.93, "96 of 100 units silent in each row; LR 0.97"),
    (half_dropped, 0.92, "dropout of a half: loss of training steps above validation's"),
    (useful_decay, 0.75, "decay of 0.1 on idle features; 0.76 without it"),
    (lasso, 0.82, "a penalty that matters; lasso of scikit-learn 0.85, 0.84 without it"),
    (mild_gap, 0.85, "training better than validation"),
    (norm_of_four_pictures, 0.91, "batch norm of 4 rows, 36 values or more each; NN 0.91"),
    (raw_counts_of_words, 0.95, "columns mostly 0"),
    (natural_repeats, 0.65, "81 different rows, in both sets; labels drawn; LR 0.68"),
    (in_order_of_time, 0.78, "not shuffled; ridge 0.82"),
    (flipped_pictures, 0.91, "random flips in training; NN 0.91"),
    (tiny_table, 0.85, "40 rows; LR 0.92"),
    (log_prices, 0.95, "heavy tails, in logarithms"),
    (rare_but_clear, 0.90, "94 : 6, both found"),
    (patient_tumors, 0.93, "stops early; LR 0.97"),
)
FRESH_HEALTHY_3 = tuple(
    Case(row[0].__name__, lambda _seed, _twin, f=row[0]: f(), trap=row[2], bar=row[1])
    for row in (*PLAIN, *TRAPS)
)
