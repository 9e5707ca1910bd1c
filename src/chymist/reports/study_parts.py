"""What the reports of studies have in common: how it was measured, doing it again, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np

from chymist.evidence.bands import band_of
from chymist.evidence.studies import DataRecord, How
from chymist.reports.bands import Course, band_chart, drawn_lines
from chymist.reports.charts import Mark
from chymist.reports.markup import Markup, block, data_name, figure, join, safe, table, tag
from chymist.reports.numbers import metric_name
from chymist.reports.saying import Say
from chymist.values import SHARES, Score, show

SERIES = {"train_loss": "training loss", "val_loss": "validation loss"}
MOST_ROWS = 60  # of a table of epochs


def span_text(score: Score) -> str:
    """The interval of a score."""
    return f"[{show(score.metric, score.low)}, {show(score.metric, score.high)}]"


def points_text(metric: str, say: Say) -> Callable[[float], str]:
    """A way to write differences of a metric: of shares in points."""

    def text(value: float) -> str:
        if metric in SHARES:
            return say("{value} points", value=f"{100 * value:z.1f}")
        return f"{value:.3g}"

    return text


def value_text(metric: str, value: float) -> str:
    """A value, or a dash where there is none."""
    return show(metric, value) if isfinite(value) else "–"


def stored_text(sentence: str, say: Say) -> str:
    """Recorded words in the language of the report, or as they are.

    Example:
        >>> from chymist.reports.saying import saying
        >>> stored_text("as it was", saying("zh"))
        'as it was'
    """
    return say.again(sentence) or sentence


def executor_text(executor: str, say: Say) -> str:
    """How trainings were carried out, in words."""
    known = {
        "population": say("as one program"), "loop": say("each by itself"),
        "closed form": say("in closed form, from one fit"), "scikit-learn": "scikit-learn",
    }  # fmt: skip
    return known.get(executor, executor)


def seeds_caution(seeds: int, say: Say) -> Markup:
    """That fewer than three seeds tell nothing of another initialisation."""
    if seeds >= 3:
        return Markup("")
    text = say("Cannot tell how much another seed would change: {n} of them are too few, "
               "three are the least.", n=seeds)  # fmt: skip
    if seeds == 1:
        text = say("Cannot tell how much another seed would change: there was one, three are "
                   "the least.")  # fmt: skip
    return tag("p", text, class_="caution note")


def curve_figures(
    courses: Sequence[tuple[str, dict[str, np.ndarray]]], say: Say, floor: Mark | None = None
) -> Markup:
    """Recorded series of several kinds of trainings, a chart a kind and series, with bands.

    Args:
        courses: name of a kind, and its series by name, (trainings, epochs).
        say: language of the report.
        floor: a level of the headline metric, drawn beside it.
    """
    names = dict.fromkeys(name for _, series in courses for name in series)
    made = []
    for name in [n for n in names if n in SERIES or n.startswith("val_")]:
        there = [(kind, series[name]) for kind, series in courses if name in series]
        every = np.concatenate([values.ravel() for _, values in there])
        finite = every[np.isfinite(every)]
        if not len(finite):
            continue
        heights = (float(finite.min()), float(finite.max()))
        metric = name.removeprefix("val_")
        for kind, values in there:
            made.append(_curve_figure(kind, metric, name, values, heights, say,
                                      floor if name not in SERIES else None))  # fmt: skip
    if not made:
        return tag("p", say("No curve was recorded."), class_="note")
    return join(
        tag("p", say(
            "Thin lines are trainings, the thick one is their mean after every epoch. The band is "
            "the 95 % interval of the mean (Student's t) of three or more trainings, the range of "
            "two; one has none. Folds share most of their training rows, so their band is a "
            "description, no test."), class_="note"),
        tag("div", *made, class_="grid"),
    )  # fmt: skip


def _curve_figure(
    kind: str, metric: str, name: str, values: np.ndarray, heights: tuple[float, float], say: Say,
    floor: Mark | None,
) -> Markup:  # fmt: skip
    """One series of one kind of trainings."""
    count, drawn = len(values), drawn_lines(len(values))
    loss = name in SERIES
    what = (
        say(SERIES[name])
        if loss
        else say("{metric}, validation rows", metric=metric_name(metric, say))
    )
    percent = not loss and metric in SHARES
    ends = band_of(values)
    known = np.flatnonzero(np.isfinite(ends.mean))
    last = float(ends.mean[known[-1]]) if len(known) else float("nan")
    text = show(metric, last) if not loss else f"{last:.4g}"
    title = say("{what} ends at {value} on average.", what=what, value=text)
    title = f"{kind}: {title}" if kind else title[:1].upper() + title[1:]
    picture = band_chart(title, [Course("", values, "s2")], (say("epoch"), what),
                         percent=percent, heights=heights, floor=floor)  # fmt: skip
    caption = say("{n} trainings.", n=f"{count:,}")
    if drawn < count:
        caption = say("{n} trainings, {drawn} of them drawn as thin lines; mean and band are of "
                      "all.", n=f"{count:,}", drawn=drawn)  # fmt: skip
    chosen = np.unique(np.linspace(0, len(ends.mean) - 1, MOST_ROWS).round().astype(np.int64))
    rows = [
        [int(e) + 1, *(f"{v[e]:.4g}" if isfinite(v[e]) else "–" for v in ends[:3]),
         int(ends.runs[e])]
        for e in chosen
    ]  # fmt: skip
    heads = [say("epoch"), say("mean"), say("low"), say("high"), say("trainings")]
    return figure(safe(title), picture, caption, table(heads, rows, {0, 1, 2, 3, 4}), say)


def how_items(data: DataRecord, how: How, sealed: bool, say: Say) -> list[tuple[object, object]]:
    """How rows were cut and where they came from, as names and values."""
    seeds = f"{how.seed}" if how.seeds < 2 else f"{how.seed} … {how.seed + how.seeds - 1}"
    seeds = seeds if how.seeds else say("not recorded")
    rows: list[tuple[object, object]] = [
        (say("data"), join(data_name(data.name), f", {data.kind}" if data.kind else "")),
        (say("rows"), f"{data.rows:,}" if data.rows else "–"),
        (say("data fingerprint"), tag("code", data.fingerprint)),
    ]
    if how.protocol:
        rows.append((say("rows were cut by"), tag("code", how.protocol)))
        rows.append((say("trainings of each"), f"{len(how.fits):,}"))
    rows.append((say("seeds"), seeds))
    for name, value in (("group", how.group), ("time", how.time)):
        if value is not None:
            rows.append((say("rows of a group stay together, by") if name == "group"
                         else say("rows in time, by"), data_name(value)))  # fmt: skip
    kept = say("yes, and none of them was given")
    none = say("none: all rows were used")
    return [*rows, (say("test rows sealed"), kept if sealed else none)]


def again_section(how: How, script: str, say: Say, *more: object) -> Markup:
    """The command and the script that do the same."""
    parts = []
    if how.command:
        parts += [tag("h3", say("The command")), block(how.command)]
    if script:
        parts += [tag("h3", say("The same in Python")), block(script)]
    if how.own:
        parts.append(tag("p", say("The caller gave arrays of its own ({names}): they are not in "
                                  "this page.", names=", ".join(how.own)),
                         class_="note"))  # fmt: skip
    promise = say(
        "The same seed, versions, machine and number of threads give the same bits; another "
        "machine gives the same up to rounding. Seconds differ."
    )
    return join(*parts, *more, tag("p", promise, class_="note"))


def bullets(said: Sequence[str]) -> Markup:
    """Sentences as a list."""
    return tag("ul", *(tag("li", safe(text, 500)) for text in said))


def cell_text(value: object) -> str:
    """A value of a recipe as the text of a cell.

    Example:
        >>> cell_text([64, 32]), cell_text(None)
        ('64,32', '–')
    """
    if value is None:
        return "–"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
