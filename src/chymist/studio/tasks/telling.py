"""Explanations as plain values that a page draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.explanation.sanity import constant_maps
from chymist.reports.heat import color, ink
from chymist.reports.picture_rows import raw_shaded
from chymist.reports.pictures import data_uri, enlarged
from chymist.reports.saying import Say
from chymist.reports.shades import as_shares, overlay
from chymist.studio.tasks.opened import Opened
from chymist.verbs.columns import PartialDependence, PermutationImportance
from chymist.verbs.explaining_graphs import GraphExplanation
from chymist.verbs.explaining_words import ExplainedWords
from chymist.verbs.explanations import Explanation, written

SIDE = 224  # pixels of a picture
LIKELY, BARS, WORDS = 5, 16, 300
AGAINST = {"unknown": "Compared with the unknown word.", "nothing": "Compared with nothing."}


def told_maps(run: Opened, found: Explanation, say: Say) -> dict[str, Any]:
    """The map over a row, that of the randomised network, and how far it can be believed."""
    row = found.rows[0]
    checks, numbers = [check.to_dict() for check in found.checks], np.nan_to_num(row.values)
    made: dict[str, Any] = {
        "form": "map", "title": found.title, "sentence": row.sentence, "target": row.target,
        "name": row.name, "unit": found.unit, "layer": found.layer, "likely": likely(run, row),
        "range": [f"{numbers.min():.3g}", f"{numbers.max():.3g}"],
        "strongest": row.strongest, "constant": _constant(row.values),
        "checks": [
            {"name": one["check"], "sentence": _again(one["sentence"], say),
             "verdict": one.get("verdict", "")}
            for one in checks
        ],
        "notes": [_again(note, say) for note in found.notes],
        "script": _script(run, found.method, row.number, found.target),
    }  # fmt: skip
    if found.kind == "image":
        made |= _over(run, row)
    elif isinstance(row.shown, Mapping):
        made["bars"] = _bars(row.shown, row.values)
    else:
        made["svg"] = found.svg()
    return made


def likely(run: Opened, row: Any) -> list[list[str]]:
    """The most probable classes of a row and their probabilities; of new rows what was said."""
    known = np.flatnonzero(run.found.rows == (-1 if row.number is None else row.number))
    if not len(known) or not run.full:
        sure = "" if row.probability is None else f"{100 * row.probability:.1f} %"
        return [[row.said, sure]]
    chances = run.found.outputs[known[0]]
    order = np.argsort(-chances, kind="stable")[:LIKELY]
    return [[run.classes[c], f"{100 * chances[c]:.1f} %"] for c in order.tolist()]


def _over(run: Opened, row: Any) -> dict[str, Any]:
    """The picture, and the maps over it; no map where it is constant."""
    image = raw_shaded([np.asarray(row.shown)], *run.pixels)[0]
    maps = {"map": row.values, "random": row.random}
    over = {
        name: data_uri(enlarged(overlay(image, as_shares(values))[None], SIDE)[0], SIDE)
        for name, values in maps.items()
        if values is not None and not _constant(values)
    }
    return {"picture": data_uri(enlarged(image[None], SIDE)[0], SIDE), **over,
            "signed": bool((np.nan_to_num(row.values) < 0).any())}  # fmt: skip


def _constant(values: np.ndarray) -> str:
    return constant_maps(np.asarray(values)[None])[0] if values.size > 1 else ""


def _bars(cells: Mapping[str, Any], values: np.ndarray) -> dict[str, Any]:
    """The columns that count most, with their cells."""
    known, names = np.nan_to_num(values), list(cells)
    order = np.argsort(-np.abs(known), kind="stable")
    return {
        "rows": [[names[i], written(cells[names[i]])[:40], float(known[i]), f"{known[i]:.4g}"]
                 for i in order[:BARS].tolist()],
        "more": max(0, len(names) - BARS),
    }  # fmt: skip


def told_words(run: Opened, row: int | None, found: ExplainedWords) -> dict[str, Any]:
    """Words with what each is worth, and the colour of it."""
    one = found.texts[0]
    end = float(np.abs(one.values).max()) or 1.0
    shares = (one.values / end).tolist()
    return {
        "form": "words", "title": one.title, "signed": found.signed, "at": one.at,
        "target": one.target, "checks": [{"name": "deletion", "sentence": found.verdict}],
        "words": [
            [word[:60], f"{value:+.3g}" if found.signed else f"{value:.3g}",
             color(share, True), ink(share)]
            for word, value, share in zip(one.words[:WORDS], one.values.tolist(), shares,
                                          strict=False)
        ],
        "more": max(0, len(one.words) - WORDS),
        "constant": "" if one.values.any() else "no word is worth anything",
        "notes": [AGAINST[found.reference]] if found.reference else [],
        "script": _script(run, found.method, row, None, one.at),
    }  # fmt: skip


def told_edges(run: Opened, row: int | None, found: GraphExplanation) -> dict[str, Any]:
    """The neighbourhood, as the report of `explain` draws it."""
    heads, rows = found.table()
    return {
        "form": "drawing", "title": found.title, "svg": str(found.svg()), "head": heads,
        "rows": rows, "checks": [{"name": "deletion", "sentence": found.verdict}],
        "constant": "" if found.edges else found.verdict, "notes": [],
        "script": _script(run, found.method, row, None),
    }  # fmt: skip


def told_columns(found: PermutationImportance | PartialDependence) -> dict[str, Any]:
    """What columns are worth, or how the answer goes with one of them."""
    if isinstance(found, PermutationImportance):
        heads, rows = found.table()
        return {
            "form": "drawing", "svg": str(found.svg()), "head": heads, "rows": rows,
            "title": f"What the score loses when a column is shuffled; {found.score}",
            "notes": list(found.warnings), "checks": [], "constant": "",
            "script": {"python": "found = cy.permutation_importance(run, repeats=10)\nprint(found)",
                       "command": "--method permutation --repeats 10"},
        }  # fmt: skip
    mean = found.average[:, found.target]
    column = found.columns[0]
    return {
        "form": "drawing", "svg": str(found.svg()), "title": str(found),
        "head": [column, f"mean {found.title}"],
        "rows": [[written(v), f"{m:.4g}"] for v, m in zip(found.grids[0], mean, strict=True)],
        "notes": [], "checks": [], "constant": "",
        "script": {"python": f"print(cy.partial_dependence(run, {column!r}))",
                   "command": f"--method partial-dependence --columns {column}"},
    }  # fmt: skip


def _again(sentence: str, say: Say) -> str:
    return say.again(sentence) or sentence


def _script(
    run: Opened, method: str, row: int | None, target: str | None, position: int | None = None
) -> dict[str, str]:
    """The same in Python, and the words of the command that follow the folder."""
    if row is None:
        rows, words = '"my-own-file"', "my-own-file"
        python = f"cy.explain(run, {rows}, method={method!r}"
    else:
        python, words = f"cy.explain(run, which=[{row}], method={method!r}", f"--which {row + 1}"
    goal = "" if target in (None, "predicted") else f", target={target!r}"
    place = "" if position is None else f", position={position}"
    words += f" --target {target!r}" if goal else ""
    words += f" --position {position}" if place else ""
    return {"python": f"found = {python}{goal}{place})\nprint(found)",
            "command": f"{words} --method {method}"}  # fmt: skip
