"""Curves of the training, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.metrics import METRICS
from chymist.reports.charts import COLUMNS, Line, Mark, bars, envelope, line_chart
from chymist.reports.markup import Markup, figure, join, pairs, table, tag
from chymist.reports.numbers import metric_name, number, seconds, share
from chymist.reports.saying import ENGLISH, Say
from chymist.values import SHARES, Run, show

BY_STEP = ("loss", "rate", "gradient_norm", "update_ratio")
NAMES = {"train_loss": "training", "val_loss": "validation"}


def curves_section(run: Run, say: Say = ENGLISH) -> Markup:
    """Loss and metric by epoch, loss and learning rate by step; numbers where one point is all."""
    by_epoch = [name for name in run.history if name not in BY_STEP]
    figures: list[Markup] = []
    if any(len(run.history[name]) > 1 for name in by_epoch):
        figures += [loss_figure(run, say), *metric_figures(run, say)]
    if len(run.history.get("loss", ())) > 1:
        figures += [steps_figure(run, say), rate_figure(run, say)]
    parts = [tag("div", *figures, class_="grid")] if figures else []
    if by_epoch and not any(len(run.history[name]) > 1 for name in by_epoch):
        parts.append(_only_epoch(run, by_epoch, say))
    return join(*parts) if parts else tag("p", say("No curve was recorded."))


def epochs_of(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A series that is recorded once an epoch, as epochs (points,) and values (points,).

    Args:
        run: the run.
        name: name of the series ("val_loss"); empty arrays if it was not recorded.
    """
    series = np.asarray(run.history.get(name, np.zeros((0, 2))), np.float64).reshape(-1, 2)
    per_epoch = run.facts.get("steps_per_epoch")
    if not per_epoch:
        return np.arange(1.0, len(series) + 1), series[:, 1]
    return series[:, 0] / per_epoch, series[:, 1]


def loss_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """Training and validation loss by epoch."""
    lines = _loss_lines(run, say)
    if not lines:
        return Markup("")
    title = _loss_title(lines, say)
    mark = _kept(run, say)
    picture = line_chart(title, lines, say("epoch"), say("loss"), best=mark, say=say)
    caption = _points(lines, say)
    caption += say(" Training: mean over the epoch; validation: at its end.")
    if mark:
        caption += say(" The dotted line is the epoch whose weights were kept.")
    return figure(title, picture, caption, _epoch_table(run, say), say)


def _kept(run: Run, say: Say) -> Mark | None:
    """The epoch whose weights were kept, if it was chosen."""
    best = run.facts.get("best_epoch")
    return Mark(float(best), say("kept: epoch {n}", n=f"{best:g}")) if best else None


def metric_figures(run: Run, say: Say = ENGLISH) -> list[Markup]:
    """Each validation metric by epoch, with the strongest floor where it has the same metric."""
    found = []
    for series in sorted(run.history):
        name = series.removeprefix("val_")
        if name == series or name == "loss":
            continue
        x, y = epochs_of(run, series)
        percent = name in SHARES
        floor = None
        if run.floors and run.score.metric == name and run.score.split == "valid":
            strongest = run.floors[0]
            floor_name = (say.again(strongest.name) or strongest.name)[:24]
            floor = Mark(strongest.score.value, say("floor: {name}", name=floor_name))
        title = _metric_title(name, x, y, say)
        lines = [Line(say("validation"), x, y, "s2")]
        axis, epoch = metric_name(name, say), say("epoch")
        picture = line_chart(title, lines, epoch, axis, percent=percent, floor=floor,
                             best=_kept(run, say), say=say)  # fmt: skip
        values = [[f"{e:g}", show(name, v)] for e, v in zip(x, y, strict=True)]
        twin = table([epoch, axis], values, {0, 1}, say=say)
        found.append(figure(title, picture, _points(lines, say), twin, say))
    return found


def steps_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """Loss of every step, with the least and greatest of each pixel column, and its mean."""
    series = np.asarray(run.history.get("loss", np.zeros((0, 2))), np.float64).reshape(-1, 2)
    if not len(series):
        return Markup("")
    x, y = series[:, 0], series[:, 1]
    finite = np.isfinite(y)
    title = _steps_title(x[finite], y[finite], say)
    lines = [Line("", x, y, "s1", faint=len(y) > 60)]
    caption = say.counted(len(y), "{n} step", "{n} steps")
    if len(y) > 60 and finite.any():
        gathered = envelope(x[finite], y[finite], 60)
        lines.append(Line(say("mean"), gathered.x, gathered.mean, "s2"))
        drawn = say("every one drawn") if len(y) <= 2 * COLUMNS else (
            say("drawn as first, least, greatest and last value of {n} columns", n=COLUMNS)
        )  # fmt: skip
        caption += say(", {drawn} (thin); thick line: means of {n} equal stretches",
                       drawn=drawn, n=len(gathered.x))  # fmt: skip
    caption += say(".") + _lost(y, say)
    picture = line_chart(title, lines, say("step"), say("loss of a batch"), say=say)
    return figure(title, picture, caption,
                  _column_table(x[finite], y[finite], say("loss"), say), say)  # fmt: skip


def rate_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """Learning rate by step."""
    series = np.asarray(run.history.get("rate", np.zeros((0, 2))), np.float64).reshape(-1, 2)
    series = series[np.isfinite(series[:, 1])]
    if not len(series):
        return Markup("")
    x, y = series[:, 0], series[:, 1]
    top = int(y.argmax())
    if y.min() == y.max():
        title = say("The learning rate was {rate} throughout.", rate=number(y[0]))
    else:
        title = say(
            "The learning rate began at {first}, was greatest ({top}) at step {step} and ended at "
            "{last}.",
            first=number(y[0]), top=number(y[top]), step=f"{x[top]:,.0f}", last=number(y[-1]),
        )  # fmt: skip
    lines, rate = [Line("", x, y, "s3")], say("learning rate")
    picture = line_chart(title, lines, say("step"), rate, zero=True, say=say)
    caption = say.counted(len(y), "{n} step", "{n} steps") + say(".")
    return figure(title, picture, caption, _column_table(x, y, say("rate"), say), say)


def time_section(run: Run, say: Say = ENGLISH) -> Markup:
    """Seconds, speed, and the share of time spent waiting for data."""
    facts: Mapping[str, Any] = run.facts
    items: list[tuple[object, object]] = []
    if "seconds" in facts:
        items.append((say("all work"), seconds(float(facts["seconds"]), say)))
    for name, words in (("epochs", say("epochs")), ("steps", say("steps"))):
        if name in facts:
            items.append(
                (words, f"{facts[name]:,g}" if facts[name] < 1e5 else f"{facts[name]:,.0f}")
            )
    if "samples_per_second" in facts:
        speed = f"{facts['samples_per_second']:,.0f}"
        items.append((say("training speed"), say("{n} rows/s", n=speed)))
    if "waiting_for_data" in facts:
        waited = f"{100 * facts['waiting_for_data']:.1f} %"
        items.append((say("waiting for data"), say("{share} of training", share=waited)))
    if "threads" in facts:
        items.append((say("threads"), facts["threads"]))
    note = say(
        "All work is preparation, training, scoring and floors; reading the data and starting "
        "Python are not in it."
    )
    return join(pairs(items), spent_figure(run, say), tag("p", note, class_="note"))


def spent_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """Seconds before, in and after training; nothing for a run from before they were kept."""
    spent: Mapping[str, float] = run.facts.get("spent") or {}
    whole = sum(spent.values())
    if not whole:
        return Markup("")
    parts = {
        say("getting ready"): spent["before"], say("training"): spent["training"],
        say("waiting for data"): spent["training"] * float(run.facts["waiting_for_data"]),
        say("scores, floors"): spent["after"],
    }  # fmt: skip
    title = say("{share} of the time was training.", share=share(spent["training"], whole))
    rows = [(name, part, seconds(part, say)) for name, part in parts.items()]
    caption = say("Waiting for data is a part of training, as validation after each epoch is; the "
                  "doctor's last look stands with the scores.")  # fmt: skip
    return figure(title, bars(title, rows), caption, say=say)


def _only_epoch(run: Run, names: list[str], say: Say) -> Markup:
    """What a single epoch gave, as a table: one point is no curve."""
    rows = []
    for name in sorted(names):
        part, _, metric = name.partition("_")
        words = {"train": "training", "val": "validation"}.get(part, part)
        value = epochs_of(run, name)[1]
        if len(value):
            name = say("{part} {metric}", part=say.word(words), metric=metric_name(metric, say))
            rows.append([name, show(metric, float(value[0]))])
    made = table([say("after the only epoch"), say("value")], rows, {1}, say=say)
    said = say("There was one epoch: a single point is no curve.")
    if run.facts.get("steps") == 1:
        said = say("Solved in one step: a single point is no curve.")
    return join(tag("p", said), made)


def _loss_lines(run: Run, say: Say) -> list[Line]:
    kinds = {"train_loss": "s1", "val_loss": "s2"}
    made = []
    for name, kind in kinds.items():
        x, y = epochs_of(run, name)
        if len(x):
            made.append(Line(say.word(NAMES[name]), x, y, kind))
    return made


def _loss_title(lines: list[Line], say: Say) -> str:
    last = lines[-1]
    finite = np.isfinite(last.y)
    if not finite.any():
        return say("The {part} loss was never finite.", part=last.name)
    at = int(np.nanargmin(np.where(finite, last.y, np.nan)))
    return say(
        "The {part} loss was lowest ({loss}) after epoch {at} of {last}.",
        part=last.name, loss=number(float(last.y[at])), at=f"{last.x[at]:g}",
        last=f"{last.x[-1]:g}",
    )  # fmt: skip


def _metric_title(name: str, x: np.ndarray, y: np.ndarray, say: Say) -> str:
    finite = np.isfinite(y)
    words = metric_name(name, say)
    if not finite.any():
        return say("Validation {metric} was never finite.", metric=words)
    greater = name not in METRICS or METRICS[name].greater_is_better
    at = int((np.nanargmax if greater else np.nanargmin)(np.where(finite, y, np.nan)))
    ended = ""
    if at < len(y) - 1:
        ended = say(" and ended at {value}", value=show(name, float(y[-1])))
    return say("Validation {metric} was best ({value}) after epoch {at}{ended}.", metric=words,
               value=show(name, float(y[at])), at=f"{x[at]:g}", ended=ended)  # fmt: skip


def _steps_title(x: np.ndarray, y: np.ndarray, say: Say) -> str:
    if not len(y):
        return say("The loss was never finite.")
    if len(y) == 1:
        return say("The loss of the only batch was {loss}.", loss=number(y[0]))
    top = int(y.argmax())
    return say(
        "The loss of a batch went from {first} to {last}; the greatest was {top} at step {step}.",
        first=number(y[0]), last=number(y[-1]), top=number(y[top]), step=f"{x[top]:,.0f}",
    )  # fmt: skip


def _points(lines: list[Line], say: Say) -> str:
    words = say(" and ").join(
        say("{n} {part}", n=f"{len(line.y):,}", part=line.name) for line in lines
    )
    one = sum(len(line.y) for line in lines) == 1
    ended = say("{parts} point.", parts=words) if one else say("{parts} points.", parts=words)
    return ended + _lost(np.concatenate([line.y for line in lines]), say)


def _lost(y: np.ndarray, say: Say) -> str:
    lost = int((~np.isfinite(y)).sum())
    if not lost:
        return ""
    return say.counted(lost, " Not finite (×): {n} point.", " Not finite (×): {n} points.")


def _epoch_table(run: Run, say: Say) -> Markup:
    names = [n for n in ("train_loss", "val_loss") if n in run.history]
    columns = {name: dict(zip(*epochs_of(run, name), strict=True)) for name in names}
    epochs = sorted(set().union(*columns.values()))
    rows = [
        [f"{e:g}", *(number(columns[n][e]) if e in columns[n] else "" for n in names)]
        for e in epochs
    ]
    heads = [say("epoch"), *(say("{part} loss", part=say.word(NAMES[n])) for n in names)]
    return table(heads, rows, set(range(len(heads))), say=say)


def _column_table(x: np.ndarray, y: np.ndarray, name: str, say: Say) -> Markup:
    """Values of steps: each of them where they are few, otherwise in equal stretches."""
    if not len(x):
        return Markup("")
    if len(x) <= 60:
        rows = [[f"{a:,.0f}", number(b)] for a, b in zip(x, y, strict=True)]
        return table([say("step"), name], rows, {0, 1}, say=say)
    c = envelope(x, y, 60)
    firsts = x[np.cumsum(c.count) - c.count]
    rows = [
        [f"{a:,.0f}", f"{n:,}", *map(number, map(float, values))]
        for a, n, *values in zip(firsts, c.count, c.mean, c.least, c.greatest, strict=True)
    ]
    heads = [say("from step"), say("steps"), say("mean"), say("least"), say("greatest")]
    return table(heads, rows, {0, 1, 2, 3, 4}, say=say)
