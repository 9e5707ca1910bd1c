"""`chymist networks` and `invariance`."""

from __future__ import annotations

import argparse

import chymist as cy
from chymist.cli.commands import emit, moved_data, rows_for_folds, screen_of, threads_of, width
from chymist.cli.inputs import count, recipe_of
from chymist.cli.options import recipe_fields
from chymist.cli.summaries import print_data, print_plan
from chymist.data.deforming import CHANGES
from chymist.parts import listed
from chymist.reports.text import table
from chymist.verbs.networks import FAMILIES
from chymist.verbs.writing import place_of_drawing


def networks(options: argparse.Namespace) -> int:
    """`chymist networks`."""
    screen = screen_of(options)
    names = list(FAMILIES) if options.networks is None else listed(options.networks, "--networks")
    for name in ("parameters", "rows"):
        count(getattr(options, name), f"--{name}")
    if options.out:
        place_of_drawing(options.out)
    recipe = recipe_of(options) if options.recipe or recipe_fields(options) else None
    data, split = rows_for_folds(options)
    print_data(screen, split or data)
    found = cy.compare_networks(
        split or data, names, options.folds, options.seeds, options.seed,
        parameters=options.parameters, rows=options.rows, recipe=recipe, plan=options.plan,
        threads=threads_of(options.threads),
    )  # fmt: skip
    if options.explain_plan:
        print_plan(screen, found.comparison.plan)
    screen.line("Verdict", found.verdict, result=True)
    for reason in found.reasons:
        screen.line("Because", reason, result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    for row in found.rows:
        screen.line(row.name, f"assumes {row.assumes} · {row.model}")
    if options.out:
        found.save(options.out)
        screen.line("Files", f"{options.out}  scores with their intervals")
    if options.json:
        emit({**found.to_dict(), "picture": options.out})
    return 0


def invariance(options: argparse.Namespace) -> int:
    """`chymist invariance`."""
    screen = screen_of(options)
    names = list(CHANGES) if options.changes is None else listed(options.changes, "--changes")
    if options.out:
        place_of_drawing(options.out)
    found = cy.invariance(options.run, names, data=moved_data(options))
    screen.line("Score", str(found.score), result=True)
    heads, cells = found.table()
    screen.block(table(cells, heads, width() - 8))
    if options.out:
        found.save(options.out)
        screen.line("Files", f"{options.out}  accuracy and share of same answers by amount")
    if options.json:
        emit({"run": options.run, **found.to_dict(), "picture": options.out})
    return 0


NETWORKS = {"networks": networks, "invariance": invariance}
