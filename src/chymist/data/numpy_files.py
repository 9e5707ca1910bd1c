"""NPY and NPZ files as data: which array holds the inputs, and which the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chymist.data.arrays import array_data
from chymist.data.blocks import one_below_other, without_column
from chymist.data.cells import short
from chymist.data.npy import Stored, columns_of, open_npy, open_npz
from chymist.data.tabular import Wanted, mapping_data, target_index
from chymist.errors import InputError, nearest
from chymist.values import Data

# Names that people give to arrays, in lower case; the first pair that is there counts.
INPUTS = ("x", "data", "images", "inputs", "features")
TARGETS = ("y", "target", "targets", "labels", "label")
PARTS = ("train", "valid", "test")  # what the array "part" calls the part of a row
SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True)
class Roles:
    """Which array of a file is what; the test arrays may be missing.

    Args:
        inputs, targets: names of the arrays to learn from.
        test: names of the inputs and targets of the standard test part.
        part: name of the array that says to which part a row belongs.
    """

    inputs: str
    targets: str
    test: tuple[str, str] | None = None
    part: str | None = None


def is_numpy_file(path: str | Path) -> bool:
    """Whether a file is named as an NPY or NPZ file.

    Example:
        >>> is_numpy_file("data.npz"), is_numpy_file("data.zip")
        (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


def numpy_data(
    path: Path, wanted: Wanted, missing: str | None, find: Callable[[str], Path]
) -> tuple[Data, str | int | None]:
    """Data from an NPY or NPZ file.

    Args:
        path: an NPZ file with inputs and targets; or an NPY file.
        wanted: what the user says; the target is an array of the NPZ file, the number of a column,
            the name of a column of a structured array, or the path of an NPY file.
        missing: any value allows NaN in the inputs.
        find: name -> path of a file that is there.

    Returns:
        The data, and the target to say when it is read again.

    Raises:
        InputError: the file is wrong, or it is not clear what is to be learned from it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> np.savez(path, X=np.eye(4), y=[0, 1, 0, 1])
        >>> numpy_data(path, Wanted(name="a"), None, Path)[0].classes
        ('0', '1')
    """
    stored, target = _open(path), wanted.target
    bare = replace(wanted, target=None)
    if "array" in stored.headers and path.suffix.lower() == ".npy":
        if (
            isinstance(target, str)
            and is_numpy_file(target)
            and not stored.headers["array"].dtype.names
        ):
            second = find(target)
            labels = _only(_open(second))
            return array_data(_only(stored), np.asarray(labels), bare, missing), str(second)
        return _one_array(_only(stored), stored, wanted, missing, "array")
    roles = _roles(stored, target)
    if roles is None:
        single = _single(stored)
        return _one_array(stored.read(single), stored, wanted, missing, single)
    inputs, targets = stored.read(roles.inputs), np.asarray(stored.read(roles.targets))
    if roles.test is not None:
        first = len(inputs)
        inputs, targets = _with_test(stored, roles, inputs, targets)
        bare = replace(bare, test_from=first)
    data = array_data(inputs, targets, bare, missing)
    part = _standard(stored, len(inputs)) if roles.test is None else None
    if part is not None:
        valid, test = (np.flatnonzero(part == name) for name in PARTS[1:])
        data = replace(data, valid_rows=valid if len(valid) else None,
                       test_rows=test if len(test) else None)  # fmt: skip
        roles = replace(roles, part="part")
    return replace(data, notes=(*data.notes, *_said(stored, roles))), target


def numpy_rows(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """New rows from an NPY or NPZ file: an array, or columns by name.

    Raises:
        InputError: the file is wrong, or holds several arrays that may be meant.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.eye(2))
        >>> numpy_rows(path).shape
        (2, 2)
    """
    stored = _open(path)
    known = {name.lower(): name for name in stored.headers}
    named = [known[name] for name in INPUTS if name in known]
    labels = {known[name] for name in TARGETS if name in known}
    names = named[:1] or [name for name in stored.headers if name not in labels]
    if len(names) != 1:
        raise InputError(
            "it is not clear which array holds the new rows",
            where=stored.label,
            received=_listed(stored),
            do="name one x, or save it as NPY",
        )
    array = stored.read(names[0])
    return columns_of(array, stored.label) if array.dtype.names else array


def _open(path: Path) -> Stored:
    if not path.is_file():
        raise InputError("not a file", where=path.name, do="give an NPY or NPZ file")
    return open_npz(path) if path.suffix.lower() == ".npz" else open_npy(path)


def _only(stored: Stored) -> np.ndarray:
    return stored.read("array")


def _roles(stored: Stored, target: str | int | None) -> Roles | None:
    """Which array is what, by their names; None if one array holds it all."""
    if isinstance(target, str) and len(stored.headers) > 1:
        return Roles(_inputs_beside(target, stored), target)
    known = {name.lower(): name for name in stored.headers}
    if target is None:
        for part in ("train", ""):
            found = [[known[n] for n in _in_part(names, part) if n in known]
                     for names in (INPUTS, TARGETS)]  # fmt: skip
            tests = [[known[n] for n in _in_part(names, "test") if n in known]
                     for names in (INPUTS, TARGETS)]  # fmt: skip
            if all(found):
                test = (tests[0][0], tests[1][0]) if all(tests) else None
                return Roles(found[0][0], found[1][0], test)
    return None


def _inputs_beside(target: str, stored: Stored) -> str:
    """The array of the inputs where the user says which one holds the targets."""
    if target not in stored.headers:
        raise InputError(
            "there is no array of that name",
            where=stored.label,
            received=short(target),
            do=nearest(target, stored.headers)[:90],
        )
    others = {name.lower(): name for name in stored.headers if name != target}
    named = [others[name] for name in _spelled(INPUTS) if name in others]
    if not named and len(others) > 1:
        raise _unclear(stored)
    return (named or list(others.values()))[0]


def _in_part(names: tuple[str, ...], part: str) -> list[str]:
    """How the arrays of a part are called: x_train, train_x, xtrain."""
    if not part:
        return list(names)
    return [form for name in names for form in (f"{name}_{part}", f"{part}_{name}", name + part)]


def _spelled(names: tuple[str, ...]) -> list[str]:
    return [*_in_part(names, "train"), *names]


def _single(stored: Stored) -> str:
    """The name of the one array of a file that can hold inputs and targets."""
    tables = [n for n, h in stored.headers.items() if len(h.shape) == 2 or h.dtype.names]
    if len(stored.headers) != 1 or len(tables) != 1:
        raise _unclear(stored)
    return tables[0]


def _one_array(
    array: np.ndarray, stored: Stored, wanted: Wanted, missing: str | None, name: str
) -> tuple[Data, str | int | None]:
    """Data from one array whose columns hold the targets too."""
    label, target = stored.label, wanted.target
    if array.dtype.names:
        columns = columns_of(array, label)
        names = tuple(columns)
        chosen = names[target_index(target, names)]
        labels = columns.pop(chosen)
        return mapping_data(columns, labels, replace(wanted, target=None), chosen), chosen
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
        raise _unclear(stored)
    if target is None:
        raise InputError(
            "the targets are missing",
            where=label,
            received=_listed(stored),
            do="say target=: an NPY file of targets, or the number of a column (-1: the last)",
        )
    if not isinstance(target, int) and not str(target).lstrip("-").isdecimal():
        raise InputError(
            "the array has no column or array of that name",
            where="target",
            received=short(target),
            do="give the number of a column from 1, or -1, or an NPY file",
        )
    at = target_index(int(target), tuple(str(n + 1) for n in range(array.shape[1])))
    data = array_data(
        without_column(array, at, label),
        np.asarray(array[:, at]),
        replace(wanted, target=None),
        missing,
    )
    return data, target


def _with_test(
    stored: Stored, roles: Roles, inputs: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets with those of the test part below them."""
    assert roles.test is not None
    more, labels = stored.read(roles.test[0]), np.asarray(stored.read(roles.test[1]))
    for first, second, name in ((inputs, more, roles.test[0]), (targets, labels, roles.test[1])):
        same = (first.dtype.kind in "US") == (second.dtype.kind in "US")
        if (
            first.shape[1:] != second.shape[1:]
            or not same
            or first.dtype.names
            or second.dtype.names
        ):
            raise InputError(
                "training and test arrays differ in form",
                where=f"{stored.label}, {short(name)}",
                received=f"{second.shape[1:]} {second.dtype}, not {first.shape[1:]} {first.dtype}"[
                    :80
                ],
                do="give both the same axes",
            )
    if len(inputs) != len(targets) or len(more) != len(labels):
        raise InputError(
            "inputs and targets differ in length",
            where=stored.label,
            received=f"{len(inputs)} and {len(targets)}, test {len(more)} and {len(labels)}",
            do="give one target per row",
        )
    if inputs.dtype.kind not in "biuf":
        return inputs, targets  # refused with the right words by `array_data`
    return one_below_other(inputs, more, stored.label), np.concatenate([targets, labels])


def _standard(stored: Stored, rows: int) -> np.ndarray | None:
    """The part that each row belongs to; None without an array "part" of the words of `PARTS`."""
    head = stored.headers.get("part")
    if head is None or head.shape != (rows,) or head.dtype.kind != "U":
        return None
    part = stored.read("part")
    fits = np.isin(part, PARTS).all() and (part == PARTS[0]).any()
    return part if fits else None


def _said(stored: Stored, roles: Roles) -> tuple[str, ...]:
    """What was taken for what, in sentences."""
    used = [roles.inputs, roles.targets, *(roles.test or ()), roles.part]
    notes = [f"inputs are the array '{roles.inputs}', targets '{roles.targets}'"]
    if roles.part:
        notes.append(f"the array '{roles.part}' says which rows are for validation and test")
    if roles.test:
        notes.append(f"the test part is '{roles.test[0]}' and '{roles.test[1]}'")
    other = [name for name in stored.headers if name not in used]
    if other:
        notes.append("arrays not used: " + ", ".join(short(name, 20) for name in other)[:80])
    return tuple(notes)


def _listed(stored: Stored) -> str:
    """The arrays of a file with their shapes."""
    found: Mapping[str, object] = stored.headers
    texts = [f"{name[:20]} ({header})" for name, header in list(found.items())[:8]]
    return short(", ".join(texts), 90)[1:-1] if texts else "no arrays"


def _unclear(stored: Stored) -> InputError:
    return InputError(
        "it is not clear which array holds inputs and which targets",
        where=stored.label,
        received=_listed(stored),
        do="name them x and y, or x_train, y_train, x_test, y_test",
    )
