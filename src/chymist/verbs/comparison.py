"""The value that a comparison is: its verdict, its entries, its pairs, and how they print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.evidence import Entry, Pair
from chymist.evidence.comparison import T_TEST
from chymist.evidence.verdict import amount
from chymist.protocols import Cut
from chymist.reports import markup
from chymist.reports.text import table
from chymist.values import Floor, Score, show

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

    @property
    def metric(self) -> str:
        """Name of the metric that they are compared by."""
        return self.entries[0].score.metric

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of entries, with the floor as its last row."""
        metric = self.metric
        heads = ["", metric, "95 % interval", "folds ±", "parameters", "time", "trained as"]
        cells: list[list[object]] = []
        by_folds = any(pair.test == T_TEST for pair in self.pairs)
        for entry in self.entries:
            count = entry.facts["parameters"]
            spread = show(metric, float(np.std(entry.values, ddof=1))) if by_folds else ""
            cells.append([
                entry.name, show(metric, entry.score.value), _interval(metric, entry.score),
                spread, "" if count is None else f"{count:,}",
                f"{entry.facts['seconds']:.1f} s", entry.facts["executor"],
            ])  # fmt: skip
        score = self.floor.score
        value = show(metric, score.value)
        cells.append([self.floor.name, value, _interval(metric, score), "", "", "", "floor"])
        return heads, cells

    def pair_rows(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells of the table of pairs."""
        heads = ["pair", "difference [95 %]", "p", "p (Holm)", "P(equal)", "better"]
        cells: list[list[object]] = []
        for pair in self.pairs:
            within = "" if pair.equivalent is None else f"{pair.equivalent:.2f}"
            cells.append([
                f"{pair.a} - {pair.b}", amount(self.metric, pair.difference, pair.low, pair.high),
                f"{pair.p:.2g}", f"{pair.p_holm:.2g}", within, pair.better or "cannot tell",
            ])  # fmt: skip
        return heads, cells

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values (the JSON contract)."""
        return {
            "verdict": self.verdict, "metric": self.metric, "design": self.design,
            "rows": [entry.to_dict() for entry in self.entries],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "floor": {"name": self.floor.name, **self.floor.score.to_dict()},
            "out": dict(self.out), "notes": list(self.notes), "sealed": self.sealed,
            "plan": dict(self.plan), "seconds": self.seconds,
        }  # fmt: skip

    def __repr__(self) -> str:
        parts = [self.verdict, *self.notes]
        for heads, cells in (self.rows(), self.pair_rows()):
            parts += ["", table(cells, heads, WIDTH)] if cells else []
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        sentence = markup.tag("p", markup.tag("strong", self.verdict))
        notes = [markup.tag("p", note) for note in self.notes]
        tables = [
            markup.table(heads, cells, limit=len(cells))
            for heads, cells in (self.rows(), self.pair_rows())
            if cells
        ]
        return markup.tag("div", sentence, *notes, *tables)


def _interval(metric: str, score: Score) -> str:
    return f"[{show(metric, score.low)}, {show(metric, score.high)}]"
