"""`chymist search`: what the options mean, the JSON, the folder, and bad input in one line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from chymist.cli import main
from chymist.cli.commands import rows_for_folds
from chymist.cli.options import parse
from chymist.cli.searching import command_of_best, recipe_and_space
from chymist.space import Choice, Range
from chymist.values import Recipe

FAST = ["--model", "softmax", "--optimizer", "adam", "--length", "3 epochs", "--folds", "2"]

FILES = ["best.toml", "curves.npz", "report.html", "search.json"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of each test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(words: list[str]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe and the space that a command line gives."""
    options = parse(["search", "iris", *words])
    return recipe_and_space(options, rows_for_folds(options)[0])


def test_ranges_and_choices_are_searched_and_all_else_is_set() -> None:
    recipe, space = read(
        ["--model", "mlp", "--model.hidden", "32|128,64", "--model.activation", "relu,tanh",
         "--optimizer.lr", "1e-4..1e-1:log", "--batch-size", "16,32", "--schedule=one_cycle|constant",
         "--length", "5 epochs", "--model.dropout=0.1"]
    )  # fmt: skip
    assert space == {
        "model.hidden": Choice(("32", "128,64")),
        "model.activation": Choice(("relu", "tanh")),
        "optimizer.lr": Range(1e-4, 0.1, log=True),
        "batch_size": Choice(("16", "32")),
        "schedule": Choice(("one_cycle", "constant")),
    }
    assert recipe == Recipe(model={"name": "mlp", "dropout": 0.1}, length="5 epochs")


def test_a_list_is_one_value_where_the_field_takes_a_list() -> None:
    recipe, space = read(
        ["--model", "mlp", "--model.hidden", "128,64", "--optimizer.lr", "1e-3,1e-2"]
    )
    assert recipe.model.options == {"hidden": (128, 64)}
    assert list(space) == ["optimizer.lr"]


def test_a_recipe_file_is_the_start() -> None:
    Path("r.toml").write_text('length = "2 epochs"\n[model]\nname = "mlp"\nhidden = [8]\n')
    recipe, space = read(["--recipe", "r.toml", "--model.dropout", "0..0.5"])
    assert recipe.model.options == {"hidden": (8,)}
    assert space == {"model.dropout": Range(0.0, 0.5)}


def test_the_command_of_the_best_names_the_same_rows() -> None:
    options = parse(["search", "a {b}.csv", "--target", "price", "--test", "0.2"])
    assert command_of_best(options).format("x.toml") == (
        "chymist fit 'a {b}.csv' --target price --test 0.2 --recipe x.toml"
    )


@pytest.mark.parametrize("method", ["random", "halving", "optuna"])
def test_a_search_keeps_the_contract(
    method: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["search", "iris", *FAST, "--optimizer.lr", "1e-4..0.3:log", "--batch-size", "16|32",
             "--trials", "9", "--method", method, "--json"]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert set(answer) >= {"verdict", "rows", "pairs", "seconds", "best", "run", "report"}
    assert len(answer["rows"]) == 9
    assert len(answer["pairs"]) == (2 if method == "halving" else 8)
    best = answer["rows"][0]
    assert answer["best"]["optimizer"]["lr"] == best["values"]["optimizer.lr"]
    assert best["score"]["selected_on"] == "best of 9 configurations"
    assert "Verdict" in printed.err

    folder = here / answer["run"]
    assert answer["run"] == "runs/iris-search-0001"
    assert sorted(p.name for p in folder.iterdir()) == FILES
    stored = json.loads((folder / "search.json").read_text())
    assert stored["verdict"] == answer["verdict"]
    assert stored["space"] == {"optimizer.lr": "0.0001..0.3:log", "batch_size": "16|32"}
    assert tomllib.loads((folder / "best.toml").read_text()) == answer["best"]
    page = (folder / "report.html").read_text()
    assert "chymist fit iris --recipe runs/iris-search-0001/best.toml" in page

    assert main(["fit", "iris", "--recipe", str(folder / "best.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "softmax"


def test_what_a_person_reads(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "iris", *FAST, "--optimizer.lr", "1e-3,1e-2,1e-1", "--method", "grid",
             "--seeds", "2", "--nested", "2", "--out", "mine"]  # fmt: skip
    assert main(words) == 0
    text = capsys.readouterr().out
    for piece in ("Space   optimizer.lr 1e-3|1e-2|1e-1", "optimizer.lr 0.1 is best: accuracy",
                  "honest score of the search, by nested folds", "too few to tell", "seeds",
                  "none is sealed", "36 fits as one program", "mine/  best.toml"):  # fmt: skip
        assert piece in text, piece
    assert (here / "mine" / "report.html").exists()
    assert main([*words, "--quiet"]) == 1
    assert "mine" in capsys.readouterr().err


def test_quiet_prints_the_verdict_only(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "iris", *FAST, "--optimizer.lr", "0.01|0.1", "--method", "grid", "--quiet"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Verdict optimizer.lr 0.1 is best")


RATE = ["--optimizer.lr", "1e-4..1e-1:log"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "nothing to search"),
        (["--optimizer.lr", "1e-1..1e-4"], 2, "empty"),
        (["--optimizer.lr", "0..1:log"], 2, "positive"),
        (["--optimizer.lr", "1e-4..x"], 2, "not a range"),
        (["--optimzer.lr", "1e-4..1"], 2, "did you mean 'optimizer'"),
        (["--optimizer.rl", "1e-4..1"], 2, "did you mean 'lr'"),
        (["--optimizer.rl", "1e-4,1"], 2, "did you mean 'lr'"),
        (["--optimizer.lr", "abc|def"], 2, "optimizer.lr"),
        (["--model", "softmax|sotfmax"], 2, "did you mean 'softmax'"),
        ([*RATE, "--trials", "0"], 2, "trials"),
        ([*RATE, "--method", "grid"], 2, "values, not a range"),
        ([*RATE, "--method", "halvin"], 2, "did you mean 'halving'"),
        ([*RATE, "--folds", "151"], 1, "150"),
        ([*RATE, "--folds", "1"], 2, "--folds"),
        ([*RATE, "--nested", "1"], 2, "nested"),
        ([*RATE, "--seeds", "0"], 2, "seeds"),
        ([*RATE, "--valid", "0.2"], 2, "search takes no --valid"),
        ([*RATE, "--modle", "mlp"], 2, "did you mean '--model'"),
        ([*RATE, "--optimizer.eps", "1e-8"], 2, "add --optimizer NAME"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert main(["search", "iris", "--quiet", *words]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert said in printed.err
    assert not list(here.iterdir())


def test_the_rows_that_diverge_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "diabetes", "--model", "linear", "--optimizer", "sgd", "--length", "9 epochs",
             "--folds", "2", "--batch-size", "64", "--optimizer.lr", "1e-3|1e30"]  # fmt: skip
    assert main([*words, "--method", "grid", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[1]["score"] is None
    assert "finite" in rows[1]["reason"]
    assert main([*words[:-1], "1e29|1e30", "--method", "grid"]) == 3
