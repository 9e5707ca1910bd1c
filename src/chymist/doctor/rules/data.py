"""Rows: scale, labels, and how validation differs from training."""

from __future__ import annotations

import math

import numpy as np

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.row_facts import MOST
from chymist.doctor.rules.evidence import Seen


def constant_labels(seen: Seen) -> Finding | None:
    """There is nothing to learn, if the loss compares outputs with the targets."""
    if not seen.facts.data.constant:
        return None
    if seen.last is not None and seen.facts.loss.link == "unknown":
        return None  # the critic of a generator, say, that is to be told "real" every time
    return Finding(
        "constant_labels",
        "certain",
        "all targets of the training rows are equal",
        {"rows": seen.facts.data.rows},
        Remedy("see how labels are read"),
    )


def leakage(seen: Seen) -> Finding | None:
    """Validation rows that were trained on."""
    data, limits = seen.facts.data, seen.limits
    rows = 0 if seen.valid is None else len(seen.valid[0])
    few = data.shared * rows < limits.shared_rows or data.shared < limits.shared
    by_chance = data.repeated > limits.repeated or data.shared < limits.by_chance * data.expected
    words = seen.train is not None and not seen.train[0].is_floating_point()
    by_chance |= words and data.shared < 2 * data.repeated  # a few sentences come again and again
    if not few and data.shared <= 0.99 and not by_chance:  # all: a set used twice on purpose
        return Finding(
            "data_leakage",
            "finding",
            f"{data.shared:.0%} of the validation rows are training rows too",
            {"shared": data.shared},
            Remedy("remove them, or split by group"),
            weight=5,
        )
    near = 0.0 if seen.reference is None else seen.reference.near
    if near - data.shared > limits.near and data.shared < limits.shared:
        return Finding(
            "data_leakage",
            "finding",
            f"{near:.0%} of the validation rows are all but training rows",
            {"near": near},
            Remedy("split by group"),
            weight=5,
        )
    return None


def telling_feature(seen: Seen) -> Finding | None:
    """One feature is the target in disguise, and no other comes near.

    Places of a sequence or a picture are no features: that one of them decides may be the task.
    """
    data, limits = seen.facts.data, seen.limits
    rival = data.next_telling > limits.next_telling
    table = seen.train is not None and seen.train[0].ndim == 2
    if data.telling < limits.telling or rival or data.features < 3 or not table:
        return None
    return Finding(
        "data_leakage",
        "finding",
        f"feature {data.teller} alone says the target ({data.telling:.1%}); the next best "
        f"says {data.next_telling:.0%}",
        {"feature": data.teller, "telling": data.telling, "next": data.next_telling},
        Remedy("leave it out, unless it is known before the target is"),
        weight=5,
    )


def imbalance(seen: Seen) -> Finding | None:
    """Small classes that are never found."""
    data, epochs = seen.facts.data, seen.record.epochs
    if (
        data.classes < 2
        or data.entropy > seen.limits.entropy
        or not epochs
        or not epochs[-1].recalls
    ):
        return None
    recalls = list(epochs[-1].recalls.values())
    if min(recalls) >= seen.limits.recall * np.mean(recalls):
        return None
    return Finding(
        "class_imbalance",
        "finding",
        f"the classes differ much in size, and one is found in {min(recalls):.0%} only",
        {"entropy": data.entropy, "recalls": recalls},
        Remedy("weigh rows by class"),
        weight=4,
    )


def mismatch(seen: Seen) -> Finding | None:
    """Validation rows of another distribution."""
    data, limits = seen.facts.data, seen.limits
    rows = 0 if seen.valid is None else len(seen.valid[0])
    gap = seen.train_score - seen.valid_score
    if rows < 30 or math.isnan(seen.valid_score) or gap < limits.gap:
        return None
    moved = data.shift >= limits.shift or data.spread >= limits.spread
    if not moved and seen.apart < limits.apart:
        return None
    return Finding(
        "distribution_mismatch",
        "finding",
        f"half of the features differ by {data.shift:.1f} deviations or more between "
        "training and validation"
        if moved
        else f"a classifier tells training from validation rows ({seen.apart:.0%} right)",
        {"shift": data.shift, "spread": data.spread, "told": seen.apart},
        Remedy("prepare both by the statistics of the training rows"),
        weight=5,
    )


def unshuffled(seen: Seen) -> Finding | None:
    """Batches of one class after the other, or of values in order."""
    data, mixed, limits = seen.facts.data, seen.record.mixed, seen.limits
    if data.constant:
        return None
    rows = 0 if seen.valid is None else len(seen.valid[0])
    if len(mixed) >= 3:
        in_order = float(np.median(mixed)) < limits.mixed
    else:
        # Values in order give 1 - 6 / rows²; time series are far from it, so harm has to show.
        least = limits.ordered if seen.harm else limits.ordered_alone
        in_order = _repeats(seen) > limits.repeats and data.ordered > least
    if not in_order and (data.unseen < limits.unseen or data.unseen * rows < 5):
        return None
    return Finding(
        "unshuffled_data",
        "finding",
        "rows come sorted by target"
        if in_order
        else f"{data.unseen:.0%} of the validation rows are beyond what was trained on",
        {
            "mixed": float(np.median(mixed)) if mixed else None,
            "unseen": data.unseen,
            "ordered": data.ordered,
        },
        Remedy("shuffle before splitting and for every epoch"),
        weight=6,
    )


def _repeats(seen: Seen) -> float:
    """Correlation of the losses of the steps of two epochs: 0 where rows are shuffled."""
    ends = [e.step for e in seen.record.epochs]
    size = ends[0] if ends else 0
    if len(ends) < 3 or size < 5 or ends[-1] - ends[-2] != size:
        return 0.0
    last = np.array(seen.record.losses[ends[-2] : ends[-1]])
    before = np.array(seen.record.losses[ends[-3] : ends[-2]])
    if len(last) != len(before) or not (np.isfinite(last).all() and np.isfinite(before).all()):
        return 0.0
    if not last.std() > 0 < before.std():
        return 0.0
    same = float(np.corrcoef(last, before)[0, 1])
    return same if same > 3 / math.sqrt(size) else 0.0  # three standard errors of shuffled rows


def raw_inputs(seen: Seen) -> Finding | None:
    """Inputs far from 0 or of great size."""
    data = seen.facts.data
    if not seen.raw or not seen.harm:
        return None
    return Finding(
        "unnormalised_input",
        "finding",
        f"inputs have mean {data.mean:.3g}, deviation {data.deviation:.3g} and reach "
        f"{data.largest:.3g}",
        {"mean": data.mean, "deviation": data.deviation},
        Remedy("standardise"),
        weight=4.9,
    )


def raw_targets(seen: Seen) -> Finding | None:
    """Targets of great or tiny size."""
    deviation, limits = seen.facts.data.target_deviation, seen.limits
    if limits.target_small <= deviation <= limits.target_large or not seen.poor_train:
        return None
    return Finding(
        "unnormalised_target",
        "finding",
        f"targets have deviation {deviation:.3g}",
        {"deviation": deviation},
        Remedy("standardise the targets"),
        weight=4.6 if not limits.target_small <= deviation <= limits.target_alone else 1.5,
    )


def misaligned(seen: Seen) -> Finding | None:
    """Labels that have nothing to do with the inputs."""
    known, valid = seen.reference, seen.valid
    data = seen.facts.data
    if known is None or valid is None or data.rows < 100 or data.constant:
        return None
    if data.entropy < 0.5:  # where one class is rare, balanced accuracy at chance says nothing
        return None
    error = 1.5 / math.sqrt(len(valid[0]))  # three standard errors of an accuracy, at most
    best = np.nanmax([known.best, known.weighted])
    nothing = best - known.chance < error and not known.signal
    nothing &= not seen.valid_score > known.chance + error
    elsewhere = known.within > known.best + error and not seen.valid_score > known.best + error
    gap = seen.train_score - seen.valid_score
    if not nothing or not (seen.stuck or elsewhere or gap > seen.limits.gap):
        return None
    return Finding(
        "label_misalignment",
        "finding",
        "nothing that is learned from the training rows holds for others: neither the "
        "model nor cheap learners are better than a constant",
        {
            "neighbors": known.neighbors,
            "linear": known.linear,
            "chance": known.chance,
            "within validation": known.within,
        },
        Remedy("see that inputs and labels are shuffled together"),
        weight=4.8,
    )


def wrong_pairs(seen: Seen) -> Finding | None:
    """The loop feeds rows with targets that are not theirs in `train`."""
    pairs = seen.record.pairs
    found, other = sum(p.found for p in pairs), sum(p.other for p in pairs)
    if found < seen.limits.paired or seen.train is None:
        return None
    goal = seen.train[1][:MOST].reshape(len(seen.train[1][:MOST]), -1)
    counts = goal.unique(dim=0, return_counts=True)[1] / len(goal)
    usual = 1 - float(counts.square().sum())  # of two rows drawn at random
    if other < max(seen.limits.mispaired * usual * found, 1):  # fewer are fed on purpose, as noise
        return None
    exchanged = sum(p.exchanged for p in pairs)
    if exchanged < len(pairs) and not (seen.harm and any(p.scattered for p in pairs)):
        return None  # classes that the loop has renamed are still a function of the right ones
    return Finding(
        "label_misalignment",
        "certain" if exchanged == len(pairs) else "finding",
        f"{other} of {found} rows that the loop feeds have another target in `train`"
        + (", and each batch has the right targets in another order" if exchanged else ""),
        {"found": found, "other": other, "exchanged": exchanged, "steps": [p.step for p in pairs]},
        Remedy("index inputs and targets by the same order"),
        weight=6,
    )


def noise(seen: Seen) -> Finding | None:
    """Labels that contradict what their neighbours agree on."""
    known, limits = seen.reference, seen.limits
    if known is None or seen.facts.data.rows < 100 or not seen.facts.data.classes:
        return None
    # Validation labels are better than those of training; not where rows are their own neighbours.
    alone = seen.facts.data.shared < limits.shared
    worse = known.neighbors - known.own if alone else 0.0
    apart = abs(seen.train_score - seen.valid_score)
    contradicted = known.noisy >= limits.noisy and apart > limits.gap
    if seen.valid_score > known.neighbors + seen.margin:
        return None  # neighbours are bad judges where the model knows better
    if not contradicted and not worse > limits.own_worse + seen.margin - limits.poor:
        return None
    return Finding(
        "label_noise",
        "finding",
        f"{known.noisy:.0%} of the rows have another label than their neighbours agree "
        f"on; neighbours are right for {known.own:.0%} of the training rows and for "
        f"{known.neighbors:.0%} of the validation rows",
        {"share": known.noisy, "own": known.own, "valid": known.neighbors},
        Remedy("look at these rows; a robust loss or early stopping"),
        weight=3,
    )


DATA = (
    constant_labels,
    leakage,
    telling_feature,
    imbalance,
    mismatch,
    unshuffled,
    raw_inputs,
    raw_targets,
    misaligned,
    wrong_pairs,
    noise,
)
