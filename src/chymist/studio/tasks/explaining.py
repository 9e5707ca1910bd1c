"""Why a run answers as it does: methods that fit it, and their answers for one row."""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from chymist.engine.assembly import forward
from chymist.errors import ChymistError, UsageError, nearest
from chymist.explanation.class_maps import layers
from chymist.explanation.edges import METHODS as OF_EDGES
from chymist.explanation.unit_sums import convolutions
from chymist.explanation.words import METHODS as OF_WORDS
from chymist.reports.saying import saying
from chymist.studio.tasks.opened import Opened, opened, stamp
from chymist.studio.tasks.telling import told_columns, told_edges, told_maps, told_words
from chymist.verbs import partial_dependence, permutation_importance
from chymist.verbs.chosen_rows import keep_sealed
from chymist.verbs.explaining_graphs import explain_graph
from chymist.verbs.explaining_rows import KINDS, METHODS, explain_rows
from chymist.verbs.explaining_words import explain_words
from chymist.verbs.explanations import MEANINGS
from chymist.verbs.predicting import Predictor

LONG = 5.0  # seconds from which on the cost is said beforehand
COLUMNS = ("permutation", "partial-dependence")
# Forward and backward passes of one row that a map takes; of the checks of a small image as well.
PASSES = {"grad-cam": 2, "cam": 1, "saliency": 3, "smooth-grad": 75, "input-x-gradient": 3,
          "integrated-gradients": 150, "occlusion": 170}  # fmt: skip
CHECKED, STEPS = 9, 80
LARGEST_IMAGE = 1_000_000  # bytes of an image of the user


def explainable(folder: str) -> Iterator[dict[str, Any]]:
    """How the answers of a run can be explained.

    Args:
        folder: of the run.

    Yields:
        kind, task, classes; methods, each with name, title and about how many seconds it takes;
        whether new images or texts can be given; columns; convolutions, whose units can be opened.
    """
    run = opened(folder)
    data, methods = run.split.data, usual_methods(run)
    pass_ = _seconds_of_pass(run) if methods and data.kind != "graph" else 0.0
    yield {
        "kind": data.kind, "task": data.task, "classes": list(run.classes),
        "target": data.target, "n": len(run.found.rows),
        "methods": [
            {"name": name, "title": MEANINGS[name][0] if name in MEANINGS else name,
             "about": _cost(name, pass_, run)}
            for name in methods
        ],
        "takes": {"image": "image", "text": "text"}.get(data.kind, "") if methods else "",
        "columns": [f.name for f in run.run.preparation.features] if data.kind in ("table", "array")
        else [],
        "convolutions": list(convolutions(run.run.model)), "sealed": run.sealed(),
    }  # fmt: skip


def usual_methods(run: Opened) -> tuple[str, ...]:
    """Names of the methods that a run can have, the usual one first."""
    kind, task = run.split.data.kind, run.split.data.task
    if task == "language":
        return ()
    if kind in ("text", "tokens"):
        return tuple(OF_WORDS)
    if kind == "graph":
        return tuple(OF_EDGES)
    if kind not in KINDS or task not in ("classification", "regression"):
        return ()
    fits = ["integrated-gradients", "saliency", "smooth-grad", "input-x-gradient", "occlusion"]
    if not any(True for _ in run.run.model.parameters()):
        fits = ["occlusion"]
    if kind == "image":
        with torch.no_grad():
            maps = layers(run.run.model, _prepared(run))
        fits = ["grad-cam"] * bool(maps) + fits
        fits += ["cam"] * (bool(maps) and _has_cam(run))
    if kind in ("table", "array"):
        fits = [*COLUMNS, *fits]
    return tuple(fits)


def explain_row(
    folder: str, method: str, row: int | None = None, target: str | None = None,
    position: int | None = None, column: str | None = None, image: str | None = None,
    text: str | None = None, lang: str = "en",
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One answer explained, with the time it takes said while it is found.

    Args:
        folder: of the run.
        method: one of those that `explainable` names.
        row: its number in the data from 0, no test row; not needed for columns.
        target: name of the class that is explained; None is what is predicted.
        position: word whose tag is explained, from 0.
        column: of a partial dependence.
        image: a file of an image as base64, in place of a row; it is not kept.
        text: a new text, in place of a row.
        lang: "en" or "zh".

    Yields:
        {"seconds": so far}, every second; then {"answer": ...}.

    Raises:
        UsageError: a method, row or class that does not fit.
    """
    run = opened(folder)
    known = usual_methods(run)
    if method not in known:
        raise UsageError("the run cannot be explained in this way", where="method",
                         received=method[:40], do=nearest(method, known or ("none",)))  # fmt: skip
    if row is not None:
        keep_sealed(run.split, np.array([row]), "row")
    if image is None and text is None:
        key = (method, row, target, position, column)
        yield from while_working(lambda: _kept(folder, stamp(folder), key, lang))
    else:
        given = _decoded(image) if image is not None else [str(text)[:20_000]]
        yield from while_working(lambda: _explained(run, method, None, target, position, column,
                                                    lang, given))  # fmt: skip


def while_working(work: Callable[[], Any]) -> Iterator[dict[str, Any]]:
    """Do some work, and say every second that it goes on."""
    start = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        while True:
            try:
                answer = future.result(timeout=1)
                break
            except NotYet:
                yield {"seconds": time.monotonic() - start}
    yield {"answer": answer, "took": time.monotonic() - start}


@lru_cache(maxsize=128)
def _kept(folder: str, _: tuple[int, ...], key: tuple[Any, ...], lang: str) -> dict[str, Any]:
    method, row, target, position, column = key
    return _explained(opened(folder), method, row, target, position, column, lang, None)


def _explained(
    run: Opened, method: str, row: int | None, target: str | None, position: int | None,
    column: str | None, lang: str, given: Any,
) -> dict[str, Any]:  # fmt: skip
    """What is found, as plain values."""
    say, whole = saying(lang), run.run
    if method == "permutation":
        return told_columns(permutation_importance(whole, repeats=10))
    if method == "partial-dependence":
        if column is None:
            raise UsageError("it is not said for which column", where="column")
        return told_columns(partial_dependence(whole, column, target=target))
    if row is None and given is None:
        raise UsageError("it is not said for which row", where="row", do="choose a row")
    asked: dict[str, Any] = {"method": method, "target": target}
    if run.split.data.kind == "graph":
        return told_edges(run, row, explain_graph(whole, row, **asked))
    asked |= {"which": [] if row is None else [row], "most": 1}
    if run.split.data.kind in ("text", "tokens"):
        if run.split.data.task == "tagging":
            asked["position"] = position or 0
        return told_words(run, row, explain_words(whole, given, **asked))
    return told_maps(run, explain_rows(whole, given, **asked), say)


def _decoded(image: str) -> bytes:
    """The bytes of an image that was sent.

    Raises:
        UsageError: it is too large, or no base64.
    """
    if len(image) > LARGEST_IMAGE * 4 // 3 + 4:
        raise UsageError("the image is too large", received=f"over {LARGEST_IMAGE:,} bytes")
    try:
        return base64.b64decode(image, validate=True)
    except binascii.Error:
        raise UsageError("the image was not sent whole", where="image") from None


def _prepared(run: Opened) -> torch.Tensor:
    """One prepared row."""
    predictor = _predictor(run)
    rows = predictor.rows(run.split.data, run.split.train[:1])
    return next(iter(rows.batches([torch.zeros(1, dtype=torch.int64)])))[0]


def _predictor(run: Opened) -> Predictor:
    whole = run.run
    return Predictor(whole.model, whole.preparation, whole.recipe, whole.seed)


def _has_cam(run: Opened) -> bool:
    """Whether the last maps are averaged before one linear layer."""
    try:
        METHODS["cam"](run.run.model, _prepared(run), torch.zeros(1, dtype=torch.int64))
    except ChymistError:
        return False
    return True


def _seconds_of_pass(run: Opened) -> float:
    """What one row takes to go through the model: the least of three tries."""
    row, took = [_prepared(run)], []
    for _ in range(3):
        start = time.perf_counter()
        forward(run.run.model, row)
        took.append(time.perf_counter() - start)
    return min(took)


def _cost(name: str, seconds: float, run: Opened) -> float:
    """About how long a method takes; rounded up, 0 if it is quick."""
    if name in COLUMNS:
        features = len(run.run.preparation.features)
        rows = min(len(run.found.rows), 300 if name == "partial-dependence" else 10**9)
        passes = rows / 20 * (10 * features if name == "permutation" else 50)
    else:
        quick = name in ("cam", "grad-cam", "saliency", "input-x-gradient")
        small = math.prod(run.run.preparation.input_shape) <= 4096
        checks = run.split.data.kind == "image" and (quick or small)
        passes = PASSES.get(name, 150) * (CHECKED if checks else 1) + (STEPS if checks else 0)
    about = seconds * passes
    return math.ceil(about) if about > LONG else 0
