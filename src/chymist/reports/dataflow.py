"""The graph of a model: calls of layers and operations, what flows between them, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from chymist.models.counting import numbers_of
from chymist.reports.kinds import Family, detail_of, family_of, is_layer, kind_of
from chymist.reports.layers import Receptive
from chymist.reports.tracing import Call, Operation, Shape, Trace

# Operations that hand on what they are given, in another type or place of memory.
HANDED = {
    "contiguous", "detach", "clone", "to", "type", "type_as", "float", "double", "half", "long",
    "data", "requires_grad", "view_as", "alias", "cpu", "expand_as", "copy", "positive", "int",
    "bfloat16", "cast", "stop_gradient",
}  # fmt: skip
VIEWS = {
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze", "t",
    "expand", "movedim", "swapaxes", "getitem", "select", "narrow", "mT", "T", "ravel",
}  # fmt: skip
SAME = {"cat": "concatenate", "concat": "concatenate", "mul": "multiply", "sub": "subtract"}
ARITHMETIC = {"add", "sub", "mul", "truediv", "div", "matmul", "pow"}


@dataclass(frozen=True)
class Node:
    """One call of a layer, or one operation outside of layers.

    Args:
        name: dotted name of the layer; of an operation that of the module that it happens in.
        kind: class of the layer, or name of the operation; "input", "output".
        detail: what sets it apart from others of its kind: "3 x 3, stride 2".
        family: "weights", "norm", "activation", "shape", "join", "input" or "output".
        inputs: position of each node that it takes from, and the shape that flows, for one input.
        shape: of its first output, for one input.
        parameters: numbers in parameters that no node before it uses.
        shared: numbers in parameters that a node before it uses too.
        ties: names of what it shares ("A"); nodes with the same name use the same parameters.
        multiply_adds: for one input.
        receptive_field: inputs that one place of the output depends on; "all"; None if not known.
        memory: bytes of its outputs for one input; 0 where they lie in the place of its inputs.
        group: position of the group that it stands in, or -1.
        inside: modules that were folded into it.
    """

    name: str
    kind: str
    detail: str = ""
    family: Family = "shape"
    inputs: tuple[tuple[int, Shape], ...] = ()
    shape: Shape = ()
    parameters: int = 0
    shared: int = 0
    ties: tuple[str, ...] = ()
    multiply_adds: int = 0
    receptive_field: Receptive = None
    memory: int = 0
    group: int = -1
    inside: int = 0


@dataclass(frozen=True)
class Group:
    """A call of a module that calls others.

    Args:
        name: dotted name.
        kind: its class.
        parent: position of the group that it stands in, or -1.
    """

    name: str
    kind: str
    parent: int = -1


@dataclass(frozen=True)
class Dataflow:
    """What flows through a model.

    Args:
        nodes: in the order of the calculation; inputs are those of kind "input".
        groups: modules that hold them, outer ones first.
        unused: names of parameters that no node uses, and how many numbers they hold.
    """

    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    unused: tuple[tuple[str, int], ...] = ()

    @property
    def parameters(self) -> int:
        """Numbers in all parameters, those that are not used too; each counts once."""
        return sum(n.parameters for n in self.nodes) + sum(n for _, n in self.unused)

    @property
    def multiply_adds(self) -> int:
        """Of products and convolutions, for one input."""
        return sum(node.multiply_adds for node in self.nodes)


def dataflow(
    model: nn.Module, found: Trace, other: Trace | None = None, depth: int | None = None
) -> Dataflow:
    """The graph of a trace.

    Layers are modules that call no others. Operations in them belong to them; operations outside
    of layers are nodes of their own. What no output depends on is left out, unless it is a layer,
    and so is what does not depend on inputs and has no parameters.

    Args:
        model: the module.
        found: what it did.
        other: what it did with another number of rows; the axes that follow it are left out of
            shapes. Without it, and of one row, shapes are whole but for a first axis of all rows.
        depth: modules at this depth are one node each, 1 being those that the model calls, 0 the
            model itself; None for all layers.

    Returns:
        The graph.

    Example:
        >>> import torch
        >>> from chymist.reports.tracing import trace
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        >>> graph = dataflow(model, *(trace(model, (torch.zeros(n, 3),), batch=n) for n in (2, 3)))
        >>> [(node.kind, node.shape, node.parameters) for node in graph.nodes]
        [('input', (3,), 0), ('Linear', (4,), 16), ('ReLU', (4,), 0), ('output', (4,), 0)]
    """
    return _Building(model, found, other, depth).graph()


@dataclass
class _Draft:
    """A node under way: its operations, and the call that it stands for, if any."""

    operations: list[int]
    call: int | None


class _Building:
    """From a trace to its graph."""

    def __init__(
        self, model: nn.Module, found: Trace, other: Trace | None, depth: int | None
    ) -> None:
        self.model, self.found, self.depth = model, found, depth
        alike = other is not None and len(other.operations) == len(found.operations)
        self.other = other if alike else None
        self.whole = found.batch == 1
        self.parents = {call.parent for call in found.calls}
        self.children: dict[int, int] = {}
        self.names = {id(p): name for name, p in model.named_parameters(remove_duplicate=True)}
        self.sizes = {id(p): p.numel() for p in model.parameters()}
        self.counted: dict[int, int] = {}  # parameter -> node that used it first
        self.tied: dict[tuple[int, ...], str] = {}
        self.solved: set[int] = set()
        for at, call in enumerate(found.calls):
            for up in self._path(call.parent):
                self.children[up] = self.children.get(up, 0) + (at > up)

    def graph(self) -> Dataflow:
        """The whole graph."""
        drafts = self._drafts()
        place = {done: n for n, draft in enumerate(drafts) for done in draft.operations}
        groups: dict[int, int] = {}
        made: list[Group] = []
        nodes = []
        for number, draft in enumerate(drafts):
            flows = self._flows(draft, place, number)
            nodes.append(replace(self._node(draft, number), inputs=flows))
        ends = dict.fromkeys((place[at], at, shape) for at, shape in self.found.outputs)
        given = [(to, self._shape(shape, at)) for to, at, shape in ends]
        nodes.append(Node("output", "output", "", "output", tuple(given),
                          given[0][1] if given else ()))  # fmt: skip
        self._show_ties(nodes)
        kept = _simplified(nodes)
        for number, node in enumerate(nodes[:-1]):
            inner = self._groups_of(drafts[number])
            for up, at in zip([None, *inner], inner, strict=False):
                if at not in groups:
                    call = self.found.calls[at]
                    groups[at] = len(made)
                    made.append(
                        Group(call.name, kind_of(call.module), -1 if up is None else groups[up])
                    )
            nodes[number] = replace(node, group=groups[inner[-1]] if inner else -1)
        found = [replace(kept_node, group=nodes[old].group) for old, kept_node in kept]
        unused = tuple((self.names[p], self.sizes[p]) for p in self.sizes if p not in self.counted)
        return Dataflow(tuple(found), tuple(made), unused)

    def _path(self, call: int) -> list[int]:
        """A call and those around it, the outermost first."""
        path = []
        while call >= 0:
            path.append(call)
            call = self.found.calls[call].parent
        return path[::-1]

    def _owner(self, call: int) -> int | None:
        """The call that stands for all that happens in a call, if one does."""
        for level, at in enumerate(self._path(call)):
            leaf = at not in self.parents or is_layer(self.found.calls[at].module)
            if leaf and (level or self._known(self.found.calls[at])):
                return at
            if self.depth is not None and level >= self.depth:
                return at
        return None

    def _known(self, call: Call) -> bool:
        """Whether a model without modules in it is one layer, not operations of its own."""
        return (
            call.opaque
            or is_layer(call.module)
            or type(call.module).__module__.startswith("torch.nn.modules")
        )

    def _drafts(self) -> list[_Draft]:
        drafts: list[_Draft] = []
        owners: dict[int, _Draft] = {}
        for at, done in enumerate(self.found.operations):
            owner = self._owner(done.call) if done.call >= 0 else None
            if owner is None:
                drafts.append(_Draft([at], None))
            elif owner in owners:
                owners[owner].operations.append(at)
            else:
                owners[owner] = _Draft([at], owner)
                drafts.append(owners[owner])
        return drafts

    def _groups_of(self, draft: _Draft) -> list[int]:
        """Calls around a node, without the model itself."""
        call = self.found.operations[draft.operations[0]].call
        own = draft.call if draft.call is not None else -1
        return [at for at in self._path(call)[1:] if own < 0 or at < own]

    def _flows(
        self, draft: _Draft, place: Mapping[int, int], number: int
    ) -> tuple[tuple[int, Shape], ...]:
        found = dict.fromkeys(
            (place[at], self._shape(shape, at))
            for done in draft.operations
            for at, shape in self.found.operations[done].inputs
            if place[at] != number
        )
        return tuple(found)

    def _node(self, draft: _Draft, number: int) -> Node:
        operations = [self.found.operations[at] for at in draft.operations]
        used = dict.fromkeys(p for done in operations for p in done.parameters)
        new = [p for p in used if p not in self.counted]
        self.counted.update(dict.fromkeys(new, number))
        old = tuple(p for p in used if p not in new)
        for p in old:
            self.tied.setdefault((p,), "")
        first = operations[0]
        common = Node(
            "", "", parameters=sum(self.sizes[p] for p in new),
            shared=sum(self.sizes[p] for p in old),
            ties=tuple(map(str, used)), memory=self._per_row(sum(o.memory for o in operations)),
        )  # fmt: skip
        if draft.call is None:
            return self._operation(common, first, draft.operations[0])
        call = self.found.calls[draft.call]
        inside = self.children.get(draft.call, 0)
        kind = kind_of(call.module)
        held = self._solved(call.module, inside)
        shape = self._shape(call.shape, call.result)
        weighs = used or held or call.multiply_adds
        return replace(
            common, name=call.name, kind=kind, detail="" if inside else detail_of(call.module),
            family="weights" if inside else family_of(kind, bool(weighs)), shape=shape,
            parameters=common.parameters + held, inside=inside,
            multiply_adds=self._per_row(call.multiply_adds), receptive_field=call.receptive_field,
        )  # fmt: skip

    def _operation(self, common: Node, done: Operation, at: int) -> Node:
        """A node of one operation outside of layers."""
        shape = self._shape(done.shapes[0], at)
        if done.call < 0:
            return replace(common, name=done.name, kind="input", family="input", shape=shape)
        name = done.name
        if name[:1] in "ir" and name[1:] in ARITHMETIC:
            name = name[1:]
        call = self.found.calls[done.call]
        kind = SAME.get(name, name) or kind_of(call.module)
        fed = sum(self.found.operations[to].fed for to, _ in done.inputs)
        family = family_of(kind, bool(done.parameters), fed)
        held = self._solved(call.module, 0)
        return replace(
            common, name=call.name, kind=kind, family=family, shape=shape,
            parameters=common.parameters + held,
            multiply_adds=self._per_row(done.multiply_adds), receptive_field=done.receptive_field,
        )  # fmt: skip

    def _solved(self, module: nn.Module, inside: int) -> int:
        """What solved models hold in buffers; each module counts once."""
        own = list(module.modules()) if inside else [module]
        fresh = [m for m in own if id(m) not in self.solved]
        self.solved |= {id(m) for m in fresh}
        return sum(numbers_of(m) for m in fresh)

    def _show_ties(self, nodes: list[Node]) -> None:
        """Name what is shared: nodes that use the same parameters show the same letters."""
        shared = {p for (p,) in self.tied}
        users: dict[tuple[int, ...], list[int]] = {}
        for p in shared:
            at = tuple(n for n, node in enumerate(nodes) if str(p) in node.ties)
            users.setdefault(at, []).append(p)
        names: dict[int, list[str]] = {}
        for number, at in enumerate(sorted(users)):
            for node in at:
                names.setdefault(node, []).append(_letters(number))
        nodes[:] = [replace(node, ties=tuple(names.get(n, ()))) for n, node in enumerate(nodes)]

    def _per_row(self, total: int) -> int:
        return total if self.whole else total // self.found.batch

    def _shape(self, shape: Shape, at: int | None) -> Shape:
        """A shape for one input: without the axis that follows the number of rows."""
        if self.whole:
            return shape
        there = None
        if self.other is not None and at is not None:
            one, two = self.found.operations[at].shapes, self.other.operations[at].shapes
            if shape in one and len(one) == len(two):
                there = two[one.index(shape)]
        if there is None or len(there) != len(shape):
            return shape[1:] if shape[:1] == (self.found.batch,) else shape
        assert self.other is not None
        more = self.other.batch - self.found.batch
        kept = []
        for here, then in zip(shape, there, strict=True):
            each = (then - here) // more
            if each == 0 or each * self.found.batch != here:
                kept.append(here)
            elif each > 1:
                kept.append(each)
        return tuple(kept)


def _letters(number: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


def _simplified(nodes: Sequence[Node]) -> list[tuple[int, Node]]:
    """Nodes that stay, with their old positions: without constants, dead ends and mere views."""
    nodes = list(nodes)
    needed = _needed(nodes)
    gone: dict[int, int] = {}  # node that is left out -> the one that stands for it
    uses = [sum(n == at for other in nodes for n, _ in other.inputs) for at in range(len(nodes))]
    for at, node in enumerate(nodes):
        if at not in needed:
            continue
        flows = dict.fromkeys((gone.get(n, n), s) for n, s in node.inputs if n in needed)
        nodes[at] = node = replace(node, inputs=tuple(flows))
        if node.kind not in HANDED | VIEWS or len(flows) != 1 or node.parameters or node.shared:
            continue
        ((before, shape),) = flows
        if node.kind in HANDED or node.shape == shape:
            gone[at] = before
        elif nodes[before].kind in VIEWS and uses[before] == 1:
            # A view of a view: the later one stands for both.
            nodes[at] = replace(node, inputs=nodes[before].inputs)
            gone[before] = at
    kept = [at for at in range(len(nodes)) if at in needed and at not in gone]
    new = {old: number for number, old in enumerate(kept)}
    return [
        (old, replace(nodes[old], inputs=tuple((new[n], s) for n, s in nodes[old].inputs)))
        for old in kept
    ]


def runs_folded(graph: Dataflow, least: int = 3) -> Dataflow:
    """The graph with operations that follow each other outside of layers as one node.

    Args:
        graph: of a model.
        least: shorter runs stay.

    Example:
        >>> steps = [Node("", kind, inputs=((n, (3,)),)) for n, kind in enumerate(("a", "b", "c"))]
        >>> nodes = (Node("input", "input", family="input"), *steps)
        >>> [(node.kind, node.detail) for node in runs_folded(Dataflow(nodes, ())).nodes]
        [('input', ''), ('operations', '3')]
    """
    new: list[int] = []  # of each node the place that it goes to
    found: list[list[Node]] = []
    for node in graph.nodes:
        last = found[-1][-1] if found else None
        if last is None or not (_bare(node) and _bare(last) and node.group == last.group):
            found.append([])
        found[-1].append(node)
        new.append(len(found) - 1)
    sizes = [len(some) for some in found]
    apart = [n for n, some in enumerate(found) for _ in range(1 if sizes[n] >= least else sizes[n])]
    starts = [apart.index(n) for n in range(len(found))]
    place, seen = [], [0] * len(found)
    for at in new:
        place.append(starts[at] + (seen[at] if sizes[at] < least else 0))
        seen[at] += 1
    made = []
    for at, some in enumerate(found):
        for several in [some] if len(some) >= least else [[node] for node in some]:
            flows = dict.fromkeys((place[n], s) for node in several for n, s in node.inputs)
            kept = tuple((n, s) for n, s in flows if n != starts[at] or len(several) == 1)
            one = replace(several[-1], inputs=kept)
            if len(several) > 1:
                one = replace(
                    one, kind="operations", detail=str(len(several)), family="shape",
                    multiply_adds=sum(n.multiply_adds for n in several),
                    memory=sum(n.memory for n in several),
                )  # fmt: skip
            made.append(one)
    return replace(graph, nodes=tuple(made))


def _bare(node: Node) -> bool:
    """Whether a node is an operation without parameters, outside of layers."""
    edge = node.family in ("input", "output")
    return not (edge or _layer(node) or node.parameters or node.shared)


def _needed(nodes: Sequence[Node]) -> set[int]:
    """Layers, inputs and outputs; of the rest what lies between them and has something to say."""
    fed: set[int] = set()
    for at, node in enumerate(nodes):
        some = bool(node.parameters or node.shared or node.family == "input" or _layer(node))
        if some or any(n in fed for n, _ in node.inputs):
            fed.add(at)
    needed: set[int] = set()
    for at in reversed(range(len(nodes))):
        node = nodes[at]
        if at in needed or node.family in ("input", "output") or _layer(node) or node.parameters:
            needed.add(at)
            needed |= {n for n, _ in node.inputs}
    return needed & fed | {len(nodes) - 1}


def _layer(node: Node) -> bool:
    return bool(node.inside) or node.kind[:1].isupper()
