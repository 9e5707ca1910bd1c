"""`chymist explain`: what words, nodes and edges are worth, and what gates do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.commands import emit, moved_data, screen_of, width
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.reports.text import table
from chymist.verbs.writing import place_of_drawing


def words(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method words`."""
    screen = screen_of(options)
    _prepare(options)
    if options.rows and options.which:
        raise UsageError("new rows are all shown", where="--which", received=options.which,
                         do="leave it out, or leave the new rows out")  # fmt: skip
    position = options.position
    if position is not None and position < 1:
        raise UsageError("words are counted from 1", where="--position", received=str(position),
                         do="give 1 for the first word")  # fmt: skip
    given = {
        "method": options.by, "target": options.target, "reference": options.reference,
        "position": None if position is None else position - 1, "steps": options.steps,
        "most": options.most, "seed": options.seed, "which": _numbers(options.which),
    }  # fmt: skip
    found = cy.explain_words(options.run, options.rows, data=moved_data(options), **_said(given))
    *lines, verdict = str(found).splitlines()
    screen.block("\n".join(lines))
    screen.line("Verdict", verdict, result=True)
    return _end(options, found, "the texts, with what each word is worth")


def edges(options: argparse.Namespace) -> int:
    """`chymist explain RUN --method edges`."""
    screen = screen_of(options)
    _prepare(options)
    if options.node is not None and options.which is not None:
        raise UsageError("one row is explained", where="--node", received=options.node,
                         do="give --node or --which")  # fmt: skip
    _without_input(options, "--node ID, or --which 17")
    given = {"method": options.by, "target": options.target, "seed": options.seed}
    row = options.node if options.node is not None else _one(options.which)
    found = cy.explain_graph(options.run, row, data=moved_data(options), **_said(given))
    screen.line("Result", found.title, result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    screen.line("Verdict", found.verdict, result=True)
    return _end(options, found, "the neighbourhood, with what each edge is worth")


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
    return _end(options, found, "gates, memory and state over the steps")


def _prepare(options: argparse.Namespace) -> None:
    if options.out:
        place_of_drawing(options.out)


def _without_input(options: argparse.Namespace, do: str) -> None:
    if options.rows:
        raise UsageError("a row of the graph is explained", where="INPUT",
                         received=f"'{options.rows}'", do=f"give {do}")  # fmt: skip


def _numbers(text: str | None) -> Any:
    """Row numbers, which count from 1 on the command line; or "worst"."""
    if text is None or text.isalpha():
        return text
    rows = []
    for part in listed(text, "--which"):
        if not part.isdecimal() or int(part) < 1:
            raise UsageError("no row number", where="--which", received=f"'{part}'",
                             do="give worst, or numbers from 1: 17,204")  # fmt: skip
        rows.append(int(part) - 1)
    return rows


def _one(text: str | None) -> int | None:
    """The number of one row, from 0; None is the one that is answered worst."""
    rows = _numbers(text)
    if rows in (None, "worst"):
        return None
    if isinstance(rows, str) or len(rows) != 1:
        raise UsageError("one row is explained", where="--which", received=f"'{text}'",
                         do="give worst, or one number from 1")  # fmt: skip
    return int(rows[0])


def _end(options: argparse.Namespace, found: Any, what: str) -> int:
    screen = screen_of(options)
    if options.out:
        found.save(options.out)
        screen.line("Files", f"{options.out}  {what}")
    else:
        screen.line("Next", f"--out seen.svg draws {what}")
    if options.json:
        emit({"run": options.run, **found.to_dict(), "picture": options.out})
    return 0


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "words": words, "edges": edges, "gates": gates,
}  # fmt: skip
