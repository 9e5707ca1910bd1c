"""`compare_networks`: what DNN, CNN, RNN and GCN assume, measured by taking the order away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chymist import models
from chymist.data.preparation import fit_preparation
from chymist.data.stepwise import check_measured, check_single
from chymist.engine.assembly import check_loss, shapes_of
from chymist.engine.defaults import complete
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError, nearest
from chymist.evidence import Entry, Pair, compare_entries, comparison_verdict
from chymist.evidence.resampled import holm
from chymist.evidence.verdict import amount
from chymist.metrics import find
from chymist.models.budget import parameters_of
from chymist.parts import Part, part
from chymist.reports.charts import interval_chart
from chymist.values import Data, Recipe, Score, Shapes, Split, show, whole_number
from chymist.verbs.comparing import compare
from chymist.verbs.comparison import Comparison
from chymist.verbs.designs import design_of
from chymist.verbs.suiting import shuffled, some_rows
from chymist.verbs.writing import save_drawing

ROWS = 1000  # at most, drawn at random
SHUFFLED = ", shuffled"
HIDDEN = 64  # units of the perceptron whose number of parameters all have, by default


class Family(NamedTuple):
    """A kind of network.

    Args:
        assumes: what it takes for granted of the inputs.
        image, steps: from a width to a model of images, or of sequences.
    """

    assumes: str
    image: Callable[[int], Part]
    steps: Callable[[int], Part]


FAMILIES: Mapping[str, Family] = {
    "DNN": Family(
        "nothing: any input may go with any other",
        lambda n: models.mlp(hidden=(n,)),
        lambda n: models.mlp(hidden=(n,)),
    ),
    "CNN": Family(
        "neighbours go together, in the same way everywhere",
        lambda n: models.cnn(channels=(n, 2 * n), hidden=(), norm="none", dropout=0.0),
        lambda n: models.cnn1d(channels=(n, 2 * n), dropout=0.0),
    ),
    "RNN": Family(
        "inputs follow one another, and every step is read in the same way",
        lambda n: models.row_rnn(hidden=(n,)),
        lambda n: models.gru(hidden=(n,)),
    ),
    "GCN": Family(
        "neighbours in a graph go together, whatever the direction",
        lambda n: models.grid_gcn(hidden=(n, n)),
        lambda n: models.grid_gcn(hidden=(n, n)),
    ),
}


@dataclass(frozen=True)
class NetworkRow:
    """One family of networks.

    Args:
        name: "DNN", "CNN", "RNN" or "GCN".
        assumes: what it takes for granted.
        model: as it is described.
        parameters: their number.
        natural: score on the data as they are, out of fold.
        shuffled: score where the places of all rows were shuffled alike.
        pair: difference of the two, its interval and p-value; Holm-corrected over the families.
    """

    name: str
    assumes: str
    model: str
    parameters: int
    natural: Score
    shuffled: Score
    pair: Pair

    @property
    def gains(self) -> bool:
        """Whether the order of the places helps it, beyond doubt."""
        return self.pair.better == self.name

    @property
    def gain(self) -> tuple[float, float, float]:
        """By how much the order helps: value, low and high; above 0 where it does."""
        own = (self.pair.difference, self.pair.low, self.pair.high)
        turned = (-own[0], -own[2], -own[1])
        upward = find(self.natural.metric).greater_is_better
        return own if (self.pair.a == self.name) == upward else turned

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values (the JSON contract)."""
        value, low, high = self.gain
        return {"name": self.name, "assumes": self.assumes, "model": self.model,
                "parameters": self.parameters, "natural": self.natural.to_dict(),
                "shuffled": self.shuffled.to_dict(), "gain": value, "low": low, "high": high,
                "p": self.pair.p, "p_holm": self.pair.p_holm, "gains": self.gains}  # fmt: skip


@dataclass(frozen=True, eq=False)
class NetworkComparison:
    """What networks gain from what they assume.

    Args:
        verdict: who gains from the order of the places, and who does not, in a sentence.
        reasons: who is best on the data as they are, and who on shuffled ones.
        rows: one a family.
        comparison: of all of them, as `compare` gives it.
        facts: rows, parameters, seconds, and families that diverged.
    """

    verdict: str
    reasons: tuple[str, ...]
    rows: tuple[NetworkRow, ...]
    comparison: Comparison
    facts: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of families."""
        metric = self.comparison.metric
        heads = ["", metric, "shuffled", "the order gives [95 %]", "p (Holm)", "parameters"]
        cells: list[list[object]] = [
            [row.name, show(metric, row.natural.value), show(metric, row.shuffled.value),
             amount(metric, *row.gain), f"{row.pair.p_holm:.2g}", f"{row.parameters:,}"]
            for row in self.rows
        ]  # fmt: skip
        floor = self.comparison.floor
        value = show(metric, floor.score.value)
        return heads, [*cells, [floor.name, value, value, "", "", "floor"]]

    def svg(self) -> str:
        """Scores of all families as they are and shuffled, with intervals, as an SVG element."""
        metric = self.comparison.metric
        scores = [
            (name, score)
            for row in self.rows
            for name, score in ((row.name, row.natural), (row.name + SHUFFLED, row.shuffled))
        ]
        bars = [(name, one.value, one.low, one.high) for name, one in scores]
        title = f"{metric} of networks on the data as they are, and on shuffled ones"
        return str(interval_chart(title, bars, lambda value: show(metric, value)))

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values (the JSON contract)."""
        whole = self.comparison.to_dict()
        return {"verdict": self.verdict, "reasons": list(self.reasons),
                "metric": whole["metric"], "design": whole["design"],
                "rows": [row.to_dict() for row in self.rows], "floor": whole["floor"],
                "out": whole["out"], "notes": whole["notes"], **self.facts}  # fmt: skip

    def _repr_html_(self) -> str:
        return f"<p>{self.verdict}</p>{self.svg()}"

    def __repr__(self) -> str:
        return f"NetworkComparison({self.verdict})"


def compare_networks(
    data: Data | Split,
    networks: Sequence[str] = tuple(FAMILIES),
    folds: int = 3,
    seeds: int = 5,
    seed: int = 0,
    *,
    parameters: int | None = None,
    rows: int = ROWS,
    recipe: Recipe | None = None,
    plan: str | Path | None = None,
    threads: Threads = None,
) -> NetworkComparison:
    """Compare DNN, CNN, RNN and GCN of equal size, and take away what they assume of the inputs.

    Each is trained on the rows as they are, and again with the pixels (or steps) of all rows
    shuffled alike, on the same folds from the same seeds. A perceptron sees no difference between
    the two; a network that takes it for granted that neighbours go together has nothing to go by in
    the second. What shuffling costs is therefore what the assumption gives. An RNN reads rows of
    pixels as steps; a GCN has pixels as nodes, with edges to those that touch. The shuffled order
    is one and the same for all folds and seeds: what it happens to leave in place is not in the
    intervals.

    Args:
        data: images or sequences; of a `Split`, its training and validation rows.
        networks: some of "DNN", "CNN", "RNN", "GCN".
        folds: number of folds.
        seeds: how often rows are cut into folds, and networks initialised, anew.
        seed: the first seed.
        parameters: of each network, as nearly as a width gives it (the table counts them); None is
            what a perceptron with 64 hidden units has.
        rows: at most so many are used, drawn at random.
        recipe: how all of them are trained; its model is replaced. What it does not say is Adam at
            5e-3, batches of 32, 30 epochs.
        plan: as in `cross_validate`.
        threads: as in `fit`.

    Returns:
        A `NetworkComparison`: verdict, table, `save("networks.svg")`.

    Raises:
        UsageError: rows without places that have neighbours (tables, texts, nodes), unknown
            networks, or no network of so many parameters.
        Diverged: no network is left.

    Example:
        >>> import chymist as cy
        >>> short = cy.Recipe(length="2 epochs")
        >>> found = cy.compare_networks(
        ...     cy.load("digits"), ["DNN", "CNN"], folds=2, seeds=1, rows=200, recipe=short
        ... )
        >>> [row.parameters for row in found.rows]
        [4810, 5130]

    Source: the course's table of what networks assume; pixels in a fixed random order: Goodfellow
        et al. 2013, arXiv:1312.6211; Zhang et al. 2017, arXiv:1611.03530.
    """
    whole = data.data if isinstance(data, Split) else data
    _check(whole, networks)
    split = some_rows(data, whole_number(rows, "rows", 10), whole_number(seed, "seed", 0))
    given = {n: v for n, v in vars(recipe or RECIPE).items() if v is not None}
    base = RECIPE.replace(**given)
    shapes = _shapes(base, split)
    budget = (parameters_of(models.mlp(hidden=(HIDDEN,)), shapes) if parameters is None
              else whole_number(parameters, "parameters", 1))  # fmt: skip
    image = whole.kind == "image"
    chosen = {
        name: models.sized(FAMILIES[name].image if image else FAMILIES[name].steps, shapes, budget)
        for name in networks
    }
    entries: dict[str, Recipe] = {}
    for name, model in chosen.items():
        entries[name] = base.replace(model=model)
        entries[name + SHUFFLED] = base.replace(model=partial(shuffled, model))
    found = compare(entries, split, folds, seeds, seed, plan=plan, threads=threads)
    made = _rows(found, chosen, _Test.of(split, folds, seeds, seed))
    facts = {"data": whole.name, "used": len(split.train), "budget": budget,
             "seconds": found.seconds}  # fmt: skip
    reasons = (
        "as the data are: " + _ranked(found, "", _Test.of(split, folds, seeds, seed)),
        "shuffled: " + _ranked(found, SHUFFLED, _Test.of(split, folds, seeds, seed)),
    )
    return NetworkComparison(_verdict(made, image), reasons, made, found, facts)


RECIPE = Recipe(
    optimizer=part("optimizer", "adam", lr=5e-3), batch_size=32, length="30 epochs", stop="none"
)


def _shapes(recipe: Recipe, split: Split) -> Shapes:
    """Of inputs and outputs."""
    data, full = split.data, complete(recipe.replace(model=models.mlp()), split)
    preparation = fit_preparation(data, split.train, full.data.options)
    columns = len(data.classes) or int(np.prod(data.targets.shape[1:]))
    return shapes_of(preparation, check_loss(full, data).outputs(columns), data, full)


class _Test(NamedTuple):
    """What a test on folds must know."""

    share: float
    seed: int
    single: bool
    repeats: int

    @classmethod
    def of(cls, split: Split, folds: int, seeds: int, seed: int) -> _Test:
        design = design_of(split, folds, seeds, seed, None, None)
        return cls(design.test_share, design.seed, design.single, design.repeats)


def _check(data: Data, networks: Sequence[str]) -> None:
    """Refuse rows that have no places, and networks that do not exist.

    Raises:
        UsageError: it is so.
    """
    if data.kind in ("table", "array"):
        raise UsageError(
            "the columns have no neighbours: there is no order to take away", where="data",
            received=f"data of kind '{data.kind}'",
            do="give images, or sequences: cy.load((x, y), kind='sequence') with x of (rows, steps,"
               " features)")  # fmt: skip
    check_measured(data, "the comparison needs")
    check_single(data, "the comparison needs")
    if not networks or isinstance(networks, str) or len(set(networks)) < len(networks):
        raise UsageError("no list of different networks", where="networks",
                         received=repr(networks)[:60], do='give ["DNN", "CNN"]')  # fmt: skip
    for name in networks:
        if name not in FAMILIES:
            raise UsageError("unknown network", where="networks", received=repr(name)[:60],
                             do=nearest(str(name), FAMILIES))  # fmt: skip


def _rows(found: Comparison, chosen: Mapping[str, Part], test: _Test) -> tuple[NetworkRow, ...]:
    """Each family beside itself on shuffled rows; p-values corrected for their number.

    Raises:
        Diverged: of no family both trainings have a result.
    """
    entries = {entry.name: entry for entry in found.entries}
    names = [name for name in chosen if {name, name + SHUFFLED} <= set(entries)]
    if not names:
        raise Diverged("no network is left to compare", where="; ".join(found.out),
                       do="lower the learning rate")  # fmt: skip
    pairs = [_tested([entries[n], entries[n + SHUFFLED]], test)[1][0] for n in names]
    adjusted = holm(np.array([pair.p for pair in pairs]))
    made = []
    for name, pair, p in zip(names, pairs, adjusted, strict=True):
        known = replace(pair, p_holm=float(p), better=pair.better if p < 0.05 else None)
        facts = entries[name].facts
        made.append(NetworkRow(name, FAMILIES[name].assumes, str(chosen[name]),
                               facts["parameters"], entries[name].score,
                               entries[name + SHUFFLED].score, known))  # fmt: skip
    return tuple(made)


def _tested(entries: Sequence[Entry], test: _Test) -> tuple[list[Entry], list[Pair]]:
    return compare_entries(entries, test.share, test.seed, test.single, test.repeats)


def _ranked(found: Comparison, ending: str, test: _Test) -> str:
    """Who is best among the networks whose name ends so."""
    own = [e for e in found.entries if e.name.endswith(SHUFFLED) == bool(ending)]
    if not own:
        return "no network is left"
    ranking, pairs = _tested(own, test)
    bare = comparison_verdict(ranking, pairs, found.design, found.metric, test.repeats == 1)
    return bare.replace(SHUFFLED, "")


def _verdict(rows: Sequence[NetworkRow], image: bool) -> str:
    """Who gains from the order of the places."""
    said = {True: "", False: ""}
    for gains in said:
        parts = [
            f"{row.name} ({amount(row.natural.metric, *row.gain)})"
            for row in sorted(rows, key=lambda row: -row.gain[0])
            if row.gains == gains
        ]
        said[gains] = " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)
    places = "pixels" if image else "steps"
    if not said[True]:
        return f"no gain from the order of the {places} shows: {said[False]}"
    verb = "gain" if " and " in said[True] else "gains"
    other = f"; none shows for {said[False]}" if said[False] else ""
    return f"{said[True]} {verb} from the order of the {places}{other}"
