"""Healthy programs written without a look at the doctor's rules: plain ones, and unusual losses.

Each has a bar: the least score at which it counts as healthy, with where the number comes from.
`python -m bench.faults.admit` shows whether it holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F

from bench.faults.building import (
    adam,
    convolutions,
    diabetes,
    digits,
    moons,
    net,
    parts,
    sgd,
    tumors,
    waves,
    wine,
)
from bench.faults.harness import Program, Rows, batches_of
from bench.faults.healthy_rows import (
    agreement,
    explained,
    forecasts,
    hits,
    iris,
    made,
    mapped,
    multilabel,
    pictured,
    reviews,
    tones,
)

cosine = torch.optim.lr_scheduler.CosineAnnealingLR


# ------------------------------------------------------------------ plain programs
def digits_adamw() -> Program:
    model = net(64, 128, 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    return Program(model, F.cross_entropy, optimizer, *digits(), 64, 20)


def digits_onecycle() -> Program:
    model = convolutions()
    optimizer = sgd(model, 0.05, 0.9)
    steps = 15 * math.ceil(900 / 64)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.15, total_steps=steps + 1)
    return Program(model, F.cross_entropy, optimizer, *digits(image=True), 64, 15, schedule=rate)


def digits_logistic() -> Program:
    model = nn.Linear(64, 10)
    return Program(model, F.cross_entropy, sgd(model, 0.1, 0.9), *digits(), 32, 25)


def digits_norm_drop() -> Program:
    model = net(64, 96, 96, 10, norm=True, drop=0.2)
    return Program(model, F.cross_entropy, adam(model, 2e-3), *digits(), 64, 15)


def iris_adam() -> Program:
    model = net(4, 16, 3)
    return Program(model, F.cross_entropy, adam(model, 1e-2), *iris(), 16, 50)


def wine_rmsprop() -> Program:
    model = net(13, 32, 3)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    return Program(model, F.cross_entropy, optimizer, *wine(), 16, 40)


def tumors_logistic() -> Program:
    model = nn.Linear(30, 1)
    train, valid = tumors(column=True)
    return Program(model, nn.BCEWithLogitsLoss(), sgd(model, 0.1), train, valid, 32, 30)


def tumors_cosine() -> Program:
    model = net(30, 32, 2)
    optimizer = adam(model, 3e-3)
    rate = cosine(optimizer, 15 * math.ceil(380 / 32))
    return Program(model, F.cross_entropy, optimizer, *tumors(), 32, 15, schedule=rate)


def diabetes_linear() -> Program:
    model = nn.Linear(10, 1)
    return Program(model, F.mse_loss, sgd(model, 0.02), *diabetes(), 32, 40)


def diabetes_early() -> Program:
    model = net(10, 32, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    return Program(model, F.mse_loss, optimizer, *diabetes(), 32, 60, patience=6)


def friedman() -> Program:
    model = net(6, 64, 64, 1)
    return Program(model, F.mse_loss, adam(model), *waves(), 32, 30)


def moons_sgd() -> Program:
    model = net(2, 32, 32, 2, act=nn.Tanh)
    return Program(model, F.cross_entropy, sgd(model, 0.1, 0.9), *moons(), 32, 40)


def topics() -> Program:
    model = net(20, 64, 5)
    return Program(model, nn.BCEWithLogitsLoss(), adam(model), *multilabel(), 32, 15)


def autoencoder() -> Program:
    model = net(64, 48, 12, 48, 64, act=nn.ELU)
    (x, _), (xv, _) = digits()
    return Program(model, F.mse_loss, adam(model), (x, x), (xv, xv), 32, 30, measure=pictured)


class Reader(nn.Module):
    """A recurrent net, and a head on its last state."""

    def __init__(self, kind: type[nn.Module], out: int, wide: int = 24) -> None:
        super().__init__()
        self.body = kind(1, wide, batch_first=True)  # type: ignore[call-arg]
        self.head = nn.Linear(wide, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[0][:, -1])


def tones_lstm() -> Program:
    model = Reader(nn.LSTM, 3)
    return Program(model, F.cross_entropy, adam(model, 1e-2), *tones(), 32, 15, clip=1.0)


def forecast_gru() -> Program:
    model = Reader(nn.GRU, 1)
    return Program(model, F.mse_loss, adam(model, 1e-2), *forecasts(), 32, 10, clip=1.0)


def tones_cnn() -> Program:
    model = nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 30)),
        nn.Conv1d(1, 16, 5),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 3),
    )
    return Program(model, F.cross_entropy, adam(model, 5e-3), *tones(), 32, 20)


class Bag(nn.Module):
    """Mean of word vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.words(x).mean(1))


def bag_of_words() -> Program:
    model = Bag()
    return Program(model, F.cross_entropy, adam(model, 1e-2), *reviews(), 32, 12)


class Attention(nn.Module):
    """A small transformer; `pad`: token 0 is padding, masked with -inf."""

    def __init__(self, tokens: int, out: int, pad: bool = False, pool: bool = True) -> None:
        super().__init__()
        self.pad, self.pool = pad, pool
        self.words = nn.Embedding(tokens, 32, padding_idx=0 if pad else None)
        self.places = nn.Parameter(torch.randn(1, 40, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, out)

    def forward(self, x: Tensor) -> Tensor:
        void = x == 0
        mask = torch.zeros(x.shape).masked_fill(void, -math.inf) if self.pad else None
        h = self.body(self.words(x) + self.places[:, : x.shape[1]], src_key_padding_mask=mask)
        if not self.pool:
            return self.head(h)
        there = (~void)[..., None].float() if self.pad else torch.ones_like(h[..., :1])
        return self.head((h * there).sum(1) / there.sum(1))


def transformer() -> Program:
    model = Attention(50, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min(1.0, (at + 1) / 40))
    rows = reviews(1500)
    return Program(model, F.cross_entropy, optimizer, *rows, 50, 7, clip=1.0, schedule=rate)


def swiss_roll() -> Program:
    x, t = datasets.make_swiss_roll(1000, noise=0.1, random_state=4)
    goal = np.stack([t, x[:, 1]], 1)
    rows = parts(x, (goal - goal.mean(0)) / goal.std(0), 600)
    model = net(3, 64, 64, 2)
    return Program(model, F.mse_loss, adam(model, 5e-3), *rows, 32, 25)


# ------------------------------------------------------------------ losses
def label_smoothing() -> Program:
    model = net(64, 64, 10)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    return Program(model, loss, adam(model), *digits(), 32, 20)


def distillation() -> Program:
    from sklearn.linear_model import LogisticRegression

    (x, y), (xv, _) = digits()
    teacher = LogisticRegression(C=0.1, max_iter=300).fit(x.numpy(), y.numpy())
    soft = [torch.tensor(teacher.predict_proba(r.numpy())).float() for r in (x, xv)]
    model = net(64, 32, 10, end=nn.LogSoftmax(1))
    loss = nn.KLDivLoss(reduction="batchmean")
    return Program(model, loss, adam(model), (x, soft[0]), (xv, soft[1]), 32, 20, measure=hits)


def mixed(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Mixup: each row and its target blended with another."""
    for x, y in batches_of(program, generator):
        other = torch.randperm(len(x), generator=generator)
        share = torch.rand(len(x), 1, generator=generator)
        share = torch.maximum(share, 1 - share)
        yield share * x + (1 - share) * x[other], share * y + (1 - share) * y[other]


def mixup() -> Program:
    (x, y), (xv, yv) = digits()
    soft = [F.one_hot(r, 10).float() for r in (y, yv)]
    model = net(64, 128, 10)
    return Program(
        model,
        nn.CrossEntropyLoss(),
        adam(model),
        (x, soft[0]),
        (xv, soft[1]),
        32,
        20,
        batches=mixed,
        measure=hits,
    )


def moved(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Images moved by a pixel at random, with noise."""
    for x, y in batches_of(program, generator):
        by = int(torch.randint(-1, 2, (1,), generator=generator))
        noise = 0.1 * torch.randn(x.shape, generator=generator)
        yield torch.roll(x, by, 3) + noise, y


def augmentation() -> Program:
    model = convolutions()
    rows = digits(image=True)
    return Program(model, F.cross_entropy, adam(model), *rows, 32, 18, batches=moved)


def class_weights() -> Program:
    model = net(12, 32, 2)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1.8]))
    return Program(model, loss, adam(model), *made(share=0.9), 32, 25)


def focal(out: Tensor, y: Tensor) -> Tensor:
    """Focal loss, gamma 2."""
    sure = F.cross_entropy(out, y, reduction="none")
    return ((1 - (-sure).exp()) ** 2 * sure).mean()


def focal_loss() -> Program:
    model = net(12, 32, 2)
    return Program(model, focal, adam(model), *made(share=0.9), 32, 25)


def multi_margin() -> Program:
    model = net(64, 64, 10)
    return Program(model, nn.MultiMarginLoss(), adam(model), *digits(), 32, 20)


def hinge() -> Program:
    (x, y), (xv, yv) = tumors(column=True)
    model = nn.Linear(30, 1)
    return Program(
        model,
        lambda out, goal: F.relu(1 - out * goal).mean(),
        torch.optim.SGD(model.parameters(), lr=0.02, weight_decay=1e-3),
        (x, 2 * y - 1),
        (xv, 2 * yv - 1),
        16,
        30,
        measure=agreement,
    )


def huber() -> Program:
    train, valid = mapped(
        lambda x, draw: np.sin(x[:, 0]) + x[:, 1] * (1 + 8 * (draw.random(len(x)) < 0.04))
    )
    model = net(4, 48, 1)
    return Program(
        model,
        nn.HuberLoss(),
        adam(model, 5e-3),
        train,
        valid,
        32,
        25,
        measure=lambda out, y: 1 - float((out - y).abs().median() / y.abs().median()),
    )


def pinball(out: Tensor, y: Tensor) -> Tensor:
    """Pinball loss of the quantiles 0.1, 0.5 and 0.9."""
    at = torch.tensor([0.1, 0.5, 0.9])
    miss = y - out
    return torch.maximum(at * miss, (at - 1) * miss).mean()


def quantiles() -> Program:
    train, valid = mapped(
        lambda x, draw: 2 * x[:, 0] + (0.3 + 0.5 * np.abs(x[:, 1])) * draw.normal(0, 1, len(x))
    )
    model = net(4, 32, 3)
    return Program(
        model,
        pinball,
        adam(model, 3e-3),
        train,
        valid,
        32,
        15,
        measure=lambda out, y: 1 - float(pinball(out, y) / pinball(y.quantile(at_()), y)),
    )


def at_() -> Tensor:
    """The three quantiles."""
    return torch.tensor([0.1, 0.5, 0.9])


def poisson() -> Program:
    train, valid = mapped(
        lambda x, draw: draw.poisson(np.exp(0.7 + 0.6 * x[:, 0] - 0.4 * x[:, 1])), noise=0.0
    )
    model = net(4, 16, 1)
    return Program(
        model,
        nn.PoissonNLLLoss(),
        adam(model, 3e-3),
        train,
        valid,
        32,
        15,
        measure=lambda out, y: explained(out.exp(), y),
    )


def gaussian(out: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of a mean and a log-variance (may be negative)."""
    return F.gaussian_nll_loss(out[:, :1], y, out[:, 1:].exp())


def mean_and_variance() -> Program:
    train, valid = mapped(lambda x, draw: np.sin(x[:, 0]) + 0.3 * x[:, 1], noise=0.1)
    model = net(4, 48, 2)
    return Program(
        model,
        gaussian,
        adam(model, 3e-3),
        train,
        valid,
        32,
        25,
        measure=lambda out, y: explained(out[:, :1], y),
    )


def sigmoid_shares() -> Program:
    rows = mapped(lambda x, _: 1 / (1 + np.exp(-x[:, 0] * x[:, 1] - x[:, 2])), noise=0.0)
    model = net(4, 48, 1, end=nn.Sigmoid())
    return Program(model, nn.MSELoss(), adam(model, 5e-3), *rows, 32, 25)


def tanh_head() -> Program:
    rows = mapped(lambda x, _: np.sin(0.6 * (x[:, 0] + x[:, 1])), noise=0.0)
    model = net(4, 48, 1, act=nn.Tanh, end=nn.Tanh())
    return Program(model, nn.MSELoss(), adam(model, 5e-3), *rows, 32, 30)


def softplus_head() -> Program:
    rows = mapped(lambda x, _: np.log1p(np.exp(x[:, 0] + 0.5 * x[:, 1])), noise=0.0)
    model = net(4, 32, 1, end=nn.Softplus())
    return Program(model, nn.L1Loss(), adam(model, 3e-3), *rows, 32, 25)


def loss_times_100() -> Program:
    model = net(6, 64, 1)
    return Program(model, lambda o, y: 100 * F.mse_loss(o, y), adam(model), *waves(), 32, 25)


def loss_of_sums() -> Program:
    model = net(64, 64, 10)
    loss = nn.CrossEntropyLoss(reduction="sum")
    return Program(model, loss, sgd(model, 0.003, 0.9), *digits(), 32, 20)


def holes() -> Program:
    x, y = datasets.make_regression(800, 8, n_targets=3, noise=5.0, random_state=6)
    y = (y - y.mean(0)) / y.std(0)
    y[np.random.default_rng(1).random(y.shape) < 0.3] = np.nan
    model = net(8, 32, 3)

    def loss(out: Tensor, goal: Tensor) -> Tensor:
        return (out - goal)[~goal.isnan()].square().mean()

    return Program(model, loss, adam(model, 3e-3), *parts(x, y, 500), 32, 25, measure=explained)


def cosine_loss() -> Program:
    rows = mapped(lambda x, _: np.stack([x[:, 0] * x[:, 1], x[:, 2], np.sin(x[:, 3])], 1), 500)
    model = net(4, 64, 3)
    return Program(
        model,
        lambda out, y: -F.cosine_similarity(out, y).mean(),
        adam(model, 3e-3),
        *rows,
        32,
        25,
        measure=lambda out, y: float(F.cosine_similarity(out, y).mean()),
    )


PLAIN = (
    (digits_adamw, 0.93),
    (digits_onecycle, 0.95),
    (digits_logistic, 0.92),
    (digits_norm_drop, 0.94),
    (iris_adam, 0.92),
    (wine_rmsprop, 0.94),
    (tumors_logistic, 0.94),
    (tumors_cosine, 0.94),
    (diabetes_linear, 0.45),
    (diabetes_early, 0.43),
    (friedman, 0.85),
    (moons_sgd, 0.96),
    (topics, 0.77),
    (autoencoder, 0.66),
    (tones_lstm, 0.92),
    (forecast_gru, 0.90),
    (tones_cnn, 0.95),
    (bag_of_words, 0.90),
    (transformer, 0.88),
    (swiss_roll, 0.97),
)
LOSSES = (
    (label_smoothing, 0.93, "the loss ends at 0.5"),
    (distillation, 0.92, "log-probabilities against probabilities"),
    (mixup, 0.93, "training loss above validation loss"),
    (augmentation, 0.92, "training rows unlike validation rows"),
    (class_weights, 0.93, "90 : 10"),
    (focal_loss, 0.90, "90 : 10; tiny loss"),
    (multi_margin, 0.93, "loss of 0 on most rows"),
    (hinge, 0.93, "loss of 0 on most rows; targets -1 and 1"),
    (huber, 0.70, "wild targets"),
    (quantiles, 0.45, "three outputs to one target"),
    (poisson, 0.55, "negative loss; outputs are logarithms"),
    (mean_and_variance, 0.93, "two outputs to one target; negative loss"),
    (sigmoid_shares, 0.90, "sigmoid and squared error"),
    (tanh_head, 0.95, "bounded head"),
    (softplus_head, 0.95, "positive head"),
    (loss_times_100, 0.85, "loss of 100 at the start"),
    (loss_of_sums, 0.93, "loss of 70 at the start"),
    (holes, 0.93, "missing targets"),
    (cosine_loss, 0.90, "loss from -1 to 1; the size of outputs is free"),
)
