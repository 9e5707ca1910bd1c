"""Which modules of a large model are folded, so that its picture fits on a page or in a report."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from chymist.reports.dataflow import Dataflow, dataflow, runs_folded
from chymist.reports.flow_picture import boxes_of, flow_picture
from chymist.reports.markup import Markup, figure, tag
from chymist.reports.passes import Passes
from chymist.reports.saying import Say

BOXES = 44  # of a page
BYTES = 60_000  # of a figure in a report
DEEPEST = 12


def levels_of(model: nn.Module, found: Passes) -> tuple[Dataflow, ...]:
    """The graph of a model by depth: the model as one node, then modules at depth 1, 2, ...

    Args:
        model: the module.
        found: what it did.

    Returns:
        Graphs with more and more nodes; the last has all layers.
    """
    made: list[Dataflow] = []
    whole = dataflow(model, found.found, found.other)
    for depth in range(DEEPEST):
        graph = dataflow(model, found.found, found.other, depth)
        if len(graph.nodes) == len(whole.nodes):
            break
        made.append(graph)
    return (*made, whole)


def usual_level(levels: Sequence[Dataflow], most: int = BOXES) -> Dataflow:
    """The deepest graph whose boxes fit on a page.

    Args:
        levels: as `levels_of` gives them.
        most: boxes of a page.
    """
    for graph in levels[::-1]:
        for made in (graph, runs_folded(graph)):
            if boxes_of(made) <= most:
                return made
    return levels[0]


def notes_of(found: Passes, graph: Dataflow, say: Say) -> list[str]:
    """What a picture does not show, in sentences.

    Args:
        found: what the model did.
        graph: all of it.
        say: says them.
    """
    notes = found.notes(say)
    if graph.unused:
        names = ", ".join(name for name, _ in graph.unused[:6])
        names += ", ..." if len(graph.unused) > 6 else ""
        many = f"{sum(numbers for _, numbers in graph.unused):,}"
        if found.moved or found.reading or found.restless:
            said = say("Not used on this way: {names} ({n} numbers, in the total).",
                       names=names, n=many)  # fmt: skip
        else:
            said = say("Not used in evaluation mode: {names} ({n} numbers, in the total).",
                       names=names, n=many)  # fmt: skip
        notes.append(said)
    return notes


def flow_figure(levels: Sequence[Dataflow], notes: Sequence[str], say: Say) -> Markup:
    """The picture of a model for a report: folded until it takes at most 60 kB.

    Args:
        levels: as `levels_of` gives them.
        notes: stand in it.
        say: says its words.

    Returns:
        A figure; empty where even the folded model takes more.
    """
    usual = usual_level(levels)
    smaller = [graph for graph in levels if len(graph.nodes) < len(usual.nodes)]
    title = say("{n} parameters, {products} multiply-adds for one row",
                n=f"{usual.parameters:,}", products=f"{usual.multiply_adds:,}")  # fmt: skip
    for graph in (usual, *smaller[::-1]):
        drawn = flow_picture(graph, title, notes, say)
        if len(drawn) <= BYTES:
            folded = sum(bool(node.inside) for node in graph.nodes)
            caption = say("{n} modules are folded into one box each.", n=folded) if folded else ""
            return figure("", tag("div", drawn, class_="scroll tree", tabindex="0"), caption)
    return Markup("")
