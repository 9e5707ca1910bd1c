"""Named data sets: those that come with scikit-learn, and those looked for on this machine.

Files are looked for in $CHYMIST_DATA and then in the user's cache folder, packed with gzip or not.
A table's content is compared with its published SHA-256; a difference is said in the notes.
MNIST is checked by its structure only, because hashing it would take longer than reading it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chymist.data.catalogue import ALIASES, DIGESTS, EMBEDDED, SETS, NamedSet
from chymist.data.cells import short
from chymist.data.graph_files import read_graph
from chymist.data.graph_sets import READERS as GRAPH_READERS
from chymist.data.graph_sets import road_speeds
from chymist.data.named_images import READERS as PHOTO_READERS
from chymist.data.step_sets import READERS as STEP_READERS
from chymist.data.tables import Cells, read_bytes, read_table, stacked
from chymist.data.tabular import Wanted, finished, mapping_data, table_data
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Data, Graph


def named_sets() -> dict[str, str]:
    """The named data sets, with one line on each.

    Example:
        >>> named_sets()["iris"]
        'iris flowers, 150 rows, 4 numbers, 3 classes'
    """
    files = {name: known.text for name, known in SETS.items()}
    return dict(sorted({**EMBEDDED, **files}.items()))


def load_named(name: str, wanted: Wanted) -> Data:
    """Read a named data set.

    Args:
        name: its name or alias.
        wanted: target, kinds of columns, task and name that differ from its own.

    Raises:
        InputError: its files are not on this machine, or damaged.

    Example:
        >>> load_named("iris", Wanted(name="iris")).classes
        ('setosa', 'versicolor', 'virginica')
    """
    name = ALIASES.get(name, name)
    known = SETS.get(name)
    if known is None:
        data = _embedded(name, wanted)
    elif known.task:
        data = _table(name, known, wanted)
    else:
        data = READERS[name](find_files(name), wanted.name)
    if wanted.target not in (None, data.target) and not (known and known.task):
        raise InputError("this set has one target only", where=name,
                         received=short(wanted.target), do="leave the target out")  # fmt: skip
    notes = _checked(find_files(name), known.files) if known and known.hashed else ()
    return replace(data, source={"load": name}, notes=(*data.notes, *notes))


def road_series(name: str) -> tuple[np.ndarray, Graph, str]:
    """A named set of series as a whole: values (time, series), the graph among them, their unit.

    Raises:
        InputError: it is no such set, or its files are not on this machine.
    """
    if name != "los_loop":
        raise InputError("no named set of series", where="source", received=short(name),
                         do="give los_loop, or values (time, series)")  # fmt: skip
    paths = find_files(name)
    values = road_speeds(paths[0])
    return values, read_graph(paths[1], values.shape[1]), "speed in mph"


def named_cells(name: str) -> tuple[Cells, int | None]:
    """The cells of a named table, and the first row of its test part.

    Args:
        name: its name.

    Raises:
        InputError: its files are not on this machine, or damaged.
    """
    names = SETS[name].names.split(",") if SETS[name].names else None
    paths = find_files(name)
    cells = read_table(paths[0], names=names, header=None if names else True)
    first = len(cells) if len(paths) > 1 else None
    for path in paths[1:]:
        cells = stacked(cells, read_table(path, names=names))
    return cells, first


def find_files(name: str) -> list[Path]:
    """The files of a set of the catalogue, packed or not, in $CHYMIST_DATA or the user's cache.

    They lie in a folder of the set, or directly in the folder for data.

    Args:
        name: name of the set.

    Raises:
        InputError: some are missing; says which, where they come from and where to put them.
    """
    known, places = SETS[name], data_folders()
    found, absent = [], []
    for file in known.files:
        tried = [
            place / below / f"{file}{end}"
            for place in places
            for below in (known.folder, ".")
            for end in (".gz", "")
        ]
        present = [path for path in tried if path.is_file()]
        found += present[:1]
        absent += [] if present else [f"{file} (SHA-256 {DIGESTS[file]})"]
    if absent:
        raise InputError(
            f"the files of the data set '{name}' are not on this machine",
            where=str(places[0]),
            received="no " + ", ".join(absent),
            do=f"get them from {known.origin}, "
            f"put them into {places[0] / known.folder} or $CHYMIST_DATA",
            code="data-set-not-found",
        )
    return found


def data_folders() -> list[Path]:
    """Where named data sets are looked for: $CHYMIST_DATA, then the user's cache.

    Example:
        >>> data_folders()[-1].parts[-2:]
        ('chymist', 'data')
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    given = os.environ.get("CHYMIST_DATA")
    return [*([Path(given).expanduser()] if given else []), Path(cache) / "chymist" / "data"]


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes in IDX form, as MNIST uses it.

    Raises:
        InputError: another form, or a file that is cut off.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a"
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]))
        >>> read_idx(path)
        array([5, 6], dtype=uint8)
    """
    content = read_bytes(path)
    axes = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * axes
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    if not axes or len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise InputError(
            "the IDX file is damaged",
            where=path.name,
            received=f"{len(content)} bytes",
            do="fetch it again",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def mnist(paths: Sequence[Path], name: str) -> Data:
    """Handwritten digits with their standard test part.

    Args:
        paths: images and labels for training, images and labels for test.
        name: name of the data.

    Raises:
        InputError: a file is damaged, or they do not fit each other.
    """
    images, labels, test_images, test_labels = (read_idx(path) for path in paths)
    for pair, path in (((images, labels), paths[1]), ((test_images, test_labels), paths[3])):
        if pair[0].ndim != 3 or pair[1].ndim != 1 or len(pair[0]) != len(pair[1]):
            raise InputError(
                "as many labels as images are needed",
                where=path.name,
                received=f"{len(pair[1])} labels",
                do="fetch the files again",
            )
    classes = tuple(str(digit) for digit in range(10))
    targets = np.concatenate([labels, test_labels]).astype(np.int64)
    if targets.max(initial=0) > 9:
        raise InputError(
            "a label is not a digit",
            where=paths[1].name,
            received=str(targets.max()),
            do="fetch the files again",
        )
    inputs = np.concatenate([images, test_images])[..., None]
    data = Data(name, "image", "classification", inputs, targets, classes, target="digit")
    return finished(data, Targets("classification", targets, classes), len(images))


def _embedded(name: str, wanted: Wanted) -> Data:
    """A set that comes with scikit-learn."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    if name == "digits":
        classes = tuple(str(digit) for digit in range(10))
        images = found.images.astype(np.uint8)[..., None]
        targets = Targets("classification", found.target.astype(np.int64), classes)
        data = Data(
            wanted.name, "image", targets.task, images, targets.values, classes, target="digit"
        )
        return finished(data, targets, None)
    columns = {str(column): found.data[:, n] for n, column in enumerate(found.feature_names)}
    labels = found.target
    if "target_names" in found:
        labels = np.array([str(label) for label in found.target_names])[found.target]
    target = {"diabetes": "progression", "iris": "species", "wine": "cultivar"}.get(
        name, "diagnosis"
    )
    return mapping_data(columns, labels, wanted, target)


def _table(name: str, known: NamedSet, wanted: Wanted) -> Data:
    """A table, with its own target and task unless others are wanted."""
    cells, first = named_cells(name)
    kept = known.target if wanted.target is None else wanted.target
    given = replace(
        wanted,
        target=-1 if kept is None else kept,
        test_from=first,
        task=wanted.task or (known.task if wanted.target is None else None),
        drop_unlabelled=known.drop_unlabelled,
    )
    return table_data(replace(cells, header=True), given, {})


def _checked(paths: list[Path], files: tuple[str, ...]) -> list[str]:
    """A note for each file whose content is not the published one."""
    return [
        f"{path.name} differs from the published file (SHA-256 {DIGESTS[file][:12]}...)"
        for path, file in zip(paths, files, strict=True)
        if hashlib.sha256(read_bytes(path)).hexdigest() != DIGESTS[file]
    ]


# Sets that are no tables: their files and a name become data.
READERS: dict[str, Callable[[list[Path], str], Data]] = {
    "mnist": mnist, **GRAPH_READERS, **PHOTO_READERS, **STEP_READERS,
}  # fmt: skip
