"""Capacity and regularisation: too little, or too much."""

from __future__ import annotations

import math

import numpy as np

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.rules.evidence import Seen
from chymist.doctor.rules.training import leapt

HELD = 0.5  # share of the units of a layer at their bound: half


def too_plain(seen: Seen) -> Finding | None:
    """A function set that is too small."""
    facts = seen.facts
    if facts.nonlinear or seen.reference is None or not seen.poor_train:
        return None
    if seen.reference.neighbors - seen.reference.linear < seen.margin:
        return None
    code = "missing_nonlinearity" if facts.affine else "model_bias"
    return Finding(
        code,
        "certain" if facts.affine else "finding",
        "nothing in the model is nonlinear, and nearest neighbours do much better",
        {"affine": facts.affine, "neighbors": seen.reference.neighbors, "score": seen.train_score},
        Remedy("put ReLU between the layers"),
        weight=4,
    )


def too_narrow(seen: Seen) -> Finding | None:
    """A layer through which too little passes."""
    facts = seen.facts
    needed = max(3, math.ceil(math.log2(max(facts.data.classes, 1) + 1)))
    if (
        not seen.poor_train
        or not facts.narrowest < needed
        or facts.data.features <= facts.narrowest
    ):
        return None
    return Finding(
        "model_bias",
        "finding",
        f"the narrowest hidden layer has {facts.narrowest:g} "
        + ("unit" if facts.narrowest == 1 else "units"),
        {"narrowest": facts.narrowest, "score": seen.train_score},
        Remedy("wider layers"),
        weight=3.2 if facts.narrowest == 1 else 2.6,
    )


def shrunk(seen: Seen) -> Finding | None:
    """A penalty that outweighs the data."""
    last, first, facts = seen.last, seen.facts.first, seen.facts
    if last is None or first is None or seen.record.bad_step is not None:
        return None
    if not (seen.poor_train or seen.stuck):
        return None
    if seen.record.held >= HELD:
        return _bounded(seen)
    size, pull = (math.hypot(*of.values()) for of in (last.weights, last.gradients))
    limits = seen.limits
    before = math.hypot(*first.weights.values())
    outweighs = facts.decay * size > limits.decay_pull * pull or size < limits.collapse * before
    decayed = facts.decay > limits.decay and outweighs
    decayed = decayed or facts.absolute > limits.decay_pull * pull
    # What the program adds to the loss of the data, at the first step.
    losses = seen.record.losses
    added = losses[0] - first.train_loss if losses else 0.0
    weighs = added > max(limits.decay_pull * first.train_loss, 0.0)
    if not (decayed or weighs) or size > limits.shrink * before:
        return None
    return Finding(
        "over_regularised",
        "finding",
        "the penalty on the weights outweighs the data: they shrink, and the training "
        "rows are not learned",
        {
            "decay": facts.decay,
            "added": added,
            "weights": size,
            "gradient": pull,
            "weights at first": before,
        },
        Remedy("a tenth of the penalty"),
        weight=4.7,
    )


def _bounded(seen: Seen) -> Finding:
    """A bound that keeps the weights too small."""
    share, first, last = seen.record.held, seen.facts.first, seen.last
    looks = [look.weights.items() for look in (last, first) if look is not None]
    sizes = [math.hypot(*(size for name, size in of if "bias" not in name)) for of in looks]
    shrank = sizes[0] < seen.limits.shrink * sizes[-1]
    return Finding(
        "over_regularised",
        "finding",
        f"the bound on the weights holds {share:.0%} of the units of a layer, and the training "
        "rows are not learned",
        {"held": share, "weights": sizes[0], "weights at first": sizes[-1]},
        Remedy("a wider bound"),
        # Rates that are too high reach bounds too.
        weight=4.7 if shrank and not leapt(seen) else 2.6,
    )


def dropped(seen: Seen) -> Finding | None:
    """Dropout that leaves too little."""
    last, limits, rate = seen.last, seen.limits, seen.facts.dropouts
    if seen.facts.head.startswith("Dropout") and seen.harm:
        return Finding(
            "dropout_misuse",
            "finding",
            f"dropout of {rate:g} stands behind the last layer: it strikes out answers",
            {"dropout": rate, "head": seen.facts.head},
            Remedy("no dropout behind the last layer"),
            weight=4.2,
        )
    # So much dropout needs no large harm: less than what cheap learners reach is enough.
    much = rate >= limits.dropout_alone and seen.below
    if last is None or rate <= limits.dropout or not (seen.poor_train or much):
        return None
    if not (last.train_loss > limits.dropout_times * last.loss or rate >= limits.dropout_alone):
        return None
    return Finding(
        "dropout_misuse",
        "finding",
        f"with dropout {seen.facts.dropouts:g} the loss of the same rows is "
        f"{last.train_loss / max(last.loss, 1e-9):.1f} times that without",
        {"dropout": seen.facts.dropouts, "train": last.train_loss, "eval": last.loss},
        Remedy("a dropout of 0.2 to 0.5"),
        weight=3,
    )


def few_in_batch(seen: Seen) -> Finding | None:
    """Batch normalisation over a handful of values."""
    last = seen.last
    if last is None or seen.facts.per_channel >= seen.limits.per_channel:
        return None
    ratio, most = last.train_loss / max(last.loss, 1e-9), seen.limits.mode_times
    if not (seen.harm or not 1 / most <= ratio <= most):
        return None
    return Finding(
        "bn_small_batch",
        "finding",
        f"batch normalisation gets {seen.facts.per_channel:g} values of a channel",
        {"values": seen.facts.per_channel, "ratio": ratio},
        Remedy("larger batches, or group normalisation"),
        weight=4.8 if seen.facts.per_channel < seen.limits.per_channel / 2 else 4,
    )


def overfits(seen: Seen) -> Finding | None:
    """Training rows are learned by heart."""
    valid = [e.valid_loss for e in seen.record.epochs]
    if len(valid) < 4 or not np.isfinite(valid).all():
        return None
    if seen.facts.data.shared > 0.99:
        return None  # validated on training rows: nothing is known of others
    rose = min(valid[-3:]) > seen.limits.rise * min(valid)
    if not rose or not seen.train_score - seen.valid_score > seen.limits.gap:
        return None
    return Finding(
        "overfitting",
        "finding",
        f"the validation loss rose from {min(valid):.3g} to {valid[-1]:.3g} while "
        "training rows are almost all right",
        {
            "lowest": min(valid),
            "last": valid[-1],
            "train": seen.train_score,
            "valid": seen.valid_score,
        },
        Remedy("stop early"),
        weight=1.5,
    )


CAPACITY = (too_plain, too_narrow, shrunk, dropped, few_in_batch, overfits)
