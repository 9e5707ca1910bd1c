"""`race`: optimisers at many rates and with many seeds, trained as populations and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chymist.engine.assembly import HEADLINE
from chymist.engine.defaults import one_of_several
from chymist.engine.folder import check_place, whole_folder, write_json
from chymist.engine.threads import Threads
from chymist.errors import UsageError
from chymist.evidence.optimizer_races import (
    Race,
    Racer,
    against_the_leader,
    in_order,
    race_verdict,
)
from chymist.losses import FORMS
from chymist.parts import Part, definition, part
from chymist.values import Data, Recipe, Split
from chymist.verbs.histories import write_curves
from chymist.verbs.jobs import Watcher
from chymist.verbs.populating import Population, fit_population, seeds_of
from chymist.verbs.sources import as_split
from chymist.verbs.study_origin import about, how_of
from chymist.verbs.study_pages import race_page, write_page

RACERS: Mapping[str, Part] = {
    "sgd": part("optimizer", "sgd"),
    "momentum": part("optimizer", "sgd", momentum=0.9),
    "nesterov": part("optimizer", "nesterov"),
    "adagrad": part("optimizer", "adagrad"),
    "rmsprop": part("optimizer", "rmsprop"),
    "adam": part("optimizer", "adam"),
    "bgd": part("optimizer", "bgd"),
}
RATES = tuple(float(f"{10 ** (n / 2 - 4):.2g}") for n in range(10))  # 1e-4 to 3.2, by half decades
COURSE = Recipe(
    model=part("model", "mlp", hidden=(64,)), batch_size=32, length="10 epochs",
    schedule="constant", stop="none",
)  # fmt: skip


def race(
    data: Data | Split,
    optimizers: Sequence[str] | Mapping[str, Part] = tuple(RACERS),
    rates: Sequence[float] = RATES,
    seeds: int | Sequence[int] = 5,
    *,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    threads: Threads = None,
    watcher: Watcher | None = None,
) -> Race:
    """Train every optimiser at every rate with every seed, and say which one leads.

    All members have the same rows, and those of one seed the same initial weights and order of
    rows. Each optimiser is a population, and each member is what `fit` gives. The best rate is the
    one with the lowest mean validation loss at the end; leader and rates are chosen on the
    validation rows, so the losses of the best are optimistic. Test rows stay sealed.

    Args:
        data: the rows; data is split with the defaults of `cy.split`.
        optimizers: names (sgd, momentum, nesterov, adagrad, rmsprop, adam, bgd, or any other that
            takes a rate), or by names of your own: parts, or names of these.
        rates: learning rates; ten from 1e-4 to 3.2 by default.
        seeds: their number (0, 1, ...), or the seeds themselves.
        recipe: what all have in common; by default a perceptron of 64 hidden units, batches of 32,
            10 epochs at a constant rate.
        out: folder for `race.json` and `report.html`; None writes nothing.
        threads: as in `fit`.
        watcher: called with the number of a member and each epoch of its training.

    Returns:
        A `Race`: best rate, loss with its interval over seeds, good rates and lost members of each
        optimiser, and a verdict in words.

    Raises:
        InputError: no validation rows, or as in `fit`.
        UsageError: an unknown optimiser, or one without a rate; no rates; one given twice.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> found = cy.race(split, ["sgd", "adam"], rates=[1e-3, 1e-1], seeds=3)
        >>> len(found.racers), found.racers[0].losses.shape
        (2, (2, 3))

    Source: in the spirit of Schmidt, Schneider, Hennig 2021, arXiv:2007.01547.
    """
    parts, steps = _parts(optimizers), _rates(rates)
    if out is not None:
        check_place(Path(out))
    numbers = seeds_of(seeds)
    _check_once(numbers, "seeds")
    split = as_split(data, numbers[0])
    if not len(split.valid):
        raise UsageError("a race is decided on validation rows, and there are none", where="data",
                         do="give some, as in cy.split(data, valid=0.2)")  # fmt: skip
    shared = _shared(recipe)
    recipes = [
        one_of_several(shared.replace(optimizer=one.replace(lr=rate)), split)
        for one in parts.values() for rate in steps
    ]  # fmt: skip
    made = fit_population(recipes, split, numbers, threads=threads, watcher=watcher)
    racers = in_order(_racers(parts, steps, made))
    pairs = against_the_leader(racers)
    members = tuple(job.job.seed for job in made.jobs[: len(made) // len(recipes)])
    facts = {
        **{name: made.facts[name] for name in ("executor", "reason", "seconds", "epochs")},
        "members": len(made), "data": split.data.name, "train": len(split.train),
        "valid": len(split.valid), "notes": _notes(racers, len(members)),
    }  # fmt: skip
    how = {**how_of(split, None, (), members[0]), "seeds": len(members)}
    found = Race(racers, race_verdict(racers, pairs), pairs, members, shared.to_dict(), facts, how)
    if out is not None:
        write_race(Path(out), found, split.data)
    return found


def write_race(out: Path, found: Race, data: Data) -> Path:
    """Write a race as a folder: race.json and report.html; returns the path of the report.

    Raises:
        InputError: the folder is taken or not writable.
    """
    plain = {**found.to_dict(), "data": about(data)}
    with whole_folder(out) as draft:
        write_json(draft / "race.json", plain)
        write_curves(draft, found.curves)
        write_page(draft, race_page(plain, found.curves))
    return out / "report.html"


def _parts(optimizers: Sequence[str] | Mapping[str, Part]) -> dict[str, Part]:
    """Optimisers by name; each has a rate.

    Raises:
        UsageError: one of them has none, or is unknown, or there are none.
    """
    if isinstance(optimizers, Mapping):
        found = {str(name): _optimizer(one) for name, one in optimizers.items()}
    else:
        _check_once(list(optimizers), "optimizers")
        found = {str(name): _optimizer(name) for name in optimizers}
    for name, one in found.items():
        if "lr" not in definition(one.kind, one.name).options:
            raise UsageError("a race is between optimisers that have a rate", where="optimizers",
                             received=f"'{name}'", do="leave it out")  # fmt: skip
    if not found:
        raise UsageError("a race needs optimisers", where="optimizers", received="none")
    return found


def _optimizer(given: Any) -> Part:
    """An optimiser, from a part or a name.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(given, str):
        return RACERS.get(given) or part("optimizer", given)
    if not isinstance(given, Part):
        raise UsageError("an optimiser is a name or a part", where="optimizers",
                         received=repr(given)[:60],
                         do="give 'adam', or cy.optim.adam()")  # fmt: skip
    return given


def _rates(rates: Sequence[float]) -> list[float]:
    """Positive rates, ascending.

    Raises:
        UsageError: there are none, or one is given twice.
    """
    try:
        found = sorted(float(rate) for rate in rates)
    except (TypeError, ValueError):
        raise UsageError("a race needs positive rates", where="rates",
                         received=repr(rates)[:60]) from None  # fmt: skip
    _check_once(found, "rates")
    if not found or not found[0] > 0 or not np.isfinite(found[-1]):
        raise UsageError("a race needs positive rates", where="rates", received=repr(rates)[:60])
    return found


def _check_once(given: Sequence[Any], where: str) -> None:
    """Refuse what is given twice: it would race against itself.

    Raises:
        UsageError: something is.
    """
    twice = [one for place, one in enumerate(given) if one in given[:place]]
    if twice:
        raise UsageError("given twice", where=where, received=repr(twice[0])[:60],
                         do="give each one once")  # fmt: skip


def _shared(recipe: Recipe | None) -> Recipe:
    """What all members have in common: what is given, else that of a short course.

    Raises:
        UsageError: an optimiser is given beside.
    """
    if recipe is None:
        return COURSE
    if recipe.optimizer is not None:
        raise UsageError("the optimiser is what races", where="recipe.optimizer",
                         received=str(recipe.optimizer), do="leave it out")  # fmt: skip
    given = {name: value for name, value in vars(recipe).items() if value is not None}
    return COURSE.replace(**given)


def _racers(parts: Mapping[str, Part], rates: Sequence[float], made: Population) -> list[Racer]:
    """The members of a population as racers, in the order in which they were made."""
    run = made.jobs[0].run
    initial = FORMS[run.recipe.loss.name].initial
    uninformed = initial(len(made.split.data.classes)) if initial else None
    metric = HEADLINE[made.split.data.task]
    series = [_series(made, number, metric) for number in range(len(made))]
    length = max(len(losses) for losses, _ in series)
    curves = np.array([[*losses, *[np.nan] * (length - len(losses))] for losses, _ in series])
    ends = [
        (losses[-1], values[-1])
        if number not in made.errors and np.isfinite(losses[-1]) else (np.inf, np.nan)
        for number, (losses, values) in enumerate(series)
    ]  # fmt: skip
    shape = (len(parts), len(rates), -1)
    ended, scores = (np.array(column).reshape(shape) for column in zip(*ends, strict=True))
    whole = curves.reshape(*shape, length)
    return [
        Racer(name, str(one), np.array(rates), losses, values, paths, metric, uninformed)
        for (name, one), losses, values, paths in zip(
            parts.items(), ended, scores, whole, strict=True
        )
    ]


def _series(made: Population, number: int, metric: str) -> tuple[list[float], list[float]]:
    """Validation loss and metric of a member after every epoch."""
    found = made.histories[number]
    losses, values = (
        [value for _, value in found.get(name, [])] for name in ("val_loss", f"val_{metric}")
    )
    return losses, values


def _notes(racers: Sequence[Racer], seeds: int) -> list[str]:
    """What a reader of the numbers needs to know."""
    notes = ["rates and leader are chosen by val_loss on these rows: their losses are optimistic"]
    edge = [one.name for one in racers if one.best is not None and one.at_end]
    if edge:
        notes.append(f"* the best rate of {', '.join(edge)} is at the end of those that were tried")
    if seeds < 2:
        notes.append("one seed has no spread: nothing can be told apart")
    elif len(racers) > 1:
        notes.append("the table's intervals are of each loss by itself; the verdict rests on the "
                     "differences, seed by seed, corrected for their number")  # fmt: skip
    return notes
