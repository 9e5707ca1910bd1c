"""A part of a graph whose edges are worth something: vermilion speaks for, blue against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.markup import Markup, tag
from chymist.reports.svg import COLORS, drawing, label, px
from chymist.reports.words import number

SIDE, BORDER, TOP, NAME = 560.0, 34.0, 34.0, 40.0  # NAME: room for names at the right
HALO = {"paint_order": "stroke", "stroke_width": "3", "style": "stroke:var(--bg,#fdfdfa)"}
NUMBERED = 10  # edges whose value is written


@dataclass(frozen=True)
class Spot:
    """A node as it is drawn.

    Args:
        name: what stands beside it.
        same: whether it is filled.
        center: whether it is the one that is explained.
    """

    name: str
    same: bool
    center: bool = False


def neighbors_picture(
    description: str, notes: Sequence[str], spots: Sequence[Spot],
    edges: Sequence[tuple[int, int, float]],
) -> Markup:  # fmt: skip
    """Nodes and edges: an edge is as wide as its value is large, dashed where it speaks against.

    Args:
        description: what it shows.
        notes: lines above the drawing.
        spots: nodes.
        edges: places of both ends, and value.

    Returns:
        An SVG element.

    Example:
        >>> drawn = neighbors_picture("a", [], [Spot("1", True, True), Spot("2", False)],
        ...                           [(0, 1, -2.0)])
        >>> drawn.count("<circle"), "stroke-dasharray" in drawn
        (2, True)
    """
    notes = [line for note in notes for line in wrap(note, 82)]
    top = TOP + 17 * len(notes)
    places = layout(len(spots), [(a, b) for a, b, _ in edges])
    at = places * (SIDE - 2 * BORDER - NAME) + (BORDER, BORDER / 2 + top)
    most = max((abs(value) for *_, value in edges), default=0.0) or 1.0
    parts = [label(description, 0, 14, kind="lead")]
    parts += [label(note, 0, 33 + 17 * n) for n, note in enumerate(notes)]
    ordered = sorted(edges, key=lambda edge: abs(edge[2]))
    parts += [_edge(at[a], at[b], value, most) for a, b, value in ordered]
    parts += [
        _number(at[a], at[b], value)
        for a, b, value in ordered[-NUMBERED:]
        if abs(value) > 0.02 * most
    ]
    small = len(spots) > 25
    for spot, (x, y) in zip(spots, at, strict=True):
        parts.append(_spot(spot, float(x), float(y), small))
    bottom = float(at[:, 1].max()) + BORDER
    return drawing(description, bottom, *parts, width=SIDE)


def layout(nodes: int, edges: Sequence[tuple[int, int]], rounds: int = 200) -> np.ndarray:
    """Places in the unit square whose distances are as the lengths of paths.

    Args:
        nodes: how many, the first one being most central.
        edges: between them.
        rounds: of majorisation.

    Returns:
        (nodes, 2), the same for the same graph.

    Example:
        >>> places = layout(3, [(0, 1), (1, 2)])
        >>> [round(float(x), 2) + 0.0 for x in sorted(places[:, 0])]
        [0.0, 0.5, 1.0]

    Source: Gansner, Koren, North 2005, Graph drawing by stress majorization.
    """
    if nodes == 1:
        return np.full((1, 2), 0.5)
    far = _path_lengths(nodes, edges)
    turn = np.arange(nodes) * 2.399963  # the golden angle: no two nodes begin together
    places = np.stack([np.cos(turn), np.sin(turn)], 1) * np.sqrt(np.arange(nodes))[:, None]
    weights = 1 / np.maximum(far, 1e-9) ** 2
    np.fill_diagonal(weights, 0)
    total = weights.sum(1)[:, None]
    for _ in range(rounds):
        apart = places[:, None] - places[None]
        length = np.maximum(np.linalg.norm(apart, axis=2), 1e-9)
        pull = weights[:, :, None] * (places[None] + far[:, :, None] * apart / length[:, :, None])
        places = pull.sum(1) / total
    places = _turned(places)
    low, high = places.min(0), places.max(0)
    reach = max(float((high - low).max()), 1e-9)
    made: np.ndarray = (places - low) / reach
    made[:, 0] += (1 - made[:, 0].max()) / 2
    return made


def _turned(places: np.ndarray) -> np.ndarray:
    """The longest axis across."""
    centered = places - places.mean(0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    first = axes[0] if axes[0][np.abs(axes[0]).argmax()] > 0 else -axes[0]
    turned: np.ndarray = centered @ np.stack([first, [-first[1], first[0]]], axis=1)
    return turned


def _path_lengths(nodes: int, edges: Sequence[tuple[int, int]]) -> np.ndarray:
    """Edges on the shortest path between any two nodes; one more than any where there is none."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    first = np.array([a for a, _ in edges], int)
    second = np.array([b for _, b in edges], int)
    matrix = csr_array((np.ones(len(edges)), (first, second)), shape=(nodes, nodes))
    far: np.ndarray = shortest_path(matrix, directed=False, unweighted=True)
    reached = far[np.isfinite(far)].max(initial=1.0)
    return np.where(np.isfinite(far), far, reached + 1)


def _edge(start: np.ndarray, end: np.ndarray, value: float, most: float) -> Markup:
    kind = "s2" if value >= 0 else "s1"
    return tag("path", d=Markup(f"M{px(start[0])} {px(start[1])}L{px(end[0])} {px(end[1])}"),
               class_=kind, stroke=COLORS[kind], fill="none", stroke_width=px(0.7 + 7 * abs(value) / most),  # noqa: E501
               stroke_dasharray=None if value >= 0 else "7 4", stroke_opacity="0.75")  # fmt: skip


def _number(start: np.ndarray, end: np.ndarray, value: float) -> Markup:
    x, y = (start + end) / 2
    return tag("text", number(value), x=px(x), y=px(y - 3), text_anchor="middle", class_="lead",
               font_size="11", **HALO)  # fmt: skip


def _spot(spot: Spot, x: float, y: float, small: bool) -> Markup:
    size = 9.0 if spot.center else 4.5 if small else 6.5
    fill = "#3d3d3a" if spot.same else "#fdfdfa"
    circle = tag("circle", cx=px(x), cy=px(y), r=px(size), fill=fill, stroke="#767676",
                 stroke_width="3" if spot.center else "1.4")  # fmt: skip
    shown = tag("text", fit(spot.name, 14), x=px(x + size + 3), y=px(y + 4), fill="#767676",
                class_="lead" if spot.center else None, **HALO)  # fmt: skip
    return Markup(circle + shown)
