"""Run folders that nobody trained: the files of `fit` with made-up numbers, many in a moment."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chymist.engine.store import Recorder

WHEN = 1_700_000_000.0  # of the first run; each further one a minute later
RECIPE = """batch_size = 64
length = "30 epochs"
precision = "float32"
accumulate = 1

[model]
name = "{model}"

[loss]
name = "cross_entropy"

[optimizer]
name = "adam"
lr = {lr}

[schedule]
name = "constant"

[stop]
name = "none"

[clip]
name = "none"

[data]
name = "prepare"
"""
CLASSES = ("setosa", "versicolor", "virginica")
COLUMNS = ("sepal length", "sepal width", "petal length", "petal width")
DISTINCT = 10  # records; the others are copies of them
MODELS = ("softmax", "mlp", "resnet50", "cnn")


def make_runs(
    parent: Path, count: int, series: int = 10, points: int = 30, seeds: int = 4,
    names: Sequence[str] = (), value: Callable[[int, int], float] | None = None,
) -> list[Path]:  # fmt: skip
    """Folders of finished runs in a folder, the older ones first.

    Args:
        parent: where they are made.
        count: of runs.
        series: recorded in each, validation loss and training loss among them.
        points: of each series.
        seeds: runs that share a recipe.
        names: of further series.
        value: accuracy of (recipe, seed); None is made up.
    """
    made: list[Path] = []
    for n in range(count):
        copied = made[n % DISTINCT] if n >= DISTINCT else None
        made.append(make_run(parent / f"iris-{n + 1:05d}", n, n // seeds, n % seeds, series,
                             points, names, value, record=copied))  # fmt: skip
    return made


def make_run(
    folder: Path, number: int = 0, recipe: int = 0, seed: int = 0, series: int = 10,
    points: int = 30, names: Sequence[str] = (),
    value: Callable[[int, int], float] | None = None, status: str = "finished",
    record: Path | None = None,
) -> Path:  # fmt: skip
    """One folder; arguments as in `make_runs`. Without a status it has no result.

    Args:
        record: a run whose series it has too.
    """
    draw = np.random.default_rng([number, recipe, seed])
    accuracy = 0.8 + 0.15 * draw.random() if value is None else value(recipe, seed)
    lr = round(1e-4 * (recipe + 1), 6)
    folder.mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / "recipe.toml").write_text(RECIPE.format(model=MODELS[recipe % 4], lr=lr))
    for name, content in _files(number, seed, accuracy, points, status).items():
        (folder / name).write_text(json.dumps(content, indent=1))
    if record is None:
        _record(folder / "records.sqlite", draw, series, points, names)
    else:
        shutil.copyfile(record / "records.sqlite", folder / "records.sqlite")
    when = WHEN + 60 * number
    os.utime(folder / "environment.json", (when, when))
    return folder


def _files(number: int, seed: int, accuracy: float, points: int, status: str) -> Mapping[str, Any]:
    versions = {"python": "3.11.7", "chymist": "0.1.0", "torch": "2.13.0+cpu"}
    files: dict[str, Any] = {
        "data.json": _data(),
        "split.json": {"method": "random", "seed": 0, "options": {}, "groups": None,
                       "train": list(range(120)), "valid": list(range(120, 150)), "test": []},
        "environment.json": {"id": f"{number:032x}", "seed": seed, "threads": 1, "device": "cpu",
                             "workers": None, "versions": versions, "platform": "Linux",
                             "processors": 2, "command": ["chymist", "fit", "iris"]},
    }  # fmt: skip
    if not status:
        return files
    found = [] if number % 5 else [{"code": "overfitting", "level": "finding", "claim": "It is.",
                                    "evidence": {}, "remedy": None}]  # fmt: skip
    files["findings.json"] = {
        "checked": {"rules": 43, "steps": points, "epochs": points, "looks": 4, "train": 120,
                    "valid": 30, "stopped": ""}, "findings": found, "signals": {}}  # fmt: skip
    files["result.json"] = _result(accuracy, points, versions)
    return files


def _result(accuracy: float, points: int, versions: Mapping[str, str]) -> dict[str, Any]:
    low, high = max(0.0, accuracy - 0.05), min(1.0, accuracy + 0.05)
    score = {"metric": "accuracy", "value": accuracy, "low": low, "high": high, "n": 30,
             "split": "valid", "selected_on": None}  # fmt: skip
    floor = {"name": "majority class", "score": {**score, "value": 0.3, "low": 0.2, "high": 0.4}}
    return {
        "status": "finished", "score": score, "floors": [floor],
        "verdict": "mlp is better than the strongest floor, majority class, by 55.0 points "
                   "[40.0, 70.0] (30 validation rows, paired).",
        "metrics": {"accuracy": accuracy, "error": 1 - accuracy, "log_loss": 0.2},
        "facts": {"steps": points * 2, "epochs": float(points), "steps_per_epoch": 2,
                  "best_epoch": None, "samples_per_second": 1000.0, "waiting_for_data": 0.0,
                  "parameters": 15, "threads": 1, "notes": [], "versions": dict(versions),
                  "filled": {}, "seconds": 1.5},
    }  # fmt: skip


def _data() -> dict[str, Any]:
    columns = [{"name": name, "kind": "number", "missing": 0, "distinct": 30, "note": ""}
               for name in COLUMNS]  # fmt: skip
    features = [{"name": name, "position": at, "kind": "number", "fill": 3.0, "log": False,
                 "shift": 3.0, "scale": 0.5, "flag": False, "categories": [], "codes": False,
                 "order": ""} for at, name in enumerate(COLUMNS)]  # fmt: skip
    return {
        "source": {"load": "iris"},
        "schema": {"name": "iris", "kind": "table", "task": "classification",
                   "target": "species", "classes": list(CLASSES), "columns": columns,
                   "fingerprint": "ab" * 32, "shape": [], "levels": 255.0, "position": 4},
        "preparation": {"kind": "table", "features": features, "columns": 0, "shape": [],
                        "pixels": [0.0, 1.0], "filled": {}, "target_shift": [],
                        "target_scale": [], "notes": [], "tokens": "", "vocabulary": [],
                        "steps": [], "stop_words": []},
        "shapes": {"inputs": [4], "outputs": 3},
    }  # fmt: skip


def _record(
    path: Path, draw: np.random.Generator, series: int, points: int, names: Sequence[str]
) -> None:
    own = [f"layer.{n}.gradient_norm" for n in range(max(0, series - 3))]
    steps = range(2, 2 * points + 1, 2)
    falling = 2.0 * np.exp(-np.arange(points) / max(points / 4, 1))
    with Recorder(path) as record:
        for name in ("train_loss", "val_loss", "loss", *own, *names):
            values = falling + 0.1 * draw.random(points)
            for step, one in zip(steps, values.tolist(), strict=True):
                record.add(name, step, one)
