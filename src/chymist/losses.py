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

from chymist.errors import InputError, UsageError, nearest
from chymist.parts import Fraction, NonNegative, Positive, register
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
        estimated: whether predictions of classes are probabilities that the loss estimates.
    """

    task: Task
    outputs: Callable[[int], int]
    targets: Callable[[Tensor], Tensor]
    predictions: Callable[[Tensor], Tensor]
    initial: Callable[[int], float] | None = None
    counts: bool = False
    estimated: bool = True


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
    if _averaged(reduction):
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
        targets: class indices (batch,), int64; or shares of the classes (batch, classes), which
            add up to 1 in each row, and give -sum over k of t_k log softmax(z)_k.
        reduction: "mean" for the batch mean, "none" for one value per example.
        label_smoothing: share of the target spread evenly over all classes, in [0, 1).

    Returns:
        A scalar, or (batch,), in nats.

    Raises:
        InputError: targets are neither.

    Example:
        >>> round(cross_entropy(torch.zeros(1, 10), torch.tensor([3])).item(), 4)
        2.3026

    Source: Bishop 2006, section 4.3.4; label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
    """
    if targets.is_floating_point() and targets.shape == outputs.shape:
        return functional.cross_entropy(
            outputs, targets, reduction=reduction, label_smoothing=label_smoothing
        )
    _check_classes(
        outputs, targets, "cross_entropy needs logits (batch, classes), classes (batch,)"
    )
    if _averaged(reduction):
        return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
    # Many rows of few classes: side by side they are read three times faster.
    columns = outputs.t().contiguous().unsqueeze(0)
    return functional.cross_entropy(
        columns, targets.unsqueeze(0), reduction="none", label_smoothing=label_smoothing
    )[0]


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
    if _averaged(reduction):
        return functional.binary_cross_entropy_with_logits(outputs, targets)
    loss = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return loss.flatten(1).mean(1)


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
def hinge(
    outputs: Tensor, targets: Tensor, reduction: Reduction = "mean", *, margin: Positive = 1.0
) -> Tensor:
    """Hinge loss: max(0, 1 - y z) of two classes, y = -1 or 1; max(0, 1 + max z_j - z_t) of more.

    The 1 is the margin. The maximum is over j != t (Crammer, Singer). Only with an L2 penalty of
    the weights (`weight_decay` of `sgd`) is the best linear function the one of largest margin.

    Args:
        outputs: scores (batch, 1) for two classes, or (batch, classes).
        targets: class indices (batch,).
        reduction: "mean" for the batch mean, "none" for one value per example.
        margin: by how much the right score has to lead before a row costs nothing.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: targets are not (batch,) class indices.

    Example:
        >>> hinge(torch.tensor([[0.5], [-0.5]]), torch.tensor([1, 1]), "none").tolist()
        [0.5, 1.5]

    Source: Cortes, Vapnik 1995; more classes: Crammer, Singer 2001.
    """
    return _margin_loss(outputs, targets, margin, reduction)


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
    return _reduced(each, reduction)


@register("loss", fixed=3)
def half_squared(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Half the squared error, (1/2) sum_j (y_j - t_j)^2 per example: its gradient is y - t.

    Errors (3, 4) give 12.5; their sum of squares is 25, their mean 12.5 (`mse`), and their length
    (the 2-norm, with its root) is 5.

    Args:
        outputs: (batch, m).
        targets: (batch, m), same unit as the outputs.
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> half_squared(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)).item()
        12.5

    Source: Legendre 1805.
    """
    same_shape(outputs, targets)
    return _reduced((outputs - targets).square().flatten(1).sum(1) / 2, reduction)


@register("loss", fixed=3)
def mae(outputs: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Mean absolute error, (1/m) sum_j |y_j - t_j| per example; the best constant is the median.

    The gradient has the same size however large the error is, so that single rows far off count
    less than with `mse`.

    Args:
        outputs: (batch, m).
        targets: (batch, m), same unit as the outputs.
        reduction: "mean" for the batch mean, "none" for one value per example.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> mae(torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]])).item()
        2.0

    Source: Boscovich 1757; the maximum-likelihood loss of Laplace noise.
    """
    same_shape(outputs, targets)
    return _reduced((outputs - targets).abs().flatten(1).mean(1), reduction)


@register("loss", fixed=3)
def huber(
    outputs: Tensor, targets: Tensor, reduction: Reduction = "mean", *, delta: Positive = 1.0
) -> Tensor:
    """Huber loss: e^2 / 2 for errors |e| <= delta, delta (|e| - delta / 2) beyond; mean over j.

    Args:
        outputs: (batch, m).
        targets: (batch, m), same unit as the outputs.
        reduction: "mean" for the batch mean, "none" for one value per example.
        delta: the error from which on it grows linearly; targets are standardised when a recipe
            is fitted, so that it is in standard deviations there.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: outputs and targets differ in shape.

    Example:
        >>> huber(torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1), "none")
        tensor([0.1250, 2.5000])

    Source: Huber 1964, Robust estimation of a location parameter.
    """
    same_shape(outputs, targets)
    each = functional.huber_loss(outputs, targets, reduction="none", delta=delta)
    return _reduced(each.flatten(1).mean(1), reduction)


@register("loss", fixed=3)
def focal(
    outputs: Tensor, targets: Tensor, reduction: Reduction = "mean", *, gamma: NonNegative = 2.0
) -> Tensor:
    """Focal loss on logits, -(1 - p_t)^gamma log p_t with p = softmax(z): easy rows count less.

    Args:
        outputs: logits (batch, classes).
        targets: class indices (batch,), int64.
        reduction: "mean" for the batch mean, "none" for one value per example.
        gamma: how much less; 0 is `cross_entropy`.

    Returns:
        A scalar, or (batch,).

    Raises:
        InputError: targets are not (batch,) class indices.

    Example:
        >>> round(focal(torch.zeros(1, 2), torch.tensor([0])).item(), 4)  # 0.25 log 2
        0.1733

    Source: Lin et al. 2017, Focal loss for dense object detection, arXiv:1708.02002.
    """
    rows = cross_entropy(outputs, targets, "none")
    missing = (-torch.expm1(-rows)).clamp(min=torch.finfo(rows.dtype).tiny)  # 0^gamma has no slope
    return _reduced(missing**gamma * rows, reduction)


@register("loss", fixed=3)
def kl(
    outputs: Tensor,
    targets: Tensor,
    reduction: Reduction = "mean",
    *,
    label_smoothing: Fraction = 0.0,
) -> Tensor:
    """Kullback-Leibler divergence, sum_k t_k log(t_k / p_k) with p = softmax(z); 0 log 0 is 0.

    It is the cross-entropy less the entropy of the targets, which no model can change: the gradient
    is the same, p - t by the logits, but the least value is 0.

    Args:
        outputs: logits (batch, classes).
        targets: class indices (batch,), int64, or probabilities (batch, classes).
        reduction: "mean" for the batch mean, "none" for one value per example.
        label_smoothing: share of class indices spread evenly over all classes, in [0, 1).

    Returns:
        A scalar, or (batch,), in nats.

    Raises:
        InputError: targets are neither classes nor probabilities of the shape of the outputs.

    Example:
        >>> round(kl(torch.zeros(1, 2), torch.tensor([[0.9, 0.1]])).item(), 4)
        0.3681

    Source: Kullback, Leibler 1951.
    """
    if not targets.is_floating_point():
        _check_classes(outputs, targets, "kl needs logits (batch, classes), and classes (batch,)")
        count = outputs.shape[1]
        sharp = functional.one_hot(targets, count).to(outputs.dtype)
        targets = (1 - label_smoothing) * sharp + label_smoothing / count
    same_shape(outputs, targets)
    logs = torch.log_softmax(outputs, 1)
    return _reduced((torch.xlogy(targets, targets) - targets * logs).flatten(1).sum(1), reduction)


@register("loss", fixed=3)
def iou(
    outputs: Tensor, targets: Tensor, reduction: Reduction = "mean", *, smooth: NonNegative = 0.0
) -> Tensor:
    """Soft intersection over union, 1 - (sum p t + s) / (sum (p + t - p t) + s) for each example.

    Masks are read by the sigmoid, classes by softmax; with p in {0, 1} it is 1 - Jaccard's index.

    Args:
        outputs: logits of a mask (batch, ...), or of classes (batch, classes).
        targets: the mask, float of 0 and 1, (batch, ...), or class indices (batch,), int64.
        reduction: "mean" for the batch mean, "none" for one value per example.
        smooth: s; above 0 it keeps a gradient where a mask is empty.

    Returns:
        A scalar, or (batch,), in [0, 1].

    Raises:
        InputError: outputs and targets do not fit each other.

    Example:
        >>> round(iou(torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]])).item(), 4)
        0.6667

    Source: Rahman, Wang 2016, Optimizing intersection-over-union in deep neural networks.
    """
    inside, total = _overlap(outputs, targets)
    return _reduced(1 - _quotient(inside + smooth, total - inside + smooth), reduction)


@register("loss", fixed=3)
def dice(
    outputs: Tensor, targets: Tensor, reduction: Reduction = "mean", *, smooth: NonNegative = 0.0
) -> Tensor:
    """Soft Dice loss, 1 - (2 sum p t + s) / (sum p + sum t + s) for each example.

    Masks are read by the sigmoid, classes by softmax; with p in {0, 1} it is 1 - F1.

    Args:
        outputs: logits of a mask (batch, ...), or of classes (batch, classes).
        targets: the mask, float of 0 and 1, (batch, ...), or class indices (batch,), int64.
        reduction: "mean" for the batch mean, "none" for one value per example.
        smooth: s; above 0 it keeps a gradient where a mask is empty.

    Returns:
        A scalar, or (batch,), in [0, 1].

    Raises:
        InputError: outputs and targets do not fit each other.

    Example:
        >>> dice(torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]])).item()
        0.5

    Source: Milletari, Navab, Ahmadi 2016, V-Net, arXiv:1606.04797.
    """
    inside, total = _overlap(outputs, targets)
    return _reduced(1 - _quotient(2 * inside + smooth, total + smooth), reduction)


def contrastive(
    first: Tensor, second: Tensor, alike: Tensor, reduction: Reduction = "mean",
    margin: float = 1.0,
) -> Tensor:  # fmt: skip
    """Contrastive loss of pairs: d^2 / 2 of those alike, max(0, margin - d)^2 / 2 of the others.

    d is the Euclidean distance of the two representations.

    Args:
        first, second: representations (pairs, features).
        alike: whether a pair is alike, bool or 0 and 1, (pairs,).
        reduction: "mean" for the mean, "none" for one value per pair.
        margin: the distance from which on pairs that differ are far enough.

    Returns:
        A scalar, or (pairs,).

    Raises:
        InputError: the shapes do not fit.

    Example:
        >>> one, other = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.3, 0.4]])
        >>> values = [contrastive(one, other, torch.tensor([a])).item() for a in (True, False)]
        >>> [round(value, 6) for value in values]
        [0.125, 0.125]

    Source: Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping.
    """
    same_shape(first, second)
    distances = torch.linalg.vector_norm(first - second, dim=1)
    same_shape(distances, alike)
    far = (margin - distances).clamp(min=0).square()
    return _reduced(torch.where(alike.bool(), distances.square(), far) / 2, reduction)


def triplet(
    anchors: Tensor, positives: Tensor, negatives: Tensor, reduction: Reduction = "mean",
    margin: float = 1.0,
) -> Tensor:  # fmt: skip
    """Triplet loss, max(0, |a - p| - |a - n| + margin): what is alike shall be nearer.

    Args:
        anchors, positives, negatives: representations (triplets, features).
        reduction: "mean" for the mean, "none" for one value per triplet.
        margin: by how much nearer.

    Returns:
        A scalar, or (triplets,).

    Raises:
        InputError: the shapes differ.

    Example:
        >>> a, p, n = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
        >>> triplet(a, p, n).item()
        4.0

    Source: Schroff, Kalenichenko, Philbin 2015, FaceNet, arXiv:1503.03832 (there with squares).
    """
    same_shape(anchors, positives)
    same_shape(anchors, negatives)
    near: Tensor = torch.linalg.vector_norm(anchors - positives, dim=1)
    far: Tensor = torch.linalg.vector_norm(anchors - negatives, dim=1)
    return _reduced((near - far + margin).clamp(min=0), reduction)


def n_pair(anchors: Tensor, positives: Tensor, reduction: Reduction = "mean") -> Tensor:
    """N-pair loss, log(1 + sum over j != i of exp(a_i p_j - a_i p_i)).

    The positives of the other rows are the negatives of a row: cross-entropy over all products.

    Args:
        anchors, positives: representations (pairs, features); row i of both is of one class.
        reduction: "mean" for the mean, "none" for one value per pair.

    Returns:
        A scalar, or (pairs,).

    Raises:
        InputError: the shapes differ.

    Example:
        >>> round(n_pair(torch.eye(2), torch.eye(2)).item(), 4)  # log(1 + 1/e)
        0.3133

    Source: Sohn 2016, Improved deep metric learning with multi-class N-pair loss objective.
    """
    same_shape(anchors, positives)
    own = torch.arange(len(anchors), device=anchors.device)
    found: Tensor = cross_entropy(anchors @ positives.t(), own, reduction)
    return found


def reconstruction(
    outputs: Tensor, inputs: Tensor, reduction: Reduction = "mean", kind: str = "squared"
) -> Tensor:
    """How far what was decoded is from what was encoded, as the mean over the values of a row.

    Args:
        outputs: what was decoded (rows, ...); logits for kind "binary".
        inputs: what was encoded, of the same shape; in [0, 1] for kind "binary".
        reduction: "mean" for the mean, "none" for one value per row.
        kind: "squared" error, or "binary" cross-entropy.

    Returns:
        A scalar, or (rows,).

    Raises:
        InputError: the shapes differ.
        UsageError: an unknown kind.

    Example:
        >>> reconstruction(torch.zeros(1, 2, 2), torch.ones(1, 2, 2)).item()
        1.0

    Source: Rumelhart, Hinton, Williams 1986 (autoencoders).
    """
    kinds = {"squared": mse, "binary": binary_cross_entropy}
    if kind not in kinds:
        raise UsageError("unknown kind of reconstruction", received=repr(kind),
                         do=nearest(kind, kinds))  # fmt: skip
    found: Tensor = kinds[kind](outputs, inputs, reduction)
    return found


def same_shape(outputs: Tensor, targets: Tensor) -> None:
    """Refuse outputs and targets that would broadcast.

    Raises:
        InputError: the shapes differ.
    """
    if outputs.shape != targets.shape:
        _refuse(outputs, targets, "they must be equal: nothing is broadcast")


def _check_classes(outputs: Tensor, targets: Tensor, do: str) -> None:
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        _refuse(outputs, targets, do)


def _margin_loss(outputs: Tensor, targets: Tensor, margin: float, reduction: Reduction) -> Tensor:
    """How far the score of the right class is from being a margin above all others."""
    _check_classes(outputs, targets, "scores (batch, classes) go with class indices (batch,)")
    index = targets.long()
    if outputs.shape[1] == 1:
        lead = outputs[:, 0] * (2 * index - 1)
    else:
        right = functional.one_hot(index, outputs.shape[1]).bool()
        others = outputs.masked_fill(right, -torch.inf).amax(1)
        lead = outputs.gather(1, index[:, None])[:, 0] - others
    each = (margin - lead).clamp(min=0)
    return _reduced(each, reduction)


def _reduced(each: Tensor, reduction: Reduction) -> Tensor:
    """One value for each example, or their mean."""
    return each.mean() if _averaged(reduction) else each


def _averaged(reduction: Reduction) -> bool:
    """Whether the mean is asked for, and not one value for each example.

    Raises:
        UsageError: neither is.
    """
    if reduction not in ("mean", "none"):
        raise UsageError("unknown reduction", where="loss", received=repr(reduction),
                         do="give 'mean', or 'none' and add the values up")  # fmt: skip
    return reduction == "mean"


def _overlap(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of p t and of p + t for each example."""
    if targets.is_floating_point():
        same_shape(outputs, targets)
        shares = torch.sigmoid(outputs)
    else:
        _check_classes(outputs, targets, "give a mask as floats, or classes (batch,)")
        shares = torch.softmax(outputs, 1)
        targets = functional.one_hot(targets, outputs.shape[1]).to(outputs.dtype)
    return (shares * targets).flatten(1).sum(1), (shares + targets).flatten(1).sum(1)


def _quotient(above: Tensor, below: Tensor) -> Tensor:
    return above / below.clamp(min=torch.finfo(below.dtype).tiny)


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


def _of_values() -> Form:
    return Form("regression", lambda columns: columns, lambda t: t, lambda z: z)


def _of_classes(initial: Callable[[int], float] | None = None) -> Form:
    return Form("classification", lambda classes: classes, lambda t: t.long(),
                lambda z: torch.softmax(z, 1), initial)  # fmt: skip


def _of_scores() -> Form:
    return Form("classification", _one_or_all, lambda t: t.long(), _scores, estimated=False)


FORMS: dict[str, Form] = {
    "mse": _of_values(),
    "half_squared": _of_values(),
    "mae": _of_values(),
    "huber": _of_values(),
    "cross_entropy": _of_classes(_log),
    "binary_cross_entropy": Form(
        "classification", lambda classes: 1, lambda t: t.reshape(-1, 1).float(),
        _two_columns, lambda classes: _log(2),
    ),
    "kl": _of_classes(),
    "focal": _of_classes(),
    "perceptron": _of_scores(),
    "hinge": _of_scores(),
    "poisson": Form("regression", lambda columns: columns, lambda t: t, torch.exp, counts=True),
    "iou": _of_classes(lambda classes: 1 - 1 / (2 * classes - 1)),
    "dice": _of_classes(lambda classes: 1 - 1 / classes),
}  # fmt: skip
