"""Which rows are for training, validation and test, and the folds of cross-validation."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import numpy as np

from chymist.data.cells import short
from chymist.data.tabular import check_classes, column_index
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.values import Data, Split, whole_number

MAX_VALID = 5000
DEFAULT = 0.2


def split(
    data: Data,
    *,
    test: float | int | None = None,
    valid: float | int | None = None,
    seed: int = 0,
    group: Any = None,
    time: Any = None,
) -> Split:
    """Cut the rows into training, validation and test part.

    Classes keep their proportions to within one row (stratified), and a class of one row stays in
    the training part. A share f of n rows is ceil(f n) rows. Of data with a standard test part,
    the shares are those of the other rows, and the test part is kept unless `test` is given; so is
    a standard validation part, unless `test` or `valid` is given (without a standard test part
    there is none then). A running text is cut in its own
    order: the last rows are for test, those before them for validation.

    Args:
        data: the rows.
        test: share in [0, 1) or number of test rows; None is the standard test part, else 0.2.
        valid: share in [0, 1), at most 5,000 rows, or number of validation rows; None is the
            standard validation part, else 0.2.
        seed: seed of the draw.
        group: name of a column, or labels (rows,); rows of a group stay together.
        time: name of a date or number column, or values (rows,): the last rows are for test,
            those before them for validation.

    Returns:
        Row numbers, ascending and disjoint.

    Raises:
        UsageError: a share out of range.
        InputError: too few rows, an unknown column, a class without training rows.

    Example:
        >>> import chymist as cy
        >>> cy.split(cy.load("iris"))
        Split(iris: 90 train, 30 valid, 30 test, stratified, seed 0)

    Source: Kohavi 1995, a study of cross-validation and bootstrap (stratification).
    """
    given, seed = _given(test, valid, group, time), whole_number(seed, "seed", 0)
    if group is not None and time is not None:
        raise UsageError("a split is either grouped or ordered in time", where="group, time",
                         do="give one of them")  # fmt: skip
    groups = None if group is None else group_numbers(data, group)
    if data.train_rows is not None and not given and group is None and time is None:
        return _standard(data, seed)
    if data.task == "language" and groups is not None:
        raise UsageError("a running text is cut in order", where="group", do="leave it out")
    open_rows, fixed, kept = np.arange(len(data)), np.array([], np.int64), np.array([], np.int64)
    if data.valid_rows is not None and valid is None and test is None:
        kept = np.sort(data.valid_rows).astype(np.int64)
        open_rows, valid = np.setdiff1d(open_rows, kept), 0
        test = 0 if data.test_rows is None else None  # all others are for training
    if data.test_rows is not None and test in (None, 0):
        fixed = np.sort(data.test_rows).astype(np.int64) if test is None else fixed
        open_rows = np.setdiff1d(usable_rows(data), kept)
        test = 0
    share = DEFAULT if valid is None else valid
    sizes = _sizes(len(open_rows), DEFAULT if test is None else test, share, data.name)
    if time is not None or data.task == "language":
        latest = _latest(data, open_rows, time)
        parts, method = _cut(latest, sizes), "in order" if time is None else "time"
    else:
        parts, method = _drawn(data, open_rows, sizes, seed, groups)
    drawn, validation, train = (open_rows[np.sort(part)] for part in parts)
    standard = [n for n, part in (("validation", kept), ("test", fixed)) if len(part)]
    method += f", standard {' and '.join(standard)} part" if standard else ""
    check_classes(data.targets[train], data.classes, f"the training part ({method} split)")
    chosen, held = fixed if len(fixed) else drawn, kept if len(kept) else validation
    return Split(data, train, held, chosen, seed, method, given, groups)


def _latest(data: Data, rows: np.ndarray, time: Any) -> np.ndarray:
    """Places of rows from the last to the first, in time or in their own order."""
    when = np.arange(len(data)) if time is None else moments(data, time)
    return np.argsort(when[rows], kind="stable")[::-1]


def _standard(data: Data, seed: int) -> Split:
    """The standard parts of data of which some rows are in none."""
    empty = np.array([], np.int64)
    train, valid, test = (
        empty if rows is None else np.sort(rows).astype(np.int64)
        for rows in (data.train_rows, data.valid_rows, data.test_rows)
    )
    check_classes(data.targets[train], data.classes, "the standard training part")
    return Split(data, train, valid, test, seed, "standard parts")


def usable_rows(data: Data) -> np.ndarray:
    """Rows that may be for training or validation: not the standard test part, nor in no part.

    Example:
        >>> import chymist as cy
        >>> len(usable_rows(cy.load("iris")))
        150
    """
    if data.train_rows is not None:
        valid = [] if data.valid_rows is None else [data.valid_rows]
        return np.sort(np.concatenate([data.train_rows, *valid])).astype(np.int64)
    rows = np.arange(len(data))
    return rows if data.test_rows is None else np.setdiff1d(rows, data.test_rows)


def hold_out(
    data: Data, rows: np.ndarray, test: float | int, *, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows to be held out, as `split` draws test rows.

    Args:
        data: the rows.
        rows: row numbers that may be used, (m,).
        test: share in [0, 1) of them, or their number.
        seed: seed of the draw.
        groups: number of each row's group, (rows of the data,), or None.

    Returns:
        Training rows and held rows, ascending.

    Raises:
        UsageError: a share out of range.
        InputError: too few rows or groups.

    Example:
        >>> import chymist as cy
        >>> train, held = hold_out(cy.load("iris"), np.arange(150), 0.2, seed=0)
        >>> len(train), len(held)
        (120, 30)
    """
    sizes = _sizes(len(rows), test, 0, data.name)
    (held, _, train), _ = _drawn(data, rows, sizes, seed, groups)
    return rows[np.sort(train)], rows[np.sort(held)]


def _drawn(
    data: Data, rows: np.ndarray, sizes: tuple[int, int], seed: int, groups: np.ndarray | None
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str]:
    """Places of test, validation and training rows among `rows`, and how they were drawn."""
    if groups is not None:
        return _grouped(groups[rows], sizes, seed), "grouped"
    if data.task == "classification":
        return _stratified(data.targets[rows], sizes, seed), "stratified"
    return _cut(generator(seed, "split").permutation(len(rows)), sizes), "plain"


def _given(test: Any, valid: Any, group: Any, time: Any) -> dict[str, Any]:
    """The arguments that differ from the defaults, as far as they can be written down."""
    asked = {"test": test, "valid": valid}
    asked |= {"group": group, "time": time}
    return {name: value for name, value in asked.items() if isinstance(value, int | float | str)}


def folds(
    data: Data,
    folds: int | Literal["loo"],
    *,
    seed: int,
    rows: np.ndarray | None = None,
    group: Any = None,
) -> list[np.ndarray]:
    """The held-out rows of each fold; every row is held out once.

    Folds differ in size by at most one row, and so do the rows of each class in them.

    Args:
        data: the rows.
        folds: number of folds, or "loo" for one row a fold.
        seed: seed of the draw.
        rows: the rows that may be used; None is all but the standard test part.
        group: name of a column, or labels (rows,); rows of a group stay together.

    Returns:
        Row numbers, ascending, one array a fold.

    Raises:
        UsageError: fewer than two folds.
        InputError: fewer rows or groups than folds, a class of one row.

    Example:
        >>> import chymist as cy
        >>> [len(held) for held in folds(cy.load("iris"), 4, seed=0)]
        [38, 38, 37, 37]

    Source: Stone 1974; Kohavi 1995.
    """
    if rows is None:
        rows = usable_rows(data)
    if folds != "loo" and (not isinstance(folds, int) or isinstance(folds, bool) or folds < 2):
        raise UsageError(
            "at least two folds are needed",
            where="folds",
            received=repr(folds),
            do='give a number from 2, or "loo"',
        )
    if data.task == "language":
        return _pieces(rows, folds)
    _check_singles(data, rows)
    labels = group_numbers(data, group)[rows] if group is not None else None
    units = len(rows) if labels is None else len(np.unique(labels))
    count = units if folds == "loo" else folds
    if units < count or count < 2:
        raise InputError("fewer rows or groups than folds", where=data.name,
                         received=f"{units}, {count} folds", do="use fewer folds")  # fmt: skip
    if labels is not None:
        number = _dealt_groups(labels, count, seed)
        _check_folds(data, data.targets[rows], number)
    elif folds == "loo":
        number = np.arange(count)
    else:
        number = _dealt_rows(
            data.targets[rows] if data.task == "classification" else None, len(rows), count, seed
        )
    return [np.sort(rows[number == fold]) for fold in range(count)]


def _pieces(rows: np.ndarray, folds: int | str) -> list[np.ndarray]:
    """Rows that follow each other, cut into pieces: a text is held out in them."""
    count = len(rows) if folds == "loo" else int(folds)
    if len(rows) < count:
        raise InputError("fewer rows than folds", received=f"{len(rows)}, {count} folds",
                         do="use fewer folds")  # fmt: skip
    return np.array_split(rows, count)


def _check_singles(data: Data, rows: np.ndarray) -> None:
    """Refuse a class of one row: when that row is held out, the class has no training rows."""
    if data.task != "classification":
        return
    alone = np.flatnonzero(np.bincount(data.targets[rows], minlength=len(data.classes)) == 1)
    if len(alone):
        raise InputError(
            f"class {short(data.classes[alone[0]])} has no training rows when its row is held out",
            where=data.name,
            received="1 row of it",
            do="add rows or remove it",
            code="class-without-training-rows",
        )


def _check_folds(data: Data, targets: np.ndarray, number: np.ndarray) -> None:
    """Refuse folds that hold out all rows of a class at once."""
    for index, name in enumerate(data.classes):
        at = np.unique(number[targets == index])
        if len(at) == 1:
            raise InputError(
                f"class {short(name)} has no training rows when fold {at[0] + 1} is held out",
                where="group",
                received="all its rows in that fold",
                do="use more folds, or another column",
                code="class-without-training-rows",
            )


def group_numbers(data: Data, group: Any) -> np.ndarray:
    """Number of each row's group, 0..g-1.

    Args:
        data: the rows.
        group: name of a column, or labels (rows,).

    Returns:
        (rows,), int64.

    Raises:
        InputError: an unknown column, an empty cell, not one label per row.

    Example:
        >>> from chymist.data import load
        >>> columns = {"site": ["b", "a", "b"], "x": [1.0, 2.0, 3.0]}
        >>> group_numbers(load((columns, [0.5, 1.5, 2.5])), "site").tolist()
        [1, 0, 1]
    """
    numbers: np.ndarray = np.unique(_labels(data, group, "group"), return_inverse=True)[1]
    return numbers.astype(np.int64)


def _sizes(rows: int, test: float | int, valid: float | int, where: str) -> tuple[int, int]:
    """Numbers of test and validation rows."""
    sizes = []
    for name, share in (("test", test), ("valid", valid)):
        number = not isinstance(share, bool) and isinstance(share, int | float | np.number)
        whole = number and isinstance(share, int | np.integer)
        if not number or not (share >= 0 if whole else 0 <= share < 1):
            raise UsageError(
                "not a share of the rows",
                where=name,
                received=repr(share),
                do="give a share from 0 to below 1, or a number of rows",
            )
        count = int(share) if whole else int(np.ceil(share * rows - 1e-9))
        sizes.append(min(count, MAX_VALID) if name == "valid" and not whole else count)
    shares = [share for share in (test, valid) if not isinstance(share, int | np.integer)]
    if sum(shares) >= 1:
        raise UsageError(
            "test and valid leave no training rows",
            where="test, valid",
            received=f"{test} + {valid}",
            do="make their sum less than 1",
        )
    if sum(sizes) >= rows:
        raise InputError(
            "too few rows to split",
            where=where,
            received=f"{rows} rows, {sizes[0]} for test, {sizes[1]} for validation",
            do="give more rows, or lower test and valid",
        )
    return sizes[0], sizes[1]


def _cut(order: np.ndarray, sizes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first rows for test, the next for validation, the others for training."""
    test, valid, train = np.split(order, np.cumsum(sizes))
    return test, valid, train


def _stratified(
    classes: np.ndarray, sizes: tuple[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Test, validation and training rows with the proportions of the classes."""
    order = generator(seed, "split").permutation(len(classes))
    counts = np.bincount(classes)
    test = _allocated(counts, counts - 1, sizes[0])
    valid = _allocated(counts, counts - 1 - test, sizes[1])
    order = order[np.argsort(classes[order], kind="stable")]
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(classes)) - first[classes[order]]
    ends = test[classes[order]], (test + valid)[classes[order]]
    part = (rank >= ends[0]).astype(int) + (rank >= ends[1])
    return order[part == 0], order[part == 1], order[part == 2]


def _allocated(counts: np.ndarray, room: np.ndarray, total: int) -> np.ndarray:
    """`total` rows shared among classes by largest remainders, at most `room` of each."""
    quota = counts * total / counts.sum()
    room = np.maximum(room, 0)
    given: np.ndarray = np.minimum(np.floor(quota).astype(np.int64), room)
    while given.sum() < total and (given < room).any():
        behind = np.where(given < room, quota - given, -np.inf)
        given[int(behind.argmax())] += 1
    return given


def _grouped(
    labels: np.ndarray, sizes: tuple[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Test, validation and training rows; a group goes to one part as a whole."""
    names, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    parts = 1 + sum(size > 0 for size in sizes)
    if len(names) < parts:
        raise InputError(
            "too few groups to split",
            where="group",
            received=f"{len(names)} groups for {parts} parts",
            do="use another column, or lower test and valid",
        )
    order = generator(seed, "split").permutation(len(names))
    part, at = np.full(len(names), 2), 0
    for number, size in enumerate(sizes):
        later = sum(other > 0 for other in sizes[number + 1 :]) + 1
        filled = 0
        while size and at < len(order) - later:
            count = int(counts[order[at]])
            if filled and filled + count - size > size - filled:
                break
            part[order[at]] = number
            filled, at = filled + count, at + 1
            if filled >= size:
                break
    rows = np.arange(len(labels))
    test, valid, train = (rows[part[index] == number] for number in range(3))
    return test, valid, train


def _dealt_rows(classes: np.ndarray | None, rows: int, count: int, seed: int) -> np.ndarray:
    """Fold of each row: in a drawn order, class by class, each to the next fold."""
    order = generator(seed, "folds").permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(rows, np.int64)
    fold[order] = np.arange(rows) % count
    return fold


def _dealt_groups(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Fold of each row: the largest group first, each to the smallest fold."""
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = generator(seed, "folds").permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    fold, sizes = np.zeros(len(counts), np.int64), np.zeros(count, np.int64)
    for group in order:
        fold[group] = sizes.argmin()
        sizes[fold[group]] += counts[group]
    dealt: np.ndarray = fold[index]
    return dealt


def _labels(data: Data, given: Any, where: str) -> np.ndarray:
    """A column of the data by name, or labels that the user gives; none may be missing."""
    if isinstance(given, str) and given in data.labels:
        cells = data.labels[given]
    elif isinstance(given, str):
        names = tuple(column.name for column in data.columns)
        at = column_index(given, names, where)
        cells = data.inputs[:, at] if isinstance(data.inputs, np.ndarray) else data.inputs[given]
    else:
        cells = np.asarray(given)
        if cells.shape != (len(data),):
            raise InputError(
                "one label per row is needed",
                where=where,
                received=f"shape {cells.shape} for {len(data)} rows",
                do="give the name of a column",
            )
    if cells.dtype == object:
        empty = np.array([cell is None for cell in cells])
        cells = np.array(["" if cell is None else str(cell) for cell in cells])
    else:
        empty = np.isnan(cells) if cells.dtype.kind in "fM" else np.zeros(len(cells), bool)
    if empty.any():
        raise InputError(
            f"a row has no {where}",
            where=f"row {int(np.flatnonzero(empty)[0]) + 1}",
            received="an empty cell",
            do="fill it in, or remove the row",
        )
    return cells


def moments(data: Data, time: Any) -> np.ndarray:
    """Numbers or dates that order the rows in time.

    Args:
        data: the rows.
        time: name of a date or number column, or values (rows,).

    Returns:
        (rows,), numbers or datetime64.

    Raises:
        InputError: an unknown column, an empty cell, a column that has no order in time.

    Example:
        >>> from chymist.data import load
        >>> columns = {"year": [1999.0, 1998.0, 2001.0], "x": [1.0, 2.0, 3.0]}
        >>> moments(load((columns, [0.5, 1.5, 2.5])), "year").argsort().tolist()
        [1, 0, 2]
    """
    cells = _labels(data, time, "time")
    if cells.dtype.kind in "iufM":
        return cells
    kinds = {column.name: column.kind for column in data.columns}
    if isinstance(time, str) and kinds[time] == "date":
        return cells.astype("datetime64[us]")
    if kinds.get(time) == "id":  # rows numbered one by one are no feature, but they have an order
        with suppress(ValueError):
            return cells.astype(np.float64)
    raise InputError(
        "the column has no order in time",
        where=f"column {short(time)}",
        received=f"first cell {short(cells[0])}",
        do="give a date or number column",
    )
