"""From cells or arrays of columns to data: kinds, target, classes, notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chymist.data.cells import refuse_masked, short, to_text
from chymist.data.fingerprint import fingerprint
from chymist.data.kinds import check_known, column_of, read_column
from chymist.data.tables import Cells
from chymist.data.targets import Targets, number_targets, read_targets
from chymist.errors import InputError, nearest
from chymist.values import Column, Data

NUMBER = re.compile(r"-?[0-9]{1,9}")

# The task that a declared kind of the target means.
TASK_OF_KIND = {"category": "classification", "number": "regression"}


@dataclass(frozen=True)
class Wanted:
    """What the user says about a source.

    Args:
        target: column name, number from 1, or -1 for the last; None is the last.
        columns: kinds of columns that are not to be inferred.
        task: "classification" or "regression"; None infers it.
        name: name of the data.
        test_from: first row of the standard test part; None if there is none.
        drop_unlabelled: leave out rows without a target instead of refusing them.
    """

    target: str | int | None = None
    columns: Mapping[str, str] | None = None
    task: str | None = None
    name: str = "table"
    test_from: int | None = None
    drop_unlabelled: bool = False


def table_data(cells: Cells, wanted: Wanted, source: Mapping[str, Any]) -> Data:
    """Data from the text cells of a table.

    Args:
        cells: the table; rows of a test file come last.
        wanted: what the user says about it.
        source: how to read it again.

    Returns:
        Data of kind "table".

    Raises:
        InputError: an unknown column, wrong cells or targets, no feature.

    Example:
        >>> cells = Cells(("a", "y"), (["1", "2", "3"], ["n", "y", "n"]), (("t", [2, 3, 4]),), True)
        >>> table_data(cells, Wanted(), {}).classes
        ('n', 'y')
    """
    target = target_index(wanted.target, cells.names)
    name = cells.names[target]
    kinds = _check_kinds(wanted.columns, cells.names)
    labels = cells.columns[target]
    notes: list[str] = []
    if wanted.test_from is not None:
        labels, note = without_stops(labels, wanted.test_from)
        notes += note
    if not cells.header:
        notes.append(
            f"no header line: columns are named {cells.names[0]} to {cells.names[-1]}"
            if cells.names[0] == "column_1"
            else "the file has no header line"
        )
    if wanted.target is None:
        notes.append(f"the target is the last column, '{name}'")
    if wanted.drop_unlabelled and None in labels:
        keep = [row for row, label in enumerate(labels) if label is not None]
        notes.append(f"{len(labels) - len(keep):,} rows without a target are left out")
        cells = _take(cells, keep)
        labels = cells.columns[target]
    task = wanted.task or TASK_OF_KIND.get(kinds.get(name, ""))
    check_rows(len(cells), wanted.name)
    targets = read_targets(name, labels, cells.place, task)
    read = [
        read_column(column, cells.columns[number], cells.place, kinds.get(column), number == 0)
        for number, column in enumerate(cells.names)
        if number != target
    ]
    return assembled(read, targets, name, wanted, source, notes)


def mapping_data(
    columns: Mapping[str, Any], targets: Any, wanted: Wanted, target: str = "target"
) -> Data:
    """Data from arrays of columns and an array of targets.

    Args:
        columns: arrays (rows,) by name.
        targets: classes or values (rows,).
        wanted: what the user says about them.
        target: name of the target.

    Raises:
        InputError: columns of different length, wrong cells or targets.

    Example:
        >>> mapping_data({"a": [1.0, 2.0, 3.0]}, ["n", "y", "n"], Wanted()).columns[0].kind
        'number'
    """
    kinds = _check_kinds(wanted.columns, tuple(columns))
    arrays = {str(name): as_column(str(name), values) for name, values in columns.items()}
    labels = np.asarray(targets)
    for name, values in arrays.items():
        if len(values) != len(labels):
            raise InputError(
                "columns and targets differ in length",
                where=f"column {short(name)}",
                received=f"{len(values)} cells, {len(labels)} targets",
                do="give one target per row",
            )
    read = [column_of(name, values, kinds.get(name)) for name, values in arrays.items()]
    found = array_targets(target, labels, wanted.task)
    return assembled(read, found, target, wanted, {}, [])


def check_apart(name: str, columns: Iterable[str]) -> None:
    """Refuse targets that are also a column: they would be predicted from themselves.

    Raises:
        InputError: a column has the name of the targets.

    Example:
        >>> check_apart("y", ["a", "b"])
    """
    if name in columns:
        raise InputError(
            "the target is also a column of the inputs",
            where="source",
            received=short(name),
            do="drop it from the inputs, or give target=NAME",
        )


def chosen_target(target: str | int | None, names: Sequence[Any]) -> str | int | None:
    """The target of named columns: a whole number that is the name of one means that one.

    Example:
        >>> chosen_target(1, [0, 1, 2]), chosen_target(1, ["a", "b"]), chosen_target("b", ["b"])
        ('1', 1, 'b')
    """
    if isinstance(target, str) or target is None:
        return target
    return str(target) if target in names else target


def as_column(name: str, values: Any) -> np.ndarray:
    """One column as an array (rows,).

    Raises:
        InputError: it has another number of axes.

    Example:
        >>> as_column("a", [1, 2])
        array([1, 2])
    """
    refuse_masked(values, f"column {short(name)}")
    cells = np.asarray(values)
    if cells.ndim != 1:
        raise InputError(
            "a column needs one axis",
            where=f"column {short(name)}",
            received=f"shape {cells.shape}",
            do="give one value per row",
        )
    if cells.dtype.kind == "M":  # what is finer than microseconds would become whole numbers
        return cells.astype("datetime64[us]").astype(object)
    return cells


def array_targets(name: str, labels: np.ndarray, task: str | None) -> Targets:
    """Targets from an array of numbers or texts.

    Raises:
        InputError: as `read_targets` and `number_targets`.

    Example:
        >>> array_targets("y", np.array([True, False]), None).classes
        ('False', 'True')
    """

    def place(row: int) -> str:
        return f"row {row + 1}"

    if labels.dtype.kind in "iuf":
        return number_targets(name, labels, place, task)
    if labels.ndim != 1:
        raise InputError(
            "targets need one axis",
            where=short(name),
            received=f"shape {labels.shape}",
            do="give one target per row",
        )
    return read_targets(name, [to_text(label) for label in labels.tolist()], place, task)


def assembled(
    read: list[tuple[Column, np.ndarray]],
    targets: Targets,
    target: str,
    wanted: Wanted,
    source: Mapping[str, Any],
    notes: list[str],
) -> Data:
    """Data of kind "table" from its columns and targets.

    Raises:
        InputError: fewer than two rows, no usable feature, a class in the test part only.

    Example:
        >>> targets = Targets("regression", np.array([1.0, 2.0]), ())
        >>> len(assembled([column_of("a", np.array([1, 2]))], targets, "y", Wanted(), {}, []))
        2
    """
    check_rows(len(targets.values), wanted.name)
    if read and not any(column.used for column, _ in read):
        read = [_as_feature(column, cells) for column, cells in read]
    if not any(column.used for column, _ in read):
        raise InputError(
            "no column can be used as a feature",
            where=wanted.name,
            received=", ".join(f"'{c.name}' is {c.kind}" for c, _ in read)[:80] or "no column",
            do="declare the kinds of columns, for example category",
        )
    inputs = {column.name: cells for column, cells in read}
    for column, _ in read:
        if "because of" in column.note:
            notes.append(f"column '{column.name}' is {column.kind}, {column.note}")
    return finished(
        Data(
            wanted.name,
            "table",
            targets.task,
            inputs,
            targets.values,
            targets.classes,
            tuple(column for column, _ in read),
            target,
            None,
            "",
            dict(source),
            tuple(notes),
        ),
        targets,
        wanted.test_from,
    )


def finished(data: Data, targets: Targets, test_from: int | None) -> Data:
    """Data with its standard test part, fingerprint and notes on the targets.

    Raises:
        InputError: a class that is in the test part only.

    Example:
        >>> targets = Targets("classification", np.array([0, 1, 1]), ("a", "b"))
        >>> data = Data("t", "array", "classification", np.eye(3), targets.values, ("a", "b"))
        >>> finished(data, targets, 2).test_rows
        array([2])
    """
    test_rows = None
    if test_from is not None:
        test_rows = np.arange(test_from, len(data), dtype=np.int64)
        check_classes(data.targets[:test_from], data.classes)
    return replace(
        data,
        test_rows=test_rows,
        notes=(*data.notes, *targets.notes),
        fingerprint=fingerprint(
            data.inputs, data.targets, data.classes, data.target, data.graph, data.vocabulary
        ),
    )


def check_classes(targets: np.ndarray, classes: tuple[str, ...], where: str = "") -> None:
    """Refuse training rows that lack a class.

    Args:
        targets: class indices of the training rows.
        classes: all classes; empty for a regression.
        where: what the rows are, for the message.

    Raises:
        InputError: a class has no training rows.

    Example:
        >>> check_classes(np.array([0, 1]), ("a", "b"))
    """
    single = classes and targets.ndim == 1  # a tag may well be in a few texts only
    counts = np.bincount(targets, minlength=len(classes)) if single else np.ones(1)
    if not counts.all():
        name = classes[int(np.flatnonzero(counts == 0)[0])]
        raise InputError(
            f"class {short(name)} has no training rows",
            where=where,
            received=f"{int((counts > 0).sum())} of {len(classes)} classes",
            do="add rows of it, remove it, or split otherwise",
            code="class-without-training-rows",
        )


def check_rows(rows: int, where: str) -> None:
    """Refuse data of fewer than two rows.

    Raises:
        InputError: none or one row.

    Example:
        >>> check_rows(2, "t")
    """
    if rows < 2:
        raise InputError(
            "at least two rows are needed",
            where=where,
            received=f"{rows} sample{'s' * (rows != 1)}",
            do="give more rows",
        )


def target_index(target: str | int | None, names: tuple[str, ...]) -> int:
    """Position of the target column, from 0.

    A text is first of all a name, and a number only where no column has that name.

    Args:
        target: name, number from 1, -1 for the last, or None for the last.
        names: names of the columns.

    Raises:
        InputError: no such column; the nearest name is given.

    Example:
        >>> target_index("y", ("x", "y")), target_index(1, ("x", "y")), target_index(-1, ("x", "y"))
        (1, 0, 1)
        >>> target_index("2", ("2", "y")), target_index("2", ("x", "y"))
        (0, 1)
    """
    if isinstance(target, str) and target not in names and NUMBER.fullmatch(target):
        target = int(target)
    if target is None or target == -1:
        return len(names) - 1
    if isinstance(target, int) and not isinstance(target, bool):
        if 1 <= target <= len(names):
            return target - 1
        raise InputError(
            "there is no such column",
            where="target",
            received=str(target),
            do=f"give a number from 1 to {len(names)}, or a name",
        )
    return column_index(str(target), names, "target")


def column_index(name: str, names: tuple[str, ...], where: str) -> int:
    """Position of a named column, from 0.

    Raises:
        InputError: no such column; the nearest name is given.

    Example:
        >>> column_index("b", ("a", "b"), "group")
        1
    """
    if name not in names:
        raise InputError(
            "unknown column", where=where, received=short(name), do=nearest(name, names)[:90]
        )
    return names.index(name)


def without_stops(labels: list[str | None], test_from: int) -> tuple[list[str | None], list[str]]:
    """Labels of a test file without the full stop that some end with (adult census).

    Example:
        >>> without_stops(["a", "b", "a."], 2)[0]
        ['a', 'b', 'a']
    """
    train, test = labels[:test_from], labels[test_from:]
    known, found = set(train), {label for label in test if label is not None}
    if found <= known or not {label.removesuffix(".") for label in found} <= known:
        return labels, []
    bare = [label and label.removesuffix(".") for label in test]
    return [*train, *bare], ["the full stop after the labels of the test file is ignored"]


def _check_kinds(columns: Mapping[str, str] | None, names: tuple[str, ...]) -> dict[str, str]:
    for name in columns or {}:
        column_index(name, names, "columns")
        check_known(name, (columns or {})[name])
    return dict(columns or {})


def _as_feature(column: Column, cells: np.ndarray) -> tuple[Column, np.ndarray]:
    """An identifier of whole numbers as a number, where it is all there is to learn from."""
    if column.kind != "id" or column.note != "not used: numbers the rows":
        return column, cells
    numbers = np.array([np.nan if cell is None else float(cell) for cell in cells])
    return replace(column, kind="number", note="numbers the rows, but is the only feature"), numbers


def _take(cells: Cells, keep: list[int]) -> Cells:
    """Some rows of a table of one file."""
    label, lines = cells.places[0]
    columns = tuple([column[row] for row in keep] for column in cells.columns)
    return replace(cells, columns=columns, places=((label, [lines[row] for row in keep]),))
