"""`--plan` and `--explain-plan` of `cv`, `compare`, `search` and `curve`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chymist.cli import main

ASKED = ["cv", "digits", "--model", "cnn", "--model.channels", "3", "--model.hidden", "8", "--folds",
         "2", "--length", "1 epoch", "--stop", "none", "--threads", "1"]  # fmt: skip


def test_what_was_measured_is_told_kept_and_can_be_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*ASKED, "--explain-plan"]) == 0
    told = capsys.readouterr().out
    assert "2+ x cnn of" in told
    assert "a step and member; chosen: " in told
    assert main([*ASKED, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    (measured,) = plan["measured"]
    assert set(measured["seconds"]) == {"loop", "stacked", "grouped", "unfolded"}
    file = Path(plan["file"])
    content = json.loads(file.read_text())
    assert f"chosen: {measured['chosen']}" in told  # remembered, not measured again

    (key,) = content
    content[key]["seconds"] = {"loop": 2.0, "stacked": 2.0, "grouped": 1.0, "unfolded": 2.0}
    pinned = tmp_path / "pinned.json"
    pinned.write_text(json.dumps(content))
    assert main([*ASKED, "--plan", str(pinned), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["executor"] == "population"
    assert found["plan"]["measured"][0]["chosen"] == "grouped"
    assert found["plan"]["fingerprint"]


def test_nothing_is_measured_where_one_form_always_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["cv", "iris", "--folds", "2", "--length", "2 epochs", "--explain-plan"]) == 0
    assert "Plan    nothing was measured" in capsys.readouterr().out


def test_a_plan_file_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["cv", "iris", "--folds", "2", "--plan", "absent.json"]) == 1
    assert "not a plan of populations" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


SMALL = ["--length", "1 epoch", "--folds", "2"]
VERBS = {
    "compare": ["--models", "softmax,knn", *SMALL],
    "search": ["--batch-size", "16|32", "--method", "grid", *SMALL],
    "curve": ["--sizes", "0.5,1.0", *SMALL],
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_with_populations_takes_a_plan(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pinned.json").write_text("{}")
    words = [verb, "iris", *VERBS[verb], "--explain-plan", "--json"]
    assert main([*words, "--plan", "pinned.json"]) == 0
    said = capsys.readouterr()
    assert "Plan    nothing was measured" in said.err
    found = json.loads(said.out)
    assert (found.get("facts") or found)["plan"]["file"] == "pinned.json"
    assert main([*words, "--plan", "absent.json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["what"], error["where"]) == ("not a plan of populations", "absent.json")
