"""The answers of a run on its validation rows: errors, rates, calibration, thresholds, slices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chymist.errors import UsageError, nearest
from chymist.evidence.calibration import reliability
from chymist.evidence.class_rates import class_rates
from chymist.evidence.slices import banded, slices
from chymist.evidence.thresholds import threshold_counts
from chymist.metrics import METRICS, auc, confusion_matrix
from chymist.reports.about_errors import (
    MATRIX,
    confused_pairs,
    drawn_errors,
    errors_title,
    percent_of,
    thinned,
)
from chymist.reports.numbers import interval, metric_name, rows_of, share
from chymist.reports.saying import Say, saying
from chymist.studio.tasks.opened import Opened, opened
from chymist.values import show
from chymist.verbs.explanations import written
from chymist.verbs.scoring import metrics_of

LARGEST = 60  # classes of a matrix that is sent; of more the confused pairs
PAIRS, POINTS = 60, 400


def predictions(folder: str, lang: str = "en") -> Iterator[dict[str, Any]]:
    """What there is to see of the answers of a run.

    Args:
        folder: of the run.
        lang: "en" or "zh".

    Yields:
        kind, task, n, sealed (test rows), score, metrics; of classes the matrix or the confused
        pairs, rates, reliability and (of two) thresholds; of values drawings and residuals; columns
        that rows can be sliced by; the script.
    """
    run, say = opened(folder), saying(lang)
    score = run.score
    made: dict[str, Any] = {
        "kind": run.split.data.kind, "task": run.split.data.task, "n": len(run.found.rows),
        "target": run.split.data.target, "split": score.split, "sealed": run.sealed(),
        "stepwise": run.stepwise, "rows": rows_of(score.n, score.split, say),
        "score": {"metric": metric_name(score.metric, say), "interval": interval(score, say),
                  "value": show(score.metric, score.value)},
        "metrics": _metrics(run, say), "columns": list(_columns(run)), "script": _script(run),
    }  # fmt: skip
    if len(run.found.rows):
        made |= _classes(run, say) if run.full else {} if run.classes else _values(run, say)
    yield made


def slice_rows(folder: str, column: str, lang: str = "en") -> Iterator[dict[str, Any]]:
    """The score of the rows with each value of a column.

    Args:
        folder: of the run.
        column: its name.
        lang: "en" or "zh".

    Raises:
        UsageError: there is no such column.
    """
    run, say = opened(folder), saying(lang)
    known = _columns(run)
    if column not in known:
        raise UsageError("no such column", where="column", received=column[:60],
                         do=nearest(column, known))  # fmt: skip
    labels, metric = known[column][run.found.rows], run.score.metric
    if labels.dtype.kind in "fiu":
        found = slices(run.found, banded(labels), metric, run.score.split, labels)
    else:
        found = slices(run.found, _texts(labels), metric, run.score.split)
    yield {
        "column": column, "metric": metric_name(metric, say), "slices": [
            {"name": one.name[:60], "n": one.score.n, "value": show(metric, one.score.value),
             "interval": interval(one.score, say), "number": one.score.value,
             "low": one.score.low, "high": one.score.high}
            for one in found
        ],
    }  # fmt: skip


def _metrics(run: Opened, say: Say) -> list[list[str]]:
    known = metrics_of(run.found, run.split.data) if len(run.found.rows) else {}
    made = []
    for name, value in known.items():
        better = ""
        if name in METRICS:
            greater = METRICS[name].greater_is_better
            better = say("more is better") if greater else say("less is better")
        made.append([metric_name(name, say), show(name, float(value)), better])
    return made


def _classes(run: Opened, say: Say) -> dict[str, Any]:
    """Matrix, rates of classes, reliability, and thresholds of two classes."""
    found, classes = run.found, run.classes
    matrix = confusion_matrix(found.targets, found.labels, len(classes))
    ranked = confused_pairs(matrix)
    totals = matrix.sum(1)
    rates = [
        {"name": name, "rows": rate.true, "said": rate.said, "right": rate.right,
         "recall": share(rate.right, rate.true), "precision": share(rate.right, rate.said),
         "low": f"{100 * rate.low:.0f}", "high": f"{100 * rate.high:.0f}"}
        for name, rate in zip(classes, class_rates(matrix), strict=True)
    ]  # fmt: skip
    made: dict[str, Any] = {
        "title": errors_title(matrix, classes, say), "classes": list(classes), "rates": rates,
        "pairs": [[t, p, n, share(n, int(totals[t]))] for t, p, n in ranked[:PAIRS]],
        "confused": len(ranked), "small": len(classes) <= MATRIX,
        "cells": [
            [t, p, n, percent_of(n, int(totals[t])), percent_of(n, int(matrix[:, p].sum()))]
            for t, p in zip(*(axis.tolist() for axis in np.nonzero(matrix)), strict=True)
            for n in [int(matrix[t, p])]
        ] if len(classes) <= LARGEST else None,
    }  # fmt: skip
    if found.estimated:
        made["reliability"] = _reliability(run)
    if len(classes) == 2 and 0 < found.targets.sum() < len(found.targets):
        made["thresholds"] = _thresholds(run)
    return made


def _reliability(run: Opened) -> dict[str, Any]:
    found = run.found
    sure = found.outputs[np.arange(len(found.labels)), found.labels]
    made = reliability(sure.clip(0, 1), found.labels == found.targets)
    return {
        "bins": [list(one) for one in made.bins if one.rows], "verdict": made.verdict,
        "error": f"{100 * made.error:.1f} %", "chance": f"{100 * made.chance:.1f} %",
        "grouped": found.groups is not None,
    }  # fmt: skip


def _thresholds(run: Opened) -> dict[str, Any]:
    """Counts at every threshold, or an even choice of them with both ends."""
    found = run.found
    made = threshold_counts(found.targets, found.outputs[:, 1])
    most = len(made.thresholds)
    kept = np.unique(np.linspace(0, most - 1, min(most, POINTS)).round().astype(np.int64))
    columns = (made.thresholds, made.hits, made.alarms)
    return {
        "positive": run.classes[1], "positives": made.positives, "negatives": made.negatives,
        "points": [
            [at, hits, alarms, share(hits, made.positives), share(hits, hits + alarms),
             share(alarms, made.negatives)]
            for at, hits, alarms in zip(*(c[kept].tolist() for c in columns), strict=True)
        ],
        "stored": most, "auc": show("auc", auc(found.targets, found.outputs)),
    }  # fmt: skip


def _values(run: Opened, say: Say) -> dict[str, Any]:
    """The drawings of the report, and residuals beside predictions."""
    found, target = run.found, run.split.data.target
    drawn = [
        {"title": one.title, "svg": str(one.picture), "caption": one.caption,
         "head": one.heads, "rows": one.rows}
        for one in drawn_errors(found, target, say)
    ]  # fmt: skip
    said = np.asarray(found.outputs, np.float64).reshape(len(found.rows), -1)
    errors = said - np.asarray(found.targets, np.float64).reshape(len(found.rows), -1)
    kept = thinned(np.abs(errors[:, 0]))
    points = [
        [int(found.rows[i]) + 1, float(said[i, 0]), float(errors[i, 0])] for i in kept.tolist()
    ]
    return {"drawn": drawn, "residuals": points, "outputs": errors.shape[1]}


def _columns(run: Opened) -> dict[str, np.ndarray]:
    """What rows can be sliced by: columns of a table, and labels of rows."""
    data = run.split.data
    if run.stepwise:
        return {}
    known = dict(data.labels)
    if isinstance(data.inputs, np.ndarray):
        if data.inputs.ndim == 2 and data.kind == "array":
            known |= {c.name: data.inputs[:, i] for i, c in enumerate(data.columns)
                      if i < data.inputs.shape[1]}  # fmt: skip
        return known
    used = {one.name for one in data.columns if one.used and one.kind != "date"}
    return known | {name: cells for name, cells in data.inputs.items() if name in used}


def _texts(cells: np.ndarray) -> np.ndarray:
    return np.array([written(cell)[:60] for cell in cells], dtype=object)


def _script(run: Opened) -> dict[str, str]:
    """The same in Python, and on the command line."""
    folder = str(Path(run.saved.path))
    lines = ["import chymist as cy", "", f"run = cy.load_run({folder!r})",
             "found, classes = run.predictions, run.data.classes", "print(run.score)"]  # fmt: skip
    if run.full:
        lines += [
            "print(cy.metrics.confusion_matrix(found.targets, found.labels, len(classes)))",
            "wrong = found.rows[found.labels != found.targets]  # row numbers from 0",
            "print(len(wrong), wrong[:20])",
        ]
    elif not run.classes:
        lines += ["errors = found.outputs - found.targets",
                  "worst = abs(errors).reshape(len(errors), -1).mean(1).argsort()[::-1]",
                  "print(found.rows[worst[:20]])  # row numbers from 0"]  # fmt: skip
    return {"python": "\n".join(lines), "command": f"chymist report {folder}"}
