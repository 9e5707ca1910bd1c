"""Sequences, texts, tokens and graphs that are given in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from chymist.data.arrays import check_finite, measured, to_array
from chymist.data.cells import short
from chymist.data.tabular import Wanted, array_targets, check_rows, finished
from chymist.data.targets import Targets
from chymist.errors import InputError, UsageError, nearest
from chymist.values import Data, Graph

KINDS = ("sequence", "text", "tokens", "graph")


def stepwise_data(source: Any, kind: str, wanted: Wanted) -> Data:
    """Data of several steps a row from arrays, texts or a graph.

    Args:
        source: (inputs, targets): inputs of kind "sequence" are numbers (rows, steps, features),
            of kind "text" texts (rows,), of kind "tokens" numbers from 0 (rows, steps), of kind
            "graph" a `Graph`; targets are classes or values (rows,), values (rows, outputs), or
            for tagging class numbers (rows, steps) with -1 where a step has none.
        kind: one of these.
        wanted: task and name.

    Returns:
        The data.

    Raises:
        InputError: shapes that do not fit, or numbers that are not finite.
        UsageError: an unknown kind.

    Example:
        >>> stepwise_data((["a b", "c"], ["x", "y"]), "text", Wanted(name="two")).kind
        'text'
    """
    if kind not in KINDS:
        raise UsageError("unknown kind of data", where="kind", received=short(kind),
                         do=nearest(str(kind), KINDS))  # fmt: skip
    if not isinstance(source, tuple) or len(source) != 2:
        raise InputError("inputs and targets are needed", where="source", received=short(source),
                         do="give (inputs, targets)")  # fmt: skip
    given, labels = source[0], to_array(source[1])
    graph = given if isinstance(given, Graph) else None
    vocabulary: tuple[str, ...] = ()
    inputs: Any
    if kind == "graph":
        if graph is None:
            raise InputError("no graph", where="inputs", received=type(given).__name__,
                             do="give cy.graph_of(nodes, edges, features=...)")  # fmt: skip
        inputs = np.arange(graph.rows, dtype=np.int64)[:, None]
    elif kind == "text":
        inputs = np.empty(len(given), object)
        inputs[:] = [None if cell is None else str(cell) for cell in given]
    else:
        inputs = _numbers(to_array(given), kind)
    if kind == "tokens":
        vocabulary = tuple(str(number) for number in range(int(inputs.max(initial=0)) + 1))
    check_rows(len(inputs), wanted.name)
    if len(labels) != len(inputs):
        raise InputError("as many targets as rows are needed", where="targets",
                         received=f"{len(labels)} for {len(inputs)} rows")  # fmt: skip
    found = _targets(labels, wanted.task)
    data = Data(wanted.name, kind, found.task, inputs, found.values, found.classes,  # type: ignore[arg-type]
                graph=graph, vocabulary=vocabulary)  # fmt: skip
    return finished(data, found, None)


def _numbers(array: np.ndarray, kind: str) -> np.ndarray:
    """Sequences (rows, steps, features), or numbers of tokens (rows, steps)."""
    axes = 3 if kind == "sequence" else 2
    whole = array.dtype.kind in "iu" and (not array.size or int(array.min()) >= 0)
    if array.ndim != axes or array.dtype.kind not in "biuf" or (kind == "tokens" and not whole):
        wants = "numbers (rows, steps, features)" if axes == 3 else "whole numbers (rows, steps)"
        raise InputError(f"data of kind '{kind}' needs {wants}", where="inputs",
                         received=f"shape {array.shape}, dtype {array.dtype}")  # fmt: skip
    check_finite(array, None)
    return measured(array) if kind == "sequence" else array.astype(np.int64)


def _targets(labels: np.ndarray, task: str | None) -> Targets:
    """Targets of rows, or of their steps."""
    if task not in ("tagging", "language"):
        return array_targets("target", labels, task)
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or int(labels.max(initial=-1)) < 0:
        raise InputError(f"{task} needs class numbers (rows, steps)", where="targets",
                         received=f"shape {labels.shape}, dtype {labels.dtype}",
                         do="give whole numbers, -1 where a step has none")  # fmt: skip
    classes = tuple(str(number) for number in range(int(labels.max()) + 1))
    return Targets(task, np.maximum(labels.astype(np.int64), -1), classes)  # type: ignore[arg-type]
