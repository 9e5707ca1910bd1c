"""`chymist compare` and `chymist compare-runs`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.commands import (
    emit,
    rows_for_folds,
    screen_of,
    threads_of,
    width,
)
from chymist.cli.inputs import folds_given, recipe_of
from chymist.cli.reporting import command_again, in_language, written
from chymist.cli.summaries import print_data, print_plan
from chymist.cli.terminal import LABEL, Band, Screen
from chymist.engine.defaults import one_of_several
from chymist.engine.events import Epoch
from chymist.engine.folder import check_place, in_free_folder
from chymist.errors import UsageError, nearest
from chymist.parts import definition, listed, registered
from chymist.values import Recipe, Split, show
from chymist.verbs.baselines import BASELINES, named_baseline
from chymist.verbs.comparison import Comparison
from chymist.verbs.study_pages import PAGE


def compare(options: argparse.Namespace) -> int:
    """`chymist compare`."""
    from chymist.verbs.writing_studies import write_comparison

    screen, folds = screen_of(options), folds_given(options, 10)
    names = names_of(options)
    data, split = rows_for_folds(options)
    entries = entries_of(options, names, split or cy.split(data))
    if options.out:
        check_place(Path(options.out))
    print_data(screen, split or data)
    watch = _Watch(screen, sum(isinstance(entry, Recipe) for entry in entries.values()))
    try:
        found = cy.compare(
            entries, split or data, folds, options.seeds, options.seed, group=options.group,
            time=options.time, metric=options.metric, plan=options.plan,
            threads=threads_of(options.threads), started=watch.begin, watcher=watch,
            observer=watch.tell,
        )  # fmt: skip
    finally:
        watch.close()
    found = replace(found, how={**found.how, "command": command_again(options)})
    write = partial(write_comparison, found=found, data=data)
    out = Path(options.out) if options.out else None
    path = write(out) if out else in_free_folder(f"{data.name}-compare", write)
    if options.explain_plan:
        print_plan(screen, found.plan)
    in_language(path.parent)
    print_comparison(screen, found, path.parent)
    if options.json:
        about = {"name": data.name, "kind": data.kind, "fingerprint": data.fingerprint,
                 "rows": len(data)}  # fmt: skip
        emit({"run": str(path.parent), **found.to_dict(), "data": about, "predictions": str(path),
              "report": str(path.parent / PAGE)})  # fmt: skip
    return 0


def compare_runs(options: argparse.Namespace) -> int:
    """`chymist compare-runs`."""
    screen = screen_of(options)
    found = cy.compare_runs(options.a, options.b)
    screen.line("Verdict", found.verdict, result=True)
    for run, score in zip(found.runs, found.scores, strict=True):
        screen.line("Score", f"{run}: {score}")
    for line in found.lines():
        screen.line("Differs", line)
    for note in found.notes:
        screen.line("Note", note)
    report = {} if options.report is None else {"report": written(options, screen, found)}
    if options.json:
        emit({**found.to_dict(), **report})
    return 0


def names_of(options: argparse.Namespace) -> list[str]:
    """The names of `--models`, each of a model or a baseline.

    Raises:
        UsageError: fewer than two entries, or an unknown name.
    """
    names = listed(options.models, "--models") if options.models else []
    files = listed(options.recipes, "--recipes") if options.recipes else []
    if len(names) + len(files) < 2:
        raise UsageError("a comparison needs at least two entries", where=f"chymist {options.verb}",
                         received=", ".join(names + files) or "none",
                         do="give --models mlp,softmax or --recipes a.toml,b.toml")  # fmt: skip
    known = [*registered("model"), *BASELINES]
    for name in names:
        if name not in known:
            raise UsageError("unknown model or baseline", where="--models", received=f"'{name}'",
                             do=nearest(name, known))  # fmt: skip
    return names


def entries_of(options: argparse.Namespace, names: list[str], split: Split) -> dict[str, Any]:
    """The entries by name; recipe options apply to all networks, `--model.x` to those that have x.

    Of options for all of them, a model that is solved takes those that its solver reads.

    Raises:
        UsageError: an option that no model has.
    """
    mine = {
        k.removeprefix("model."): v for k, v in options.dotted.items() if k.startswith("model.")
    }
    shared = {k: v for k, v in options.dotted.items() if not k.startswith("model.")}
    networks = [name for name in names if name in registered("model")]
    for option in mine:
        if not any(option in definition("model", name).options for name in networks):
            raise UsageError("no model of the comparison has this option",
                             where=f"chymist {options.verb}",
                             received=f"'--model.{option}'")  # fmt: skip
    base = recipe_of(argparse.Namespace(**{**vars(options), "dotted": shared})).to_dict()
    found: dict[str, Any] = {}
    for name in names:
        if name in networks:
            own = {k: v for k, v in mine.items() if k in definition("model", name).options}
            mine_too = Recipe.from_dict({**base, "model": {"name": name, **own}})
            entry: Any = one_of_several(mine_too, split)
        else:
            entry = named_baseline(name, split.data.task)
        found[_free(name, found)] = entry
    for file in listed(options.recipes, "--recipes") if options.recipes else []:
        plain = argparse.Namespace(**{**vars(options), "dotted": shared, "recipe": file})
        found[_free(Path(file).stem, found)] = recipe_of(plain)
    return found


def print_comparison(screen: Screen, found: Comparison, out: Path) -> None:
    """Print what `compare` prints at the end."""
    from chymist.reports.text import table

    for heads, cells in (found.rows(), found.pair_rows()):
        if cells:
            screen.block(table(cells, heads, width() - LABEL))
    screen.line("Verdict", found.verdict, result=True)
    for note in found.notes:
        screen.line("Note", note)
    screen.line("Files", f"{out}/  report.html · comparison.json · predictions.csv")


class _Watch:
    """Follows a comparison: a band while it trains, a line for each entry that is scored.

    Args:
        screen: where to print.
        recipes: number of entries that are trained.
    """

    def __init__(self, screen: Screen, recipes: int) -> None:
        self.screen, self.recipes, self.fits = screen, recipes, 0
        self.values: dict[str, list[float]] = {}
        self.band = Band(screen, 0)

    def begin(self, fits: int) -> None:
        """The number of trainings of each entry is known."""
        self.fits, self.band.runs = fits, fits * self.recipes

    def __call__(self, number: int, event: Epoch) -> None:
        """An epoch of one of the trainings."""
        self.band(number, event)

    def close(self) -> None:
        """Leave the last line standing."""
        self.band.close()

    def tell(self, record: Mapping[str, Any]) -> None:
        """A fold is scored; of an entry all of whose folds are, its mean is told."""
        name = record["entry"]
        values = self.values.setdefault(name, [])
        values.append(record["value"])
        if len(values) == self.fits:
            mean = show(record["metric"], sum(values) / len(values))
            self.screen.line(
                "Entry", f"{name}   {record['metric']} {mean}, mean of {self.fits} fits"
            )


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """A name that no entry has: "mlp", "mlp-2", "mlp-3"."""
    number, free = 1, name
    while free in taken:
        number, free = number + 1, f"{name}-{number + 1}"
    return free


COMPARING: dict[str, Callable[[argparse.Namespace], int]] = {
    "compare": compare, "compare-runs": compare_runs,
}  # fmt: skip
