"""Models of a given number of parameters: the width that comes nearest to it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from chymist.errors import UsageError
from chymist.models.counting import count_fitted
from chymist.parts import Part
from chymist.values import Shapes, whole_number

WIDEST = 2**20


def sized(model: Callable[[int], Part], shapes: Shapes, parameters: int) -> Part:
    """The model of a family whose number of parameters is nearest to a given one.

    Models of several kinds are compared fairly at equal numbers of parameters, and so are deep and
    wide ones.

    Args:
        model: from a width, 1, 2, ..., to a model that has more parameters the wider it is.
        shapes: of inputs and outputs.
        parameters: the number that is wanted.

    Returns:
        The model.

    Raises:
        UsageError: even a width of 1 has twice as many, or none has half of them.

    Example:
        >>> from chymist import models
        >>> deep = sized(lambda n: models.mlp(hidden=(n, n, n)), Shapes((64,), 10), 4810)
        >>> deep.options["hidden"], parameters_of(deep, Shapes((64,), 10))
        ((33, 33, 33), 4729)
    """
    wanted = whole_number(parameters, "parameters", 1)
    low, high = 1, 1
    while parameters_of(model(high), shapes) < wanted and high < WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _short(model, middle, shapes, wanted) else (low, middle)
    counts = {width: parameters_of(model(width), shapes) for width in (low, high)}
    best = min(counts, key=lambda width: abs(counts[width] - wanted))
    if not wanted / 2 <= counts[best] <= 2 * wanted:
        raise UsageError("no width has about so many parameters", where="parameters",
                         received=f"{wanted:,}",
                         do=f"the nearest has {counts[best]:,}")  # fmt: skip
    return model(best)


def parameters_of(model: Part, shapes: Shapes) -> int:
    """How many parameters a model has for given inputs and outputs; none is drawn.

    Example:
        >>> from chymist import models
        >>> parameters_of(models.mlp(hidden=(64,)), Shapes((64,), 10))
        4810
    """
    with torch.device("meta"):
        return count_fitted(model.build(shapes))


def _short(model: Callable[[int], Part], width: int, shapes: Shapes, wanted: int) -> bool:
    return parameters_of(model(width), shapes) < wanted
