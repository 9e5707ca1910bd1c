"""`capacity`: how many rows with random labels a recipe learns by heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.data.preparation import fit_preparation
from chymist.engine.assembly import predictions_for
from chymist.engine.defaults import complete
from chymist.engine.ignored import unread
from chymist.engine.population import Plan
from chymist.engine.threads import Threads
from chymist.errors import InputError
from chymist.evidence.capacity import (
    FIRST,
    Bracket,
    bits,
    capacity_verdict,
    next_sizes,
)
from chymist.keys import generator
from chymist.metrics import measure
from chymist.reports.charts import Line, line_chart
from chymist.values import Data, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, Trained, Watcher, train_jobs
from chymist.verbs.sources import open_rows
from chymist.verbs.tally import Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LENGTH = "3000 steps"  # where a recipe says none: its default is for labels that have a pattern
TOLERANCE = 0.1
R2 = 0.99  # of values that count as memorised; a row too many may reach that by luck
AFFINE = ("linear", "logistic", "softmax")


@dataclass(frozen=True, eq=False)
class Capacity:
    """How many rows with random labels were learnt by heart.

    Args:
        verdict: that, beside the number of parameters.
        rows: the median over sets of labels.
        found: rows of each set.
        parameters: number of parameters.
        bits: bits known by heart for each parameter; None for values.
        most: different rows that there are.
        limited: of how many sets all rows were memorised, so that the capacity is larger.
        tried: a mapping a training: set, rows, score (accuracy or r2 on them), memorised,
            parameters.
        facts: model, executor, reason, epochs, seconds, plan.
    """

    verdict: str
    rows: float
    found: tuple[int, ...]
    parameters: int
    bits: float | None
    most: int
    limited: int
    tried: tuple[Mapping[str, Any], ...]
    facts: Mapping[str, Any]

    def svg(self) -> str:
        """Mean score on random labels by number of rows, as an SVG element."""
        name, sizes, means = self._means()
        line = Line("random", np.array(sizes, float), np.array(means))
        return str(line_chart(f"{name} on random labels by number of rows", [line], "rows", name))

    def plot(self) -> Axes:
        """The same with matplotlib; returns its axes."""
        from matplotlib.figure import Figure

        name, sizes, means = self._means()
        found: Axes = Figure(figsize=(5, 3.4), layout="constrained").subplots()
        found.plot(sizes, means, marker=".")
        found.axvline(self.rows, color="grey", linestyle=":", label="capacity")
        found.set(xscale="log", xlabel="rows with random labels", ylabel=name)
        found.legend(frameon=False)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The capacity as plain values (the JSON contract)."""
        names = ("verdict", "rows", "parameters", "bits", "most", "limited")
        return {**{name: getattr(self, name) for name in names}, "found": list(self.found),
                "tried": list(self.tried), "plan": self.facts["plan"],
                "seconds": self.facts["seconds"]}  # fmt: skip

    def _means(self) -> tuple[str, list[int], list[float]]:
        """What was measured, the sizes, and the mean over the sets that were tried at each."""
        sizes = sorted({one["rows"] for one in self.tried})
        means = [float(np.mean([o["score"] for o in self.tried if o["rows"] == n])) for n in sizes]
        return "R²" if self.bits is None else "training accuracy", sizes, means

    def _repr_html_(self) -> str:
        return f"<div><p><strong>{self.verdict}</strong></p>{self.svg()}</div>"

    def __repr__(self) -> str:
        return f"Capacity({self.verdict})"


def capacity(
    recipe: Recipe,
    data: Data | Split,
    seeds: int = 6,
    seed: int = 0,
    *,
    tolerance: float = TOLERANCE,
    plan: str | Path | None = None,
    threads: Threads = None,
    watcher: Watcher | None = None,
) -> Capacity:
    """Find how many rows with random labels a recipe memorises: its effective capacity.

    Inputs are those of the data, each different row once; labels are drawn evenly from its classes,
    values from N(0, 1). Set s has a seed of its own; its larger tasks hold its smaller ones. Its
    capacity is found by bisection, the sets and several sizes at a time as one population: the most
    rows of which all labels are right after training (values: R2 of 0.99). So it is the capacity of
    the recipe, not of the function set: how long it is trained, and weight decay, count. The range
    of six sets holds the median capacity in 97 % of cases.

    Args:
        recipe: what to train. Early stopping is left out; a recipe without length has 3,000 steps.
        data: all rows that may be used; of a `Split`, the training and validation rows.
        seeds: number of sets of labels.
        seed: of the first.
        tolerance: how narrow the bracket of each set must be, as a share of its lower end.
        plan: as in `cross_validate`.
        threads: as in `fit`.
        watcher: called with the number of a training and each epoch of it.

    Returns:
        A `Capacity`.

    Raises:
        InputError: fewer than four different rows.
        Diverged: a model diverged.

    Example:
        >>> import chymist as cy
        >>> found = cy.capacity(cy.Recipe(model="linear"), cy.load("diabetes"), seeds=2)
        >>> found.found, found.parameters
        ((11, 11), 11)

    Source: Zhang et al. 2017, Understanding deep learning requires rethinking generalization; Arpit
        et al. 2017, A closer look at memorization in deep networks; Cover 1965.
    """
    tally = Tally()
    seed, seeds = whole_number(seed, "seed", 0), whole_number(seeds, "seeds", 1, 10**4)
    known = Plan.of(None if plan is None else Path(plan))
    recipe = recipe.replace(stop="none")
    sets = [_Labels(one, order) for one, order in _drawn(recipe, data, seeds, seed)]
    most = len(sets[0].order)
    if "length" not in unread(complete(recipe, sets[0].split(most, seed))):
        recipe = recipe.replace(length=recipe.length or LENGTH)
    brackets, tried = [Bracket()] * seeds, []
    while True:
        asked = [next_sizes(bracket, most, tolerance) for bracket in brackets]
        who = [(s, n) for s, sizes in enumerate(asked) for n in sizes]
        if not who:
            break
        jobs = [Job(recipe, sets[s].split(n, seed + s), seed + s) for s, n in who]
        fits = tally.sound(train_jobs(jobs, threads, watcher=watcher, plan=known), "task {}".format)
        made = [{"set": s, "rows": n, **_judged(trained)}
                for (s, n), trained in zip(who, fits, strict=True)]  # fmt: skip
        tried += made
        for s, sizes in enumerate(asked):
            said = [one["memorised"] for one in made if one["set"] == s]
            brackets[s] = brackets[s].narrowed(sizes, said)
    facts = {**tally.facts(), "plan": known.to_dict()}
    return _capacity(brackets, tried, len(sets[0].data.classes), most, facts)


@dataclass(frozen=True, eq=False)
class _Labels:
    """The rows with random labels, and the order in which larger tasks take them."""

    data: Data
    order: np.ndarray

    def split(self, size: int, seed: int) -> Split:
        """The first rows as a split that has nothing else."""
        none = np.array([], np.int64)
        return Split(self.data, np.sort(self.order[:size]), none, none, seed, "random labels")


def _drawn(
    recipe: Recipe, data: Data | Split, seeds: int, seed: int
) -> list[tuple[Data, np.ndarray]]:
    """The data with labels of each set, and its rows in random order; rows with equal inputs once.

    Raises:
        InputError: too few rows.
    """
    whole, rows, _ = open_rows(data)
    options = recipe.data.options if recipe.data else {}
    inputs = fit_preparation(whole, rows, options).inputs(whole.take(rows))
    rows = rows[np.sort(np.unique(inputs.reshape(len(rows), -1), axis=0, return_index=True)[1])]
    if len(rows) < 2 * FIRST:
        raise InputError("too few different rows to memorise", where=whole.name,
                         received=str(len(rows)), do="give four or more")  # fmt: skip
    made = []
    for number in range(seed, seed + seeds):
        rng = generator(number, "random labels")
        targets: np.ndarray = (
            rng.integers(0, len(whole.classes), len(whole))
            if whole.classes
            else rng.normal(size=whole.targets.shape)
        )
        made.append((replace(whole, targets=targets), rng.permutation(rows)))
    return made


def _judged(trained: Trained) -> dict[str, Any]:
    """Score of a model on its own rows, and whether they are memorised."""
    made = predictions_for(trained.run, trained.job.split, "train")
    count = sum(p.numel() for p in trained.run.state.model.parameters() if p.requires_grad)
    if trained.job.split.data.classes:
        value = measure(made, "accuracy")
        return {"score": value, "memorised": value == 1.0, "parameters": count}
    value = measure(made, "r2")
    return {"score": value, "memorised": value >= R2, "parameters": count}


def _capacity(
    brackets: Sequence[Bracket], tried: Sequence[Mapping[str, Any]], classes: int, most: int,
    facts: Mapping[str, Any],
) -> Capacity:  # fmt: skip
    """All sets together."""
    found = tuple(bracket.low for bracket in brackets)
    parameters = int(tried[0]["parameters"])
    limited = sum(bracket.high is None for bracket in brackets)
    rows, theory = float(np.median(found)), ""
    if facts["model"] in AFFINE and not classes:
        theory = f"as many as parameters of one output, {parameters:,}"
    elif facts["model"] == "logistic":
        theory = f"2 x {parameters} = {2 * parameters:,}, Cover 1965"
    return Capacity(
        capacity_verdict(found, parameters, classes, most, limited, theory), rows, found,
        parameters, bits(rows, classes, parameters) if classes and parameters else None, most,
        limited,
        tuple(tried), facts,
    )  # fmt: skip
