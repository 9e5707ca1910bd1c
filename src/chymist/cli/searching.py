"""`chymist search`: ranges and choices among the recipe options are what is searched."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import chymist as cy
from chymist.cli.commands import emit, rows_for_folds, screen_of, threads_of, width
from chymist.cli.inputs import folds_given, recipe_of
from chymist.cli.reporting import command_again, in_language
from chymist.cli.shared_options import RECIPE_OPTIONS
from chymist.cli.summaries import near, print_data, print_plan
from chymist.cli.terminal import Band, Screen
from chymist.engine.defaults import complete
from chymist.engine.folder import check_place, in_free_folder
from chymist.evidence.searches import Search, Trial
from chymist.space import Axis, parse, takes_list, text_of, text_of_axis
from chymist.values import Data, Recipe, Split, show
from chymist.verbs.search_folder import write_search

SHOWN = 10  # configurations in the terminal


def search(options: argparse.Namespace) -> int:
    """`chymist search`."""
    screen = screen_of(options)
    folds, threads = folds_given(options, 5), threads_of(options.threads)
    data, split = rows_for_folds(options)
    recipe, space = recipe_and_space(options, split or data)
    if options.out:
        check_place(Path(options.out))
    print_data(screen, split or data)
    for name, axis in space.items():
        screen.line("Space", f"{name} {text_of_axis(axis)}")
    bands: list[Band] = []

    def started(fits: int) -> None:
        for band in bands:
            band.close()
        bands[:] = [Band(screen, fits)]

    try:
        found = cy.search(
            recipe, split or data, space, options.method, options.trials, folds, options.seeds,
            options.seed, nested=options.nested, parallel=options.parallel, group=options.group,
            time=options.time, plan=options.plan, threads=threads, started=started,
            watcher=lambda number, event: bands[0](number, event), tensorboard=options.tensorboard,
        )  # fmt: skip
    finally:
        for band in bands:
            band.close()
    found = replace(found, how={**found.how, "command": command_again(options)})
    write = partial(write_search, found=found, data=data, command=command_of_best(options))
    report = (
        write(Path(options.out)) if options.out else in_free_folder(f"{data.name}-search", write)
    )
    if options.explain_plan:
        print_plan(screen, found.facts["plan"])
    in_language(report.parent)
    print_search(screen, found, report)
    if options.json:
        emit({"run": str(report.parent), **found.to_dict(), "report": str(report)})
    return 0


def recipe_and_space(
    options: argparse.Namespace, rows: Split | Data
) -> tuple[Recipe, dict[str, Axis]]:
    """The fixed part of the recipe, and what is searched: ranges, and choices.

    A comma separates choices where the field takes one value, and items where it takes a list.

    Raises:
        UsageError: a range or choice that cannot be read, an unknown name or value.
    """
    space: dict[str, Axis] = {}
    listed: dict[str, str] = {}
    for name, text in _given(options).items():
        axis = parse(text, single=False, where=name)
        if axis is not None:
            space[name] = axis
        elif "," in text:
            listed[name] = text
        else:
            continue
        _set(options, name, None)
    split = rows if isinstance(rows, Split) else Split(rows, np.arange(len(rows)), *_NONE)
    default = partial(complete, split=split)
    for name, text in listed.items():
        axis = parse(text, not takes_list(name, recipe_of(options), default), where=name)
        if axis is None:
            _set(options, name, text)
        else:
            space[name] = axis
    return recipe_of(options), space


def command_of_best(options: argparse.Namespace) -> str:
    """The command that trains the best recipe; `{}` stands for the path of its file."""
    words = ["chymist", "fit", options.source]
    for name in ("target", "test", "group", "columns", "missing", "header", "image_size", "graph"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words).replace("{", "{{").replace("}", "}}") + " --recipe {}"


def print_search(screen: Screen, found: Search, report: Path) -> None:
    """What `search` prints at the end."""
    from chymist.reports.text import table

    facts = found.facts
    names = list(found.space)
    cells = [
        [trial.number, *(text_of(trial.point[n]) for n in names), _value(trial), _state(trial)]
        for trial in found.trials[:SHOWN]
    ]
    screen.block(table(cells, ["", *names, found.score.metric, "trained for"], width() - 8))
    if len(found.trials) > SHOWN:
        screen.block(f"... and {len(found.trials) - SHOWN} more in search.json")
    screen.line("Verdict", found.verdict, result=True)
    screen.line("Surface", found.surface)
    metric, noise = found.score.metric, found.noise
    spread = f"folds {_spread(metric, noise['folds'])}"
    if noise["seeds"] is not None:
        spread += f", seeds {_spread(metric, noise['seeds'])}"
    elif facts["one_seed"]:
        spread += ", seeds unknown from one seed"
    screen.line("Noise", f"standard deviation of the best: {spread}")
    for note in facts["notes"]:
        screen.line("Note", note)
    how = "as one program" if facts["executor"] == "population" else "each by itself"
    screen.line(
        "Time",
        f"{facts['seconds']:.1f} s · {facts['fits']:,} fits {how} · {facts['epochs']:,.0f} epochs "
        f"of {facts['full_epochs']:,.0f}",
    )
    screen.line("Files", f"{near(report.parent)}/  best.toml · search.json · report.html")


def _given(options: argparse.Namespace) -> dict[str, str]:
    """All recipe options that were given, by the name of their field."""
    plain = {option.replace("-", "_"): None for option in RECIPE_OPTIONS}
    found = {name: getattr(options, name, None) for name in plain}
    return {name: text for name, text in (found | options.dotted).items() if text is not None}


def _set(options: argparse.Namespace, name: str, text: str | None) -> None:
    """Give a recipe option another text, or take it away."""
    if "." not in name:
        setattr(options, name, text)
    elif text is None:
        del options.dotted[name]
    else:
        options.dotted[name] = text


def _value(trial: Trial) -> str:
    return "diverged" if trial.score is None else show(trial.score.metric, trial.score.value)


def _state(trial: Trial) -> str:
    if trial.reason:
        return "diverged"
    return trial.reached or "all"


def _spread(metric: str, value: float | None) -> str:
    assert value is not None
    return show(metric, value).replace(" %", " points")


_NONE = (np.array([], np.int64), np.array([], np.int64))
