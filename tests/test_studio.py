"""The studio as one asks for it: the command, its answers, its first page in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

import chymist as cy
from tests import browser
from tests.studio import BUILT, studio_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = cy.Recipe(model="softmax", length="3 epochs")
    cy.fit(recipe, cy.split(cy.load("iris"), seed=0), seed=0, out=folder / "iris-0001")
    return folder


def test_the_studio_lists_runs_and_ends_with_ctrl_c(runs: Path) -> None:
    with studio_of(runs) as studio:
        assert [row["name"] for row in studio.get("/api/runs")["runs"]] == ["iris-0001"]
        assert studio.stop() == 0


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_first_page_in_a_browser(runs: Path, tmp_path: Path) -> None:
    shown = browser.Browser(tmp_path)
    try:
        with studio_of(runs) as studio, shown.visit(studio.address) as (page, asked):
            page.get_by_text("iris-0001").wait_for()
            assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()
