"""The first five minutes in the studio are true, and its page has a picture of each step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import browser
from tests.studio import BUILT, studio_of
from tests.studio_minutes import GOOD, LONG, SICK, Minutes, chymist

DOCS = Path(__file__).parents[1] / "docs"
STEPS = (
    "runs", "xor-linear", "xor-hidden", "overview", "worst-digit", "explain", "doctor", "paused",
    "curves", "stopped",
)  # fmt: skip


def test_every_step_has_its_picture() -> None:
    page = (DOCS / "studio-first-minutes.md").read_text("utf-8")
    assert re.findall(r"\(pictures/studio-([a-z-]+)\.png\)", page) == list(STEPS)
    assert all((DOCS / "pictures" / f"studio-{step}.png").is_file() for step in STEPS)


@pytest.mark.hard
@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_first_minutes_are_true(tmp_path: Path) -> None:
    assert not any(chymist(words, tmp_path).wait() for words in (GOOD, SICK))
    training, shown, seen = chymist(LONG, tmp_path), browser.Browser(tmp_path), list[str]()
    try:
        with studio_of(tmp_path / "runs") as studio, shown.visit(studio.address) as (page, _):
            Minutes(page, seen.append).all()
            assert training.wait(60) == 0  # stopped with a score
    finally:
        shown.close()
        training.kill()
    assert tuple(seen) == STEPS
