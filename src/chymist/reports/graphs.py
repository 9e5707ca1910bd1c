"""Computational graphs as a picture: boxes from left to right, two numbers at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chymist.errors import InputError
from chymist.reports.markup import Markup, join, tag
from chymist.reports.svg import COLORS, drawing, label, line, px

MOST = 60  # nodes that are drawn
ACROSS, DOWN = 104, 58  # least pixels from one column to the next; from one line to the next
HALF = 15  # half the height of a box


@dataclass(frozen=True)
class Box:
    """One node as it is drawn.

    Args:
        text: what stands in the box.
        inputs: positions of the boxes that lead to it; all of them before it.
        above, below: texts at its right: the value, and the gradient.
        given: whether it is given, and so has no frame.
    """

    text: str
    inputs: tuple[int, ...]
    above: str
    below: str
    given: bool = False


def graph_picture(boxes: Sequence[Box]) -> Markup:
    """A graph from left to right: values above (green), gradients below (vermilion).

    Args:
        boxes: nodes, each after its inputs.

    Raises:
        InputError: there are more nodes than can be read.

    Example:
        >>> boxes = [Box("x", (), "2", "4", given=True), Box("^ 2", (0,), "4", "1")]
        >>> picture = graph_picture(boxes)
        >>> picture.count("<rect"), picture.count('class="s3"'), picture.count('class="s2"')
        (1, 3, 3)
    """
    if len(boxes) > MOST:
        raise InputError("the graph is too large to draw", received=f"{len(boxes)} nodes",
                         do=f"draw at most {MOST}; its text lists all of them")  # fmt: skip
    columns = _columns(boxes)
    lines = _lines(boxes, columns)
    starts = _starts(boxes, columns)
    places = [(starts[column], 40 + DOWN * row) for column, row in zip(columns, lines, strict=True)]
    parts = [
        _edge(boxes[i], places[i], box, places[to])
        for to, box in enumerate(boxes)
        for i in box.inputs
    ]
    parts += [_drawn(box, *place) for box, place in zip(boxes, places, strict=True)]
    width = max(
        x + _half(box) + 12 + _reach(box) for box, (x, _) in zip(boxes, places, strict=True)
    )
    height = 40 + DOWN * max(lines) + 44
    key = join(label("value, forward", 8, height - 6, kind="s3"),
               label("gradient, backward", 124, height - 6, kind="s2"))  # fmt: skip
    words = "Computational graph. " + "; ".join(
        f"{box.text}: value {box.above}, gradient {box.below or 'none'}" for box in boxes
    )
    return drawing(words, height, *parts, key, width=max(width, 270))


def _columns(boxes: Sequence[Box]) -> list[int]:
    """A column for each box: after its inputs; what is given stands before its first use."""
    depth: list[int] = []
    for box in boxes:
        depth.append(1 + max((depth[i] for i in box.inputs), default=-1))
    for place, box in enumerate(boxes):
        if not box.inputs:
            users = [depth[to] for to, other in enumerate(boxes) if place in other.inputs]
            depth[place] = max(0, min(users, default=1) - 1)
    return depth


def _lines(boxes: Sequence[Box], columns: Sequence[int]) -> list[float]:
    """A line for each box: what is given one below the other, the rest between its inputs."""
    found: dict[int, float] = {}
    taken: dict[int, list[float]] = {}
    free = 0.0

    def put(place: int, wanted: float) -> None:
        rows = taken.setdefault(columns[place], [])
        while any(abs(wanted - row) < 0.9 for row in rows):
            wanted += 0.5
        rows.append(wanted)
        found[place] = wanted

    stack = [len(boxes) - 1]
    while stack:
        place = stack[-1]
        missing = [i for i in boxes[place].inputs if i not in found]
        if missing:
            stack.append(missing[0])
            continue
        stack.pop()
        if place in found:
            continue
        if boxes[place].inputs:
            put(place, sum(found[i] for i in boxes[place].inputs) / len(boxes[place].inputs))
        else:
            put(place, free)
            free += 1
    return [found.get(place, 0.0) for place in range(len(boxes))]


def _starts(boxes: Sequence[Box], columns: Sequence[int]) -> list[float]:
    """The middle of each column: as far from the one before as boxes and texts need."""
    ends, halves = [0.0] * (max(columns) + 1), [0.0] * (max(columns) + 1)
    for box, column in zip(boxes, columns, strict=True):
        ends[column] = max(ends[column], _half(box) + 8 + _reach(box))
        halves[column] = max(halves[column], _half(box))
    starts = [halves[0] + 6]
    for column, half in enumerate(halves[1:]):
        starts.append(starts[-1] + max(ends[column] + 16 + half, ACROSS))
    return starts


def _reach(box: Box) -> float:
    return 7.2 * max(len(box.above), len(box.below))


def _half(box: Box) -> float:
    return max(18.0, 4.2 * len(box.text) + 6)


def _edge(box: Box, start: tuple[float, float], to: Box, end: tuple[float, float]) -> Markup:
    """A line from a box to one that uses it, flat where the numbers stand."""
    last = end[0] - _half(to)
    flat = min(start[0] + _half(box) + 8 + _reach(box), last)
    return join(
        line(start[0] + _half(box), start[1], flat, start[1]),
        line(flat, start[1], last, end[1]),
    )


def _drawn(box: Box, x: float, y: float) -> Markup:
    half = _half(box)
    frame = Markup("")
    corner = {"x": px(x - half), "y": px(y - HALF), "width": px(2 * half), "height": px(2 * HALF)}
    if not box.given:
        frame = tag("rect", **corner, rx="6", class_="s1", fill="none", stroke=COLORS["s1"])
    right = x + half + 5
    return join(
        frame, label(box.text, x, y + 4.5, "middle", kind="lead"),
        label(box.above, right, y - 5, kind="s3"), label(box.below, right, y + 15, kind="s2"),
    )  # fmt: skip
