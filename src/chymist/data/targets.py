"""What is to be learned: the task, the targets and their classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import numpy as np

from chymist.data.cells import is_number, short, to_numbers, to_text
from chymist.errors import InputError, UsageError, nearest
from chymist.values import Task

MAX_WHOLE_CLASSES = 20  # different whole numbers up to which they are classes
ROWS_PER_CLASS = 5  # below this many rows a class, whole numbers are values; 2 for 0, 1, 2, ...

Place = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as numbers: class indices int64 (rows,), or float64 (rows,) or (rows, outputs)."""

    task: Task
    values: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_targets(
    name: str, cells: list[str | None], place: Place, task: str | None = None
) -> Targets:
    """Targets from the cells of a column.

    Texts are classes. Whole numbers are classes if there are two different ones, or at most 20
    with at least five rows each on average (two if they number 0, 1, 2, ... or 1, 2, 3, ...); all
    other numbers are values.

    Args:
        name: name of the target.
        cells: its texts; None is missing.
        place: row number -> file and line, for messages.
        task: what the user says; None infers it.

    Returns:
        Class indices in the order of `class_names`, or values.

    Raises:
        InputError: a missing target, an infinite one, one class only, text for a regression.

    Example:
        >>> found = read_targets("y", ["no", "yes", "no"], str)
        >>> found.classes, found.values
        (('no', 'yes'), array([0, 1, 0]))
    """
    check_task(task)
    if None in cells:
        row = cells.index(None)
        raise InputError(
            "the target is missing",
            where=f"{place(row)}, column {short(name)}",
            received=f"{cells.count(None)} of {len(cells)} rows without one",
            do="fill in or remove the rows",
        )
    numbers = to_numbers(cells)
    if numbers is not None:
        return number_targets(name, numbers, place, task)
    if task == "regression":
        row = next(r for r, c in enumerate(cells) if not is_number(c))
        raise InputError(
            "a regression needs numbers as targets",
            where=f"{place(row)}, column {short(name)}",
            received=short(cells[row]),
            do="correct the cell, choose another target, or use classification",
        )
    return as_classes(name, [cell or "" for cell in cells])


def number_targets(
    name: str, numbers: np.ndarray, place: Place, task: str | None = None
) -> Targets:
    """Targets from numbers (rows,) or, for several regression targets, (rows, outputs).

    Raises:
        InputError: NaN or infinite targets, or one class only.

    Example:
        >>> number_targets("y", np.array([1.0, 3.0, 1.0]), str).classes
        ('1', '3')
    """
    check_task(task)
    values = numbers.astype(np.float64)
    rows = values.reshape(len(values), -1)
    wrong = np.flatnonzero(~np.isfinite(rows).all(1))
    if len(wrong):
        row = int(wrong[0])
        bad = rows[row][~np.isfinite(rows[row])][0]
        what = "a target is not a number" if np.isnan(bad) else "a target is infinite"
        raise InputError(
            what,
            where=f"{place(row)}, column {short(name)}",
            received=str(bad),
            do="correct or remove the row",
        )
    if task is None:
        task = "classification" if _is_class(values) else "regression"
    if task == "classification":
        if values.ndim > 1:
            raise InputError(
                "a classification needs one target per row",
                where=short(name),
                received=f"targets of shape {values.shape}",
                do="give class indices (rows,)",
            )
        return as_classes(name, [to_text(value) or "" for value in values.tolist()])
    notes = ("the target is the same in all rows",) if len(np.unique(values)) == 1 else ()
    return Targets("regression", values, (), notes)


def as_classes(name: str, labels: list[str]) -> Targets:
    """Class indices from labels.

    Raises:
        InputError: one class only, or as many classes as rows.

    Example:
        >>> as_classes("y", ["b", "a", "b"]).values
        array([1, 0, 1])
    """
    classes = class_names(labels)
    if len(classes) == 1:
        raise InputError(
            "the target has one class only",
            where=f"column {short(name)}",
            received=f"{short(classes[0])} in all {len(labels)} rows",
            do="give rows of at least two classes",
        )
    if len(classes) == len(labels) > 5:
        raise InputError(
            "the target is different in every row",
            where=f"column {short(name)}",
            received=f"{len(classes)} classes in {len(labels)} rows, {short(labels[0], 20)}",
            do="choose another target",
        )
    index = {label: number for number, label in enumerate(classes)}
    values = np.fromiter((index[label] for label in labels), np.int64, len(labels))
    return Targets("classification", values, classes)


def class_names(labels: list[str]) -> tuple[str, ...]:
    """Different labels in order: numbers by size, texts by their letters.

    Example:
        >>> class_names(["10", "9", "10"]), class_names(["b", "a"])
        (('9', '10'), ('a', 'b'))
    """
    different = set(labels)
    if all(is_number(label) for label in different):
        return tuple(sorted(different, key=lambda label: (float(label), label)))
    return tuple(sorted(different))


def check_task(task: str | None) -> None:
    """Refuse an unknown task.

    Raises:
        UsageError: neither classification nor regression.

    Example:
        >>> check_task("regression")
    """
    if task is not None and task not in get_args(Task):
        raise UsageError("unknown task", received=short(task), do=nearest(task, get_args(Task)))


def _is_class(values: np.ndarray) -> bool:
    """Whether numbers look like class indices rather than amounts."""
    if values.ndim > 1 or not bool((values == np.floor(values)).all()):
        return False
    different = np.unique(values)
    numbered = different[0] in (0, 1) and bool((np.diff(different) == 1).all())
    enough = (2 if numbered else ROWS_PER_CLASS) * len(different)
    return len(different) <= 2 or (len(different) <= MAX_WHOLE_CLASSES and len(values) >= enough)
