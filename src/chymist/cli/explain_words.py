"""`chymist explain`: what words, nodes and edges are worth, and what gates do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import chymist as cy
from chymist.cli.commands import moved_data, screen_of
from chymist.cli.explain_screens import ended, given, only_new_rows, rows_of, said, show_table
from chymist.errors import UsageError
from chymist.verbs.writing import place_of_drawing


def words(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method words`."""
    screen = screen_of(options)
    _prepare(options)
    only_new_rows(options)
    position = options.position
    if position is not None and position < 1:
        raise UsageError("words are counted from 1", where="--position", received=str(position),
                         do="give 1 for the first word")  # fmt: skip
    wanted = {
        **given(options, ("target", "reference", "steps", "most", "seed")), "method": options.by,
        "position": None if position is None else position - 1,
        "which": rows_of(options.which, "worst"),
    }  # fmt: skip
    found = cy.explain_words(options.run, options.rows, data=moved_data(options), **said(wanted))
    *lines, verdict = str(found).splitlines()
    screen.block("\n".join(lines))
    screen.line("Verdict", verdict, result=True)
    return ended(options, found, "the texts, with what each word is worth")


def edges(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method edges`."""
    screen = screen_of(options)
    _prepare(options)
    if options.node is not None and options.which is not None:
        raise UsageError("one row is explained", where="--node", received=options.node,
                         do="give --node or --which")  # fmt: skip
    _without_input(options, "--node ID, or --which 17")
    wanted = {"method": options.by, **given(options, ("target", "seed"))}
    row = options.node if options.node is not None else _one(options.which)
    found = cy.explain_graph(options.run, row, data=moved_data(options), **said(wanted))
    screen.line("Result", found.title, result=True)
    show_table(options, found)
    screen.line("Verdict", found.verdict, result=True)
    return ended(options, found, "the neighbourhood, with what each edge is worth")


def gates(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method gates`."""
    screen = screen_of(options)
    _prepare(options)
    layer = 1 if options.layer is None else options.layer
    if not str(layer).isdecimal() or int(layer) < 1:
        raise UsageError("layers of gates are counted from 1", where="--layer",
                         received=f"'{layer}'", do="give 1 for the first layer")  # fmt: skip
    row = Path(options.rows) if options.rows is not None else _one(options.which)
    found = cy.gate_trace(options.run, row, layer=int(layer) - 1, data=moved_data(options))
    screen.block(str(found))
    return ended(options, found, "gates, memory and state over the steps")


def _prepare(options: argparse.Namespace) -> None:
    if options.out:
        place_of_drawing(options.out)


def _without_input(options: argparse.Namespace, do: str) -> None:
    if options.rows:
        raise UsageError("a row of the graph is explained", where="INPUT",
                         received=f"'{options.rows}'", do=f"give {do}")  # fmt: skip


def _one(text: str | None) -> int | None:
    """The number of one row, from 0; None is the one that is answered worst."""
    rows = rows_of(text, "worst")
    if rows in (None, "worst"):
        return None
    if isinstance(rows, str) or len(rows) != 1:
        raise UsageError("one row is explained", where="--which", received=f"'{text}'",
                         do="give worst, or one number from 1")  # fmt: skip
    return int(rows[0])


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "words": words, "edges": edges, "gates": gates,
}  # fmt: skip
