"""The page of predictions: its numbers are those of the report, and its rows can be opened."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.metrics import confusion_matrix
from tests import browser
from tests.studio import BUILT, Studio, studio_of
from tests.studio_runs import ask, make_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("answers") / "runs")


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


def plain(markup: str) -> str:
    """The text of a report, tags taken away."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup)))


@pytest.mark.parametrize("name", ["digits", "cancer", "diabetes", "texts"])
def test_numbers_are_those_of_report_json_and_terminal(
    runs: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask("predictions", runs / name)
    report = (runs / name / "report.html").read_text()
    seen = plain(report)
    assert main(["show", str(runs / name)]) == 0
    terminal = capsys.readouterr().out
    assert main(["show", str(runs / name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    score = found["score"]
    low, high = score["interval"].split(" to ")
    assert f"{score['value']} [{low}, {high}]" in terminal
    assert cy.values.show(told["score"]["metric"], told["score"]["value"]) == score["value"]
    assert told["score"]["n"] == found["n"]
    for title, value, _ in found["metrics"]:
        assert f"{title} {value}" in seen
    shown = {cy.values.show(n, v) for n, v in told["metrics"].items()}
    assert shown == {value for _, value, _ in found["metrics"]}
    if "classes" not in found:
        for one in found["drawn"]:
            assert one["title"] in seen
            assert one["svg"] in report
            assert all(" ".join(line) in seen for line in one["rows"])
        return
    assert found["title"] in seen
    for rate in found["rates"]:
        line = f"{rate['name']} {rate['rows']:,} {rate['recall']} {rate['low']} to {rate['high']} %"
        assert f"{line} {rate['precision']}" in seen
    matrix = seen[seen.index("true \\ said") : seen.index("Down: the true class")]
    for t, class_ in enumerate(found["classes"]):
        assert f" {class_} {' '.join(texts_of_line(found, t))} " in matrix


def texts_of_line(found: dict[str, Any], true: int) -> list[str]:
    """Cells of a line of the matrix as a report writes them."""
    cells = {said: f"{n:,} {row}" for t, said, n, row, _ in found["cells"] if t == true}
    return [cells.get(said, "·") for said in range(len(found["classes"]))]


def test_a_cell_opens_its_rows_and_no_test_row_is_among_any(runs: Path) -> None:
    run = cy.load_run(runs / "digits")
    said, true = run.predictions.labels, run.predictions.targets
    matrix = confusion_matrix(true, said, 10)
    for t, p in [(1, 1), *zip(*np.nonzero(matrix - np.diag(np.diag(matrix))), strict=True)][:6]:
        found = ask("examples", runs / "digits", true=int(t), said=int(p), order="sure", count=60)
        rows = [one["row"] - 1 for one in found["rows"]]
        assert found["total"] == matrix[t, p]
        assert set(rows) == set(run.predictions.rows[(true == t) & (said == p)].tolist())
        sure = [float(one["sure"][:-2]) for one in found["rows"]]
        assert sure == sorted(sure, reverse=True)
    every: list[int] = []
    while len(every) < len(said):
        part = ask("examples", runs / "digits", offset=len(every), count=60, order="row")["rows"]
        every += [one["row"] - 1 for one in part]
    assert every == run.split.valid.tolist()
    wrong = ask("examples", runs / "digits", which="wrong")["total"]
    assert wrong == (said != true).sum()
    assert ask("examples", runs / "digits", which="right")["total"] == len(said) - wrong


def test_the_most_costly_rows_are_those_of_the_report(runs: Path) -> None:
    for name in ("digits", "cancer", "diabetes"):
        found = ask("examples", runs / name, count=12)["rows"]
        seen = plain((runs / name / "report.html").read_text())
        part = seen[seen.index("Row numbers count from 1") :]
        places = [part.find(f"{one['row']:,} ") for one in found[:6]]
        assert all(place > 0 for place in places)


def test_pictures_are_bounded_and_rows_of_tables_are_values(runs: Path) -> None:
    with pytest.raises(UsageError, match="count"):
        ask("examples", runs / "digits", count=1000)
    one = ask("examples", runs / "digits", count=1)["rows"][0]
    assert one["shown"]["src"].startswith("data:image/png;base64,")
    cells = ask("examples", runs / "cancer", count=1)["rows"][0]
    data = cy.load("breast_cancer")
    name, value = cells["shown"]["cells"][0]
    assert float(value) == pytest.approx(data.inputs[name][cells["row"] - 1], rel=1e-3)
    text = ask("examples", runs / "texts", count=1)["rows"][0]["shown"]
    assert text["kind"] == "text"
    assert "film" in text["text"]


def test_test_rows_are_sealed(runs: Path) -> None:
    row = int(cy.load_run(runs / "digits").split.test[0])
    with pytest.raises(UsageError, match="sealed"):
        ask("examples", runs / "digits", row=row)


def test_slices_are_scores_of_the_rows_of_each_value(runs: Path) -> None:
    found = ask("slices", runs / "cancer", column="mean radius")["slices"]
    assert sum(one["n"] for one in found) == ask("predictions", runs / "cancer")["n"]
    with pytest.raises(UsageError, match="no such column"):
        ask("slices", runs / "cancer", column="nothing")


def test_a_threshold_of_one_half_gives_the_matrix(runs: Path) -> None:
    found = ask("predictions", runs / "cancer")
    cells = {(t, p): n for t, p, n, _, _ in found["cells"]}
    made = found["thresholds"]
    _, hits, alarms, recall, precision, _ = [one for one in made["points"] if one[0] > 0.5][-1]
    assert (hits, alarms) == (cells[1, 1], cells.get((0, 1), 0))
    assert (recall, precision) == (found["rates"][1]["recall"], found["rates"][1]["precision"])


def test_a_run_that_changes_is_read_again_and_one_without_rows_is_refused(
    runs: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(runs / "texts", tmp_path / "texts")
    before = ask("predictions", copy)
    facts = json.loads((copy / "result.json").read_text())
    facts["score"]["value"] = 0.125
    (copy / "result.json").write_text(json.dumps(facts))
    assert before["score"]["value"] != "12.5 %"
    assert ask("predictions", copy)["score"]["value"] == "12.5 %"
    (copy / "result.json").unlink()
    with pytest.raises(InputError, match="no result"):
        ask("predictions", copy)
    inputs = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    data = cy.load((inputs, (inputs[:, 0] > 0).astype(int)))
    run = cy.fit(cy.Recipe(model="softmax", length="1 epochs"), data, doctor=False)
    with pytest.raises(InputError, match="arrays in memory"):
        ask("predictions", run.path)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("predictions/examples?true=99", 400), ("predictions/examples?row=0", 400),
        ("predictions/examples?order=x", 400), ("predictions/examples?count=-1", 400),
        ("predictions/slices?column=%00", 400), ("predictions/examples?true=1e3", 400),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused_in_one_line(studio: Studio, path: str, code: int) -> None:
    status, _, content = studio.ask(f"/api/runs/digits/{path}")
    assert status == code
    assert "\n" not in json.loads(content)["error"]["what"]


def test_the_answers_over_http_are_those_of_the_task(studio: Studio, runs: Path) -> None:
    assert studio.get("/api/runs/cancer/predictions") == json.loads(
        json.dumps(ask("predictions", runs / "cancer"))
    ) | {"script": studio.get("/api/runs/cancer/predictions")["script"]}
    assert studio.ask("/api/runs/nobody/predictions")[0] in (400, 404, 422)


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_page_opens_the_rows_of_a_cell_by_keyboard(
    studio: Studio, runs: Path, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = ask("predictions", runs / "digits")
    true, said, rows, *_ = next(cell for cell in found["cells"] if cell[0] != cell[1])
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, asked):
            failures: list[str] = []
            page.on("pageerror", lambda error: failures.append(str(error)))
            page.goto(f"{studio.address.split('?')[0]}#/runs/digits/predictions")
            page.get_by_text(found["title"]).wait_for()
            drawn = page.evaluate("() => window.__chart.confusion.cells")
            assert drawn == found["cells"]
            page.locator(".matrix button[tabindex='0']").focus()
            for key, times in (("ArrowDown", true), ("ArrowRight", said)):
                for _ in range(times):
                    page.keyboard.press(key)
            page.keyboard.press("Enter")
            title = page.get_by_role("heading", name=f"True {true}, said {said}")
            title.wait_for()
            page.get_by_text(f"{min(rows, 24)} of {rows} rows").wait_for()
            assert page.locator(".examples img").count() == min(rows, 24)
            assert Axe().run(page).response["violations"] == []
            link = page.get_by_role("link", name="Why?").first
            assert "/explain?row=" in str(link.get_attribute("href"))
            assert failures == []
            assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()
