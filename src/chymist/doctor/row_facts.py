"""What the rows are like before anything is trained on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Rows = tuple[Tensor, Tensor]
Array = np.ndarray
SORTED = 200_000  # values that are sorted for it: a blink; of wide rows fewer, an error of 6 %
MOST = 2000  # rows by which single features are judged: an error of 2 % of the share


@dataclass(frozen=True)
class DataFacts:
    """What the rows are like.

    Args:
        rows, features: of the training rows.
        finite: whether all inputs and targets are numbers.
        mean, deviation, largest: of the inputs: of all features in the middle, and the largest
            absolute value.
        off_center: largest |mean| / deviation over features that vary.
        scales: largest over smallest deviation of features that vary.
        classes: number of classes; 0 for values.
        entropy: of the classes, as a share of the largest possible; 1 for values.
        target_deviation: of values.
        constant: whether all targets are equal.
        chance: loss of the best constant prediction: entropy in nats, or variance.
        shared: share of the validation rows that are training rows too.
        repeated: share of the training rows that stand there twice.
        shift: median over features of |mean of validation - mean of training| / deviation.
        spread: median over features of the ratio of deviations, the larger over the smaller.
        unseen: share of the validation rows whose class is in no training row, or whose value is
            beyond all of theirs.
        expected: share of the validation rows that would be training rows if features were
            independent of each other: rows of few values repeat by themselves.
        telling, next_telling: how much the best single feature says of the target, and the next
            best: 1 is all, about 0 is nothing.
        teller: number of the best feature.
        ordered: how much a row's target says of the next row's: 1 is sorted, 0 is shuffled.
    """

    rows: int = 0
    features: int = 0
    finite: bool = True
    mean: float = 0.0
    deviation: float = 1.0
    largest: float = 0.0
    off_center: float = 0.0
    scales: float = 1.0
    classes: int = 0
    entropy: float = 1.0
    target_deviation: float = 1.0
    constant: bool = False
    chance: float = math.nan
    shared: float = 0.0
    repeated: float = 0.0
    shift: float = 0.0
    spread: float = 1.0
    unseen: float = 0.0
    expected: float = 0.0
    telling: float = 0.0
    next_telling: float = 0.0
    teller: int = 0
    ordered: float = 0.0


def data_facts(train: Rows, valid: Rows | None) -> DataFacts:
    """What the rows are like, and how those of validation differ.

    Args:
        train, valid: inputs and targets; `valid` may be None.

    Example:
        >>> rows = torch.tensor([[0.0, 3.0], [1.0, 5.0], [0.0, 4.0]])
        >>> data_facts((rows, torch.tensor([0, 1, 0])), None).classes
        2
    """
    x, y = train[0].detach().cpu(), train[1].detach().cpu()
    flat = x.reshape(len(x), -1)
    values = flat.float().numpy()
    finite = bool(np.isfinite(values).all()) and bool(torch.isfinite(y.float()).all())
    known: dict[str, object] = {"rows": len(x), "features": values.shape[1], "finite": finite}
    if x.is_floating_point() and finite and len(x) > 1:
        known |= _of_inputs(values)
        known |= _of_order(values, y)
    known |= _of_targets(y)
    if valid is not None and len(valid[0]) and finite:
        known |= _of_both(values, y, valid, x.is_floating_point())
    return DataFacts(**known)  # type: ignore[arg-type]


def _of_inputs(values: Array) -> dict[str, object]:
    mean, deviation = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    varies = deviation > 1e-12
    if not varies.any():
        return {"deviation": 0.0}
    mean, deviation = mean[varies], deviation[varies]
    return {
        "mean": float(np.median(mean)),
        "deviation": float(np.median(deviation)),
        "largest": float(np.abs(values).max()),
        "off_center": float(np.median(np.abs(mean) / deviation)),
        "scales": float(deviation.max() / deviation.min()),
    }


def _of_targets(y: Tensor) -> dict[str, object]:
    values = y.flatten().double()
    constant = len(values) > 1 and bool((values == values[0]).all())
    if not y.is_floating_point() or bool(((values == 0) | (values == 1)).all()):
        _, counts = torch.unique(values, return_counts=True)
        p = (counts / counts.sum()).double()
        nats = float(-(p * p.log()).sum())
        classes = len(counts)
        share = nats / math.log(classes) if classes > 1 else 0.0
        return {"classes": classes, "entropy": share, "constant": constant, "chance": nats}
    return {
        "target_deviation": float(values.std()),
        "constant": constant,
        "chance": float(values.var(unbiased=False)),
    }


def _of_both(values: Array, y: Tensor, valid: Rows, measured: bool) -> dict[str, object]:
    """How the rows of validation differ; numbers of words and nodes are names, without a mean."""
    other = valid[0].detach().cpu().reshape(len(valid[0]), -1).float().numpy()
    if other.shape[1] != values.shape[1] or not np.isfinite(other).all():
        return {}
    own = [row.tobytes() for row in values]
    seen = set(own)
    known: dict[str, object] = {
        "shared": float(np.mean([row.tobytes() in seen for row in other])),
        "repeated": 1 - len(seen) / len(own),
    }
    if known["shared"]:
        known["expected"] = _by_chance(values)
    deviation = values.std(0)
    varies = deviation > 1e-6
    if varies.any() and measured:
        here, there = deviation[varies], other.std(0)[varies] + 1e-12
        known["shift"] = float(np.median(np.abs(other.mean(0) - values.mean(0))[varies] / here))
        known["spread"] = float(np.median(np.maximum(here / there, there / here)))
    goal = valid[1].detach().cpu()
    if not y.is_floating_point():
        if y.ndim > 1:  # rare tokens of a text are nobody's order
            return known
        known["unseen"] = float(np.mean(~np.isin(goal.numpy(), y.numpy())))
    elif goal.numel() == len(goal):
        known["unseen"] = float(((goal < y.min()) | (goal > y.max())).float().mean())
    return known


def _by_chance(values: Array) -> float:
    """Share of rows that stand among others by chance, were the features independent."""
    some = values[:MOST]
    logs = 0.0
    for column in some.T:
        _, counts = np.unique(column, return_counts=True)
        logs += math.log(float(((counts / len(some)) ** 2).sum()))
    return min(1.0, len(values) * math.exp(max(logs, -700.0)))


def _of_order(values: Array, y: Tensor) -> dict[str, object]:
    """What single features say of the target, and what one row's target says of the next one's.

    Rows are sorted by a feature; where it tells the target, neighbours have the same one. As a
    share of what a random order has: 1 - E[d(y[i], y[i+1])] / E[d(y, y')]; for values that is
    von Neumann's ratio.
    """
    if y.numel() != len(y) or len(y) < 20:
        return {}
    goal = y.flatten().double().numpy()
    real = y.is_floating_point()

    def distance(a: Array, b: Array) -> Array:
        apart: Array = np.square(a - b) if real else np.not_equal(a, b).astype(float)
        return apart

    mixed = np.random.default_rng(0).permutation(
        len(goal)
    )  # ties must not stand in the order given
    usual = float(distance(goal, goal[mixed]).mean())
    if usual == 0:
        return {}
    ordered = 1 - float(distance(goal[1:], goal[:-1]).mean()) / usual
    some = mixed[: max(MOST // 8, min(MOST, SORTED // values.shape[1]))]
    order = np.argsort(values[some], axis=0, kind="stable")
    sorted_ = goal[some][order]
    said = 1 - distance(sorted_[1:], sorted_[:-1]).mean(0) / usual
    best = int(np.argmax(said))
    other = float(np.delete(said, best).max()) if len(said) > 1 else 1.0
    return {"ordered": ordered, "telling": float(said[best]), "next_telling": other, "teller": best}
