"""Cross-validations and comparisons as folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chymist.engine.files import write_file
from chymist.engine.folder import whole_folder, write_json
from chymist.values import Data, Predictions, Recipe
from chymist.verbs.comparison import Comparison
from chymist.verbs.histories import write_curves
from chymist.verbs.study_pages import comparison_page, cross_validation_page, write_page
from chymist.verbs.validation import CrossValidation
from chymist.verbs.writing import shares_of, write_table


def write_cross_validation(out: Path, found: CrossValidation, recipe: Recipe, data: Data) -> Path:
    """Write a cross-validation as a folder: cv.json, recipe.toml, predictions.csv, report.html.

    Returns:
        The path of the predictions.

    Raises:
        InputError: the folder is taken or not writable.
    """
    plain = found.to_dict()
    with whole_folder(out) as draft:
        write_json(draft / "cv.json", plain)
        write_file(draft / "recipe.toml", recipe.to_toml().encode())
        write_table(draft / "predictions.csv", _out_of_fold(found.predictions, data))
        write_curves(draft, found.curves)
        write_page(draft, cross_validation_page(plain, found.curves))
    return out / "predictions.csv"


def write_comparison(out: Path, found: Comparison, data: Data) -> Path:
    """Write a comparison as a folder: comparison.json, predictions.csv of all entries, report.html.

    Returns:
        The path of the predictions.

    Raises:
        InputError: the folder is taken or not writable.
    """
    lines: list[list[object]] = []
    places = [(cut.repeat, cut.fold) for cut in found.cuts for _ in cut.held]
    for entry in found.entries:
        heads, *rows = _out_of_fold(entry.predictions, data)
        lines += [] if lines else [["entry", "repeat", "fold", *heads]]
        lines += [[entry.name, *place, *row] for place, row in zip(places, rows, strict=True)]
    with whole_folder(out) as draft:
        write_json(draft / "comparison.json", found.to_dict())
        write_table(draft / "predictions.csv", lines)
        write_curves(draft, found.curves)
        write_page(draft, comparison_page(found.to_dict(), found.curves))
    return out / "predictions.csv"


def _out_of_fold(found: Predictions, data: Data) -> list[list[object]]:
    """Row numbers from 1, target, prediction and probabilities, one line per row and repeat."""
    if data.classes:
        heads: list[object] = [
            "row",
            "target",
            "prediction",
            *shares_of(data.classes, found.estimated),
        ]
        rows: list[list[object]] = [heads]
        for row, target, line in zip(found.rows, found.targets, found.outputs, strict=True):
            names = data.classes[int(target)], data.classes[int(line.argmax())]
            rows.append([int(row) + 1, *names, *(f"{p:.6g}" for p in line)])
    else:
        rows = [["row", "target", "prediction"]]
        for row, target, value in zip(found.rows, found.targets, found.outputs, strict=True):
            rows.append([int(row) + 1, *(repr(float(v)) for v in np.ravel([target, value]))])
    return rows
