"""The page of an imported log: its curves, and what cannot be told without model and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup, data_name, figure, join, pairs, safe, table, tag
from chymist.reports.numbers import number
from chymist.reports.page import page

MOST_FIGURES = 24
LOSSES = {"train_loss": "s1", "val_loss": "s2", "test_loss": "s3"}
LIMITS = (
    "There is no model and there are no rows: nothing can be scored, predicted or explained.",
    "Values are those of the log. How they were made, and on which rows, it does not say.",
    "Curves show symptoms; what causes them takes the rows and the model to find out.",
)


def log_html(
    name: str, kind: str, unit: str, series: Mapping[str, np.ndarray], tags: Mapping[str, str],
    notes: Sequence[str], claims: Sequence[tuple[str, str]],
) -> str:  # fmt: skip
    """The report of an imported log as one HTML page: no script, no request to anywhere.

    Args:
        name: of the log.
        kind: "event files" or "csv".
        unit: what the steps count.
        series: by name, (points, 2) of step and value.
        tags: by name, the name in the log.
        notes: what is to be known, in sentences.
        claims: code and claim of each finding.

    Returns:
        The page; the same log gives the same bytes.
    """
    said = [("findings", "Findings", _findings(claims))]
    sections = [
        ("verdict", "What this is", _about(kind, unit, series, notes)),
        *said,
        ("curves", "Curves", _curves(series, unit)),
        ("series", "All series", _table(series, tags)),
        ("limits", "What this report cannot tell",
         tag("ul", *(tag("li", text) for text in LIMITS))),
    ]  # fmt: skip
    return page(f"{name}: imported log", "chymist report of an imported log",
                data_name(name), sections)  # fmt: skip


def _about(kind: str, unit: str, series: Mapping[str, np.ndarray], notes: Sequence[str]) -> Markup:
    points = sum(map(len, series.values()))
    return join(
        tag("p", "Imported: no model, no rows.", class_="verdict"),
        pairs([("from", kind), ("series", f"{len(series):,}"), ("points", f"{points:,}"),
               ("steps count", f"{unit}s")]),
        *(tag("p", safe(note, 400), class_="note") for note in notes),
    )  # fmt: skip


def _findings(claims: Sequence[tuple[str, str]]) -> Markup:
    if not claims:
        return tag("p", "The curves alone show nothing wrong.")
    return tag("ul", *(tag("li", tag("strong", code), ": ", safe(text)) for code, text in claims))


def _curves(series: Mapping[str, np.ndarray], unit: str) -> Markup:
    """The losses together, then every other series of two points or more."""
    together = {n: kind for n, kind in LOSSES.items() if len(series.get(n, ())) > 1}
    figures = []
    if together:
        lines = [_line(n.removesuffix("_loss"), series[n], kind) for n, kind in together.items()]
        figures.append(figure("Losses.", line_chart("Losses", lines, unit, "loss")))
    others = [n for n in series if n not in together and len(series[n]) > 1]
    for name in others[: MOST_FIGURES - len(figures)]:
        chart = line_chart(str(safe(name, 60)), [_line("", series[name], "s2")], unit, "value")
        figures.append(figure(join(data_name(name), "."), chart))
    left = len(others) - (MOST_FIGURES - bool(together))
    more = f"{left:,} more series are in the table." if left > 0 else ""
    return join(tag("div", *figures, class_="grid"), tag("p", more) if more else "")


def _line(name: str, points: np.ndarray, kind: str) -> Line:
    order = np.argsort(points[:, 0], kind="stable")
    return Line(name, points[order, 0], points[order, 1], kind)


def _table(series: Mapping[str, np.ndarray], tags: Mapping[str, str]) -> Markup:
    rows = []
    for name, points in list(series.items())[:200]:
        low, high = np.nanmin(points[:, 1]), np.nanmax(points[:, 1])
        rows.append([
            data_name(name), data_name(tags.get(name, name)), f"{len(points):,}",
            number(float(points[-1, 1])), number(float(low)), number(float(high)),
        ])  # fmt: skip
    heads = ["series", "in the log", "points", "last", "lowest", "highest"]
    return table(heads, rows, {2, 3, 4, 5})
