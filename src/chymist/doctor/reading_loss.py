"""What a loss function takes: found out by asking it, not by its name.

A loss is called with outputs that were made for the purpose, and what it answers is compared with
the formulas that are in use. So a loss that a user has written is known as well as torch's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Link = Literal["softmax", "log_softmax", "probabilities", "sigmoid", "identity", "unknown"]
LossFunction = Callable[[Tensor, Tensor], Tensor]
# What models and losses raise at rows that they cannot take.
FAILS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError,
         ArithmeticError)  # fmt: skip
CLOSE = 1e-3  # relative; single precision and clipping at 1e-7 stay far below


@dataclass(frozen=True)
class LossFacts:
    """What a loss function was found to be.

    Args:
        link: what its outputs are taken for: "softmax" scores and "sigmoid" log-odds, to which it
            applies the link itself; "log_softmax" log-probabilities; "probabilities"; "identity"
            values that are compared with the targets as they are.
        squared: whether it is a squared error.
        normalizes: whether probabilities are divided by their sum first.
        broadcasts: whether rows are compared with the targets of other rows.
        inverted: whether wrong outputs have the lower loss.
        scales: whether outputs of twice the size have twice the loss, whatever they are, as with
            the perceptron's: then no outputs, which are 0, have none.
    """

    link: Link = "unknown"
    squared: bool = False
    normalizes: bool = False
    broadcasts: bool = False
    inverted: bool = False
    scales: bool = False


def read_loss(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> LossFacts:
    """What a loss function takes, by asking it.

    Args:
        loss_fn: of (outputs, targets).
        outputs: of a model for some rows, (rows, ...).
        targets: of the same rows: class indices, or values.

    Example:
        >>> read_loss(functional.cross_entropy, torch.zeros(8, 3), torch.arange(8) % 3).link
        'softmax'
        >>> read_loss(functional.mse_loss, torch.zeros(8, 1), torch.zeros(8, 1)).squared
        True
    """
    facts = _read(loss_fn, outputs, targets)
    if facts.link == "unknown" and not facts.broadcasts:
        other = _read(lambda out, y: -loss_fn(out, y), outputs, targets)
        return replace(other, inverted=True) if other.link != "unknown" else facts
    return replace(
        facts,
        inverted=_inverted(loss_fn, facts.link, outputs, targets),
        scales=_scales(loss_fn, outputs, targets),
    )


def hard_labels(targets: Tensor, link: Link) -> Tensor:
    """Class indices, where targets are shares of exclusive classes that sum to 1.

    Args:
        targets: of some rows.
        link: what the loss takes; softmax makes classes exclusive.

    Example:
        >>> hard_labels(torch.tensor([[0.9, 0.1], [0.3, 0.7]]), "softmax")
        tensor([0, 1])
        >>> hard_labels(torch.tensor([[0.5], [2.0]]), "identity").shape
        torch.Size([2, 1])
    """
    return targets.argmax(1) if link in ("softmax", "log_softmax") and _shares(targets) else targets


def _shares(targets: Tensor) -> bool:
    """Whether rows of targets are distributions over classes."""
    if not targets.is_floating_point() or targets.ndim != 2 or targets.shape[1] < 2:
        return False
    return bool((targets >= 0).all()) and bool(((targets.sum(1) - 1).abs() < 1e-3).all())


def _read(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> LossFacts:
    if _shares(targets) and outputs.shape == targets.shape:
        found = _of_shared_classes(loss_fn, outputs, targets)
        if found.link != "unknown":
            return found
    if not targets.is_floating_point() and outputs.ndim >= 2 and outputs.shape[1] > 1:
        return _of_classes(loss_fn, outputs, targets)
    return _of_values(loss_fn, outputs, targets)


def constant_loss(
    loss_fn: LossFunction,
    link: Link,
    outputs: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
) -> float:
    """The loss of the best constant prediction: what is reached without looking at inputs.

    Args:
        loss_fn: of (outputs, targets); its own weights and scale count.
        link: what it takes.
        outputs: of a model for some rows, for their shape.
        targets: of the same rows.
        known: targets from which the constant is taken, where these rows are few of many.

    Returns:
        nan if the loss cannot be asked.

    Example:
        >>> y = torch.arange(8) % 2
        >>> round(constant_loss(functional.cross_entropy, "softmax", torch.zeros(8, 2), y), 4)
        0.6931
    """
    known = targets if known is None else known
    if not targets.is_floating_point() and outputs.ndim == 2 and outputs.shape[1] > 1:
        if int(known.min()) < 0 or int(known.max()) >= outputs.shape[1]:
            return math.nan
        share = functional.one_hot(known.flatten(), outputs.shape[1]).double().mean(0)
        share = (share + 1e-6).to(outputs) / (share + 1e-6).sum().to(outputs)
        tried = [share] if link in ("probabilities", "identity") else [share.log()]
    elif outputs.numel() == targets.numel() and targets.numel():
        goal = known.to(outputs).reshape(-1, *outputs.shape[1:])
        mean = goal.mean(0)
        inside = mean.clamp(1e-6, 1 - 1e-6)
        tried = {"sigmoid": [inside.logit()], "probabilities": [inside]}.get(
            link, [mean, goal.median(0).values]
        )
    else:
        return math.nan
    said = [_asked(loss_fn, t.expand_as(outputs).clone(), targets) for t in tried]
    return min((v for v in said if v is not None), default=math.nan)


def _inverted(loss_fn: LossFunction, link: Link, outputs: Tensor, targets: Tensor) -> bool:
    """Whether wrong outputs have the lower loss: a sign is missing or one too many."""
    if not targets.is_floating_point() and outputs.ndim == 2 and outputs.shape[1] > 1:
        if int(targets.min()) < 0 or int(targets.max()) >= outputs.shape[1]:
            return False
        hot = functional.one_hot(targets.flatten(), outputs.shape[1]).to(outputs)
        hot = 0.8 * hot + 0.2 / outputs.shape[1]
        hot = hot if link == "probabilities" else hot.log()
        right, wrong = hot, [hot.roll(1, 1)]
    elif outputs.shape == targets.shape:
        goal = targets.to(outputs)
        binary = bool(((goal == 0) | (goal == 1)).all())
        right = 0.8 * goal + 0.1 if binary else goal
        wrong = [1 - right] if binary else [goal + 1, goal - 1]
    else:
        return False
    best, others = _asked(loss_fn, right, targets), [_asked(loss_fn, w, targets) for w in wrong]
    return best is not None and all(o is not None and o < best - 1e-6 for o in others)


def _scales(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> bool:
    """Whether a loss, which is never negative, grows with its outputs as they do."""
    if targets.is_floating_point() and not bool(targets.any()):
        return False  # errors are outputs then
    made = torch.Generator().manual_seed(0)
    scores = torch.randn(outputs.shape, generator=made, dtype=torch.float32).to(outputs)
    for some in (scores, -scores):
        one, four = _asked(loss_fn, some, targets), _asked(loss_fn, 4 * some, targets)
        if one is None or not one > 0 or not _close(four, 4 * one):
            return False
    return True


def _of_classes(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> LossFacts:
    """A loss of (rows, classes) and class indices."""
    made = torch.Generator().manual_seed(0)
    scores = torch.randn(outputs.shape, generator=made, dtype=torch.float32).to(outputs)
    p = scores.softmax(1)

    def ask(values: Tensor) -> float | None:
        return _asked(loss_fn, values, targets)

    moves = torch.randn(outputs.shape[0], *[1] * (outputs.ndim - 1), generator=made).to(p)
    shifted = scores + moves
    plain, moved = ask(scores), ask(shifted)
    if plain is not None and _close(plain, moved):
        return LossFacts("softmax")
    logs, mean_log = ask(p.log()), functional.nll_loss(p.log(), targets).item()
    down = ask(p.log() - 1)
    if logs is not None and _close(logs, mean_log) and _close(down, mean_log + 1):
        return LossFacts("log_softmax")
    found, halved = ask(p), ask(p / 2)
    if found is not None and _close(found, mean_log):
        return LossFacts("probabilities", normalizes=_close(found, halved))
    if outputs.ndim == 2:
        hot = functional.one_hot(targets, outputs.shape[1]).to(p)
        others = scores.roll(1, 0).softmax(1)
        mine, theirs = (((q - hot) ** 2).sum().item() for q in (p, others))
        first, second = ask(p), ask(others)
        if first and second and _close(first / mine, second / theirs) and mine != theirs:
            return LossFacts("identity", squared=True)
    return LossFacts()


def _of_shared_classes(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> LossFacts:
    """A loss of (rows, classes) and shares of classes: smoothed, blended, or of a teacher."""
    made = torch.Generator().manual_seed(0)
    scores = torch.randn(outputs.shape, generator=made, dtype=torch.float32).to(outputs)
    moves = torch.randn(outputs.shape[0], 1, generator=made).to(scores)
    right, wrong = (targets + 1e-6).log(), (targets + 1e-6).log().roll(1, 1)
    better, worse = (_asked(loss_fn, logs, targets) for logs in (right, wrong))
    if better is None or worse is None or not better < worse:
        return LossFacts()
    plain, moved = (_asked(loss_fn, s, targets) for s in (scores, scores + moves))
    if _close(plain, moved):
        return LossFacts("softmax")
    # A divergence: less by one in each logarithm is more by one in the mean over rows.
    logs = scores.log_softmax(1)
    one, other = (_asked(loss_fn, values, targets) for values in (logs, logs - 1))
    if one is not None and other is not None and _close(other - one, 1.0):
        return LossFacts("log_softmax")
    return LossFacts()


def _of_values(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> LossFacts:
    """A loss of one value, or of several, for each row."""
    made = torch.Generator().manual_seed(0)
    scores = torch.randn(outputs.shape, generator=made, dtype=torch.float32).to(outputs)
    if scores.numel() != targets.numel():
        return LossFacts(broadcasts=_compares_all(loss_fn, scores, targets))
    goal = targets.to(scores).reshape(scores.shape)
    asked = _asked(loss_fn, scores, targets)
    if asked is None or _of_shares(loss_fn, scores, goal, targets) == "probabilities":
        return LossFacts(_of_shares(loss_fn, scores, goal, targets))
    if _close(asked, functional.binary_cross_entropy_with_logits(scores, goal).item()):
        return LossFacts("sigmoid")
    error = scores - goal
    for squared, value in ((True, error.square().mean()), (False, error.abs().mean())):
        if _close(asked, value.item()):
            return LossFacts("identity", squared=squared)
    if _compares_all(loss_fn, scores, targets):
        return LossFacts(broadcasts=True)
    return _by_answers(loss_fn, goal, targets)


def _by_answers(loss_fn: LossFunction, goal: Tensor, targets: Tensor) -> LossFacts:
    """A loss in a form of its own: weighted, of another norm, summed."""
    if bool(((goal == 0) | (goal == 1)).all()):
        # log-odds: what is wrong costs twice as much where it is twice as far off
        far, farther, right = (
            _asked(loss_fn, by * (2 * goal - 1), targets) for by in (-20, -40, 20)
        )
        if far is not None and right is not None and farther is not None and right < 1e-3 * far:
            return LossFacts("sigmoid" if 1.9 < farther / far < 2.1 else "unknown")
    spread = float(goal.nan_to_num().std()) or 1.0
    best = _asked(loss_fn, goal, targets)
    # values: any other ones cost more, and more the farther they are
    others = [(goal + by * spread, goal + 2 * by * spread) for by in (0.5, -0.5)]
    others += [(1.5 * goal, 2 * goal), (0.5 * goal, 0 * goal)]
    for near, far_off in others:
        less, more = _asked(loss_fn, near, targets), _asked(loss_fn, far_off, targets)
        if best is None or less is None or more is None or not best < less < more:
            return LossFacts()
    one, two = (_asked(loss_fn, goal + by * spread, targets) for by in (1, 2))
    if best is None or one is None or two is None:
        return LossFacts()
    squared = _close(two - best, 4 * (one - best))
    return LossFacts("identity", squared=squared)


def _of_shares(loss_fn: LossFunction, scores: Tensor, goal: Tensor, targets: Tensor) -> Link:
    """Whether a loss is the cross-entropy of probabilities of class 1."""
    p = scores.sigmoid()
    right = float(-(goal * p.log() + (1 - goal) * (1 - p).log()).mean())
    return "probabilities" if _close(_asked(loss_fn, p, targets), right) else "unknown"


def _compares_all(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> bool:
    """Whether outputs (n, 1) and targets (n,), or the like, are compared row with every row.

    Exchanging the targets of two rows changes the mean over pairs of equal rows only; over all
    pairs of rows it changes nothing.
    """
    if outputs.numel() != targets.numel() or len(targets) < 3:
        return False
    if outputs.shape == targets.shape:
        return targets.numel() == len(targets) and _of_pairs(loss_fn, outputs, targets)
    if not _combine(outputs.shape, targets.shape):
        return False
    goal = torch.linspace(0, 1, targets.numel()).to(outputs).reshape(targets.shape)
    values = torch.linspace(0, 1, targets.numel()).to(outputs).square().reshape(outputs.shape)
    asked, rolled = (_asked(loss_fn, values, t) for t in (goal, goal.roll(1, 0)))
    paired = _asked(loss_fn, values.reshape(goal.shape), goal)
    told = asked is not None and _close(asked, rolled)
    return told and paired is not None and not _close(asked, paired)


def _of_pairs(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> bool:
    """Whether a loss of equal shapes broadcasts within: it is the mean error of all pairs."""
    values = torch.linspace(0, 1, targets.numel()).to(outputs).square().reshape(outputs.shape)
    goal = torch.linspace(1, 3, targets.numel()).to(outputs).reshape(targets.shape)
    apart = values.reshape(-1, 1) - goal.reshape(1, -1)
    asked = _asked(loss_fn, values, goal)
    return any(_close(asked, e.mean().item()) for e in (apart.square(), apart.abs()))


def _combine(one: torch.Size, other: torch.Size) -> bool:
    """Whether shapes broadcast to a larger one."""
    try:
        joined = torch.broadcast_shapes(one, other)
    except RuntimeError:
        return False
    return bool(math.prod(joined) > max(math.prod(one), math.prod(other)))


def _asked(loss_fn: LossFunction, outputs: Tensor, targets: Tensor) -> float | None:
    """What a loss says, or None if it refuses or says no number."""
    try:
        with torch.no_grad():
            value = float(loss_fn(outputs, targets))
    except FAILS:
        return None
    return value if math.isfinite(value) else None


def _close(one: float | None, other: float | None) -> bool:
    """Equal but for rounding."""
    return (
        one is not None
        and other is not None
        and math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-6)
    )
