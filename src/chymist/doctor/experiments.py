"""Experiments: which small trainings would tell one cause from another, within a budget of steps.

This plans them; `chymist.verbs.diagnosing_experiments` carries them out, and
`experiments_reading` reads what came of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from chymist.data.splits import hold_out
from chymist.data.subsets import nested_subsets
from chymist.engine.defaults import MODEL_LOSSES
from chymist.keys import key
from chymist.parts import Part, definition, own, part
from chymist.values import Length, Recipe, Split

Route = Literal["training", "gap"]

# Experiments of each route, what decides most first; what the budget does not reach is left out.
WANTED: dict[Route, tuple[str, ...]] = {
    "training": ("base", "sham 1", "tiny", "tiny default", "small", "tiny shallow", "lr x 0.1",
                 "lr x 10", "sham 2", "big", "lr x 0.3", "lr x 3", "cont"),
    "gap": ("base", "inner", "sham 1", "half", "sham 2"),
}  # fmt: skip

# What tells whether a finding is right, and what a verdict on it needs beside that.
SUSPECTED: dict[str, tuple[str, ...]] = {
    "lr_too_high": ("tiny", "tiny default", "lr x 0.1", "small"),
    "lr_too_low": ("tiny", "tiny default", "lr x 10", "small"),
    "undertrained": ("cont", "lr x 10"),
    "model_bias": ("big", "small"), "missing_nonlinearity": ("big", "small"),
    "optimisation_failure": ("tiny", "small", "tiny default"),
    "vanishing_gradient": ("small", "tiny"), "exploding_gradient": ("lr x 0.1", "tiny", "small"),
    "init_scale": ("lr x 0.1", "tiny", "tiny default"), "dead_relu": ("lr x 0.1", "tiny", "small"),
    "saturated_activation": ("lr x 0.1", "tiny", "small"),
    "unnormalised_input": ("lr x 0.1", "tiny", "tiny default"),
    "loss_activation_mismatch": ("tiny", "tiny default", "tiny shallow"),
    "double_softmax": ("tiny", "tiny default", "tiny shallow"),
    "no_update": ("tiny", "tiny default", "tiny shallow"),
    "label_misalignment": ("tiny", "big"), "label_noise": ("inner", "half"),
    "overfitting": ("inner", "half"), "distribution_mismatch": ("inner",),
    "data_leakage": ("inner",),
}  # fmt: skip
CONTROLS = ("base", "sham 1")  # without these no effect can be told from chance
STAGE = 3  # experiments that are carried out between two looks at what they say
FIRST_SHARE = 0.5  # of the budget, that the first stage may take if there are suspects

TINY_ROWS, TINY_STEPS = 32, (200, 100, 50)  # the longest of these that the others are as long as
# Memorises 32 rows of digits or breast_cancer in 50 steps with 1 to 6 hidden layers of 32 units.
SURE = part("optimizer", "adamw", lr=1e-2, weight_decay=0.0)
INNER, HALF = 0.2, 0.5  # of the training rows
LEAST, LEAST_STEPS = 1 / 50, 20  # of the run, and at all, below which a training shows nothing
LEAST_CONT = 1 / 10  # of the run, for going on
ENOUGH = 1 / 5  # of the run: a shorter training that does not help proves nothing (taxonomy 2, lr)
TOO_DEAR = "the budget of steps does not reach"
NOT_ASKED = "needs a part of chymist with hidden, depth or channels"
TOO_SHORT = "its steps would be less than a tenth of the run"
UNTRAINED = "needs the trained model"
FEW_ROWS = "too few training rows"
DECIDED = "not needed: the verdict is decided"
NOTHING_SMALLER = "the model has no depth to halve"


@dataclass(frozen=True, eq=False)
class Experiment:
    """One training that asks one question.

    Args:
        name: "base", "sham 1", "tiny", "lr x 0.1", ...
        recipe: complete; what to train.
        split: its rows; the test rows of the run are never among them.
        seed: of initialisation, order and dropout; that of the run, but for shams.
    """

    name: str
    recipe: Recipe
    split: Split
    seed: int

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return int(self.recipe.length.count)


@dataclass(frozen=True, eq=False)
class Agenda:
    """What is to be trained.

    Args:
        experiments: with equal numbers of steps, but for "tiny" ones.
        left_out: why the others are not, by name.
        inner: rows that "inner" holds out of the training rows, or None.
        first: how many are carried out before anybody looks at what they say.
        needed: budget with which no answer is left open for want of steps.
    """

    experiments: tuple[Experiment, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    inner: np.ndarray | None = None
    first: int = 0
    needed: float = math.inf

    @property
    def steps(self) -> int:
        """Of all members together."""
        return sum(one.steps for one in self.experiments)

    @property
    def stages(self) -> list[tuple[Experiment, ...]]:
        """The experiments, as many at a time as are carried out together."""
        cuts = [0, *range(self.first, len(self.experiments), STAGE), len(self.experiments)]
        return [self.experiments[a:b] for a, b in pairwise(cuts) if a < b]


def plan_experiments(
    route: Route, recipe: Recipe, split: Split, seed: int, total: int, budget: float,
    model: Any = None, suspects: Sequence[str] = (),
) -> Agenda:  # fmt: skip
    """Choose experiments, and how long each may be, for a budget.

    What tells whether the suspects are right comes first and is given half of the budget, so that
    it is long enough to say something; the others are as long, as far as the budget reaches.

    Args:
        route: what is wrong: the training loss, or the gap to the validation loss.
        recipe: of the run, complete.
        split: of the run.
        seed: of the run.
        total: steps of the run.
        budget: steps of all experiments together, as a share of these.
        model: the trained model, which "cont" goes on with, or None.
        suspects: codes of findings, the most likely first.

    Returns:
        An `Agenda` of at most `budget` x `total` steps.

    Example:
        >>> import chymist as cy
        >>> from chymist.engine.defaults import complete
        >>> rows = cy.split(cy.load("iris"))
        >>> found = plan_experiments("gap", complete(cy.Recipe(), rows), rows, 0, 1000, 0.25)
        >>> [one.name for one in found.experiments], found.steps
        (['base', 'inner', 'sham 1', 'half', 'sham 2'], 250)
    """
    names, urgent = in_order(WANTED[route], suspects)
    wanted, left_out = _possible(names, recipe, split, model)
    urgent = [name for name in wanted if name in urgent]
    kept = _allotted(wanted, urgent, total, budget)
    if kept.get("cont", total) < LEAST_CONT * total:
        kept = _with_long_cont(wanted, urgent, total, budget)
        if "cont" not in kept:
            left_out["cont"] = TOO_SHORT
            wanted = [name for name in wanted if name != "cont"]
    left_out |= {name: TOO_DEAR for name in wanted if name not in kept}
    rows = _rows_of(list(kept), split, seed)
    made = [_experiment(name, recipe, rows, seed, each, model) for name, each in kept.items()]
    inner = np.setdiff1d(split.train, rows["inner"].train) if "inner" in rows else None
    share = ENOUGH if route == "training" else 1.0  # a gap is shown by whole runs only
    few = sum(name.startswith("tiny") for name in wanted)
    needed = math.ceil(10 * ((len(wanted) - few) * share + few * TINY_STEPS[0] / total)) / 10
    first = max(len(CONTROLS) + 1, sum(name in kept for name in urgent)) if urgent else len(made)
    return Agenda(tuple(made), left_out, inner, first, needed)


def in_order(names: Sequence[str], suspects: Sequence[str]) -> tuple[list[str], list[str]]:
    """Experiments, those that suspects ask for first; and which come first.

    Args:
        names: of the experiments of a route.
        suspects: codes of findings, the most likely first.

    Returns:
        All names, and those of the first stage; none if no suspect asks for any.

    Example:
        >>> in_order(WANTED["gap"], ["distribution_mismatch"])[1]
        ['base', 'sham 1', 'inner']
    """
    asked = [name for code in suspects for name in SUSPECTED.get(code, ()) if name in names][:4]
    urgent = list(dict.fromkeys([*CONTROLS, *asked])) if asked else []
    return list(dict.fromkeys([*urgent, *names])), urgent


def _allotted(
    wanted: Sequence[str], urgent: Sequence[str], total: int, budget: float
) -> dict[str, int]:
    """The experiments that a budget allows, and the steps of each."""
    allowed, least = int(budget * total), max(LEAST_STEPS, math.ceil(total * LEAST))
    kept = affordable(wanted, allowed, least, total)
    long = min((n for name, n in kept.items() if not name.startswith("tiny")), default=0)
    if not urgent or (len(kept) == len(wanted) and long >= ENOUGH * total):
        return kept
    kept = affordable(urgent, int(FIRST_SHARE * allowed), least, total)
    if len(kept) < len(urgent):
        kept = affordable(urgent, allowed, least, total)
    each = max((n for name, n in kept.items() if not name.startswith("tiny")), default=total)
    tiny = max((n for name, n in kept.items() if name.startswith("tiny")), default=TINY_STEPS[-1])
    for name in wanted:
        steps = tiny if name.startswith("tiny") else each
        if name not in kept and sum(kept.values()) + steps <= allowed:
            kept[name] = steps
    return {name: kept[name] for name in wanted if name in kept}


def affordable(wanted: Sequence[str], allowed: int, least: int, most: int) -> dict[str, int]:
    """The first of some experiments that a number of steps allows, and the steps of each.

    Args:
        wanted: names, the most telling first; "tiny" ones have steps of their own.
        allowed: steps of all together.
        least, most: steps of each.

    Returns:
        Steps by name.

    Example:
        >>> affordable(["base", "sham 1", "tiny", "small"], 250, 20, 1000)
        {'base': 66, 'sham 1': 66, 'tiny': 50, 'small': 66}
        >>> affordable(["base", "sham 1", "tiny", "small"], 100, 20, 1000)
        {'base': 25, 'sham 1': 25, 'tiny': 50}
    """
    for count in range(len(wanted), 0, -1):
        tiny = [name.startswith("tiny") for name in wanted[:count]]
        for long in TINY_STEPS:
            each = (allowed - long * sum(tiny)) // max(1, count - sum(tiny))
            if each >= (least if long == TINY_STEPS[-1] else max(least, long)):
                each = min(each, most)
                return {name: long if few else each
                        for name, few in zip(wanted, tiny, strict=False)}  # fmt: skip
    return {}


def _with_long_cont(
    wanted: Sequence[str], urgent: Sequence[str], total: int, budget: float
) -> dict[str, int]:
    """As `_allotted`, with steps of its own for "cont" if it is urgent, else without it."""
    others, first = ([n for n in names if n != "cont"] for names in (wanted, urgent))
    long = math.ceil(LEAST_CONT * total)
    rest = _allotted(others, first, total, budget - long / total) if "cont" in urgent else {}
    if not set(CONTROLS) <= rest.keys():
        return _allotted(others, first, total, budget)
    start = {name: rest.pop(name) for name in CONTROLS}
    return {**start, "cont": long, **rest}


def _possible(
    names: Sequence[str], recipe: Recipe, split: Split, model: Any
) -> tuple[list[str], dict[str, str]]:
    """Experiments that the recipe allows, and why others are left out."""
    left_out: dict[str, str] = {}
    if halved(recipe.model) is None:
        why = NOTHING_SMALLER if shallow(recipe.model) else NOT_ASKED
        left_out["small"] = why
    if recipe.model.factory is not None or recipe.model.source:
        left_out["tiny shallow"] = NOT_ASKED
    if doubled(recipe.model) is None:
        left_out["big"] = NOT_ASKED
    if model is None:
        left_out["cont"] = UNTRAINED
    if len(split.train) < 10:
        left_out |= {"inner": FEW_ROWS, "half": FEW_ROWS}
    kept = [name for name in names if name not in left_out]
    return kept, {name: why for name, why in left_out.items() if name in names}


def _rows_of(names: Sequence[str], split: Split, seed: int) -> dict[str, Split]:
    """The rows of the experiments; those that read the same rows share them."""
    data, none = split.data, np.array([], np.int64)
    held = split.valid if len(split.valid) else split.train[:1]
    made = {"all": Split(data, split.train, none, held, seed, groups=split.groups)}
    if any(name.startswith("tiny") for name in names):
        few = min(len(split.train), max(TINY_ROWS, len(data.classes)))
        rows = nested_subsets(data, split.train, [few], seed=key(seed, "tiny"))[0]
        made["tiny"] = Split(data, rows, none, rows, seed, groups=split.groups)
    if "inner" in names:
        rest, inner = hold_out(
            data, split.train, INNER, seed=key(seed, "inner"), groups=split.groups
        )
        made["inner"] = Split(data, rest, none, np.union1d(inner, held), seed, groups=split.groups)
    if "half" in names:
        few = max(round(HALF * len(split.train)), len(data.classes))
        rows = nested_subsets(
            data, split.train, [few], seed=key(seed, "half"), groups=split.groups
        )[0]
        made["half"] = Split(data, rows, none, held, seed, groups=split.groups)
    return made


def _experiment(
    name: str, recipe: Recipe, rows: Mapping[str, Split], seed: int, steps: int, model: Any
) -> Experiment:
    """An experiment by its name."""
    split = rows.get("tiny" if name.startswith("tiny") else name, rows["all"])
    changed = recipe.replace(length=Length(steps, "steps"), stop="none")
    if name.startswith("sham"):
        seed = key(seed, name)
    elif name.startswith("lr x"):
        rate = float(recipe.optimizer.options.get("lr", default_of(recipe.optimizer, "lr")))
        changed = changed.replace(optimizer=recipe.optimizer.replace(lr=rate * float(name[4:])))
    elif name == "cont":
        changed = changed.replace(model=own("model", model))
    elif name.startswith("tiny"):
        changed = unregularized(changed).replace(
            batch_size="all", schedule="constant", accumulate=1
        )
    if name in ("tiny default", "tiny shallow"):
        changed = changed.replace(optimizer=SURE)
    if name == "small":
        changed = changed.replace(model=halved(changed.model))
    if name == "tiny shallow":  # has room for the rows, and the same loss and wiring
        changed = changed.replace(model=part("model", "mlp"))
    if name == "big":
        changed = changed.replace(model=doubled(changed.model))
    return Experiment(name, changed, split, seed)


def default_of(described: Part, option: str) -> Any:
    """The default of an option of a part, or None if it has no such option.

    Example:
        >>> default_of(part("model", "mlp"), "hidden")
        (64,)
    """
    if described.factory is not None or described.source:
        return None
    known = definition(described.kind, described.name).options.get(option)
    return None if known is None or known.default is known.empty else known.default


def value_of(described: Part, option: str) -> Any:
    """The value of an option of a part: the one given, or the default, or None.

    Example:
        >>> value_of(part("model", "mlp", hidden=(8, 8)), "hidden")
        (8, 8)
    """
    return described.options.get(option, default_of(described, option))


def shallow(model: Part) -> bool:
    """Whether a model is known to have one hidden layer at most.

    Example:
        >>> shallow(part("model", "softmax")), shallow(part("model", "mlp", hidden=(8, 8)))
        (True, False)
    """
    return model.factory is None and (
        model.name in MODEL_LOSSES or (model.name == "mlp" and len(value_of(model, "hidden")) < 2)
    )


def halved(model: Part) -> Part | None:
    """A model of half the depth and the same width; None if there is none.

    What it can do the whole model can do too: layers are no wider than those taken away, which
    could hand values on. So it has no excuse for training worse.

    Example:
        >>> halved(part("model", "mlp", hidden=(64, 64, 64, 64)))
        mlp(hidden=(64, 64))
        >>> halved(part("model", "mlp", hidden=(64, 2)))
        mlp(hidden=(2,))
    """
    changes: dict[str, Any] = {}
    for option in ("hidden", "channels"):
        widths = value_of(model, option) or ()
        if len(widths) > 1:
            kept = len(widths) // 2
            changes[option] = tuple(min(width, *widths[kept:]) for width in widths[:kept])
    if (value_of(model, "depth") or 0) > 1:
        changes["depth"] = value_of(model, "depth") // 2
    return model.replace(**changes) if changes else None


def doubled(model: Part) -> Part | None:
    """A model of double width; of a linear one a perceptron; None if there is none.

    Example:
        >>> doubled(part("model", "mlp", hidden=(64, 32))), doubled(part("model", "softmax"))
        (mlp(hidden=(128, 64)), mlp())
    """
    linear = model.name in MODEL_LOSSES or (model.name == "mlp" and not value_of(model, "hidden"))
    if model.factory is None and linear:
        return part("model", "mlp")
    widths = {
        name: tuple(2 * width for width in value_of(model, name))
        for name in ("hidden", "channels")
        if value_of(model, name)
    }
    if not widths and value_of(model, "depth"):
        return model.replace(depth=2 * value_of(model, "depth"))
    return model.replace(**widths) if widths else None


def unregularized(recipe: Recipe) -> Recipe:
    """The same recipe without dropout, weight decay, label smoothing and penalty.

    Args:
        recipe: complete.

    Example:
        >>> made = unregularized(Recipe(model="cnn", optimizer="adamw", loss="cross_entropy"))
        >>> made.model, made.optimizer
        (cnn(dropout=0.0), adamw(weight_decay=0.0))
    """
    off = {"model": "dropout", "optimizer": "weight_decay", "loss": "label_smoothing"}
    changed = {
        slot: getattr(recipe, slot).replace(**{option: 0.0})
        for slot, option in off.items()
        if value_of(getattr(recipe, slot), option) is not None
    }
    if recipe.penalty:
        changed["penalty"] = part("penalty", "none")
    return recipe.replace(**changed)
