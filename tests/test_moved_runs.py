"""Runs and data that were moved: the same run is counted once, and found data is checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import chymist as cy
from chymist.cli import main

TABLE = "age,job,income\n" + "".join(
    f"{20 + i % 40},{'abc'[i % 3]},{'high' if i % 40 > 19 else 'low'}\n" for i in range(120)
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on a table with a test file."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(TABLE)
    Path("b.csv").write_text(TABLE)
    words = ["--test", "b.csv", "--model", "softmax", "--length", "2 epochs", "--quiet"]
    assert main(["fit", "a.csv", *words, "--out", "run"]) == 0
    return tmp_path


def test_a_moved_run_is_the_same_run_to_the_ledger() -> None:
    assert len(json.loads(Path("run/environment.json").read_text())["id"]) == 32
    assert str(cy.evaluate("run").looks) == "look 1, 1 run"
    shutil.move("run", "elsewhere")
    assert str(cy.evaluate("elsewhere").looks) == "look 2, 1 run"
    run = cy.load_run("elsewhere")
    assert str(cy.evaluate(run).looks) == "look 3, 1 run"
    assert str(cy.evaluate(run.save("copy")).looks) == "look 4, 1 run"
    again = cy.fit(run.recipe, run.split, seed=1)
    assert str(cy.evaluate(again).looks) == "look 5, 2 runs"


def test_a_run_without_an_id_is_told_by_its_place() -> None:
    path = Path("run/environment.json")
    plain = json.loads(path.read_text())
    del plain["id"]
    path.write_text(json.dumps(plain))
    assert str(cy.evaluate("run").looks) == "look 1, 1 run"
    shutil.move("run", "elsewhere")
    assert str(cy.evaluate("elsewhere").looks) == "look 2, 2 runs"


def test_moved_data_is_found_where_the_user_says(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new").mkdir()
    shutil.move("a.csv", "new/c.csv")
    shutil.move("b.csv", "new/b.csv")
    for words in (["evaluate", "run"], ["resume", "run"], ["report", "run"]):
        assert main([*words, "--quiet"]) == 1
        error = capsys.readouterr().err
        assert "a.csv" in error
        assert "--data" in error
        assert main([*words, "--quiet", "--data", "new/c.csv"]) == 0
        capsys.readouterr()
    assert "new/c.csv" in Path("run/report.html").read_text("utf-8")


@pytest.mark.parametrize("verb", ["evaluate", "resume", "report"])
def test_other_data_is_refused(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.csv").write_text(TABLE + "33,a,low\n")
    assert main([verb, "run", "--data", "other.csv"]) == 1
    assert "changed" in capsys.readouterr().err
    assert main([verb, "run", "--data", "gone.csv"]) == 1
    assert "gone.csv" in capsys.readouterr().err
