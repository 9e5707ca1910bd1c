"""Nodes of a graph by their identifiers, as a stored model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chymist.data.cells import short, to_text
from chymist.data.frames import frame_cells, is_frame
from chymist.data.graph_files import IDENTIFIERS, place_of
from chymist.data.load import existing
from chymist.data.numpy_files import is_numpy_file
from chymist.data.parquet import is_parquet, parquet_cells
from chymist.data.tables import read_table
from chymist.errors import InputError
from chymist.values import Graph

ASIDE = (
    "only the identifiers of nodes are read: their features are those that they were fitted with"
)


class Nodes(NamedTuple):
    """Nodes that are to be predicted.

    Args:
        numbers: of the nodes, int64 (n, 1).
        names: what to call them.
        notes: what was left aside, in sentences.
    """

    numbers: np.ndarray
    names: list[str]
    notes: list[str]


def node_rows(rows_source: Any, graph: Graph) -> Nodes | None:
    """Nodes that a file, a list of identifiers or a table names; None for numbers of nodes.

    A column called id, node, node_id or name holds the identifiers, else the one that has most of
    them. Where nodes have no identifiers these are the numbers from 0; a table of several columns
    and as many rows as there are nodes is then the file of the nodes itself.

    Args:
        rows_source: path of a table, identifiers, a frame, or columns by name; None are all nodes.
        graph: whose nodes they are.

    Raises:
        InputError: a node that does not exist.

    Example:
        >>> pair = Graph(2, np.array([[0, 1], [1, 0]]), names=("a", "b"))
        >>> node_rows(["b"], pair)
        Nodes(numbers=array([[1]]), names=['b'], notes=[])
    """
    if rows_source is None:
        return _named(np.arange(graph.rows), graph, [])
    where = "new rows"
    if isinstance(rows_source, str | Path):
        path = existing(rows_source)
        if is_numpy_file(path):
            return None
        where = path.name
        columns = _parquet(path) if is_parquet(path) else read_table(path, False).columns
    elif is_frame(rows_source):
        cells = frame_cells(rows_source, where)[0]
        columns = [[name, *cells.columns[n]] for n, name in enumerate(cells.names)]
    elif isinstance(rows_source, Mapping):
        columns = [[str(n), *map(to_text, np.asarray(c).tolist())] for n, c in rows_source.items()]
    elif _are_texts(rows_source):
        columns = [[str(name) for name in rows_source]]
    else:
        return None
    return _of_columns(columns, graph, where)


def _parquet(path: Path) -> list[list[str | None]]:
    cells = parquet_cells(path)[0]
    return [[name, *cells.columns[n]] for n, name in enumerate(cells.names)]


def _are_texts(given: Any) -> bool:
    several = isinstance(given, list | tuple | np.ndarray) and len(given) > 0
    return several and all(isinstance(one, str) for one in given)


def _of_columns(columns: Sequence[Sequence[str | None]], graph: Graph, where: str) -> Nodes:
    """Nodes of the column that names them, perhaps below a header."""
    notes = [ASIDE] if len(columns) > 1 else []
    places = {name: place for place, name in enumerate(graph.names)} or None
    rows = len(columns[0])
    known = [[place_of(cell, graph.rows, places) for cell in column] for column in columns]
    called = [n for n, c in enumerate(columns) if c[0] and c[0].strip().lower() in IDENTIFIERS]
    if not called and places is None and len(columns) > 1:
        if rows not in (graph.rows, graph.rows + 1):
            raise InputError("no column says which nodes are meant", where=where,
                             received=f"{rows} rows for {graph.rows} nodes",
                             do="give a column 'id' with their numbers from 0")  # fmt: skip
        return _named(np.arange(graph.rows), graph, notes)
    found = [sum(place is not None for place in column) for column in known]
    at = called[0] if called else found.index(max(found))
    start = int(bool(called) or (rows > 1 and known[at][0] is None))  # a header
    for row in range(start, rows):
        if known[at][row] is None:
            raise InputError(
                "no such node in the graph of the run",
                where=f"{where}, row {row + 1 - start}",
                received=short(columns[at][row] or "an empty cell"),
                do="give identifiers of the file of nodes" if places
                else f"nodes are 0 to {graph.rows - 1}",
            )  # fmt: skip
    return _named(np.array(known[at][start:], np.int64), graph, notes)


def _named(numbers: np.ndarray, graph: Graph, notes: list[str]) -> Nodes:
    names = [graph.names[n] if graph.names else str(n) for n in numbers.tolist()]
    return Nodes(numbers.astype(np.int64)[:, None], names, notes)
