"""`list_runs` and `chymist runs`: runs, and what is made of many runs, in one list."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.cli import main

FAST = ["--length", "1 epoch", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of each kind, and two damaged ones."""
    monkeypatch.chdir(tmp_path)
    softmax = ["--model", "softmax", *FAST]
    rates = ["--optimizer", "adam", "--optimizer.lr", "0.01|0.1", "--method", "grid"]
    for words in (
        ["fit", "iris", *softmax],
        ["cv", "iris", *softmax, "--folds", "2"],
        ["compare", "iris", "--models", "knn,tree,bayes", "--folds", "2", *FAST],
        ["search", "iris", *softmax, *rates, "--folds", "2"],
    ):
        assert main(words) == 0
    for name, text in (("bad", '{"data": 3'), ("odd", '{"data": {"name": 3}}')):
        Path("runs", name).mkdir()
        Path("runs", name, "comparison.json").write_text(text)
    Path("runs", "other").mkdir()
    for at, folder in enumerate(["iris-0001", "iris-cv-0001", "iris-compare-0001",
                                 "iris-search-0001", "bad", "odd"]):  # fmt: skip
        for file in Path("runs", folder).iterdir():
            os.utime(file, (1e9 + at, 1e9 + at))
    return tmp_path


def test_all_kinds_are_listed_in_their_order() -> None:
    rows = cy.list_runs()
    assert [row["kind"] for row in rows] == ["fit", "cv", "compare", "search", "compare", "compare"]
    assert [row["state"] for row in rows] == ["finished"] * 4 + ["damaged"] * 2
    assert rows[0]["run"] == str(Path("runs/iris-0001"))
    assert set(rows[4]) == {"run", "kind", "state", "when"}
    for at, row in enumerate(rows):
        assert datetime.fromisoformat(row["when"]).timestamp() == 1e9 + at
    for row, name in zip(rows, ("", "cv", "comparison", "search"), strict=False):
        assert row["data"] == "iris"
        assert row["seconds"] > 0
        if name:
            stored: dict[str, Any] = json.loads((Path(row["run"]) / f"{name}.json").read_text())
            assert row["verdict"] == stored.get("verdict", "")
            if "score" in stored:
                assert row["score"].items() <= stored["score"].items()
    assert [row["model"] for row in (*rows[:2], rows[3])] == ["softmax"] * 3
    assert set(rows[2]["model"].split(", ")) == {"knn", "tree", "bayes"}
    assert rows[2]["score"] is None


def test_what_a_person_sees(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "kind", "data", "model", "score", "time", "when"]
    assert max(map(len, lines)) <= 100
    for line, name in zip(lines[2:6], ("", "cv-", "compare-", "search-"), strict=True):
        assert line.startswith(f"runs/iris-{name}0001 ")
    for line in lines[2:6]:
        assert any(word in line for word in ("accuracy", "cannot", "better", "best"))
    assert all("compare, damaged" in line for line in lines[6:])
    assert main(["runs", "nowhere"]) == 0
    assert "none in nowhere" in capsys.readouterr().out
