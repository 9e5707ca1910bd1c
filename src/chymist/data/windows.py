"""Windows of a series: some steps, and the steps that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from chymist.data.arrays import measured
from chymist.data.tabular import finished
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Data, Graph


def window_starts(first: int, last: int, steps: int, ahead: int) -> np.ndarray:
    """Where the windows begin whose steps and targets lie within first..last-1.

    Example:
        >>> window_starts(10, 16, steps=3, ahead=2)
        array([10, 11])
    """
    return np.arange(first, max(first, last - steps - ahead + 1), dtype=np.int64)


def windows_of(
    series: np.ndarray, *, steps: int, ahead: int, parts: Sequence[int], graph: Graph | None = None,
    name: str = "series", target: str = "value",
) -> Data:  # fmt: skip
    """A series of several values as rows of steps, with the next steps as targets.

    Args:
        series: (time, values).
        steps: steps of a row.
        ahead: steps that follow, all of them targets, flattened: those of the first step first.
        parts: where training, validation and test part begin in time, and where the last one
            ends; windows lie within a part.
        graph: among the values, or None.
        name: name of the data.
        target: name of the target.

    Returns:
        Data of kind "sequence": inputs (rows, steps, values), targets (rows, ahead x values).

    Raises:
        InputError: a part is shorter than a window.

    Example:
        >>> data = windows_of(np.arange(20.0)[:, None], steps=3, ahead=2, parts=(0, 10, 15, 20))
        >>> data.inputs[0].ravel().tolist(), data.targets[0].tolist()
        ([0.0, 1.0, 2.0], [3.0, 4.0])
    """
    borders = list(pairwise(parts))
    starts = [window_starts(first, last, steps, ahead) for first, last in borders]
    if not all(len(part) for part in starts):
        raise InputError("a part of the series is shorter than a window", where=name,
                         received=f"{min(b - a for a, b in borders)} steps, {steps} + {ahead}",
                         do="give a longer series, or fewer steps")  # fmt: skip
    rows = np.concatenate(starts)
    whole = measured(np.asarray(series))
    inputs = whole[rows[:, None] + np.arange(steps)]
    goals = whole[rows[:, None] + steps + np.arange(ahead)].astype(np.float64)
    targets = goals.reshape(len(rows), -1)
    data = Data(name, "sequence", "regression", inputs, targets, target=target, graph=graph,
                notes=(f"a row is {steps} steps; its target the next {ahead}",))  # fmt: skip
    made = finished(data, Targets("regression", targets, ()), None)
    ends = np.cumsum([len(part) for part in starts])
    train, valid, test = np.split(np.arange(len(rows)), ends[:2])
    return replace(made, train_rows=train, valid_rows=valid, test_rows=test)
