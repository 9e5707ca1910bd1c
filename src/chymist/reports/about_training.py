"""Curves of the training, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.metrics import METRICS
from chymist.reports.charts import COLUMNS, Line, Mark, envelope, line_chart
from chymist.reports.markup import Markup, figure, join, pairs, table, tag
from chymist.reports.numbers import count, metric_name, number, seconds
from chymist.values import SHARES, Run, show

BY_STEP = ("loss", "rate", "gradient_norm", "update_ratio")
NAMES = {"train_loss": "training", "val_loss": "validation"}


def curves_section(run: Run) -> Markup:
    """Loss and metric by epoch, loss and learning rate by step; numbers where one point is all."""
    by_epoch = [name for name in run.history if name not in BY_STEP]
    figures: list[Markup] = []
    if any(len(run.history[name]) > 1 for name in by_epoch):
        figures += [loss_figure(run), *metric_figures(run)]
    if len(run.history.get("loss", ())) > 1:
        figures += [steps_figure(run), rate_figure(run)]
    parts = [tag("div", *figures, class_="grid")] if figures else []
    if by_epoch and not any(len(run.history[name]) > 1 for name in by_epoch):
        parts.append(_only_epoch(run, by_epoch))
    return join(*parts) if parts else tag("p", "No curve was recorded.")


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


def loss_figure(run: Run) -> Markup:
    """Training and validation loss by epoch."""
    lines = _loss_lines(run)
    if not lines:
        return Markup("")
    title = _loss_title(lines)
    best = run.facts.get("best_epoch")
    mark = Mark(float(best), f"kept: epoch {best:g}") if best else None
    unit = "loss"
    picture = line_chart(title, lines, "epoch", unit, best=mark)
    caption = _points(lines) + " Training: mean over the epoch; validation: at its end."
    if mark:
        caption += " The dotted line is the epoch whose weights were kept."
    return figure(title, picture, caption, _epoch_table(run))


def metric_figures(run: Run) -> list[Markup]:
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
            floor = Mark(strongest.score.value, f"floor: {strongest.name[:24]}")
        title = _metric_title(name, x, y)
        lines = [Line("validation", x, y, "s2")]
        best = run.facts.get("best_epoch")
        mark = Mark(float(best), f"kept: epoch {best:g}") if best else None
        axis = metric_name(name)
        picture = line_chart(title, lines, "epoch", axis, percent=percent, floor=floor, best=mark)
        twin = table(
            ["epoch", axis], [[f"{e:g}", show(name, v)] for e, v in zip(x, y, strict=True)], {0, 1}
        )
        found.append(figure(title, picture, _points(lines), twin))
    return found


def steps_figure(run: Run) -> Markup:
    """Loss of every step, with the least and greatest of each pixel column, and its mean."""
    series = np.asarray(run.history.get("loss", np.zeros((0, 2))), np.float64).reshape(-1, 2)
    if not len(series):
        return Markup("")
    x, y = series[:, 0], series[:, 1]
    finite = np.isfinite(y)
    title = _steps_title(x[finite], y[finite])
    lines = [Line("", x, y, "s1", faint=len(y) > 60)]
    caption = f"{count(len(y), 'step')}"
    if len(y) > 60 and finite.any():
        gathered = envelope(x[finite], y[finite], 60)
        lines.append(Line("mean", gathered.x, gathered.mean, "s2"))
        drawn = "every one drawn" if len(y) <= 2 * COLUMNS else (
            f"drawn as first, least, greatest and last value of {COLUMNS} columns"
        )  # fmt: skip
        caption += f", {drawn} (thin); thick line: means of {len(gathered.x)} equal stretches"
    caption += "." + _lost(y)
    return figure(title, line_chart(title, lines, "step", "loss of a batch"), caption,
                  _column_table(x[finite], y[finite], "loss"))  # fmt: skip


def rate_figure(run: Run) -> Markup:
    """Learning rate by step."""
    series = np.asarray(run.history.get("rate", np.zeros((0, 2))), np.float64).reshape(-1, 2)
    series = series[np.isfinite(series[:, 1])]
    if not len(series):
        return Markup("")
    x, y = series[:, 0], series[:, 1]
    top = int(y.argmax())
    if y.min() == y.max():
        title = f"The learning rate was {number(y[0])} throughout."
    else:
        title = (
            f"The learning rate began at {number(y[0])}, was greatest ({number(y[top])}) at "
            f"step {x[top]:,.0f} and ended at {number(y[-1])}."
        )
    picture = line_chart(title, [Line("", x, y, "s3")], "step", "learning rate", zero=True)
    return figure(title, picture, f"{count(len(y), 'step')}.", _column_table(x, y, "rate"))


def time_section(run: Run) -> Markup:
    """Seconds, speed, and the share of time spent waiting for data."""
    facts: Mapping[str, Any] = run.facts
    items: list[tuple[object, object]] = []
    if "seconds" in facts:
        items.append(("all work", seconds(float(facts["seconds"]))))
    for name, words in (("epochs", "epochs"), ("steps", "steps")):
        if name in facts:
            items.append(
                (words, f"{facts[name]:,g}" if facts[name] < 1e5 else f"{facts[name]:,.0f}")
            )
    if "samples_per_second" in facts:
        items.append(("training speed", f"{facts['samples_per_second']:,.0f} rows/s"))
    if "waiting_for_data" in facts:
        items.append(("waiting for data", f"{100 * facts['waiting_for_data']:.1f} % of training"))
    if "threads" in facts:
        items.append(("threads", facts["threads"]))
    note = (
        "All work is preparation, training, scoring and floors; reading the data and starting "
        "Python are not in it."
    )
    return join(pairs(items), tag("p", note, class_="note"))


def _only_epoch(run: Run, names: list[str]) -> Markup:
    """What a single epoch gave, as a table: one point is no curve."""
    rows = []
    for name in sorted(names):
        part, _, metric = name.partition("_")
        words = {"train": "training", "val": "validation"}.get(part, part)
        value = epochs_of(run, name)[1]
        if len(value):
            rows.append([f"{words} {metric_name(metric)}", show(metric, float(value[0]))])
    made = table(["after the only epoch", "value"], rows, {1})
    once = "Solved in one step" if run.facts.get("steps") == 1 else "There was one epoch"
    return join(tag("p", f"{once}: a single point is no curve."), made)


def _loss_lines(run: Run) -> list[Line]:
    kinds = {"train_loss": "s1", "val_loss": "s2"}
    made = []
    for name, kind in kinds.items():
        x, y = epochs_of(run, name)
        if len(x):
            made.append(Line(NAMES[name], x, y, kind))
    return made


def _loss_title(lines: list[Line]) -> str:
    last = lines[-1]
    finite = np.isfinite(last.y)
    if not finite.any():
        return f"The {last.name} loss was never finite."
    at = int(np.nanargmin(np.where(finite, last.y, np.nan)))
    where = f"epoch {last.x[at]:g} of {last.x[-1]:g}"
    return f"The {last.name} loss was lowest ({number(float(last.y[at]))}) after {where}."


def _metric_title(name: str, x: np.ndarray, y: np.ndarray) -> str:
    finite = np.isfinite(y)
    words = f"Validation {metric_name(name)}"
    if not finite.any():
        return f"{words} was never finite."
    greater = name not in METRICS or METRICS[name].greater_is_better
    at = int((np.nanargmax if greater else np.nanargmin)(np.where(finite, y, np.nan)))
    ended = f" and ended at {show(name, float(y[-1]))}" if at < len(y) - 1 else ""
    return f"{words} was best ({show(name, float(y[at]))}) after epoch {x[at]:g}{ended}."


def _steps_title(x: np.ndarray, y: np.ndarray) -> str:
    if not len(y):
        return "The loss was never finite."
    if len(y) == 1:
        return f"The loss of the only batch was {number(y[0])}."
    top = int(y.argmax())
    return (
        f"The loss of a batch went from {number(y[0])} to {number(y[-1])}; "
        f"the greatest was {number(y[top])} at step {x[top]:,.0f}."
    )


def _points(lines: list[Line]) -> str:
    words = " and ".join(f"{len(line.y):,} {line.name}" for line in lines)
    ending = "point" if sum(len(line.y) for line in lines) == 1 else "points"
    return f"{words} {ending}." + _lost(np.concatenate([line.y for line in lines]))


def _lost(y: np.ndarray) -> str:
    lost = int((~np.isfinite(y)).sum())
    return f" Not finite (×): {count(lost, 'point')}." if lost else ""


def _epoch_table(run: Run) -> Markup:
    names = [n for n in ("train_loss", "val_loss") if n in run.history]
    columns = {name: dict(zip(*epochs_of(run, name), strict=True)) for name in names}
    epochs = sorted(set().union(*columns.values()))
    rows = [
        [f"{e:g}", *(number(columns[n][e]) if e in columns[n] else "" for n in names)]
        for e in epochs
    ]
    heads = ["epoch", *(f"{NAMES[n]} loss" for n in names)]
    return table(heads, rows, set(range(len(heads))))


def _column_table(x: np.ndarray, y: np.ndarray, name: str) -> Markup:
    """Values of steps: each of them where they are few, otherwise in equal stretches."""
    if not len(x):
        return Markup("")
    if len(x) <= 60:
        rows = [[f"{a:,.0f}", number(b)] for a, b in zip(x, y, strict=True)]
        return table(["step", name], rows, {0, 1})
    c = envelope(x, y, 60)
    firsts = x[np.cumsum(c.count) - c.count]
    rows = [
        [f"{a:,.0f}", f"{n:,}", *map(number, map(float, values))]
        for a, n, *values in zip(firsts, c.count, c.mean, c.least, c.greatest, strict=True)
    ]
    return table(["from step", "steps", "mean", "least", "greatest"], rows, {0, 1, 2, 3, 4})
