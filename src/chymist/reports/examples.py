"""The rows that the model finds hardest: pictures, or the cells as they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from chymist.metrics import surprise
from chymist.reports.markup import CELL, Markup, data_name, join, table, tag
from chymist.reports.numbers import number, rows_of
from chymist.reports.pictures import data_uri, to_bytes
from chymist.reports.saying import ENGLISH, Say
from chymist.values import Predictions, Run

PICTURES = 24
TABLE_ROWS = 12
CELLS = 12  # columns of the raw table that are shown


def examples_section(run: Run, say: Say = ENGLISH) -> Markup:
    """The rows with the largest loss."""
    losses = example_losses(run)
    if not len(losses):
        return tag("p", say("There are no rows to look at."))
    most = PICTURES if run.data.kind == "image" else TABLE_ROWS
    order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:most]
    intro = _intro(run, order, losses, say)
    show = _pictures if run.data.kind == "image" else _rows
    body = show(run, order, losses, say)
    return join(tag("p", intro), body)


def example_losses(run: Run) -> np.ndarray:
    """Loss of each scored row: surprise -log p(truth) in nats, or the absolute error.

    Args:
        run: the run.

    Returns:
        float64, (n,); the mean over outputs where there are several.
    """
    return row_losses(run.predictions, run.data.classes)


def row_losses(found: Predictions, classes: Sequence[str]) -> np.ndarray:
    """Loss of each predicted row, see `example_losses`.

    Args:
        found: predictions.
        classes: class names; empty for values.
    """
    if not len(found.rows):
        return np.zeros(0)
    if classes:
        return surprise(found.targets, found.outputs)
    errors = np.abs(np.asarray(found.outputs, np.float64) - np.asarray(found.targets, np.float64))
    return np.asarray(errors.reshape(len(found.rows), -1).mean(1))


def _intro(run: Run, order: np.ndarray, losses: np.ndarray, say: Say) -> str:
    rows, all_ = rows_of(len(order), run.score.split, say), f"{len(losses):,}"
    numbers = say("Row numbers count from 1 in the data as it was read.")
    if not run.data.classes:
        return say("The {rows} with the largest error of {all}. ", rows=rows, all=all_) + numbers
    wrong = int((run.predictions.labels[order] != run.predictions.targets[order]).sum())
    which = say.counted(
        wrong, "The {rows} with the largest loss of {all}; {n} of them is wrong. ",
        "The {rows} with the largest loss of {all}; {n} of them are wrong. ", rows=rows, all=all_,
    )  # fmt: skip
    given = say("Loss is −ln of the probability given to the truth. ")
    if not run.predictions.estimated:
        given = say("Loss is −ln of the softmax of the scores (sigmoid of two classes), which is "
                    "no probability. ")  # fmt: skip
    return which + given + numbers


def _pictures(run: Run, order: np.ndarray, losses: np.ndarray, say: Say) -> Markup:
    rows = run.predictions.rows[order]
    images, said = to_bytes(np.asarray(run.data.take(rows)), say)
    items = []
    for image, place, row in zip(images, order, rows, strict=True):
        lines = said_of(run, int(place), say)
        number_ = say("row {n}", n=f"{row + 1:,}")
        picture = tag("img", src=Markup(data_uri(image)), alt=number_)
        text = join(*(join(line, tag("br")) for line in lines), number_)
        items.append(tag("li", picture, tag("p", text)))
    size = " × ".join(map(str, images.shape[1:3]))
    note = said + say(" {size} pixels, enlarged or reduced to fit.", size=size)
    return join(tag("ul", *items, class_="shots"), tag("p", note.strip(), class_="note"))


def said_of(run: Run, place: int, say: Say = ENGLISH) -> list[Markup]:
    """What the truth is of a row, what the model said, and how sure it was.

    Args:
        run: the run.
        place: of the row among its predictions.
        say: the language.
    """
    loss = float(example_losses(run)[place])
    found, classes = run.predictions, run.data.classes
    if not classes:
        return [
            join(say("true "), _values(np.ravel(found.targets[place]))),
            join(say("said "), _values(np.ravel(found.outputs[place]))),
            join(say("error "), number(loss)),
        ]
    truth, said = int(found.targets[place]), int(found.labels[place])
    sure = f"{100 * found.outputs[place, said]:.1f} %"
    verdict = join(say("said "), data_name(classes[said], 24))
    if said != truth:
        verdict = tag("span", verdict, class_="wrong")
    return [
        join(say("true "), data_name(classes[truth], 24)),
        join(verdict, say(", "), sure),
        join(say("loss "), f"{loss:.2f}"),
    ]


def _rows(run: Run, order: np.ndarray, losses: np.ndarray, say: Say) -> Markup:
    rows = run.predictions.rows[order]
    names, cells = _cells(run, rows)
    shown = names[:CELLS]
    found, classes = run.predictions, run.data.classes
    lines = []
    for i, place in enumerate(order):
        if classes:
            said = int(found.labels[place])
            right = said == int(found.targets[place])
            answer = data_name(classes[said])
            head = [data_name(classes[int(found.targets[place])]),
                    answer if right else tag("span", answer, class_="wrong"),
                    f"{100 * found.outputs[place, said]:.1f} %"]  # fmt: skip
        else:
            head = [
                _values(np.ravel(found.targets[place])),
                _values(np.ravel(found.outputs[place])),
            ]
        raw = [_cell(cells[name][i], say) for name in shown]
        lines.append([f"{rows[i] + 1:,}", *head, number(float(losses[place])), *raw])
    sure = [say("sure"), say("loss")] if classes else [say("error")]
    heads = [say("row"), say("truth"), say("said"), *sure]
    numbers = {0, len(heads) - 1, len(heads) - 2} | (set() if classes else {1})
    made = table([*heads, *(data_name(n, 30) for n in shown)], lines, numbers, say=say)
    more = len(names) - len(shown)
    note = say("The first {n} of {all} columns.", n=len(shown), all=f"{len(names):,}")
    return join(made, tag("p", note, class_="note") if more > 0 else "")


def _cells(run: Run, rows: np.ndarray) -> tuple[list[str], Mapping[str, Any]]:
    """Names of the raw columns and their cells in some rows."""
    taken = run.data.take(rows)
    if isinstance(taken, Mapping):
        return list(taken), taken
    flat = taken.reshape(len(rows), prod(taken.shape[1:]))
    named = [c.name for c in run.data.columns]
    fits = len(named) == flat.shape[1] and len(set(named)) == len(named)
    names = named if fits else [f"x{i + 1}" for i in range(flat.shape[1])]
    return names, {name: flat[:, i] for i, name in enumerate(names)}


def _cell(value: Any, say: Say) -> str | Markup:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return say("(empty)")
    return (
        number(float(value))
        if isinstance(value, float | int | np.number)
        else data_name(value, CELL)
    )


def _values(values: np.ndarray) -> Markup:
    return join(
        ", ".join(number(float(v)) for v in values[:4]) + (", …" if len(values) > 4 else "")
    )
