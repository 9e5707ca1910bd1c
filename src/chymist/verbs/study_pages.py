"""Pages of studies, from their plain values: memory and folder give the same page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from chymist.engine.files import write_file
from chymist.engine.stored import checked
from chymist.errors import InputError
from chymist.evidence.optimizer_races import Race, Racer
from chymist.evidence.searches import Influence, Search, Trial
from chymist.evidence.studies import (
    AxisRecord,
    ComparisonRecord,
    CrossValidationRecord,
    PopulationRecord,
    RaceRecord,
    RacerRecord,
    RunPairRecord,
    SearchRecord,
    TrialRecord,
    numbers,
)
from chymist.reports.about_comparison import comparison_html
from chymist.reports.about_folds import cross_validation_html, population_html
from chymist.reports.about_race import race_html
from chymist.reports.about_runs import runs_html
from chymist.reports.about_search import search_html
from chymist.reports.notebook import glance
from chymist.space import Axis, Choice, Range, parse
from chymist.values import Recipe
from chymist.verbs.histories import Curves
from chymist.verbs.study_records import record_of
from chymist.verbs.study_scripts import (
    comparison_script,
    cross_validation_script,
    population_script,
    race_script,
    runs_script,
    search_script,
)

PAGE = "report.html"
NO_CURVE = np.zeros((0, 2))
T = TypeVar("T")
Plain = Mapping[str, Any]


def write_page(folder: Path, page: str) -> Path:
    """Write a report into the folder of a study; returns its path."""
    path = folder / PAGE
    write_file(path, page.encode())
    return path


def comparison_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:  # fmt: skip
    """The report of a comparison.

    Args:
        plain: its plain values, as in `comparison.json`.
        curves: recorded series of its trainings.
        lang: "en" or "zh".
        file: that they were read from; None is memory.

    Raises:
        InputError: the file holds something else.
    """
    found = _told(plain, ComparisonRecord, file)
    return comparison_html(found, curves, comparison_script(found), lang)


def cross_validation_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:
    """The report of a cross-validation; arguments as for `comparison_page`."""
    found = _told(plain, CrossValidationRecord, file)
    return cross_validation_html(found, curves, cross_validation_script(found), lang)


def population_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:  # fmt: skip
    """The report of a population; arguments as for `comparison_page`."""
    found = _told(plain, PopulationRecord, file)
    if found.state:
        raise InputError("the population has not ended", where=str(file or ""),
                         received=found.state,
                         do="its report is written when it has; the studio shows it before",
                         )  # fmt: skip
    return population_html(found, curves, population_script(found), lang)


def runs_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:  # fmt: skip
    """The report of a comparison of two runs; arguments as for `comparison_page`."""
    found = _told(plain, RunPairRecord, file)
    return runs_html(found, curves, runs_script(found), lang)


def search_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:  # fmt: skip
    """The report of a search; arguments as for `comparison_page`."""
    told = _told(plain, SearchRecord, file)
    axes = {name: _axis(one) for name, one in told.axes.items()}
    trials = tuple(_trial(one, curves) for one in told.rows)
    for name, text in told.space.items():  # of a folder from before axes were kept
        known = parse(text, True, name)
        tried = Choice(tuple(dict.fromkeys(one.point[name] for one in trials)))
        axes.setdefault(name, known if isinstance(known, Range) else tried)
    found = Search(
        told.verdict, Recipe.from_dict(told.best), told.score.score,
        told.nested.score if told.nested else None,
        trials, tuple(told.pairs),
        tuple(Influence(**one) for one in told.influence), told.surface, told.noise,
        tuple(told.outer), axes, told.sealed, told.facts,
    )  # fmt: skip
    script = search_script(told, axes) if told.facts.get("recipe") else ""
    return search_html(found, told.data, told.how, script, lang)


def race_page(
    plain: Plain, curves: Curves, lang: str = "en", file: Path | None = None
) -> str:  # fmt: skip
    """The report of a race; arguments as for `comparison_page`."""
    told = _told(plain, RaceRecord, file)
    racers = tuple(_racer(one, number, len(told.seeds), curves)
                   for number, one in enumerate(told.rows))  # fmt: skip
    found = Race(racers, told.verdict, tuple(told.pairs), tuple(told.seeds), told.recipe,
                 told.facts)  # fmt: skip
    return race_html(found, told.data, told.how, race_script(told), lang)


def _told(plain: Plain, kind: type[T], file: Path | None) -> T:
    """The record of a study."""
    return record_of(plain, kind) if file is None else checked(file, plain, kind)


def _axis(one: AxisRecord) -> Axis:
    """An axis of a search."""
    if one.values is not None:
        return Choice(tuple(map(_tuples, one.values)))
    return Range(one.low, one.high, one.log, one.whole)


def _tuples(value: Any) -> Any:
    """A value of a configuration: lists are tuples there."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _trial(one: TrialRecord, curves: Curves) -> Trial:
    """A configuration; its recipe, which the report does not name, is left out."""
    point = {name: _tuples(value) for name, value in one.values.items()}
    standing = {name: float(numbers([value])[0]) for name, value in one.standing.items()}
    return Trial(
        one.trial, point, Recipe(), one.score.score if one.score else None, numbers(one.fits),
        one.epochs, one.reached, one.reason, standing, curves.get(str(one.trial), NO_CURVE),
    )  # fmt: skip


def _racer(one: RacerRecord, number: int, seeds: int, curves: Curves) -> Racer:
    """A racer; what JSON could not hold diverged."""
    losses = np.array([numbers(row) for row in one.losses]).reshape(len(one.rates), seeds)
    losses[np.isnan(losses)] = np.inf
    scores = np.array([numbers(row) for row in one.scores]).reshape(-1, seeds)
    if len(scores) != len(losses):
        scores = np.full_like(losses, np.nan)
    paths = [curves.get(f"{number}/{at}") for at in range(len(one.rates))]
    length = max((path.shape[1] for path in paths if path is not None), default=0)
    whole = np.full((*losses.shape, length), np.nan)
    for at, path in enumerate(paths):
        if path is not None and path.shape[0] == seeds:
            whole[at, :, : path.shape[1]] = path
    return Racer(one.name, one.optimizer, np.array(one.rates), losses, scores, whole, one.metric,
                 one.uninformed)  # fmt: skip


Search.views["html"] = lambda found: glance(search_page(found.to_dict(), found.curves))
Race.views["html"] = lambda found: glance(race_page(found.to_dict(), found.curves))
