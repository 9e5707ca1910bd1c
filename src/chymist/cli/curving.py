"""`chymist curve`, `capacity`, `suitability` and `effects`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import chymist as cy
from chymist.cli.commands import emit, rows_for_folds, screen_of, threads_of, width
from chymist.cli.inputs import recipe_of
from chymist.cli.searching import recipe_and_space
from chymist.cli.summaries import print_data, print_plan
from chymist.cli.terminal import Folds, Screen
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.reports.text import table
from chymist.space import Axis, text_of
from chymist.values import Data, Recipe, Score, Split, show
from chymist.verbs.complexity import ValidationCurve
from chymist.verbs.curves import LearningCurve

KINDS = {"best": "best", "alike": "", "under": "underfits", "over": "overfits", "worse": "worse"}


def curve(options: argparse.Namespace) -> int:
    """`chymist curve`."""
    screen = screen_of(options)
    sizes = sizes_of(options.sizes) if options.sizes else None
    data, split = rows_for_folds(options)
    threads = threads_of(options.threads)
    recipe, space = recipe_and_space(options, split or data)
    print_data(screen, split or data)
    if space:
        return _over_values(options, recipe, space, split or data)
    watch = Folds(screen)
    try:
        found = cy.learning_curve(
            recipe, split or data, sizes, options.folds, options.seeds, options.seed,
            group=options.group, plan=options.plan, threads=threads, started=watch.begin,
            watcher=watch,
        )  # fmt: skip
    finally:
        watch.close()
    if options.explain_plan:
        print_plan(screen, found.facts["plan"])
    screen.line("Verdict", found.verdict, result=True)
    for size, train, held in zip(found.sizes, found.train, found.held, strict=True):
        screen.line("Rows", f"{size:,}   {held}   {train}", result=True)
    if not found.sealed:
        screen.line("Note", "all rows were used; none is sealed for a last test")
    if options.json:
        emit(curve_summary(found))
    return 0


def _over_values(
    options: argparse.Namespace, recipe: Recipe, space: Mapping[str, Axis], data: Data | Split
) -> int:
    """A curve over the values of a recipe option.

    Raises:
        UsageError: several options have several values, or sizes are given beside.
    """
    if len(space) > 1 or options.sizes:
        names = [f"--{name}" for name in space] + ["--sizes"] * bool(options.sizes)
        raise UsageError("a curve goes over one thing", where="chymist curve",
                         received=", ".join(names),
                         do="give one of them several values, or use search")  # fmt: skip
    ((name, axis),) = space.items()
    screen = screen_of(options)
    watch = Folds(screen)
    try:
        found = cy.validation_curve(
            recipe, data, name, axis, options.folds, options.seeds, options.seed,
            group=options.group, plan=options.plan, threads=threads_of(options.threads),
            started=watch.begin, watcher=watch,
        )  # fmt: skip
    finally:
        watch.close()
    if options.explain_plan:
        print_plan(screen, found.facts["plan"])
    _print_values(screen, found)
    if options.json:
        emit(found.to_dict())
    return 0


def _print_values(screen: Screen, found: ValidationCurve) -> None:
    """What a curve over values prints."""
    screen.line("Verdict", found.verdict, result=True)
    metric = found.held[0].metric
    columns = zip(found.values, found.held, found.train, found.parameters, found.reading.kinds,
                  strict=True)  # fmt: skip
    cells = [
        [text_of(value), interval_text(held), show(metric, own.value), f"{count:,}", KINDS[kind]]
        for value, held, own, count, kind in columns
    ]
    cells += [
        [f"memoriser: {one.name}", interval_text(one.held), show(metric, one.train.value), "", ""]
        for one in found.memorisers
    ]
    heads = [found.name, f"{metric}, held out", "training", "parameters", ""]
    screen.block(table(cells, heads, width() - 8))
    for note in found.facts["notes"]:
        screen.line("Note", note)


def interval_text(score: Score) -> str:
    """A score with its interval, without its name.

    Example:
        >>> interval_text(Score("accuracy", 0.9, 0.8, 0.95, 60, "out-of-fold"))
        '90.0 % [80.0 %, 95.0 %]'
    """
    value, low, high = (show(score.metric, v) for v in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}]"


def capacity(options: argparse.Namespace) -> int:
    """`chymist capacity`."""
    screen = screen_of(options)
    data, split = rows_for_folds(options)
    print_data(screen, split or data)
    found = cy.capacity(recipe_of(options), split or data, options.seeds, options.seed,
                        plan=options.plan, threads=threads_of(options.threads))  # fmt: skip
    if options.explain_plan:
        print_plan(screen, found.facts["plan"])
    screen.line("Verdict", found.verdict, result=True)
    for number, rows in enumerate(found.found):
        screen.line("Set", f"{number}   {rows:,} rows", result=True)
    if options.json:
        emit(found.to_dict())
    return 0


def suitability(options: argparse.Namespace) -> int:
    """`chymist suitability`."""
    screen = screen_of(options)
    data, split = rows_for_folds(options)
    print_data(screen, split or data)
    found = cy.suitability(split or data, options.folds, options.seeds, options.seed,
                           rows=options.rows, plan=options.plan,
                           threads=threads_of(options.threads))  # fmt: skip
    screen.line("Verdict", found.verdict, result=True)
    for reason in found.reasons:
        screen.line("Because", reason, result=True)
    heads, cells = found.comparison.rows()
    screen.block(table(cells, heads, width() - 8))
    if options.json:
        emit(found.to_dict())
    return 0


def effects(options: argparse.Namespace) -> int:
    """`chymist effects`."""
    screen = screen_of(options)
    data, split = rows_for_folds(options)
    print_data(screen, split or data)
    found = cy.effects(split or data, repeats=options.seeds, seed=options.seed, rows=options.rows,
                       plan=options.plan, threads=threads_of(options.threads))  # fmt: skip
    for one in found.effects:
        screen.line("Effect", f"{one.name}: {one.sentence}", result=True)
    heads, cells = found.rows()
    screen.block(table(cells, heads, width() - 8))
    for one in found.effects:
        if one.caption:
            screen.line("Note", f"{one.name}: {one.caption}")
    if options.json:
        emit(found.to_dict())
    return 0


def sizes_of(text: str) -> list[float | int]:
    """`--sizes 0.1,0.5,1.0` or `--sizes 100,200`: shares have a point, numbers of rows none.

    Raises:
        UsageError: something else.

    Example:
        >>> sizes_of("0.25,1.0"), sizes_of("100, 200")
        ([0.25, 1.0], [100, 200])
    """
    found: list[float | int] = []
    for word in listed(text, "--sizes"):
        try:
            found.append(int(word) if word.strip().isdecimal() else float(word))
        except ValueError:
            raise UsageError(
                "not a size of a training set",
                where="--sizes",
                received=f"'{word}'",
                do="give shares such as 0.25,0.5,1.0 or numbers of rows",
            ) from None
    return found


def curve_summary(found: LearningCurve) -> Mapping[str, Any]:
    """What `curve` answers in JSON."""
    rows = [
        {"size": size, "held": held.to_dict(), "train": train.to_dict()}
        for size, held, train in zip(found.sizes, found.held, found.train, strict=True)
    ]
    return {"verdict": found.verdict, "rows": rows, "folds": list(found.folds),
            "plan": found.facts["plan"], "seconds": found.facts["seconds"]}  # fmt: skip


CURVING = {"curve": curve, "capacity": capacity, "suitability": suitability,
           "effects": effects}  # fmt: skip
