"""Graphs from files: lists of edges, and matrices of adjacency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.cells import short
from chymist.data.graphs import graph_of
from chymist.data.tables import Cells, read_table
from chymist.data.tabular import finished
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Data, Graph

IDENTIFIERS = ("id", "node", "node_id", "name")  # of a first column that names the nodes


def read_graph(path: Path, nodes: int, names: Sequence[str] | None = None) -> Graph:
    """A graph from a list of edges or a matrix of adjacency.

    A file with as many rows and columns as there are nodes, more than three, is a matrix: the
    number in row i and column j is the weight of the edge from i to j, 0 where there is none. Else
    each row is an edge: source, target, and a weight where there is a third column; it joins its
    nodes in both directions.

    Args:
        path: CSV or TSV, with or without a header.
        nodes: number of nodes.
        names: of the nodes, as a list of edges calls them; None are numbers from 0.

    Returns:
        The graph, without edges of a node to itself.

    Raises:
        InputError: a node that is not known, a cell that is no number, too many columns.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "edges.csv"
        >>> _ = path.write_text("from,to\\na,b\\nb,c\\n")
        >>> read_graph(path, 3, ["a", "b", "c"])
        Graph(3 nodes, 4 edges)
    """
    cells = read_table(path, header=False)
    if nodes > 3 and len(cells.columns) == nodes and len(cells) in (nodes, nodes + 1):
        start = len(cells) - nodes  # a header names the columns
        matrix = np.array([_numbers(cells, n, start) for n in range(nodes)], np.float64).T
        sources, targets = np.nonzero(matrix)
        return graph_of(nodes, np.stack([sources, targets]), matrix[sources, targets],
                        both_ways=False)  # fmt: skip
    if len(cells.columns) not in (2, 3):
        raise InputError("edges are in two columns, or three with a weight", where=path.name,
                         received=f"{len(cells)} rows, {len(cells.columns)} columns",
                         do=f"give these, or a matrix of {nodes} x {nodes}")  # fmt: skip
    places = None if names is None else {name: place for place, name in enumerate(names)}
    first = [place_of(cells.columns[column][0], nodes, places) for column in (0, 1)]
    start = int(len(cells) > 1 and first == [None, None])  # a header
    ends = [_places(cells, column, nodes, places, start) for column in (0, 1)]
    weights = _numbers(cells, 2, start) if len(cells.columns) == 3 else None
    return graph_of(nodes, np.array(ends), weights)


def nodes_data(data: Data, graph: Path) -> Data:
    """The rows of a table as the nodes of a graph; its columns are their features.

    Numbers are taken as they are, and scaled on training rows; of a category each value is a
    feature of 0 and 1. A first column that names the nodes, or an identifier, is what edges refer
    to; without one they are the numbers of the rows, from 0.

    Args:
        data: a table.
        graph: path of edges or adjacency.

    Raises:
        InputError: empty cells, columns without numbers or categories, wrong edges.
    """
    inputs = data.inputs
    if isinstance(inputs, np.ndarray) or data.kind != "table":
        raise InputError("nodes of a graph are the rows of a table", where=data.name,
                         received=data.kind, do="give a CSV file")  # fmt: skip
    named = [c.name for place, c in enumerate(data.columns)
             if c.kind == "id" or (place == 0 and c.name.lower() in IDENTIFIERS)]  # fmt: skip
    name = named[0] if named else None
    names = None if name is None else [_spelled(cell) for cell in inputs[name]]
    if names is not None and len(set(names)) < len(names):
        raise InputError("two nodes have the same name", where=short(name))
    used = [c for c in data.columns if c.used and c.name != name]
    parts = [_features(c.name, c.kind, inputs[c.name]) for c in used]
    if not parts:
        raise InputError("the nodes have no features", where=data.name,
                         do="give columns of numbers or categories")  # fmt: skip
    features = np.hstack(parts).astype(np.float32)
    found = replace(read_graph(graph, len(data), names), features=features,
                    names=tuple(names or ()))  # fmt: skip
    made = replace(data, kind="graph", inputs=np.arange(len(data), dtype=np.int64)[:, None],
                   columns=(), graph=found,
                   notes=(*data.notes, f"{found.edges.shape[1]:,} edges, both directions counted; "
                          f"{_alone(found):,} nodes have none"))  # fmt: skip
    whole = finished(made, Targets(data.task, data.targets, data.classes), None)
    return replace(whole, test_rows=data.test_rows)


def _alone(graph: Graph) -> int:
    """Number of nodes without an edge."""
    return graph.nodes - len(np.unique(graph.edges))


def _features(name: str, kind: str, cells: np.ndarray) -> np.ndarray:
    """A column as features of nodes, (nodes, 1) or (nodes, categories)."""
    if cells.dtype.kind == "f":
        if not np.isfinite(cells).all():
            raise InputError("a node lacks a feature", where=f"column {short(name)}",
                             received="an empty cell", do="fill it")  # fmt: skip
        return cells[:, None]
    if None in cells.tolist():
        raise InputError("a node lacks a feature", where=f"column {short(name)}",
                         received="an empty cell", do="fill it")  # fmt: skip
    values = np.unique(cells.astype(str))
    found: np.ndarray = cells.astype(str)[:, None] == values
    return found


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _spelled(cell: Any) -> str:
    """A name as an edge would write it: 3, not 3.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _said(cell: Any) -> str:
    return "an empty cell" if cell is None or not str(cell).strip() else short(cell)


def _numbers(cells: Cells, column: int, start: int) -> list[float]:
    """The numbers of a column, from a row on."""
    found = []
    for row, cell in list(enumerate(cells.columns[column]))[start:]:
        value = _number(cell)
        if value is None or not np.isfinite(value):
            raise InputError("a weight is no finite number", where=cells.place(row),
                             received=_said(cell))  # fmt: skip
        found.append(value)
    return found


def _places(
    cells: Cells, column: int, nodes: int, places: dict[str, int] | None, start: int
) -> list[int]:
    """Numbers of the nodes that a column of edges names, from a row on."""
    found = []
    for row, cell in list(enumerate(cells.columns[column]))[start:]:
        place = place_of(cell, nodes, places)
        if place is None:
            known = f"0 to {nodes - 1}" if places is None else "names of the first column"
            raise InputError("an edge has a node that does not exist", where=cells.place(row),
                             received=_said(cell), do=f"nodes are {known}")  # fmt: skip
        found.append(place)
    return found


def place_of(cell: str | None, nodes: int, places: dict[str, int] | None) -> int | None:
    """The number of a node, or None if there is no such node.

    Args:
        cell: its name, or its number from 0.
        nodes: how many there are.
        places: the number of each name; None where nodes have no names.

    Example:
        >>> place_of("b", 2, {"a": 0, "b": 1}), place_of("007", 9, {"7": 3}), place_of("2", 2, None)
        (1, 3, None)
    """
    name = "" if cell is None else cell.strip()
    if places is None:
        return int(name) if name.isdecimal() and int(name) < nodes else None
    number = _number(name)
    return places.get(name, None if number is None else places.get(_spelled(number)))
