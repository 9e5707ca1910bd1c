"""Optimisation: a symptom, and harm."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from chymist.doctor.finding import Finding, Remedy, ranked
from chymist.doctor.rules.evidence import Seen

ALARMS = 3
SYMPTOMS = ("nan_inf_loss", "dead_output")  # they may be certain, but are no cause
# What seems to be where a penalty keeps weights small; of a bound the others as well.
SMALL = ("exploding_gradient", "lr_too_high", "dead_relu")
FLAT = ("Step", "Sign")
CONSEQUENCES = (
    "lr_too_high", "lr_too_low", "undertrained", "vanishing_gradient", "exploding_gradient",
    "dead_relu", "saturated_activation", "optimisation_failure", "model_bias",
)  # fmt: skip


def initial_scale(seen: Seen) -> Finding | None:
    """A loss at the start far above that of knowing nothing, or signals that die out."""
    first, floor = seen.facts.first, seen.facts.floor
    if first is None or not seen.facts.data.classes or not floor > 0:
        return None
    # Rare classes make the constant's loss small; equal scores for all are no fault at the start.
    floor = max(
        floor, math.log(seen.facts.data.classes) * floor / max(seen.facts.data.chance, 1e-9)
    )
    times = min(first.loss, first.train_loss) / floor  # batch norm works in train() mode only
    inner = [
        layer.deviation for layer in first.layers if layer.kind in ("Linear", "Conv1d", "Conv2d")
    ]
    faint = len(inner) > 2 and inner[-1] < seen.limits.faint_signal * inner[0] and seen.poor_train
    limits = seen.limits
    loud = times > limits.loss_start_alone or (times > limits.loss_start and seen.harm)
    if not (loud or faint):
        return None
    if seen.facts.loss.link not in ("softmax", "sigmoid") and not faint:
        return None
    return Finding(
        "init_scale",
        "finding",
        "signals die out on their way through the layers"
        if faint
        else f"the loss starts at {times:.0f} times that of knowing nothing",
        {"loss": first.loss, "chance": floor, "deviations": inner[:20]},
        Remedy("initialise by He or Xavier"),
        weight=2 if seen.raw else 2.9 if faint else 5,
    )


def leapt(seen: Seen) -> bool:
    """Whether the loss doubled in the first steps (taxonomy 7)."""
    losses = seen.record.losses
    early = [v for v in losses[: max(20, len(losses) // 20)] if math.isfinite(v)]
    moved = [r for _, r in seen.record.ratios[:20]]
    if not early or losses[0] <= 0:  # a loss that may be negative has no double
        return False
    if moved and float(np.median(moved)) < seen.limits.tiny:
        return False  # steps that hardly move anything do not make a loss leap: batches do
    return max(early) > seen.limits.leap * max(losses[0], seen.facts.floor * 0.5)


def strode(seen: Seen) -> bool:
    """Whether early steps changed the weights by more than a tenth (taxonomy 7)."""
    moved = [r for _, r in seen.record.ratios[:20]]
    large = float(np.median(moved)) > seen.limits.stride if moved else False
    return len(moved) >= 3 and (large or max(moved[:3]) > seen.limits.first_stride)


def fell_late(seen: Seen) -> float:
    """Share by which both losses fell in the last fifth of the epochs, the smaller of the two."""
    epochs = seen.record.epochs
    if len(epochs) < 2:
        return 0.0
    last, before = epochs[-1], epochs[-1 - max(1, len(epochs) // 5)]
    if not min(last.train_loss, last.valid_loss, before.train_loss, before.valid_loss) > 0:
        return 0.0  # of a loss that may be negative no share can be taken
    falls = 1 - last.train_loss / before.train_loss, 1 - last.valid_loss / before.valid_loss
    return min(falls) if all(math.isfinite(f) for f in falls) else 0.0


def _died(seen: Seen) -> bool:
    """Whether most units of a layer fired at the start and never do now."""
    first, last, most = seen.facts.first, seen.last, seen.limits.silent
    if first is None or last is None:
        return False
    silent = {layer.name: layer.silent for layer in first.layers if layer.kind == "ReLU"}
    return any(la.silent > most > silent.get(la.name, 1.0) for la in last.layers)


def rate_too_high(seen: Seen) -> Finding | None:
    """Steps so large that the loss rises, or that nothing is left to learn with."""
    record = seen.record
    if len(record.losses) < 10 or not (seen.poor_train or seen.stuck):
        return None
    blew = record.bad_step is not None and not record.bad_inputs and seen.facts.data.finite
    facts = seen.facts
    if facts.loss.scales and not facts.nonlinear and facts.depth <= 1 and not blew:
        return None  # weights of a perceptron scale with the rate, and classes do not change
    if not (leapt(seen) or strode(seen) or blew):
        return None
    finite = [v for v in record.losses if math.isfinite(v)]
    moved = [r for _, r in record.ratios[:20]]
    return Finding(
        "lr_too_high",
        "finding",
        "the loss leaps in the first steps"
        if leapt(seen)
        else "a step changes the weights by more than a tenth"
        if strode(seen)
        else "the loss runs away",
        {
            "start": record.losses[0],
            "highest": max(finite, default=math.nan),
            "ratio": float(np.median(moved)) if moved else None,
        },
        Remedy("a tenth of the rate"),
        weight=4.5 if (leapt(seen) and strode(seen)) or _died(seen) else 2.8,
    )


def too_slow(seen: Seen) -> Finding | None:
    """Still falling when it ended."""
    losses = np.array(seen.record.losses)
    if len(losses) < 10 or not np.isfinite(losses).all():
        return None
    # A fifth of the loss gone in the last fifth of the epochs, of new rows too, is no tail.
    # Where scores are not known there may be no harm.
    steep = fell_late(seen) > seen.limits.steep and seen.valid_score <= 0.9
    if not seen.poor_train and not steep:
        return None
    fifth = len(losses) // 5
    last, before = losses[-fifth:].mean(), losses[-2 * fifth : -fifth].mean()
    fell = (before - last) / max(losses[:fifth].mean(), 1e-12)
    moved = [r for _, r in seen.record.ratios]
    means = [part.mean() for part in np.array_split(losses, 5)]
    steady = all(b < a for a, b in pairwise(means)) and means[-1] > 0.9 * means[0]
    ratio = float(np.median(moved)) if moved else 0.0
    # Healthy steps change weights by about a thousandth; a tenth of that is slow whatever falls.
    tiny = ratio < seen.limits.tiny or (steady and ratio < seen.limits.tiny_steady)
    if fell < seen.limits.fell and not tiny and not steep:
        return None
    if (tiny or not steep) and rate_too_high(seen) is not None:
        return None  # weights that have run away are what keeps the loss up
    code = "lr_too_low" if tiny else "undertrained"
    return Finding(
        code,
        "finding",
        "steps are tiny and the loss hardly falls"
        if tiny
        else "the loss was still falling when training ended",
        {
            "fell": float(fell),
            "of all": fell_late(seen),
            "ratio": float(np.median(moved)) if moved else None,
        },
        Remedy("a higher rate" if tiny else "more epochs"),
        weight=1.2,
    )


def vanishing(seen: Seen) -> Finding | None:
    """Early layers get no gradient."""
    if seen.last is None or not seen.poor_train or len(seen.last.gradients) < 4:
        return None
    flat = [layer for layer in seen.last.layers if layer.kind in FLAT]
    if flat and next(iter(seen.last.gradients.values())) == 0:
        return Finding(
            "vanishing_gradient",
            "finding",
            f"no gradient passes layer {flat[-1].name}: the slope of {flat[-1].kind.lower()} is 0, "
            "and only what comes after it learns",
            {"layers": [layer.name for layer in flat]},
            Remedy("ReLU between the layers"),
            weight=4,
        )
    for look in (seen.facts.first, seen.last):
        if look is None:
            continue
        named = [(n, g) for n, g in look.gradients.items() if n.endswith("weight")]
        if len(named) < 3 or not named[-1][1] > 0:
            continue
        ratio, first = named[0][1] / named[-1][1], named[0][1]
        limits = seen.limits
        weak = ratio < limits.gradient_ratio and first < limits.gradient_first
        if weak and len(named) >= 4:
            return Finding(
                "vanishing_gradient",
                "finding",
                f"the first layer's gradient is {ratio:.1e} of the last one's",
                {"step": look.step, "first": named[0], "last": named[-1]},
                Remedy("ReLU, normalisation or residual connections"),
                weight=3,
            )
    return None


def exploding(seen: Seen) -> Finding | None:
    """Gradients that leap."""
    norms = [v for _, v in seen.record.norms]
    if len(norms) < 10 or not seen.poor_train:
        return None
    finite = [v for v in norms if math.isfinite(v)]
    middle = float(np.median(finite)) if finite else math.nan
    leaps = sum(1 for v in norms if not v < seen.limits.leap_norm * middle)
    if leaps < seen.limits.leaps:
        return _loud(seen)
    return Finding(
        "exploding_gradient",
        "finding",
        f"{leaps} of {len(norms)} gradients are over 10 times the middle one",
        {"leaps": leaps, "median": middle, "largest": max(finite, default=math.nan)},
        Remedy("clip gradients, and a lower rate"),
        # Adaptive optimisers take steps of their rate's size, whatever the gradient's.
        weight=5 if _recurrent(seen) and not (seen.facts.adaptive and strode(seen)) else 2.5,
    )


def _loud(seen: Seen) -> Finding | None:
    """Signals that have grown on their way through the steps of a recurrent layer."""
    first, data = seen.facts.first, seen.facts.data
    if first is None or data.classes or not _recurrent(seen) or seen.facts.loss.link != "identity":
        return None
    times = float(first.outputs.float().std()) / max(data.target_deviation, 1e-12)
    if not times > seen.limits.leap_norm:
        return None
    return Finding(
        "exploding_gradient",
        "finding",
        f"outputs start {times:.0f} times as large as the targets: signals and gradients grow with "
        "each step of the recurrent layer",
        {"times": times},
        Remedy("clip gradients", {"clip": "norm"}),
        weight=4,
    )


def _recurrent(seen: Seen) -> bool:
    """Whether a layer is applied step after step: there gradients grow without any other fault."""
    first = seen.facts.first
    return first is not None and any(layer.kind in ("RNN", "LSTM", "GRU") for layer in first.layers)


def dead(seen: Seen) -> Finding | None:
    """Units that never fire."""
    if seen.last is None:
        return None
    worst = max(
        (layer for layer in seen.last.layers if layer.kind == "ReLU" and layer.units >= 4),
        key=lambda layer: layer.silent,
        default=None,
    )
    # Nearly all units of a layer silent is no sparsity: it is harm where not all rows are right.
    lost = worst is not None and worst.silent > seen.limits.nearly_all and seen.valid_score < 0.9
    if worst is None or worst.silent <= seen.limits.silent or not (seen.poor_train or lost):
        return None
    first = seen.facts.first
    at_start = first is not None and any(
        layer.name == worst.name and layer.silent > seen.limits.silent for layer in first.layers
    )
    return Finding(
        "dead_relu",
        "finding",
        f"{worst.silent:.0%} of the units of layer {worst.name} never fire",
        {
            "layer": worst.name,
            "silent": worst.silent,
            "units": worst.units,
            "at the start": at_start,
        },
        Remedy("a lower rate, He initialisation, or LeakyReLU"),
        weight=2 if seen.facts.depth >= seen.limits.deep or worst.silent <= 0.9 else 4,
    )


def saturated(seen: Seen) -> Finding | None:
    """Units at the rails."""
    if seen.last is None or not seen.poor_train:
        return None
    inner = [layer for layer in seen.last.layers[:-1] if layer.kind in ("Sigmoid", "Tanh")]
    worst = max(inner, key=lambda layer: layer.saturated, default=None)
    if worst is None or worst.saturated <= seen.limits.saturated:
        return None
    return Finding(
        "saturated_activation",
        "finding",
        f"{worst.saturated:.0%} of the units of layer {worst.name} are at their rails",
        {"layer": worst.name, "saturated": worst.saturated},
        Remedy("normalise inputs, or smaller initial weights"),
        weight=3,
    )


def failed(seen: Seen) -> Finding | None:
    """Not optimised, for no reason that is seen."""
    if not seen.poor_train or not seen.record.losses:
        return None
    return Finding(
        "optimisation_failure",
        "finding",
        "training rows are learned worse than cheap learners do on new ones",
        {"score": seen.train_score, "stuck": seen.stuck},
        Remedy("residual connections, normalisation, or fewer layers; experiments can tell"),
        weight=2.7 if seen.facts.depth >= seen.limits.deep else 0.5,
    )


def explained(findings: list[Finding], deep: bool) -> list[Finding]:
    """What is left to say where a cause is known: its consequences are observations.

    Args:
        findings: of all rules.
        deep: whether the depth alone is a reason to expect that optimisation fails.

    Returns:
        Beside a cause that is certain, symptoms of training are no alarm: they may go with it. That
        optimisation failed is said where nothing else is, or where the model is deep. Beside
        weights that a penalty keeps small, every gradient and step looks large. Of findings the
        first three are alarms: who has mended these sees what is left.

    Example:
        >>> from chymist.doctor.finding import Finding
        >>> wrong = Finding("double_softmax", "certain", "")
        >>> slow = Finding("lr_too_low", "finding", "")
        >>> [f.level for f in explained([wrong, slow], False)]
        ['certain', 'observation']
    """
    sure = any(f.level == "certain" and f.code not in SYMPTOMS for f in findings)
    alarms = [f.code for f in findings if f.level != "observation"]
    most = {id(f) for f in ranked(findings)[:ALARMS]}
    small = next((f for f in findings if f.code == "over_regularised"), None)
    seeming = () if small is None else SMALL if "held" in small.evidence else SMALL[:1]
    kept = []
    for finding in findings:
        general = finding.code == "optimisation_failure" and len(alarms) > 1 and not deep
        follows = sure and finding.level == "finding" and finding.code in CONSEQUENCES
        beyond = finding.level == "finding" and id(finding) not in most
        seems = finding.code in seeming and small is not None and finding.weight < small.weight
        less = general or follows or beyond or (seems and finding.level == "finding")
        kept.append(replace(finding, level="observation") if less else finding)
    return kept


def starved(seen: Seen) -> Finding | None:
    """Waiting for rows."""
    record = seen.record
    if len(record.waiting) < 50:
        return None
    share = sum(record.waiting) / (sum(record.waiting) + sum(record.working))
    if share < seen.limits.waiting:
        return None
    return Finding(
        "data_loading_bound",
        "finding",
        f"{share:.0%} of the time goes into waiting for the next batch",
        {"share": share, "steps": len(record.waiting)},
        Remedy("more workers, or rows kept in memory"),
        weight=2,
    )


TRAINING = (
    initial_scale,
    rate_too_high,
    too_slow,
    vanishing,
    exploding,
    dead,
    saturated,
    failed,
    starved,
)
