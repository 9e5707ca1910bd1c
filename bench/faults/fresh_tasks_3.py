"""Tasks of the second fresh set: shapes, beats, opinions, houses, customers and the like."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from bench.faults.building import Array, parts
from bench.faults.fresh_tasks import Both, cut

LETTERS = 12  # tokens of `opinions`


def shapes(count: int = 480, side: int = 12, noise: float = 0.35) -> Both:
    """A ring, a square, a cross or a diagonal, somewhere in a noisy picture."""
    rng = np.random.default_rng(21)
    y = rng.integers(0, 4, 2 * count)
    x = rng.normal(0, noise, (2 * count, side, side))
    down, across = np.mgrid[-3:4, -3:4]
    far = np.maximum(abs(down), abs(across))
    round_ = np.hypot(down, across)
    forms = [(round_ > 2) & (round_ < 3.3), far == 3, (down == 0) | (across == 0), down == across]
    for row, form in zip(x, y, strict=True):
        top, left = rng.integers(0, side - 6, 2)
        row[top : top + 7, left : left + 7] += forms[form]
    return cut(x[:, None], y, count)


def corners(count: int = 500, side: int = 10) -> Both:
    """In which quarter of the picture a spot lies."""
    rng = np.random.default_rng(22)
    y = rng.integers(0, 4, 2 * count)
    x = rng.normal(0, 0.3, (2 * count, side, side))
    half = side // 2
    down = rng.integers(0, half - 1, 2 * count) + half * (y // 2)
    across = rng.integers(0, half - 1, 2 * count) + half * (y % 2)
    for row, one, two in zip(x, down, across, strict=True):
        row[one : one + 2, two : two + 2] += 1.5
    return cut(x[:, None], y, count)


def beats(count: int = 500, share: tuple[float, ...] = (1, 1, 1), noise: float = 0.12) -> Both:
    """Heart beats: in order, with a late peak, or with a broad one; (rows, 40, 1)."""
    rng = np.random.default_rng(23)
    y = rng.choice(3, 2 * count, p=np.array(share) / sum(share))
    at = np.linspace(0, 1, 40)[None]
    start = rng.uniform(0.15, 0.4, (2 * count, 1))
    late = np.where(y == 1, 0.4, 0.28)[:, None] + rng.normal(0, 0.015, (2 * count, 1))
    broad = np.where(y == 2, 0.05, 0.02)[:, None]
    x = np.exp(-(((at - start) / broad) ** 2)) + 0.5 * np.exp(-(((at - start - late) / 0.06) ** 2))
    return cut((x + rng.normal(0, noise, x.shape))[..., None], y, count)


def opinions(count: int = 600, length: int = 9) -> Both:
    """One good or bad word among idle ones; a "not" just before it turns it, others do not."""
    rng = np.random.default_rng(24)
    here = np.arange(2 * count)
    nots, idle = rng.integers(0, 4, (2 * count, length)), rng.integers(10, 12, (2 * count, length))
    x = np.where(rng.uniform(size=(2 * count, length)) < 0.3, nots, idle)
    y, place = rng.integers(0, 2, 2 * count), rng.integers(1, length, 2 * count)
    turned = x[here, place - 1] < 4
    x[here, place] = rng.integers(0, 3, 2 * count) + np.where(y == 1, 4, 7)
    return cut(x, np.where(turned, 1 - y, y), count)


def houses(count: int = 600, raw: bool = False, unit: float = 0.0) -> Both:
    """Area, year, way to the center in meters, income; price, standardized if `unit` is 0."""
    rng = np.random.default_rng(25)
    area, year = rng.uniform(30, 250, 2 * count), rng.uniform(1900, 2020, 2 * count)
    way, income = rng.uniform(100, 20000, 2 * count), rng.uniform(2e4, 1e5, 2 * count)
    price = (
        0.01 * area * (1 + np.exp(-way / 4000)) + 0.3 * np.sin((year - 1900) / 20) + income / 6e4
    )
    price = (price - price.mean()) / price.std() + rng.normal(0, 0.1, 2 * count)
    x = np.stack([area, year, way, income], 1)
    return parts(x, price * unit if unit else price, count, scaled=not raw)


def joints(count: int = 600, noise: float = 0.02) -> Both:
    """Where the hand of an arm with three joints is, and which way it points."""
    rng = np.random.default_rng(26)
    x = rng.uniform(-1.3, 1.3, (2 * count, 3))
    turn = x.cumsum(1)
    reach = np.array([1.0, 0.8, 0.5])
    y = np.stack([(reach * np.cos(turn)).sum(1), (reach * np.sin(turn)).sum(1), turn[:, 2] / 2], 1)
    return cut(x, y + rng.normal(0, noise, y.shape), count)


def bikes(count: int = 700, half: bool = False) -> Both:
    """Bikes lent in an hour: hour, warmth, rain, free day; `half`: training saw the cold half."""
    rng = np.random.default_rng(27)
    hour, day = rng.uniform(0, 24, 2 * count), rng.uniform(0, 1, 2 * count)
    free, rain = rng.integers(0, 2, 2 * count), rng.uniform(0, 1, 2 * count) ** 3
    warm = -np.cos(2 * np.pi * day) + rng.normal(0, 0.15, 2 * count)
    rush = np.exp(-(((hour - 8) / 1.5) ** 2)) + np.exp(-(((hour - 18) / 2) ** 2))
    y = (1 - free) * rush + free * np.exp(-(((hour - 14) / 4) ** 2)) - rain + warm - 0.9 * warm**2
    x = np.stack([(hour - 12) / 7, warm, 3 * rain, free - 0.5], 1)
    order = np.argsort(warm) if half else np.arange(2 * count)
    y = (y - y.mean()) / y.std() + rng.normal(0, 0.08, 2 * count)
    return cut(x[order], y[order], count)


def customers(count: int = 600, column: bool = False, slope: float = 1.0) -> Both:
    """Who leaves: chance says much of it; ten features, four of which matter."""
    rng = np.random.default_rng(28)
    x = rng.normal(size=(2 * count, 10))
    odds = slope * (0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.6 * x[:, 2] * x[:, 3])
    y = rng.uniform(size=2 * count) < 1 / (1 + np.exp(-odds))
    return cut(x, y.astype(float if column else int), count)


def sensors(count: int = 600, width: float = 1.0) -> Both:
    """Six gases and sixteen sensors; each gas comes in two strengths."""
    rng = np.random.default_rng(29)
    middle = rng.normal(0, 1.0, (6, 2, 16))
    y, strength = rng.integers(0, 6, 2 * count), rng.integers(0, 2, 2 * count)
    return cut(middle[y, strength] + width * rng.normal(size=(2 * count, 16)), y, count)


def frauds(count: int = 1500, share: float = 0.02) -> Both:
    """Payments, few of which are frauds; a column of 0.0 and 1.0."""
    rng = np.random.default_rng(30)
    y = rng.uniform(size=2 * count) < share
    x = rng.normal(size=(2 * count, 8))
    x[y, :3] += 1.1
    return cut(x, y.astype(float), count)


def first_sign(count: int = 500, length: int = 40) -> Both:
    """Whether the first value of a long sequence was above zero."""
    rng = np.random.default_rng(31)
    x = rng.normal(0, 0.3, (2 * count, length, 1))
    y = rng.integers(0, 2, 2 * count)
    x[:, 0, 0] = 2.0 * y - 1
    return cut(x, y, count)


def patients(count: int = 60, visits: int = 8) -> tuple[Array, Array, Array]:
    """Values, illness and number of patients, each of whom has his own habits."""
    rng = np.random.default_rng(32)
    ill = rng.integers(0, 2, count)
    habit = rng.normal(0, 1.0, (count, 12))
    habit[:, :4] += 1.2 * ill[:, None]
    who = np.repeat(np.arange(count), visits)
    return habit[who] + rng.normal(0, 0.3, (count * visits, 12)), ill[who], who


def handwriting(count: int = 900) -> Both:
    """Handwritten digits without their empty pixels, standardized."""
    x, y = datasets.load_digits(return_X_y=True)
    return parts(x[:, x.std(0) > 1], y, count)


def lens() -> nn.Sequential:
    """Two convolutions, the largest value of each quarter, and a head, for `shapes`."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 4),
    )


class Watcher(nn.Module):
    """Tokens, one attention over them, a head; `axis` of the weights' softmax is 1 if right."""

    def __init__(self, letters: int, outputs: int, axis: int = 1, width: int = 16) -> None:
        super().__init__()
        self.table = nn.Embedding(letters, width)
        self.mix = nn.Conv1d(width, width, 2)
        self.eye = nn.Linear(width, 1)
        self.head = nn.Linear(width, outputs)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, length): (rows, outputs)."""
        h = self.mix(self.table(x).mT).relu().mT
        return self.head((self.eye(h).softmax(self.axis) * h).sum(1))


class Skips(nn.Module):
    """Blocks of two layers, around which the values are carried if `skip`."""

    def __init__(
        self, sizes: tuple[int, int, int], depth: int, skip: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        inputs, width, outputs = sizes
        self.first, self.head = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.skip, self.gain = skip, gain

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, inputs): (rows, outputs)."""
        x = self.first(x)
        for block in self.blocks:
            step = self.gain * torch.relu(block(x))
            x = x + step if self.skip else step
        return self.head(x)
