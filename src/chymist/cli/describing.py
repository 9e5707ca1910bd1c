"""`chymist part`, `shapes` and `graph`: what a part is, what a model or a formula looks like."""

from __future__ import annotations

import argparse
import difflib
import inspect
from collections.abc import Mapping
from math import prod
from typing import Any, get_args, get_type_hints

import chymist as cy
from chymist.cli.commands import width
from chymist.cli.inputs import count, merged
from chymist.engine.files import write_through
from chymist.engine.folder import open_folder
from chymist.errors import UsageError, nearest
from chymist.parts import PALETTE, Definition, Part, listed, registered, spelled
from chymist.reports.numbers import size
from chymist.reports.part_pictures import Picture, picture_of
from chymist.reports.pictures import to_png
from chymist.reports.style import as_file
from chymist.values import Recipe
from chymist.verbs.records import load_model
from chymist.verbs.writing import place_of_file


def list_parts() -> dict[str, Any]:
    """All parts by kind."""
    parts = {kind: sorted(registered(kind)) for kind in PALETTE}
    width = max(map(len, parts)) + 2
    lines = [f"{kind:<{width}}{', '.join(names)}" for kind, names in parts.items()]
    return {"parts": parts, "text": "\n".join([*lines, "", "chymist part NAME explains one."])}


def describe_part(
    text: str, kind: str | None = None, out: str | None = None, rich: bool = False
) -> dict[str, Any]:
    """What a part does, its options and their defaults, and what it looks like.

    Args:
        text: its name, or name and options.
        kind: of the part; None explains the parts of all kinds that have the name.
        out: where to write its picture.
        rich: whether the terminal may show more than ASCII.

    Raises:
        UsageError: no part has this name, or it has no picture to write.
    """
    name = text.partition("(")[0].strip()
    kinds = PALETTE if kind is None else [kind]
    found = {kind: registered(kind)[name] for kind in kinds if name in registered(kind)}
    if not found:
        names = [n for kind in kinds for n in registered(kind)]
        raise UsageError("unknown part", received=f"'{name}'", do=_where_it_is(name, names))
    bare = "(" not in text
    pictures = {
        kind: picture_of(Part(kind, name) if bare else spelled(kind, text)) for kind in found
    }
    if out is not None:
        _write({kind: drawn for kind, drawn in pictures.items() if drawn}, name, out)
    parts = []
    for kind, entry in found.items():
        drawn = pictures[kind]
        parts += [_describe(kind, entry), *([drawn.text(None if rich else True)] if drawn else [])]
    options = {
        kind: {n: _default(p) for n, p in entry.options.items()} for kind, entry in found.items()
    }
    written = {} if out is None else {"picture": out}
    return {"part": name, "options": options, **written, "text": "\n\n".join(parts)}


def _where_it_is(name: str, names: list[str]) -> str:
    """What to do about a name that is no part: it may be an option, its value, or a function."""
    entries = [(kind, entry) for kind in PALETTE for entry in registered(kind).values()]
    for kind, entry in entries:
        if name in entry.options:
            return f"it is an option of {entry.name}: chymist part {entry.name}, --{kind}.{name}"
    for kind, entry in entries:
        hints = get_type_hints(inspect.unwrap(entry.build)) if name else {}
        for option in entry.options:
            if name in get_args(hints.get(option)):
                return f"it is a value of an option of {entry.name}: --{kind}.{option} {name}"
    if name and not name.startswith("_") and inspect.isfunction(getattr(cy.losses, name, None)):
        return f"it is a function for your own loop: cy.losses.{name}"
    if difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        return nearest(name, names)
    return "chymist part lists them all"


def layers_of(options: argparse.Namespace) -> dict[str, Any]:
    """A model layer by layer, for inputs of a given shape."""
    sizes = _sizes(options)
    plain: dict[str, Any] = {"model": {"name": options.model}}
    for name, value in options.dotted.items():
        slot, _, option = name.partition(".")
        if slot != "model":
            raise UsageError("unknown option", received=f"'--{name}'",
                             do="only --model.* fits here")  # fmt: skip
        plain = merged(plain, {"model": {option: value}})
    for option, out in (("--fields", options.fields), ("--graph", options.graph)):
        if out:
            place_of_file(out, option=option, suffix=".svg")
    if options.depth is not None and not (options.graph or options.flow):
        raise UsageError("this option folds a graph", where="--depth",
                         do="add --graph FILE.svg, or --flow")  # fmt: skip
    model = Recipe.from_dict(plain).model
    found = cy.shapes(model, sizes, options.outputs)
    memory = {} if found.solved else found.memory(options.batch, options.optimizer)
    rows = [
        {"name": r.name, "kind": r.kind, "output": list(r.output_shape), "units": r.units,
         "parameters": r.parameters, "biases": r.biases, "multiply_adds": r.multiply_adds,
         "receptive_field": r.receptive_field}
        for r in found.rows
    ]  # fmt: skip
    drawn, flow = _graph_drawn(options, model, sizes)
    text = (flow or str(found)) + _fields_drawn(options, model, sizes) + drawn
    if memory:
        parts = ", ".join(f"{name} {size(b)}" for name, b in memory.items())
        text += f"\nmemory for batches of {options.batch} with {options.optimizer}: {parts}"
    return {
        "model": options.model, "parameters": found.parameters, "biases": found.biases,
        "multiply_adds": found.multiply_adds, "weight_layers": found.weight_layers,
        "solved": found.solved, "memory": memory, "layers": rows, "picture": options.fields,
        "graph": options.graph, "text": text,
    }  # fmt: skip


def _fields_drawn(options: argparse.Namespace, model: Any, sizes: tuple[int, ...]) -> str:
    """Draw what units see, where that is asked for; returns what to say of it."""
    if not options.fields:
        return ""
    cy.receptive_fields(model, sizes, options.outputs).save(options.fields)
    return f"\nwhat a unit of each layer sees is drawn in {options.fields}"


def _graph_drawn(
    options: argparse.Namespace, model: Any, sizes: tuple[int, ...]
) -> tuple[str, str]:
    """Draw what flows through a model, where that is asked for; what to say of it, and its text."""
    if not (options.graph or options.flow):
        return "", ""
    if options.depth is not None:
        count(options.depth, "--depth")
    found = cy.architecture(model, sizes, options.outputs)
    if options.graph:
        found.save(options.graph, options.depth)
    text = found.text(options.depth, width()) if options.flow else ""
    return f"\nwhat flows through it is drawn in {options.graph}" if options.graph else "", text


def _sizes(options: argparse.Namespace) -> tuple[int, ...]:
    """The shape of an input that was written as 1x28x28."""
    try:
        sizes = tuple(int(n) for n in options.input.lower().split("x"))
    except ValueError:
        sizes = ()
    count(options.outputs, "--outputs")
    if not sizes or min(sizes) < 1 or max(prod(sizes), options.outputs) >= 2**63:
        raise UsageError(
            "not a shape",
            where="--input",
            received=f"'{options.input}'",
            do="write 1x28x28 for images, 20 for a table",
        )
    return sizes


def draw_graph(run: str, out: str) -> dict[str, str]:
    """What flows through the model of a run, drawn where `out` says."""
    place = place_of_file(out, rows=run, option="--graph", suffix=".svg")
    saved = open_folder(run)
    model, _ = load_model(saved, None)
    cy.architecture(model, tuple(saved.preparation.input_shape)).save(place)
    return {"graph": out}


def draw_weights(run: str, out: str) -> dict[str, str]:
    """The weights of the first layer of a run on images, drawn where `out` says."""
    place = place_of_file(out, rows=run, option="--weights", suffix=".png")
    write_through(place, to_png(cy.show_weights(run).sheet))
    return {"weights": out}


def graph_of(options: argparse.Namespace) -> dict[str, Any]:
    """A formula as a computational graph; drawn where `--out` says."""
    from chymist.gradients import graph

    place = place_of_file(options.out) if options.out else None
    found = graph(options.formula, _values(options.at), options.expand)
    if place:
        write_through(place, as_file(found.svg()).encode())
    nodes = [
        {"name": n.name, "is": found.formula(n), "value": n.value.item(),
         "gradient": None if n.gradient is None else n.gradient.item()}
        for n in found.nodes
    ]  # fmt: skip
    drawn = [f"drawn in {options.out}"] if options.out else []
    return {
        "formula": options.formula, "value": found.value, "nodes": nodes,
        "gradients": {name: g.item() for name, g in found.gradients.items()},
        "picture": options.out, "text": "\n".join([str(found), *drawn]),
    }  # fmt: skip


def _values(text: str) -> dict[str, float]:
    """Numbers by name, from `--at w=2,x=0.5`."""
    found = {}
    for item in listed(text, "--at"):
        name, _, value = (part.strip() for part in item.partition("="))
        if name in found:
            raise UsageError("a name is given twice", where="--at", received=f"'{name}'",
                             do="give each name one value")  # fmt: skip
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError("value does not fit", where="--at", received=f"'{item}'",
                             do="write NAME=NUMBER,NAME=NUMBER")  from None  # fmt: skip
    return found


def _write(pictures: Mapping[str, Picture], name: str, out: str) -> None:
    """Write the one picture of a part as a file of its own."""
    if not pictures:
        raise UsageError("the part has no picture", where="--out", received=f"'{name}'",
                         do="activations, losses, schedules, inits and clips have one")  # fmt: skip
    if len(pictures) > 1:
        raise UsageError("parts of several kinds have a picture", where="--out",
                         received=f"'{name}'", do=f"add --kind {min(pictures)}")  # fmt: skip
    (picture,) = pictures.values()
    write_through(place_of_file(out), as_file(picture.svg()).encode())


def _describe(kind: str, entry: Definition) -> str:
    lines = [f"{entry.name} ({kind})", "", inspect.cleandoc(entry.build.__doc__ or "")]
    given = [f"  {n} = {_default(p)!r}" for n, p in entry.options.items()]
    return "\n".join([*lines, "", "Options:", *(given or ["  none"])])


def _default(parameter: inspect.Parameter) -> Any:
    return None if parameter.default is parameter.empty else parameter.default
