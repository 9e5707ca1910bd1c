"""Optimisation, capacity and regularisation: a symptom, and harm."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.rules.evidence import Seen

CHANCE_TIMES = 3.0  # loss at the start over that of the class shares (Karpathy's check, taxonomy 16)


def initial_scale(seen: Seen) -> Finding | None:
    """A loss at the start far above that of knowing nothing."""
    first, chance = seen.facts.first, seen.facts.data.chance
    if first is None or not seen.facts.data.classes or seen.facts.loss.link not in ("softmax", "sigmoid"):
        return None
    times = first.loss / max(chance, 1e-3)
    grown = max((l.deviation for l in first.layers), default=1.0)
    if not (times > 30 or (times > CHANCE_TIMES and seen.harm)):
        return None
    return Finding("init_scale", "finding",
                   f"the loss starts at {times:.0f} times that of knowing nothing",
                   {"loss": first.loss, "chance": chance, "deviation": grown},
                   Remedy("initialise by He or Xavier", {"init": "kaiming"}), weight=3)  # fmt: skip


def rate_too_high(seen: Seen) -> Finding | None:
    """Steps so large that the loss rises, or that nothing is left to learn with."""
    losses, record = seen.record.losses, seen.record
    if len(losses) < 10 or not seen.poor_train:
        return None
    start = float(np.nanmean(losses[:2]))
    early = [v for v in losses[: max(20, len(losses) // 20)] if math.isfinite(v)]
    leapt = bool(early) and max(early) > 2 * start
    moved = [r for _, r in record.ratios[:20]]
    large = len(moved) >= 3 and float(np.median(moved)) > 0.1
    blew = record.bad_step is not None and not record.bad_inputs and seen.facts.data.finite
    if not (leapt or large or blew):
        return None
    return Finding("lr_too_high", "finding",
                   "the loss leaps in the first steps" if leapt else
                   "a step changes the weights by more than a tenth" if large else
                   "the loss runs away", {"start": start, "highest": max(early, default=math.nan)},
                   Remedy("a tenth of the rate"), weight=2.8 if leapt and large else 1.6)  # fmt: skip


def too_slow(seen: Seen) -> Finding | None:
    """Still falling when it ended."""
    losses = np.array(seen.record.losses)
    if len(losses) < 20 or not np.isfinite(losses).all() or not seen.poor_train:
        return None
    fifth = len(losses) // 5
    last, before = losses[-fifth:].mean(), losses[-2 * fifth : -fifth].mean()
    fell = (before - last) / max(losses[:fifth].mean(), 1e-12)
    moved = [r for _, r in seen.record.ratios]
    means = [part.mean() for part in np.array_split(losses, 5)]
    steady = all(b < a for a, b in pairwise(means)) and means[-1] > 0.9 * means[0]
    tiny = steady or (bool(moved) and float(np.median(moved)) < 1e-4)
    if fell < 0.01 and not tiny:
        return None
    code = "lr_too_low" if tiny else "undertrained"
    return Finding(code, "finding",
                   "steps are tiny and the loss hardly falls" if tiny else
                   "the loss was still falling when training ended",
                   {"fell": float(fell), "ratio": float(np.median(moved)) if moved else None},
                   Remedy("a higher rate" if tiny else "more epochs"), weight=1.2)  # fmt: skip


def vanishing(seen: Seen) -> Finding | None:
    """Early layers get no gradient."""
    if seen.last is None or not seen.poor_train or len(seen.last.gradients) < 4:
        return None
    for look in (seen.facts.first, seen.last):
        if look is None:
            continue
        named = [(n, g) for n, g in look.gradients.items() if n.endswith("weight")]
        if len(named) < 3 or not named[-1][1] > 0:
            continue
        ratio, first = named[0][1] / named[-1][1], named[0][1]
        if ratio < 1e-3 and first < 1e-4 and len(named) >= 4:
            return Finding("vanishing_gradient", "finding",
                           f"the first layer's gradient is {ratio:.1e} of the last one's",
                           {"step": look.step, "first": named[0], "last": named[-1]},
                           Remedy("ReLU, normalisation or residual connections"), weight=3)  # fmt: skip
    return None


def exploding(seen: Seen) -> Finding | None:
    """Gradients that leap."""
    norms = [v for _, v in seen.record.norms]
    if len(norms) < 10 or not seen.poor_train:
        return None
    finite = [v for v in norms if math.isfinite(v)]
    middle = float(np.median(finite)) if finite else math.nan
    leaps = sum(1 for v in norms if not v < 10 * middle)
    if leaps < 3:
        return None
    return Finding("exploding_gradient", "finding",
                   f"{leaps} of {len(norms)} gradients are over 10 times the middle one",
                   {"leaps": leaps, "median": middle, "largest": max(finite, default=math.nan)},
                   Remedy("clip gradients", {"clip": "norm"}), weight=2.5)  # fmt: skip


def dead(seen: Seen) -> Finding | None:
    """Units that never fire."""
    if seen.last is None or not seen.poor_train:
        return None
    worst = max((l for l in seen.last.layers if l.kind == "ReLU" and l.units >= 4),
                key=lambda l: l.silent, default=None)  # fmt: skip
    if worst is None or worst.silent <= 0.5:
        return None
    return Finding("dead_relu", "finding",
                   f"{worst.silent:.0%} of the units of {worst.name} never fire",
                   {"layer": worst.name, "silent": worst.silent, "units": worst.units},
                   Remedy("a lower rate, He initialisation, or LeakyReLU"),
                   weight=4 if worst.silent > 0.9 else 2)  # fmt: skip


def saturated(seen: Seen) -> Finding | None:
    """Units at the rails."""
    if seen.last is None or not seen.poor_train:
        return None
    inner = [l for l in seen.last.layers[:-1] if l.kind in ("Sigmoid", "Tanh")]
    worst = max(inner, key=lambda l: l.saturated, default=None)
    if worst is None or worst.saturated <= 0.5:
        return None
    return Finding("saturated_activation", "finding",
                   f"{worst.saturated:.0%} of the units of {worst.name} are at their rails",
                   {"layer": worst.name, "saturated": worst.saturated},
                   Remedy("normalise inputs, or smaller initial weights"), weight=3)  # fmt: skip


def too_plain(seen: Seen) -> Finding | None:
    """A function set that is too small."""
    facts = seen.facts
    if facts.nonlinear or seen.reference is None or not seen.poor_train:
        return None
    if seen.reference.neighbors - seen.reference.linear < seen.margin:
        return None
    code = "missing_nonlinearity" if facts.affine else "model_bias"
    return Finding(code, "certain" if facts.affine else "finding",
                   "nothing in the model is nonlinear, and nearest neighbours do much better",
                   {"affine": facts.affine, "neighbors": seen.reference.neighbors,
                    "score": seen.train_score},
                   Remedy("put ReLU between the layers"), weight=4)  # fmt: skip


def dropped(seen: Seen) -> Finding | None:
    """Dropout that leaves too little."""
    last = seen.last
    if last is None or seen.facts.dropouts <= 0.5 or not seen.poor_train:
        return None
    if not (last.train_loss > 2 * last.loss or seen.facts.dropouts >= 0.8):
        return None
    return Finding("dropout_misuse", "finding",
                   f"with dropout {seen.facts.dropouts:g} the loss of the same rows is "
                   f"{last.train_loss / max(last.loss, 1e-9):.1f} times that without",
                   {"dropout": seen.facts.dropouts, "train": last.train_loss, "eval": last.loss},
                   Remedy("a dropout of 0.2 to 0.5"), weight=3)  # fmt: skip


def few_in_batch(seen: Seen) -> Finding | None:
    """Batch normalisation over a handful of values."""
    last = seen.last
    if last is None or seen.facts.per_channel >= 8:
        return None
    ratio = last.train_loss / max(last.loss, 1e-9)
    if not (seen.harm or ratio > 2 or ratio < 0.5):
        return None
    return Finding("bn_small_batch", "finding",
                   f"batch normalisation gets {seen.facts.per_channel:g} values of a channel",
                   {"values": seen.facts.per_channel, "ratio": ratio},
                   Remedy("larger batches, or group normalisation"), weight=4)  # fmt: skip


def overfits(seen: Seen) -> Finding | None:
    """Training rows are learned by heart."""
    valid = [e.valid_loss for e in seen.record.epochs]
    if len(valid) < 4 or not np.isfinite(valid).all():
        return None
    rose = min(valid[-3:]) > 1.1 * min(valid)
    if not rose or not seen.train_score - seen.valid_score > 0.1:
        return None
    return Finding("overfitting", "finding",
                   f"the validation loss rose from {min(valid):.3g} to {valid[-1]:.3g} while "
                   "training rows are almost all right",
                   {"lowest": min(valid), "last": valid[-1], "train": seen.train_score,
                    "valid": seen.valid_score},
                   Remedy("stop early", {"stop": "early"}), weight=1.5)  # fmt: skip


def failed(seen: Seen) -> Finding | None:
    """Not optimised, for no reason that is seen."""
    if not seen.poor_train or not seen.record.losses:
        return None
    return Finding("optimisation_failure", "finding",
                   "training rows are learned worse than cheap learners do on new ones",
                   {"score": seen.train_score, "stuck": seen.stuck},
                   Remedy("experiments can tell why"), weight=0.5)  # fmt: skip


def starved(seen: Seen) -> Finding | None:
    """Waiting for rows."""
    record = seen.record
    if len(record.waiting) < 50:
        return None
    share = sum(record.waiting) / (sum(record.waiting) + sum(record.working))
    if share < 0.5:
        return None
    return Finding("data_loading_bound", "finding",
                   f"{share:.0%} of the time goes into waiting for the next batch",
                   {"share": share, "steps": len(record.waiting)},
                   Remedy("more workers, or rows kept in memory"), weight=2)  # fmt: skip


TRAINING = (initial_scale, rate_too_high, too_slow, vanishing, exploding, dead, saturated, too_plain,
            dropped, few_in_batch, overfits, failed, starved)  # fmt: skip
