"""`chymist explain`: what columns are worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import chymist as cy
from chymist.cli.commands import moved_data, screen_of, width
from chymist.cli.explain_screens import ended, given, said, show_table
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
    found = cy.permutation_importance(options.run, groups, data=moved_data(options),
                                      **given(options, ("repeats", "seed")))  # fmt: skip
    screen.line("Score", str(found.score), result=True)
    show_table(options, found)
    for warning in found.warnings:
        screen.line("Note", warning)
    return ended(options, found, "what each column is worth")


def partial_dependence(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method partial-dependence`."""
    screen = screen_of(options)
    _of_the_run(options)
    data = moved_data(options)
    wanted = {"rows": options.most, **given(options, ("target", "points", "seed"))}
    if options.columns is None:
        worth = cy.permutation_importance(options.run, repeats=5, data=data)
        columns = [next(iter(worth.drops))]
    else:
        columns = listed(options.columns, "--columns")
    found = cy.partial_dependence(options.run, columns, data=data, **said(wanted))
    screen.line("Result", str(found), result=True)
    heads = [*found.columns, f"mean {found.title}"]
    if len(found.columns) == 1:
        mean = found.average[:, found.target]
        rows = [[_short(v), f"{m:.4g}"] for v, m in zip(found.grids[0], mean, strict=True)]
        some = rows[:: max(1, len(rows) // 10)]
        screen.block(table(some, heads, width() - 8))
    draw = partial(save_drawing, found.svg(bool(options.centered)))
    return ended(options, found, "the mean and single rows", save=draw)


def _of_the_run(options: argparse.Namespace) -> None:
    """Columns are asked on validation rows; a picture has its place."""
    if options.rows:
        raise UsageError("columns are measured on the validation rows", where="INPUT",
                         received=f"'{options.rows}'", do="leave the new rows out")  # fmt: skip
    if options.out:
        place_of_drawing(options.out)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "permutation": permutation, "partial-dependence": partial_dependence,
}  # fmt: skip
