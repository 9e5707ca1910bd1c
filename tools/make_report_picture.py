"""Make the pictures of docs/reports.md, with an installed Chromium.

`PYTHONPATH=. .venv/bin/python tools/make_report_picture.py`: three epochs of the usual network on
scikit-learn's digits.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image

import chymist as cy
from tests.browser import Browser

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
PARTS = {"report-verdict": "#verdict", "report-looked": "#looked"}
WIDTH = 1000  # pixels


def main() -> None:
    """Fit, open the report, and take a picture of two of its sections."""
    with tempfile.TemporaryDirectory() as place:
        split = cy.split(cy.load("digits"), seed=0)
        run = cy.fit(
            cy.Recipe(length="3 epochs"), split, seed=0, threads=1, out=Path(place) / "run"
        )
        browser = Browser(Path(place))
        with browser.page(run.path / "report.html", width=WIDTH) as (page, _):
            for name, part in PARTS.items():
                taken = Image.open(io.BytesIO(page.locator(part).screenshot()))
                taken.quantize(128).save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
