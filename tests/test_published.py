"""The numbers that chymist promises on real data: `make test-hard` (about ten minutes).

The last results are in `docs/measured.md`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chymist.cli import main

pytestmark = pytest.mark.hard
SEEDS = (0, 1, 2)


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def tell(capsys: pytest.CaptureFixture[str], *figures: object) -> None:
    with capsys.disabled():
        print("\n", *figures)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_digits(capsys: pytest.CaptureFixture[str]) -> None:
    values = [ask(capsys, "fit", "digits", "--seed", str(s))["score"]["value"] for s in SEEDS]
    tell(capsys, "digits", values)
    assert np.mean(values) >= 0.98


def test_mnist(capsys: pytest.CaptureFixture[str], chymist_data: Path) -> None:
    for seed in SEEDS:
        run = ask(capsys, "fit", "mnist", "--model", "cnn", "--seed", str(seed))
        value = ask(capsys, "evaluate", run["run"], "--split", "test")["score"]["value"]
        tell(capsys, "mnist", seed, value, run["seconds"], "s")
        assert value >= 0.990


def test_adult(capsys: pytest.CaptureFixture[str], chymist_data: Path) -> None:
    errors, linear = [], []
    for seed in SEEDS:
        run = ask(capsys, "fit", "adult", "--model", "mlp", "--seed", str(seed))
        found = ask(capsys, "evaluate", run["run"], "--split", "test")
        errors.append(1 - found["score"]["value"])
        floors = {floor["name"]: floor["value"] for floor in found["floors"]}
        linear.append(1 - floors["logistic regression"])
    tell(capsys, "adult", errors, linear)
    assert np.mean(errors) <= 0.146
    assert np.mean(errors) < np.mean(linear)
