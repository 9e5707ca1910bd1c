"""`chymist curve`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import chymist as cy
from chymist.cli.commands import emit, rows_for_folds, screen_of, threads_of
from chymist.cli.inputs import recipe_of
from chymist.cli.summaries import print_data, print_plan
from chymist.cli.terminal import Folds
from chymist.errors import UsageError
from chymist.parts import listed
from chymist.verbs.curves import LearningCurve


def curve(options: argparse.Namespace) -> int:
    """`chymist curve`."""
    screen = screen_of(options)
    sizes = sizes_of(options.sizes) if options.sizes else None
    data, split = rows_for_folds(options)
    recipe, threads = recipe_of(options), threads_of(options.threads)
    print_data(screen, split or data)
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


CURVING = {"curve": curve}
