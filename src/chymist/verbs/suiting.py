"""`suitability`: is deep learning the right tool for these data? Three experiments answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from chymist.data import hold_out
from chymist.data.preparation import fit_preparation
from chymist.data.stepwise import check_measured, check_single
from chymist.engine.defaults import complete, linear_for
from chymist.engine.threads import Threads
from chymist.evidence import Pair
from chymist.evidence.locality import Locality, locality
from chymist.evidence.verdict import amount
from chymist.models import build_model
from chymist.models.blocks import Reordered
from chymist.parts import Part
from chymist.values import Data, Recipe, Shapes, Split, whole_number
from chymist.verbs.baselines import named_baseline
from chymist.verbs.comparing import compare
from chymist.verbs.comparison import Comparison
from chymist.verbs.curves import LearningCurve, learning_curve
from chymist.verbs.sources import open_rows

MARGIN = 0.02  # a smaller gain, of accuracy or as a share of the error, is not worth a network
ROWS, PIXELS = 1000, 1024  # at most: rows that are trained on; pixels whose correlation is taken
NETWORK, SHUFFLED = "network", "network, pixels shuffled"


@dataclass(frozen=True, eq=False)
class Suitability:
    """Whether a network is the right tool, and what was measured.

    Args:
        verdict: that, in a sentence.
        reasons: what it rests on, in sentences: comparison, local correlation, rows.
        comparison: the network beside the linear model, a forest and boosting.
        locality: whether neighbouring columns or pixels are more alike than others; None where
            columns have no order.
        curve: the network's learning curve.
        facts: rows, seconds.
    """

    verdict: str
    reasons: tuple[str, ...]
    comparison: Comparison
    locality: Locality | None
    curve: LearningCurve
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values (the JSON contract)."""
        return {"verdict": self.verdict, "reasons": list(self.reasons),
                "comparison": self.comparison.to_dict(),
                "locality": None if self.locality is None else self.locality._asdict(),
                "curve": self.curve.verdict, **self.facts}  # fmt: skip

    def __repr__(self) -> str:
        return f"Suitability({self.verdict})"


def suitability(
    data: Data | Split,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    *,
    rows: int = ROWS,
    plan: str | Path | None = None,
    threads: Threads = None,
) -> Suitability:
    """Is deep learning the right tool for these data?

    Three experiments, each on the same folds with the same seeds. The default network is compared
    with the linear model, a random forest and gradient boosting. Of pictures it is also trained on
    shuffled pixels, the same shuffle for all: what that costs is what the network gets from the
    neighbourhood. And its learning curve says whether more rows would help.

    Args:
        data: all rows that may be used; of a `Split`, the training and validation rows.
        folds: number of folds.
        seeds: how often rows are cut into folds, and models initialised, anew.
        seed: the first seed.
        rows: at most so many are used, drawn at random.
        plan: as in `cross_validate`.
        threads: as in `fit`.

    Returns:
        A `Suitability`: verdict, reasons, and what was measured.

    Raises:
        InputError: fewer rows than folds.

    Example:
        >>> import chymist as cy
        >>> print(cy.suitability(cy.load("iris"), folds=3, seeds=2).verdict)
        no need of a network: ...

    Source: the course's criteria, number of rows and local correlation; Grinsztajn et al. 2022,
        Why do tree-based models still outperform deep learning on tabular data?
    """
    whole = data.data if isinstance(data, Split) else data
    check_single(whole, "the question needs")
    check_measured(whole, "the question needs")
    split = some_rows(data, whole_number(rows, "rows", 10), whole_number(seed, "seed", 0))
    whole = split.data
    entries: dict[str, Any] = {
        NETWORK: Recipe(),
        "linear": Recipe(model=linear_for(whole)),
        "forest": named_baseline("forest", whole.task),
        "boosting": named_baseline("boosting", whole.task),
    }
    picture = whole.kind == "image"
    if picture:
        model = complete(Recipe(), split).model
        entries[SHUFFLED] = Recipe(
            model=partial(shuffled, model), length=complete(Recipe(), split).length
        )
    how: dict[str, Any] = {"threads": threads, "plan": plan}
    found = compare(entries, split, folds, seeds, seed, **how)
    curve = learning_curve(Recipe(), split, [0.25, 1.0], folds, seeds, seed, **how)
    near = _locality(split)
    verdict = _verdict(found)
    reasons = [found.verdict, _said_of(near), *_said_of_shuffling(found)]
    reasons.append(f"{len(split.train):,} rows; {curve.verdict}")
    facts = {"rows": len(split.train), "seconds": round(found.seconds + curve.facts["seconds"], 3)}
    return Suitability(verdict, tuple(reasons), found, near, curve, facts)


def shuffled(model: Part, shapes: Shapes) -> nn.Module:
    """A model of the palette that gets shuffled pixels, or steps, of all rows alike."""
    plain = build_model(model, shapes, torch.initial_seed() % 2**31)
    return nn.Sequential(Reordered(shapes.inputs), plain)


def some_rows(data: Data | Split, most: int, seed: int) -> Split:
    """All usable rows as one part, or so many of them."""
    whole, usable, _ = open_rows(data)
    none = np.empty(0, np.int64)
    sealed = data.test if isinstance(data, Split) else whole.test_rows
    if len(usable) > most:
        usable, _ = hold_out(whole, usable, len(usable) - most, seed=seed)
    return Split(whole, usable, none, none if sealed is None else sealed, seed)


def _locality(split: Split) -> Locality | None:
    """Of pictures by pixel (the mean of its channels), of plain arrays by column; else none."""
    data = split.data
    if data.kind == "table":
        return None
    rows = fit_preparation(data, split.train, {}).inputs(data.take(split.train))
    if data.kind == "array":
        return locality(rows.reshape(len(rows), -1).astype(np.float64))
    pixels = rows.mean(1, dtype=np.float64)
    step = int(np.ceil(np.sqrt(pixels[0].size / PIXELS)))  # of a large picture the middle part
    height, width = (size // step for size in pixels.shape[1:])
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    part = pixels[:, top : top + height, left : left + width]
    return locality(part.reshape(len(part), -1), (height, width))


def _verdict(found: Comparison) -> str:
    """Whether the network is better than the best model without hidden layers."""
    others = [e.name for e in found.entries if e.name not in (NETWORK, SHUFFLED)]
    if NETWORK in found.out or not others:
        return f"cannot say: {'; '.join(f'{n}: {why}' for n, why in found.out.items())}"
    rival = others[0]
    beside = f"{rival}, the best without hidden layers"
    better, apart = _pair(found, rival).better, _difference(found, rival)
    if better == NETWORK:
        return f"a network is worth it: it is better than {beside} ({apart})"
    if better == rival:
        return f"no need of a network: {beside}, is better ({apart})"
    if _most(found, rival) < MARGIN:
        least = "2 points" if found.metric == "accuracy" else f"2 % of the {found.metric}"
        return f"no need of a network: it gains less than {least} on {beside} ({apart})"
    return f"cannot tell whether a network is worth it: beside {beside}, nothing shows ({apart})"


def _most(found: Comparison, rival: str) -> float:
    """The upper end of what a network gains on a rival: of accuracy, or as a share of its error."""
    pair = _pair(found, rival)
    if pair.low == pair.high:  # folds that are all alike show no spread, which is no certainty
        return float("inf")
    low, high = (pair.low, pair.high) if pair.a == NETWORK else (-pair.high, -pair.low)
    if found.metric == "accuracy":
        return high
    (level,) = (entry.score.value for entry in found.entries if entry.name == rival)
    return -low / level if level else 0.0


def _said_of(near: Locality | None) -> str:
    """What is known of the neighbourhood of columns or pixels."""
    if near is None:
        return "the columns of a table have no order: there is no neighbourhood to use"
    if np.isnan(near.neighbours):
        return "too few columns vary to tell whether neighbours are alike"
    more = "more alike than" if near.local else "no more alike than"
    return (
        f"neighbours are {more} others: mean |correlation| {near.neighbours:.2f}, in random"
        f" orders {near.others:.2f} (p = {near.p:.3g})"
    )


def _said_of_shuffling(found: Comparison) -> list[str]:
    """What the network loses if its pixels are shuffled, where that was tried."""
    if not {NETWORK, SHUFFLED} <= {entry.name for entry in found.entries}:
        return []
    lost = _pair(found, SHUFFLED)
    worse = lost.low > 0 if (found.metric == "accuracy") == (lost.a == NETWORK) else lost.high < 0
    uses = "uses the neighbourhood" if worse else "gets nothing that shows from the neighbourhood"
    return [f"the network {uses} ({_difference(found, SHUFFLED)})"]


def _pair(found: Comparison, other: str) -> Pair:
    """The pair of the network and another entry, the better-ranked one first."""
    (pair,) = (one for one in found.pairs if {one.a, one.b} == {NETWORK, other})
    return pair


def _difference(found: Comparison, other: str) -> str:
    """How far the network and another entry are apart, as the comparison says it."""
    pair = _pair(found, other)
    apart = amount(found.metric, pair.difference, pair.low, pair.high)
    return f"{pair.a} - {pair.b}: {apart}"
