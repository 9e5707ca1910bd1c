"""The page of an imported log: its curves, and what cannot be told without model and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup, data_name, figure, join, pairs, safe, table, tag
from chymist.reports.numbers import number
from chymist.reports.page import page
from chymist.reports.saying import Say, saying

MOST_FIGURES = 24
MOST_ROWS = 200
LOSSES = {"train_loss": "s1", "val_loss": "s2", "test_loss": "s3"}
ENGLISH = saying("en")


@dataclass(frozen=True)
class LogFacts:
    """What the page of a log is made of.

    Args:
        name: of the log.
        kind: "event files" or "csv".
        unit: what the steps count: "step", "epoch" or "row".
        series: by name, (points, 2) of step and value.
        tags: by name, the name in the log.
        notes: what is to be known, in sentences.
        claims: code and claim of each finding.
    """

    name: str
    kind: str
    unit: str
    series: Mapping[str, np.ndarray]
    tags: Mapping[str, str]
    notes: Sequence[str]
    claims: Sequence[tuple[str, str]]


def log_html(log: LogFacts, say: Say = ENGLISH) -> str:
    """The report of an imported log as one HTML page: no script, no request to anywhere.

    Args:
        log: what it is made of.
        say: says its words.

    Returns:
        The page; the same log gives the same bytes.
    """
    limits = [tag("li", text) for text in _limits(say)]
    sections = [
        ("verdict", say("What this is"), _about(log, say)),
        ("findings", say("Findings"), _findings(log.claims, say)),
        ("curves", say("Curves"), _curves(log, say)),
        ("series", say("All series"), _table(log, say)),
        ("limits", say("What this report cannot tell"), tag("ul", *limits)),
    ]
    title, eyebrow = f"{log.name}: chymist", say("chymist report of an imported log")
    return page(title, eyebrow, data_name(log.name), sections)


def _limits(say: Say) -> list[str]:
    """What a careful reader would ask and this report has no answer to."""
    return [
        say("There is no model and there are no rows: nothing can be scored, predicted or "
            "explained."),
        say("Values are those of the log. How they were made, and on which rows, it does not "
            "say."),
        say("Curves show symptoms; what causes them takes the rows and the model to find out."),
    ]  # fmt: skip


def _about(log: LogFacts, say: Say) -> Markup:
    units = {"step": say("steps"), "epoch": say("epochs"), "row": say("rows of the table")}
    return join(
        tag("p", say("Imported: no model, no rows."), class_="verdict"),
        pairs([
            (say("from"), say("event files") if log.kind == "event files" else say("a CSV file")),
            (say("series"), f"{len(log.series):,}"),
            (say("points"), f"{sum(map(len, log.series.values())):,}"),
            (say("steps count"), units[log.unit]),
        ]),
        *(tag("p", safe(note, 400), class_="note") for note in log.notes),
    )  # fmt: skip


def _findings(claims: Sequence[tuple[str, str]], say: Say) -> Markup:
    if not claims:
        return tag("p", say("The curves alone show nothing wrong."))
    return tag("ul", *(tag("li", tag("strong", code), ": ", safe(text)) for code, text in claims))


def _curves(log: LogFacts, say: Say) -> Markup:
    """The losses together, then every other series of two points or more."""
    series = log.series
    units = {"step": say("step"), "epoch": say("epoch"), "row": say("row of the table")}
    unit = units[log.unit]
    together = {n: kind for n, kind in LOSSES.items() if len(series.get(n, ())) > 1}
    figures = []
    if together:
        lines = [_line(n.removesuffix("_loss"), series[n], kind) for n, kind in together.items()]
        chart = line_chart(say("Losses"), lines, unit, say("loss"))
        figures.append(figure(say("Losses"), chart))
    others = [n for n in series if n not in together and len(series[n]) > 1]
    for name in others[: MOST_FIGURES - len(figures)]:
        lines = [_line("", series[name], "s2")]
        chart = line_chart(str(safe(name, 60)), lines, unit, say("value"))
        figures.append(figure(data_name(name), chart))
    left = len(others) - (MOST_FIGURES - bool(together))
    more = tag("p", say("{n} more series are in the table.", n=f"{left:,}")) if left > 0 else ""
    return join(tag("div", *figures, class_="grid"), more)


def _line(name: str, points: np.ndarray, kind: str) -> Line:
    order = np.argsort(points[:, 0], kind="stable")
    return Line(name, points[order, 0], points[order, 1], kind)


def _table(log: LogFacts, say: Say) -> Markup:
    rows = []
    for name, points in list(log.series.items())[:MOST_ROWS]:
        values = points[~np.isnan(points[:, 1]), 1]
        low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
        rows.append([
            data_name(name), data_name(log.tags.get(name, name)), f"{len(points):,}",
            *(number(float(v)) for v in (points[-1, 1], low, high)),
        ])  # fmt: skip
    heads = [say("series"), say("in the log"), say("points"), say("last"), say("lowest"),
             say("highest")]  # fmt: skip
    more = len(log.series) - MOST_ROWS
    left = tag("p", say("{n} more series are in the record.", n=f"{more:,}")) if more > 0 else ""
    return join(table(heads, rows, {2, 3, 4, 5}), left)
