"""What `explain` gives: rows, their maps, and what there is to say about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chymist.engine.files import write_through
from chymist.reports.maps import Card, map_sheet
from chymist.reports.numbers import number
from chymist.reports.pictures import to_bytes
from chymist.reports.sheets import Sheet
from chymist.reports.style import as_file
from chymist.reports.text import table
from chymist.verbs.writing import place_of_picture

SIZE = 100_000  # bytes of the notebook view
IN_NOTEBOOK = 8  # rows of it
MEANINGS = {  # method -> (how it is called, what is shown, what the strongest colour means)
    "grad-cam": ("Grad-CAM", "What spoke for the answer", "speaks for it"),
    "cam": ("CAM", "Where the evidence for the answer is", "speaks for it"),
    "saliency": ("saliency", "What the answer reacts to", "reacts most"),
    "smooth-grad": ("SmoothGrad", "What the answer reacts to", "reacts most"),
    "input-x-gradient": ("input x gradient", "What spoke for the answer", "speaks for it"),
    "integrated-gradients": ("integrated gradients", "What the answer is made of",
                             "speaks for it"),
    "occlusion": ("occlusion", "What the answer loses where it is covered", "speaks for it"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ExplainedRow:
    """One row and its map.

    Args:
        number: of the row in the data, from 0; None of new rows.
        name: what to call it.
        truth: class or value as it is known; "" of new rows.
        said: what the model predicts.
        probability: of what it predicts; None for values and for losses that estimate none.
        target: the answer that is explained.
        values: the map: (height, width) of an image, (columns,) of a table, (steps, features) of
            a sequence.
        shown: the row as it was read: (height, width, channels), cells by column, (steps,
            features).
        random: the map of the network with random weights, if it was checked.
    """

    number: int | None
    name: str
    truth: str
    said: str
    probability: float | None
    target: str
    values: np.ndarray
    shown: np.ndarray | Mapping[str, Any]
    random: np.ndarray | None = None

    @property
    def sentence(self) -> str:
        """What is true and what was said: "true 4, said 9 (62 %)"."""
        sure = "" if self.probability is None else f" ({100 * self.probability:.0f} %)"
        return f"true {self.truth}, said {self.said}{sure}" if self.truth else (
            f"said {self.said}{sure}")  # fmt: skip

    @property
    def strongest(self) -> str:
        """Where the map is largest in size, in words, places counted from 1."""
        sizes = np.abs(np.nan_to_num(self.values))
        if not sizes.any():
            return "nowhere: the map is 0 everywhere"
        place = np.unravel_index(int(sizes.argmax()), sizes.shape)
        value = number(float(self.values[place]))
        if isinstance(self.shown, Mapping):
            column = list(self.shown)[place[0]]
            return f"{column} = {written(self.shown[column])} ({value})"
        if self.shown.ndim == 3:
            return f"pixel {place[0] + 1},{place[1] + 1} ({value})"
        return f"step {place[0] + 1}, value {place[1] + 1} ({value})"

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values; the map of a table column by column."""
        finite = np.nan_to_num(self.values)
        plain: dict[str, Any] = {
            "row": None if self.number is None else self.number + 1, "name": self.name,
            "true": self.truth or None, "said": self.said, "probability": self.probability,
            "target": self.target, "low": float(finite.min()), "high": float(finite.max()),
            "strongest": self.strongest,
        }  # fmt: skip
        if isinstance(self.shown, Mapping):
            plain["columns"] = dict(zip(self.shown, finite.tolist(), strict=True))
        return plain


@dataclass(frozen=True, eq=False)
class Explanation:
    """Rows of a run and what in them spoke for an answer.

    Args:
        model: its name.
        kind: of the data.
        method: how it was explained.
        target: which answer: "predicted", "true", or its name.
        layer: of class maps, or "".
        unit: of the numbers of a map.
        rows: the rows, each with its map.
        notes: what else is to be known, in sentences.
        checks: how far the maps can be believed, each with a `sentence` and `to_dict()`.
    """

    model: str
    kind: str
    method: str
    target: str
    layer: str
    unit: str
    rows: tuple[ExplainedRow, ...]
    notes: tuple[str, ...] = ()
    checks: tuple[Any, ...] = ()

    @property
    def maps(self) -> np.ndarray:
        """All maps, (rows, ...)."""
        return np.stack([row.values for row in self.rows])

    @property
    def title(self) -> str:
        """What is shown, of which model."""
        where = f", layer '{self.layer}'" if self.layer else ""
        name, shown, _ = MEANINGS[self.method]
        return f"{shown}: {name} of {self.model}{where}"

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of all rows."""
        heads = ["row", "true", "said", "sure", "why", "strongest"]
        cells: list[list[object]] = [
            [row.name, row.truth or "–", row.said,
             "–" if row.probability is None else f"{100 * row.probability:.0f} %",
             row.target, row.strongest]
            for row in self.rows
        ]  # fmt: skip
        return heads, cells

    @property
    def sheet(self) -> Sheet:
        """The picture: each row, its map and what they are, and the notes."""
        return self._sheet(self.rows)

    def svg(self) -> str:
        """The picture as an SVG element."""
        return str(self.sheet.svg())

    def save(self, path: str | Path) -> Path:
        """Write the picture as a file that ends in .svg or .png; returns its path.

        Raises:
            UsageError: the name has another ending.
            InputError: nothing can be written there.
        """
        place = place_of_picture(str(path))
        made = self.sheet
        png = place.suffix.lower() == ".png"
        write_through(place, made.png() if png else as_file(made.svg()).encode())
        return place

    def to_dict(self) -> dict[str, Any]:
        """All but the pixels of the maps, as plain values (the JSON contract)."""
        return {
            "model": self.model, "kind": self.kind, "method": self.method, "target": self.target,
            "layer": self.layer or None, "unit": self.unit,
            "rows": [row.to_dict() for row in self.rows], "notes": list(self.notes),
            "checks": [check.to_dict() for check in self.checks],
        }  # fmt: skip

    def _sheet(self, rows: Sequence[ExplainedRow]) -> Sheet:
        shown: list[Any] = [row.shown for row in rows]
        if self.kind == "image":
            shown = list(to_bytes(np.stack(shown))[0])
        elif self.kind in ("table", "array"):
            shown = [{name: written(cell) for name, cell in one.items()} for one in shown]
        cards = [
            Card(self._words(row), row.values, one, row.random)
            for row, one in zip(rows, shown, strict=True)
        ]
        meaning = MEANINGS[self.method][2]
        legend = {
            "image": meaning, "sequence": f"{meaning}; above the row, below its map",
        }.get(self.kind, f"a bar to the right {meaning}")  # fmt: skip
        said = [str(check.sentence) for check in self.checks]
        if self.kind == "image" and any(row.random is not None for row in rows):
            said.insert(0, "Right of each map: the same of the network with random weights.")
        return map_sheet(self.title, legend, cards, [*said, *self.notes])

    def _words(self, row: ExplainedRow) -> list[str]:
        low, high = _ends(row.values)
        return [
            row.sentence,
            f"why {row.target}: {low:.3g} to {high:.3g}",
            f"row {row.name}" if row.number is not None else row.name,
        ]

    def _repr_html_(self) -> str:
        for dots in (2.0, 1.0, 0.6):
            made = str(self._sheet(self.rows[:IN_NOTEBOOK]).svg(dots))
            if len(made) <= SIZE:
                break
        return made

    def __repr__(self) -> str:
        heads, cells = self.table()
        return f"{self.title}\n{table(cells, heads, 100)}"


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Least and greatest number of a map; one that is nothing beside the other is 0."""
    finite = np.nan_to_num(values)
    low, high = float(finite.min()), float(finite.max())
    near = 1e-3 * max(abs(low), abs(high))
    return (0.0 if abs(low) < near else low), (0.0 if abs(high) < near else high)


def written(cell: Any) -> str:
    """A cell as it is written.

    Example:
        >>> written(0.5), written(None), written("Private"), written(float("nan"))
        ('0.5', '(empty)', 'Private', '(empty)')
    """
    if cell is None or cell == "" or (isinstance(cell, float) and np.isnan(cell)):
        return "(empty)"
    return number(float(cell)) if isinstance(cell, float | int | np.number) else str(cell)
