"""The graph of a model as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chymist.reports.charts import fit
from chymist.reports.dataflow import Dataflow, Node
from chymist.reports.kinds import Family
from chymist.reports.layering import Layout, Point, layout
from chymist.reports.markup import Markup, join, tag
from chymist.reports.saying import Say, saying
from chymist.reports.svg import drawing, label, px
from chymist.reports.tracing import Shape

MAIN, LINE, STRIP = 38.0, 24.0, 20.0  # heights: a layer, an operation, what follows a layer
LETTER, BOLD = 7.2, 8.6  # widths
NAME, DETAIL = 22, 26  # letters at most
MARGIN, HEAD = 14.0, 44.0
HALO = "paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round"
CLASSES: dict[Family, str | None] = {
    "weights": "s1", "norm": "s3", "activation": "s2", "shape": None, "join": None,
    "input": None, "output": None,
}  # fmt: skip
ENGLISH = saying("en")
GREY = "#767676"
FILL = {"s1": "#0072b2", "s2": "#d55e00", "s3": "#009e73", None: GREY}


@dataclass(frozen=True)
class _Box:
    """Nodes that are drawn as one: a layer, with the norms and activations that follow it."""

    nodes: tuple[Node, ...]
    width: float
    name: str
    places: str | None = None  # of the nodes in the graph, where they are to be found by a page

    @property
    def height(self) -> float:
        return sum(_tall(node, not n) for n, node in enumerate(self.nodes))


def flow_picture(
    graph: Dataflow, title: str, notes: Sequence[str] = (), say: Say = ENGLISH, marked: bool = False
) -> Markup:
    """A model from top to bottom: boxes of layers, lines of what flows, frames of modules.

    Args:
        graph: of the model.
        title: stands above it.
        notes: stand below it.
        say: says its words.
        marked: whether boxes carry the places of their nodes (after `without_identities`).

    Returns:
        An SVG element; its description is read out instead of it.

    Example:
        >>> from chymist.reports.dataflow import Dataflow, Node
        >>> nodes = (Node("input", "input", shape=(3,)), Node("0", "ReLU", inputs=((0, (3,)),)))
        >>> flow_picture(Dataflow(nodes, ()), "two").count("sees")
        0
    """
    graph = without_identities(graph)
    stacks, place = _stacks(graph.nodes)
    drawn_groups = _framed(graph, stacks)
    inside = [_around(graph, some[0], drawn_groups) for some in stacks]
    boxes = []
    for some, around in zip(stacks, inside, strict=True):
        nodes = tuple(graph.nodes[n] for n in some)
        name = _below(nodes[0].name, graph.groups[around[-1]].name if around else "")
        places = " ".join(map(str, some)) if marked else None
        boxes.append(_Box(nodes, _wide(nodes, name, say), name, places))
    flows: dict[tuple[int, int], Shape] = {}
    for to, some in enumerate(stacks):
        for at, shape in graph.nodes[some[0]].inputs:
            flows.setdefault((place[at], to), shape)
    found = layout([(b.width, b.height) for b in boxes], list(flows), inside)
    frames = [_frame(graph, frame, drawn_groups, say) for frame in found.frames]
    parts = [rect for rect, _ in frames] + [_route(route) for route in found.routes]
    parts += [_box(box, at, say) for box, at in zip(boxes, found.centers, strict=True)]
    texts = [text for _, text in frames] + _labels(boxes, found, flows, say)
    parts.append(tag("g", *texts, style=HALO))
    width = max(found.width + 2 * MARGIN + 60, 440.0, BOLD * len(title) + 2 * MARGIN)
    foot = HEAD + found.height + 14
    lines = [line for note in notes for line in _wrapped(note, int((width - 2 * MARGIN) / LETTER))]
    height = foot + 26 + 17 * len(lines) + (6 if lines else 0)
    feet = [_legend(foot, say)]
    feet += [label(line, MARGIN, foot + 36 + 17 * n, kind="s2") for n, line in enumerate(lines)]
    whole = tag("g", *parts, transform=f"translate({px(MARGIN)} {px(HEAD)})")
    words = f"{title} " + "; ".join(_said(node, say) for node in graph.nodes)
    head = label(title, MARGIN, 22, kind="lead")
    return drawing(words, height, head, whole, *feet, width=width)


def boxes_of(graph: Dataflow) -> int:
    """How many boxes a picture has.

    Args:
        graph: of the model.
    """
    return len(_stacks(without_identities(graph).nodes)[0])


def shape_text(shape: Shape) -> str:
    """A shape in words.

    Example:
        >>> shape_text((3, 28, 28)), shape_text(())
        ('3 × 28 × 28', 'a number')
    """
    return " × ".join(map(str, shape)) or "a number"


def short(number: int) -> str:
    """A count in few letters.

    Example:
        >>> short(2304), short(2359296), short(61_100_840_000)
        ('2,304', '2.36 M', '61.1 G')
    """
    if number < 100_000:
        return f"{number:,}"
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return (
                f"{number / 10**power:.3g} {unit}"
                if number < 10 ** (power + 3)
                else (f"{number / 10**power:,.0f} {unit}")
            )
    return str(number)


def without_identities(graph: Dataflow) -> Dataflow:
    """What does nothing is no box: an edge goes through it.

    Args:
        graph: of a model.
    """
    stands: dict[int, int] = {}
    kept: list[Node] = []
    new: dict[int, int] = {}
    for at, node in enumerate(graph.nodes):
        if node.kind == "Identity" and len(node.inputs) == 1:
            stands[at] = stands.get(node.inputs[0][0], node.inputs[0][0])
            continue
        flows = dict.fromkeys((new[stands.get(n, n)], shape) for n, shape in node.inputs)
        new[at] = len(kept)
        kept.append(replace(node, inputs=tuple(flows)))
    return replace(graph, nodes=tuple(kept))


def _stacks(nodes: Sequence[Node]) -> tuple[list[list[int]], dict[int, int]]:
    """Layers with the norms and activations that nothing but they leads to, and where each is."""
    uses = [0] * len(nodes)
    for node in nodes:
        for at in {at for at, _ in node.inputs}:
            uses[at] += 1
    stacks: list[list[int]] = []
    place: dict[int, int] = {}
    for n, node in enumerate(nodes):
        follows = node.family in ("norm", "activation") and len(node.inputs) == 1
        if follows:
            before = node.inputs[0][0]
            head = nodes[before]
            follows = (
                uses[before] == 1 and head.group == node.group and head.shape == node.shape
                and head.family not in ("input", "output")
                and stacks[place[before]][-1] == before
            )  # fmt: skip
        if follows:
            place[n] = place[node.inputs[0][0]]
            stacks[place[n]].append(n)
        else:
            place[n] = len(stacks)
            stacks.append([n])
    return stacks, place


def _framed(graph: Dataflow, stacks: Sequence[Sequence[int]]) -> set[int]:
    """Groups that are drawn: of two boxes or more, each other ones than the group around it."""
    members: dict[int, set[int]] = {}
    for box, some in enumerate(stacks):
        at = graph.nodes[some[0]].group
        while at >= 0:
            members.setdefault(at, set()).add(box)
            at = graph.groups[at].parent
    found = set()
    for at, boxes in members.items():
        up = graph.groups[at].parent
        plain = graph.groups[at].kind in ("Sequential", "ModuleList") and up >= 0
        alone = up >= 0 and members[up] == boxes
        if len(boxes) > 1 and not plain and not alone:
            found.add(at)
    return found


def _around(graph: Dataflow, node: int, drawn: set[int]) -> tuple[int, ...]:
    path, at = [], graph.nodes[node].group
    while at >= 0:
        path += [at] if at in drawn else []
        at = graph.groups[at].parent
    return tuple(path[::-1])


def _tall(node: Node, first: bool) -> float:
    more = 15.0 if node.ties else 0.0
    if not first:
        return STRIP + more
    return (MAIN if _full(node) else LINE) + more


def _full(node: Node) -> bool:
    """Whether a node needs two lines: the layers, and what costs something."""
    return node.family == "weights" or bool(node.multiply_adds)


def _wide(nodes: Sequence[Node], name: str, say: Say) -> float:
    widest = 0.0
    for n, node in enumerate(nodes):
        left = BOLD * len(fit(node.kind, NAME)) + LETTER * (len(_detail(node, say)) + 1)
        right = LETTER * len(_numbers(node)[0]) + 14
        second = LETTER * (len(name) + len(_numbers(node)[1])) + 14
        if node.family in ("input", "output"):
            widest = max(widest, BOLD * len(node.name or node.kind))
        else:
            full = _full(node) and not n
            shared = LETTER * len(_shared(node, say))
            widest = max(widest, left + right, second if full else 0.0, shared)
    return max(widest + 20, 56.0)


def _detail(node: Node, say: Say) -> str:
    if node.inside:
        return say("1 module") if node.inside == 1 else say("{n} modules", n=node.inside)
    return fit(node.detail.replace(" x ", "×"), DETAIL)


def _below(name: str, group: str) -> str:
    """A name within a group; its end, where it is long."""
    name = name.removeprefix(f"{group}.") if group else name
    return name if len(name) <= NAME else "…" + name[1 - NAME :]


def _numbers(node: Node) -> tuple[str, str]:
    parameters = short(node.parameters) if node.parameters else ""
    return parameters, short(node.multiply_adds) if node.multiply_adds else ""


def _shared(node: Node, say: Say) -> str:
    """What is said of weights that are used more than once."""
    names = ", ".join(node.ties[:3]) + (", ..." if len(node.ties) > 3 else "")
    if not names:
        return ""
    if node.shared:
        return say("weights {names} again", names=names)
    return say("weights {names} (shared)", names=names)


def _box(box: _Box, at: Point, say: Say) -> Markup:
    """A box; what it says in full is shown by browsers when the pointer rests on it."""
    left, top = at[0] - box.width / 2, at[1]
    parts: list[object] = [tag("title", ". ".join(_said(node, say) for node in box.nodes))]
    head = box.nodes[0]
    if head.inside:  # a second sheet below the first
        parts.append(_rect(left + 4, top + 4, box.width, box.height, head.family, "0.05"))
    for n, node in enumerate(box.nodes):
        tall = _tall(node, not n)
        parts.append(_strip(node, (left, top, box.width, tall), "" if n else box.name, not n, say))
        top += tall
    corner = {"x": px(left), "y": px(at[1]), "width": px(box.width), "height": px(box.height)}
    parts.append(tag("rect", **corner, rx="5", fill="none", class_="axis", stroke=GREY,
                     stroke_opacity="0.6"))  # fmt: skip
    return tag("g", *parts, data_nodes=box.places)


def _rect(
    left: float, top: float, width: float, height: float, family: Family, opacity: str
) -> Markup:
    kind = CLASSES[family]
    return tag(
        "rect", x=px(left), y=px(top), width=px(width), height=px(height), rx="5",
        class_=f"{kind} dot" if kind else None, fill=FILL[kind], fill_opacity=opacity,
    )  # fmt: skip


def _strip(
    node: Node, place: tuple[float, float, float, float], name: str, first: bool, say: Say
) -> Markup:
    left, top, width, tall = place
    right = left + width - 8
    if node.family in ("input", "output"):
        return label(node.name or node.kind, left + width / 2, top + 16.5, "middle", kind="lead")
    parts: list[object] = [_rect(left, top, width, tall, node.family, "0.13")]
    if node.family in ("weights", "norm", "activation"):
        parts.append(_rect(left, top, 4, tall, node.family, "0.9"))
    line = top + (16.5 if first else 14.5)
    kind = fit(node.kind, NAME)
    parts.append(label(kind, left + 11, line, kind="lead" if first else None))
    if _detail(node, say):
        wide = (BOLD if first else LETTER) * len(kind)
        parts.append(label(_detail(node, say), left + 16 + wide, line))
    parameters, products = _numbers(node)
    parts.append(label(parameters, right, line, "end") if parameters else "")
    if _full(node) and first:
        line += 15.5
        parts.append(label(name, left + 11, line))
        parts.append(label(products, right, line, "end") if products else "")
    if node.ties:
        parts.append(label(_shared(node, say), left + 11, top + tall - 5, kind="s2"))
    return join(*parts)


def _labels(
    boxes: Sequence[_Box],
    found: Layout,
    flows: dict[tuple[int, int], Shape],
    say: Say,
) -> list[Markup]:
    """What flows out of each box, beside its first line down; another one stands at its own."""
    parts = []
    for n, box in enumerate(boxes):
        mine = [(pair, shape) for pair, shape in flows.items() if pair[0] == n]
        shapes = list(dict.fromkeys(shape for _, shape in mine))
        if not shapes:
            continue
        x, y = found.centers[n][0] + 6, found.centers[n][1] + box.height
        parts.append(label(" and ".join(map(shape_text, shapes)), x, y + 13))
        field = box.nodes[-1].receptive_field
        if isinstance(field, tuple) and any(side > 1 for side in field):
            parts.append(label(say("sees {shape}", shape=shape_text(field)), x, y + 26))
    return parts


def _frame(
    graph: Dataflow,
    frame: tuple[int, float, float, float, float, bool],
    drawn: set[int],
    say: Say,
) -> tuple[Markup, Markup]:
    at, left, top, width, height, more = frame
    group = graph.groups[at]
    up = group.parent
    while up >= 0 and up not in drawn:
        up = graph.groups[up].parent
    name = _below(group.name, graph.groups[up].name if up >= 0 else "")
    text = f"{name} ({group.kind})" if name != group.kind else group.kind
    text = say("{name}, continued", name=text) if more else text
    rect = tag(
        "rect", x=px(left), y=px(top), width=px(width), height=px(height), rx="8", class_="axis",
        fill=GREY, fill_opacity="0.05", stroke=GREY, stroke_opacity="0.45", stroke_dasharray="4 3",
    )  # fmt: skip
    return rect, label(fit(text, max(int(width / LETTER) - 1, 4)), left + 8, top + 14)


def _route(route: Sequence[Sequence[Point]]) -> Markup:
    """A line with the head of an arrow."""
    steps = []
    for n, piece in enumerate(route):
        (x, y), *rest = piece
        steps.append(f"M{px(x)} {px(y)}" if not n else f"L{px(x)} {px(y)}")
        if len(rest) == 1 and abs(rest[0][0] - x) > 0.5:
            (a, b), middle = rest[0], (y + rest[0][1]) / 2
            steps.append(f"C{px(x)} {px(middle)} {px(a)} {px(middle)} {px(a)} {px(b)}")
        else:
            steps += [f"L{px(a)} {px(b)}" for a, b in rest]
    x, y = route[-1][-1]
    head = f"M{px(x)} {px(y)}l-3.5 -7h7z"
    line = tag("path", d=Markup("".join(steps)), class_="axis", fill="none", stroke=GREY,
               stroke_width="1.3")  # fmt: skip
    return join(line, tag("path", d=Markup(head), fill=GREY))


def _legend(y: float, say: Say) -> Markup:
    parts, x = [], MARGIN
    names = (("s1", say("weights")), ("s3", say("norm, dropout")), ("s2", say("activation")),
             (None, say("other")))  # fmt: skip
    for kind, text in names:
        parts.append(tag("rect", x=px(x), y=px(y - 9), width="10", height="10", rx="2",
                         class_=f"{kind} dot" if kind else None, fill=FILL[kind]))  # fmt: skip
        parts.append(label(text, x + 15, y))
        x += 15 + LETTER * len(text) + 16
    note = say("right in a box: parameters, multiply-adds of one input")
    return join(*parts, label(note, MARGIN, y + 15))


def _said(node: Node, say: Say) -> str:
    """A node in words."""
    name = f"{node.name}: " if node.name and node.family not in ("input", "output") else ""
    kind = node.name if node.family == "input" else node.kind
    parts = [f"{name}{kind}{' ' + node.detail if node.detail else ''}", shape_text(node.shape)]
    if node.parameters:
        parts.append(say("{n} parameters", n=f"{node.parameters:,}"))
    if node.shared:
        shared = ", ".join(node.ties)
        parts.append(say("{n} shared ({names})", n=f"{node.shared:,}", names=shared))
    if node.multiply_adds:
        parts.append(say("{n} multiply-adds", n=f"{node.multiply_adds:,}"))
    return ", ".join(parts)


def _wrapped(text: str, wide: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > wide:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
