"""Folders of imported logs: what runs, show, report and diagnose read, and what says that it cannot."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.doctor.reading_curves import findings_of_curves
from chymist.engine.store import read_series


def csv(folder: Path, text: str, name: str = "log.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    held = [1.0, 0.7, 0.6, 0.9, 0.95, 1.2]
    lines = [f"{n},{1 / (n + 1)},{v}" for n, v in enumerate(held)]
    csv(tmp_path, "\n".join(["epoch,loss,val_loss", *lines]), "keras.csv")
    assert main(["import-log", "keras.csv", "--quiet"]) == 0
    return Path("runs/keras-0001")


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:  # type: ignore[type-arg]
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    out = capsys.readouterr().out
    return json.loads(out)  # type: ignore[no-any-return]


def test_runs_show_report_and_diagnose_read_an_import(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(imported)
    (row,) = answer(["runs"], capsys)["runs"]
    assert (row["kind"], row["state"], row["data"]) == ("import", "finished", "keras")
    assert row["verdict"] == "imported: no model, no rows; 12 points of 2 series"
    shown = answer(["show", run], capsys)
    assert shown["series"]["val_loss"] == {
        "tag": "val_loss",
        "points": 6,
        "first": [0, 1.0],
        "last": [5, 1.2],
    }
    (finding,) = answer(["diagnose", run], capsys)["findings"]
    assert (finding["code"], finding["level"]) == ("overfitting", "observation")
    assert finding["evidence"] == {"lowest": 0.6, "step": 2, "last": 1.2}
    page = (imported / "report.html").read_bytes()
    assert answer(["report", run], capsys)["report"] == f"{run}/report.html"
    assert (imported / "report.html").read_bytes() == page
    assert b"Imported: no model, no rows." in page
    assert b"<script" not in page
    assert main(["show", run]) == 0
    assert "val_loss rose from 0.6 at step 2 to 1.2" in capsys.readouterr().out
    assert read_series(imported / "records.sqlite")["val_loss"][:, 1].tolist() == [
        1.0,
        0.7,
        0.6,
        0.9,
        0.95,
        1.2,
    ]


@pytest.mark.parametrize(
    "words",
    ["predict {} keras.csv", "evaluate {}", "resume {}", "diagnose {} --experiments",
     "diagnose {} --fix", "compare-runs {} {}", "explain {}", "sample {}"],
)  # fmt: skip
def test_what_needs_a_model_or_rows_says_so(
    imported: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p.name: p.read_bytes() for p in imported.iterdir()}
    capsys.readouterr()
    assert main(words.replace("{}", str(imported)).split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the run was imported: it has no model and no rows" in line
    assert {p.name: p.read_bytes() for p in imported.iterdir()} == before


def test_a_damaged_import_is_one_line(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads((imported / "imported.json").read_text())
    for broken in (
        "{",
        "[]",
        json.dumps({**plain, "unit": "yard"}),
        json.dumps({**plain, "tags": {}}),
    ):
        (imported / "imported.json").write_text(broken)
        assert main(["show", str(imported)]) == 1
        assert "a file of the run is damaged" in capsys.readouterr().err
    assert cy.list_runs("runs")[0]["state"] == "damaged"


def test_places_and_several_logs(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-log", "keras.csv", "keras.csv", "--quiet"]) == 0
    assert sorted(p.name for p in Path("runs").iterdir()) == [
        "keras-0001",
        "keras-0002",
        "keras-0003",
    ]
    assert main(["import-log", "keras.csv", "keras.csv", "--out", "x"]) == 2
    assert main(["import-log", "keras.csv", "--out", str(imported)]) == 1
    assert "not empty" in capsys.readouterr().err
    log = cy.import_log("keras.csv")
    assert log.path is None
    assert repr(log) == ("ImportedLog(keras: 12 points of 2 series (train_loss, val_loss); "
                         "imported: no model, no rows)")  # fmt: skip
    assert "<svg" in log._repr_html_()


def test_the_page_of_a_log_is_written_where_it_is_asked_for(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, place = (imported / "report.html").read_bytes(), tmp_path / "page.html"
    assert answer(["report", str(imported), "--out", str(place)], capsys)["report"] == str(place)
    assert place.read_bytes() == own
    assert main(["report", str(imported), "--lang", "zh", "--out", str(place)]) == 0
    assert place.read_bytes() != own
    assert (imported / "report.html").read_bytes() == own


def test_the_page_of_a_log_is_said_in_two_languages(imported: Path) -> None:
    english = (imported / "report.html").read_text()
    assert main(["report", str(imported), "--lang", "zh", "--quiet"]) == 0
    chinese = (imported / "report.html").read_text()
    assert "导入的记录:没有模型,也没有数据行。" in chinese
    assert chinese.count("<svg") == english.count("<svg") == 1
    assert "Curves show symptoms" in english
    assert "Curves show symptoms" not in chinese
    assert "http" not in re.sub(r"http://www.w3.org/\S*", "", english)


def test_many_series_of_odd_values_fit_on_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"<b>{n}</b>&.." for n in range(300)]
    cells = [[str(step), *map(repr, rng.normal(size=300).tolist())] for step in range(30)]
    for row in cells:
        row[5], row[6] = "nan", "inf"
    text = "\n".join(",".join(row) for row in [["step", *names], *cells])
    log = cy.import_log(csv(tmp_path, text), tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert len(log.history) == 300
    assert len(page) < 2_000_000
    assert "<b>" not in page
    assert "276 more series are in the table." in page
    assert "100 more series are in the record." in page


def curve(*values: float) -> np.ndarray:
    return np.stack([np.arange(float(len(values))), np.array(values)], 1)


def test_what_curves_show() -> None:
    falling = curve(*np.geomspace(1, 0.1, 20))
    assert findings_of_curves({"loss": falling, "val_loss": falling}) == []
    (bad,) = findings_of_curves({"loss": curve(1, 0.5, math.nan, math.nan)})
    assert (bad.code, bad.level, bad.evidence["step"]) == ("nan_inf_loss", "certain", 2)
    rising = curve(*np.geomspace(0.1, 1, 20))
    assert [f.code for f in findings_of_curves({"loss": rising})] == ["lr_too_high"]
    held = curve(1.0, 0.5, 0.6, 0.7, 0.8)
    assert [
        f.code for f in findings_of_curves({"train_loss": curve(5, 4, 3, 2, 1), "test_loss": held})
    ] == ["overfitting"]
    assert findings_of_curves({"train_loss": curve(1, 1, 2, 3, 4), "val_loss": held}) == []
