"""Doing it again: the command and the script of a run give the same bits, or are not given."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch.nn import Linear

import chymist as cy
from chymist.cli import main
from chymist.verbs.reporting import command_of, script_of

TABLE = "age,job,income\n" + "".join(
    f"{20 + i % 40},{'abc'[i % 3]},{'high' if i % 40 > 19 else 'low'}\n" for i in range(120)
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of each test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(TABLE)
    return tmp_path


def weights(folder: str) -> bytes:
    return (Path(folder) / "model.safetensors").read_bytes()


def test_again_is_exact_or_not_said() -> None:
    data, recipe = cy.load("good.csv"), cy.Recipe(model="softmax", length="2 epochs")
    run = cy.fit(recipe, cy.split(data, seed=7, valid=0.3), seed=2, out="first")
    words = shlex.split(command_of(run, "first"))
    assert words[words.index("--split-seed") + 1] == "7"
    assert main([*words[1:], "--out", "second"]) == 0
    assert weights("first") == weights("second")
    assert cy.load_run("second").split == run.split
    assert "--split-seed" not in command_of(cy.fit(recipe, cy.split(data, seed=2), seed=2))
    job = np.arange(120) // 10
    moved = cy.split(data, seed=7)
    for split in (cy.split(data, group=job), cy.Split(data, moved.train, moved.test, moved.valid)):
        other = cy.fit(recipe, split)
        assert command_of(other) == ""
        assert "# your own rows" in script_of(other.recipe, split, 0)
    own = cy.fit(recipe.replace(model=lambda shapes: Linear(*shapes.inputs, 2)), moved)
    assert command_of(own) == ""


def test_missing_numbers_are_allowed_again(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = np.random.default_rng(0).normal(size=(60, 3))
    targets = (inputs[:, 0] > 0).astype(int)
    inputs[::7, 1] = np.nan
    np.savez("a.npz", x=inputs, y=targets)
    words = ["fit", "a.npz", "--model", "softmax", "--length", "2 epochs"]
    assert main(words) == 1
    assert "--missing median" in capsys.readouterr().err
    assert main([*words, "--missing", "mean"]) == 2
    assert "got 'mean'; known: median" in capsys.readouterr().err
    fills = []
    for fill in ("median", "mean"):
        said = ["--missing", "median", "--data.missing", fill]
        assert main([*words, *said, "--out", f"first-{fill}"]) == 0
        run = cy.load_run(f"first-{fill}")
        fills.append(run.preparation.features[1].fill)
        again = shlex.split(command_of(run))
        assert again[again.index("--missing") + 1] == "median"
        assert main([*again[1:], "--out", f"second-{fill}"]) == 0
        assert weights(f"first-{fill}") == weights(f"second-{fill}")
    train = inputs[run.split.train, 1]
    assert np.allclose(fills, [np.nanmedian(train), np.nanmean(train)])


def test_the_script_takes_the_threads_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "digits", "--model", "mlp", "--length", "1 epoch", "--threads", "2"]
    assert main([*words, "--print-script"]) == 0
    script = capsys.readouterr().out
    Path("same.py").write_text(script + "run.save('second')\nprint(run.facts['threads'])\n")
    assert main([*words, "--out", "first"]) == 0
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    again = [sys.executable, "same.py"]
    said = subprocess.run(again, capture_output=True, text=True, check=True, env=env).stdout
    assert said.splitlines()[-1] == "2"
    assert weights("first") == weights("second")
    assert "threads=2" in (Path("first") / "report.html").read_text("utf-8")
    assert main([*words[:-2], "--print-script"]) == 0
    assert "seed=0, threads='auto')" in capsys.readouterr().out
