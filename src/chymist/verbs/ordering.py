"""`error_ordering`: is training error < validation error < test error, in this run?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from chymist.engine.assembly import HEADLINE
from chymist.engine.folder import run_id
from chymist.errors import InputError
from chymist.evidence import Inequality, Looks, inequality, look, score
from chymist.values import Data, Run, Score
from chymist.verbs.predicting import opened


@dataclass(frozen=True)
class ErrorOrdering:
    """The errors of a run in the order in which the rule of thumb has them.

    Args:
        scores: of each part of the rows, by name.
        inequalities: training < validation (< test), each with its answer.
        looks: how often the test rows have been looked at; None if they stayed sealed.
    """

    scores: Mapping[str, Score]
    inequalities: tuple[Inequality, ...]
    looks: Looks | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        looks = {"count": self.looks.count, "runs": self.looks.runs} if self.looks else None
        return {
            "scores": {name: found.to_dict() for name, found in self.scores.items()},
            "inequalities": [found.to_dict() for found in self.inequalities],
            "looks": looks,
        }

    def __repr__(self) -> str:
        lines = [str(found) for found in (*self.scores.values(), *self.inequalities)]
        return "\n".join([*lines, *([str(self.looks)] if self.looks else [])])


def error_ordering(
    run: Run | str | Path, *, test: bool = False, model: Any = None, data: Data | None = None
) -> ErrorOrdering:
    """Check "training error < validation error < test error" in a run.

    The rule holds on average. In a single run each part may be reversed by chance, dropout or
    augmentation, so each inequality gets an interval and may stay open. The parts have different
    rows: the comparison is of two samples.

    Args:
        run: a run, or its folder.
        test: whether to look at the test rows too; the look is counted.
        model: the user's own module or factory, if the run is read from its folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        An `ErrorOrdering`.

    Raises:
        InputError: a part is empty, or the data has changed.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 epochs"), cy.load("iris"))
        >>> cy.error_ordering(run).inequalities[0].answer
        'cannot tell'
    """
    path, split, predictor = opened(run, model, data)
    parts = ("train", "valid", "test") if test else ("train", "valid")
    for name in parts:
        if not len(split.rows(name)):
            raise InputError(f"the run has no {name} rows", where=split.data.name,
                             do=f"fit with --{name} 0.2")  # fmt: skip
    metric, scores = HEADLINE[split.data.task], {}
    for name in parts:
        found = predictor.results(split, split.rows(name))
        chosen = predictor.monitor if name == "valid" else None
        scores[name] = score(found, metric, name, chosen, predictor.seed)
    looks = look(split.data.fingerprint, split.test, run_id(path)) if test else None
    steps = tuple(inequality(a, b) for a, b in pairwise(scores.values()))
    return ErrorOrdering(scores, steps, looks)
