"""The report of two runs on the same rows: which is better, their curves, what differs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chymist.evidence.comparison import LEVEL
from chymist.evidence.studies import RowPairRecord, RunPairRecord, ends
from chymist.evidence.verdict import amount
from chymist.metrics import find
from chymist.reports.bands import Course, band_chart, differences_chart
from chymist.reports.charts import interval_chart
from chymist.reports.markup import (
    Markup,
    block,
    data_name,
    figure,
    join,
    safe,
    stored,
    table,
    tag,
)
from chymist.reports.numbers import metric_name, part_name
from chymist.reports.page import page
from chymist.reports.saying import Say, saying
from chymist.reports.study_parts import SERIES, bullets, cell_text, points_text, span_text
from chymist.values import SHARES, show

Curves = Mapping[str, np.ndarray]
KINDS = ("s2", "s1")  # the first run is drawn whole, the second dashed


def runs_html(
    found: RunPairRecord, curves: Curves, script: str, lang: str = "en"
) -> str:  # fmt: skip
    """The report of two runs as one HTML page: no script, no request to anywhere.

    Args:
        found: the comparison.
        curves: recorded series of both by name, (2, epochs).
        script: Python source that does the same.
        lang: "en" or "zh".

    Returns:
        The page; the same two runs give the same bytes.
    """
    say = saying(lang)
    sections = [
        ("verdict", say("Verdict"), _verdict(found, say)),
        ("rows", say("Row by row"), _rows(found, say)),
        ("curves", say("Training"), _curves(found, curves, say)),
        ("recipes", say("What differs"), _differs(found, say)),
        ("again", say("Doing it again"), _again(found, script, say)),
        ("limits", say("What this report cannot tell"), _limits(say)),
    ]
    heading = join(say("Two runs on "), data_name(found.data.name))
    eyebrow = say("chymist report of two runs")
    return page(f"{found.data.name}: two runs", eyebrow, heading, sections, say)


def names_of(found: RunPairRecord) -> tuple[str, str]:
    """The last parts of the two folders, if they differ.

    Example:
        >>> from types import SimpleNamespace as N
        >>> names_of(N(rows=[N(run="runs/a"), N(run="runs/b")]))
        ('a', 'b')
    """
    a, b = (one.run for one in found.rows)
    short = a.rstrip("/").rpartition("/")[2], b.rstrip("/").rpartition("/")[2]
    return short if short[0] != short[1] else (a, b)


def _verdict(found: RunPairRecord, say: Say) -> Markup:
    """The sentence and both scores."""
    metric, (a, b) = found.rows[0].metric, (one.score for one in found.rows)
    title = say("{metric} on {n} {part} rows", metric=metric_name(metric, say), n=f"{a.n:,}",
                part=part_name(a.split, say))  # fmt: skip
    better = say("more is better") if find(metric).greater_is_better else say("less is better")
    caption = say("Axis: {metric} ({better}); lines are 95 % intervals of each score alone.",
                  metric=metric_name(metric, say), better=better)  # fmt: skip
    rows = [(name, s.value, s.low, s.high) for name, s in zip(names_of(found), (a, b), strict=True)]
    picture = interval_chart(title, rows, lambda value: show(metric, value))
    twin = table([say("run"), metric_name(metric, say), say("95 % interval"), say("rows")],
                 [[one.run, show(metric, one.score.value), span_text(one.score), f"{one.n:,}"]
                  for one in found.rows], {1, 2, 3})  # fmt: skip
    return join(
        tag("p", stored(found.verdict, say, 1200), class_="verdict"),
        figure(safe(title), picture, caption, twin, say),
        *(tag("p", stored(note, say), class_="caution note") for note in found.notes),
    )  # fmt: skip


def _rows(found: RunPairRecord, say: Say) -> Markup:
    """The paired difference, and who has which rows right."""
    pair, metric = found.pairs[0], found.rows[0].metric
    value, low, high = ends(pair.difference, pair.low, pair.high)
    names = names_of(found)
    size = amount(metric, value, low, high, say=say)
    title = say("The difference is {size}, p = {p}.", size=size, p=f"{pair.p:.2g}")
    drawn = [(f"{names[0]} − {names[1]}", value, low, high, pair.better is not None)]
    picture = differences_chart(title, drawn, points_text(metric, say))
    parts = [figure(safe(title), picture, _test_words(pair, metric, say), say=say)]
    if pair.both is not None:
        heads = [
            say("rows"),
            say("{name} right", name=names[1]),
            say("{name} wrong", name=names[1]),
        ]
        parts.append(table(heads, [
            [say("{name} right", name=names[0]), f"{pair.both:,}", f"{pair.only_a:,}"],
            [say("{name} wrong", name=names[0]), f"{pair.only_b:,}", f"{pair.neither:,}"],
        ], {1, 2}))  # fmt: skip
        parts.append(tag("p", say("Only rows that one has right and the other wrong decide: "
                                  "{a} against {b}.", a=pair.only_a, b=pair.only_b),
                         class_="note"))  # fmt: skip
    return join(*parts)


def _test_words(pair: RowPairRecord, metric: str, say: Say) -> str:
    """Which test it is."""
    level = f"{LEVEL:g}"
    if metric in ("accuracy", "error", "f1_micro") and pair.both is not None:
        return say("McNemar's exact test on the rows; the interval excludes zero exactly if p is "
                   "below {level}.", level=level)  # fmt: skip
    return say("A paired test on the rows: DeLong's for an area under a curve, else the bootstrap "
               "of the difference. The interval is at 95 %.")  # fmt: skip


def _curves(found: RunPairRecord, curves: Curves, say: Say) -> Markup:
    """What both recorded, beside each other."""
    made = []
    for name, values in curves.items():
        finite = values[np.isfinite(values)]
        if not len(finite) or len(values) != 2:
            continue
        metric = name.removeprefix("val_")
        loss = name in SERIES
        what = (say.word(SERIES[name]) if loss
                else say("{metric}, validation rows", metric=metric_name(metric, say)))  # fmt: skip
        lasts = [one[np.isfinite(one)][-1:] for one in values]
        text = [show(metric, float(last[0])) if len(last) and not loss
                else f"{float(last[0]):.4g}" if len(last) else "–" for last in lasts]  # fmt: skip
        title = say("{what} ends at {a} and {b}.", what=what, a=text[0], b=text[1])
        courses = [Course(label, values[n : n + 1], KINDS[n])
                   for n, label in enumerate((say("first"), say("second")))]  # fmt: skip
        picture = band_chart(title, courses, (say("epoch"), what),
                             percent=not loss and metric in SHARES)  # fmt: skip
        made.append(figure(safe(title), picture, twin=_epochs(values, say), say=say))
    if not made:
        return tag("p", say("No curve was recorded."))
    a, b = names_of(found)
    legend = say("First: {a}. Second: {b}.", a=a, b=b)
    return join(tag("p", legend, class_="note"), tag("div", *made, class_="grid"))


def _epochs(values: np.ndarray, say: Say) -> Markup:
    """Both courses as a table of at most 60 epochs."""
    chosen = np.unique(np.linspace(0, values.shape[1] - 1, 60).round().astype(np.int64))
    rows = [[int(e) + 1, *(f"{v:.4g}" if np.isfinite(v) else "–" for v in values[:, e])]
            for e in chosen]  # fmt: skip
    return table([say("epoch"), say("first"), say("second")], rows, {0, 1, 2})


def _differs(found: RunPairRecord, say: Say) -> Markup:
    """Fields of recipe, seed and rows that differ."""
    if not found.differs:
        return tag("p", say("Nothing differs: same recipe, seed and training rows."))
    rows = [[say.word(name), *map(cell_text, values)] for name, values in found.differs.items()]
    return table([say("field"), *names_of(found)], rows)


def _again(found: RunPairRecord, script: str, say: Say) -> Markup:
    runs = " ".join(one.run for one in found.rows)
    return join(tag("h3", say("The command")), block(f"chymist compare-runs {runs}"),
                tag("h3", say("The same in Python")), block(script))  # fmt: skip


def _limits(say: Say) -> Markup:
    return bullets([
        say("These are two trained models, one training each: the interval is about the rows. "
            "Another seed may say otherwise; `chymist compare` trains several."),
        say("New rows are taken to come from where these rows came from."),
    ])  # fmt: skip
