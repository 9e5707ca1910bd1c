"""What the folders of studies hold, as typed values: what a report of a study is made from.

A study is what many trainings gave: a comparison, a cross-validation, a population. Its report
reads these records and nothing else, so that it is the same from memory and from a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, nan
from typing import Annotated, Any

import msgspec
import numpy as np

from chymist.evidence.comparison import Pair
from chymist.values import Score


@dataclass(frozen=True)
class DataRecord:
    """What data a study is about.

    Args:
        name, kind, fingerprint: of the data.
        rows: how many it has.
        source: what `load` needs to read it again; empty for arrays.
    """

    name: str
    kind: str = ""
    fingerprint: str = ""
    rows: int = 0
    source: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class How:
    """How a study was measured, as far as it takes to do it again.

    Args:
        protocol: how rows were cut, in the language of `cy.protocols`; "" if there was no protocol.
        folds: cuts of one repeat.
        seeds: repeats; a population has as many as it has seeds.
        seed: the first one.
        group, time: names of columns, if rows were kept together, or in order.
        own: arguments that were arrays of the caller ("group", "time", "split").
        one_seed: whether models that start at random were started from one seed only.
        split: arguments of the `cy.split` that made the rows, if they were a split.
        fits: repeat and fold of every training, in the order of the values.
        command: that did it; "" if it was done in Python.
        best: command that trains the best recipe of a search, if there is one.
    """

    protocol: str = ""
    folds: int = 0
    seeds: int = 0
    seed: int = 0
    group: str | None = None
    time: str | None = None
    own: tuple[str, ...] = ()
    one_seed: bool = False
    split: dict[str, Any] | None = None
    fits: list[tuple[int, int]] = field(default_factory=list)
    command: str = ""
    best: str = ""


@dataclass(frozen=True)
class ScoreRecord:
    """A score with what belongs to it; an end that JSON cannot hold is None."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    split: str
    selected_on: str | None = None
    groups: int | None = None

    @property
    def score(self) -> Score:
        """The score."""
        value, low, high = ends(self.value, self.low, self.high)
        return Score(self.metric, value, low, high, self.n, self.split, self.selected_on,
                     self.groups)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EntryRecord(ScoreRecord):
    """An entry of a comparison: its score, the metric of each fit, what it is and what it cost."""

    name: str
    folds: list[float | None]
    model: str = ""
    recipe: dict[str, Any] | str = ""
    imports: tuple[str, ...] = ()
    parameters: int | None = None
    executor: str = ""
    reason: str = ""
    epochs: float = 0.0
    seconds: float = 0.0

    @property
    def values(self) -> np.ndarray:
        """The metric of each fit, (fits,); nan where it has none."""
        return numbers(self.folds)


@dataclass(frozen=True)
class PairRecord:
    """Two entries and how they differ; see `chymist.evidence.comparison.Pair`."""

    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    p: float
    p_holm: float
    equivalent: float | None
    better: str | None
    test: str

    @property
    def pair(self) -> Pair:
        """The pair."""
        found = ends(self.difference, self.low, self.high)
        return Pair(self.a, self.b, *found, self.p, self.p_holm, self.equivalent, self.better,
                    self.test)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FloorRecord(ScoreRecord):
    """What a trivial or cheap method reaches."""

    name: str


@dataclass(frozen=True)
class NamedFloor:
    """The same, as cross-validations write it."""

    name: str
    score: ScoreRecord


@dataclass(frozen=True)
class ComparisonRecord:
    """`comparison.json`; see `chymist.Comparison`."""

    verdict: str
    design: str
    metric: str
    rows: Annotated[list[EntryRecord], msgspec.Meta(min_length=1)]
    pairs: list[PairRecord]
    floor: FloorRecord
    data: DataRecord
    out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sealed: bool = False
    seconds: float = 0.0
    how: How = field(default_factory=How)


@dataclass(frozen=True)
class FoldRecord:
    """One fold of a cross-validation."""

    repeat: int
    fold: int
    n: int
    value: float | None
    epochs: float = 0.0


@dataclass(frozen=True)
class FitFacts:
    """How the trainings of a study were carried out."""

    executor: str = ""
    reason: str = ""
    seconds: float = 0.0
    epochs: float = 0.0
    model: str = ""
    parameters: int | None = None
    protocol: str = ""
    order: str = "own"
    duplicates: int = 0
    never_held: int = 0
    rare_classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CrossValidationRecord:
    """`cv.json`; see `cross_validate`."""

    score: ScoreRecord
    folds: Annotated[list[FoldRecord], msgspec.Meta(min_length=1)]
    facts: FitFacts
    floors: list[NamedFloor]
    data: DataRecord
    corrected: ScoreRecord | None = None
    verdict: str = ""
    sealed: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)
    how: How = field(default_factory=How)


@dataclass(frozen=True)
class MemberRecord:
    """One member of a population: its number, seed, recipe (by number) and score."""

    member: int
    seed: int
    epochs: float
    score: ScoreRecord | None
    error: dict[str, Any] | None = None
    recipe: int = 0


@dataclass(frozen=True)
class MeanRecord:
    """A mean with its interval; an end that JSON cannot hold is None."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PopulationRecord:
    """`population.json`; see `fit_population`. Its state is "running", "interrupted" or ""."""

    metric: str
    members: Annotated[list[MemberRecord], msgspec.Meta(min_length=1)]
    mean: MeanRecord | None = None
    ensemble: ScoreRecord | None = None
    facts: FitFacts = field(default_factory=FitFacts)
    floors: list[NamedFloor] = field(default_factory=list)
    recipes: list[dict[str, Any]] = field(default_factory=list)
    data: DataRecord = field(default_factory=lambda: DataRecord(""))
    how: How = field(default_factory=How)
    state: str = ""


@dataclass(frozen=True)
class AxisRecord:
    """What was searched of one hyperparameter: a range, or values."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    values: list[Any] | None = None


@dataclass(frozen=True)
class TrialRecord:
    """One configuration of a search; see `chymist.evidence.searches.Trial`."""

    trial: int
    values: dict[str, Any]
    score: ScoreRecord | None
    fits: list[float | None]
    epochs: float
    reached: str = ""
    reason: str = ""
    standing: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchRecord:
    """`search.json`; see `chymist.evidence.searches.Search`."""

    verdict: str
    rows: Annotated[list[TrialRecord], msgspec.Meta(min_length=1)]
    pairs: list[dict[str, Any]]
    best: dict[str, Any]
    score: ScoreRecord
    nested: ScoreRecord | None
    outer: list[dict[str, Any]]
    influence: list[dict[str, Any]]
    surface: str
    noise: dict[str, float | None]
    facts: dict[str, Any]
    data: DataRecord
    axes: dict[str, AxisRecord] = field(default_factory=dict)
    space: dict[str, str] = field(default_factory=dict)
    sealed: bool = False
    how: How = field(default_factory=How)


@dataclass(frozen=True)
class RacerRecord:
    """One optimiser of a race; see `chymist.evidence.optimizer_races.Racer`."""

    name: str
    optimizer: str
    rates: Annotated[list[float], msgspec.Meta(min_length=1)]
    losses: list[list[float | None]]
    metric: str
    scores: list[list[float | None]] = field(default_factory=list)
    uninformed: float | None = None


@dataclass(frozen=True)
class RaceRecord:
    """`race.json`; see `chymist.evidence.optimizer_races.Race`."""

    verdict: str
    rows: Annotated[list[RacerRecord], msgspec.Meta(min_length=1)]
    pairs: list[dict[str, Any]]
    seeds: Annotated[list[int], msgspec.Meta(min_length=1)]
    recipe: dict[str, Any]
    facts: dict[str, Any]
    data: DataRecord
    how: How = field(default_factory=How)


@dataclass(frozen=True, kw_only=True)
class RunRecord(ScoreRecord):
    """One of two runs: its folder, and its score."""

    run: str


@dataclass(frozen=True)
class RowPairRecord:
    """The difference of two runs on the same rows."""

    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    p: float
    better: str | None
    test: str = "paired rows"
    only_a: int | None = None
    only_b: int | None = None
    both: int | None = None
    neither: int | None = None


@dataclass(frozen=True)
class RunPairRecord:
    """A comparison of two runs; see `compare_runs`."""

    verdict: str
    rows: Annotated[list[RunRecord], msgspec.Meta(min_length=2, max_length=2)]
    pairs: Annotated[list[RowPairRecord], msgspec.Meta(min_length=1, max_length=1)]
    differs: dict[str, list[Any]]
    notes: list[str]
    data: DataRecord = field(default_factory=lambda: DataRecord(""))


@dataclass(frozen=True)
class ProofRecord:
    """Paired runs with and without a remedy; see `chymist.prove`."""

    effect: str
    metric: str
    difference: MeanRecord
    before: list[float | None]
    after: list[float | None]
    rows: int


@dataclass(frozen=True)
class FixRecord:
    """`fix.json`: a remedy that was carried out, and its proof."""

    code: str | None
    changes: dict[str, Any]
    sentence: str
    proof: ProofRecord | None = None
    cured: str | None = None


def ends(value: float | None, low: float | None, high: float | None) -> tuple[float, float, float]:
    """A value with its interval; what JSON could not hold is nan, or infinite.

    Example:
        >>> ends(0.5, None, None)
        (0.5, -inf, inf)
    """
    return (nan if value is None else value, -inf if low is None else low,
            inf if high is None else high)  # fmt: skip


def numbers(values: list[float | None]) -> np.ndarray:
    """Numbers, of which JSON could not hold all; those are nan.

    Example:
        >>> numbers([0.5, None]).tolist()
        [0.5, nan]
    """
    return np.array([nan if v is None else v for v in values], np.float64)


def flat(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's plain form with dotted names.

    Example:
        >>> flat({"model": {"name": "mlp", "hidden": [64]}, "batch_size": 32})
        {'model': 'mlp', 'model.hidden': [64], 'batch_size': 32}
    """
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            found[name] = value.get("name")
            found |= {f"{name}.{k}": v for k, v in value.items() if k != "name"}
        else:
            found[name] = value
    return found


def differing(recipes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What differs between recipes: dotted names, with the value of each, absent ones None.

    Example:
        >>> differing({"a": {"model": "mlp", "seed": 0}, "b": {"model": "svm", "seed": 0}})
        {'model': ['mlp', 'svm']}
    """
    plain = [flat(recipe) for recipe in recipes.values()]
    names = dict.fromkeys(name for one in plain for name in one)
    found = {name: [one.get(name) for one in plain] for name in names}
    return {name: values for name, values in found.items()
            if any(v != values[0] for v in values[1:])}  # fmt: skip
