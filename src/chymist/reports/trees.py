"""Decision trees in words and as drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chymist.errors import printable
from chymist.reports.markup import Markup
from chymist.reports.numbers import number
from chymist.reports.saying import ENGLISH, Say
from chymist.reports.svg import dot, drawing, label, line

if TYPE_CHECKING:  # reports are light to import, and models bring torch
    from chymist.models.trees import Tree

ROW, MARGIN, ELBOW = 22, 14, 70  # pixels: between leaves, at the edges, of a slanting line
LETTER, BOLD = 7.2, 8.4  # pixels: of a letter where they are wide
LEAVES = 30  # of a drawing; deeper levels are folded until there are no more
LINES = 200  # of a text
NAME, NAMES = 28, 3  # characters of a name, and names of a list


@dataclass(frozen=True, eq=False)
class NamedTree:
    """A tree with the names and units of its data; printed, it is text.

    Args:
        tree: the tree; of several, the first is drawn.
        columns: name of each column.
        categories: names of the categories of each column, empty for numbers.
        classes: class names; empty for values.
        shift, scale: raw number = number x scale + shift, (columns,).
        unit: (shift, scale) of the target.
        frequency: share of bootstraps that make each cut again, (nodes,), or None.
    """

    tree: Tree
    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    shift: np.ndarray
    scale: np.ndarray
    unit: tuple[float, float] = (0.0, 1.0)
    frequency: np.ndarray | None = None

    def __str__(self) -> str:
        return tree_text(self)

    def _repr_html_(self) -> str:
        return str(tree_svg(self))


def size_text(named: NamedTree, say: Say = ENGLISH) -> str:
    """How large a tree is, or how many there are, in a sentence.

    Args:
        named: the tree.
        say: the language.
    """
    tree, trees = named.tree, len(named.tree.roots)
    leaves = say.counted(tree.leaves, "{n} leaf", "{n} leaves")
    if trees == 1:
        deep = say.counted(tree.depth, "{n} cut", "{n} cuts")
        return say("A tree with {leaves}, {cuts} deep.", leaves=leaves, cuts=deep)
    template = "{n} trees with {leaves} in all; the first of them is shown."
    return say(template, n=f"{trees:,}", leaves=leaves)


def tree_text(named: NamedTree, depth: int | None = None, lines: int = LINES) -> str:
    """A tree as lines, a branch each: its condition, and what a leaf says of how many rows.

    Args:
        named: the tree.
        depth: levels of cuts that are shown, or None for all.
        lines: at most so many.

    Returns:
        The text. A leaf reads "class (rows/errors)", a folded branch "... (leaves)".
    """
    found: list[str] = []
    tree = named.tree
    stack = [(int(tree.roots[0]), 0, "")] if len(tree.roots) else []
    while stack:
        node, level, start = stack.pop()
        folded = depth is not None and level >= depth
        if tree.column[node] < 0 or folded:
            more = f" ... {_below(tree, node):,} leaves" if tree.column[node] >= 0 else ""
            found.append(f"{start}{said(named, node)}{more}")
            continue
        if start:
            found.append(start.removesuffix(": "))
        name = short_name(named.columns[tree.column[node]])
        sure = "" if named.frequency is None else f" [{100 * named.frequency[node]:.0f} %]"
        bars = "|   " * level
        stack += [
            (kid, level + 1, f"{bars}{name} {text}{sure}: ")
            for kid, text in reversed(branches_of(named, node))
        ]
    left = len(found) - lines
    return "\n".join(found[:lines] + ([f"... {left:,} more lines"] if left > 0 else []))


def tree_svg(named: NamedTree, leaves: int = LEAVES, say: Say = ENGLISH) -> Markup:
    """A tree as a drawing from left to right; its lowest levels are folded where it is large.

    Args:
        named: the tree.
        leaves: most ends of branches that are drawn.
        say: the language.

    Returns:
        An SVG element.
    """
    tree = named.tree
    root = int(tree.roots[0])
    levels = 0
    while levels < tree.depth and len(_ends(named, root, levels + 1)) <= leaves:
        levels += 1
    ends = _ends(named, root, levels)
    heights: dict[int, float] = {node: MARGIN + ROW * (n + 1) for n, node in enumerate(ends)}
    order = _drawn(named, root, levels)
    step = _step(named, order, levels, say)
    parts: list[Markup] = []
    width = 0.0
    for node, level in reversed(order):
        x = _left(named, root) + step * level
        if level == levels or tree.column[node] < 0:
            parts += _end(named, node, x, heights[node], say)
            width = max(width, x + 10 + LETTER * len(_said(named, node, say)))
            continue
        kids = branches_of(named, node, say)
        y = heights[node] = float(np.mean([heights[kid] for kid, _ in kids]))
        for kid, text in kids:
            at, bend = heights[kid], x + ELBOW
            parts += [line(x + 4, y, bend, at), line(bend, at, x + step - 6, at)]
            parts.append(label(text, x + step - 10, at - 4, "end"))
        parts += [dot(x, y, "s1", 3.5), label(_title(named, node), x - 10, y + 14, "end", "lead")]
    text = say("Decision tree. ") + size_text(named, say)
    return drawing(text, 2 * MARGIN + ROW * len(ends), *parts, width=width + MARGIN)


def _drawn(named: NamedTree, root: int, levels: int) -> list[tuple[int, int]]:
    """Nodes that are drawn and their levels, from the root down."""
    order = [(root, 0)]
    for node, level in order:  # grows while it is walked
        if level < levels and named.tree.column[node] >= 0:
            order += [(kid, level + 1) for kid, _ in branches_of(named, node)]
    return order


def _step(named: NamedTree, order: list[tuple[int, int]], levels: int, say: Say) -> float:
    """Pixels between levels: room for the longest column and condition after the slanting line."""
    longest = 0.0
    for node, level in order:
        if level < levels and named.tree.column[node] >= 0:
            texts = [LETTER * len(text) for _, text in branches_of(named, node, say)]
            own = BOLD * len(_title(named, node)) if level else 0.0
            longest = max(longest, own, *texts)
    return ELBOW + 16 + longest


def _title(named: NamedTree, node: int) -> str:
    """What stands at a cut: its column, and how often it was made again."""
    sure = "" if named.frequency is None else f" · {100 * named.frequency[node]:.0f} %"
    return short_name(named.columns[named.tree.column[node]]) + sure


def _left(named: NamedTree, root: int) -> float:
    """Where the root stands, so that there is room for its column."""
    return MARGIN + (10 + BOLD * len(_title(named, root)) if named.tree.column[root] >= 0 else 0.0)


def _end(named: NamedTree, node: int, x: float, y: float, say: Say) -> list[Markup]:
    """A leaf, or a branch that is folded."""
    tree = named.tree
    kind = f"s{1 + int(tree.value[node].argmax()) % 3}" if named.classes else "s3"
    total = max(float(tree.weight[tree.roots[0]]), 1e-300)
    size = 2 + 5 * float(np.sqrt(tree.weight[node] / total))
    return [dot(x, y, kind, size), label(_said(named, node, say), x + 10, y + 4)]


def _said(named: NamedTree, node: int, say: Say) -> str:
    """What stands at the end of a branch."""
    folded = named.tree.column[node] >= 0
    more = say(" … {n} leaves", n=f"{_below(named.tree, node):,}") if folded else ""
    return said(named, node) + more


def branches_of(named: NamedTree, node: int, say: Say = ENGLISH) -> list[tuple[int, str]]:
    """Children of a node with their conditions; those without training rows are one.

    Args:
        named: the tree.
        node: a node that cuts.
        say: the language.
    """
    tree = named.tree
    kids = list(zip(tree.children(node), conditions(named, node, say), strict=True))
    bare = [kid for kid, _ in kids if tree.weight[kid] == 0]  # they all say what the node says
    if len(bare) < 2:
        return kids
    return [pair for pair in kids if pair[0] not in bare] + [
        (bare[0], say("= {n} others", n=len(bare)))
    ]


def digits(value: float, known: float) -> str:
    """A number with as few digits as say it.

    Args:
        value: the number.
        known: how exactly it is known.

    Example:
        >>> digits(2.4499998, 3e-7), digits(1000000036.5, 1e-7), digits(3e-9, 1e-24)
        ('2.45', '1000000036.5', '3e-09')
    """
    said = next((text for text in (f"{value:.{n}g}" for n in range(1, 17))
                 if abs(float(text) - value) <= known), repr(value))  # fmt: skip
    plain = 1e-4 <= abs(value) < 1e16
    return np.format_float_positional(float(said), trim="-") if plain else said


def conditions(named: NamedTree, node: int, say: Say = ENGLISH) -> list[str]:
    """The condition of each branch of a node: "<= 3.5", "= red", "is other".

    Args:
        named: the tree.
        node: a node that cuts.
        say: the language.
    """
    tree, column = named.tree, int(named.tree.column[node])
    if tree.route[node] < 0:
        moved, shift = tree.threshold[node] * named.scale[column], named.shift[column]
        known = np.finfo(tree.threshold.dtype).eps * (abs(moved) + abs(shift))
        raw = digits(float(moved + shift), float(known))
        return [f"<= {raw}", f"> {raw}"]
    routes, names = tree.routes_of(node), named.categories[column]
    sets = [
        [names[code] for code in np.flatnonzero(routes == n)] for n in range(tree.branches[node])
    ]
    largest = max(range(len(sets)), key=lambda n: len(sets[n]))
    made = []
    for n, some in enumerate(sets):
        shown = [short_name(name) for name in some[:NAMES]]
        if len(some) > NAMES and n == largest:
            made.append(say("is other"))
        elif len(some) == 1:
            made.append(f"= {shown[0]}")
        else:
            more = say(", {n} more", n=len(some) - NAMES) if len(some) > NAMES else ""
            made.append(say("in {names}{more}", names=", ".join(shown), more=more))
    return made


def said(named: NamedTree, node: int) -> str:
    """What a node says as a leaf: the class with its rows and errors, or the value.

    Args:
        named: the tree.
        node: any node.
    """
    tree, value = named.tree, named.tree.value[node]
    rows = number(float(tree.weight[node]))
    if not named.classes:
        shift, scale = named.unit
        return f"{number(float(value[0]) * scale + shift)} ({rows})"
    best = int(value.argmax())
    if len(tree.roots) > 1:
        return f"{short_name(named.classes[best])} ({rows})"
    errors = float(tree.weight[node] * (1 - value[best]))
    wrong = f"/{number(errors)}" if errors > 1e-4 else ""
    return f"{short_name(named.classes[best])} ({rows}{wrong})"


def short_name(name: str) -> str:
    """A name from the data, inert and of bounded length."""
    text = printable(name[: 2 * NAME])
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def _ends(named: NamedTree, root: int, levels: int) -> list[int]:
    """Where branches end if only some levels are drawn, from top to bottom."""
    found, stack = [], [(root, 0)]
    while stack:
        node, level = stack.pop()
        if named.tree.column[node] < 0 or level == levels:
            found.append(node)
        else:
            stack += [(kid, level + 1) for kid, _ in reversed(branches_of(named, node))]
    return found


def _below(tree: Tree, node: int) -> int:
    """Number of leaves below a node."""
    from chymist.models.trees.tree import levels as levels_of

    return sum(int((tree.column[some] < 0).sum()) for some in levels_of(tree, np.array([node])))
