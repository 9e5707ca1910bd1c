"""The report of a run, and the script and command that do the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chymist.engine.files import write_file
from chymist.parts import Part
from chymist.reports import layer_table, report_html
from chymist.values import PART_FIELDS, Length, Recipe, Run

MODULES = {
    "model": "models", "optimizer": "optim", "schedule": "schedules", "clip": "clip", "stop": "stop"
}  # fmt: skip


def write_report(run: Run) -> Path:
    """Write `report.html` into the run folder; returns its path."""
    layers = layer_table(run.model, run.preparation.input_shape)
    script = script_of(run.recipe, run.data.source, run.split.seed, run.seed)
    page = report_html(run, layers, script, command_of(run))
    path = run.path / "report.html"
    write_file(path, page.encode())
    return path


def command_of(run: Run, folder: str | None = None) -> str:
    """The command that makes the same run again from its recorded recipe.

    Args:
        run: the run.
        folder: how to write its folder; the full path if None.
    """
    source = run.data.source
    if not source:
        return ""
    words = ["chymist", "fit", str(source["load"])]
    for option in ("target", "test"):
        if source.get(option) is not None:
            words += [f"--{option}", str(source[option])]
    words += ["--recipe", str(Path(folder or run.path) / "recipe.toml"), "--seed", str(run.seed)]
    return shlex.join(words)


def script_of(
    recipe: Recipe, source: Mapping[str, Any], split_seed: int, seed: int, **fractions: Any
) -> str:
    """A Python script that does the same as the command.

    Args:
        recipe: the recipe, complete or not.
        source: what `load` was given; empty for arrays.
        split_seed: seed of the split.
        seed: seed of the run.
        **fractions: options of the split that differ from the defaults.

    Returns:
        The text of the script.

    Example:
        >>> print(script_of(Recipe(model="mlp"), {"load": "iris"}, 0, 0).splitlines()[2])
        data = cy.load('iris')
    """
    options = {k: v for k, v in source.items() if k != "load" and v is not None}
    given = [repr(source["load"])] if source else ["(inputs, targets)"]
    given += [f"{name}={value!r}" for name, value in options.items()]
    cut = "".join(f", {name}={value!r}" for name, value in fractions.items() if value is not None)
    fields = []
    for name, value in vars(recipe).items():
        if value is not None:
            fields.append(f"    {name}={_code(name, value)},")
    return "\n".join([
        "import chymist as cy", "",
        f"data = cy.load({', '.join(given)})",
        f"split = cy.split(data, seed={split_seed}{cut})",
        "recipe = cy.Recipe(", *fields, ")",
        f"run = cy.fit(recipe, split, seed={seed})",
        "print(run.score, run.verdict, sep='\\n')", "",
    ])  # fmt: skip


def _code(name: str, value: Any) -> str:
    """A field of a recipe as Python source."""
    if isinstance(value, Length):
        return repr(str(value))
    if name not in PART_FIELDS or not isinstance(value, Part):
        return repr(value)
    if value.source:
        return f"{value.name},  # your own module"
    options = ", ".join(f"{k}={v!r}" for k, v in value.items)
    if name == "data":
        return f"cy.prepare({options})"
    if name in MODULES:
        return f"cy.{MODULES[name]}.{value.name}({options})"
    return f"cy.part({name!r}, {value.name!r}{', ' + options if options else ''})"
