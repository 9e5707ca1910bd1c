"""Runs that were never trained, for the tests of the reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from chymist.evidence import score
from chymist.metrics import all_metrics
from chymist.values import Column, Data, Floor, Predictions, Recipe, Run, Split

HOSTILE = (
    "<script>alert(1)</script>", "\u202egnp.exe", "a\x1b[31mred\x00", "]]>&amp;\"'",
    "</title></svg></style>", "x" * 5000,
)  # fmt: skip


def history(
    epochs: int, per_epoch: int, metric: str = "accuracy", valid: bool = True
) -> dict[str, np.ndarray]:
    """Plausible series: a falling noisy loss, a warm-up and a decay of the rate."""
    steps = np.arange(1.0, epochs * per_epoch + 1)
    noise = np.random.default_rng(0)
    loss = 2.3 * np.exp(-steps / len(steps) * 4) + 0.05 + 0.1 * noise.random(len(steps))
    rate = 1e-3 * np.sin(np.pi * np.minimum(steps / len(steps) + 0.02, 1)) ** 2
    ends = steps[per_epoch - 1 :: per_epoch]
    smooth = loss.reshape(epochs, per_epoch).mean(1)
    made = {"loss": loss, "rate": rate}
    found = {name: np.stack([steps, values], 1) for name, values in made.items()}
    found["train_loss"] = np.stack([ends, smooth], 1)
    if valid:
        worse = smooth * 1.1 + 0.02 * np.maximum(np.arange(epochs) - epochs * 0.6, 0)
        found["val_loss"] = np.stack([ends, worse], 1)
        value = 1 - worse / 3 if metric == "accuracy" else 90 * np.sqrt(worse)
        found[f"val_{metric}"] = np.stack([ends, value], 1)
    return found


def make_run(data: Data, model: nn.Module, outputs: np.ndarray, **changes: Any) -> Run:
    """A run on data with given outputs for all rows; validation rows are every fifth."""
    rows = np.arange(len(data))
    valid, test = rows[::5], rows[1::5]
    train = np.setdiff1d(rows, np.concatenate([valid, test]))
    metric = "accuracy" if data.classes else "rmse"
    found = Predictions(valid, data.targets[valid], outputs[valid])
    blind = np.zeros_like(outputs[valid])
    if data.classes:
        blind[:, 0] = 1.0
    else:
        blind += data.targets[train].mean(0)
    trivial = "majority class" if data.classes else "mean"
    floors = (Floor(trivial, score(replace(found, outputs=blind), metric, "valid")),)
    facts = {
        "epochs": 12.0, "steps": 276, "steps_per_epoch": 23, "best_epoch": 9.0, "seconds": 14.3,
        "samples_per_second": 20310.5, "waiting_for_data": 0.0123,
        "parameters": sum(p.numel() for p in model.parameters()), "threads": 2,
        "versions": {"python": "3.11.2", "torch": "2.13.0", "numpy": "2.3.1"}, "filled": {},
    }  # fmt: skip
    recipe = Recipe(
        model="mlp", loss="cross_entropy" if data.classes else "mse", optimizer="adam",
        batch_size=64, length="12 epochs", schedule="one_cycle",
    )  # fmt: skip
    run = Run(
        Path("runs/digits-0007"), recipe, Split(data, train, valid, test), 0, model, None,
        score(found, metric, "valid", "val_loss"), floors,
        f"mlp is better than the strongest floor, {trivial}, by 88.1 points [84.4, 91.0] "
        f"({len(valid)} validation rows, paired).",
        all_metrics(found), found, history(12, 23, metric), facts,
    )  # fmt: skip
    return replace(run, **changes)


def probabilities(targets: np.ndarray, classes: int, sure: float = 4.0) -> np.ndarray:
    """Class probabilities that are mostly right."""
    noise = np.random.default_rng(1).normal(size=(len(targets), classes)) * 1.2
    noise[np.arange(len(targets)), targets] += sure
    powers = np.exp(noise)
    return np.asarray(powers / powers.sum(1, keepdims=True))


def digits_run(**changes: Any) -> Run:
    """Images of 8 x 8 pixels in ten classes."""
    from sklearn.datasets import load_digits

    images, targets = load_digits(return_X_y=True)
    data = Data(
        "digits", "image", "classification", images.reshape(-1, 8, 8, 1).astype(np.float32),
        targets.astype(np.int64), tuple("0123456789"), fingerprint="3f9c12" * 8,
        notes=("embedded with scikit-learn: 1,797 images of 8 x 8 pixels",),
    )  # fmt: skip
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return make_run(data, model, probabilities(data.targets, 10), **changes)


def table_data(names: tuple[str, ...] = ("age", "job"), rows: int = 500) -> Data:
    """A table of a number, a category and a text, with two classes."""
    draw = np.random.default_rng(2)
    job = np.empty(rows, object)
    job[:] = [("clerk", "smith", None)[i] for i in draw.integers(0, 3, rows)]
    words = np.empty(rows, object)
    words[:] = [f"{names[0]} remark {i}" for i in range(rows)]
    age = np.round(draw.normal(40, 12, rows), 1)
    age[::50] = np.nan
    return Data(
        "adult", "table", "classification", {names[0]: age, names[1]: job, "remark": words},
        (draw.random(rows) < 0.25).astype(np.int64), ("<=50K", ">50K"),
        (
            Column(names[0], "number", 10, 310), Column(names[1], "category", 160, 2),
            Column("remark", "text", 0, rows, "not used: mostly different texts"),
        ),
        "income", None, "ab12" * 16, {}, ("read as UTF-8, comma", "2 empty lines skipped"),
    )  # fmt: skip


def table_run(names: tuple[str, ...] = ("age", "job"), **changes: Any) -> Run:
    """Two classes, a table, and a linear model."""
    data = table_data(names)
    made = make_run(data, nn.Linear(3, 1), probabilities(data.targets, 2, 1.2))
    facts = {**made.facts, "filled": {names[0]: 7}}
    return replace(made, facts=facts, **changes)


def regression_run(rows: int = 442, **changes: Any) -> Run:
    """A number as target, from an array of ten features."""
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(rows, 10))
    targets = 150 + 40 * inputs[:, 0] + 30 * draw.normal(size=rows)
    columns = tuple(Column(f"s{i}", "number") for i in range(10))
    data = Data("diabetes", "array", "regression", inputs, targets, (), columns, "progression",
                fingerprint="cafe" * 16)  # fmt: skip
    return make_run(data, nn.Linear(10, 1), 150 + 38 * inputs[:, 0], **changes)


def many_classes_run(classes: tuple[str, ...] | None = None, **changes: Any) -> Run:
    """Thirty classes of very different size, no pictures."""
    names = classes or tuple(f"species {i:02d}" for i in range(30))
    draw = np.random.default_rng(4)
    weights = np.linspace(3, 0.2, len(names))
    targets = draw.choice(len(names), 3000, p=weights / weights.sum())
    data = Data("plants", "array", "classification", draw.normal(size=(3000, 6)), targets,
                names, (), "species", fingerprint="0123" * 16)  # fmt: skip
    return make_run(data, nn.Linear(6, len(names)), probabilities(targets, len(names)), **changes)


def hostile_run() -> Run:
    """Every name that a file can bring tries to break out."""
    made = many_classes_run(HOSTILE)
    data = table_data((HOSTILE[0], HOSTILE[1]))
    job = data.inputs[HOSTILE[1]]
    job[:] = HOSTILE[4]
    targets = np.arange(500) % len(HOSTILE)
    data = replace(data, classes=HOSTILE, targets=targets, name=HOSTILE[0], target=HOSTILE[4],
                   notes=HOSTILE)  # fmt: skip
    made = make_run(data, nn.Linear(3, len(HOSTILE)), probabilities(targets, len(HOSTILE)))
    floors = tuple(Floor(name, made.score) for name in HOSTILE)
    return replace(made, floors=floors, verdict=HOSTILE[0] + HOSTILE[3], path=Path(HOSTILE[2]))


def one_epoch_run() -> Run:
    """A single epoch of a single step, without a best epoch."""
    made = digits_run()
    facts = {**made.facts, "epochs": 1.0, "steps": 1, "steps_per_epoch": 1, "best_epoch": None}
    return replace(made, facts=facts, history=history(1, 1))


def unvalidated_run() -> Run:
    """No validation and no test rows: the score is on the training rows."""
    made = regression_run()
    rows = np.arange(len(made.data))
    none = np.zeros(0, np.int64)
    found = Predictions(rows, made.data.targets, made.data.targets + 1.5)
    return replace(
        made, split=Split(made.data, rows, none, none), predictions=found,
        score=score(found, "rmse", "train"), floors=(),
        history=history(12, 23, "rmse", valid=False),
    )  # fmt: skip


def broken_run() -> Run:
    """NaN, infinities and the largest numbers in the record."""
    series = history(12, 23)
    series["loss"][100:104, 1] = np.nan
    series["loss"][150, 1] = 1e308
    series["val_loss"][5, 1] = np.inf
    series["val_accuracy"][:, 1] = np.nan
    return digits_run(history=series)


RUNS = {
    "digits": digits_run, "table": table_run, "regression": regression_run,
    "many": many_classes_run, "hostile": hostile_run, "one_epoch": one_epoch_run,
    "unvalidated": unvalidated_run, "broken": broken_run,
}  # fmt: skip
