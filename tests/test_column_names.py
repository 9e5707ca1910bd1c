"""Columns whose names look like numbers or hold commas, and tables with nothing to learn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import chymist as cy
from chymist.cli import main
from chymist.errors import UsageError
from chymist.parts import listed

FAST = ["--header", "yes", "--model", "softmax", "--length", "1 epochs", "--json", "--out", "run"]
YEARS = '2020,2,"city, country"\n' + "".join(f"{i % 2},{i % 7},{'ab'[i % 2]}\n" for i in range(60))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(YEARS)


@pytest.mark.parametrize(
    ("given", "target"),
    [("2020", "2020"), ("2", "2"), ("3", "city, country"), ("1", "2020"), ("-1", "city, country")],
)
def test_a_target_is_a_name_first_and_a_number_then(given: str, target: str) -> None:
    assert cy.load("t.csv", target=given, header=True).target == target
    assert (
        main(
            [
                "fit",
                "t.csv",
                "--header",
                "yes",
                "--target",
                given,
                "--length",
                "1 epochs",
                "--out",
                "run",
            ]
        )
        == 0
    )
    assert json.loads(Path("run/data.json").read_text())["schema"]["target"] == target


def test_a_number_of_no_column_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "t.csv", "--header", "yes", "--target", "2021"]) == 1
    assert "from 1 to 3" in capsys.readouterr().err


def test_names_with_commas_are_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = '"city, country"=category,2=category'
    assert main(["fit", "t.csv", "--target", "2020", "--columns", kinds, *FAST]) == 0
    schema = json.loads(Path("run/data.json").read_text())["schema"]
    assert {c["name"]: c["kind"] for c in schema["columns"]} == {
        "2": "category", "city, country": "category",
    }  # fmt: skip
    page = Path("run/report.html").read_text("utf-8")
    assert "&quot;city, country=category&quot;,2=category" in page
    drop = [
        "--data.drop",
        '"city, country"',
        "--header",
        "yes",
        "--target",
        "2020",
        "--print-recipe",
    ]
    capsys.readouterr()
    assert main(["fit", "t.csv", *drop]) == 0
    assert '"city, country"' in capsys.readouterr().out


def test_lists_are_read_as_a_line_of_csv() -> None:
    assert listed('a, "b ""c"", d" ,,e', "x") == ["a", 'b "c", d', "e"]
    assert listed('6" pipe,b', "x") == ['6" pipe', "b"]
    assert listed("", "x") == []
    with pytest.raises(UsageError, match="quotation"):
        listed('"a,b', "x")


@pytest.mark.parametrize(
    "words",
    [["--columns", '2=id,"city, country"=id'], ["--columns", '2=text,"city, country"=id'],
     ["--data.drop", '2,"city, country"']],
)  # fmt: skip
def test_a_table_without_features_is_one_clear_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["fit", "t.csv", "--header", "yes", "--target", "2020", *words, "--out", "run"]) == 1
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "feature" in error
    assert not Path("run").exists()
