"""`permutation_importance` and `partial_dependence`: what columns are worth to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from chymist.data.features import Feature, as_numbers, as_texts
from chymist.engine.assembly import HEADLINE, forward
from chymist.engine.rows import EVALUATION_BATCH, as_inputs
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import score
from chymist.evidence.intervals import Statistic
from chymist.evidence.scores import row_moments
from chymist.explanation.columns import (
    Drop,
    alike_pairs,
    dependence,
    drop,
    mean_band,
    number_grid,
    shuffles,
)
from chymist.keys import generator
from chymist.losses import FORMS
from chymist.metrics import find
from chymist.reports.columns import dependence_chart, dependence_map, importance_chart
from chymist.reports.markup import Markup
from chymist.reports.text import table
from chymist.values import Data, Predictions, Run, Score, whole_number
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.writing import save_drawing

Part = Literal["valid", "train"]
MOST_CALLS = 10_000  # shuffles of a column, values of one
CATEGORIES = 20  # of a column that are asked, the most frequent ones
NOISE = "cannot tell"  # from noise


@dataclass(frozen=True, eq=False)
class PermutationImportance:
    """What each column is worth to a run: what the score loses when its cells are shuffled.

    Args:
        score: of the run on the same rows, as they are.
        drops: of the headline metric, by column or group of columns, the largest first.
        losses: rise of the mean loss, likewise.
        repeats: shuffles of each.
        alike: pairs of columns that go together strongly, with their association.
    """

    score: Score
    drops: Mapping[str, Drop]
    losses: Mapping[str, Drop]
    repeats: int
    alike: tuple[tuple[str, str, float], ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What shuffling single columns cannot show here, in sentences."""
        return tuple(
            f"'{a}' and '{b}' go together ({value:.2f}): shuffling one makes rows that do not "
            "exist, and the other stands in for it; shuffle both as a group "
            f"(--columns '{a}+{b}')"
            for a, b, value in self.alike
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows of a table."""
        metric = self.score.metric
        unit = ", points" if metric == "accuracy" else ""
        heads = ["column", f"{metric} lost{unit}", "noise", "loss rises", "from noise"]
        rows = []
        for name, found in self.drops.items():
            rise = self.losses[name]
            told = found.told or rise.told
            rows.append([name, _interval(metric, found), f"< {_bare(metric, found.floor)}",
                         _interval("loss", rise), "told" if told else NOISE])  # fmt: skip
        return heads, rows

    def svg(self) -> Markup:
        """Drops with their intervals and floors."""
        rows = [(n, d.value, d.low, d.high, d.floor) for n, d in self.drops.items()]
        metric = self.score.metric
        return importance_chart(
            f"What {metric} loses when a column is shuffled; {self.score}", rows,
            f"{metric} lost when the column is shuffled", lambda v: _points(metric, v),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        columns = []
        for name, found in self.drops.items():
            rise = self.losses[name]
            columns.append({"column": name, "drop": _plain(found), "loss": _plain(rise),
                            "told_from_noise": found.told or rise.told})  # fmt: skip
        pairs = [{"columns": [a, b], "association": value} for a, b, value in self.alike]
        return {"score": self.score.to_dict(), "repeats": self.repeats, "columns": columns,
                "alike": pairs, "warnings": list(self.warnings)}  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        heads, rows = self.table()
        said = [f"shuffled {self.repeats} times each; {self.score}", *self.warnings]
        return "\n".join([table(rows, heads, 110), *said])


def permutation_importance(
    run: Run | str | Path, columns: Sequence[str | Sequence[str]] | None = None, *,
    repeats: int = 20, seed: int = 0, split: Part = "valid", model: Any = None,
    data: Data | None = None,
) -> PermutationImportance:  # fmt: skip
    """How much worse a run does when the cells of a column are dealt out anew among the rows.

    The model is not trained again: a column that it does not use is worth nothing to it, and of
    two columns that say the same either may stand in for the other.

    Args:
        run: a run on a table, or its folder.
        columns: names of columns, and tuples of names that are shuffled together; None is each by
            itself.
        repeats: shuffles of each.
        seed: of the shuffles.
        split: whose rows: "valid" or "train".
        model: the user's own module or factory, if the run was made with one and is read from its
            folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        A `PermutationImportance`; intervals are over rows and shuffles, for each column by itself.

    Raises:
        InputError: there are no such rows.
        UsageError: the run is not on a table, an unknown column, or a number out of range.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 epochs"), cy.load("iris"))
        >>> next(iter(permutation_importance(run, repeats=5).drops))
        'petal width (cm)'

    Source: Breiman 2001, Random forests; Fisher, Rudin, Dominici 2019, arXiv:1801.01489.
    """
    repeats = whole_number(repeats, "repeats", 2, MOST_CALLS)
    table_ = _rows_of(run, split, model, data)
    if len(table_.rows) < 2:
        raise InputError(f"there is one {split} row, and nothing to shuffle it with",
                         where=table_.data.name,
                         do="fit with --valid 0.2, or look at the training rows")  # fmt: skip
    groups = _groups(columns, table_.features)
    metric = HEADLINE[table_.data.task]
    ways = {metric: _signed(metric, table_), "loss": _minus_mean}
    base = _per_row(table_, table_.prepared, metric)
    of_rows = table_.groups
    found: dict[str, dict[str, Drop]] = {name: {} for name in ways}
    for called, names in groups.items():
        orders = shuffles(len(table_.rows), repeats, seed, called)
        made = [_per_row(table_, _dealt(table_, names, order), metric) for order in orders]
        for name, statistic in ways.items():
            values = np.stack([one[name] for one in made])
            found[name][called] = drop(base[name], values, orders, statistic, of_rows)
    drops, rises = found[metric], found["loss"]
    order_ = sorted(drops, key=lambda name: (-drops[name].value, -rises[name].value))
    whole = score(_predictions(table_, _answers(table_, table_.prepared)), metric, split,
                  table_.predictor.monitor if split == "valid" else None)  # fmt: skip
    pairs = _pairs(table_, groups)
    return PermutationImportance(whole, {n: drops[n] for n in order_},
                                 {n: rises[n] for n in order_}, repeats, tuple(pairs))  # fmt: skip


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """What a run answers on average, were a column (or two) of a given value in all rows.

    Args:
        columns: one name, or two.
        grids: the values that were put in, of each column: floats (days since 1970 for dates), or
            categories.
        answers: (points, rows, outputs), of two columns (points, points, rows, outputs):
            probabilities, or values in the unit of the target.
        outputs: names of the outputs: classes, or the target.
        target: place of the output that is shown.
        cells: what the rows have in the columns, for the rug: one array a column.
    """

    columns: tuple[str, ...]
    grids: tuple[np.ndarray, ...]
    answers: np.ndarray
    outputs: tuple[str, ...]
    target: int
    cells: tuple[np.ndarray, ...] = field(default=())

    @property
    def average(self) -> np.ndarray:
        """Mean over the rows, (points, outputs) or (points, points, outputs)."""
        mean: np.ndarray = self.answers.mean(-2)
        return mean

    @property
    def curves(self) -> np.ndarray:
        """One curve a row for the output that is shown, (points, rows)."""
        found: np.ndarray = self.answers[..., self.target]
        return found

    @property
    def title(self) -> str:
        """What is shown."""
        several = len(self.outputs) > 1
        return f"probability of {self.outputs[self.target]}" if several else self.outputs[0]

    def svg(self, centered: bool = False) -> Markup:
        """The mean, the curves of single rows (pale) and the rows along the axis; or a map.

        Args:
            centered: whether all curves begin at 0, so that only what the column changes is seen.
        """
        rows = self.answers.shape[-2]
        what = f"{self.title} over {' and '.join(self.columns)}, mean of {rows:,} rows"
        if len(self.columns) == 2:
            return dependence_map(what, self.columns, self.grids, self.curves.mean(-1), self.title)
        curves = self.curves - self.curves[:1] if centered else self.curves
        title = self.title + (", change from the left end" if centered else "")
        return dependence_chart(
            what, self.columns[0], self.grids[0], curves, mean_band(curves), self.cells[0], title
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "columns": list(self.columns), "grids": [grid.tolist() for grid in self.grids],
            "outputs": list(self.outputs), "shown": self.outputs[self.target],
            "average": self.average.tolist(), "rows": int(self.answers.shape[-2]),
        }  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        mean = self.average[..., self.target]
        where = "; ".join(
            f"{name} from {_short(grid[0])} to {_short(grid[-1])}"
            for name, grid in zip(self.columns, self.grids, strict=True)
        )
        return (f"{self.title} is {mean.min():.4g} to {mean.max():.4g} on average of "
                f"{self.answers.shape[-2]:,} rows; {where}")  # fmt: skip


def partial_dependence(
    run: Run | str | Path, columns: str | Sequence[str], *, target: str | None = None,
    rows: int = 300, points: int | None = None, seed: int = 0, split: Part = "valid",
    model: Any = None, data: Data | None = None,
) -> PartialDependence:  # fmt: skip
    """What a run answers when a column is set to one value after the other in all rows.

    f(v) = mean_i model(row i with v in the column): the partial dependence; the curve of a single
    row is its individual conditional expectation. Values lie between the 5 and 95 % quantiles.
    Columns that go together make rows that do not exist: see `permutation_importance`.

    Args:
        run: a run on a table, or its folder.
        columns: name of a column, or of two, of which a map is made.
        target: class whose probability is shown; None is the one that the column changes most.
        rows: how many are asked at most, drawn at random.
        points: values of a column of numbers at most; None is 50, or 20 of two columns.
        seed: of the draw.
        split: whose rows: "valid" or "train".
        model, data: as in `permutation_importance`.

    Returns:
        A `PartialDependence`.

    Raises:
        InputError: there are no such rows, or the column hardly varies.
        UsageError: the run is not on a table, an unknown column or class, or a number out of range.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 epochs"), cy.load("iris"))
        >>> partial_dependence(run, "petal width (cm)", target="virginica").average.shape
        (13, 3)

    Source: Friedman 2001, Greedy function approximation; Goldstein et al. 2015, arXiv:1309.6392.
    """
    rows = whole_number(rows, "rows", 1)
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    most = 50 if len(names) == 1 else 20
    most = most if points is None else whole_number(points, "points", 2, MOST_CALLS)
    table_ = _rows_of(run, split, model, data, (rows, seed))
    if len(set(names)) != len(names) or len(names) not in (1, 2):
        raise UsageError("one column, or two different ones", where="columns",
                         received=", ".join(names) or "none", do="name one or two")  # fmt: skip
    for name in names:
        _known(name, table_.features)
    features = [table_.features[name][0] for name in names]
    cells = tuple(_cells(feature, table_) for feature in features)
    grids = tuple(_grid(f, c, most) for f, c in zip(features, cells, strict=True))
    asked = [_written(f, grid) for f, grid in zip(features, grids, strict=True)]
    blocks = [table_.features[name][1] for name in names]
    made = dependence(lambda matrix: _read(table_, _answers(table_, matrix)), table_.prepared,
                      blocks, asked)  # fmt: skip
    outputs = table_.data.classes or (table_.data.target,)
    if len(outputs) != made.shape[-1]:
        outputs = tuple(f"{table_.data.target} {n + 1}" for n in range(made.shape[-1]))
    return PartialDependence(names, grids, made, outputs, _shown(made, outputs, target), cells)


class _Table(NamedTuple):
    """Rows of a run on a table, prepared, and the features of each column."""

    predictor: Predictor
    data: Data
    rows: np.ndarray
    prepared: np.ndarray
    features: Mapping[str, tuple[Feature, slice]]
    groups: np.ndarray | None


def _rows_of(
    run: Run | str | Path, part: str, model: Any, data: Data | None, some: tuple[int, int] = (0, 0)
) -> _Table:
    """Rows of a part of a run, all or some drawn ones."""
    if part not in get_args(Part):
        raise UsageError("no such rows", where="split", received=repr(part),
                         do=nearest(str(part), get_args(Part)))  # fmt: skip
    _, split, predictor = opened(run, model, data)
    preparation, rows = predictor.preparation, split.rows(part)
    if preparation.kind not in ("table", "array") or not preparation.features:
        raise UsageError("only tables have columns", where="run",
                         received=f"data of kind '{preparation.kind}'",
                         do="use explain, which shows what fits the data")  # fmt: skip
    if not len(rows):
        raise InputError(f"the run has no {part} rows", where=split.data.name,
                         do="fit with --valid 0.2, or look at the training rows")  # fmt: skip
    if 0 < some[0] < len(rows):
        rows = np.sort(generator(some[1], "rows").choice(rows, some[0], replace=False))
    features, at = {}, 0
    for feature in preparation.features:
        features[feature.name] = feature, slice(at, at + feature.width)
        at += feature.width
    prepared = preparation.inputs(split.data.take(rows), predictor.exact)
    return _Table(predictor, split.data, rows, prepared, features, split.groups_of(rows))


def _answers(table_: _Table, matrix: np.ndarray) -> torch.Tensor:
    """What the module gives for prepared rows."""
    predictor = table_.predictor
    return forward(predictor.module, as_inputs(matrix, predictor.dtype).split(EVALUATION_BATCH))


def _read(table_: _Table, made: torch.Tensor) -> np.ndarray:
    """Outputs as probabilities, or values in the unit of the target, (rows, outputs)."""
    predictor = table_.predictor
    form = FORMS[predictor.recipe.loss.name]
    outputs: np.ndarray = form.predictions(made).double().cpu().numpy().reshape(len(made), -1)
    found: np.ndarray = predictor.preparation.outputs(outputs)
    return found if form.task == "regression" else outputs


def _predictions(table_: _Table, made: torch.Tensor) -> Predictions:
    truth, outputs = table_.data.targets[table_.rows], _read(table_, made)
    single = table_.data.task == "regression" and truth.ndim == 1
    return Predictions(table_.rows, truth, outputs[:, 0] if single else outputs, table_.groups,
                       table_.predictor.estimated)  # fmt: skip


def _per_row(table_: _Table, matrix: np.ndarray, metric: str) -> dict[str, np.ndarray]:
    """Numbers of each row whose means give the headline metric, and its loss."""
    made, predictor = _answers(table_, matrix), table_.predictor
    form = FORMS[predictor.recipe.loss.name]
    goals = predictor.preparation.targets(table_.data.targets[table_.rows], predictor.exact)
    loss = predictor.recipe.loss.bind()
    with torch.no_grad():
        each = loss(made, form.targets(torch.from_numpy(goals)).to(made.device), reduction="none")
    columns, _ = row_moments(_predictions(table_, made), metric)
    return {metric: columns, "loss": each.double().cpu().numpy().reshape(len(made), -1)}


def _signed(metric: str, table_: _Table) -> Statistic:
    """The metric as a function of means, more being better."""
    statistic = row_moments(_predictions(table_, _answers(table_, table_.prepared)), metric)[1]
    return statistic if find(metric).greater_is_better else lambda means: -statistic(means)


def _minus_mean(means: np.ndarray) -> np.ndarray:
    return np.asarray(-means.mean(-1))


def _dealt(table_: _Table, names: Sequence[str], order: np.ndarray) -> np.ndarray:
    """Prepared rows in which some columns hold the cells of other rows, together."""
    matrix = table_.prepared.copy()
    for name in names:
        block = table_.features[name][1]
        matrix[:, block] = table_.prepared[order, block]
    return matrix


def _known(name: str, features: Mapping[str, Any]) -> None:
    if name not in features:
        raise UsageError("the model has no such column", where="columns", received=f"'{name}'",
                         do=nearest(name, features))  # fmt: skip


def _groups(
    columns: Sequence[str | Sequence[str]] | None, features: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """What is shuffled, by what it is called."""
    wanted = list(features) if columns is None else columns
    wanted = [wanted] if isinstance(wanted, str) else wanted
    groups = {}
    for one in wanted:
        names = (one,) if isinstance(one, str) else tuple(one)
        for name in names:
            _known(name, features)
        groups[" + ".join(names)] = names
    if not groups or not all(groups.values()):
        raise UsageError("no column", where="columns", do="name some, or leave it out")
    return groups


def _cells(feature: Feature, table_: _Table) -> np.ndarray:
    """Cells of a column: numbers (dates as days), or texts."""
    raw = table_.data.take(table_.rows)
    cells = raw[:, feature.position] if isinstance(raw, np.ndarray) else raw[feature.name]
    if feature.kind == "category":
        return np.array(as_texts(cells), object)
    return as_numbers(cells, feature.kind, feature.name, feature.order)


def _pairs(table_: _Table, groups: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str, float]]:
    """Columns that go together strongly and are not shuffled together."""
    columns, kinds = {}, {}
    for name, (feature, _) in table_.features.items():
        category = feature.kind == "category"
        cells = _cells(feature, table_)
        if category:
            numbers = {text: n for n, text in enumerate(feature.categories)}
            cells = np.array([numbers.get(text, -1) for text in cells], float)
        columns[name], kinds[name] = cells, "category" if category else "number"
    asked = {name for names in groups.values() for name in names}
    return [
        (a, b, value)
        for a, b, value in alike_pairs(columns, kinds)
        if asked & {a, b} and not any({a, b} <= set(names) for names in groups.values())
    ]


def _grid(feature: Feature, cells: np.ndarray, points: int) -> np.ndarray:
    """The values at which a column is asked."""
    if feature.kind != "category":
        return number_grid(cells, points)
    counts = {name: int((cells == name).sum()) for name in feature.categories}
    kept = sorted(counts, key=lambda name: -counts[name])[:CATEGORIES]
    return np.array([name for name in feature.categories if name in kept], object)


def _written(feature: Feature, cells: np.ndarray) -> np.ndarray:
    """Cells as features, float64."""
    made = np.empty((len(cells), feature.width))
    feature.write(cells, made)
    return made


def _shown(answers: np.ndarray, outputs: Sequence[str], target: str | None) -> int:
    """Place of the output that is shown."""
    if target is None:
        mean = answers.mean(-2).reshape(-1, answers.shape[-1])
        return int(np.ptp(mean, axis=0).argmax()) if len(outputs) != 2 else 1
    if target not in outputs:
        raise UsageError("no such class", where="target", received=f"'{target}'",
                         do=nearest(target, outputs))  # fmt: skip
    return list(outputs).index(target)


def _points(metric: str, value: float) -> str:
    """A difference of scores, in points where the score is a share."""
    return f"{100 * value:.2f} pt" if metric == "accuracy" else f"{value:.4g}"


def _interval(metric: str, found: Drop) -> str:
    ends = ", ".join(_bare(metric, end) for end in (found.low, found.high))
    return f"{_bare(metric, found.value)} [{ends}]"


def _bare(metric: str, value: float) -> str:
    return f"{100 * value:.2f}" if metric == "accuracy" else f"{value:.3g}"


def _plain(found: Drop) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "floor": found.floor,
            "told_from_noise": found.told, "repeats": list(found.repeats)}  # fmt: skip


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
