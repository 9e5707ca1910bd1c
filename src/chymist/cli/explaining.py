"""`chymist part`, `shapes` and `graph`: what a part is, what a model or a formula looks like."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.inputs import merged
from chymist.engine.files import write_through
from chymist.errors import UsageError, nearest
from chymist.parts import PALETTE, Definition, listed, registered
from chymist.reports.numbers import size
from chymist.values import Recipe


def list_parts() -> dict[str, Any]:
    """All parts by kind."""
    parts = {kind: sorted(registered(kind)) for kind in PALETTE}
    lines = [f"{kind:<12}{', '.join(names)}" for kind, names in parts.items()]
    return {"parts": parts, "text": "\n".join([*lines, "", "chymist part NAME explains one."])}


def describe_part(name: str) -> dict[str, Any]:
    """What a part does, its options and their defaults.

    Raises:
        UsageError: no part has this name.
    """
    found = {kind: registered(kind)[name] for kind in PALETTE if name in registered(kind)}
    if not found:
        names = [n for kind in PALETTE for n in registered(kind)]
        raise UsageError("unknown part", received=f"'{name}'", do=nearest(name, names))
    texts = [_describe(kind, entry) for kind, entry in found.items()]
    options = {
        kind: {n: _default(p) for n, p in entry.options.items()} for kind, entry in found.items()
    }
    return {"part": name, "options": options, "text": "\n\n".join(texts)}


def layers_of(options: argparse.Namespace) -> dict[str, Any]:
    """A model layer by layer, for inputs of a given shape."""
    try:
        sizes = tuple(int(n) for n in options.input.lower().split("x"))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1 or options.outputs < 1:
        raise UsageError(
            "not a shape",
            where="--input",
            received=f"'{options.input}'",
            do="write 1x28x28 for images, 20 for a table",
        )
    plain: dict[str, Any] = {"model": {"name": options.model}}
    for name, value in options.dotted.items():
        slot, _, option = name.partition(".")
        if slot != "model":
            raise UsageError(
                "unknown option", received=f"'--{name}'", do="only --model.* fits here"
            )
        plain = merged(plain, {"model": {option: value}})
    found = cy.shapes(Recipe.from_dict(plain).model, sizes, options.outputs)
    memory = found.memory(options.batch, options.optimizer)
    rows = [
        {"name": r.name, "kind": r.kind, "output": list(r.output_shape), "units": r.units,
         "parameters": r.parameters, "biases": r.biases, "multiply_adds": r.multiply_adds,
         "receptive_field": r.receptive_field}
        for r in found.rows
    ]  # fmt: skip
    parts = ", ".join(f"{name} {size(b)}" for name, b in memory.items())
    text = f"{found}\nmemory for batches of {options.batch} with {options.optimizer}: {parts}"
    return {
        "model": options.model, "parameters": found.parameters, "biases": found.biases,
        "multiply_adds": found.multiply_adds, "memory": memory, "layers": rows, "text": text,
    }  # fmt: skip


def graph_of(options: argparse.Namespace) -> dict[str, Any]:
    """A formula as a computational graph; drawn where `--out` says."""
    from chymist.gradients import graph

    found = graph(options.formula, _values(options.at), options.expand)
    if options.out:
        write_through(Path(options.out), found.svg().encode())
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
        name, _, value = item.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError("value does not fit", where="--at", received=f"'{item}'",
                             do="write NAME=NUMBER,NAME=NUMBER")  from None  # fmt: skip
    return found


def _describe(kind: str, entry: Definition) -> str:
    lines = [f"{entry.name} ({kind})", "", inspect.cleandoc(entry.build.__doc__ or "")]
    given = [f"  {n} = {_default(p)!r}" for n, p in entry.options.items()]
    return "\n".join([*lines, "", "Options:", *(given or ["  none"])])


def _default(parameter: inspect.Parameter) -> Any:
    return None if parameter.default is parameter.empty else parameter.default
