"""`compare_runs`: two runs on the same validation rows, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from chymist.engine.folder import open_folder
from chymist.engine.store import read_series
from chymist.errors import InputError
from chymist.evidence import PairedDifference, compare_paired
from chymist.evidence.studies import flat
from chymist.evidence.verdict import NAMES, amount
from chymist.metrics import find
from chymist.reports.notebook import glance
from chymist.values import Predictions, Recipe, Run, Score
from chymist.verbs.histories import curves_of
from chymist.verbs.records import finished, read_predictions
from chymist.verbs.study_origin import about
from chymist.verbs.study_pages import runs_page

if TYPE_CHECKING:
    from chymist.verbs.comparing_many import ManyRuns

Folder = Run | str | Path


@dataclass(frozen=True)
class RunComparison:
    """What a comparison of two runs gave.

    Args:
        verdict: one sentence that says who wins.
        runs: the two folders.
        scores: of the two.
        difference: metric of the first minus metric of the second, paired on rows.
        differs: what differs between their recipes, seeds and training rows, by dotted name.
        notes: what else is to be known, in sentences.
        right: of classes, rows that both, only the first, only the second and neither had right;
            None of values.
        curves: recorded series of the two by name, (2, epochs), nan where one had ended.
        data: what data they are about, as plain values.
    """

    verdict: str
    runs: tuple[str, str]
    scores: tuple[Score, Score]
    difference: PairedDifference
    differs: Mapping[str, tuple[Any, Any]]
    notes: tuple[str, ...]
    right: tuple[int, int, int, int] | None = None
    curves: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    data: Mapping[str, Any] = field(default_factory=lambda: {"name": ""})

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values (the JSON contract)."""
        found, metric = self.difference, find(self.scores[0].metric)
        better = None
        if found.clear:
            better = self.runs[(found.value > 0) != metric.greater_is_better]
        pair = {
            "a": self.runs[0], "b": self.runs[1], "difference": found.value, "low": found.low,
            "high": found.high, "p": found.p, "better": better, "test": "paired rows",
        }  # fmt: skip
        if self.right is not None:
            pair |= dict(zip(("both", "only_a", "only_b", "neither"), self.right, strict=True))
        rows = [
            {"run": run, **score.to_dict()}
            for run, score in zip(self.runs, self.scores, strict=True)
        ]
        differs = {name: list(values) for name, values in self.differs.items()}
        return {"verdict": self.verdict, "rows": rows, "pairs": [pair], "differs": differs,
                "notes": list(self.notes), "data": dict(self.data)}  # fmt: skip

    def _repr_html_(self) -> str:
        return glance(runs_page(self.to_dict(), self.curves))

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *self.lines(), *self.notes])

    def lines(self) -> list[str]:
        """What differs, one line each."""
        return [f"{name}: {a} against {b}" for name, (a, b) in self.differs.items()]


@dataclass(frozen=True, eq=False)
class Told:
    """What is read of a run; its data is not needed."""

    path: str
    recipe: Recipe
    seed: int
    train: np.ndarray
    score: Score
    predictions: Predictions
    data: dict[str, Any]
    history: Mapping[str, np.ndarray]


@overload
def compare_runs(a: Folder, b: Folder) -> RunComparison: ...
@overload
def compare_runs(a: Folder, b: Folder, *more: Folder) -> RunComparison | ManyRuns: ...
def compare_runs(a: Folder, b: Folder, *more: Folder) -> RunComparison | ManyRuns:
    """Compare finished runs on the validation rows that they share.

    Args:
        a, b: run folders, or runs.
        more: further ones; runs of one recipe with different seeds are then taken together.

    Returns:
        A `RunComparison`: verdict, difference, and what differs between the recipes. The interval
        is about the rows, for these two trained models: another seed may say otherwise. Of more
        than two runs a `ManyRuns`: all pairs of models on rows, and of recipes over seeds.

    Raises:
        InputError: other data, rows or metric; a run that has not ended; no run folder.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> a, b = (
        ...     cy.fit(cy.Recipe(model="softmax", length=f"{n} epochs"), split) for n in (60, 1)
        ... )
        >>> found = compare_runs(a, b)
        >>> found.differs
        {'length': ('60 epochs', '1 epoch')}

    Source: McNemar 1947; DeLong et al. 1988; Efron 1987.
    """
    if more:
        from chymist.verbs.comparing_many import compare_many  # it compares pairs as this does

        return compare_many((a, b, *more))
    first, second = read_told(a), read_told(b)
    check_pair(first, second)
    metric, split = first.score.metric, first.score.split
    found = compare_paired(first.predictions, second.predictions, metric)
    rows = f"{first.score.n:,} {NAMES.get(split, split)} rows, paired, one training each"
    names = _short_names(first.path, second.path)
    differs = _differences(first, second)
    return RunComparison(
        _sentence(names, found, metric, rows), (first.path, second.path),
        (first.score, second.score), found, differs, _notes(first, second, differs),
        _right(first.predictions, second.predictions), _curves(first, second), first.data,
    )  # fmt: skip


def _right(a: Predictions, b: Predictions) -> tuple[int, int, int, int] | None:
    """Rows that both, only the first, only the second and neither had right; None of values."""
    if a.targets.dtype.kind == "f":
        return None
    right_a, right_b = a.labels == a.targets, b.labels == b.targets
    counts = (right_a & right_b, right_a & ~right_b, right_b & ~right_a, ~right_a & ~right_b)
    both, only_a, only_b, neither = (int(np.sum(count)) for count in counts)
    return both, only_a, only_b, neither


def _curves(a: Told, b: Told) -> dict[str, np.ndarray]:
    """What both recorded after every epoch, as (2, epochs)."""
    names = [n for n in a.history if n in b.history and n.startswith(("train_loss", "val_"))]
    plain = [{n: [tuple(p) for p in np.asarray(run.history[n]).tolist()] for n in names}
             for run in (a, b)]  # fmt: skip
    return curves_of(plain)


def read_told(run: Folder) -> Told:
    """What a comparison reads of a run.

    Raises:
        InputError: no run folder, or one that has not ended.
    """
    if isinstance(run, Run):
        return Told(str(run.path), run.recipe, run.seed, run.split.train, run.score,
                     run.predictions, about(run.data), run.history)  # fmt: skip
    saved = open_folder(run)
    result = finished(saved)
    predictions, groups = read_predictions(saved.path / "valid.npz"), saved.split.get("groups")
    if groups is not None:
        predictions = replace(predictions, groups=np.array(groups)[predictions.rows])
    return Told(
        str(saved.path), saved.recipe, int(saved.environment["seed"]),
        np.array(saved.split["train"], np.int64), Score.from_dict(result["score"]), predictions,
        {"name": saved.schema.name, "kind": saved.schema.kind,
         "fingerprint": saved.schema.fingerprint, "source": dict(saved.source)},
        read_series(saved.path / "records.sqlite"),
    )  # fmt: skip


def check_pair(a: Told, b: Told) -> None:
    """Refuse runs that were not scored on the same rows by the same metric.

    Raises:
        InputError: they were not.
    """
    where, do = f"{a.path} and {b.path}", "compare runs on one split of the same data"
    if a.data["fingerprint"] != b.data["fingerprint"]:
        received = " and ".join(f"{r.data['name']} ({r.data['fingerprint'][:12]})" for r in (a, b))
        raise InputError("the runs have different data", where=where, received=received, do=do)
    if a.score.metric != b.score.metric:
        received = f"{a.score.metric} and {b.score.metric}"
        raise InputError("the runs have different metrics", where=where, received=received, do=do)
    if a.score.split != b.score.split or not np.array_equal(a.predictions.rows, b.predictions.rows):
        counts = [f"{len(r.predictions.rows):,} {NAMES.get(r.score.split)}" for r in (a, b)]
        raise InputError("the runs were scored on different rows", where=where,
                         received=f"{counts[0]} and {counts[1]} rows",
                         do="fit both with the same --split-seed")  # fmt: skip


def _sentence(names: tuple[str, str], found: PairedDifference, metric: str, rows: str) -> str:
    """Who wins, if anybody does."""
    if not found.clear:
        size = amount(metric, found.value, found.low, found.high)
        return f"cannot tell {names[0]} from {names[1]}: difference {size} ({rows})."
    first = (found.value > 0) == find(metric).greater_is_better
    winner, loser = names if first else names[::-1]
    size = amount(metric, abs(found.value), *sorted((abs(found.low), abs(found.high))))
    return f"{winner} is better than {loser} by {size} ({rows})."


def _short_names(a: str, b: str) -> tuple[str, str]:
    """The last parts of two paths, if they differ."""
    short = Path(a).name, Path(b).name
    return short if short[0] != short[1] else (a, b)


def _differences(a: Told, b: Told) -> dict[str, tuple[Any, Any]]:
    """What differs between two runs; options of parts by dotted name, absent ones are None."""
    plain = [flat(run.recipe.to_dict()) | {"seed": run.seed} for run in (a, b)]
    names = [*plain[0], *(name for name in plain[1] if name not in plain[0])]
    pairs = {name: (plain[0].get(name), plain[1].get(name)) for name in names}
    found = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not np.array_equal(a.train, b.train):
        found["training rows"] = (len(a.train), len(b.train))
    return found


def _notes(a: Told, b: Told, differs: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if not differs:
        notes.append("nothing differs between the two: same recipe, seed and training rows")
    if a.score.split == "train":
        notes.append("these are training rows: they do not tell how new rows will do")
    if a.score.selected_on or b.score.selected_on:
        notes.append("weights were chosen by val_loss on these rows: the scores are optimistic")
    return tuple(notes)
