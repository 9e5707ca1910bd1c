"""`explain_graph`: which edges and nodes an answer of a network on a graph rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chymist.data.node_rows import node_rows
from chymist.engine.assembly import forward
from chymist.errors import InputError, UsageError, nearest
from chymist.explanation import edges as worth
from chymist.explanation.deleting import Deletion
from chymist.explanation.edges import METHODS, Neighborhood, neighborhood, network_of
from chymist.losses import FORMS
from chymist.reports.edge_picture import Spot, neighbors_picture
from chymist.reports.markup import Markup
from chymist.reports.text import table
from chymist.values import Data, Run, Split, whole_number
from chymist.verbs.chosen_rows import worst_rows
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.text_rows import answer_number
from chymist.verbs.writing import save_drawing

DRAWN = 40  # edges that are drawn, the strongest ones and the ways to them


@dataclass(frozen=True)
class Edge:
    """An edge and what it is worth: positive speaks for the answer."""

    source: str
    target: str
    value: float


@dataclass(frozen=True)
class Node:
    """A node that is seen.

    Args:
        name: its identifier, or its number.
        distance: edges to the node that is explained; 0 where rows are graphs.
        answer: what the model says of it; "" where rows are graphs, or values are predicted.
        value: what its features are worth.
    """

    name: str
    distance: int
    answer: str
    value: float


@dataclass(frozen=True, eq=False)
class GraphExplanation:
    """What edges and nodes are worth to the answer for one node, or one graph.

    Args:
        row: identifier or number of the node, or number of the graph from 1.
        method: how edges were weighed.
        target: class that is explained, or the target of a regression.
        predicted: answer of the model; "" for values.
        truth: the class that it is; "" where it is not known, or sealed.
        output: log-odds of the target; of a regression the output of the model.
        probability: of the target; NaN for values.
        edges: the strongest first; both directions are one.
        nodes: all that are seen, by what their features are worth, the strongest first.
        deletion: the output while edges go, the best first, beside random orders.
    """

    row: str
    method: str
    target: str
    predicted: str
    truth: str
    output: float
    probability: float
    edges: tuple[Edge, ...]
    nodes: tuple[Node, ...]
    deletion: Deletion

    @property
    def title(self) -> str:
        """What the model says, in one line."""
        said = f"{self.probability:.1%} {self.target}" if self.predicted else f"{self.output:.4g}"
        other = f" (answer: {self.predicted})" if self.predicted != self.target else ""
        truth = f"; is {self.truth}" if self.truth else ""
        return f"{self.row}: {said}{other if self.predicted else ''}{truth}"

    @property
    def verdict(self) -> str:
        """Whether the edges are those that the answer rests on, in one sentence."""
        if not self.edges:
            return "no edge leads there: the answer rests on its own features"
        if len(self.edges) < 4:
            return f"{len(self.edges)} edges: too few to compare orders"
        lost, count = self.deletion, self.deletion.ordered.shape[0] - 1
        how = (
            "faithful"
            if lost.beaten > 0.95
            else "better than chance"
            if lost.beaten > 0.6
            else "no better than chance"
        )
        what = "log-odds go" if self.predicted else "output goes"
        start, end, other = lost.ordered[0], lost.ordered[-1], lost.random[:, -1].mean()
        return (f"without the best {count} edges the {what} from {start:.3g} to {end:.3g}, without "
                f"{count} random ones to {other:.3g}; beats {lost.beaten:.0%} of random orders: "
                f"{how}")  # fmt: skip

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows of a table of the strongest edges."""
        rows = [[e.source, e.target, f"{e.value:+.4g}"] for e in self.edges[:12]]
        return ["edge", "", f"worth ({self.method})"], rows

    def svg(self) -> Markup:
        """The neighbourhood: an edge is as wide as it is worth much, dashed where it is against."""
        center = next((n.name for n in self.nodes if n.distance == 0), "")
        known = {node.name: node for node in self.nodes}
        shown = _drawn(self.edges, center if self.predicted and self._of_node else "")
        names = list(dict.fromkeys([center] * self._of_node
                                   + [name for e in shown for name in (e.source, e.target)]))  # fmt: skip  # noqa: E501
        place = {name: n for n, name in enumerate(names)}
        spots = [Spot(n, bool(known[n].answer) and known[n].answer == self.target,
                      self._of_node and n == center) for n in names]  # fmt: skip
        left = len(self.edges) - len(shown)
        legend = "vermilion: for, blue and dashed: against"
        legend += "; filled: the model says the same of it" * self._of_node
        notes = [f"{self.method} of edges; {legend}", self.verdict]
        notes += [f"{left:,} weaker edges are not drawn"] * (left > 0)
        return neighbors_picture(self.title, notes, spots,
                                 [(place[e.source], place[e.target], e.value) for e in shown])  # fmt: skip  # noqa: E501

    @property
    def _of_node(self) -> bool:
        return any(node.distance > 0 for node in self.nodes) or len(self.nodes) == 1

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "row": self.row, "method": self.method, "target": self.target,
            "predicted": self.predicted, "truth": self.truth, "output": self.output,
            "probability": self.probability, "verdict": self.verdict,
            "edges": [{"source": e.source, "target": e.target, "value": e.value}
                      for e in self.edges],
            "nodes": [{"name": n.name, "distance": n.distance, "answer": n.answer,
                       "value": n.value} for n in self.nodes],
            "faithfulness": {"gain": self.deletion.gain, "beaten": self.deletion.beaten},
        }  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        heads, rows = self.table()
        return "\n".join([self.title, table(rows, heads, 80), self.verdict])


def explain_graph(
    run: Run | str | Path, row: Any = None, *, method: str = "occlusion",
    target: str | None = None, seed: int = 0, model: Any = None, data: Data | None = None,
) -> GraphExplanation:  # fmt: skip
    """Which edges, and which nodes, the answer for a node or a graph rests on.

    Args:
        run: a run of `gcn`, `sage`, `gat` or `gin`, or its folder.
        row: number of a row (node or graph) from 0, or identifier of a node; None is the validation
            row that is answered worst.
        method: "occlusion" takes each edge away and asks again: exact. "gradient" and
            "integrated-gradients" scale the messages along it; not of `gat`.
        target: class that is explained; None is the answer of the model, "true" the right one.
        seed: of the random orders in which edges are taken away.
        model: the user's own module or factory, if the run was made with one and is read from its
            folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        A `GraphExplanation`.

    Raises:
        InputError: there is no such row.
        UsageError: the model uses no edges, or an unknown method or class.

    Example:
        >>> import chymist as cy, numpy as np
        >>> graph = cy.graph_of(6, [[0, 1], [1, 2], [3, 4], [4, 5]], features=np.eye(6))
        >>> data = cy.load((graph, ["a", "a", "a", "b", "b", "b"]))
        >>> run = cy.fit(cy.Recipe(model="gcn", length="5 epochs"), data, doctor=False)
        >>> len(explain_graph(run, 0).edges)
        2

    Source: Ying et al. 2019, GNNExplainer, arXiv:1903.03894; Pope et al. 2019.
    """
    if method not in METHODS:
        raise UsageError("unknown method", where="method", received=f"'{method}'",
                         do=nearest(method, METHODS))  # fmt: skip
    _, split, predictor = opened(run, model, data)
    data = split.data
    if data.kind != "graph" or data.graph is None:
        raise UsageError("only graphs have edges", where="run",
                         received=f"data of kind '{data.kind}'",
                         do="use explain, which shows what fits the data")  # fmt: skip
    network = network_of(predictor.module)
    place_of_row = _row(split, predictor, row)
    made = forward(network, [torch.tensor([[place_of_row]])])
    form = FORMS[predictor.recipe.loss.name]
    answers = form.predictions(made).double().cpu().numpy().reshape(-1)
    answer = int(answers.argmax()) if data.classes else 0
    sealed = place_of_row in split.test  # what it is stays unsaid
    truth = -1 if sealed or not data.classes else int(data.targets[place_of_row])
    number = answer_number(target, answer, truth, data.classes)
    # One output stands for two classes: for the second as it is, for the first with its sign.
    first = bool(data.classes) and made.shape[1] == 1 and number == 0
    several = bool(data.classes) and made.shape[1] > 1
    read = worth.log_odds(number) if several else worth.value(0, -1.0 if first else 1.0)
    seen = neighborhood(network.fields, place_of_row)
    values = METHODS[method](network, seen, read)
    lost = worth.deletion(network, seen, read, values, seed=seed)
    of_nodes = worth.node_values(network, seen, read)
    return GraphExplanation(
        _called(data, place_of_row), method, data.classes[number] if data.classes else data.target,
        data.classes[answer] if data.classes else "",
        data.classes[truth] if truth >= 0 else "",
        float(read(made[0])), float(answers[number]) if data.classes else float("nan"),
        _edges(data, seen, values), _nodes(data, predictor, seen, of_nodes), lost,
    )  # fmt: skip


def _row(split: Split, predictor: Predictor, row: Any) -> int:
    """Number of the row that is explained."""
    data, graph = split.data, split.data.graph
    if row is None:
        return int(worst_rows(split, predictor, 1)[0])
    if isinstance(row, str) and graph is not None:
        named = node_rows([row], graph)
        assert named is not None
        return int(named.numbers[0, 0])
    place = whole_number(row, "row", 0)
    if place >= len(data):
        raise InputError("no such row", where="row", received=str(place),
                         do=f"rows are 0 to {len(data) - 1}")  # fmt: skip
    return place


def _called(data: Data, row: int) -> str:
    graph = data.graph
    if graph is not None and graph.owners is not None:
        return f"graph {row + 1}"
    return f"node {graph.names[row] if graph is not None and graph.names else row}"


def _name(data: Data, node: int) -> str:
    graph = data.graph
    assert graph is not None
    if graph.owners is not None:  # numbered within the graph
        node -= int(np.searchsorted(graph.owners, graph.owners[node]))
    return graph.names[node] if graph.names and graph.owners is None else str(node)


def _edges(data: Data, seen: Neighborhood, values: torch.Tensor) -> tuple[Edge, ...]:
    ends = seen.nodes[seen.pairs].tolist()
    worths = values.double().cpu().tolist()
    made = [Edge(_name(data, a), _name(data, b), v) for a, b, v in zip(*ends, worths, strict=True)]
    return tuple(sorted(made, key=lambda edge: -abs(edge.value)))


def _nodes(
    data: Data, predictor: Predictor, seen: Neighborhood, values: torch.Tensor
) -> tuple[Node, ...]:
    """Nodes that are seen, with what the model says of them."""
    kept = seen.seen.nonzero()[:, 0]
    numbers = seen.nodes[kept]
    answers = [""] * len(kept)
    if data.classes and seen.row >= 0:
        found = predictor.outputs([numbers[:, None]])
        answers = [data.classes[int(n)] for n in found.argmax(1)]
    made = [
        Node(_name(data, int(n)), int(seen.distance[k]), answer, float(values[k]))
        for n, k, answer in zip(numbers, kept, answers, strict=True)
    ]
    return tuple(sorted(made, key=lambda node: -abs(node.value)))


def _drawn(edges: Sequence[Edge], center: str) -> list[Edge]:
    """The strongest edges, and for those that hang in the air the strongest way to the centre."""
    shown = list(edges[:DRAWN])
    if not center:
        return shown
    reached = {center}
    while True:
        grown = reached | {
            name for e in shown if {e.source, e.target} & reached for name in (e.source, e.target)
        }
        if grown != reached:
            reached = grown
            continue
        loose = {name for e in shown for name in (e.source, e.target)} - reached
        bridge = next(
            (e for e in edges[DRAWN:] if e not in shown
             and len({e.source, e.target} & loose) == 1 and {e.source, e.target} & reached), None,
        )  # fmt: skip
        if bridge is None:
            return [e for e in shown if {e.source, e.target} <= reached]
        shown.append(bridge)
