"""Python scripts that carry out a study again, from what its record holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from chymist.errors import ChymistError
from chymist.evidence.studies import (
    ComparisonRecord,
    CrossValidationRecord,
    DataRecord,
    How,
    PopulationRecord,
    RaceRecord,
    RunPairRecord,
    SearchRecord,
)
from chymist.space import Axis, Choice, Space
from chymist.values import Recipe
from chymist.verbs.reporting import load_line, recipe_fields

PART = re.compile(r"(\w+)\((.*)\)")


def comparison_script(found: ComparisonRecord) -> str:
    """The script of a comparison.

    Example:
        >>> import chymist as cy
        >>> from sklearn.svm import SVC
        >>> softmax = cy.Recipe(model="softmax", length="1 epoch")
        >>> made = cy.compare({"a": softmax, "b": SVC()}, cy.load("iris"), folds=2, seeds=1)
        >>> from chymist.verbs.study_records import record_of
        >>> comparison_script(record_of(made, ComparisonRecord)).splitlines()[1]
        'from sklearn.svm import SVC'
    """
    imports = sorted({line for one in found.rows for line in one.imports})
    entries = ["entries = {"]
    for one in found.rows:
        if isinstance(one.recipe, str):
            entries.append(f"    {one.name!r}: {one.recipe},")
        else:
            entries += [f"    {one.name!r}: cy.Recipe(", *_inner(one.recipe), "    ),"]
    metric = "" if found.metric in ("accuracy", "rmse") else f", metric={found.metric!r}"
    call = f"found = cy.compare(entries, {_rows(found.how)}, {_cuts(found.how, 'seeds')}{metric})"
    return _script(imports, found.data, found.how, [*entries, "}", call, "print(found)"])


def cross_validation_script(found: CrossValidationRecord) -> str:
    """The script of a cross-validation."""
    shared = ", order='shared'" if found.facts.order == "shared" else ""
    call = f"found = cy.cross_validate(recipe, {_rows(found.how)}, {_cuts(found.how, 'repeats')}"
    lines = [*_recipe(found.recipe), f"{call}{shared})", "print(found.score, found.verdict)"]
    return _script([], found.data, found.how, lines)


def population_script(found: PopulationRecord) -> str:
    """The script of a population."""
    seeds = list(dict.fromkeys(one.seed for one in found.members))
    told = str(len(seeds)) if seeds == list(range(len(seeds))) else repr(seeds)
    if len(found.recipes) == 1:
        made, name = _recipe(found.recipes[0]), "recipe"
    else:
        made, name = ["recipes = ["], "recipes"
        for one in found.recipes:
            made += ["    cy.Recipe(", *_inner(one), "    ),"]
        made.append("]")
    call = f"found = cy.fit_population({name}, {_rows(found.how)}, seeds={told})"
    return _script([], found.data, found.how, [*made, call, "print(found)"])


def search_script(found: SearchRecord, space: Space) -> str:
    """The script of a search.

    Args:
        found: the search.
        space: what was searched.
    """
    lines = [f"    {name!r}: {_axis(name, axis)}," for name, axis in space.items()]
    options = f"method={found.facts['method']!r}"
    if found.facts["method"] != "grid":
        options += f", trials={len(found.rows)}"
    options += f", nested={len(found.outer)}" if found.outer else ""
    call = f"found = cy.search(recipe, {_rows(found.how)}, space, {options}"
    body = [*_recipe(found.facts["recipe"]), "space = {", *lines, "}",
            f"{call}, {_cuts(found.how, 'seeds')})", "print(found.verdict)"]  # fmt: skip
    return _script([], found.data, found.how, body)


def race_script(found: RaceRecord) -> str:
    """The script of a race."""
    parts = []
    for one in found.rows:
        name, _, options = one.optimizer.partition("(")
        options = options.rstrip(")")
        parts.append(f"    {one.name!r}: cy.part('optimizer', '{name}'"
                     f"{', ' + options if options else ''}),")  # fmt: skip
    call = (f"found = cy.race({_rows(found.how)}, optimizers, {list(found.rows[0].rates)!r}, "
            f"{list(found.seeds)!r}, recipe=recipe)")  # fmt: skip
    body = [*_recipe(found.recipe), "optimizers = {", *parts, "}", call, "print(found.verdict)"]
    return _script([], found.data, found.how, body)


def runs_script(found: RunPairRecord) -> str:
    """The script of a comparison of two runs."""
    a, b = (one.run for one in found.rows)
    return f"import chymist as cy\n\nfound = cy.compare_runs({a!r}, {b!r})\nprint(found)\n"


def _axis(name: str, axis: Axis) -> str:
    """What was searched of one hyperparameter, as Python source."""
    if isinstance(axis, Choice):
        return f"cy.space.choice({', '.join(_value(name, value) for value in axis.values)})"
    kind = "log" if axis.log else "uniform"
    ends = (int(axis.low), int(axis.high)) if axis.whole else (axis.low, axis.high)
    return f"cy.space.{kind}({ends[0]!r}, {ends[1]!r})"


def _value(name: str, value: object) -> str:
    """A value of a choice; parts are stored as they print."""
    found = PART.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return repr(value)
    return f"cy.part({name!r}, {found[1]!r}{', ' + found[2] if found[2] else ''})"


def _script(imports: Sequence[str], data: DataRecord, how: How, body: Sequence[str]) -> str:
    lines = ["import chymist as cy", *imports, "", load_line(data.source)]
    if how.split is not None:
        options = "".join(f", {name}={value!r}" for name, value in how.split.items())
        lines.append(f"split = cy.split(data{options})")
    elif "split" in how.own:
        lines.append("split = cy.Split(data, train, valid, test)  # your own rows")
    for name in ("group", "time"):
        if name in how.own:
            lines.append(f"{name} = ...  # your own array")
    return "\n".join([*lines, *body, ""])


def _rows(how: How) -> str:
    return "split" if how.split is not None or "split" in how.own else "data"


def _cuts(how: How, repeats: str) -> str:
    """How rows are cut, as arguments."""
    name = how.protocol.partition("(")[0]
    if not name:  # of a folder from before it was kept
        return f"folds=..., {repeats}=..., seed=..."
    if name == "kfold" and "group" not in how.protocol:
        words = [f"folds={how.folds}", f"{repeats}={how.seeds}"]
    elif name == "leave_one_out":
        words = ["folds='loo'", f"{repeats}={how.seeds}"]
    else:
        words = [f"folds=cy.protocols.{how.protocol}"]
    words.append(f"seed={how.seed}")
    for option in ("group", "time"):
        value = getattr(how, option)
        words += [f"{option}={value!r}"] if value is not None else []
        words += [f"{option}={option}"] if option in how.own else []
    return ", ".join(words)


def _recipe(plain: Mapping[str, Any]) -> list[str]:
    return ["recipe = cy.Recipe(", *_fields(plain), ")"]


def _inner(plain: Mapping[str, Any]) -> list[str]:
    return [f"    {line}" for line in _fields(plain)]


def _fields(plain: Mapping[str, Any]) -> list[str]:
    """The fields of a recipe, or what is known of one that cannot be read."""
    with suppress(ChymistError):
        return recipe_fields(Recipe.from_dict(dict(plain)))
    return [f"    {name}=...,  # {value}" for name, value in plain.items()]
