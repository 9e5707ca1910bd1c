"""The data card: what was read, which rows are for what, classes or target, columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.reports.charts import bars, binned, fit, histogram
from chymist.reports.markup import Markup, data_name, figure, join, pairs, table, tag
from chymist.reports.numbers import count, number, share
from chymist.reports.pictures import data_uri, to_bytes
from chymist.values import KIND_NAMES, Column, Run

SAMPLED, SAMPLES, SAMPLE_SIDE = 10, 6, 34  # classes, pictures of each, pixels
BARS = 30  # classes with a bar of their own


def data_section(run: Run) -> Markup:
    """The data card of a run."""
    data, split = run.data, run.split
    parts = [(name, split.rows(name)) for name in ("train", "valid", "test")]
    sealed = "test (sealed)" if len(split.test) else "test"
    names = {"train": "training", "valid": "validation", "test": sealed}
    what = KIND_NAMES[data.kind]
    task = count(len(data.classes), "class", "classes") if data.classes else "a number"
    card = pairs([
        ("name", data_name(data.name)),
        ("kind", f"{what}, {len(data):,} rows"),
        ("input", _shape(data.inputs)),
        ("target", join(data_name(data.target), f", {task}")),
        *((f"{names[n]} rows", join(f"{len(r):,} (", share(len(r), len(data)), ")"))
          for n, r in parts),
        ("split", f"{split.method}, seed {split.seed}"),
        ("fingerprint", tag("code", data.fingerprint[:16])),
    ])  # fmt: skip
    notes = [tag("li", note) for note in data.notes[:50]]
    said = tag("ul", *notes, class_="note") if notes else ""
    return join(
        card,
        said,
        tag("div", target_figure(run), samples_figure(run), class_="grid"),
        columns_table(run),
    )


def target_figure(run: Run) -> Markup:
    """How often each class occurs, or how the target is spread."""
    return _classes_figure(run) if run.data.classes else _target_figure(run)


def samples_figure(run: Run) -> Markup:
    """A few training pictures of each class, as they were read."""
    data, train = run.data, run.split.train
    if data.kind != "image" or not data.classes or not len(train):
        return Markup("")
    labels = data.targets[train]
    picked = [train[labels == i][:SAMPLES] for i in range(min(len(data.classes), SAMPLED))]
    images, said = to_bytes(np.asarray(data.take(np.concatenate(picked))))
    uris = iter([data_uri(image, SAMPLE_SIDE) for image in images])
    cells: list[Markup] = []
    for name, rows in zip(data.classes, picked, strict=False):
        cells.append(tag("span", data_name(name, 24)))
        cells += [tag("img", src=Markup(next(uris)), alt="") for _ in rows]
        cells += [tag("i")] * (SAMPLES - len(rows))
    which = "each class" if len(data.classes) <= SAMPLED else f"the first {SAMPLED} classes"
    title = f"The first {SAMPLES} training pictures of {which}."
    return figure(title, tag("div", *cells, class_="samples"), said)


def columns_table(run: Run) -> Markup:
    """Columns of a table: kind, missing and distinct cells, use."""
    columns = run.data.columns
    if run.data.kind != "table" or not columns:
        return Markup("")
    filled: Mapping[str, int] = run.facts.get("filled") or {}
    rows = [
        [data_name(c.name), c.kind, f"{c.missing:,}", f"{c.distinct:,}", _use(c, filled)]
        for c in columns
    ]
    used = sum(c.used for c in columns)
    heading = tag("h3", f"{used} of {count(len(columns), 'column')} are used as features.")
    return join(heading, table(["column", "kind", "missing", "distinct", "use"], rows, {2, 3}))


def _use(column: Column, filled: Mapping[str, int]) -> str:
    parts = [column.note or ("feature" if column.used else "not used")]
    if filled.get(column.name):
        parts.append(f"{count(filled[column.name], 'empty training cell')} filled")
    return ", ".join(parts)


def _shape(inputs: Any) -> str:
    if isinstance(inputs, Mapping):
        return count(len(inputs), "column")
    return " × ".join(f"{n:,}" for n in inputs.shape[1:]) or "one number"


def _classes_figure(run: Run) -> Markup:
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
    title = (
        f"The {count(size, 'class', 'classes')} are about equally frequent."
        if ratio < 1.5
        else f"Class {fit(data.classes[most], 30)} is {ratio:.1f} times as frequent as "
        f"{fit(data.classes[least], 30)}."
    )
    what = "Rows" if data.targets.ndim == 1 else "Steps"
    caption = f"{what} of each class in all {len(data):,} rows."
    if size > BARS:
        caption += f" The {BARS} most frequent of {size:,} classes."
    per_part = [data.class_counts(split.rows(n)) for n in ("train", "valid", "test")]
    twin = table(
        ["class", "all", "share", "train", "valid", "test"],
        [
            [data_name(data.classes[i]), f"{total[i]:,}", share(total[i], int(total.sum())),
             *(f"{part[i]:,}" for part in per_part)]
            for i in order
        ],
        {1, 2, 3, 4, 5},
    )  # fmt: skip
    return figure(title, bars(title, rows), caption, twin)


def _target_figure(run: Run) -> Markup:
    data = run.data
    values = np.asarray(data.targets, np.float64).reshape(len(data), -1)
    outputs = values.shape[1]
    figures = []
    for column in range(min(outputs, 4)):
        one = values[:, column]
        name = data.target if outputs == 1 else f"{data.target} {column + 1}"
        middle, low, high = np.percentile(one, [50, 5, 95])
        title = (
            f"Half of the rows have a {name} below {number(middle)}; "
            f"nine in ten are between {number(low)} and {number(high)}."
        )
        counts, edges = binned(one)
        twin = table(
            ["from", "to", "rows"],
            [
                [number(a), number(b), f"{n:,}"]
                for a, b, n in zip(edges, edges[1:], counts, strict=False)
            ],
            {0, 1, 2},
        )
        caption = (
            f"Mean {number(one.mean())}, standard deviation {number(one.std())}, {len(one):,} rows."
        )
        figures.append(figure(title, histogram(title, one, name), caption, twin))
    more = f"The first 4 of {outputs} outputs." if outputs > 4 else ""
    return join(*figures, tag("p", more, class_="note") if more else "")
