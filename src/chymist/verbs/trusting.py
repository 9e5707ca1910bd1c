"""How far maps can be believed: the checks that `explain` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.folder import open_folder
from chymist.errors import InputError
from chymist.explanation.asking import Attributor
from chymist.explanation.faithfulness import blurred, faithfulness
from chymist.explanation.sanity import (
    constant_maps,
    randomization,
    randomized,
    sensitivity,
    why_zero,
)
from chymist.keys import generator
from chymist.metrics import find
from chymist.values import Run, Score, Split
from chymist.verbs.baselines import FLOORS
from chymist.verbs.predicting import Predictor

SMALL = 4096  # numbers of an input up to which every method is checked, and more thoroughly
QUICK = ("cam", "grad-cam", "saliency", "input-x-gradient")  # one pass of the network a map
ROWS = 8  # that are checked at most; of large inputs half as many
TRAINING = 500  # training rows whose mean is a baseline


@dataclass(frozen=True)
class Contrast:
    """Which maps are constant.

    Args:
        reasons: why the map of a row is called constant, by what the row is called.
        maps: how many there are.
    """

    reasons: tuple[tuple[str, str], ...]
    maps: int

    @property
    def sentence(self) -> str:
        """Which they are, and why."""
        if not self.reasons:
            return "No map is constant."
        name, why = self.reasons[0]
        more = f", and {len(self.reasons) - 1} more" if len(self.reasons) > 1 else ""
        return f"The map of row {name} is constant{more}: {why}."

    def to_dict(self) -> dict[str, Any]:
        """The check as plain values (the JSON contract)."""
        return {"check": "contrast", "maps": self.maps, "constant": len(self.reasons),
                "reasons": dict(self.reasons), "sentence": self.sentence}  # fmt: skip


class Question(NamedTuple):
    """What was asked, and the maps that were the answer.

    Args:
        attributor: with its options bound.
        module: with an output a class.
        inputs: prepared, (rows, ...).
        targets: numbers of the outputs, (rows,).
        maps: what the attributor gave.
        names: what the rows are called.
    """

    attributor: Attributor
    module: nn.Module
    inputs: Tensor
    targets: Tensor
    maps: Tensor
    names: Sequence[str]

    @property
    def small(self) -> bool:
        """Whether the inputs are small enough for the thorough checks."""
        return self.inputs[:1].numel() <= SMALL

    def of_first(self, rows: int) -> Attributor:
        """The attributor for some rows alone: of options that have a part a row, their parts."""
        if not isinstance(self.attributor, partial):
            return self.attributor
        options, shape = dict(self.attributor.keywords), self.inputs.shape
        for name, value in options.items():
            if isinstance(value, Tensor) and value.shape == shape:
                options[name] = value[:rows]
            elif isinstance(value, Tensor) and value.shape[1:] == shape:
                options[name] = value[:, :rows]
        return partial(self.attributor.func, **options)


def checks_of(
    asked: Question, baseline: Tensor, name: str, classes: bool, likely: nn.Module | None = None
) -> tuple[Any, ...]:
    """The checks: contrast, weights, the class that is asked for, and faithfulness.

    Args:
        asked: the question.
        baseline: what stands in the place of what is taken away, for one row or each.
        name: the baseline in words.
        classes: whether another class can be asked for.
        likely: the module whose softmax is the probability of a class, if it is another.

    Returns:
        Checks, each with a `sentence` and `to_dict()`; of a model without weights or slopes those
        that it can have.
    """
    few = ROWS if asked.small else ROWS // 2
    module, inputs, targets = asked.module, asked.inputs[:few], asked.targets[:few]
    attributor, bare = asked.of_first(few), baseline[:few]
    made: list[Any] = [_contrast(asked)]
    if any(True for _ in module.parameters()):
        made.append(randomization(attributor, module, inputs, targets))
    if classes:
        made.append(sensitivity(attributor, module, inputs, targets))
    steps, orders = (14, 10) if asked.small else (8, 3)
    made.append(faithfulness(likely or module, inputs, targets, asked.maps[:few],
                             baseline=bare, name=name, steps=steps, orders=orders))  # fmt: skip
    return tuple(made)


def usual_checks(method: str, inputs: Tensor) -> bool:
    """Whether maps are checked where nobody said: those of images, unless it takes long.

    Args:
        method: its name.
        inputs: prepared, (rows, ...).

    Example:
        >>> usual_checks("occlusion", torch.zeros(1, 1, 28, 28))
        True
        >>> usual_checks("occlusion", torch.zeros(1, 3, 224, 224))
        False
    """
    return inputs.ndim == 4 and (inputs[:1].numel() <= SMALL or method in QUICK)


def unlearned(run: Run | str | Path) -> tuple[str, ...]:
    """A warning where a run is not known to beat the floor that looks at no row.

    Checks of maps cannot see it: those of a network that has learned nothing depend on its weights
    as well.

    Args:
        run: a run, or its folder.
    """
    if isinstance(run, Run):
        score, floors = run.score, {floor.name: floor.score for floor in run.floors}
    else:
        result = open_folder(run).result
        score = Score.from_dict(result["score"])
        floors = {one["name"]: Score.from_dict(one["score"]) for one in result["floors"]}
    for name in set(FLOORS.values()) & set(floors):
        floor, up = floors[name], find(score.metric).greater_is_better
        if floor.metric == score.metric and not (
            score.low > floor.value if up else score.high < floor.value
        ):
            return (f"The model is not known to be better than the {name} ({score} beside "
                    f"{floor}): a map shows what it does, not what is so.",)  # fmt: skip
    return ()


def maps_of_random_weights(asked: Question) -> Tensor | None:
    """The same maps of the network with all weights drawn anew; None of models without weights."""
    if not any(True for _ in asked.module.parameters()):
        return None
    other = randomized(asked.module, asked.inputs)
    return asked.attributor(other, asked.inputs, asked.targets)


def stands_for_nothing(
    inputs: Tensor, split: Split | None, predictor: Predictor
) -> tuple[Tensor, str]:
    """What stands in the place of what is taken away, and its name.

    Large images are blurred. Of all else it is the mean of the training rows, where they are at
    hand, and 0 after preparation where they are not.

    Args:
        inputs: prepared, (rows, ...).
        split: of the run, if it is known.
        predictor: of the run.
    """
    if inputs.ndim == 4 and inputs[:1].numel() > SMALL:
        return blurred(inputs), "the image, blurred"
    if split is None or not len(split.train):
        return torch.zeros_like(inputs[:1]), "0 after preparation"
    drawn = generator(0, "baseline").permutation(split.train)[:TRAINING]
    prepared = predictor.preparation.inputs(split.data.take(np.sort(drawn)), predictor.exact)
    mean = torch.as_tensor(np.asarray(prepared, np.float64).mean(0, keepdims=True))
    return mean.to(inputs.dtype), "mean of the training rows"


def _contrast(asked: Question) -> Contrast:
    """Which maps are constant; of zeros, whether network or method made them."""
    found = []
    for place, why in enumerate(constant_maps(asked.maps)):
        if why == "it is 0 everywhere":
            why += _cause(asked, slice(place, place + 1))
        if why:
            found.append((asked.names[place], why))
    return Contrast(tuple(found), len(asked.names))


def _cause(asked: Question, one: slice) -> str:
    """What made a map of zeros, if the network has slopes that can tell."""
    try:
        return f", {why_zero(asked.module, asked.inputs[one], asked.targets[one])[0]}"
    except InputError:
        return ""
