"""The report of a run, and the script and command that do the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from chymist.data import split as make_split
from chymist.doctor.texts import LANGUAGES
from chymist.doctor.verdict_words import CHINESE, REASONS, SAID, told
from chymist.engine.files import write_file
from chymist.engine.threads import Threads
from chymist.errors import ChymistError
from chymist.models.trees.modules import TreeModel
from chymist.parts import Part
from chymist.reports import layer_table, report_html
from chymist.reports.saying import Say, saying
from chymist.values import PART_FIELDS, Length, Recipe, Run, Split
from chymist.verbs.reading import LINEAR, coefficients, named_tree

MODULES = {
    "model": "models", "optimizer": "optim", "schedule": "schedules", "clip": "clip",
    "stop": "stop", "init": "initializers", "penalty": "penalties",
    "gradient_noise": "gradient_noise", "augment": "augment",
}  # fmt: skip


def write_report(run: Run, lang: str = "en") -> Path:
    """Write `report.html` into the run folder; returns its path.

    Args:
        run: the run.
        lang: "en" or "zh".
    """
    path = run.path / "report.html"
    write_file(path, report_page(run, lang).encode())
    return path


def report_page(run: Run, lang: str = "en") -> str:
    """The report of a run; arguments as for `write_report`."""
    # These know results of every verb, and the verbs that make them write reports.
    from chymist.verbs.architecture import architecture_figure
    from chymist.verbs.looking import looks_of

    layers = layer_table(run.model, run.preparation.input_shape)
    script = script_of(run.recipe, run.split, run.seed, run.facts["threads"])
    linear = coefficients(run) if run.recipe.model.name in LINEAR else None
    words = {} if lang == "en" else {c: (t.title, t.remedy) for c, t in LANGUAGES[lang].items()}
    grown = isinstance(run.model, TreeModel)
    tree = named_tree(run.model, run.preparation, run.data.classes) if grown else None
    say = teller(run.experiments, lang)
    return report_html(
        run, layers, script, command_of(run), linear, words, tree, say,
        looks_of(run), architecture_figure(run, say),
    )  # fmt: skip


def teller(experiments: Mapping[str, Any] | None, lang: str) -> Say:
    """The words of reports in a language, with those that the doctor has for its experiments.

    Args:
        experiments: what they found, as plain values; None if there were none.
        lang: "en" or "zh".
    """
    say = saying(lang)
    if lang == "en":
        return say
    known = {**say.known, **REASONS, **{SAID[cause]: CHINESE[cause] for cause in SAID}}
    if experiments is not None:
        known[experiments["claim"]] = told(experiments, lang)["Verdict"]
    return replace(say, known=known)


def command_of(run: Run, folder: str | None = None) -> str:
    """The command that makes the same run again from its recorded recipe, if there is one.

    There is none for arrays, for a user's own module, and for rows that were not cut by `cy.split`
    with arguments that a command can hold.

    Args:
        run: the run.
        folder: how to write its folder; the full path if None.
    """
    where = str(folder or run.path)
    return command_for(run.recipe, run.split, run.seed, run.facts["threads"], where)


def command_for(recipe: Recipe, split: Split, seed: int, threads: int, folder: str) -> str:
    """The command that trains the recipe in a run folder on the same rows; empty if there is none.

    Args:
        recipe: of the run.
        split: the rows.
        seed, threads: of the run.
        folder: of the run.
    """
    source, options = split.data.source, split.options
    own = any(isinstance(value, Part) and value.source for value in vars(recipe).values())
    twice = source.get("test") and "test" in options  # a file and a share: one option for both
    if not source or own or twice or source.get("task") or not cut_again(split):
        return ""
    words = ["chymist", "fit", str(source["load"])]
    given = {
        name: source.get(name)
        for name in ("target", "test", "header", "columns", "missing", "image_size", "graph")
    }
    for name, value in {**given, **options}.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", _word(value)]
    words += ["--recipe", str(Path(folder) / "recipe.toml"), "--seed", str(seed)]
    if split.seed != seed:
        words += ["--split-seed", str(split.seed)]
    return shlex.join([*words, "--threads", str(threads)])


def cut_again(split: Split) -> bool:
    """Whether `cy.split` makes the same cut from what is recorded of it.

    Example:
        >>> import chymist as cy
        >>> cut_again(cy.split(cy.load("iris"), valid=0.3, seed=5))
        True
    """
    with suppress(ChymistError):
        return make_split(split.data, seed=split.seed, **split.options) == split
    return False


def script_of(recipe: Recipe, split: Split, seed: int, threads: Threads = None) -> str:
    """A Python script that does the same as the command.

    Args:
        recipe: the recipe, complete or not.
        split: the rows.
        seed: seed of the run.
        threads: as in `fit`.

    Returns:
        The text of the script.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), valid=0.3)
        >>> print(script_of(Recipe(model="mlp"), split, 0).splitlines()[3])
        split = cy.split(data, seed=0, valid=0.3)
    """
    source = split.data.source
    cut = "".join(f", {name}={value!r}" for name, value in split.options.items())
    lines = [
        "import chymist as cy",
        "",
        load_line(source),
        f"split = cy.split(data, seed={split.seed}{cut})"
        if cut_again(split)
        else "split = cy.Split(data, train, valid, test)  # your own rows",
        "recipe = cy.Recipe(",
        *recipe_fields(recipe),
        ")",
        f"run = cy.fit(recipe, split, seed={seed}{'' if threads is None else f', {threads=}'})",
        "print(run.score, run.verdict, sep='\\n')",
        "",
    ]
    return "\n".join(lines)


def load_line(source: Mapping[str, Any]) -> str:
    """The line of a script that loads the data.

    Example:
        >>> load_line({"load": "table.csv", "target": "price", "test": None})
        "data = cy.load('table.csv', target='price')"
    """
    options = {k: v for k, v in source.items() if k != "load" and v is not None}
    given = [repr(source["load"])] if source.get("load") else ["(inputs, targets)"]
    given += [f"{name}={value!r}" for name, value in options.items()]
    return f"data = cy.load({', '.join(given)})"


def recipe_fields(recipe: Recipe) -> list[str]:
    """The arguments of `cy.Recipe` as lines of a script."""
    return [f"    {n}={_code(n, v)}," for n, v in vars(recipe).items() if v is not None]


def _word(value: Any) -> str:
    """A value of an option as a word of a command line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(_item(f"{name}={kind}") for name, kind in value.items())
    return str(value)


def _item(text: str) -> str:
    """An item of a list, quoted as in a CSV file where it holds a comma."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if set(text) & set(',"') else text


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
