"""Every page of the studio on small real runs: accessible, in two languages and themes, alone.

Pages are taken from the registry of the front end, so a page that is added is opened too.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

import chymist as cy
from chymist.engine.folder import alone_in
from chymist.engine.kinds import kind_in
from chymist.errors import Diverged
from chymist.verbs.writing_studies import write_comparison
from tests import browser
from tests.studio import BUILT, Studio, studio_of

pytestmark = pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
WEB = Path(__file__).parents[1] / "web/src"
LOOKS = tuple(itertools.product(("en-GB", "zh-CN"), (False, True), (browser.WIDE, browser.NARROW)))
Place = tuple[str, str]  # a run, or nothing, and a page


def registered(table: str) -> list[str]:
    """Names in a table of the registry."""
    text = (WEB / "kit/pages.ts").read_text()
    inside = re.search(rf"export const {table}\b.*?= \{{\n(.*?)^\}};", text, re.S | re.M)
    assert inside is not None
    return re.findall(r'^\s*"?([\w-]*)"?: \(\) =>', inside.group(1), re.MULTILINE)


def tabs() -> dict[str, set[str]]:
    """Tabs by name, with the kinds of folders that they are for."""
    text = (WEB / "kit/pages.ts").read_text()
    studies = set(re.findall(r'"(\w+)"', text.split("const STUDIES")[1].split(";")[0]))
    found = {}
    for part, kinds in re.findall(r'part: "(\w*)".*?kinds: ([^}]*)\}', text):
        named = set(re.findall(r'"(\w+)"', kinds))
        found[part] = named | studies if "STUDIES" in kinds else named
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of every kind, one of them with losses that are no numbers."""
    folder = tmp_path_factory.mktemp("runs")
    digits, iris = cy.split(cy.load("digits"), seed=0), cy.split(cy.load("iris"), seed=0)
    cy.fit(cy.Recipe(model="cnn", length="1 epoch"), digits, out=folder / "digits-cnn")
    soft = cy.Recipe(model="softmax", length="5 epochs")
    cy.fit(soft, iris, out=folder / "iris-table")
    cy.fit_population(soft, iris, seeds=3, out=folder / "population")
    other = cy.Recipe(model="mlp", length="2 epochs")
    compared = cy.compare({"softmax": soft, "mlp": other}, iris, seeds=3)
    write_comparison(folder / "comparison", compared, iris.data)
    wild = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=1e9), length="3 epochs")
    with pytest.raises(Diverged):
        cy.fit(wild, iris, out=folder / "diverged")
    lines = ["epoch,loss,val_loss"]
    values = [0.9, 0.5, math.nan, math.inf, 1e38, 0.3]
    lines += [f"{n},{v},{v}" for n, v in enumerate(values)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    cy.import_log(folder / "log.csv", out=folder / "log")
    young = folder / "training"
    cy.fit(soft, iris, out=young)
    for name in ("result.json", "findings.json", "model.safetensors", "report.html"):
        (young / name).unlink()
    return folder


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with alone_in(runs / "training"), studio_of(runs) as found:
        yield found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    found = browser.Browser(tmp_path_factory.mktemp("home"))
    yield found
    found.close()


def places(runs: Path) -> list[Place]:
    """Every page of the studio, and every page of every run that has it."""
    known, found = tabs(), [("", part) for part in registered("PAGES")]
    for folder in sorted(path for path in runs.iterdir() if path.is_dir()):
        kind = kind_in(folder)
        found += [(folder.name, part) for part in registered("RUN_PAGES")
                  if kind in known.get(part, ())]  # fmt: skip
    return found


class Reader:
    """Opens pages of a studio in one window, and says what is wrong with them.

    Args:
        page: of the browser.
        studio: whose pages.
        asked: every address that was asked for.
    """

    def __init__(self, page: Any, studio: Studio, asked: list[str]) -> None:
        self.page, self.studio, self.asked = page, studio, asked
        self.said: list[str] = []
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        refused = re.search(r"status of 4(00|22)", message.text)  # the page says why, in one line
        if message.type == "error" and not refused:
            self.said.append(f"console: {message.text}")

    def open(self, place: Place) -> None:
        """Go to a page by its address, and wait until it shows what it has."""
        run, part = place
        path = f"runs/{quote(run)}/{part}" if run else part
        self.page.goto(f"{self.studio.address.split('?')[0]}#/{path.rstrip('/')}")
        self.page.locator("main h1").first.wait_for(timeout=20_000)
        busy = self.page.locator("main [aria-busy=true]")
        busy.first.wait_for(state="detached", timeout=40_000)
        self.page.wait_for_timeout(150)

    def faults(self, place: Place) -> list[str]:
        """What is wrong with a page; nothing if all is well."""
        from axe_playwright_python.sync_playwright import Axe
        from playwright.sync_api import TimeoutError

        found = []
        try:
            self.open(place)
        except TimeoutError as error:
            found.append(f"it does not come: {str(error).splitlines()[0]}")
        found += self.said
        self.said.clear()
        rules = Axe().run(self.page).response["violations"]
        found += [f"axe {r['id']}: {r['nodes'][0]['html'][:160]}" for r in rules]
        root = self.page.locator("html")
        wide = int(root.evaluate("root => root.scrollWidth - root.clientWidth"))
        found += [f"{wide} pixels too wide"] if wide > 0 else []
        headings = self.page.locator("main h1").all_inner_texts()
        found += [f"headings: {headings}"] if len(headings) != 1 else []
        title = self.page.title()
        if headings and (headings[0] not in title or "chymist" not in title):
            found.append(f"title: {title}")
        broken = self.page.get_by_text(re.compile("part of the page has failed|这一部分出错了"))
        found += [f"broken: {text}" for text in broken.all_inner_texts()]
        origin = f"http://127.0.0.1:{self.studio.port}/"
        found += [f"asked for {url}" for url in self.asked
                  if not url.startswith((origin, "data:", "blob:"))]  # fmt: skip
        self.asked.clear()
        return [f"{place}: {one}" for one in found]


def read(
    shown: browser.Browser, studio: Studio, look: tuple[str, bool, int], wanted: list[Place]
) -> list[str]:
    """Faults of some pages in a language, a theme and a width."""
    lang, dark, width = look
    with shown.visit(studio.address, width=width, dark=dark, lang=lang) as (page, asked):
        reader = Reader(page, studio, asked)
        return [f"{look} {fault}" for place in wanted for fault in reader.faults(place)]


def test_every_page_once(shown: browser.Browser, studio: Studio, runs: Path) -> None:
    once: dict[str, Place] = {}
    for place in places(runs):
        once.setdefault(f"{bool(place[0])}{place[1]}", place)
    some = ((LOOKS[0], 0), (LOOKS[-1], 1))  # English, light, wide; Chinese, dark, narrow
    found = [fault for look, n in some
             for fault in read(shown, studio, look, list(once.values())[n::2])]  # fmt: skip
    assert not found, "\n".join(found)


@pytest.mark.hard
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_of_every_run_in_every_look(
    shown: browser.Browser, studio: Studio, runs: Path, look: tuple[str, bool, int]
) -> None:
    found = read(shown, studio, look, places(runs))
    assert not found, "\n".join(found)


def test_the_registry_is_read() -> None:
    assert "" in registered("PAGES")
    assert {"doctor", "architecture"} <= set(registered("RUN_PAGES")) <= set(tabs())
    assert tabs()["doctor"] == {"fit", "import"}


class TestKeyboard:
    def test_from_the_list_to_a_page_of_a_run(self, shown: browser.Browser, studio: Studio) -> None:
        with shown.visit(studio.address) as (page, asked):
            reader = Reader(page, studio, asked)
            reader.open(("digits-cnn", "architecture"))
            page.keyboard.press("]")
            page.get_by_role("heading", level=1, name="What the doctor says").wait_for()
            assert page.evaluate("document.activeElement.tagName") == "H1"
            page.keyboard.press("?")
            page.get_by_role("dialog").wait_for()
            page.keyboard.press("Escape")
            assert page.get_by_role("dialog").count() == 0
            page.keyboard.press("[")
            page.get_by_role("heading", level=1, name="What flows through").wait_for()
            box = page.locator("g[data-nodes][tabindex='0']")
            box.wait_for()
            box.focus()
            page.keyboard.press("ArrowDown")
            page.get_by_role("complementary").get_by_role("heading", name="Conv2d").wait_for()
            assert reader.said == []

    @pytest.mark.hard
    def test_a_run_and_a_cell_of_its_matrix_are_opened(
        self, shown: browser.Browser, studio: Studio
    ) -> None:
        with shown.visit(studio.address) as (page, asked):
            reader = Reader(page, studio, asked)
            reader.open(("", ""))
            page.get_by_role("link", name="digits-cnn", exact=True).press("Enter")
            page.wait_for_url("**/runs/digits-cnn*")
            page.get_by_role("link", name="Predictions").press("Enter")
            cell = page.locator(".matrix button[tabindex='0']").first
            cell.wait_for(timeout=40_000)
            cell.focus()
            page.keyboard.press("Enter")
            page.locator("section.rows li").first.wait_for(timeout=40_000)
            assert reader.said == []

    def test_the_skip_link_and_the_switches(self, shown: browser.Browser, studio: Studio) -> None:
        with shown.visit(studio.address) as (page, asked):
            reader = Reader(page, studio, asked)
            reader.open(("", ""))
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.tagName") == "MAIN"
            page.get_by_role("button", name="中文").press("Enter")
            page.get_by_role("heading", level=1, name="运行").wait_for()
            assert page.evaluate("document.documentElement.lang") == "zh-CN"
            page.get_by_label("颜色").select_option("dark")
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
            page.reload()
            page.get_by_role("heading", level=1, name="运行").wait_for()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
            assert sum(map(int, re.findall(r"\d+", dark))) < 128

    def test_single_letters_can_be_switched_off(
        self, shown: browser.Browser, studio: Studio
    ) -> None:
        with shown.visit(studio.address) as (page, asked):
            Reader(page, studio, asked).open(("", ""))
            page.keyboard.press("?")
            page.get_by_label("Single letters are keys").uncheck()
            page.keyboard.press("Escape")
            page.keyboard.press("?")
            page.wait_for_timeout(100)
            assert page.get_by_role("dialog").count() == 0


class TestFigure:
    def test_numbers_csv_and_pictures(self, shown: browser.Browser, studio: Studio) -> None:
        with shown.visit(studio.address) as (page, asked):
            reader = Reader(page, studio, asked)
            reader.open(("digits-cnn", "architecture"))
            page.get_by_role("button", name="Numbers").click()
            rows = page.locator("figure tbody tr")
            rows.first.wait_for()
            with page.expect_download() as kept:
                page.get_by_role("button", name="Save as CSV").click()
            text = Path(kept.value.path()).read_text()
            assert len(text.splitlines()) == 1 + rows.count()
            with page.expect_download() as kept:
                page.get_by_role("button", name="Save as SVG").click()
            svg = Path(kept.value.path()).read_text()
            assert "Conv2d" in svg
            assert "var(--" not in svg
            with page.expect_download() as kept:
                page.get_by_role("button", name="Save as PNG").click()
            assert Path(kept.value.path()).read_bytes().startswith(b"\x89PNG")
            assert reader.said == []


@pytest.mark.hard
class TestStudioEnds:
    def test_the_page_says_so_and_finds_it_again(self, shown: browser.Browser, runs: Path) -> None:
        with studio_of(runs) as one, shown.visit(one.address) as (page, asked):
            Reader(page, one, asked).open(("", ""))
            page.get_by_text("Live", exact=True).wait_for()
            one.stop()
            page.get_by_text("Reconnecting").wait_for(timeout=20_000)


def test_values_that_are_no_numbers_are_in_the_runs(runs: Path) -> None:
    from chymist.engine.store import read_series

    values = np.concatenate([p[:, 1] for p in read_series(runs / "log/records.sqlite").values()])
    assert np.isnan(values).any()
    assert np.isinf(values).any()
