"""Rows and nets for the cases: scikit-learn's own sets and generators."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional

from bench.faults.harness import Program, Rows

Linear, ReLU, Sigmoid, Tanh = nn.Linear, nn.ReLU, nn.Sigmoid, nn.Tanh
Array = np.ndarray


def parts(x: Array, y: Array, count: int, scaled: bool = True, seed: int = 3) -> tuple[Rows, Rows]:
    """The first `count` rows of a fixed order for training, the others for validation."""
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order]
    if scaled:
        x = (x - x[:count].mean(0)) / (x[:count].std(0) + 1e-9)
    inputs = torch.tensor(x, dtype=torch.float32)
    real = np.asarray(y).dtype.kind == "f"
    goal = torch.tensor(y).float().reshape(len(y), -1) if real else torch.tensor(y).long()
    return (inputs[:count], goal[:count]), (inputs[count:], goal[count:])


def digits(count: int = 900, divide: float = 16.0, image: bool = False) -> tuple[Rows, Rows]:
    """Handwritten digits, 8 x 8."""
    x, y = datasets.load_digits(return_X_y=True)
    shape = (-1, 1, 8, 8) if image else (-1, 64)
    return parts((x / divide).reshape(shape), y, count, scaled=False)


def wine(scaled: bool = True) -> tuple[Rows, Rows]:
    """Wine of three growers, 13 features of very different size."""
    x, y = datasets.load_wine(return_X_y=True)
    return parts(x, y, 110, scaled)


def tumors(scaled: bool = True, column: bool = False) -> tuple[Rows, Rows]:
    """Breast cancer; `column`: targets as a column of 0.0 and 1.0."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return parts(x, y.astype(float) if column else y, 380, scaled)


def moons(count: int = 500, noise: float = 0.15) -> tuple[Rows, Rows]:
    """Two half moons, as many rows again for validation."""
    x, y = datasets.make_moons(2 * count, noise=noise, random_state=2)
    return parts(x, y, count)


def rings(count: int = 500) -> tuple[Rows, Rows]:
    """A ring within a ring."""
    x, y = datasets.make_circles(2 * count, noise=0.08, factor=0.5, random_state=2)
    return parts(x, y, count)


def waves(count: int = 500, noise: float = 0.5) -> tuple[Rows, Rows]:
    """Friedman's first function, targets of deviation 1."""
    x, y = datasets.make_friedman1(2 * count, n_features=6, noise=noise, random_state=2)
    return parts(x, (y - y.mean()) / y.std(), count)


def diabetes(scaled: bool = True) -> tuple[Rows, Rows]:
    """Ten features, and how the illness went on (25 to 346)."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return parts(x, (y - y.mean()) / y.std() if scaled else y, 300)


def net(
    *sizes: int,
    act: Callable[[], nn.Module] = ReLU,
    end: nn.Module | None = None,
    drop: float = 0.0,
    norm: bool = False,
) -> nn.Sequential:
    """Affine maps with something between them."""
    layers: list[nn.Module] = []
    for one, other in pairwise(sizes[:-1]):
        layers += [Linear(one, other), *([nn.BatchNorm1d(other)] if norm else []), act()]
        layers += [nn.Dropout(drop)] if drop else []
    layers.append(Linear(sizes[-2], sizes[-1]))
    return nn.Sequential(*layers, *([end] if end is not None else []))


def convolutions(classes: int = 10) -> nn.Sequential:
    """Two convolutions and a head, for 8 x 8 images."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        ReLU(),
        nn.Flatten(),
        Linear(256, classes),
    )


def adam(model: nn.Module, rate: float = 3e-3, **more: float) -> torch.optim.Optimizer:
    """Adam over all parameters."""
    return torch.optim.Adam(model.parameters(), lr=rate, **more)  # type: ignore[arg-type]


def sgd(model: nn.Module, rate: float, momentum: float = 0.0) -> torch.optim.Optimizer:
    """Plain descent over all parameters."""
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)


def filled(model: nn.Module, fill: Callable[[Tensor], object]) -> nn.Module:
    """The model with all its weight matrices filled anew."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fill(parameter.data)
    return model


def log_odds(out: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of a column of log-odds."""
    return functional.binary_cross_entropy_with_logits(out.reshape(y.shape), y.float())


def shares(out: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of a column of probabilities."""
    return functional.binary_cross_entropy(out.reshape(y.shape), y.float())


def picked(out: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of probabilities, clipped."""
    return functional.nll_loss(out.clamp(1e-8, 1.0).log(), y)


def one_hot_error(out: Tensor, y: Tensor) -> Tensor:
    """Squared error from one-hot targets."""
    return functional.mse_loss(out, functional.one_hot(y, out.shape[1]).float())


def plain(rate: float = 3e-3, epochs: int = 25) -> Program:
    """A healthy net on digits."""
    model = net(64, 64, 10)
    return Program(model, functional.cross_entropy, adam(model, rate), *digits(), 32, epochs)
