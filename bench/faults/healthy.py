"""Healthy programs, most of which look ill to some rule: the column "traps" of the taxonomy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
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
    log_odds,
    moons,
    net,
    parts,
    plain,
    sgd,
    tumors,
    waves,
    wine,
)
from bench.faults.harness import Case, Program, Rows

entropy, squared = functional.cross_entropy, functional.mse_loss


def simple(seed: int, twin: bool) -> Program:
    """A net on digits."""
    return plain()


def images(seed: int, twin: bool) -> Program:
    """Convolutions on digits."""
    model = convolutions()
    return Program(model, entropy, adam(model), *digits(image=True), 32, 12)


def accumulated(seed: int, twin: bool) -> Program:
    """Four batches to a step."""
    model = net(64, 64, 10)
    return Program(model, entropy, adam(model), *digits(), 8, 25, accumulate=4)


def smoothed(seed: int, twin: bool) -> Program:
    """Label smoothing: the loss has a floor."""
    model = net(13, 32, 3)
    return Program(
        model, nn.CrossEntropyLoss(label_smoothing=0.2), adam(model, 1e-2), *wine(), 16, 30
    )


def pretrained() -> nn.Sequential:
    """A net that knows the digits 0 to 4 already."""
    (x, y), _ = digits()
    low = y < 5
    model = net(64, 64, 32, 10)
    optimizer = adam(model)
    for _ in range(150):
        optimizer.zero_grad()
        entropy(model(x[low]), y[low]).backward()
        optimizer.step()
    return model


def frozen(seed: int, twin: bool) -> Program:
    """A frozen body under a new head."""
    model = pretrained()
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    model[4] = Linear(32, 5)
    (x, y), (v, w) = digits()
    data = (x[y < 5], y[y < 5]), (v[w < 5], w[w < 5])
    return Program(model, entropy, adam(model[4], 1e-2), *data, 32, 20)


def head_only(seed: int, twin: bool) -> Program:
    """A trained body that the optimiser does not have, under a new head."""
    model = pretrained()
    model[4] = Linear(32, 5)
    (x, y), (v, w) = digits()
    data = (x[y < 5], y[y < 5]), (v[w < 5], w[w < 5])
    return Program(model, entropy, adam(model[4], 1e-2), *data, 32, 20)


def tuned(seed: int, twin: bool) -> Program:
    """Fine-tuning at a tiny rate of what works already."""
    model = pretrained()
    (x, y), (v, w) = digits()
    data = (x[y < 5], y[y < 5]), (v[w < 5], w[w < 5])
    return Program(model, entropy, sgd(model, 1e-4), *data, 32, 10)


class TwoHeads(nn.Module):
    """Two heads, of which one is not used yet."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.spare = net(64, 48, 32), Linear(32, 10), Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (rows, 10)."""
        out: Tensor = self.head(torch.relu(self.body(x)))
        return out


def spare_head(seed: int, twin: bool) -> Program:
    """A head that gets no gradient."""
    model = TwoHeads()
    return Program(model, entropy, adam(model), *digits(), 32, 20)


def warmed(seed: int, twin: bool) -> Program:
    """A rate that starts at 0, and a cosine tail that ends there."""
    model = net(64, 64, 10)
    optimizer, steps = sgd(model, 0.1, 0.9), 20 * 29

    def rate(at: int) -> float:
        return at / 60 if at < 60 else 0.5 + 0.5 * float(np.cos(np.pi * (at - 60) / (steps - 60)))

    plan = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    return Program(model, entropy, optimizer, *digits(), 32, 20, schedule=plan)


def floor(seed: int, twin: bool) -> Program:
    """Values of which most is noise."""
    model = net(6, 16, 1)
    return Program(model, squared, adam(model, 1e-3), *waves(noise=6.0), 32, 40, patience=5)


class Autoencoder(nn.Module):
    """64 to 12 to 64."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = net(64, 48, 12), net(12, 48, 64, end=Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (rows, 64)."""
        out: Tensor = self.up(self.down(x))
        return out


def autoencoder(seed: int, twin: bool) -> Program:
    """Pixels that are their own targets."""
    (x, _), (v, _) = digits()
    model = Autoencoder()
    return Program(model, squared, adam(model), (x, x), (v, v), 32, 40)


class Added(nn.Module):
    """x + B relu(A x), where B starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b = Linear(width, width), Linear(width, width)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, width)."""
        out: Tensor = x + self.b(torch.relu(self.a(x)))
        return out


def residual(seed: int, twin: bool) -> Program:
    """Branches that start at zero, and a head that does too."""
    model = nn.Sequential(Linear(64, 48), *[Added(48) for _ in range(5)], Linear(48, 10))
    nn.init.zeros_(model[-1].weight)
    return Program(model, entropy, adam(model, 1e-3), *digits(), 32, 20)


class Tied(nn.Module):
    """The second layer is the first one's transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bias, self.head = (
            Linear(64, 32),
            nn.Parameter(torch.zeros(64)),
            Linear(64, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores (rows, 10)."""
        back = functional.linear(torch.relu(self.first(x)), self.first.weight.T, self.bias)
        out: Tensor = self.head(torch.relu(back))
        return out


def tied(seed: int, twin: bool) -> Program:
    """Shared weights, functional activations."""
    model = Tied()
    return Program(model, entropy, adam(model), *digits(), 32, 20)


def gelu(seed: int, twin: bool) -> Program:
    """GELU and PReLU."""
    model = nn.Sequential(Linear(64, 48), nn.GELU(), Linear(48, 48), nn.PReLU(), Linear(48, 10))
    return Program(model, entropy, adam(model), *digits(), 32, 20)


def rare_but_known(seed: int, twin: bool) -> Program:
    """One row in twenty, found well enough."""
    x, y = datasets.make_classification(
        3000,
        10,
        n_informative=6,
        n_redundant=0,
        weights=[0.95],
        class_sep=2.0,
        flip_y=0.0,
        random_state=6,
    )
    model = net(10, 32, 1)
    return Program(model, log_odds, adam(model), *parts(x, y, 2000), 64, 20)


class Tokens(nn.Module):
    """The mean of the vectors of some tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors, self.head = nn.Embedding(200, 16), Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (rows, 2) of token numbers (rows, length)."""
        out: Tensor = self.head(self.vectors(x).mean(1))
        return out


def tokens(seed: int, twin: bool) -> Program:
    """Token numbers up to 199 as inputs."""
    made = np.random.default_rng(2)
    y = made.integers(0, 2, 900)
    x = np.where(
        made.random((900, 12)) < 0.35,
        y[:, None] * 20 + made.integers(0, 20, (900, 12)),
        made.integers(0, 200, (900, 12)),
    )
    inputs, goal = torch.tensor(x), torch.tensor(y)
    model = Tokens()
    return Program(
        model,
        entropy,
        adam(model, 1e-2),
        (inputs[:600], goal[:600]),
        (inputs[600:], goal[600:]),
        32,
        6,
    )


def bounded(seed: int, twin: bool) -> Program:
    """A sigmoid head for values between 0 and 1."""
    (x, y), (v, w) = waves()
    model = net(6, 64, 1, end=Sigmoid())
    return Program(
        model, squared, adam(model), (x, y.mul(1.2).sigmoid()), (v, w.mul(1.2).sigmoid()), 32, 50
    )


def shares_column(seed: int, twin: bool) -> Program:
    """Probabilities (n, 1) and targets (n, 1) of 0.0 and 1.0."""
    model = net(30, 16, 1, end=Sigmoid())
    return Program(
        model, functional.binary_cross_entropy, adam(model), *tumors(column=True), 32, 15, cut=0.5
    )


def several_labels(seed: int, twin: bool) -> Program:
    """Four labels a row, each yes or no."""
    x, y = datasets.make_multilabel_classification(900, 20, n_classes=4, random_state=3)
    model = net(20, 32, 4)
    loss = functional.binary_cross_entropy_with_logits
    return Program(model, loss, adam(model), *parts(x, y.astype(float), 600), 32, 20)


def several_shares(seed: int, twin: bool) -> Program:
    """Four labels a row, each with its own sigmoid: the rows do not sum to 1."""
    x, y = datasets.make_multilabel_classification(900, 20, n_classes=4, random_state=3)
    model = net(20, 32, 4, end=Sigmoid())
    loss = functional.binary_cross_entropy
    return Program(model, loss, adam(model), *parts(x, y.astype(float), 600), 32, 20, cut=0.5)


def soft_targets(seed: int, twin: bool) -> Program:
    """Log-odds for shares between 0 and 1."""
    (x, y), (v, w) = waves()
    model = net(6, 64, 1)
    loss = functional.binary_cross_entropy_with_logits
    data = (x, y.mul(1.2).sigmoid()), (v, w.mul(1.2).sigmoid())
    return Program(model, loss, adam(model), *data, 32, 40)


def twenty_rows(seed: int, twin: bool) -> Program:
    """Twenty rows and as many to validate."""
    (x, y), (v, w) = wine()
    model = net(13, 8, 3)
    return Program(
        model, entropy, adam(model, 1e-2), (x[:20], y[:20]), (v[:20], w[:20]), 5, 30, patience=5
    )


def few_values(seed: int, twin: bool) -> Program:
    """Four features of three values each: rows repeat by themselves."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 3, (900, 4)).astype(float)
    y = (x.sum(1) + rng.normal(0, 0.7, 900) > 4).astype(int)
    model = net(4, 16, 1)
    return Program(model, log_odds, adam(model), *parts(x, y, 600), 32, 25)


def patient(seed: int, twin: bool) -> Program:
    """Stopped in time."""
    model = net(10, 64, 1)
    return Program(model, squared, adam(model, 1e-3), *diabetes(), 32, 100, patience=5)


def single_rows(seed: int, twin: bool) -> Program:
    """A row at a time: the loss of a step is mostly noise."""
    model = net(13, 16, 3)
    return Program(model, entropy, sgd(model, 0.02), *wine(), 1, 12)


def wide(seed: int, twin: bool) -> Program:
    """More weights than rows by far, and right nevertheless."""
    (x, y), valid = digits()
    model = net(64, 800, 10)
    return Program(model, entropy, adam(model, 1e-3), (x[:500], y[:500]), valid, 32, 40)


def clipped(seed: int, twin: bool) -> Program:
    """A large rate that clipping tames."""
    model = net(64, 64, 10)
    return Program(model, entropy, sgd(model, 0.5), *digits(), 32, 20, clip=0.5)


def dropout(seed: int, twin: bool) -> Program:
    """Half of the units dropped: training looks worse than validation."""
    model = net(64, 128, 10, drop=0.5)
    return Program(model, entropy, adam(model), *digits(), 32, 25)


def normed(seed: int, twin: bool) -> Program:
    """Raw features before a batch norm."""
    model = nn.Sequential(nn.BatchNorm1d(13), Linear(13, 32), ReLU(), Linear(32, 3))
    return Program(model, entropy, adam(model, 1e-2), *wine(scaled=False), 16, 25)


def linear_values(seed: int, twin: bool) -> Program:
    """A linear model of what is linear."""
    x, y = datasets.make_regression(600, 8, noise=20.0, random_state=1)
    model = nn.Sequential(Linear(8, 1))
    return Program(
        model, squared, adam(model, 1e-2), *parts(x, (y - y.mean()) / y.std(), 400), 32, 60
    )


def overlapping(seed: int, twin: bool) -> Program:
    """Classes that overlap: hard rows, right labels."""
    model = net(2, 16, 1)
    return Program(model, log_odds, adam(model, 3e-3), *moons(400, noise=0.45), 32, 25)


def tanh_units(seed: int, twin: bool) -> Program:
    """Two tanh layers that grow sure of themselves."""
    model = net(2, 24, 24, 1, act=Tanh)
    return Program(model, log_odds, adam(model, 1e-2), *moons(), 32, 60)


def pixels_255(seed: int, twin: bool) -> Program:
    """Raw pixels that Adam copes with."""
    model = net(64, 128, 10)
    return Program(model, entropy, adam(model, 1e-3), *digits(divide=16 / 255), 32, 25)


def curriculum(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Rows in buckets by their sum, buckets in any order."""
    x, y = program.train
    buckets = list(torch.argsort(x.sum(1)).split(program.batch_size))
    for at in torch.randperm(len(buckets), generator=generator):
        yield x[buckets[at]], y[buckets[at]]


def bucketed(seed: int, twin: bool) -> Program:
    """Batches of rows that are alike in size, not in class."""
    model = net(64, 64, 10)
    return Program(model, entropy, adam(model), *digits(), 32, 20, batches=curriculum)


def absolute(seed: int, twin: bool) -> Program:
    """Huber's loss on values with a few that are far off."""
    (x, y), valid = waves()
    y = y.clone()
    y[::40] += 8
    model = net(6, 64, 1)
    return Program(model, functional.smooth_l1_loss, adam(model), (x, y), valid, 32, 40, patience=8)


def weighted(seed: int, twin: bool) -> Program:
    """Cross-entropy with class weights."""
    model = net(30, 16, 2)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.6, 1.0]))
    return Program(model, loss, adam(model), *tumors(), 32, 15)


def summed(seed: int, twin: bool) -> Program:
    """A loss that is summed over rows."""
    model = net(64, 64, 10)
    loss = nn.CrossEntropyLoss(reduction="sum")
    return Program(model, loss, adam(model), *digits(), 32, 20)


HEALTHY = tuple(
    Case(make.__name__, make, trap=make.__doc__ or "")
    for make in (
        simple,
        images,
        accumulated,
        smoothed,
        frozen,
        head_only,
        tuned,
        spare_head,
        warmed,
        floor,
        autoencoder,
        residual,
        tied,
        gelu,
        rare_but_known,
        tokens,
        bounded,
        shares_column,
        several_labels,
        several_shares,
        soft_targets,
        twenty_rows,
        few_values,
        patient,
        single_rows,
        wide,
        clipped,
        dropout,
        normed,
        linear_values,
        overlapping,
        tanh_units,
        pixels_255,
        bucketed,
        absolute,
        weighted,
        summed,
    )
)
