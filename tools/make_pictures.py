"""Make the pictures of the documentation: `.venv/bin/python tools/make_pictures.py`.

All come from scikit-learn's digits and the run of `make demo`; nothing is drawn by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import chymist as cy
from chymist.reports.about_data import samples_figure
from chymist.reports.about_errors import errors_section
from chymist.reports.about_training import loss_figure, rate_figure
from chymist.reports.style import STYLE

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"


def drawing(markup: object) -> str:
    """The first SVG of a piece of the report, as a file of its own with the report's style."""
    found = re.search(r"<svg\b.*?</svg>", str(markup), re.DOTALL)
    if found is None:
        raise ValueError("no drawing in this piece of the report")
    svg = found.group()
    if "xmlns=" not in svg.split(">")[0]:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    head, rest = svg.split(">", 1)
    style = STYLE.replace("body", "svg").replace("<", "&lt;")
    return f"{head}><style>{style}</style>{rest}\n"


def main() -> None:
    """Fit digits with the defaults and write the pictures."""
    run = cy.fit(cy.Recipe(), cy.split(cy.load("digits"), seed=0), seed=0, threads="auto")
    FOLDER.mkdir(parents=True, exist_ok=True)
    pieces = {
        "loss": loss_figure(run), "rate": rate_figure(run), "samples": samples_figure(run),
        "errors": errors_section(run),
    }  # fmt: skip
    for name, piece in pieces.items():
        if "<svg" in str(piece):
            (FOLDER / f"{name}.svg").write_text(drawing(piece), encoding="utf-8")
            print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
