"""Texts in files: a column of a table, or a running text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.cells import short
from chymist.data.kinds import read_column
from chymist.data.step_sets import decoded
from chymist.data.streams import STEPS, cut_in_order, language_tokens, stream_data
from chymist.data.tables import Cells, read_bytes
from chymist.data.tabular import TASK_OF_KIND, Wanted, column_index, finished, target_index
from chymist.data.targets import read_targets
from chymist.data.texts import check_tokens
from chymist.errors import InputError, UsageError
from chymist.values import Column, Data

RARE = 2  # times that a word must occur in a text to be known; rarer ones teach what unknown means


def text_column(cells: Cells, wanted: Wanted, source: Mapping[str, Any]) -> Data:
    """Texts of one column of a table, and targets of another.

    The text is the column that is declared as text, else the only one beside the target, else the
    only one of kind text.

    Args:
        cells: the table; rows of a test file come last.
        wanted: what the user says about it.
        source: how to read it again.

    Returns:
        Data of kind "text".

    Raises:
        InputError: no column of texts or several, or a missing text.

    Example:
        >>> cells = Cells(("review", "stars"), (["good", "bad"], ["5", "1"]), (("t", [2, 3]),), True)
        >>> text_column(cells, Wanted(task="classification"), {}).columns[0].name
        'review'
    """  # noqa: E501
    target = target_index(wanted.target, cells.names)
    kinds = dict(wanted.columns or {})
    name = _text_of(cells, cells.names[target], kinds)
    texts = cells.columns[cells.names.index(name)]
    if None in texts:
        raise InputError("a text is missing", where=f"{cells.place(texts.index(None))}, column "
                         f"{short(name)}", do="leave the row out")  # fmt: skip
    task = wanted.task or TASK_OF_KIND.get(kinds.get(cells.names[target], ""))
    found = read_targets(cells.names[target], cells.columns[target], cells.place, task)
    inputs = np.empty(len(texts), object)
    inputs[:] = texts
    aside = [c for place, c in enumerate(cells.names) if c != name and place != target]
    notes = (f"other columns are left aside: {', '.join(aside)}",) if aside else ()
    data = Data(wanted.name, "text", found.task, inputs, found.values, found.classes,
                (Column(name, "text"),), cells.names[target], source=dict(source),
                notes=notes)  # fmt: skip
    return finished(data, found, wanted.test_from)


def language_file(
    path: Path, tokens: str | None, steps: int | None, wanted: Wanted, source: Mapping[str, Any]
) -> Data:
    """A running text: the next token is what is learned.

    Args:
        path: a text file.
        tokens: how it is cut; "characters" by default.
        steps: tokens of a row; by default 64 characters or 35 words.
        wanted: name of the data.
        source: how to read it again.

    Raises:
        InputError: no UTF-8, or too short a text.
        UsageError: an unknown way to cut it, or no step.
    """
    cut = check_tokens(tokens or "characters")
    if steps is not None and steps < 1:
        raise UsageError("a row has at least one step", where="steps", received=str(steps))
    text = decoded(read_bytes(path), path.name).replace("\r\n", "\n")
    parts = cut_in_order(language_tokens(text, cut))
    fewest = 1 if cut == "characters" else RARE
    data = stream_data(parts, wanted, steps or STEPS[cut], fewest=fewest)
    return replace(data, source=dict(source))


def new_texts(cells: Cells, name: str) -> np.ndarray:
    """Texts of new rows: the column of that name, or the only one.

    Args:
        cells: the new rows.
        name: of the column of the training rows.

    Raises:
        InputError: no such column, or a missing text.
    """
    single = len(cells.names) == 1 and name not in cells.names
    texts = cells.columns[0 if single else column_index(name, cells.names, "new rows")]
    made = np.empty(len(texts), object)
    made[:] = texts
    return made


def _text_of(cells: Cells, target: str, kinds: dict[str, str]) -> str:
    """Name of the column of texts."""
    said = [name for name, kind in kinds.items() if kind == "text" and name != target]
    for name in said:
        column_index(name, cells.names, "columns")
    others = [name for name in cells.names if name != target]
    if len(said) != 1 and len(others) > 1:
        read = {name: cells.columns[cells.names.index(name)] for name in others}
        others = [n for n, cell in read.items() if read_column(n, cell, cells.place)[0].kind
                  == "text"]  # fmt: skip
    found = said or others
    if len(found) != 1:
        raise InputError("one column of texts is needed", where="columns",
                         received=", ".join(found)[:80] or "none",
                         do='say which: columns={"NAME": "text"}')  # fmt: skip
    return found[0]
