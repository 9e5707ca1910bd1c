"""The graph of a model as lines of text."""

from __future__ import annotations

from chymist.reports.dataflow import Dataflow
from chymist.reports.text import table


def flow_text(graph: Dataflow, width: int = 110) -> str:
    """A graph as lines: modules that hold others, layers in them, and where values come from.

    Args:
        graph: of the model.
        width: characters at most.

    Example:
        >>> from chymist.reports.dataflow import Node
        >>> nodes = (Node("input", "input", shape=(3,)), Node("0", "ReLU", inputs=((0, (3,)),)))
        >>> print(flow_text(Dataflow(nodes, ())).splitlines()[3].split())
        ['1', '0', 'ReLU']
    """
    cells: list[list[object]] = []
    shown: list[int] = []
    for at, node in enumerate(graph.nodes):
        path = _around(graph, node.group)
        for level, group in enumerate(path):
            if shown[level : level + 1] != [group]:
                one = graph.groups[group]
                name = _within(graph, one.name, path[level - 1] if level else -1)
                cells.append(["", "  " * level + name, one.kind, *[""] * 5])
                shown = path[: level + 1]
        shown = path
        cells.append(_cells(graph, at, "  " * len(path)))
    heads = ["", "name", "kind", "output", "parameters", "multiply-adds", "sees", "from"]
    return table(cells, heads, width)


def _cells(graph: Dataflow, at: int, indent: str) -> list[object]:
    node = graph.nodes[at]
    sources = list(dict.fromkeys(n for n, _ in node.inputs))
    plain = sources == [at - 1] or (not sources and node.family == "input")
    said = f"{node.parameters:,}" if node.parameters else ""
    if node.ties:
        said = f"{said or 'shared'} ({','.join(node.ties)})"
    sees = node.receptive_field
    kind = f"{node.kind} {node.detail}".strip() + (f" of {node.inside}" if node.inside else "")
    edge = node.family in ("input", "output")
    return [
        at, indent + _within(graph, node.name, node.group), "" if edge else kind,
        " x ".join(map(str, node.shape)), said,
        f"{node.multiply_adds:,}" if node.multiply_adds else "",
        sees if isinstance(sees, str) else " x ".join(map(str, sees or ())),
        "" if plain else "<- " + (", ".join(map(str, sources)) or "nothing"),
    ]  # fmt: skip


def _within(graph: Dataflow, name: str, group: int) -> str:
    """A name as it is called in a group."""
    if group < 0:
        return name
    outer = graph.groups[group].name
    return "" if name == outer else name.removeprefix(f"{outer}.")


def _around(graph: Dataflow, group: int) -> list[int]:
    """A group and those around it, the outermost first."""
    path = []
    while group >= 0:
        path.append(group)
        group = graph.groups[group].parent
    return path[::-1]
