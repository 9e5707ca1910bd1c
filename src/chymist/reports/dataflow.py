"""The graph of a model: calls of layers and operations, what flows between them, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from chymist.models.counting import numbers_of
from chymist.reports.layers import Receptive
from chymist.reports.text import table
from chymist.reports.tracing import Call, Operation, Shape, Trace

Family = Literal["weights", "norm", "activation", "shape", "join", "input", "output"]

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
ACTIVATIONS = {
    name.lower() for name in nn.modules.activation.__all__ if "Attention" not in name
} | {"log_softmax", "leaky_relu", "hard_sigmoid", "swish", "exp", "square", "maxout"}
MESSAGES = ("torch_geometric.nn.conv.message_passing", "torch_geometric.nn.aggr.base",
            "chymist.models.graph_layers")  # fmt: skip
NORMS = ("norm", "dropout")
POOLS = ("pool", "flatten", "upsample", "pad", "shuffle")


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
            shapes. None: shapes are whole.
        depth: modules at this depth are one node each, 1 being those that the model calls, 0 the
            model itself; None for all layers.

    Returns:
        The graph.

    Example:
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
        self.whole = other is None
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


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one layer, whatever it does: message passing, and what is solved.

    Example:
        >>> is_layer(nn.Linear(2, 2))
        False
    """
    solved = hasattr(module, "fitted_numbers")
    return solved or any(kind.__module__ in MESSAGES for kind in type(module).__mro__)


def kind_of(module: nn.Module) -> str:
    """The class of a module, without the name that a parametrisation gives it.

    Example:
        >>> kind_of(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
        'Linear'
    """
    name = type(module).__name__
    return name.removeprefix("Parametrized") if hasattr(module, "parametrizations") else name


def detail_of(module: nn.Module) -> str:
    """What sets a layer apart from others of its kind, in few words.

    Example:
        >>> detail_of(nn.Conv2d(3, 8, 3, stride=2)), detail_of(nn.LSTM(3, 4, 2, bidirectional=True))
        ('3 x 3, stride 2', '2 layers, both ways')
    """
    said: list[str] = []
    kernel = getattr(module, "kernel_size", None)
    axes = len(kernel) if isinstance(kernel, tuple) else 2
    if isinstance(kernel, int | tuple):
        said.append(" x ".join(map(str, _all(kernel, axes))))
        stride = _all(getattr(module, "stride", 1), axes)
        pooling = "Pool" in type(module).__name__
        if stride != ((_all(kernel, axes)) if pooling else (1,) * axes):
            said.append(f"stride {_one(stride)}")
    dilation = _all(getattr(module, "dilation", 1), axes)
    if any(n != 1 for n in dilation if isinstance(n, int)):
        said.append(f"dilation {_one(dilation)}")
    groups = getattr(module, "groups", 1)
    if isinstance(groups, int) and groups > 1:
        wide = getattr(module, "in_channels", 0)
        said.append("each channel alone" if groups == wide else f"{groups} groups")
    for name, text in (("num_heads", "{} heads"), ("num_embeddings", "{:,} entries")):
        if isinstance(getattr(module, name, None), int):
            said.append(text.format(getattr(module, name)))
    if isinstance(module, nn.RNNBase):
        said += [f"{module.num_layers} layers"] if module.num_layers > 1 else []
        said += ["both ways"] if module.bidirectional else []
    return ", ".join(said)


def _all(value: object, axes: int) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes


def _one(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else " x ".join(map(str, values))


def family_of(kind: str, weighs: bool, fed: int = 1) -> Family:
    """What a kind of layer or operation does, for its colour.

    Args:
        kind: its name.
        weighs: whether it uses parameters.
        fed: values that it joins.

    Example:
        >>> family_of("BatchNorm2d", True), family_of("relu", False), family_of("add", False, 2)
        ('norm', 'activation', 'join')
    """
    low = kind.lower()
    if any(word in low for word in NORMS):
        return "norm"
    if low in ACTIVATIONS:
        return "activation"
    if weighs:
        return "weights"
    return "join" if fed > 1 else "shape"


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


def flow_text(graph: Dataflow, width: int = 110) -> str:
    """A graph as lines: modules that hold others, layers in them, and where values come from.

    Args:
        graph: of the model.
        width: characters at most.

    Example:
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
                cells.append(["", "  " * level + one.name, one.kind, *[""] * 5])
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
        at, indent + node.name, "" if edge else kind, " x ".join(map(str, node.shape)), said,
        f"{node.multiply_adds:,}" if node.multiply_adds else "",
        sees if isinstance(sees, str) else " x ".join(map(str, sees or ())),
        "" if plain else "<- " + (", ".join(map(str, sources)) or "nothing"),
    ]  # fmt: skip


def _around(graph: Dataflow, group: int) -> list[int]:
    """A group and those around it, the outermost first."""
    path = []
    while group >= 0:
        path.append(group)
        group = graph.groups[group].parent
    return path[::-1]


def _layer(node: Node) -> bool:
    return bool(node.inside) or node.kind[:1].isupper()
