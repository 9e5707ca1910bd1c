"""What the documentation shows runs, and what it links to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/tour.md",
        "docs/protocols.md",
        "docs/populations.md",
        "docs/optimisers.md",
        "docs/remedies.md",
        "docs/doctor.md",
        "docs/trees.md",
        "docs/linear.md",
        "docs/derivatives.md",
        "docs/calculators.md",
        "docs/maths.md",
        "docs/palette.md",
        "docs/graphs.md",
        "docs/sequences.md",
        "docs/images.md",
        "docs/networks.md",
        "docs/architecture.md",
        "docs/explaining.md",
        "docs/neurons.md",
        "docs/reports.md",
        "docs/tensorboard.md",
        "docs/tools.md",
        "docs/studio.md",
    ],
)
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert "import chymist as cy" in code
    exec(compile(code, page, "exec"), {"__name__": "page"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_page_of_defaults_agrees_with_the_table() -> None:
    from chymist.engine import defaults

    text = (ROOT / "docs" / "defaults.md").read_text("utf-8")
    assert f"{defaults.IMAGE_EPOCHS} epochs, at least {defaults.IMAGE_STEPS} steps" in text
    assert f"{defaults.TABLE_EPOCHS} epochs, at least {defaults.TABLE_STEPS:,} steps" in text
    for kind in ("text", "tokens"):
        epochs, steps = defaults.STEP_LENGTHS[kind]
        assert f"{epochs} epochs, at least {steps} steps" in text
    low, high = defaults.TABLE_BATCHES
    assert f"a power of two from {low} to {high}" in text
    assert f"128 from {defaults.LARGE_IMAGE_SET:,} rows" in text


def test_every_page_is_reached_from_the_list_of_pages() -> None:
    listed = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in listed} == set()
    assert "docs/README.md" in (ROOT / "README.md").read_text()
