"""The data card: what was read, which rows are for what, classes or target, columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.reports.charts import bars, binned, fit, histogram
from chymist.reports.markup import CELL, Markup, data_name, figure, join, pairs, stored, table, tag
from chymist.reports.numbers import number, share
from chymist.reports.pictures import data_uri, to_bytes
from chymist.reports.saying import ENGLISH, Say
from chymist.values import KIND_NAMES, Column, Run

SAMPLED, SAMPLES, SAMPLE_SIDE = 10, 6, 34  # classes, pictures of each, pixels
BARS = 30  # classes with a bar of their own


def data_section(run: Run, say: Say = ENGLISH) -> Markup:
    """The data card of a run."""
    data, split = run.data, run.split
    parts = [(name, split.rows(name)) for name in ("train", "valid", "test")]
    sealed = say("test (sealed) rows") if len(split.test) else say("test rows")
    names = {"train": say("training rows"), "valid": say("validation rows"), "test": sealed}
    what = say.word(KIND_NAMES[data.kind])
    task = say.counted(len(data.classes), "{n} class", "{n} classes") if data.classes else (
        say("a number"))  # fmt: skip
    kind = say("{kind}, {n} rows", kind=what, n=f"{len(data):,}")
    card = pairs([
        (say("name"), data_name(data.name)),
        (say("kind"), kind),
        (say("input"), _shape(data.inputs, say)),
        (say("target"), join(data_name(data.target), say(", "), task)),
        *((names[n], join(f"{len(r):,} (", share(len(r), len(data)), ")")) for n, r in parts),
        (say("split"), say("{method}, seed {seed}", method=say.again(split.method) or split.method,
                           seed=split.seed)),
        (say("fingerprint"), tag("code", data.fingerprint[:16])),
    ])  # fmt: skip
    notes = [tag("li", stored(note, say)) for note in data.notes[:50]]
    said = tag("ul", *notes, class_="note") if notes else ""
    return join(
        card,
        said,
        tag("div", target_figure(run, say), samples_figure(run, say), class_="grid"),
        columns_table(run, say),
    )


def target_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """How often each class occurs, or how the target is spread."""
    return _classes_figure(run, say) if run.data.classes else _target_figure(run, say)


def samples_figure(run: Run, say: Say = ENGLISH) -> Markup:
    """A few training pictures of each class, as they were read."""
    data, train = run.data, run.split.train
    if data.kind != "image" or not data.classes or not len(train):
        return Markup("")
    labels = data.targets[train]
    picked = [train[labels == i][:SAMPLES] for i in range(min(len(data.classes), SAMPLED))]
    images, said = to_bytes(np.asarray(data.take(np.concatenate(picked))), say)
    uris = iter([data_uri(image, SAMPLE_SIDE) for image in images])
    cells: list[Markup] = []
    for name, rows in zip(data.classes, picked, strict=False):
        cells.append(tag("span", data_name(name, 24)))
        cells += [tag("img", src=Markup(next(uris)), alt="") for _ in rows]
        cells += [tag("i")] * (SAMPLES - len(rows))
    title = say("The first {n} training pictures of each class.", n=SAMPLES)
    if len(data.classes) > SAMPLED:
        title = say("The first {n} training pictures of the first {classes} classes.",
                    n=SAMPLES, classes=SAMPLED)  # fmt: skip
    return figure(title, tag("div", *cells, class_="samples"), said, say=say)


def columns_table(run: Run, say: Say = ENGLISH) -> Markup:
    """Columns of a table: kind, missing and distinct cells, use."""
    columns = run.data.columns
    if run.data.kind != "table" or not columns:
        return Markup("")
    filled: Mapping[str, int] = run.facts.get("filled") or {}
    rows = [
        [data_name(c.name), say.word(c.kind), f"{c.missing:,}", f"{c.distinct:,}",
         _use(c, filled, say)]
        for c in columns
    ]  # fmt: skip
    used = f"{sum(c.used for c in columns):,}"
    heading = say.counted(len(columns), "{used} of {n} column are used as features.",
                          "{used} of {n} columns are used as features.", used=used)  # fmt: skip
    heads = [say("column"), say("kind"), say("missing"), say("distinct"), say("use")]
    return join(tag("h3", heading), table(heads, rows, {2, 3}, say=say))


def _use(column: Column, filled: Mapping[str, int], say: Say) -> Markup:
    use = say("feature") if column.used else say("not used")
    said = stored(column.note, say, CELL) if column.note else use
    if not filled.get(column.name):
        return join(said)
    cells = say.counted(filled[column.name], "{n} empty training cell filled",
                        "{n} empty training cells filled")  # fmt: skip
    return join(said, say(", "), cells)


def _shape(inputs: Any, say: Say) -> str:
    if isinstance(inputs, Mapping):
        return say.counted(len(inputs), "{n} column", "{n} columns")
    return " × ".join(f"{n:,}" for n in inputs.shape[1:]) or say("one number")


def _classes_figure(run: Run, say: Say) -> Markup:
    data, split = run.data, run.split
    size = len(data.classes)
    total = data.class_counts()
    order = np.arange(size) if size <= BARS else np.argsort(-total, kind="stable")
    shown = order[:BARS]
    rows = [
        (data.classes[i], float(total[i]), f"{total[i]:,} · {share(total[i], int(total.sum()))}")
        for i in shown
    ]
    most, least = int(total.argmax()), int(total.argmin())
    ratio = total[most] / max(total[least], 1)
    title = say.counted(size, "The {n} class are about equally frequent.",
                        "The {n} classes are about equally frequent.")  # fmt: skip
    if ratio >= 1.5:
        title = say("Class {most} is {ratio} times as frequent as {least}.",
                    most=fit(data.classes[most], 30), ratio=f"{ratio:.1f}",
                    least=fit(data.classes[least], 30))  # fmt: skip
    rows_are = data.targets.ndim == 1
    caption = say("Rows of each class in all {n} rows.", n=f"{len(data):,}") if rows_are else (
        say("Steps of each class in all {n} rows.", n=f"{len(data):,}"))  # fmt: skip
    if size > BARS:
        caption += say(" The {n} most frequent of {all} classes.", n=BARS, all=f"{size:,}")
    per_part = [data.class_counts(split.rows(n)) for n in ("train", "valid", "test")]
    twin = table(
        [say("class"), say("all"), say("share"), say("train"), say("valid"), say("test")],
        [
            [data_name(data.classes[i]), f"{total[i]:,}", share(total[i], int(total.sum())),
             *(f"{part[i]:,}" for part in per_part)]
            for i in order
        ],
        {1, 2, 3, 4, 5}, say=say,
    )  # fmt: skip
    return figure(title, bars(title, rows), caption, twin, say)


def _target_figure(run: Run, say: Say) -> Markup:
    data = run.data
    values = np.asarray(data.targets, np.float64).reshape(len(data), -1)
    outputs = values.shape[1]
    figures = []
    for column in range(min(outputs, 4)):
        one = values[:, column]
        name = data.target if outputs == 1 else f"{data.target} {column + 1}"
        middle, low, high = np.percentile(one, [50, 5, 95])
        title = say(
            "Half of the rows have a {name} below {middle}; nine in ten are between {low} and "
            "{high}.",
            name=name, middle=number(middle), low=number(low), high=number(high),
        )  # fmt: skip
        counts, edges = binned(one)
        twin = table(
            [say("from"), say("to"), say("rows")],
            [
                [number(a), number(b), f"{n:,}"]
                for a, b, n in zip(edges, edges[1:], counts, strict=False)
            ],
            {0, 1, 2},
            say=say,
        )
        caption = say(
            "Mean {mean}, standard deviation {spread}, {n} rows.",
            mean=number(one.mean()), spread=number(one.std()), n=f"{len(one):,}",
        )  # fmt: skip
        picture = histogram(title, one, name, y_title=say("rows"))
        figures.append(figure(title, picture, caption, twin, say))
    more = say("The first {n} of {all} outputs.", n=4, all=outputs) if outputs > 4 else ""
    return join(*figures, tag("p", more, class_="note") if more else "")
