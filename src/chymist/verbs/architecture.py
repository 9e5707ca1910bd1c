"""`architecture`: what flows through a model from layer to layer, as a picture, before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.models.keras_modules import KerasModel, is_keras
from chymist.parts import Part
from chymist.reports.dataflow import Dataflow, Node
from chymist.reports.flow_figure import flow_figure, levels_of, notes_of, usual_level
from chymist.reports.flow_picture import flow_picture
from chymist.reports.flow_text import flow_text
from chymist.reports.kinds import kind_of
from chymist.reports.markup import Markup
from chymist.reports.numbers import count
from chymist.reports.passes import ENGLISH, Passes, passes, passes_on
from chymist.reports.saying import Say
from chymist.values import Recipe, Run, Shapes
from chymist.verbs.sizing import LATER
from chymist.verbs.writing import save_drawing


@dataclass(frozen=True, eq=False)
class Architecture:
    """A model as a graph: print it, or `save("model.svg")`.

    Args:
        name: of the model.
        levels: the graph with the model as one node, then with modules at depth 1, 2, ... as one
            node each; the last one has all layers.
        notes: what one picture does not show, in sentences.
        solved: whether it is solved from all rows at once, so that its numbers are not known yet.
    """

    name: str
    levels: tuple[Dataflow, ...]
    notes: tuple[str, ...] = ()
    solved: bool = False

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Calls of layers and operations outside of layers, in the order of the calculation."""
        return self.levels[-1].nodes

    @property
    def parameters(self) -> int:
        """Numbers in all parameters: each counts once, and those that are not used too."""
        return self.levels[-1].parameters

    @property
    def multiply_adds(self) -> int:
        """Of products and convolutions, for one input."""
        return self.levels[-1].multiply_adds

    @property
    def unused(self) -> tuple[tuple[str, int], ...]:
        """Names of parameters that nothing uses, and how many numbers they hold."""
        return self.levels[-1].unused

    def graph(self, depth: int | None = None) -> Dataflow:
        """The graph with modules at a depth as one node each.

        Args:
            depth: 1 for what the model calls itself; None for all layers.
        """
        return self.levels[-1 if depth is None else min(max(depth, 0), len(self.levels) - 1)]

    def text(self, depth: int | None = None, width: int = 110) -> str:
        """The graph as lines; `<-` says where values come from, if not from the line above.

        Args:
            depth: as in `graph`.
            width: characters at most.
        """
        return "\n".join([flow_text(self.graph(depth), width), self.total, *self.notes])

    def svg(self, depth: int | None = None) -> str:
        """The graph as an SVG element.

        Args:
            depth: as in `graph`; None chooses the deepest that fits on a page.
        """
        graph = usual_level(self.levels) if depth is None else self.graph(depth)
        return str(flow_picture(graph, f"{self.name}: {self.total}", self.notes))

    def save(self, path: str | Path, depth: int | None = None) -> Path:
        """Write the picture as an SVG file; returns its path.

        Args:
            path: of the file.
            depth: as in `svg`.
        """
        return save_drawing(self.svg(depth), path)

    @property
    def total(self) -> str:
        """How large it is, in a sentence."""
        each = "" if not self.multiply_adds else f", {self.multiply_adds:,} multiply-adds an input"
        return f"{count(self.parameters, 'parameter')}{each}."

    def to_dict(self, depth: int | None = None) -> dict[str, Any]:
        """The graph as numbers and texts.

        Args:
            depth: as in `graph`.
        """
        graph = self.graph(depth)
        nodes = [
            {"name": n.name, "kind": n.kind, "detail": n.detail, "family": n.family,
             "inputs": [{"node": at, "shape": list(shape)} for at, shape in n.inputs],
             "output": list(n.shape), "parameters": n.parameters, "shared": n.shared,
             "ties": list(n.ties), "multiply_adds": n.multiply_adds, "memory": n.memory,
             "receptive_field": n.receptive_field, "group": n.group, "inside": n.inside}
            for n in graph.nodes
        ]  # fmt: skip
        groups = [{"name": g.name, "kind": g.kind, "parent": g.parent} for g in graph.groups]
        return {
            "model": self.name, "parameters": self.parameters,
            "multiply_adds": self.multiply_adds, "nodes": nodes, "groups": groups,
            "unused": [{"name": name, "numbers": many} for name, many in self.unused],
            "notes": list(self.notes), "solved": self.solved,
        }  # fmt: skip

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        layers = sum(node.family not in ("input", "output") for node in self.nodes)
        return f"<Architecture of {self.name}: {count(layers, 'node')}, {self.total[:-1]}>"

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{self.svg()}</div>'


LARGEST = 2**28  # numbers of one input that a model is called on

Inputs = Sequence[int] | Shapes | Tensor | tuple[Any, ...] | Mapping[str, Any]


def architecture(
    model: str | Part | nn.Module | Run | Callable[..., Any], input_shape: Inputs = (),
    outputs: int = 10,
) -> Architecture:  # fmt: skip
    """What flows through a model, layer by layer: shapes, parameters, cost, receptive fields.

    The model is called on few rows, so that the picture shows what really happens: sums of
    shortcuts, layers that are called twice, weights that are shared. A second kind of rows and
    another number of them show where the way depends on the data.

    Args:
        model: a module, also one of your own; a run; or the model of a recipe: a name, a part, a
            factory of shapes.
        input_shape: shape of one input, without the batch: (1, 28, 28); or `cy.Shapes`, for texts
            and graphs; or the inputs themselves: a tensor, a tuple of several, a dictionary by
            name. Of these, shapes are shown whole. Known of a run.
        outputs: number of outputs, where the model is still to be built.

    Returns:
        An `Architecture`: print it, or `save("model.svg")`.

    Raises:
        InputError: the model fails on inputs of this shape.
        UsageError: no such model, or no shape.

    Example:
        >>> found = architecture("lenet5", (1, 28, 28))
        >>> found.parameters, [node.shape for node in found.nodes if node.kind == "Conv2d"]
        (61706, [(6, 28, 28), (16, 10, 10)])
    """
    name = _name(model)
    given: Any = input_shape
    if isinstance(model, Run):
        given, model = tuple(model.preparation.input_shape), model.model
    whole = _whole(given)
    shape = given.inputs if isinstance(given, Shapes) else () if whole else _shape(given)
    if not isinstance(model, nn.Module):
        shapes = given if isinstance(given, Shapes) else Shapes(shape, outputs)
        model = build_model(Recipe(model=model).model, shapes, 0)
    elif is_keras(model):
        model = KerasModel(model, shape)
    found = passes_on(model, *whole) if whole else passes(model, shape)
    return _told(name, model, found, ENGLISH)


def architecture_in(model: nn.Module, shape: Sequence[int], name: str, say: Say) -> Architecture:
    """An architecture with its notes in a language.

    Args:
        model: any module.
        shape: of one input.
        name: of the model.
        say: the language.

    Raises:
        InputError: the model fails on inputs of this shape.
    """
    return _told(name, model, passes(model, tuple(shape)), say)


def _told(name: str, model: nn.Module, found: Passes, say: Say) -> Architecture:
    levels, solved = levels_of(model, found), _is_solved(model)
    notes = [say(LATER)] if solved else notes_of(found, levels[-1], say)
    return Architecture(name, levels, tuple(notes), solved)


def architecture_figure(run: Run, say: Say) -> Markup:
    """The picture of a run's model for its report, at most 60 kB.

    Args:
        run: the run.
        say: says its words.

    Returns:
        A figure; empty where the model cannot be called on rows of the shape of the run, or where
        nothing flows through it in layers.
    """
    try:
        found = passes(run.model, tuple(run.preparation.input_shape))
    except InputError:
        return Markup("")
    levels = levels_of(run.model, found)
    graph = levels[-1]
    if len(graph.nodes) < 4 or _is_solved(run.model):
        return Markup("")
    return flow_figure(levels, notes_of(found, graph, say), say)


def _is_solved(model: nn.Module) -> bool:
    return any(hasattr(module, "fitted_numbers") for module in model.modules())


def _whole(given: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]] | None:
    """Inputs that are given themselves, by position and by name."""
    if isinstance(given, Shapes):
        return None
    if isinstance(given, Tensor):
        return (given,), {}
    if isinstance(given, Mapping):
        return (), given
    if isinstance(given, tuple | list) and any(not isinstance(one, int) for one in given):
        return tuple(given), {}
    return None


def _shape(given: Any) -> tuple[int, ...]:
    """The shape of one input.

    Raises:
        UsageError: it is none.
    """
    whole = isinstance(given, Sequence) and all(type(n) is int and n > 0 for n in given)
    if not whole or prod(given) > LARGEST:
        raise UsageError("not a shape", where="input_shape", received=repr(given)[:60],
                         do="give (1, 28, 28) for images, (20,) for tables, or tensors"
                         )  # fmt: skip
    return tuple(given)


def _name(model: Any) -> str:
    if isinstance(model, Run):
        return str(model.recipe.model)
    if isinstance(model, nn.Module):
        return kind_of(model)
    return model if isinstance(model, str) else str(getattr(model, "__name__", model))
