"""`forecast_comparison`: the same forecast of many series by networks that see different things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chymist import models
from chymist.data.arrays import check_finite, measured
from chymist.data.cells import to_numbers
from chymist.data.graph_files import read_graph
from chymist.data.graphs import graph_of
from chymist.data.load import existing
from chymist.data.named import road_series
from chymist.data.splits import split as make_split
from chymist.data.tables import read_table
from chymist.data.windows import windows_of
from chymist.engine.assembly import predictions_for
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError
from chymist.evidence import look
from chymist.evidence.forecast_rows import (
    EMPTY,
    FLOORS,
    PERMUTED,
    TRUE,
    ForecastComparison,
    ForecastRow,
)
from chymist.evidence.forecasts import (
    Errors,
    conformal_widths,
    errors_of,
    of_seeds,
    persistence,
    ridge_autoregression,
    rmse_interval,
    shared_autoregression,
)
from chymist.keys import generator
from chymist.parts import Part, part
from chymist.values import Data, Graph, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, train_jobs

SERIES = ("los_loop",)  # named sets of series
LOSSES = ("mse", "huber", "mae")


def default_forecasters() -> dict[str, Recipe]:
    """The course's comparison as recipes: DNN, CNN over time, RNN, GRU, and both with a graph.

    Example:
        >>> list(default_forecasters())
        ['DNN', 'CNN over time', 'RNN', 'GRU', 'GCN + DNN', 'GCN + GRU']
    """
    made = {
        "DNN": models.forecaster(), "CNN over time": models.forecaster(network="cnn", hidden=(16,)),
        "RNN": models.forecaster(network="rnn", hidden=(32,)),
        "GRU": models.forecaster(network="gru", hidden=(32,)),
        "GCN + DNN": models.forecaster(neighbors=True), "GCN + GRU": models.graph_gru(),
    }  # fmt: skip
    optimizer = part("optimizer", "adamw", lr=5e-3)
    return {name: Recipe(model=model, optimizer=optimizer, batch_size=32, length="8 epochs")
            for name, model in made.items()}  # fmt: skip


def forecast_comparison(
    source: str | Path | np.ndarray = "los_loop",
    graph: Graph | str | Path | None = None,
    *,
    recipes: Mapping[str, Recipe] | None = None,
    losses: Sequence[str | Part] = LOSSES,
    steps: int = 12,
    horizons: Sequence[int] = (3,),
    parts: tuple[float, float] = (0.7, 0.8),
    block: int = 24,
    level: float = 0.95,
    seeds: int = 3,
    seed: int = 0,
    threads: Threads = None,
) -> ForecastComparison:
    """Forecast the next steps of many series by several networks, beside their floors.

    Windows lie within a part of the time. Networks learn from the first part. What is chosen is
    chosen on the second, by the RMSE in the unit of the series: the loss of each network, with the
    first seed, then the network, by the mean over the seeds. The floors (last value, shared AR,
    ridge VAR) learn from both. Of the networks that read the graph, the one that validation prefers
    is trained again with a permuted and with an empty one. The test windows are looked at once a
    horizon, and the look is counted.

    Args:
        source: "los_loop"; path of a table of numbers, a column a series, a row a step; or values
            (time, series).
        graph: among the series, or the path of its edges or adjacency; a named set has its own.
        recipes: by name; None are `default_forecasters`, those with a graph if there is one.
        losses: of which each recipe that names none gets the one that validation chooses.
        steps: of a window.
        horizons: steps ahead; each is a comparison of its own.
        parts: where validation and test part begin, as shares of the time.
        block: windows of a block of time, for the intervals.
        level: of the intervals.
        seeds: how often each network is trained.
        seed: the first of them, and that of the permutation and of the bootstrap.
        threads: as in `fit`.

    Raises:
        InputError: values that are no series, or a part shorter than a window.
        UsageError: shares or horizons out of range, a recipe that needs a graph where none is.

    Source: Zhao et al. 2020, T-GCN, arXiv:1811.05320 (protocol of errors).
    """
    name, values, graph, unit = _read(source, graph)
    chosen = recipes or {n: r for n, r in default_forecasters().items()
                         if graph is not None or not reads_graph(r)}  # fmt: skip
    borders = _borders(len(values), parts, name)
    numbers = tuple(range(seed, seed + whole_number(seeds, "seeds", 1)))
    tried = [Recipe(loss=loss).loss for loss in losses]  # checked by name
    if not tried:
        raise UsageError("no loss is given", where="losses", do="name one at least")
    rows: list[ForecastRow] = []
    for horizon in horizons:
        ahead = whole_number(horizon, "horizons", 1)
        data = windows_of(values, steps=whole_number(steps, "steps", 2), ahead=ahead, parts=borders,
                          graph=graph, name=name, target=unit)  # fmt: skip
        rows += _Horizon(data, ahead, block, level, numbers).rows(chosen, tried, threads)
    return ForecastComparison(tuple(rows), level, block, numbers)


def _read(
    source: str | Path | np.ndarray, graph: Graph | str | Path | None
) -> tuple[str, np.ndarray, Graph | None, str]:
    """Name, values, graph and unit of a source."""
    name, own, unit, names = "series", None, "value", None
    if isinstance(source, np.ndarray):
        values = _series(source)
    elif str(source) in SERIES:
        values, own, unit = road_series(str(source))
        name = str(source)
    else:
        path = existing(source)
        cells = read_table(path)
        numbers = [to_numbers(np.array(column, object)) for column in cells.columns]
        if any(column is None for column in numbers):
            raise InputError("a table of series has numbers alone", where=path.name,
                             do="leave out columns of text and dates")  # fmt: skip
        values, name = _series(np.stack([c for c in numbers if c is not None], 1)), path.stem
        names = cells.names if cells.header else None
    if isinstance(graph, str | Path):
        graph = read_graph(existing(graph), values.shape[1], names)
    return name, values, graph or own, unit


def _series(values: Any) -> np.ndarray:
    """Values (time, series), finite."""
    made = np.asarray(values)
    if made.ndim != 2 or made.dtype.kind not in "iuf":
        raise InputError("series are numbers (time, series)", where="source",
                         received=f"shape {made.shape}, dtype {made.dtype}")  # fmt: skip
    check_finite(made, None)
    return measured(made)


def _borders(length: int, parts: tuple[float, float], name: str) -> tuple[int, ...]:
    """Where the parts begin in time, and the end; a named set ends as its published windows do."""
    first, second = parts
    if not 0 < first < second < 1:
        raise UsageError("no shares of the time", where="parts", received=str(parts),
                         do="give two ascending numbers between 0 and 1")  # fmt: skip
    return (0, round(length * first), int(length * second), length - (name == "los_loop"))


def reads_graph(recipe: Recipe) -> bool:
    """Whether a network of a recipe reads the graph."""
    model = recipe.model
    return model is not None and (
        model.name == "graph_gru" or bool(model.options.get("neighbors", False))
    )


class _Made(NamedTuple):
    """What a trained network forecasts: errors by part, and its conformal intervals on test."""

    valid: Errors
    test: Errors
    covered: float
    width: float


class _Horizon:
    """One horizon: its windows, and the errors of the floors on them."""

    def __init__(
        self, data: Data, ahead: int, block: int, level: float, seeds: tuple[int, ...]
    ) -> None:
        self.data, self.split, self.ahead = data, make_split(data), ahead
        self.block, self.level, self.seeds = block, level, seeds
        self.truth = self._shaped(data.targets[self.split.test])
        self.floors: dict[str, Errors] = {}

    def rows(
        self, recipes: Mapping[str, Recipe], losses: Sequence[Part], threads: Threads
    ) -> list[ForecastRow]:
        """All rows of the horizon; the network that validation chooses is marked."""
        look(self.data.fingerprint, self.split.test, f"forecast comparison, seed {self.seeds[0]}")
        self.floors = self._floors()
        found = [self._row(name, errors) for name, errors in self.floors.items()]
        graph = {name: TRUE if reads_graph(recipe) else "" for name, recipe in recipes.items()}
        chosen, tried, first = self._losses(recipes, losses, graph, threads)
        rest = [(chosen[name], graph[name], seed) for name in recipes for seed in self.seeds[1:]]
        made, more = {}, iter(self._trained(rest, threads))
        for name in recipes:
            made[name] = [first[name], *(next(more) for _ in self.seeds[1:])]
            found.append(self._network(name, graph[name], chosen[name], made[name], tried[name]))
        networks = found[len(self.floors) :]
        best = min(networks, key=_on_validation)
        found = [replace(row, chosen=row is best) for row in found]
        readers = [row for row in networks if row.graph]
        if readers:
            name = min(readers, key=_on_validation).model
            found = self._without(found, name, chosen[name], made[name], threads)
        return found

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        """(windows, ahead x series) as (windows, ahead, series)."""
        return values.reshape(len(values), self.ahead, -1)

    def _floors(self) -> dict[str, Errors]:
        """Errors of the floors, which learn from training and validation windows."""
        data, split = self.data, self.split
        known = np.concatenate([split.train, split.valid])
        x, y, new = data.take(known), self._shaped(data.targets[known]), data.take(split.test)
        assert isinstance(x, np.ndarray)
        assert isinstance(new, np.ndarray)
        made = (persistence(new, self.ahead), shared_autoregression(x, y, new),
                ridge_autoregression(x, y, new))  # fmt: skip
        return {n: errors_of(m, self.truth) for n, m in zip(FLOORS, made, strict=True)}

    def _losses(
        self, recipes: Mapping[str, Recipe], losses: Sequence[Part], graph: Mapping[str, str],
        threads: Threads,
    ) -> tuple[dict[str, Recipe], dict[str, dict[str, float]], dict[str, _Made]]:  # fmt: skip
        """Each recipe with the loss of the least validation error, with the first seed."""
        cases = [
            (name, recipe if recipe.loss is not None else recipe.replace(loss=loss))
            for name, recipe in recipes.items()
            for loss in (losses if recipe.loss is None else losses[:1])
        ]
        jobs = [(recipe, graph[name], self.seeds[0]) for name, recipe in cases]
        chosen: dict[str, Recipe] = {}
        tried: dict[str, dict[str, float]] = {name: {} for name in recipes}
        first: dict[str, _Made] = {}
        for (name, recipe), made in zip(cases, self._trained(jobs, threads), strict=True):
            tried[name][str(recipe.loss)] = made.valid.rmse
            if name not in first or made.valid.rmse < first[name].valid.rmse:
                chosen[name], first[name] = recipe, made
        return chosen, tried, first

    def _trained(
        self, cases: Sequence[tuple[Recipe, str, int]], threads: Threads
    ) -> Iterator[_Made]:
        """Recipes, the graph that each is to read, and its seed, to what came of them."""
        on = {kind: self._on(kind) for kind in dict.fromkeys(kind for _, kind, _ in cases)}
        jobs = [Job(recipe, on[kind], seed) for recipe, kind, seed in cases]
        for made in train_jobs(jobs, threads):
            if made.error is not None:
                raise made.error
            valid = predictions_for(made.run, made.job.split, "valid")
            known = self._shaped(valid.outputs), self._shaped(valid.targets)
            forecast = self._shaped(made.predictions().outputs)
            widths = conformal_widths(*known, self.level)
            inside = np.abs(forecast - self.truth) <= widths
            yield _Made(errors_of(*known), errors_of(forecast, self.truth), float(inside.mean()),
                        float(2 * widths.mean()))  # fmt: skip

    def _without(
        self, found: Sequence[ForecastRow], name: str, recipe: Recipe, made: Sequence[_Made],
        threads: Threads,
    ) -> list[ForecastRow]:  # fmt: skip
        """The rows with those of a network on a permuted and on an empty graph behind its own."""
        kinds = (PERMUTED, EMPTY)
        cases = [(recipe, kind, seed) for kind in kinds for seed in self.seeds]
        others = list(self._trained(cases, threads))
        parts = {kind: others[n * len(self.seeds) :][: len(self.seeds)]
                 for n, kind in enumerate(kinds)}  # fmt: skip
        above = self._above(_tested(made), _tested(parts[EMPTY]))
        rows: list[ForecastRow] = []
        for row in found:
            own = row.model == name
            rows.append(replace(row, against_empty=above) if own else row)
            rows += [self._network(name, kind, recipe, parts[kind], {}) for kind in kinds if own]
        return rows

    def _on(self, kind: str) -> Split:
        """The windows with the graph as it is, with its nodes exchanged, or without edges."""
        graph = self.data.graph
        if not kind:
            return self.split
        if graph is None:
            raise UsageError("a recipe reads a graph, and there is none", where="recipes",
                             do="give graph=")  # fmt: skip
        if kind == TRUE:
            return self.split
        if kind == EMPTY:
            other = graph_of(graph.nodes, [])
        else:
            moved = generator(self.seeds[0], "permutation").permutation(graph.nodes)
            other = graph_of(graph.nodes, moved[graph.edges], graph.weights, both_ways=False)
        return replace(self.split, data=replace(self.data, graph=other))

    def _network(
        self, name: str, kind: str, recipe: Recipe, made: Sequence[_Made],
        tried: Mapping[str, float],
    ) -> ForecastRow:  # fmt: skip
        """What a network made with each seed as a row."""
        errors, valid = _tested(made), of_seeds([one.valid for one in made])
        return replace(
            self._row(name, errors), graph=kind, loss=str(recipe.loss), tried=tried,
            by_seed=tuple(errors.by_seed.tolist()), valid_rmse=valid.rmse,
            covered=float(np.mean([m.covered for m in made])),
            width=float(np.mean([m.width for m in made])),
        )  # fmt: skip

    def _row(self, name: str, errors: Errors) -> ForecastRow:
        """A forecast as a row."""
        low, high = rmse_interval(errors, None, self.block, self.seeds[0], self.level)
        against = {n: self._above(errors, floor) for n, floor in self.floors.items() if n != name}
        return ForecastRow(name, "", self.ahead, errors.rmse, errors.mae, low, high, against)

    def _above(self, errors: Errors, other: Errors) -> tuple[float, float, float]:
        """How much an RMSE is above another, with its interval."""
        ends = rmse_interval(errors, other, self.block, self.seeds[0], self.level)
        return errors.rmse - other.rmse, *ends


def _tested(made: Sequence[_Made]) -> Errors:
    """Errors of all seeds on the test windows."""
    return of_seeds([one.test for one in made])


def _on_validation(row: ForecastRow) -> float:
    """RMSE on the validation windows."""
    return np.inf if row.valid_rmse is None else row.valid_rmse
