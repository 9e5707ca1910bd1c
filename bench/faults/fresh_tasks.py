"""Tasks and nets of the fresh cases: sequences, signals, stripes, words, counts and the like."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from bench.faults.building import Array, parts
from bench.faults.harness import Rows

Both = tuple[Rows, Rows]


def cut(x: Array, y: Array, count: int) -> Both:
    """Rows as they are: whole numbers stay whole numbers."""
    inputs = torch.as_tensor(x)
    inputs = inputs.float() if inputs.is_floating_point() else inputs.long()
    goal = torch.as_tensor(y)
    goal = goal.float().reshape(len(goal), -1) if goal.is_floating_point() else goal.long()
    return (inputs[:count], goal[:count]), (inputs[count:], goal[count:])


def iris() -> Both:
    """Three kinds of iris."""
    return parts(*datasets.load_iris(return_X_y=True), 100)


def hastie(count: int = 1200, column: bool = False) -> Both:
    """Whether the squares of ten normal values add up to more than their median."""
    x, y = datasets.make_hastie_10_2(2 * count, random_state=5)
    y = (y > 0).astype(float if column else int)
    return parts(x, y, count)


def shells(count: int = 600) -> Both:
    """Three shells around the middle of four dimensions."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=2 * count, n_features=4, n_classes=3, random_state=5
    )
    return parts(x, y, count)


def spirals(count: int = 600, arms: int = 3) -> Both:
    """Arms that wind once around the middle."""
    rng = np.random.default_rng(11)
    y = rng.integers(0, arms, 2 * count)
    far = rng.uniform(0.15, 1, 2 * count)
    angle = 5 * far + 2 * np.pi * y / arms + rng.normal(0, 0.12, 2 * count)
    return parts(np.stack([far * np.cos(angle), far * np.sin(angle)], 1), y, count)


def roll(count: int = 600) -> Both:
    """How far along a Swiss roll a point lies."""
    x, y = datasets.make_swiss_roll(2 * count, noise=0.3, random_state=5)
    return parts(x, (y - y.mean()) / y.std(), count)


def impedance(scaled: bool = True, count: int = 700, unit: float = 0.0) -> Both:
    """Friedman's second function: features up to 1000; `unit`: of the target, standardized if 0."""
    x, y = datasets.make_friedman2(2 * count, noise=20, random_state=5)
    return parts(x, y * unit if unit else (y - y.mean()) / y.std(), count, scaled)


def labels(count: int = 800) -> Both:
    """Five labels of which a row may have several."""
    x, y = datasets.make_multilabel_classification(
        2 * count, n_features=20, n_classes=5, n_labels=2, random_state=5
    )
    (one, goal), (other, theirs) = parts(x, y, count)
    return (one, goal.float()), (other, theirs.float())


def two_goals(count: int = 600, noise: float = 0.1) -> Both:
    """Two targets of the same five features."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2 * count, 5))
    y = np.stack([np.sin(2 * x[:, 0]) + x[:, 1], x[:, 2] * x[:, 3] - x[:, 4]], 1)
    return cut(x, (y - y.mean(0)) / y.std(0) + noise * rng.normal(size=y.shape), count)


def counts(count: int = 800) -> Both:
    """Events per hour."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2 * count, 5))
    rate = np.exp(1.2 + 0.6 * x[:, 0] - 0.5 * x[:, 1] * (x[:, 2] > 0))
    return cut(x, rng.poisson(rate).astype(float), count)


def prices(count: int = 800) -> Both:
    """Heavy tails: the logarithm is what depends on the features."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2 * count, 6))
    return cut(x, np.exp(0.8 * x[:, 0] + 0.6 * np.abs(x[:, 1]) + 0.1 * x[:, 2] - 1), count)


def chains(count: int = 600, length: int = 24, letters: int = 6) -> Both:
    """Words of three Markov chains."""
    rng = np.random.default_rng(7)
    step = rng.dirichlet(np.full(letters, 0.4), (3, letters)).cumsum(-1)
    y = rng.integers(0, 3, 2 * count)
    x = np.zeros((2 * count, length), int)
    x[:, 0] = rng.integers(0, letters, 2 * count)
    for at in range(1, length):
        draw = rng.uniform(size=(2 * count, 1))
        x[:, at] = (draw > step[y, x[:, at - 1], :-1]).sum(1)
    return cut(x, y, count)


def documents(count: int = 600, words: int = 200, length: int = 15) -> Both:
    """Words of four topics."""
    rng = np.random.default_rng(7)
    topics = rng.dirichlet(np.full(words, 0.1), 4)
    y = rng.integers(0, 4, 2 * count)
    return cut(np.stack([rng.choice(words, length, p=topics[c]) for c in y]), y, count)


def votes(count: int = 800, length: int = 11) -> Both:
    """Which of four letters a word has most."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, 2 * count)
    shares = np.full((2 * count, 4), 0.18) + 0.28 * np.eye(4)[y]
    x = (rng.uniform(size=(2 * count, length, 1)) > shares.cumsum(1)[:, None, :-1]).sum(2)
    often = np.stack([(x == c).sum(1) for c in range(4)], 1)
    return cut(x, often.argmax(1), count)


def sums(count: int = 500, length: int = 12) -> Both:
    """The sum of the marked values of a sequence."""
    rng = np.random.default_rng(7)
    x = np.stack(
        [rng.uniform(-1, 1, (2 * count, length)), rng.uniform(size=(2 * count, length)) < 0.4], 2
    )
    y = (x[..., 0] * x[..., 1]).sum(1)
    return cut(x, y / y.std(), count)


def waves_next(count: int = 600, length: int = 20) -> Both:
    """The next value of a noisy wave."""
    rng = np.random.default_rng(7)
    speed, start = rng.uniform(0.2, 0.9, (2 * count, 1)), rng.uniform(0, 6.28, (2 * count, 1))
    wave = np.sin(speed * np.arange(length + 1) + start) + rng.normal(
        0, 0.05, (2 * count, length + 1)
    )
    return cut(wave[:, :-1, None], wave[:, -1], count)


def signals(count: int = 600, length: int = 48) -> Both:
    """A sine, a square, a saw or a burst."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, 2 * count)
    phase = rng.uniform(2, 4, (2 * count, 1)) * np.linspace(0, 1, length) + rng.uniform(
        0, 1, (2 * count, 1)
    )
    turn = phase % 1
    forms = np.stack(
        [np.sin(2 * np.pi * turn), np.sign(turn - 0.5), 2 * turn - 1, 2.0 * (turn > 0.8) - 0.4]
    )
    x = forms[y, np.arange(2 * count)] + rng.normal(0, 0.5, (2 * count, length))
    return cut(x[:, None], y, count)


def stripes(count: int = 600, side: int = 12, scale: float = 1.0) -> Both:
    """Stripes in one of four directions."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, 2 * count)
    turn = (y * np.pi / 4)[:, None, None]
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    phase = rng.uniform(0, 6.28, (2 * count, 1, 1))
    x = np.sin(1.3 * (across * np.cos(turn) + down * np.sin(turn)) + phase)
    return cut(scale * (x + rng.normal(0, 0.8, x.shape))[:, None], y, count)


def pictures(count: int = 900) -> Both:
    """Digits to be drawn again from a narrow code."""
    x = datasets.load_digits().data[np.random.default_rng(3).permutation(1797)] / 16
    x = x[:, x.std(0) > 0.12]
    return cut(x, x, count)


def rare(share: float = 0.02, count: int = 1500) -> Both:
    """Two classes, one of which is rare."""
    x, y = datasets.make_classification(
        2 * count, 10, n_informative=6, weights=[1 - share], flip_y=0, random_state=9
    )
    return parts(x, y, count)


class Reader(nn.Module):
    """A recurrent net that reads values or letters and answers from its last state."""

    def __init__(
        self,
        cell: type[nn.RNNBase],
        inputs: int,
        hidden: int,
        outputs: int,
        letters: bool = False,
        batch_first: bool = True,
        cut_off: bool = False,
        end: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(inputs, 8) if letters else nn.Identity()
        self.cell = cell(8 if letters else inputs, hidden, batch_first=batch_first)  # type: ignore[call-arg]
        self.head = nn.Linear(hidden, outputs)
        self.end = end or nn.Identity()
        self.cut_off = cut_off

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, length) or (rows, length, inputs): (rows, outputs)."""
        last = self.cell(self.table(x))[0][:, -1]
        return self.end(self.head(last.detach() if self.cut_off else last))


class Encoder(nn.Module):
    """A small transformer encoder over letters."""

    def __init__(
        self, letters: int, outputs: int, batch_first: bool = True, width: int = 16
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(letters, width)
        layer = nn.TransformerEncoderLayer(width, 2, 32, 0.0, batch_first=batch_first)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, length): (rows, outputs)."""
        return self.head(self.body(self.table(x)).mean(1))


def bag(words: int = 200, outputs: int = 4, end: nn.Module | None = None) -> nn.Sequential:
    """The mean of word vectors, and a head."""
    more = [end] if end is not None else []
    return nn.Sequential(nn.EmbeddingBag(words, 16), nn.Linear(16, outputs), *more)


def ears(outputs: int = 4, norm: bool = False) -> nn.Sequential:
    """Two 1-D convolutions and a head, for signals."""
    return nn.Sequential(
        nn.Conv1d(1, 8, 7, padding=3),
        *([nn.BatchNorm1d(8)] if norm else []),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 16, 5, padding=2),
        *([nn.BatchNorm1d(16)] if norm else []),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )


def eyes(outputs: int = 4, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Two 2-D convolutions and a head, for stripes."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        act(),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        act(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )
