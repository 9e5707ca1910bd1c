"""The harness that opens pages: each of its looks can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

GOOD = (
    '<!DOCTYPE html><html lang="en"><head><title>t</title></head><body><main><h1>One</h1>'
    "<details><summary>more</summary><p>folded</p></details></main></body></html>"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(GOOD)
    return path


def test_a_good_page_passes_every_look(browser: Any, page: Path) -> None:
    assert browser.text(page) == browser.text(page, script=True) == "Onemorefolded"
    assert browser.asked(page) == []
    assert browser.violations(page) == browser.violations(page, width=360, dark=True) == []
    assert browser.overflow(page) == 0
    assert 0 < browser.seconds(page, times=1) < 5


def test_a_script_writes_only_where_it_may_run(browser: Any, page: Path) -> None:
    page.write_text(GOOD.replace("</main>", "<script>document.write('late')</script></main>"))
    assert "late" in browser.text(page, script=True).replace("document.write('late')", "")
    assert "late" not in browser.text(page).replace("document.write('late')", "")


def test_requests_are_seen_and_go_nowhere(browser: Any, page: Path) -> None:
    page.write_text(GOOD.replace("</main>", '<img alt="" src="http://example.org/a.png"></main>'))
    assert browser.asked(page) == ["http://example.org/a.png"]


def test_faults_of_accessibility_are_named(browser: Any, page: Path) -> None:
    page.write_text(GOOD.replace('lang="en"', "").replace("One", '<img src="data:,">One'))
    found = " ".join(browser.violations(page))
    assert "html-has-lang" in found
    assert "image-alt" in found


def test_what_is_too_dark_on_dark_is_seen_in_the_dark_only(browser: Any, page: Path) -> None:
    style = "<style>@media(prefers-color-scheme:dark){body{background:#000;color:#222}}</style>"
    page.write_text(GOOD.replace("</head>", style + "</head>"))
    assert browser.violations(page) == []
    assert "color-contrast" in browser.violations(page, dark=True)[0]


def test_what_does_not_fit_the_screen_is_measured(browser: Any, page: Path) -> None:
    page.write_text(GOOD.replace("<h1>", '<h1 style="width:500px;margin:0">'))
    assert browser.overflow(page, width=360) > 100
