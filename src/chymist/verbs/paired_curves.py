"""`crossing`: which of two recipes is better with how many training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.errors import UsageError
from chymist.evidence.resampled import corrected_t, holm
from chymist.evidence.verdict import PairedDifference
from chymist.metrics import METRICS
from chymist.reports.curves import Positions, curve_svg
from chymist.values import Data, Recipe, Split
from chymist.verbs.curves import LearningCurve, learning_curve


@dataclass(frozen=True, eq=False)
class Crossing:
    """Two learning curves on the same rows.

    Args:
        verdict: which one is better at which sizes, in a sentence.
        names: of the two.
        curves: the two learning curves.
        sizes: training rows.
        differences: metric of the first minus that of the second, paired by fold; one a size.
        p_holm: their p-values, corrected for the number of sizes.
    """

    verdict: str
    names: tuple[str, str]
    curves: tuple[LearningCurve, LearningCurve]
    sizes: tuple[int, ...]
    differences: tuple[PairedDifference, ...]
    p_holm: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values (the JSON contract)."""
        columns = zip(self.sizes, self.differences, self.p_holm,
                      *(curve.held for curve in self.curves), strict=True)  # fmt: skip
        return {
            "verdict": self.verdict, "names": list(self.names),
            "rows": [{"size": size, "held": [one.to_dict(), other.to_dict()],
                      "difference": pair.value, "low": pair.low, "high": pair.high, "p_holm": p}
                     for size, pair, p, one, other in columns],
            "seconds": sum(curve.facts["seconds"] for curve in self.curves),
        }  # fmt: skip

    def svg(self) -> str:
        """Both curves of held-out scores with their intervals, as an SVG element."""
        one, other = self.curves
        return str(curve_svg(Positions.rows(self.sizes), one.held, other.held, self.names))

    def _repr_html_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"Crossing({self.verdict})"


def crossing(
    recipes: dict[str, Recipe],
    data: Data | Split | Mapping[str, Data],
    sizes: Sequence[float | int] | None = None,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
) -> Crossing:
    """Score two recipes with more and more of the same training rows, on the same held rows.

    With few rows the recipe that assumes more tends to be better, with many the one that assumes
    less: a Gaussian classifier (generative) beside logistic regression (discriminative), a shared
    covariance beside one for each class. Differences are paired by fold and size and tested by the
    corrected resampled t-test, corrected for the number of sizes (Holm).

    Args:
        recipes: two of them, by name.
        data: as in `learning_curve`; or data for each name, which are the same rows seen in two
            ways: photos, and their pretrained features.
        sizes, folds, seeds, seed: as in `learning_curve`.

    Returns:
        A `Crossing`.

    Raises:
        UsageError: not two recipes, or data of other names or other rows.
        InputError: sizes that the rows do not allow.

    Example:
        >>> import chymist as cy
        >>> both = {"shared": cy.Recipe(model=cy.models.gaussian()),
        ...         "separate": cy.Recipe(model=cy.models.gaussian(covariance="separate"))}
        >>> crossing(both, cy.load("iris"), [0.1, 1.0], seeds=1).sizes
        (12, 120)

    Source: Ng, Jordan 2002, On discriminative vs. generative classifiers.
    """
    if len(recipes) != 2:
        raise UsageError("a crossing has two recipes", where="recipes",
                         received=str(len(recipes)), do="give two by name")  # fmt: skip
    seen = data if isinstance(data, Mapping) else dict.fromkeys(recipes, data)
    if isinstance(data, Mapping):
        _check_same_rows(recipes, data)
    first, second = (
        learning_curve(recipe, seen[name], sizes, folds, seeds, seed)
        for name, recipe in recipes.items()
    )
    found = []
    for size in first.sizes:
        held = [np.array([row["held"] for row in curve.folds if row["size"] == size])
                for curve in (first, second)]  # fmt: skip
        found.append(corrected_t(held[0] - held[1], 1 / folds, seeds))
    adjusted = tuple(float(p) for p in holm(np.array([one.p for one in found])))
    metric = first.held[0].metric
    one, other = recipes
    names = one, other
    sentence = _verdict(metric, names, first.sizes, found, adjusted)
    return Crossing(sentence, names, (first, second), first.sizes, tuple(found), adjusted)


def _check_same_rows(recipes: Mapping[str, Recipe], data: Mapping[str, Data]) -> None:
    """Refuse data of other names, and rows with other targets.

    Raises:
        UsageError: they are such.
    """
    if set(data) != set(recipes):
        raise UsageError("each recipe needs its data", where="data",
                         received=", ".join(map(str, data)),
                         do=f"give them as {', '.join(recipes)}")  # fmt: skip
    one, other = data.values()
    same = one.classes == other.classes and np.array_equal(one.targets, other.targets)
    parts = [None if d.test_rows is None else d.test_rows.tolist() for d in (one, other)]
    if not same or parts[0] != parts[1]:
        raise UsageError("the two data are not of the same rows", where="data",
                         received=f"targets or test rows of {one.name} and {other.name} differ",
                         do="give the same rows in the same order")  # fmt: skip


def _verdict(
    metric: str, names: tuple[str, str], sizes: Sequence[int],
    found: Sequence[PairedDifference], adjusted: Sequence[float],
) -> str:  # fmt: skip
    """Which is better at which sizes; only what is clear after the correction is claimed."""
    sign = 1 if METRICS[metric].greater_is_better else -1
    clear = [p < 0.05 for p in adjusted]
    parts = []
    for name, side in zip(names, (1, -1), strict=True):
        at = [f"{size:,}" for size, one, sure in zip(sizes, found, clear, strict=True)
              if sure and side * sign * one.value > 0]  # fmt: skip
        parts += [f"{name} is better with {', '.join(at)} training rows"] if at else []
    rest = [f"{size:,}" for size, sure in zip(sizes, clear, strict=True) if not sure]
    parts += [f"cannot tell with {', '.join(rest)} training rows"] if rest else []
    return "; ".join(parts)
