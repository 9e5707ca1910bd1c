"""The model of a run as a graph: drawn, and node by node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chymist.engine.folder import Saved, open_folder
from chymist.reports.dataflow import Dataflow, Node
from chymist.reports.flow_figure import usual_level
from chymist.reports.flow_picture import flow_picture, without_identities
from chymist.reports.saying import saying
from chymist.verbs.architecture import Architecture, architecture_in
from chymist.verbs.records import untrained_model
from chymist.verbs.reporting import recipe_fields

MOST_BOXES = 400  # that a page draws


def picture(folder: str, depth: int | None = None, lang: str = "en") -> Iterator[dict[str, Any]]:
    """The graph of a run's model, as `cy.architecture` has it; of a run that trains too.

    Args:
        folder: of the run, or of a population, whose first member is drawn.
        depth: to which modules are opened; None chooses the deepest that fits on a page.
        lang: "en" or "zh".
    """
    saved, say = open_folder(_one_of(Path(folder))), saying(lang)
    name = str(saved.recipe.model)
    module = untrained_model(saved)
    found = architecture_in(module, saved.preparation.input_shape, name, say)
    graph = _level(found, depth)
    total = say("{n} parameters, {products} multiply-adds for one row",
                n=f"{found.parameters:,}", products=f"{found.multiply_adds:,}")  # fmt: skip
    yield {
        "name": name,
        "total": total,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "memory": sum(node.memory for node in found.nodes),
        "depths": [len(level.nodes) for level in found.levels],
        "depth": depth,
        "svg": flow_picture(graph, name, (), say, marked=True),
        "nodes": [_node(at, node) for at, node in enumerate(graph.nodes)],
        "notes": list(found.notes),
        "unused": [[name, many] for name, many in found.unused],
        "shared": sorted({tie for node in found.nodes for tie in node.ties}),
        "script": _script(saved, depth),
    }


def _one_of(folder: Path) -> Path:
    """The folder of a run: of a population that of its first member."""
    return next(iter(sorted((folder / "members").glob("*/"))), folder)


def _level(found: Architecture, depth: int | None) -> Dataflow:
    """The graph at a depth; one that is too large to be drawn is folded."""
    graph = usual_level(found.levels) if depth is None else found.graph(depth)
    if len(graph.nodes) > MOST_BOXES:
        graph = usual_level(found.levels, MOST_BOXES)
    return without_identities(graph)


def _node(at: int, node: Node) -> dict[str, Any]:
    return {
        "at": at, "name": node.name, "kind": node.kind, "detail": node.detail,
        "family": node.family, "inputs": [[n, list(shape)] for n, shape in node.inputs],
        "output": list(node.shape), "parameters": node.parameters, "shared": node.shared,
        "ties": list(node.ties), "multiply_adds": node.multiply_adds, "memory": node.memory,
        "receptive_field": node.receptive_field, "inside": node.inside,
    }  # fmt: skip


def _script(saved: Saved, depth: int | None) -> dict[str, str]:
    """Python that gives the same graph, and the command, if the run has ended."""
    option, where = "" if depth is None else f", depth={depth}", str(saved.path)
    ended = saved.result.get("status") == "finished"
    fields = dict(one.strip(" ,").split("=", 1) for one in recipe_fields(saved.recipe))
    shape, outputs = tuple(saved.preparation.input_shape), saved.shapes.outputs
    model = f"cy.load_run({where!r})" if ended else f"{fields['model']}, {shape}, {outputs}"
    python = f"import chymist as cy\n\nfound = cy.architecture({model})\nprint(found)\n"
    python += f'found.save("model.svg"{option})\n'
    return {"python": python, "command": f"chymist show {where} --graph model.svg" if ended else ""}
