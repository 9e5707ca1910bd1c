"""The first thing a reader sees: who wins, by how much, on which rows, against which floors."""

from __future__ import annotations

from chymist.metrics import find
from chymist.reports.charts import interval_chart
from chymist.reports.markup import Markup, figure, join, safe, table, tag
from chymist.reports.numbers import count, interval, metric_name, part_name
from chymist.values import Run, Score, show


def verdict_section(run: Run) -> Markup:
    """Verdict, headline score with its interval, cautions and floors."""
    score = run.score
    rows = count(score.n, f"{part_name(score.split)} row")
    rows += "" if score.groups is None else f" in {count(score.groups, 'group')}, by group"
    headline = tag(
        "div",
        tag("p", _label(score), class_="eyebrow"),
        tag("p", show(score.metric, score.value), class_="big"),
        tag("p", f"95 % interval {interval(score)}, on {rows}."),
        *(tag("p", text, class_="caution note") for text in cautions(score)),
    )
    body = tag("div", headline, floors_figure(run), class_="head")
    notes = run.facts.get("notes", ())  # a run from before they were kept has none
    said = [tag("p", safe(text, 400)) for text in notes]
    return join(tag("p", run.verdict, class_="verdict"), body, *said)


def cautions(score: Score) -> list[str]:
    """What a reader must know before believing the score."""
    found = []
    if score.split == "train":
        found.append(
            "These are the training rows: the score says how well they were learnt, "
            "not how new rows will do."
        )
    if score.selected_on:
        found.append(
            f"Weights or rate were chosen by {score.selected_on} on these rows, "
            "so the score is optimistic."
        )
    if score.n < 30:
        found.append(f"Only {count(score.n, 'row')}: the interval is rough.")
    return found


def floors_figure(run: Run) -> Markup:
    """The model and its floors on one axis, with their intervals."""
    scores = [
        (f"{run.recipe.model.name} (this run)" if run.recipe.model else "this run", run.score)
    ]
    scores += [(floor.name, floor.score) for floor in run.floors]
    if len(scores) == 1:
        return tag("p", "There is no floor to compare with.", class_="note")
    metric = run.score.metric
    title = _floors_title(run)
    rows = [(name, s.value, s.low, s.high) for name, s in scores]
    picture = interval_chart(title, rows, lambda value: show(metric, value))
    better = "more" if find(metric).greater_is_better else "less"
    caption = (
        f"Axis: {metric_name(metric)} ({better} is better), on the same "
        f"{count(run.score.n, 'row')}; "
        "lines are 95 % intervals of each score alone; an arrow is a score off the axis. "
        "The verdict compares row by row."
    )
    twin = table(
        ["method", metric_name(metric), "low", "high", "rows"],
        [
            [name, *(show(metric, v) for v in (s.value, s.low, s.high)), f"{s.n:,}"]
            for name, s in scores
        ],
        numbers={1, 2, 3, 4},
    )
    return figure(title, picture, caption, twin)


def _floors_title(run: Run) -> str:
    strongest = run.floors[0]
    value = show(run.score.metric, strongest.score.value)
    which = f"strongest of {len(run.floors)} floors" if len(run.floors) > 1 else "only floor"
    return f"The {which}, {strongest.name}, reaches {value}."


def _label(score: Score) -> str:
    return f"{metric_name(score.metric)}, {part_name(score.split)} rows"
