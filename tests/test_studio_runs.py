"""The page of runs: answers of the server, and what a reader meets in a real browser."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import chymist as cy
from tests import browser
from tests.run_folders import make_run, make_runs
from tests.studio import BUILT, Studio, studio_of

IN_BROWSER = pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
ODD = ("<script>window.hurt=1</script>", "\u202edesrever", "a" * 200, "line\nbreak", "<img src=x>")
PAINTED = """() => new Promise(done => {
  const look = () => document.querySelectorAll('tbody tr .spark path').length >= 10
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0))
    : requestAnimationFrame(look);
  look();
})"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("runs")
    make_runs(parent, 200, series=4, points=6, names=("<b>loss</b>\u202e",))
    for number, name in enumerate(ODD):
        if "/" not in name:
            make_run(parent / name, 300 + number, 90 + number, 0, 3, 4, (name,))
    bad = make_run(parent / "bad", 400, series=3, points=3)
    (bad / "result.json").write_text('{"score": 3')
    return parent


@pytest.fixture(scope="module")
def studio(store: Path) -> Iterator[Studio]:
    with studio_of(store) as found:
        while found.get("/api/runs")["unread"]:
            time.sleep(0.05)
        yield found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    found = browser.Browser(tmp_path_factory.mktemp("home"))
    yield found
    found.close()


def test_the_list_is_that_of_python(studio: Studio, store: Path) -> None:
    query = "filter=accuracy%3E0.9%20seed%3C2&fold=false&sort=accuracy&count=500"
    found = studio.get(f"/api/runs?{query}")
    told = {Path(r["run"]).name: r for r in cy.list_runs(store, filter="accuracy>0.9 seed<2")}
    assert found["kept"] == len(told) > 10
    assert {row["name"] for row in found["runs"]} == set(told)
    for row in found["runs"]:
        score = told[row["name"]]["score"]
        assert {name: row["score"][name] for name in score} == score
        assert row["score"]["said"] == f"{100 * score['value']:.1f} %"
    values = [row["score"]["value"] for row in found["runs"]]
    assert values == sorted(values, reverse=True)
    ran: list[object] = []
    exec(found["script"]["python"], {"print": lambda *words: ran.append(words)})
    assert len(ran) == len(told)
    assert "accuracy>0.9 seed<2" in found["script"]["command"]


def test_what_has_not_changed_is_not_sent_again(studio: Studio) -> None:
    status, headers, content = studio.ask("/api/runs?count=20")
    assert (status, len(content) < 60_000) == (200, True)
    mark = {"if-none-match": headers["etag"]}
    assert studio.ask("/api/runs?count=20", headers=mark)[::2] == (304, b"")
    assert studio.ask("/api/runs?count=21", headers=mark)[0] == 200


@pytest.mark.parametrize("query", ["filter=acuracy%3E1", "filter=%22open", "sort=nothing",
                                   "start=-1", "start=x", "columns=nothing", "fold=maybe","filter=" + "x" * 1001])  # fmt: skip
def test_bad_queries_are_one_line(studio: Studio, query: str) -> None:
    status, _, content = studio.ask(f"/api/runs?{query}")
    assert status == 400
    assert json.loads(content)["error"]["what"]


def test_columns_are_searched(studio: Studio) -> None:
    found = studio.get("/api/columns?search=loss")
    assert {"val_loss", "train_loss", "loss", "log_loss"} <= set(found["names"])
    assert found["matching"] == len(found["names"]) <= 40 < found["all"] + 40


@IN_BROWSER
def test_a_reader_filters_sorts_opens_and_goes_on_by_keyboard(
    studio: Studio, shown: browser.Browser
) -> None:
    errors: list[str] = []
    with shown.visit(studio.address) as (page, asked):
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.locator("tbody tr .spark").first.wait_for()
        assert page.locator("tbody tr").count() < 60  # of the rows, those that are seen
        assert int(page.locator("table").first.get_attribute("aria-rowcount")) > 54
        assert "damaged" in page.locator("tbody").inner_text()
        assert page.evaluate("window.hurt") is None
        assert page.locator("tbody img, tbody script").count() == 0
        box = page.get_by_label("Filter", exact=True)
        box.fill("acuracy>0.9")
        page.get_by_text("did you mean 'accuracy'?").wait_for()
        box.fill("model:mlp seed<2 name:iris")
        page.get_by_text("26 of 205 runs in 13 rows").wait_for()
        page.locator("tbody tr[data-at='0']").focus()
        page.keyboard.press("ArrowRight")
        page.locator("tbody th.within").first.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("End")
        page.locator("tr[data-at='14']:focus").wait_for()
        page.get_by_role("button", name="Score").click()
        page.locator("th[aria-sort='descending']").get_by_text("Score").wait_for()
        assert "sort=score" in page.url
        assert "filter=model" in page.url
        assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    assert errors == []


@IN_BROWSER
def test_the_first_questions_are_asked_once_and_early(
    studio: Studio, shown: browser.Browser
) -> None:
    with shown.visit(studio.address) as (page, asked):
        page.locator("tbody tr .spark").first.wait_for()
        places = [url.split("/", 3)[3] for url in asked]
        assert places.count("api/session") == 1
        assert page.evaluate("window.__ahead.size") == 0  # each was taken by who needed it
        begun, parsed = page.evaluate("""() => [
            performance.getEntriesByType('resource').find((e) => e.name.includes('/api/runs')).startTime,
            performance.getEntriesByType('navigation')[0].domInteractive]""")
        assert begun <= parsed  # before any module runs


@IN_BROWSER
def test_a_run_that_is_new_appears_and_one_that_is_gone_goes(
    tmp_path: Path, shown: browser.Browser
) -> None:
    with studio_of(tmp_path) as studio, shown.visit(studio.address, width=360) as (page, _):
        page.get_by_text("chymist fit digits").wait_for()
        made = make_run(tmp_path / "first", series=3, points=3)
        page.get_by_role("link", name="first").wait_for(timeout=10_000)
        root = page.locator("html")
        assert root.evaluate("root => root.scrollWidth - root.clientWidth") == 0
        shutil.rmtree(made)
        page.get_by_text("chymist fit digits").wait_for(timeout=10_000)


@IN_BROWSER
@pytest.mark.hard
def test_a_thousand_runs_are_seen_in_half_a_second(tmp_path: Path, shown: browser.Browser) -> None:
    """U1: 1,000 runs of 100 metrics; from the address to rows with their curves, painted."""
    make_runs(tmp_path, 1_000, series=100, points=30)
    cold, warm = [], []
    for _ in range(3):
        with studio_of(tmp_path) as studio, shown.visit(studio.address) as (page, _):
            cold.append(page.evaluate(PAINTED))
    with studio_of(tmp_path) as studio:
        while studio.get("/api/runs")["unread"]:
            time.sleep(0.1)
        for _ in range(20):
            with shown.visit(studio.address) as (page, _):
                warm.append(page.evaluate(PAINTED))
    print(f"U1: warm median {statistics.median(warm):.0f} ms, p95 {sorted(warm)[18]:.0f} ms; "
          f"cold {', '.join(f'{one:.0f}' for one in cold)} ms")  # fmt: skip
    assert statistics.median(warm) <= 500
    assert statistics.median(cold) <= 1_500
