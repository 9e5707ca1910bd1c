"""Computational graphs: a calculation in simple nodes, values forward, gradients backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from chymist.errors import InputError, UsageError, nearest
from chymist.gradients.expressions import evaluate, names_in, parse_formula
from chymist.gradients.losses import Loss, loss_function
from chymist.gradients.recording import Record, Recorder
from chymist.reports.graphs import Box, graph_picture
from chymist.reports.text import table


@dataclass(frozen=True, eq=False)
class Node:
    """One node of a graph.

    Args:
        name: of what is given ("w0"); "#3" for what is calculated.
        operation: what calculates it ("×", "+ 1", "exp"); empty for what is given.
        inputs: positions of the nodes that it is calculated from.
        value: forward.
        gradient: of the last node with respect to this value; None for a constant. What an
            operation hands back is the gradient of its inputs.
    """

    name: str
    operation: str
    inputs: tuple[int, ...]
    value: np.ndarray
    gradient: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Graph:
    """A calculation node by node, each after those that it needs; the last is the result.

    Args:
        nodes: in the order of the calculation.
    """

    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> Node:
        """The node of a name, for example "w0" or "#3"."""
        for node in self.nodes:
            if node.name == name:
                return node
        names = [node.name for node in self.nodes]
        raise UsageError("no such node", received=f"'{name}'", do=nearest(name, names))

    @property
    def value(self) -> float:
        """The result."""
        return float(self.nodes[-1].value)

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Gradients of what is given, by name."""
        given = (node for node in self.nodes if not node.operation)
        return {node.name: node.gradient for node in given if node.gradient is not None}

    @property
    def depth(self) -> int:
        """How deeply functions are nested: f(g(x)) has 2; calculations on the longest way."""
        return len(self.waves) - 1

    @property
    def waves(self) -> list[list[str]]:
        """Nodes that can be calculated at the same time, wave by wave.

        A node is ready when its inputs are: so a dataflow graph is run in parallel.
        """
        depth: list[int] = []
        for node in self.nodes:
            depth.append(1 + max((depth[i] for i in node.inputs), default=-1))
        pairs = list(zip(self.nodes, depth, strict=True))
        return [[n.name for n, d in pairs if d == wave] for wave in range(max(depth) + 1)]

    def formula(self, node: Node) -> str:
        """What a node calculates, with the names of its inputs."""
        names = [self.nodes[i].name for i in node.inputs]
        sign = node.operation
        if not sign:
            return "constant" if node.gradient is None else "given"
        if len(names) == 2 and not sign.isidentifier():
            return f"{names[0]} {sign} {names[1]}"
        if not sign.isidentifier():  # "+ 1" after, "1 /" before what it is applied to
            first = sign.split()[0]
            before = first not in ("+", "-", "×", "/", "^", "@")
            return f"{sign} {names[0]}" if before else f"{names[0]} {sign}"
        return f"{sign}({', '.join(names)})"

    def __str__(self) -> str:
        cells = [[n.name, self.formula(n), _shown(n.value), _shown(n.gradient)] for n in self.nodes]
        return table(cells, ["node", "is", "value", "gradient"], 100)

    def svg(self) -> str:
        """A drawing: values above the edges, gradients below.

        Raises:
            InputError: the graph has more nodes than can be drawn.
        """
        boxes = [
            Box(n.operation or n.name, n.inputs, _shown(n.value, 4), _shown(n.gradient, 4),
                given=not n.operation)
            for n in self.nodes
        ]  # fmt: skip
        return str(graph_picture(boxes))

    def _repr_html_(self) -> str:
        return self.svg()


def graph(
    function: str | Callable[..., Tensor], values: Mapping[str, ArrayLike], expand: bool = False
) -> Graph:
    """The computational graph of a formula or function at given values, in float64.

    Args:
        function: a formula as text ("sigmoid(w*x + b)"), or a function of tensors, called with the
            values by name; it gives one number.
        values: numbers or arrays by name.
        expand: whether sigmoid, tanh and softplus of a formula are taken in small steps
            (negative, exp, plus one, reciprocal).

    Returns:
        A `Graph`: print it, look up `graph["w"].gradient`, or draw it with `.svg()`.

    Raises:
        UsageError: no formula, or values that do not fit it.
        InputError: the result is not one number that depends on the values.

    Example:
        >>> found = graph("sigmoid(w * x)", {"w": 2, "x": 0.5}, expand=True)
        >>> round(found.value, 6), found["w"].gradient.round(6)
        (0.731059, np.float64(0.098306))

    Source: Rumelhart, Hinton, Williams 1986; Baydin et al. 2018, arXiv:1502.05767.
    """
    given = {name: _leaf(name, value) for name, value in values.items()}
    if isinstance(function, str):
        tree = parse_formula(function)
        unused = sorted(set(given) - names_in(tree))
        if unused:
            raise UsageError("a value is not in the formula", where="values",
                             received=f"'{unused[0]}'",
                             do=nearest(unused[0], names_in(tree)))  # fmt: skip
        return _graph(given, lambda: evaluate(tree, given, expand))
    return _graph(given, lambda: function(**given))


def model_graph(model: nn.Module, loss: Loss, batch: tuple[Tensor, Tensor]) -> Graph:
    """The computational graph of a model and its loss on a batch.

    Nodes are the calls of torch (`linear`, `relu`, `cross_entropy`); parameters have their names.
    The model is copied and stays as it is.

    Args:
        model: any module.
        loss: name of a loss, or a function (outputs, targets) -> one number.
        batch: inputs and targets.

    Raises:
        InputError: the loss is not one number that depends on the parameters.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> found = model_graph(layer, "mse", (torch.ones(3, 2), torch.zeros(3, 1)))
        >>> [node.operation or node.name for node in found.nodes]
        ['inputs', 'targets', 'weight', 'bias', 'linear', 'mse_loss']
    """
    twin = copy.deepcopy(model)
    inputs, targets = batch
    inputs = inputs.detach().clone().requires_grad_(inputs.is_floating_point())
    compute = loss_function(loss)
    targets = targets.detach().clone()
    named = {**dict(twin.named_parameters()), **dict(twin.named_buffers())}
    given = {"inputs": inputs, "targets": targets, **named}
    return _graph(given, lambda: compute(twin(inputs), targets))


def _graph(given: dict[str, Tensor], calculate: Callable[[], Any]) -> Graph:
    recorder = Recorder(given)
    with torch.enable_grad(), recorder:
        last = calculate()
    if not isinstance(last, Tensor) or last.numel() != 1 or not last.requires_grad:
        received = f"shape {tuple(last.shape)}" if isinstance(last, Tensor) else repr(last)[:40]
        raise InputError("the result is not one number that depends on what is given",
                         received=received, do="sum it, or take its mean")  # fmt: skip
    records = recorder.finish(last)
    names = [record.name for record in records]
    nodes = [_node(record, place, names) for place, record in enumerate(records)]
    return Graph(tuple(nodes))


def _node(record: Record, place: int, names: list[str]) -> Node:
    number = sum(not name for name in names[: place + 1])
    return Node(
        record.name or f"#{number}", record.operation, record.inputs, record.value, record.gradient
    )


def _leaf(name: str, value: ArrayLike) -> Tensor:
    try:
        return torch.tensor(np.asarray(value, np.float64), requires_grad=True)
    except (TypeError, ValueError):
        raise UsageError("not a number or array", where=f"values, '{name}'",
                         received=repr(value)[:40]) from None  # fmt: skip


def _shown(value: np.ndarray | None, digits: int = 6) -> str:
    """A number, a few numbers, or how large an array is; nothing where there is none."""
    if value is None:
        return ""
    if value.size <= 3:
        texts = [f"{v:.{digits}g}" for v in value.ravel()]
        return texts[0] if value.size == 1 else f"[{', '.join(texts)}]"
    return f"{'×'.join(map(str, value.shape))}, |·| {np.linalg.norm(value):.{min(digits, 4)}g}"
