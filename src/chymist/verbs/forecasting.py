"""`forecast_comparison`: the same forecast of many series by networks that see different things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist import models
from chymist.data.arrays import check_finite
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
from chymist.evidence.forecasts import (
    Errors,
    conformal_widths,
    errors_of,
    persistence,
    ridge_autoregression,
    rmse_interval,
    shared_autoregression,
)
from chymist.keys import generator
from chymist.parts import part
from chymist.values import Data, Graph, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, train_jobs

SERIES = ("los_loop",)  # named sets of series
FLOORS = ("persistence", "shared AR", "ridge VAR")
EMPTY, PERMUTED, TRUE = "empty", "permuted", "true"


@dataclass(frozen=True)
class ForecastRow:
    """One forecast on the test windows of one horizon, in the unit of the series.

    Args:
        model: its name.
        graph: "true", "permuted" or "empty"; "" where it reads no graph.
        ahead: steps that are forecast; errors are pooled over all of them and all series.
        rmse, mae: on the test windows.
        low, high: interval of the RMSE over blocks of time.
        valid_rmse: on the validation windows; None for floors.
        against_ar: RMSE less that of the shared AR, with its interval: value, low, high.
        against_empty: RMSE less that of the same model with an empty graph, or None.
        covered, width: share of test values within the conformal intervals, and the mean width of
            these; None for floors.
        chosen: whether it is the network with the least validation RMSE of the horizon.
    """

    model: str
    graph: str
    ahead: int
    rmse: float
    mae: float
    low: float
    high: float
    valid_rmse: float | None = None
    against_ar: tuple[float, float, float] | None = None
    against_empty: tuple[float, float, float] | None = None
    covered: float | None = None
    width: float | None = None
    chosen: bool = False

    @property
    def loses(self) -> bool:
        """Whether it is above the shared AR, and the interval of the difference leaves out 0."""
        return self.against_ar is not None and self.against_ar[1] > 0


@dataclass(frozen=True, eq=False)
class ForecastComparison:
    """Forecasts beside their floors, by horizon.

    Args:
        rows: floors first, then networks, by horizon.
        verdicts: sentences: what was chosen on validation, what loses to the floors, and what the
            graph gives.
        level: of all intervals.
        block: windows of a block of time.
    """

    rows: tuple[ForecastRow, ...]
    verdicts: tuple[str, ...]
    level: float
    block: int

    def chosen(self, ahead: int) -> ForecastRow:
        """The network that has the least RMSE on the validation windows of a horizon."""
        return next(row for row in self.rows if row.ahead == ahead and row.chosen)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        rows = [{**vars(row), "loses": row.loses} for row in self.rows]
        return {"verdicts": list(self.verdicts), "rows": rows, "level": self.level,
                "block": self.block}  # fmt: skip

    def __repr__(self) -> str:
        lines = [f"{'ahead':>5} {'model':<22} {'graph':<9} {'rmse':>7} {'mae':>7}  interval"]
        for row in self.rows:
            mark = " *" if row.chosen else ""
            lines.append(f"{row.ahead:>5} {row.model:<22} {row.graph:<9} {row.rmse:7.3f} "
                         f"{row.mae:7.3f}  {row.low:.3f} to {row.high:.3f}{mark}")  # fmt: skip
        return "\n".join([*lines, *self.verdicts])


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
    loss, optimizer = part("loss", "huber", delta=1.0), part("optimizer", "adamw", lr=5e-3)
    return {name: Recipe(model=model, loss=loss, optimizer=optimizer, batch_size=32,
                         length="8 epochs") for name, model in made.items()}  # fmt: skip


def forecast_comparison(
    source: str | Path | np.ndarray = "los_loop",
    graph: Graph | str | Path | None = None,
    *,
    recipes: Mapping[str, Recipe] | None = None,
    steps: int = 12,
    horizons: Sequence[int] = (3,),
    parts: tuple[float, float] = (0.7, 0.8),
    block: int = 24,
    level: float = 0.95,
    seed: int = 0,
    threads: Threads = None,
) -> ForecastComparison:
    """Forecast the next steps of many series by several networks, beside their floors.

    Windows lie within a part of the time. Networks learn from the first part and are chosen on the
    second; the floors (last value, shared AR, ridge VAR) learn from both. A network that reads the
    graph is trained again with a permuted and with an empty one. The test windows are looked at
    once a horizon, and the look is counted.

    Args:
        source: "los_loop"; path of a table of numbers, a column a series, a row a step; or values
            (time, series).
        graph: among the series, or the path of its edges or adjacency; a named set has its own.
        recipes: by name; None are `default_forecasters`, those with a graph if there is one.
        steps: of a window.
        horizons: steps ahead; each is a comparison of its own.
        parts: where validation and test part begin, as shares of the time.
        block: windows of a block of time, for the intervals.
        level: of the intervals.
        seed: of the networks, of the permutation and of the bootstrap.
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
    rows: list[ForecastRow] = []
    for horizon in horizons:
        ahead = whole_number(horizon, "horizons", 1)
        data = windows_of(values, steps=whole_number(steps, "steps", 2), ahead=ahead, parts=borders,
                          graph=graph, name=name, target=unit)  # fmt: skip
        rows += _Horizon(data, ahead, block, level, seed).rows(chosen, threads)
    return ForecastComparison(tuple(rows), tuple(_verdicts(rows)), level, block)


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
    return made.astype(np.float32)


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


class _Horizon:
    """One horizon: its windows, and the errors of the shared AR on them."""

    def __init__(self, data: Data, ahead: int, block: int, level: float, seed: int) -> None:
        self.data, self.split, self.ahead = data, make_split(data), ahead
        self.block, self.level, self.seed = block, level, seed
        self.truth = self._shaped(data.targets[self.split.test])

    def rows(self, recipes: Mapping[str, Recipe], threads: Threads) -> list[ForecastRow]:
        """All rows of the horizon; the network that validation chooses is marked."""
        look(self.data.fingerprint, self.split.test, f"forecast comparison, seed {self.seed}")
        floors = self._floors()
        base = floors["shared AR"]
        found = [self._row(name, "", errors, base) for name, errors in floors.items()]
        networks = self._networks(recipes, base, threads)
        best = min((row for row in networks if row.graph in ("", TRUE)),
                   key=lambda row: row.valid_rmse or np.inf)  # fmt: skip
        return [*found, *(replace(row, chosen=row is best) for row in networks)]

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

    def _networks(
        self, recipes: Mapping[str, Recipe], base: Errors, threads: Threads
    ) -> list[ForecastRow]:
        """Every network, with each graph that it is to read."""
        kinds = {name: (TRUE, PERMUTED, EMPTY) if reads_graph(recipe) else ("",)
                 for name, recipe in recipes.items()}  # fmt: skip
        cases = [(name, kind, recipe) for name, recipe in recipes.items() for kind in kinds[name]]
        jobs = [Job(recipe, self._on(kind), self.seed) for _, kind, recipe in cases]
        found, errors = [], {}
        for (name, kind, _), made in zip(cases, train_jobs(jobs, threads), strict=True):
            if made.error is not None:
                raise made.error
            forecast = self._shaped(made.predictions().outputs)
            valid = predictions_for(made.run, made.job.split, "valid")
            checked = self._shaped(valid.outputs), self._shaped(valid.targets)
            errors[name, kind] = errors_of(forecast, self.truth)
            widths = conformal_widths(*checked, self.level)
            inside = np.abs(forecast - self.truth) <= widths
            row = self._row(name, kind, errors[name, kind], base)
            found.append(replace(
                row, valid_rmse=errors_of(*checked).rmse, covered=float(inside.mean()),
                width=float(2 * widths.mean()),
            ))  # fmt: skip
        for place, row in enumerate(found):
            if row.graph == TRUE:
                above = self._above(errors[row.model, TRUE], errors[row.model, EMPTY])
                found[place] = replace(row, against_empty=above)
        return found

    def _on(self, kind: str) -> Split:
        """The windows with the graph as it is, with its nodes exchanged, or without edges."""
        graph = self.data.graph
        if kind in ("", TRUE):
            return self.split
        if graph is None:
            raise UsageError("a recipe reads a graph, and there is none", where="recipes",
                             do="give graph=")  # fmt: skip
        if kind == EMPTY:
            other = graph_of(graph.nodes, [])
        else:
            moved = generator(self.seed, "permutation").permutation(graph.nodes)
            other = graph_of(graph.nodes, moved[graph.edges], graph.weights, both_ways=False)
        return replace(self.split, data=replace(self.data, graph=other))

    def _row(self, name: str, kind: str, errors: Errors, base: Errors) -> ForecastRow:
        """A forecast as a row."""
        low, high = rmse_interval(errors, None, self.block, self.seed, self.level)
        above = None if errors is base else self._above(errors, base)
        return ForecastRow(name, kind, self.ahead, errors.rmse, errors.mae, low, high,
                           against_ar=above)  # fmt: skip

    def _above(self, errors: Errors, other: Errors) -> tuple[float, float, float]:
        """How much an RMSE is above another, with its interval."""
        ends = rmse_interval(errors, other, self.block, self.seed, self.level)
        return errors.rmse - other.rmse, *ends


def _verdicts(rows: Sequence[ForecastRow]) -> list[str]:
    """What the rows say, in sentences."""
    said = []
    for row in rows:
        when = f"{row.ahead} steps: "
        if row.chosen and row.against_ar is not None:
            word = _word(row.against_ar, "below", "above", "not to be told from")
            said.append(f"{when}'{row.model}' is chosen on validation; its RMSE {row.rmse:.3f} is "
                        f"{word} shared AR {_spread(row.against_ar)}")  # fmt: skip
        if row.loses and row.model not in FLOORS and row.graph in ("", TRUE):
            said.append(f"{when}'{row.model}' loses to shared AR {_spread(row.against_ar)}")
        if row.against_empty is not None:
            word = _word(row.against_empty, "helps", "harms", "cannot be told to help")
            said.append(f"{when}the graph {word} '{row.model}': RMSE against its own empty graph "
                        f"{_spread(row.against_empty)}")  # fmt: skip
    return said


def _word(difference: tuple[float, float, float], less: str, more: str, unknown: str) -> str:
    """What an interval of a difference says."""
    _, low, high = difference
    return less if high < 0 else more if low > 0 else unknown


def _spread(difference: tuple[float, float, float] | None) -> str:
    value, low, high = difference or (0.0, 0.0, 0.0)
    return f"({value:+.3f}, {low:+.3f} to {high:+.3f})"
