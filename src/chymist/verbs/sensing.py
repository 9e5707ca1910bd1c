"""`effects`: what each hyperparameter does to effective capacity, by experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data import hold_out
from chymist.engine.assembly import predictions_for
from chymist.engine.defaults import complete
from chymist.engine.population import Plan
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError
from chymist.evidence.trends import Trend, trend
from chymist.keys import generator
from chymist.metrics import measure
from chymist.optim import sgd
from chymist.parts import definition, part
from chymist.space import text_of, written
from chymist.values import Data, Recipe, Split, whole_number
from chymist.verbs.jobs import Job, Trained, Watcher, train_jobs
from chymist.verbs.sources import open_rows
from chymist.verbs.tally import Tally

DEPTH = "depth of"  # before an option whose values are lists: their length is what changes
# The course's table of hyperparameters, and the values that are tried; the base recipe is `BASE`.
VALUES: dict[str, tuple[Any, ...]] = {
    "optimizer.lr": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    "optimizer.momentum": (0.0, 0.5, 0.9, 0.95),
    "optimizer.weight_decay": (0.0, 0.001, 0.01, 0.1),
    "loss.label_smoothing": (0.0, 0.1, 0.3, 0.6),
    "loss.gamma": (0.0, 1.0, 2.0, 5.0),
    "loss.margin": (0.1, 1.0, 10.0),
    "batch_size": (8, 32, 128),
    "model.dropout": (0.0, 0.25, 0.5, 0.75),
    "model.hidden": ((8,), (16,), (32,), (64,), (128,)),
    f"{DEPTH} model.hidden": ((32,), (32, 32), (32, 32, 32), (32,) * 5, (32,) * 8),
}
# Of images only.
IMAGE_VALUES: dict[str, tuple[Any, ...]] = {"model.kernel": (1, 3, 5, 7)}
# The part that has an option, where that of the base recipe does not.
OWNERS = {
    "loss.gamma": part("loss", "focal"),
    "loss.margin": part("loss", "hinge"),
    "model.kernel": part(
        "model", "cnn", channels=(8,), hidden=(), dropout=0.0, norm="none", kernel=3
    ),
}
# What a hyperparameter acts on, under the table.
CAPTIONS = {
    "optimizer.lr": "the length of a step: too short does not arrive in time, too long runs away",
    "optimizer.momentum": "the memory of steps: m remembers about 1 / (1 - m), which are as long",
    "optimizer.weight_decay": "the pull of the weights to 0, which keeps functions smooth",
    "loss.label_smoothing": "the goal: no row is to be learnt wholly",
    "loss.gamma": "the weight of easy rows; with 0 focal is cross-entropy",
    "loss.margin": "how far a right answer has to be from a wrong one before it costs nothing",
    "batch_size": "the number of steps in the same epochs, and their noise",
    "model.dropout": "how many units work at once while it trains; parameters stay as many",
    "model.hidden": "the function set: units side by side",
    f"{DEPTH} model.hidden": "the function set, and how hard it is to optimise",
    "model.kernel": "how many pixels a unit sees; weights grow with its square",
}
BASE = Recipe(
    model=part("model", "mlp", hidden=(32,)), loss="cross_entropy", optimizer=sgd(lr=0.1),
    schedule="constant", batch_size=32, length="60 epochs", stop="none",
)  # fmt: skip
ROWS = 200


@dataclass(frozen=True)
class Effect:
    """What one hyperparameter does.

    Args:
        name: of the recipe option.
        values: that were tried, in order.
        scores: share of random labels learnt by heart, (values, repeats).
        parameters: of the model at each value.
        diverged: repeats that diverged at each value; they learnt nothing.
        trend: how the share changes along the values.
    """

    name: str
    values: tuple[Any, ...]
    scores: np.ndarray
    parameters: tuple[int, ...]
    diverged: tuple[int, ...]
    trend: Trend

    @property
    def labels(self) -> tuple[str, ...]:
        """Its values in words; of a depth the number of layers."""
        if self.name.startswith(DEPTH):
            return tuple(f"{len(value)} layer{'s' * (len(value) > 1)}" for value in self.values)
        return tuple(text_of(value) for value in self.values)

    @property
    def caption(self) -> str:
        """What the hyperparameter acts on; empty for one that the course's table does not have."""
        return CAPTIONS.get(self.name, "")

    @property
    def sentence(self) -> str:
        """ "rises with model.hidden: 35 % at 8, 100 % at 128"."""
        means = self.scores.mean(1)
        ends = (0, self.trend.best, self.trend.worst, len(means) - 1)
        places = [n for k, n in enumerate(ends) if n not in ends[:k]]
        if self.trend.kind == "no effect that shows":
            said = self.trend.kind
        else:
            over = "" if self.trend.kind.startswith("has") else f" with {self.name}"
            said = f"{self.trend.kind}{over}"
        labels = self.labels
        shares = ", ".join(f"{means[n]:.0%} at {labels[n]}" for n in sorted(places))
        lost = sum(self.diverged)
        return f"{said}: {shares}" + (f"; {lost} diverged" if lost else "")

    def to_dict(self) -> dict[str, Any]:
        """The effect as plain values (the JSON contract)."""
        return {
            "name": self.name, "values": list(self.values), "scores": self.scores.tolist(),
            "parameters": list(self.parameters), "diverged": list(self.diverged),
            **self.trend._asdict(), "sentence": self.sentence, "caption": self.caption,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Effects:
    """What each hyperparameter does to effective capacity.

    Args:
        effects: one a hyperparameter.
        facts: rows, repeats, recipe, epochs, executor, seconds.
    """

    effects: tuple[Effect, ...]
    facts: Mapping[str, Any]

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table."""
        cells: list[list[object]] = []
        for one in self.effects:
            means = one.scores.mean(1)
            shares = ", ".join(
                f"{label}: {mean:.0%}" for label, mean in zip(one.labels, means, strict=True)
            )
            low, high = min(one.parameters), max(one.parameters)
            count = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            cells.append([one.name, one.trend.kind, shares, count, sum(one.diverged) or ""])
        heads = [
            "hyperparameter",
            "effective capacity",
            "learnt by heart",
            "parameters",
            "diverged",
        ]
        return heads, cells

    def to_dict(self) -> dict[str, Any]:
        """All effects as plain values (the JSON contract)."""
        return {"effects": [one.to_dict() for one in self.effects], **self.facts}

    def __repr__(self) -> str:
        return "\n".join(f"{one.name}: {one.sentence}" for one in self.effects)


def effects(
    data: Data | Split,
    recipe: Recipe = BASE,
    values: Mapping[str, Sequence[Any]] | None = None,
    repeats: int = 5,
    seed: int = 0,
    *,
    rows: int = ROWS,
    plan: str | Path | None = None,
    threads: Threads = None,
    watcher: Watcher | None = None,
) -> Effects:
    """Measure what each hyperparameter does to effective capacity.

    Rows of the data get labels at random, and the share of them that is learnt by heart within the
    length of the recipe is counted: that is what capacity is effective. One hyperparameter is
    changed at a time. All models are trained as populations, repeat r with labels, rows and
    initialisation of its own, which all values share.

    Args:
        data: of which the inputs are taken; of a `Split`, the training and validation rows.
        recipe: where one value is changed at a time.
        values: of recipe options by dotted name, in their natural order; None is the course's
            table: rate, momentum, weight decay, label smoothing, focusing, margin, batch, dropout,
            width, depth, and of images the kernel of a convolution. Where the recipe's loss or
            model lacks the option, the one that has it takes its place.
        repeats: two or more.
        seed: of the first repeat.
        rows: that get labels.
        plan: as in `cross_validate`.
        threads: as in `fit`.
        watcher: called with the number of a training and each epoch of it.

    Returns:
        An `Effects`: a table, a sentence for each hyperparameter.

    Raises:
        InputError: not classes, or fewer rows.
        UsageError: an unknown option or value.

    Example:
        >>> import chymist as cy
        >>> print(cy.effects(cy.load("wine"), values={"model.hidden": [(1,), (64,)]}, rows=60))
        model.hidden: rises with model.hidden: ... at 1, ... at 64

    Source: the course's table of hyperparameters; Zhang et al. 2017, Understanding deep learning
        requires rethinking generalization.
    """
    tally, known = Tally(), Plan.of(None if plan is None else Path(plan))
    repeats, seed = whole_number(repeats, "repeats", 2, 1000), whole_number(seed, "seed", 0)
    splits = [_labelled(data, whole_number(rows, "rows", 4), seed + r) for r in range(repeats)]
    usual = {**VALUES, **(IMAGE_VALUES if splits[0].data.kind == "image" else {})}
    asked = _checked(usual if values is None else values)
    recipes = [_recipes(recipe, name, tried, splits[0]) for name, tried in asked.items()]
    jobs = [
        Job(one, split, seed + number)
        for tried in recipes
        for one in tried
        for number, split in enumerate(splits)
    ]
    fits = list(train_jobs(jobs, threads, watcher=watcher, plan=known))
    scores = iter([_learnt(trained) for trained in fits])
    found = []
    for name, tried in zip(asked, recipes, strict=True):
        cells = [[next(scores) for _ in splits] for _ in tried]
        shares = np.array([[share for share, _, _ in row] for row in cells])
        lost = tuple(sum(failed for _, _, failed in row) for row in cells)
        counts = tuple(row[0][1] for row in cells)
        found.append(Effect(name, tuple(asked[name]), shares, counts, lost, trend(shares)))
    sound = [trained for trained in fits if not trained.error]
    for _ in tally.sound(sound, str):
        pass
    facts = {"rows": rows, "repeats": repeats, "recipe": recipe.to_dict(), **tally.facts()}
    return Effects(tuple(found), facts)


def _checked(values: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """What is asked for, if there is something to compare.

    Raises:
        UsageError: there is not.
    """
    found: dict[str, Sequence[Any]] = {}
    for name, tried in values.items():
        if not isinstance(tried, Iterable) or isinstance(tried, str):
            raise UsageError("the values of an option are a list", where=str(name),
                             received=repr(tried)[:60], do="give two or more")  # fmt: skip
        found[name] = tuple(tried)
        if len(found[name]) < 2:
            raise UsageError("an effect needs two values at least", where=str(name),
                             received=f"{len(found[name])}", do="give more")  # fmt: skip
    return found


def _recipes(recipe: Recipe, name: str, values: Sequence[Any], split: Split) -> list[Recipe]:
    """The recipe with each value of an option; a name may have words before it."""
    option = name.split()[-1] if name.split() else name
    slot, _, own = option.partition(".")
    has = getattr(recipe, slot, None)
    ours = has is None or getattr(has, "factory", None) is None
    if option in OWNERS and ours and (has is None or own not in definition(slot, has.name).options):
        recipe = recipe.replace(**{slot: OWNERS[option]})
    return [written(recipe, {option: value}, partial(complete, split=split)) for value in values]


def _labelled(data: Data | Split, count: int, seed: int) -> Split:
    """Some rows with random labels.

    Raises:
        InputError: not classes, or fewer rows.
    """
    whole, usable, _ = open_rows(data)
    if not whole.classes:
        raise InputError("values cannot be learnt by heart as labels can", where=whole.name,
                         received="regression data", do="give data with classes")  # fmt: skip
    if len(usable) < count:
        advice = f"give rows={len(usable)}" if len(usable) > 3 else "give more data"
        raise InputError("too few rows", where=whole.name, received=f"{len(usable)}", do=advice)
    random, none = generator(seed, "effects"), np.empty(0, np.int64)
    targets = random.integers(0, len(whole.classes), len(whole))
    drawn = usable
    if len(usable) > count:
        drawn, _ = hold_out(whole, usable, len(usable) - count, seed=seed)
    return Split(replace(whole, targets=targets), drawn, none, none, seed, "random labels")


def _learnt(trained: Trained) -> tuple[float, int, bool]:
    """Share of labels learnt by heart, parameters, and whether the training diverged."""
    count = sum(p.numel() for p in trained.run.state.model.parameters() if p.requires_grad)
    if trained.error:
        return 0.0, count, True
    made = predictions_for(trained.run, trained.job.split, "train")
    return measure(made, "accuracy"), count, False
