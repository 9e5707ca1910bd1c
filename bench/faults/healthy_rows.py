"""Rows and measures of the healthy programs that were written without a look at the rules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

from bench.faults.building import parts
from bench.faults.harness import Program, Rows


def iris() -> tuple[Rows, Rows]:
    """Iris of three species."""
    return parts(*datasets.load_iris(return_X_y=True), 100)


def made(count: int = 600, share: float = 0.5, apart: float = 1.5) -> tuple[Rows, Rows]:
    """Gaussian clusters of two classes in 12 dimensions; `share` of class 0."""
    x, y = datasets.make_classification(
        2 * count,
        12,
        n_informative=6,
        n_clusters_per_class=1,
        weights=[share],
        class_sep=apart,
        flip_y=0.0,
        random_state=11,
    )
    return parts(x, y, count)


def multilabel() -> tuple[Rows, Rows]:
    """Counts of 20 words, and which of five topics they are about."""
    x, y = datasets.make_multilabel_classification(1000, n_classes=5, random_state=5)
    return parts(x, y.astype(float), 700)


def tones(count: int = 400, length: int = 30) -> tuple[Rows, Rows]:
    """Noisy sines of three frequencies."""
    draw = np.random.default_rng(8)
    y = draw.integers(0, 3, 2 * count)
    t = np.arange(length)[None] * (0.25 + 0.2 * y)[:, None] + draw.uniform(0, 6, (2 * count, 1))
    x = torch.tensor(np.sin(t) + draw.normal(0, 0.3, t.shape), dtype=torch.float32)[..., None]
    goal = torch.tensor(y)
    return (x[:count], goal[:count]), (x[count:], goal[count:])


def forecasts(count: int = 400, length: int = 25) -> tuple[Rows, Rows]:
    """A stretch of a damped oscillator, and its next value (noise 0.1)."""
    draw = np.random.default_rng(9)
    t = np.arange(length + 1)[None] * draw.uniform(0.2, 0.6, (2 * count, 1))
    s = np.sin(t + draw.uniform(0, 6, (2 * count, 1))) + draw.normal(0, 0.1, t.shape)
    x = torch.tensor(s, dtype=torch.float32)
    rows, goal = x[:, :-1, None], x[:, -1:]
    return (rows[:count], goal[:count]), (rows[count:], goal[count:])


def reviews(count: int = 600, length: int = 20) -> tuple[Rows, Rows]:
    """Token ids 1 to 49; the sum of the tokens' hidden moods gives the class."""
    draw = np.random.default_rng(10)
    x = draw.integers(1, 50, (2 * count, length))
    y = (draw.normal(0, 1, 50)[x].sum(1) > 0).astype(int)
    rows, goal = torch.tensor(x), torch.tensor(y)
    return (rows[:count], goal[:count]), (rows[count:], goal[count:])


def mapped(function: object, count: int = 500, noise: float = 0.05, wide: int = 4) -> tuple:
    """Normal inputs, and a function of them with some noise, as they are (not scaled)."""
    draw = np.random.default_rng(12)
    x = draw.normal(0, 1, (2 * count, wide))
    y = np.asarray(function(x, draw), float)  # type: ignore[operator]
    return parts(x, y + noise * draw.normal(0, 1, y.shape), count)


def hits(out: Tensor, y: Tensor) -> float:
    """Share of rows whose largest output is the (largest) target."""
    goal = y if y.ndim == 1 else y.argmax(1)
    return float((out.argmax(1) == goal).float().mean())


def explained(out: Tensor, y: Tensor) -> float:
    """Explained variance where there are targets."""
    there = ~y.isnan()
    out, y = out[there], y[there]
    return 1.0 - float((out - y).square().mean() / y.var(correction=0))


def pictured(out: Tensor, y: Tensor) -> float:
    """Explained variance of pictures, all pixels together."""
    return 1.0 - float((out - y).square().sum() / (y - y.mean(0)).square().sum())


def agreement(out: Tensor, y: Tensor) -> float:
    """Share of targets of -1 and 1 whose sign is right."""
    return float((out.flatten().sign() == y.flatten().sign()).float().mean())


def by_length(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Rows of like length together, cut at the longest."""
    x, y = program.train
    length = (x > 0).sum(1)
    order = (length + torch.rand(len(x), generator=generator)).argsort()
    pieces = order.split(program.batch_size)
    for at in torch.randperm(len(pieces), generator=generator).tolist():
        part = pieces[at]
        yield x[part, : int(length[part].max())], y[part]


def padded() -> tuple[Rows, Rows]:
    """Reviews of 5 to 20 tokens, filled up with 0."""
    (x, y), (xv, yv) = reviews(1000)
    for rows, goal in ((x, y), (xv, yv)):
        length = torch.tensor(np.random.default_rng(7).integers(5, 21, len(rows)))
        rows[torch.arange(20)[None] >= length[:, None]] = 0
        mood = torch.tensor(np.random.default_rng(2).normal(0, 1, 50), dtype=torch.float32)
        mood[0] = 0.0
        goal[:] = (mood[rows].sum(1) > 0).long()
    return (x, y), (xv, yv)
