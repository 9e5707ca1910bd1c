"""Rows: scale, labels, and how validation differs from training."""

from __future__ import annotations

import math

import numpy as np

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.rules.evidence import Seen


def constant_labels(seen: Seen) -> Finding | None:
    """There is nothing to learn."""
    if not seen.facts.data.constant:
        return None
    return Finding("constant_labels", "certain", "all targets of the training rows are equal",
                   {"rows": seen.facts.data.rows}, Remedy("see how labels are read"))  # fmt: skip


def leakage(seen: Seen) -> Finding | None:
    """Validation rows that were trained on."""
    data = seen.facts.data
    rows = 0 if seen.valid is None else len(seen.valid[0])
    few = data.shared * rows < 3 or data.shared < 0.02
    if few or data.shared > 0.99 or data.repeated > data.shared / 2:
        return None  # a set used twice on purpose; rows of few values repeat by themselves
    return Finding("data_leakage", "finding",
                   f"{data.shared:.0%} of the validation rows are training rows too",
                   {"shared": data.shared}, Remedy("remove them, or split by group"), weight=5)  # fmt: skip


def imbalance(seen: Seen) -> Finding | None:
    """Small classes that are never found."""
    data, epochs = seen.facts.data, seen.record.epochs
    if data.classes < 2 or data.entropy > 0.85 or not epochs or not epochs[-1].recalls:
        return None
    recalls = list(epochs[-1].recalls.values())
    if min(recalls) >= 0.5 * np.mean(recalls):
        return None
    return Finding("class_imbalance", "finding",
                   f"the classes differ much in size, and one is found in {min(recalls):.0%} only",
                   {"entropy": data.entropy, "recalls": recalls},
                   Remedy("weigh rows by class", {"data.weights": "balanced"}), weight=4)  # fmt: skip


def mismatch(seen: Seen) -> Finding | None:
    """Validation rows of another distribution."""
    data = seen.facts.data
    rows = 0 if seen.valid is None else len(seen.valid[0])
    if rows < 30 or data.shift < 1 or math.isnan(seen.valid_score):
        return None
    if seen.train_score - seen.valid_score < 0.1:
        return None
    return Finding("distribution_mismatch", "finding",
                   f"half of the features differ by {data.shift:.1f} deviations or more between "
                   "training and validation", {"shift": data.shift, "spread": data.spread},
                   Remedy("prepare both by the statistics of the training rows"), weight=5)  # fmt: skip


def unshuffled(seen: Seen) -> Finding | None:
    """Batches of one class after the other."""
    data, mixed = seen.facts.data, seen.record.mixed
    sorted_ = len(mixed) >= 3 and float(np.median(mixed)) < 0.5
    if not sorted_ and data.unseen < 0.05:
        return None
    return Finding("unshuffled_data", "finding",
                   "rows come sorted by class" if sorted_ else
                   f"{data.unseen:.0%} of the validation rows are of classes never trained on",
                   {"mixed": float(np.median(mixed)) if mixed else None, "unseen": data.unseen},
                   Remedy("shuffle before splitting and for every epoch"), weight=6)  # fmt: skip


def raw_inputs(seen: Seen) -> Finding | None:
    """Inputs far from 0 or of great size."""
    data = seen.facts.data
    normed = seen.facts.first is not None and "Norm" in seen.facts.first.layers[0].kind
    off = data.off_center > 10 or data.largest > 30 or 0 < data.deviation < 1e-2
    if not off or normed or not seen.harm:
        return None
    return Finding("unnormalised_input", "finding",
                   f"inputs have mean {data.mean:.3g}, deviation {data.deviation:.3g} and reach "
                   f"{data.largest:.3g}", {"mean": data.mean, "deviation": data.deviation},
                   Remedy("standardise", {"data.scale": "standard"}), weight=4)  # fmt: skip


def raw_targets(seen: Seen) -> Finding | None:
    """Targets of great or tiny size."""
    deviation = seen.facts.data.target_deviation
    if 1e-2 <= deviation <= 30 or not seen.poor_train:
        return None
    return Finding("unnormalised_target", "finding", f"targets have deviation {deviation:.3g}",
                   {"deviation": deviation}, Remedy("standardise the targets"), weight=1.5)  # fmt: skip


def misaligned(seen: Seen) -> Finding | None:
    """Labels that have nothing to do with the inputs."""
    if not seen.stuck or seen.reference is None or seen.facts.data.rows < 100:
        return None
    found = seen.reference.best - seen.reference.chance
    if found > 3 / math.sqrt(len(seen.valid[0]) if seen.valid else 1):
        return None
    return Finding("label_misalignment", "finding",
                   "the training loss is that of a constant, and nearest neighbours do no better",
                   {"neighbors": seen.reference.neighbors, "chance": seen.reference.chance},
                   Remedy("see that inputs and labels are shuffled together"), weight=4)  # fmt: skip


def noise(seen: Seen) -> Finding | None:
    """Labels that contradict all neighbours."""
    if seen.reference is None or seen.facts.data.rows < 100:
        return None
    if seen.reference.noisy < 0.08 or not seen.train_score - seen.valid_score > 0.1:
        return None
    return Finding("label_noise", "finding",
                   f"{seen.reference.noisy:.0%} of the rows have another label than all their "
                   "neighbours agree on", {"share": seen.reference.noisy},
                   Remedy("look at these rows; a robust loss or early stopping"), weight=3)  # fmt: skip


DATA = (constant_labels, leakage, imbalance, mismatch, unshuffled, raw_inputs, raw_targets,
        misaligned, noise)  # fmt: skip
