"""`chymist race`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import chymist as cy
from chymist.cli.commands import emit, screen_of, threads_of, width
from chymist.cli.inputs import load_source, recipe_of, split_of
from chymist.cli.reporting import command_again, in_language
from chymist.cli.summaries import near, print_data
from chymist.cli.terminal import Band
from chymist.engine.folder import check_place, in_free_folder
from chymist.errors import UsageError
from chymist.evidence.optimizer_races import HEADS, cells_of
from chymist.parts import listed
from chymist.reports.text import table
from chymist.verbs.optimizer_race import RACERS, RATES, write_race


def race(options: argparse.Namespace) -> int:
    """`chymist race`."""
    screen = screen_of(options)
    recipe = recipe_of(options)
    names = listed(options.optimizers, "--optimizers") if options.optimizers else list(RACERS)
    rates = rates_of(options.rates) if options.rates else list(RATES)
    if options.out:
        check_place(Path(options.out))
    data = load_source(options)
    split = split_of(options, data)
    print_data(screen, split)
    screen.line("Race", f"{', '.join(names)} · {len(rates)} rates · {options.seeds} seeds")
    band = Band(screen, len(names) * len(rates) * options.seeds)
    seeds = range(options.seed, options.seed + options.seeds)
    try:
        found = cy.race(split, names, rates, seeds, recipe=recipe,
                        threads=threads_of(options.threads), watcher=band)  # fmt: skip
    finally:
        band.close()
    found = replace(found, how={**found.how, "command": command_again(options)})
    write = partial(write_race, found=found, data=data)
    report = write(Path(options.out)) if options.out else in_free_folder(f"{data.name}-race", write)
    in_language(report.parent)
    screen.block(table([cells_of(one) for one in found.racers], HEADS, width() - 8))
    screen.line("Verdict", found.verdict, result=True)
    for note in found.facts["notes"]:
        screen.line("Note", note)
    facts = found.facts
    screen.line("Time", f"{facts['seconds']:.1f} s · {facts['members']:,} networks · "
                        f"{facts['epochs']:,.0f} epochs")  # fmt: skip
    screen.line("Files", f"{near(report.parent)}/  race.json · report.html")
    if options.json:
        emit({"run": str(report.parent), **found.to_dict(), "report": str(report)})
    return 0


def rates_of(text: str) -> list[float]:
    """`--rates 1e-3,1e-2`.

    Raises:
        UsageError: something else than numbers.

    Example:
        >>> rates_of("1e-3, 0.1")
        [0.001, 0.1]
    """
    try:
        return [float(word) for word in listed(text, "--rates")]
    except ValueError:
        raise UsageError("not a list of rates", where="--rates", received=repr(text)[:60],
                         do="give 1e-3,1e-2,1e-1") from None  # fmt: skip


RACING = {"race": race}
