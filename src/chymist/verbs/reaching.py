"""`gradient_reach`: how far back a run looks, before it was trained and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from chymist.engine.assembly import assemble, prepare_split
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence.intervals import Estimate
from chymist.gradients.reach import Reach, reach
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.values import Run, whole_number
from chymist.verbs.records import load_run

Part = Literal["train", "valid"]
KINDS = ("s2", "s1", "s3")


@dataclass(frozen=True, eq=False)
class GradientReach:
    """How far back runs look: gradients of the last output by distance.

    Args:
        start, trained: of each run by its name, with its first weights and with its last.
        rows: how many were looked at.
    """

    start: Mapping[str, Reach]
    trained: Mapping[str, Reach]
    rows: int

    def svg(self) -> Markup:
        """Norm of the gradient over the distance, a line for each run; pale lines at the start."""
        drawn = [
            Line(name, np.arange(len(found.curve)).astype(float), _drawable(found.curve),
                 KINDS[place % len(KINDS)], faint)
            for faint, part in ((True, self.start), (False, self.trained))
            for place, (name, found) in enumerate(part.items())
        ]  # fmt: skip
        return line_chart(
            "How much the last output depends on the input some steps before; pale: at the start",
            drawn, "steps before the last one", "norm of the gradient",
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "rows": self.rows,
            "runs": [
                {"run": name, "weights": when, "steps": found.norms.shape[1],
                 "factor": _plain(found.factor), "distance": _plain(found.distance),
                 "norms": found.curve.tolist()}
                for name, when, found in self._each()
            ],
        }  # fmt: skip

    def _each(self) -> list[tuple[str, str, Reach]]:
        pairs = {"start": self.start, "trained": self.trained}
        return [(name, when, pairs[when][name]) for name in self.start for when in pairs]

    def _repr_html_(self) -> str:
        return str(self.svg())

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}, {when}: a further step multiplies the gradient by {_interval(found.factor)}; "
            f"looks back {_interval(found.distance)} of {found.norms.shape[1] - 1} steps"
            for name, when, found in self._each()
        )


def gradient_reach(
    runs: Run | str | Path | Mapping[str, Run | str | Path], *,
    rows: int = 100, split: Part = "valid", model: Any = None,
) -> GradientReach:  # fmt: skip
    """Measure how much the last output of runs depends on the input t steps before it.

    The norm of the gradient by distance says how far back the loss can reach while training: where
    a further step multiplies it by less than 1, what was long ago is not learned. Each run is
    measured with the weights that it started from and with those it ended with, on the same rows.

    Args:
        runs: a run of data of several steps or its folder, or several by their names.
        rows: how many are looked at, the first ones.
        split: "valid" or "train".
        model: the user's own module or factory, if a run was made with one and is read from its
            folder.

    Returns:
        A `GradientReach`; each part has `factor`, what a further step multiplies the gradient by,
        and `distance`, how many steps the output looks back on average, with intervals over rows.

    Raises:
        InputError: a run of rows without steps, or without rows to look at.
        UsageError: no runs, no such part, or a number out of range.

    Example:
        >>> import chymist as cy
        >>> data = cy.recall_task(rows=60, steps=8)
        >>> run = cy.fit(cy.Recipe(model="rnn", length="1 epochs"), data, doctor=False)
        >>> found = gradient_reach(run, rows=10)
        >>> bool(found.trained["rnn"].factor.value < 1)
        True

    Source: Bengio, Simard, Frasconi 1994, Learning long-term dependencies is difficult.
    """
    rows = whole_number(rows, "rows", 1)
    if split not in get_args(Part):
        raise UsageError("no such rows", where="split", received=repr(split),
                         do=nearest(str(split), get_args(Part)))  # fmt: skip
    named = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    if not named:
        raise UsageError("no runs", where="runs", do="give a run, or several by name")
    start, trained, most = {}, {}, 0
    for name, given in named.items():
        run = given if isinstance(given, Run) else load_run(given, model=model)
        inputs, first = _looked_at(run, rows, split)
        called = name or run.recipe.model.name
        start[called], trained[called] = reach(first, inputs), reach(run.model, inputs)
        most = max(most, len(inputs))
    return GradientReach(start, trained, most)


def _looked_at(run: Run, rows: int, split: Part) -> tuple[Tensor, torch.nn.Module]:
    """The rows as the model gets them, and the model as it was at the start."""
    prepared = prepare_split(run.recipe, run.split)
    assembly = assemble(run.recipe, run.split, run.seed, check=False, prepared=prepared)
    there = assembly.rows(split)
    if not len(there):
        raise InputError("there are no rows to look at", where=f"{split} rows",
                         do="look at the others, or keep rows for validation")  # fmt: skip
    inputs, _ = next(there.batches([torch.arange(min(rows, len(there)))]))
    return inputs, assembly.state.model


def _drawable(curve: np.ndarray) -> np.ndarray:
    """A curve on a logarithmic axis: what is 0 is left out."""
    made: np.ndarray = np.where(curve > 0, curve, np.nan)
    return made


def _interval(found: Estimate) -> str:
    return f"{found.value:.4g} [{found.low:.4g}, {found.high:.4g}]"


def _plain(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
