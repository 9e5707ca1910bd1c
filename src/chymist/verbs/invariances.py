"""`invariance`: what shifts, scales and deformations of images do to the answers of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chymist.data.deforming import CHANGES, Change
from chymist.engine.assembly import HEADLINE
from chymist.engine.rows import in_turn
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import score
from chymist.reports.charts import Line, line_chart
from chymist.reports.svg import side_by_side
from chymist.values import Data, Predictions, Run, Score, Split, show
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.writing import save_drawing


@dataclass(frozen=True)
class Probe:
    """Answers on rows that were changed by several amounts.

    Args:
        change: "shift", "scale", "rotation", "shear", "elastic" or "resolution".
        unit: of the amounts.
        none: the amount that changes nothing.
        amounts: ascending.
        scores: accuracy at each amount, with its interval.
        same: share of the answers that are those of the unchanged rows, with its interval.
    """

    change: str
    unit: str
    none: float
    amounts: tuple[float, ...]
    scores: tuple[Score, ...]
    same: tuple[Score, ...]

    def to_dict(self) -> dict[str, Any]:
        """The probe as plain values (the JSON contract)."""
        points = zip(self.amounts, self.scores, self.same, strict=True)
        return {"change": self.change, "unit": self.unit, "none": self.none, "points": [
            {"amount": a, "score": s.to_dict(), "same": same.to_dict()} for a, s, same in points
        ]}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Invariance:
    """What a run does not mind.

    Args:
        model: its name.
        score: on the unchanged validation rows.
        probes: one a change.
    """

    model: str
    score: Score
    probes: tuple[Probe, ...]

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of all amounts."""
        heads = ["change", "amount", "accuracy", "95 % interval", "same answer"]
        cells: list[list[object]] = []
        for probe in self.probes:
            points = zip(probe.amounts, probe.scores, probe.same, strict=True)
            for number, (amount, one, same) in enumerate(points):
                value, low, high, alike = (
                    show("accuracy", v) for v in (one.value, one.low, one.high, same.value)
                )
                name = "" if number else probe.change
                unit = "pixel" if (probe.unit, amount) == ("pixels", 1) else probe.unit
                cells.append([name, f"{amount:g} {unit}", value, f"[{low}, {high}]", alike])
        return heads, cells

    def svg(self) -> str:
        """Accuracy and share of same answers by amount, a chart for each change, as one SVG."""
        return str(
            side_by_side("What the answers do as images change", [*map(_chart, self.probes)])
        )

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def to_dict(self) -> dict[str, Any]:
        """All probes as plain values (the JSON contract)."""
        probes = [probe.to_dict() for probe in self.probes]
        return {"model": self.model, "score": self.score.to_dict(), "probes": probes}

    def _repr_html_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        names = ", ".join(probe.change for probe in self.probes)
        return f"Invariance({self.model}: {names}; {self.score})"


def invariance(
    run: Run | str | Path,
    changes: Sequence[str] | Mapping[str, Sequence[float]] = tuple(CHANGES),
    *,
    model: Any = None,
    data: Data | None = None,
) -> Invariance:
    """Change the validation rows of a run of images by known amounts, and see what it answers.

    Each row is moved four ways, turned two ways, and so on: its answers stand together in the
    intervals. At the amount that changes nothing the accuracy is the score of the run. What stands
    beyond the border of an image is taken to be its nearest pixel. Test rows are not looked at.

    Args:
        run: a run that classifies images, or its folder.
        changes: some of "shift" (pixels), "scale" (% of the size), "rotation", "shear" (degrees),
            "elastic" (% of the side, root mean square), "resolution" (% of the rows and columns
            that are kept); or the amounts of each by name.
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        An `Invariance`: `table()`, `save("invariance.svg")`.

    Raises:
        UsageError: no images, no classes, an unknown change or an amount that makes no sense.
        InputError: the run has no validation rows.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="mlp", length="5 epochs")
        >>> found = cy.invariance(cy.fit(recipe, cy.load("digits")), {"shift": (0, 1)})
        >>> found.probes[0].scores[0] == found.score
        True

    Source: the course's probes of a CNN; Goodfellow et al. 2009, Measuring invariances in deep
        networks.
    """
    if not changes or isinstance(changes, str) or len(set(changes)) < len(changes):
        raise UsageError("no list of different changes", where="changes",
                         received=repr(changes)[:60], do='give ["shift", "scale"]')  # fmt: skip
    asked = changes if isinstance(changes, Mapping) else dict.fromkeys(changes, ())
    for name, amounts in asked.items():
        _check(name, amounts)
    _, split, predictor = opened(run, model, data)
    whole = split.data
    if whole.kind != "image" or whole.task != "classification":
        raise UsageError("the probes change images of classes", where="run",
                         received=f"{whole.task} of data of kind '{whole.kind}'",
                         do="give a run that classifies images")  # fmt: skip
    if not len(split.valid):
        raise InputError("the run has no valid rows", where=whole.name, do="fit with --valid 0.2")
    plain = predictor.results(split, split.valid)
    whole_score = score(plain, HEADLINE[whole.task], "valid", predictor.monitor, predictor.seed)
    side = min(predictor.preparation.input_shape[1:])
    probes = tuple(
        _probe(name, tuple(sorted(map(float, amounts or CHANGES[name].usual(side)))),
               _Rows(split, predictor, plain, whole_score))
        for name, amounts in asked.items()
    )  # fmt: skip
    return Invariance(predictor.name, whole_score, probes)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The validation rows of a run, and what it says of them."""

    split: Split
    predictor: Predictor
    plain: Predictions
    score: Score

    def changed(self, change: Change, amount: float) -> Predictions:
        """What it says of changed rows: all ways of a row are a group."""
        data, rows = self.split.data, self.split.valid
        found: list[np.ndarray] = []
        with torch.no_grad():
            for batch in in_turn(self.predictor.rows(data, rows)):
                ways = change.make(batch, amount)
                found.append(np.stack([self.predictor.outputs([way]) for way in ways], 1))
        outputs = np.concatenate(found)
        ways_of_a_row = outputs.shape[1]
        own = self.split.groups_of(rows)
        groups = np.arange(len(rows)) if own is None else own
        if ways_of_a_row == 1:
            return replace(self.plain, outputs=outputs[:, 0])
        return Predictions(
            rows.repeat(ways_of_a_row), data.targets[rows].repeat(ways_of_a_row),
            outputs.reshape(-1, outputs.shape[2]), groups.repeat(ways_of_a_row),
            self.predictor.estimated,
        )  # fmt: skip


def _probe(name: str, amounts: tuple[float, ...], rows: _Rows) -> Probe:
    """One change by all its amounts."""
    change, plain = CHANGES[name], rows.plain
    scores, same = [], []
    for amount in amounts:
        found = plain if amount == change.none else rows.changed(change, amount)
        ways = len(found.targets) // len(plain.targets)
        scored = score(found, "accuracy", "valid", rows.score.selected_on, rows.predictor.seed)
        scores.append(rows.score if amount == change.none else scored)
        before = replace(found, targets=plain.labels.repeat(ways))
        same.append(score(before, "accuracy", "valid", None, rows.predictor.seed))
    return Probe(name, change.unit, change.none, amounts, tuple(scores), tuple(same))


def _check(name: str, amounts: Sequence[float]) -> None:
    """Refuse changes that do not exist and amounts that make no sense.

    Raises:
        UsageError: it is so.
    """
    if name not in CHANGES:
        raise UsageError("unknown change", where="changes", received=repr(name)[:60],
                         do=nearest(str(name), CHANGES))  # fmt: skip
    known = CHANGES[name]
    whole = name == "shift"
    for amount in amounts:
        number = isinstance(amount, int | float) and np.isfinite(amount)
        fits = number and known.low <= amount <= known.high
        if not fits or (whole and amount != round(amount)):
            kind = "whole number" if whole else "number"
            limit = f" to {known.high:g}" if np.isfinite(known.high) else ""
            raise UsageError(f"no amount of '{name}'", where="changes", received=repr(amount)[:60],
                             do=f"give a {kind} of {known.unit} from {known.low:g}{limit}"
                             )  # fmt: skip


def _chart(probe: Probe) -> Any:
    """Accuracy and share of same answers by amount."""
    x = np.array(probe.amounts)
    lines = [
        Line("accuracy", x, np.array([s.value for s in probe.scores]), "s2"),
        Line("same", x, np.array([s.value for s in probe.same]), "s1"),
        *(Line("", x, np.array([getattr(s, end) for s in probe.scores]), "s2", faint=True)
          for end in ("low", "high")),
    ]  # fmt: skip
    title = f"Accuracy and share of same answers by {probe.change}"
    return line_chart(title, lines, f"{probe.change}, {probe.unit}", "share of rows",
                      percent=True, zero=True)  # fmt: skip
