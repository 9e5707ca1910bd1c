"""The value that a comparison is: its verdict, its entries, its pairs, and how they print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chymist.evidence import Entry, Pair
from chymist.evidence.studies import ComparisonRecord
from chymist.protocols import Cut
from chymist.reports import markup
from chymist.reports.about_comparison import MOST_PAIRS, entry_cells, pair_cells
from chymist.reports.notebook import glance
from chymist.reports.saying import ENGLISH
from chymist.reports.text import table
from chymist.values import Floor
from chymist.verbs.study_pages import comparison_page
from chymist.verbs.study_records import record_of

WIDTH = 100  # characters of a printed table


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison gave.

    Args:
        verdict: one sentence that says who wins.
        entries: how each did on rows that its models had not seen, best first.
        pairs: every two of them, the better-ranked first.
        floor: what the majority class, or the mean, reaches on the same rows.
        out: entries that could not be compared, and why.
        notes: what else is to be known, in sentences.
        design: how it was measured, "10 folds x 3 seeds".
        cuts: the rows of each training of an entry, in the order of its values and predictions.
        sealed: whether test rows exist that were not given.
        plan: what was measured to choose the forms of populations.
        seconds: all work.
        how: data, protocol, seeds and the like, as plain values.
        curves: recorded series of the trainings, by number of the entry and name.
    """

    verdict: str
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    floor: Floor
    out: Mapping[str, str]
    notes: tuple[str, ...]
    design: str
    cuts: tuple[Cut, ...]
    sealed: bool
    plan: Mapping[str, Any]
    seconds: float
    how: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """Name of the metric that they are compared by."""
        return self.entries[0].score.metric

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of entries, with the floor as its last row."""
        return entry_cells(record_of(self, ComparisonRecord), ENGLISH)

    def pair_rows(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of pairs."""
        return pair_cells(list(self.pairs), self.metric, ENGLISH)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values (the JSON contract)."""
        how = dict(self.how)
        return {
            "verdict": self.verdict, "metric": self.metric, "design": self.design,
            "rows": [entry.to_dict() for entry in self.entries],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "floor": {"name": self.floor.name, **self.floor.score.to_dict()},
            "out": dict(self.out), "notes": list(self.notes), "sealed": self.sealed,
            "plan": dict(self.plan), "seconds": self.seconds,
            "data": how.pop("data", {"name": ""}), "how": how,
        }  # fmt: skip

    def __repr__(self) -> str:
        parts = [self.verdict, *self.notes]
        for heads, cells in (self.rows(), self.pair_rows()):
            parts += ["", table(cells, heads, WIDTH)] if cells else []
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        heads, cells = self.pair_rows()
        against = markup.table(heads, cells, {2, 3, 4}, MOST_PAIRS) if cells else ""
        return glance(comparison_page(self.to_dict(), self.curves), against)
