"""Losses: pure functions (outputs, targets) -> mean loss, or one loss per example.

A loss never broadcasts: outputs and targets of different shape are an error, because a silent
(n,) against (n, 1) makes an n x n table and trains towards the mean. `FORMS` says for each loss
what it expects of targets and how its outputs become predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from chymist.errors import InputError
from chymist.parts import Fraction, register
from chymist.values import Task

Reduction = Literal["mean", "none"]


@dataclass(frozen=True)
class Form:
    """What a loss expects, and how its outputs are read.

    Args:
        task: the task it is for.
        outputs: number of model outputs, from the number of classes (or of target columns).
        targets: class indices or values (as tensor) to the form the loss compares with.
        predictions: model outputs (batch, outputs) to probabilities (batch, classes) or values.
        initial: expected loss of an uninformed model, from the number of classes; None if unknown.
        counts: whether targets are counts: at least 0, and left in their own unit.
    """

    task: Task
    outputs: Callable[[int], int]
    targets: Callable[[Tensor], Tensor]
    predictions: Callable[[Tensor], Tensor]
    initial: Callable[[int], float] | None = None
    counts: bool = False


@register("loss", fixed=3)
def mse(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Mean squared error, (1/m) sum_j (y_j - t_j)^2 per example, averaged over the batch.

    Args:
        outputs: (batch, m).
        targets: (batch, m), same unit as the outputs.
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> mse(torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]])).item()
        5.0

    Source: Gauss 1809; the maximum-likelihood loss of Gaussian noise.
    """
    same_shape(outputs, targets)
    if reduction == "mean":
        return functional.mse_loss(outputs, targets)
    return (outputs - targets).square().flatten(1).mean(1)


@register("loss", fixed=3)
def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    reduction: Reduction = "mean",
    *,
    label_smoothing: Fraction = 0.0,
) -> Tensor:
    """Categorical cross-entropy on logits, -log softmax(z)_t.

    Args:
        outputs: logits (batch, classes).
        targets: class indices (batch,), int64.
        reduction: "mean" for the batch mean, "none" for one value per example.
        label_smoothing: share of the target spread evenly over all classes, in [0, 1).

    Returns:
        A scalar, or (batch,), in nats.

    Raises:
        InputError: targets are not (batch,) class indices.

    Example:
        >>> round(cross_entropy(torch.zeros(1, 10), torch.tensor([3])).item(), 4)
        2.3026

    Source: Bishop 2006, section 4.3.4; label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
    """
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        _refuse(outputs, targets, "cross_entropy needs logits (batch, classes), classes (batch,)")
    if (
        reduction == "none"
    ):  # many rows of few classes: side by side they are read three times faster
        columns = outputs.t().contiguous().unsqueeze(0)
        return functional.cross_entropy(
            columns, targets.unsqueeze(0), reduction="none", label_smoothing=label_smoothing
        )[0]
    return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


@register("loss", fixed=3)
def binary_cross_entropy(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Binary cross-entropy on logits, -t log s(z) - (1 - t) log(1 - s(z)), s the sigmoid.

    Args:
        outputs: logits (batch, m).
        targets: 0 or 1, float, (batch, m).
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,), in nats.

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> round(binary_cross_entropy(torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)
        0.6931

    Source: Bishop 2006, section 4.3.2.
    """
    same_shape(outputs, targets)
    loss = functional.binary_cross_entropy_with_logits(outputs, targets, reduction=reduction)
    return loss if reduction == "mean" else loss.flatten(1).mean(1)


@register("loss", fixed=3)
def perceptron(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Perceptron loss: max(0, -y z) of two classes, y = -1 or 1; max(0, max_j z_j - z_t) of more.

    A row on the boundary counts as wrong, as in Rosenblatt's rule: with `sgd(lr=1)` and one row a
    step, w <- w + y x after each mistake. All weights zero is a minimum of no use.

    Args:
        outputs: scores (batch, 1) for two classes, or (batch, classes).
        targets: class indices (batch,).
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: targets are not (batch,) class indices.

    Example:
        >>> perceptron(torch.tensor([[0.5], [-0.5]]), torch.tensor([1, 1]), "none").tolist()
        [0.0, 0.5]

    Source: Rosenblatt 1958; more classes: Collins 2002.
    """
    return _margin_loss(outputs, targets, 0.0, reduction)


@register("loss", fixed=3)
def hinge(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Hinge loss: max(0, 1 - y z) of two classes, y = -1 or 1; max(0, 1 + max z_j - z_t) of more.

    The maximum is over j != t (Crammer, Singer). Only with an L2 penalty of the weights
    (`weight_decay` of `sgd`) is the best linear function the one of largest margin.

    Args:
        outputs: scores (batch, 1) for two classes, or (batch, classes).
        targets: class indices (batch,).
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: targets are not (batch,) class indices.

    Example:
        >>> hinge(torch.tensor([[0.5], [-0.5]]), torch.tensor([1, 1]), "none").tolist()
        [0.5, 1.5]

    Source: Cortes, Vapnik 1995; more classes: Crammer, Singer 2001.
    """
    return _margin_loss(outputs, targets, 1.0, reduction)


@register("loss", fixed=3)
def poisson(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Poisson deviance of counts, 2 (t log(t / mu) - t + mu) with mu = exp(z), mean over outputs.

    Args:
        outputs: z, the logarithm of the expected count, (batch, m).
        targets: counts t >= 0, in their own unit, (batch, m).
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> round(poisson(torch.zeros(1, 1), torch.tensor([[2.0]])).item(), 4)
        0.7726

    Source: Nelder, Wedderburn 1972; McCullagh, Nelder 1989, section 2.3.
    """
    same_shape(outputs, targets)
    known = torch.xlogy(targets, targets) - targets
    each = 2 * (known - targets * outputs + outputs.exp()).flatten(1).mean(1)
    return each.mean() if reduction == "mean" else each


def _margin_loss(outputs: Tensor, targets: Tensor, margin: float, reduction: Reduction) -> Tensor:
    """How far the score of the right class is from being a margin above all others."""
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        _refuse(outputs, targets, "scores (batch, classes) go with class indices (batch,)")
    index = targets.long()
    if outputs.shape[1] == 1:
        lead = outputs[:, 0] * (2 * index - 1)
    else:
        right = functional.one_hot(index, outputs.shape[1]).bool()
        others = outputs.masked_fill(right, -torch.inf).amax(1)
        lead = outputs.gather(1, index[:, None])[:, 0] - others
    each = (margin - lead).clamp(min=0)
    return each.mean() if reduction == "mean" else each


def same_shape(outputs: Tensor, targets: Tensor) -> None:
    """Refuse outputs and targets that would broadcast.

    Raises:
        InputError: the shapes differ.
    """
    if outputs.shape != targets.shape:
        _refuse(outputs, targets, "they must be equal: nothing is broadcast")


def _refuse(outputs: Tensor, targets: Tensor, do: str) -> None:
    received = f"outputs {tuple(outputs.shape)}, targets {tuple(targets.shape)}"
    raise InputError(
        "the model's outputs do not fit the targets", where="loss", received=received, do=do
    )


def _two_columns(outputs: Tensor) -> Tensor:
    positive = torch.sigmoid(outputs.reshape(-1, 1))
    return torch.cat([1 - positive, positive], 1)


def _scores(outputs: Tensor) -> Tensor:
    """Scores as shares that keep their order; they are no probabilities that anybody estimated."""
    return _two_columns(outputs) if outputs.shape[1] == 1 else torch.softmax(outputs, 1)


def _one_or_all(classes: int) -> int:
    return 1 if classes == 2 else classes


def _log(classes: int) -> float:
    return float(torch.tensor(float(classes)).log())


FORMS: dict[str, Form] = {
    "mse": Form("regression", lambda columns: columns, lambda t: t, lambda z: z),
    "cross_entropy": Form(
        "classification", lambda classes: classes, lambda t: t.long(),
        lambda z: torch.softmax(z, 1), _log,
    ),
    "binary_cross_entropy": Form(
        "classification", lambda classes: 1, lambda t: t.reshape(-1, 1).float(),
        _two_columns, lambda classes: _log(2),
    ),
    "perceptron": Form("classification", _one_or_all, lambda t: t.long(), _scores),
    "hinge": Form("classification", _one_or_all, lambda t: t.long(), _scores),
    "poisson": Form("regression", lambda columns: columns, lambda t: t, torch.exp, counts=True),
}  # fmt: skip
