"""`chymist explain`: what columns are worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.commands import emit, moved_data, screen_of, width
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.reports.text import table
from chymist.verbs.writing import place_of_drawing, save_drawing


def permutation(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method permutation`."""
    screen = screen_of(options)
    _of_the_run(options)
    wanted = None if options.columns is None else listed(options.columns, "--columns")
    groups = None if wanted is None else [tuple(one.split("+")) for one in wanted]
    given = {"repeats": options.repeats, "seed": options.seed}
    found = cy.permutation_importance(
        options.run, groups, data=moved_data(options), **_said(given)
    )  # fmt: skip
    screen.line("Score", str(found.score), result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    for warning in found.warnings:
        screen.line("Note", warning)
    return _end(options, found, partial(found.save), "what each column is worth")


def partial_dependence(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method partial-dependence`."""
    screen = screen_of(options)
    _of_the_run(options)
    data = moved_data(options)
    given = {"target": options.target, "rows": options.most, "points": options.points,
             "seed": options.seed}  # fmt: skip
    if options.columns is None:
        worth = cy.permutation_importance(options.run, repeats=5, data=data)
        columns = [next(iter(worth.drops))]
    else:
        columns = listed(options.columns, "--columns")
    found = cy.partial_dependence(options.run, columns, data=data, **_said(given))
    screen.line("Result", str(found), result=True)
    heads = [*found.columns, f"mean {found.title}"]
    if len(found.columns) == 1:
        mean = found.average[:, found.target]
        rows = [[_short(v), f"{m:.4g}"] for v, m in zip(found.grids[0], mean, strict=True)]
        some = rows[:: max(1, len(rows) // 10)]
        screen.block(table(some, heads, width() - 8))
    drawn = found.svg(bool(options.centered))
    return _end(options, found, partial(save_drawing, drawn), "the mean and single rows")


def _of_the_run(options: argparse.Namespace) -> None:
    """Columns are asked on validation rows; a picture has its place."""
    if options.rows:
        raise UsageError("columns are measured on the validation rows", where="INPUT",
                         received=f"'{options.rows}'", do="leave the new rows out")  # fmt: skip
    if options.out:
        place_of_drawing(options.out)


def _end(options: argparse.Namespace, found: Any, save: Callable[[str], Path], what: str) -> int:
    screen = screen_of(options)
    if options.out:
        save(options.out)
        screen.line("Files", f"{options.out}  {what}")
    else:
        screen.line("Next", f"--out seen.svg draws {what}")
    if options.json:
        emit({"run": options.run, **found.to_dict(), "picture": options.out})
    return 0


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "permutation": permutation, "partial-dependence": partial_dependence,
}  # fmt: skip
