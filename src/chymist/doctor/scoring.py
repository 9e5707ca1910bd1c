"""How good outputs are, on a scale that means the same for every task: 0 is chance, 1 is right."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from chymist.doctor.reading_loss import Link

MOST = 1500  # rows that reference learners see: enough to tell failure, and a tenth of a second


def labels_of(outputs: Tensor, link: Link) -> Tensor:
    """Predicted class indices of (rows, classes), or of one column by its link."""
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return outputs.argmax(1)
    cut = 0.0 if link == "sigmoid" else 0.5
    return (outputs.flatten() > cut).long()


def is_classes(outputs: Tensor, targets: Tensor, link: Link) -> bool:
    """Whether targets are classes: indices, or 0 and 1 for probabilities or log-odds."""
    if not targets.is_floating_point():
        return True
    return link in ("sigmoid", "probabilities") and outputs.numel() == targets.numel()


def recalls_of(outputs: Tensor, targets: Tensor, link: Link) -> dict[int, float]:
    """Share found of each class; empty for values."""
    if not is_classes(outputs, targets, link):
        return {}
    said, true = labels_of(outputs, link), targets.flatten().long()
    if said.shape != true.shape:
        return {}
    return {int(c): float((said[true == c] == c).float().mean()) for c in true.unique()}


def score_of(outputs: Tensor, targets: Tensor, link: Link) -> float:
    """Balanced accuracy of classes, or explained variance of values, at least -1."""
    if not bool(torch.isfinite(outputs).all()):
        return -1.0
    recalls = recalls_of(outputs, targets, link)
    if recalls:
        return float(np.mean(list(recalls.values())))
    if outputs.numel() != targets.numel():
        return math.nan
    goal = targets.flatten().double()
    around = float(((goal - goal.mean()) ** 2).mean())
    error = float(((outputs.flatten().double() - goal) ** 2).mean())
    return max(-1.0, 1 - error / around) if around > 0 else math.nan


class Reference(NamedTuple):
    """What cheap learners reach.

    Args:
        linear, neighbors: score of the validation rows by a linear model and by nearest neighbours.
        noisy: share of training rows whose neighbours agree on another class.
        chance: score of a constant.
    """

    linear: float
    neighbors: float
    noisy: float
    chance: float

    @property
    def best(self) -> float:
        """The better of the two."""
        return float(np.nanmax([self.linear, self.neighbors, self.chance]))


def reference(train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor]) -> Reference | None:
    """Scores of a linear model and of nearest neighbours, fitted on the training rows.

    Args:
        train, valid: inputs and targets.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    x, y, other, goal = (
        part.detach().cpu().reshape(len(part), -1).numpy()[:MOST] for part in (*train, *valid)
    )
    if not (np.isfinite(x).all() and np.isfinite(other).all()) or y.shape[1] != 1:
        return None
    y, goal = y[:, 0], goal[:, 0]
    spread = x.std(0)
    scale = np.where(spread > 1e-9, spread, 1)
    x, other = (x - x.mean(0)) / scale, (other - x.mean(0)) / scale
    classes = len(np.unique(y))
    near = min(5, len(x))
    if not train[1].is_floating_point() or (classes == 2 and set(np.unique(y)) <= {0, 1}):
        if classes < 2:
            return None
        linear = LogisticRegression(max_iter=100, tol=1e-2).fit(x, y)
        neighbors = KNeighborsClassifier(near).fit(x, y)
        own = KNeighborsClassifier(min(6, len(x))).fit(x, y).kneighbors(x, return_distance=False)
        votes = y[own[:, 1:]]
        agree = (votes == votes[:, :1]).all(1)
        noisy = float((agree & (votes[:, 0] != y)).mean()) if votes.shape[1] else 0.0
        scores = [balanced_accuracy_score(goal, m.predict(other)) for m in (linear, neighbors)]
        return Reference(*map(float, scores), noisy, 1 / classes)
    models = (Ridge(1.0).fit(x, y), KNeighborsRegressor(near).fit(x, y))
    scores = [max(-1.0, r2_score(goal, m.predict(other))) for m in models]
    return Reference(*map(float, scores), 0.0, 0.0)
