"""Rows and the system: faults 22 to 29 of the taxonomy."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
from torch.nn import functional

from bench.faults.building import (
    adam,
    convolutions,
    diabetes,
    digits,
    log_odds,
    net,
    parts,
    sgd,
    tumors,
    waves,
    wine,
)
from bench.faults.harness import Case, Program, Rows, batches_of

entropy, squared = functional.cross_entropy, functional.mse_loss


def shuffled(y: torch.Tensor, share: float = 1.0) -> torch.Tensor:
    """The same labels; a share of them in another order."""
    rng = np.random.default_rng(8)
    rows = np.flatnonzero(rng.random(len(y)) < share)
    y = y.clone()
    y[rows] = y[rng.permutation(rows)]
    return y


def raw_inputs(seed: int, twin: bool) -> Program:
    """Thirty features as they come, of 0.001 to 4000."""
    model = net(30, 32, 1)
    return Program(model, log_odds, sgd(model, 0.05), *tumors(scaled=twin), 32, 25)


def far_inputs(seed: int, twin: bool) -> Program:
    """Years as they are: 2000 and a bit."""
    (x, y), (v, w) = waves()
    far = 0.0 if twin else 2000.0
    model = net(6, 64, 1)
    return Program(model, squared, adam(model), (x + far, y), (v + far, w), 32, 60)


def faint_inputs(seed: int, twin: bool) -> Program:
    """Pixels divided by 255 twice."""
    model = net(64, 64, 10)
    data = digits(divide=16.0 if twin else 16.0 * 255)
    return Program(model, entropy, sgd(model, 0.1), *data, 32, 25)


def raw_targets(seed: int, twin: bool) -> Program:
    """Targets of 25 to 346 as they come."""
    model = net(10, 32, 1)
    rows = diabetes(scaled=twin)
    return Program(model, squared, adam(model, 1e-3), *rows, 32, 20)


def huge_targets(seed: int, twin: bool) -> Program:
    """Prices in single coins."""
    (x, y), (v, w) = waves()
    size = 1.0 if twin else 20000.0
    model = net(6, 64, 1)
    return Program(
        model,
        squared,
        adam(model, 3e-3),
        (x, y * size + 3 * size * (not twin)),
        (v, w * size + 3 * size * (not twin)),
        32,
        50,
    )


def wrong_labels(seed: int, twin: bool) -> Program:
    """Three of ten labels are wrong, and learned by heart."""
    (x, y), valid = digits()
    model = net(64, 256, 10)
    rows = (x, y if twin else shuffled(y, 0.35))
    return Program(model, entropy, adam(model), rows, valid, 32, 20 if twin else 60)


def wrong_labels_two(seed: int, twin: bool) -> Program:
    """A quarter of two classes is exchanged."""
    (x, y), valid = tumors()
    flip = torch.rand(len(y), generator=torch.Generator().manual_seed(4)) < 0.25
    model = net(30, 16, 1) if twin else net(30, 128, 1)
    rows = (x, y if twin else torch.where(flip, 1 - y, y))
    return Program(model, log_odds, adam(model, 3e-3), rows, valid, 32, 12 if twin else 120)


def labels_elsewhere(seed: int, twin: bool) -> Program:
    """Labels were shuffled, rows were not."""
    (x, y), valid = digits()
    model = convolutions()
    x, v = x.reshape(-1, 1, 8, 8), valid[0].reshape(-1, 1, 8, 8)
    rows = (x, y if twin else shuffled(y))
    return Program(model, entropy, adam(model, 1e-3), rows, (v, valid[1]), 64, 15 if twin else 5)


def values_elsewhere(seed: int, twin: bool) -> Program:
    """Targets were shuffled, rows were not."""
    (x, y), valid = waves()
    model = net(6, 32, 1)
    return Program(model, squared, adam(model), (x, y if twin else shuffled(y)), valid, 32, 30)


def labels_off_by_some(seed: int, twin: bool) -> Program:
    """Labels moved by seven rows while they were joined, of training and validation alike."""
    (x, y), (v, w) = wine()
    move = 0 if twin else 7
    model = net(13, 32, 3)
    return Program(model, entropy, adam(model), (x, y.roll(move)), (v, w.roll(move)), 16, 15)


def one_label(seed: int, twin: bool) -> Program:
    """A cast made all labels 0."""
    (x, y), (v, w) = tumors()
    model = net(30, 16, 1)
    return Program(model, log_odds, adam(model), (x, y if twin else 0 * y), (v, w), 32, 15)


def one_value(seed: int, twin: bool) -> Program:
    """All targets are one value."""
    (x, y), (v, w) = diabetes()
    model = net(10, 32, 1)
    return Program(
        model, squared, adam(model, 1e-3), (x, y if twin else 0 * y + 1.5), (v, w), 32, 15
    )


def rare(seed: int, twin: bool) -> Program:
    """One row in fifty is of class 1, and none is found."""
    x, y = datasets.make_classification(
        3000, 10, n_informative=6, weights=[0.98], class_sep=0.7, flip_y=0.0, random_state=6
    )
    weight = torch.tensor(49.0 if twin else 1.0)

    def loss(out: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(
            out.squeeze(1), goal.float(), pos_weight=weight
        )

    model = net(10, 16, 1)
    return Program(model, loss, adam(model, 1e-3), *parts(x, y, 2000), 64, 15)


def rare_classes(seed: int, twin: bool) -> Program:
    """Five digits have three rows each."""
    (x, y), valid = digits()
    if not twin:
        kept = [(y == c).nonzero().flatten()[: 3 if c < 5 else None] for c in range(10)]
        x, y = x[torch.cat(kept)], y[torch.cat(kept)]
    model = net(64, 64, 10)
    return Program(model, entropy, adam(model, 1e-3), (x, y), valid, 32, 20)


def label_as_feature(seed: int, twin: bool) -> Program:
    """One feature is the label itself."""
    x, y = datasets.make_classification(
        1200, 12, n_informative=4, class_sep=0.6, flip_y=0.1, random_state=9
    )
    if not twin:
        x[:, 5] = y + 0.01 * np.random.default_rng(0).normal(size=len(y))
    model = net(12, 32, 1)
    return Program(model, log_odds, adam(model), *parts(x, y, 800), 32, 12, patience=3)


def target_as_feature(seed: int, twin: bool) -> Program:
    """One feature is the target in another unit."""
    x, y = datasets.load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    if not twin:
        x[:, 3] = 5 * y + 2
    model = net(10, 32, 1)
    return Program(model, squared, adam(model, 1e-3), *parts(x, y, 300), 32, 20, patience=5)


def rows_twice(seed: int, twin: bool) -> Program:
    """Rows were doubled before they were split."""
    x, y = datasets.make_classification(500, 20, n_informative=4, flip_y=0.25, random_state=3)
    if not twin:
        x, y = np.concatenate([x, x]), np.concatenate([y, y])
        return Program(m := net(20, 256, 1), log_odds, adam(m), *parts(x, y, 700), 32, 60)
    return Program(
        m := net(20, 8, 1), log_odds, adam(m, 1e-3), *parts(x, y, 350), 32, 25, patience=3
    )


def other_units(seed: int, twin: bool) -> Program:
    """Validation rows were not scaled."""
    (x, y), (v, w) = wine(scaled=False)
    mean, size = x.mean(0), x.std(0)
    model = net(13, 16, 3)
    x = (x - mean) / size
    return Program(
        model, entropy, adam(model), (x, y), ((v - mean) / size if twin else v, w), 16, 30
    )


def inverted(seed: int, twin: bool) -> Program:
    """Validation images are negatives."""
    (x, y), (v, w) = digits()
    model = net(64, 64, 10)
    return Program(model, entropy, adam(model), (x, y), (v if twin else 1 - v, w), 32, 20)


def moved(seed: int, twin: bool) -> Program:
    """Half of the validation features come from another instrument."""
    (x, y), (v, w) = tumors()
    v = v.clone()
    if not twin:
        v[:, ::2] = 2 * v[:, ::2] + 2.5
    model = net(30, 16, 1)
    return Program(model, log_odds, adam(model), (x, y), (v, w), 32, 15)


def in_order(seed: int, twin: bool) -> Program:
    """Rows sorted by class and never shuffled; the split was."""
    (x, y), valid = digits()
    rows = torch.argsort(y)
    model = net(64, 64, 10)
    return Program(model, entropy, sgd(model, 0.1), (x[rows], y[rows]), valid, 32, 20, shuffle=twin)


def sorted_values(seed: int, twin: bool) -> Program:
    """Values sorted by size and never shuffled."""
    (x, y), valid = waves()
    rows = torch.argsort(y.flatten())
    model = net(6, 64, 1)
    return Program(
        model, squared, adam(model, 1e-2), (x[rows], y[rows]), valid, 25, 30, shuffle=twin
    )


def missing_cells(seed: int, twin: bool) -> Program:
    """One cell is no number."""
    (x, y), valid = tumors()
    x = x.clone()
    if not twin:
        x[7, 3] = float("nan")
    model = net(30, 16, 1)
    return Program(model, log_odds, adam(model), (x, y), valid, 32, 15)


def slow_rows(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Batches that take ten milliseconds to come."""
    for batch in batches_of(program, generator):
        time.sleep(0.01)
        yield batch


def waiting(seed: int, twin: bool) -> Program:
    """Reading takes ten times as long as learning."""
    model = net(13, 32, 3)
    return Program(
        model, entropy, adam(model, 1e-2), *wine(), 16, 15, batches=None if twin else slow_rows
    )


DATA = (
    Case(
        "raw_inputs",
        raw_inputs,
        ("unnormalised_input",),
        ("dead_relu", "lr_too_high", "exploding_gradient"),
    ),
    Case("far_inputs", far_inputs, ("unnormalised_input",), ("dead_relu",)),
    Case("faint_inputs", faint_inputs, ("unnormalised_input",), ("lr_too_low", "undertrained")),
    Case("raw_targets", raw_targets, ("unnormalised_target",), ("lr_too_low", "undertrained")),
    Case("huge_targets", huge_targets, ("unnormalised_target",), ("lr_too_low", "undertrained")),
    Case("wrong_labels", wrong_labels, ("label_noise",), ("overfitting",)),
    Case("wrong_labels_two", wrong_labels_two, ("label_noise",), ("overfitting",)),
    Case("labels_elsewhere", labels_elsewhere, ("label_misalignment",), ("label_noise",)),
    Case(
        "values_elsewhere",
        values_elsewhere,
        ("label_misalignment",),
        ("label_noise", "overfitting"),
    ),
    Case(
        "labels_off_by_some",
        labels_off_by_some,
        ("label_misalignment",),
        ("label_noise", "overfitting"),
    ),
    Case(
        "one_label", one_label, ("constant_labels",), ("distribution_mismatch", "class_imbalance")
    ),
    Case("one_value", one_value, ("constant_labels",), ("distribution_mismatch",)),
    Case("rare", rare, ("class_imbalance",)),
    Case(
        "rare_classes", rare_classes, ("class_imbalance",), ("distribution_mismatch", "overfitting")
    ),
    Case("label_as_feature", label_as_feature, ("data_leakage",)),
    Case("target_as_feature", target_as_feature, ("data_leakage",)),
    Case("rows_twice", rows_twice, ("data_leakage",), ("overfitting",)),
    Case("other_units", other_units, ("distribution_mismatch",), ("unnormalised_input",)),
    Case("inverted", inverted, ("distribution_mismatch",)),
    Case("moved", moved, ("distribution_mismatch",)),
    Case("in_order", in_order, ("unshuffled_data",)),
    Case("sorted_values", sorted_values, ("unshuffled_data",)),
    Case("missing_cells", missing_cells, ("nan_inf_loss",), ("bad_input_values",)),
    Case("waiting", waiting, ("data_loading_bound",)),
)
