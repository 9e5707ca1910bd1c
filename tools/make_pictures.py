"""Make the pictures of the documentation: `.venv/bin/python tools/make_pictures.py`.

All come from scikit-learn's digits, the run of `make demo`, or rows that are generated; nothing is
drawn by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import chymist as cy
from chymist.protocols import cuts
from chymist.reports.about_data import samples_figure
from chymist.reports.about_errors import errors_section
from chymist.reports.about_training import loss_figure, rate_figure
from chymist.reports.cuts import cuts_picture
from chymist.reports.markup import Markup
from chymist.reports.style import as_file

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"


def protocols_picture() -> Markup:
    """How each protocol cuts twelve rows: of two classes, of four groups, or in time."""
    make, targets = cy.protocols, np.arange(12) // 8
    classes = cy.load((np.arange(12.0)[:, None], np.array(["a", "b"])[targets]))
    values, groups = cy.load((np.arange(12.0)[:, None], np.arange(12) * 0.5)), np.arange(12) // 3
    with_groups, in_time = {"group": groups}, {"time": np.arange(12)}
    ways: list[tuple[str, str, Any, Any, dict[str, Any]]] = [
        ("kfold(folds=4), classes", "aaaaaaaabbbb", make.kfold(folds=4), classes, {}),
        ("kfold(folds=2), groups", "AAABBBCCCDDD", make.kfold(folds=2), values, with_groups),
        ("leave_one_out()", "", make.leave_one_out(), values, {}),
        ("leave_p_out(p=2)", "", make.leave_p_out(p=2), values, {}),
        ("leave_groups_out(p=1)", "AAABBBCCCDDD", make.leave_groups_out(), values, with_groups),
        ("monte_carlo(), classes", "aaaaaaaabbbb", make.monte_carlo(), classes, {}),
        ("bootstrap()", "", make.bootstrap(), values, {}),
        ("time_series(gap=1)", "", make.time_series(gap=1), values, in_time),
    ]  # fmt: skip
    return cuts_picture(
        [
            (title, marks or " " * 12, cuts(way, data, **more))
            for title, marks, way, data, more in ways
        ]
    )


def main() -> None:
    """Fit digits with the defaults and write the pictures."""
    run = cy.fit(cy.Recipe(), cy.split(cy.load("digits"), seed=0), seed=0, threads="auto")
    FOLDER.mkdir(parents=True, exist_ok=True)
    pieces = {
        "loss": loss_figure(run), "rate": rate_figure(run), "samples": samples_figure(run),
        "errors": errors_section(run), "protocols": protocols_picture(),
    }  # fmt: skip
    for name, piece in pieces.items():
        if "<svg" in str(piece):
            (FOLDER / f"{name}.svg").write_text(as_file(piece), encoding="utf-8")
            print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
