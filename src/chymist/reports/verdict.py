"""The first thing a reader sees: who wins, by how much, on which rows, against which floors."""

from __future__ import annotations

from chymist.metrics import find
from chymist.reports.charts import interval_chart
from chymist.reports.markup import Markup, data_name, figure, join, stored, table, tag
from chymist.reports.numbers import interval, metric_name, part_name, rows_of
from chymist.reports.saying import ENGLISH, Say
from chymist.values import Run, Score, show


def verdict_section(run: Run, say: Say = ENGLISH) -> Markup:
    """Verdict, headline score with its interval, cautions and floors."""
    score = run.score
    rows = rows_of(score.n, score.split, say)
    if score.groups is not None:
        rows += say.counted(score.groups, " in {n} group, by group", " in {n} groups, by group")
    ends = say("95 % interval {interval}, on {rows}.", interval=interval(score, say), rows=rows)
    headline = tag(
        "div",
        tag("p", _label(score, say), class_="eyebrow"),
        tag("p", show(score.metric, score.value), class_="big"),
        tag("p", ends),
        *(tag("p", text, class_="caution note") for text in cautions(score, say)),
    )
    body = tag("div", headline, floors_figure(run, say), class_="head")
    notes = run.facts.get("notes", ())  # a run from before they were kept has none
    said = [tag("p", stored(text, say, 400)) for text in notes]
    return join(tag("p", stored(run.verdict, say), class_="verdict"), body, *said)


def cautions(score: Score, say: Say = ENGLISH) -> list[str]:
    """What a reader must know before believing the score."""
    found = []
    if score.split == "train":
        found.append(say(
            "These are the training rows: the score says how well they were learnt, "
            "not how new rows will do."
        ))  # fmt: skip
    if score.selected_on:
        found.append(say(
            "Weights or rate were chosen by {series} on these rows, so the score is optimistic.",
            series=score.selected_on,
        ))  # fmt: skip
    if score.n < 30:
        found.append(say.counted(score.n, "Only {n} row: the interval is rough.",
                                 "Only {n} rows: the interval is rough."))  # fmt: skip
    return found


def floors_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """The model and its floors on one axis, with their intervals."""
    model = run.recipe.model.name if run.recipe.model else ""
    own = say("{model} (this run)", model=model) if model else say("this run")
    scores = [(own, run.score), *((_floor_name(f.name, say), f.score) for f in run.floors)]
    if len(scores) == 1:
        return tag("p", say("There is no floor to compare with."), class_="note")
    metric = run.score.metric
    title = _floors_title(run, say)
    rows = [(name, s.value, s.low, s.high) for name, s in scores]
    picture = interval_chart(title, rows, lambda value: show(metric, value))
    better = say("more is better") if find(metric).greater_is_better else say("less is better")
    caption = say(
        "Axis: {metric} ({better}), on the same {rows}; lines are 95 % intervals of each score "
        "alone; an arrow is a score off the axis. The verdict compares row by row.",
        metric=metric_name(metric, say), better=better,
        rows=say.counted(run.score.n, "{n} row", "{n} rows"),
    )  # fmt: skip
    twin = table(
        [say("method"), metric_name(metric, say), say("low"), say("high"), say("rows")],
        [
            [data_name(name), *(show(metric, v) for v in (s.value, s.low, s.high)), f"{s.n:,}"]
            for name, s in scores
        ],
        numbers={1, 2, 3, 4},
        say=say,
    )
    return figure(title, picture, caption, twin, say)


def _floors_title(run: Run, say: Say) -> str:
    strongest = run.floors[0]
    value = show(run.score.metric, strongest.score.value)
    floor = _floor_name(strongest.name, say)
    if len(run.floors) == 1:
        return say("The only floor, {floor}, reaches {value}.", floor=floor, value=value)
    template = "The strongest of {n} floors, {floor}, reaches {value}."
    return say(template, n=len(run.floors), floor=floor, value=value)


def _floor_name(name: str, say: Say) -> str:
    """A floor in the language of the report; one of the user's has a name of its own."""
    return say.again(name) or name


def _label(score: Score, say: Say) -> str:
    part = part_name(score.split, say)
    return say("{metric}, {part} rows", metric=metric_name(score.metric, say), part=part)
