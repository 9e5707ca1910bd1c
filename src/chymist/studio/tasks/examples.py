"""Rows of a run as a page shows them: pictures, words, cells, lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chymist.data.texts import FILL
from chymist.errors import UsageError, nearest
from chymist.reports.picture_rows import raw_shaded, shaded
from chymist.reports.pictures import data_uri
from chymist.studio.tasks.opened import Opened, opened
from chymist.values import whole_number
from chymist.verbs.explanations import written

MOST = 60  # rows of one answer
CELLS, LETTERS, AROUND, POINTS, LINES = 40, 600, 12, 400, 4
SIDE = 112  # pixels of a picture
ORDERS = ("loss", "sure", "unsure", "row")
WHICH = ("all", "right", "wrong")


def examples(
    folder: str, true: int | None = None, said: int | None = None, which: str = "all",
    order: str = "loss", offset: int = 0, count: int = 24, row: int | None = None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Scored rows with what is true of them and what was said.

    Args:
        folder: of the run.
        true, said: number of the true class and of the answer; None for any.
        which: "all", "right" or "wrong" ones.
        order: "loss" or "sure", the largest first; "unsure", the smallest first; "row".
        offset: how many are passed over.
        count: how many are given at most.
        row: number of one row from 0, which is then the only one.

    Yields:
        total, and rows: see `plain`.

    Raises:
        UsageError: no such class, order or choice.
    """
    run = opened(folder)
    places = chosen(run, true, said, which, order)
    if row is not None:
        places = np.array([run.place_of(row)])
    some = places[offset : offset + whole_number(count, "count", 1, MOST)]
    yield {"total": len(places), "rows": [plain(run, int(place)) for place in some]}


def chosen(run: Opened, true: int | None, said: int | None, which: str, order: str) -> np.ndarray:
    """Places of rows among the predictions, in order; arguments as for `examples`."""
    if which not in WHICH or order not in ORDERS:
        wrong, known = (which, WHICH) if which not in WHICH else (order, ORDERS)
        raise UsageError("no such choice of rows", received=wrong[:40], do=nearest(wrong, known))
    found, kept = run.found, np.ones(len(run.found.rows), bool)
    for wanted, values, name in ((true, found.targets, "true"), (said, found.labels, "said")):
        if wanted is not None:
            whole_number(wanted, name, 0, len(run.classes) - 1)
            kept &= values == wanted
    if which != "all" and run.classes:
        kept &= (found.labels == found.targets) == (which == "right")
    places = np.flatnonzero(kept)
    if order == "row":
        return places
    if order == "loss" or not run.classes:
        rank = -run.losses[places] if order in ("loss", "unsure") else run.losses[places]
    else:
        sure = found.outputs[places, found.labels[places]]
        rank = -sure if order == "sure" else sure
    ranked: np.ndarray = places[np.argsort(rank, kind="stable")]
    return ranked


def plain(run: Opened, place: int) -> dict[str, Any]:
    """One answer: row (from 1), step, truth, what was said, how sure, loss, and the row itself."""
    found, classes, row = run.found, run.classes, int(run.found.rows[place])
    loss = float(run.losses[place])
    made: dict[str, Any] = {"row": row + 1, "loss": f"{loss:.2f}" if classes else written(loss)}
    if run.stepwise:
        made["step"] = int(run.steps[place]) + 1
    if run.full:
        truth, said = int(found.targets[place]), int(found.labels[place])
        made |= {"true": classes[truth], "said": classes[said], "right": truth == said,
                 "sure": f"{100 * found.outputs[place, said]:.1f} %"}  # fmt: skip
    elif classes:  # of very many classes the first chance is that of the right one
        right = bool(found.outputs[place, 0] >= found.outputs[place, 1:].max())
        made |= {"true": "", "said": "", "right": right,
                 "sure": f"{100 * found.outputs[place, 0]:.1f} %"}  # fmt: skip
    else:
        made |= {"true": _values(found.targets[place]), "said": _values(found.outputs[place]),
                 "right": True, "sure": ""}  # fmt: skip
    return {**made, "shown": shown(run, row, made.get("step"))}


def shown(run: Opened, row: int, step: int | None = None) -> dict[str, Any]:
    """A row as it was read: {"kind": "image", "src"}, {"kind": "cells", "cells"}, ..."""
    data = run.split.data
    if data.kind == "graph":
        return {"kind": "cells", "cells": _node(run, row)}
    raw = data.take(np.array([row]))
    if isinstance(raw, Mapping):
        return {"kind": "cells", **_cells(list(raw), [cell[0] for cell in raw.values()])}
    one = np.asarray(raw)[0]
    if data.kind == "image":
        return {"kind": "image", "src": picture(run, one), "height": one.shape[0],
                "width": one.shape[1]}  # fmt: skip
    if data.kind == "text":
        return {"kind": "text", "text": str(one)[:LETTERS], "cut": len(str(one)) > LETTERS}
    if data.kind == "tokens":
        return {"kind": "words", **_words(run, row, one, step)}
    if data.kind == "sequence":
        return _series(one)
    names = [column.name for column in data.columns]
    flat = one.ravel()
    names = names if len(names) == len(flat) else [f"x{i + 1}" for i in range(len(flat))]
    return {"kind": "cells", **_cells(names, list(flat))}


def picture(run: Opened, image: np.ndarray, side: int = SIDE) -> str:
    """A raw image as the address of a PNG, on the scale of its data set."""
    return data_uri(raw_shaded([image], *run.pixels)[0], side)


def _cells(names: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    pairs = [[name, written(cell)[:120]] for name, cell in zip(names[:CELLS], cells, strict=False)]
    return {"cells": pairs, "more": max(0, len(names) - CELLS)}


def _node(run: Opened, row: int) -> list[list[str]]:
    """What is known of a node, or of a graph."""
    graph = run.split.data.graph
    assert graph is not None
    if graph.owners is not None:
        nodes = np.flatnonzero(graph.owners == row)
        edges = int(np.isin(graph.edges[0], nodes).sum())
        return [["nodes", f"{len(nodes):,}"], ["edges", f"{edges:,}"]]
    name = graph.names[row] if graph.names else str(row)
    into = graph.edges[0][graph.edges[1] == row]
    near = [graph.names[n] if graph.names else str(n) for n in into[:8].tolist()]
    return [["node", name], ["edges", f"{len(into):,}"], ["neighbours", ", ".join(near)]]


def _words(run: Opened, row: int, numbers: np.ndarray, step: int | None) -> dict[str, Any]:
    """Words around a step, or the first ones; `at` is the one that was answered."""
    known = run.split.data.vocabulary
    lines = numbers.reshape(len(numbers), -1)[:, 0]
    at = 0
    if step is not None:
        targets = run.split.data.targets[row]
        at = int(np.flatnonzero(targets >= 0)[step - 1])
    start = max(0, at - AROUND)
    words = [
        known[n] if 0 <= n < len(known) else f"#{n}"
        for n in lines[start : at + AROUND + 1].tolist()
    ]
    filled = [place for place, n in enumerate(lines[start:].tolist()) if n == FILL]
    end = filled[0] if known and filled else len(words)
    return {"words": [word[:40] for word in words[: max(end, at - start + 1)]],
            "at": None if step is None else at - start, "before": start}  # fmt: skip


def _series(values: np.ndarray) -> dict[str, Any]:
    """Few lines as numbers, many as a picture: time from left to right."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    if table.shape[1] > LINES:
        low, high = float(np.nanmin(table)), float(np.nanmax(table))
        return {"kind": "image", "src": data_uri(shaded(table.T, low, high), 2 * SIDE),
                "height": table.shape[1], "width": table.shape[0]}  # fmt: skip
    return {"kind": "series", "steps": len(table),
            "lines": [_thinned(line) for line in table.T]}  # fmt: skip


def _thinned(line: np.ndarray) -> list[float]:
    """A line with at most so many points that none of its extremes is lost."""
    if len(line) <= POINTS:
        return [float(v) for v in line]
    parts = np.array_split(line, POINTS // 2)
    return [float(v) for part in parts for v in (np.nanmin(part), np.nanmax(part))]


def _values(values: Any) -> str:
    several = np.ravel(values)
    return ", ".join(written(float(v)) for v in several[:4]) + (", …" if len(several) > 4 else "")
