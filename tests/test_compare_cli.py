"""`chymist compare` and `compare-runs`: the contract of the JSON, the folder, wrong input."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main

FAST = ["--length", "2 epochs"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The JSON object of a command that succeeds."""
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and message of a command that fails."""
    code = main(list(words))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("chymist: ")
    assert len(said) < 220
    return code, said


def test_the_json_of_compare(capsys: pytest.CaptureFixture[str]) -> None:
    found = answered(
        capsys, "compare", "iris", "--models", "mlp,softmax,knn", "--folds", "3", "--seeds", "2",
        "--model.hidden", "4", "--optimizer", "adam", "--optimizer.lr", "0.02", "--seed", "7", *FAST,
    )  # fmt: skip
    assert {"verdict", "rows", "pairs", "seconds", "run", "data", "predictions"} <= set(found)
    assert "(3 folds x 2 seeds" in found["verdict"] or "3 folds x 2 seeds," in found["verdict"]
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"mlp", "softmax", "knn"}
    assert rows["mlp"]["recipe"]["model"] == {"name": "mlp", "hidden": [4]}
    for name in ("mlp", "softmax"):
        assert rows[name]["recipe"]["optimizer"] == {"name": "adam", "lr": 0.02}
        assert rows[name]["recipe"]["length"] == "2 epochs"
    assert rows["knn"]["recipe"] == "KNeighborsClassifier()"
    assert all(len(row["folds"]) == 6 and row["n"] == 150 for row in rows.values())
    assert len(found["pairs"]) == 3
    recipe = cy.Recipe(
        model=cy.models.mlp(hidden=(4,)), optimizer=cy.optim.adam(lr=0.02), length="2 epochs"
    )
    alone = cy.cross_validate(recipe, cy.load("iris"), folds=3, repeats=2, seed=7, floors=False)
    assert rows["mlp"]["value"] == pytest.approx(alone.score.value, abs=0.02)


def test_the_folder_of_compare(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "iris", "--models", "softmax,tree", "--folds", "3", "--seeds", "2", *FAST]
    found = answered(capsys, *words)
    assert found["run"] == str(Path("runs/iris-compare-0001"))
    assert sorted(p.name for p in Path(found["run"]).iterdir()) == [
        "comparison.json",
        "curves.npz",
        "predictions.csv",
        "report.html",
    ]
    kept = json.loads(Path(found["run"], "comparison.json").read_text())
    assert kept["verdict"] == found["verdict"]
    assert kept["data"]["fingerprint"] == found["data"]["fingerprint"]
    lines = list(csv.DictReader(Path(found["predictions"]).read_text("utf-8").splitlines()))
    assert len(lines) == 2 * 2 * 150
    right = [
        np.mean([line["target"] == line["prediction"] for line in lines
                 if line["entry"] == name and line["repeat"] == repeat])
        for name in ("softmax", "tree") for repeat in "01"
    ]  # fmt: skip
    rows = {row["name"]: row["value"] for row in found["rows"]}
    assert np.mean(right[:2]) == pytest.approx(rows["softmax"])
    assert np.mean(right[2:]) == pytest.approx(rows["tree"])
    assert {int(line["row"]) for line in lines} == set(range(1, 151))
    assert answered(capsys, *words)["run"] == str(Path("runs/iris-compare-0002"))
    assert main(["runs"]) == 0


def test_what_a_person_sees(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "diabetes", "--models", "linear,tree,linear", "--folds", "3"]
    assert main([*words, "--out", "here"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert any(line.startswith("Entry   tree   rmse ") for line in lines)
    assert any(
        line.startswith("Verdict linear is best; it cannot be told from linear-2") for line in lines
    )
    assert "Note    linear-2 is the same recipe as linear: trained once" in lines
    assert any(line.startswith("Files   here/  ") for line in lines)
    assert "mean of the training rows" in said
    assert not any(line.strip() == "" for line in lines)
    assert main([*words, "--quiet", "--out", "there"]) == 0
    assert capsys.readouterr().out.startswith("Verdict linear is best; ")


def test_recipes_from_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.toml").write_text('length = "2 epochs"\n[model]\nname = "mlp"\nhidden = [4]\n')
    Path("flat.toml").write_text('[model]\nname = "softmax"\n')
    found = answered(
        capsys, "compare", "iris", "--recipes", "small.toml,flat.toml", "--models", "knn",
        "--folds", "3", "--batch-size", "50", "--metric", "log_loss",
        "--length", "1 epoch",
    )  # fmt: skip
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"small", "flat", "knn"}
    assert rows["small"]["recipe"]["model"] == {"name": "mlp", "hidden": [4]}
    assert {rows[n]["recipe"]["batch_size"] for n in ("small", "flat")} == {50}
    assert found["metric"] == "log_loss"


def test_test_rows_and_groups_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{i % 12},{i % 5 + i % 2},{'ab'[i % 2]}" for i in range(60)]
    Path("t.csv").write_text("site,x,y\n" + "\n".join(lines) + "\n")
    found = answered(capsys, "compare", "t.csv", "--models", "knn,tree", "--folds", "3",
                     "--group", "site", "--test", "0.25")  # fmt: skip
    assert found["sealed"]
    assert found["rows"][0]["n"] < 60
    assert found["rows"][0]["groups"] == 9


BAD = {
    "nothing": (["iris"], 2, "at least two entries"),
    "one": (["iris", "--models", "mlp"], 2, "at least two entries"),
    "misspelt": (["iris", "--models", "mlp,sotfmax"], 2, "did you mean 'softmax'?"),
    "misspelt baseline": (["iris", "--models", "mlp,tre"], 2, "did you mean 'tree'?"),
    "model": (["iris", "--model", "mlp"], 2, "did you mean '--models'?"),
    "option of no model": (
        ["iris", "--models", "softmax,knn", "--model.hidden", "3"],
        2,
        "no model",
    ),
    "option of no field": (
        ["iris", "--models", "softmax,knn", "--optimiser.lr", "3"],
        2,
        "'--optimiser.lr'",
    ),
    "folds": (["iris", "--models", "mlp,knn", "--folds", "1"], 2, "folds must be 2 or more"),
    "many folds": (["iris", "--models", "mlp,knn", "--folds", "151"], 1, "fewer rows or groups"),
    "seeds": (["iris", "--models", "mlp,knn", "--seeds", "0"], 2, "at least one seed"),
    "time": (["iris", "--models", "mlp,knn", "--time", "x"], 2, "compare takes no --time"),
    "metric": (["iris", "--models", "mlp,knn", "--metric", "rmse"], 2, "does not fit"),
    "task": (["diabetes", "--models", "mlp,bayes"], 2, "'bayes' is for classification"),
    "loss": (["iris", "--models", "mlp,logistic"], 2, "entry 'logistic'"),
    "no file": (["iris", "--recipes", "a.toml,b.toml"], 1, "cannot be read"),
    "out": (["iris", "--models", "knn,tree", "--out", "taken"], 1, "taken"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_of_compare(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").mkdir()
    Path("taken", "file").touch()
    words, code, message = BAD[case]
    found, said = failed(capsys, "compare", *words)
    assert (found, message in said) == (code, True), said
    assert not Path("runs").exists()


def test_compare_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for name, options in {"a": ["--model", "softmax"], "b": ["--model", "mlp"],
                          "c": ["--model", "mlp", "--split-seed", "3"]}.items():  # fmt: skip
        assert main(["fit", "iris", *options, *FAST, "--out", name, "--quiet"]) == 0
    capsys.readouterr()
    found = answered(capsys, "compare-runs", "a", "b")
    assert set(found) == {"data", "verdict", "rows", "pairs", "differs", "notes"}
    assert [row["run"] for row in found["rows"]] == ["a", "b"]
    assert found["differs"]["model"] == ["softmax", "mlp"]
    (pair,) = found["pairs"]
    assert pair["difference"] == pytest.approx(
        found["rows"][0]["value"] - found["rows"][1]["value"]
    )
    assert main(["compare-runs", "a", "b"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Verdict ")
    assert "Differs model: softmax against mlp" in said
    code, line = failed(capsys, "compare-runs", "b", "c")
    assert (code, "scored on different rows" in line) == (1, True)
    code, line = failed(capsys, "compare-runs", "b", "nowhere")
    assert (code, "not a run folder" in line) == (1, True)
