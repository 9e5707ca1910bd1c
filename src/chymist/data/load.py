"""`load`: one verb for every source of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.arrays import array_data, is_mapping, is_tensor
from chymist.data.catalogue import ALIASES, SETS
from chymist.data.cells import short
from chymist.data.frames import frame_data, is_frame, refuse_series
from chymist.data.graph_files import nodes_data
from chymist.data.images import folder_data, is_image_zip
from chymist.data.named import load_named, named_cells, named_sets
from chymist.data.numpy_files import is_numpy_file, numpy_data
from chymist.data.parquet import is_parquet, parquet_cells
from chymist.data.series import STEPS, table_windows
from chymist.data.steps_in_memory import stepwise_data
from chymist.data.tables import Cells, read_table, stacked
from chymist.data.tabular import (
    Wanted,
    chosen_target,
    finished,
    mapping_data,
    table_data,
    target_index,
)
from chymist.data.targets import Targets, check_task
from chymist.data.text_files import language_file, text_column
from chymist.data.torch_sets import opened
from chymist.data.toys import is_toy, toy_data
from chymist.errors import InputError, UsageError, nearest
from chymist.parts import registered
from chymist.values import Data, Graph

OPTIONS = (
    "target", "columns", "header", "test", "missing", "name", "task", "image_size", "kind",
    "tokens", "steps", "horizon", "graph",
)  # fmt: skip
FILE_KINDS = ("text", "language", "sequence")  # what a file may be said to be


def load(
    source: Any,
    *,
    target: str | int | None = None,
    columns: Mapping[str, str] | None = None,
    header: bool | None = None,
    test: str | Path | None = None,
    missing: str | None = None,
    name: str | None = None,
    task: str | None = None,
    image_size: int | None = None,
    kind: str | None = None,
    tokens: str | None = None,
    steps: int | None = None,
    horizon: int | None = None,
    graph: Any = None,
) -> Data:
    """Read data from a named set, a file, a folder, or arrays.

    Args:
        source: name of a set (see `named_sets`), or of a toy set with its options
            ("spirals(rows=300, noise=0.1)"); path of a CSV or TSV file (also gzipped), of a
            Parquet, NPZ or NPY file, of a folder of images with one sub-folder per class, or of a
            zip of such a folder; a frame of pandas or polars; a `Dataset` of torch with (input,
            target) items, which are read once; or (inputs, targets) as arrays, tensors, or a frame
            or columns by name and targets.
        target: name of the target column, its number from 1, or -1; the last one by default. With
            an NPZ file also the name of an array, with an NPY file the path of another one.
        columns: kinds of columns that are not to be inferred, {"zip": "category"}; kinds are
            number, category, date, text, id.
        header: whether the file has a header line; inferred by default.
        test: path of a second file or folder, whose rows become the standard test part.
        missing: "median" allows NaN in arrays; it is filled as `prepare(missing=...)` says.
        name: name of the data, for headings and folders.
        task: "classification" or "regression"; inferred by default.
        image_size: side in pixels to which images are cut and resized.
        kind: what arrays in memory are, where it cannot be seen: "sequence" for numbers (rows,
            steps, features), "text" for texts (rows,), "tokens" for numbers of tokens (rows,
            steps). A `Graph` in the place of inputs is data of kind "graph". What a file is: "text"
            for a table with a column of texts, "language" for a running text whose next token is
            learned, "sequence" for a table whose lines follow each other in time.
        tokens: how a running text is cut: "characters" (the default), "words" or "spaces".
        steps: tokens or times of a row; by default 64 characters, 35 words, or 12 times.
        horizon: times that are forecast, of kind "sequence"; 1 by default.
        graph: path of a list of edges or a matrix of adjacency, which makes the rows of a table the
            nodes of a graph; or a `Graph` among the features of sequences in memory.

    Returns:
        The rows as they were read, with what was inferred about them in `columns` and `notes`.

    Raises:
        InputError: the source is missing or wrong; says where and what to do.
        UsageError: an option that does not exist or does not suit the source.

    Example:
        >>> load("iris")
        Data(iris: 150 rows, table, 3 classes, ...)
        >>> load(([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])).classes
        ('no', 'yes')
    """
    check_task(task)
    source = _opened(source)
    columns = columns and {str(column): kind for column, kind in columns.items()}
    _check_missing(missing)
    wanted = Wanted(target, columns, task, name or "data")
    cut = {"tokens": tokens, "steps": steps, "horizon": horizon}
    given = {"name": name, "header": header, "missing": missing, "image_size": image_size}
    if isinstance(source, tuple) or is_mapping(source) or is_frame(source):
        _refuse("arrays", test=test, header=header, image_size=image_size, **cut)
        return _beside(_from_memory(source, wanted, missing, kind), graph)
    _check_place(source)
    known = ALIASES.get(str(source), str(source))
    if known in named_sets() or is_toy(known):
        _refuse("named sets", **{**given, "name": None}, test=test, graph=graph)
        return _from_name(known, wanted, kind, {**cut, "task": task, "name": name})
    path, second = existing(source), None if test is None else existing(test)
    stem = name or (path.name if path.is_dir() else path.name.split(".")[0]) or "data"
    wanted = replace(wanted, name=stem)
    if kind is not None:
        _refuse(f"files of kind '{kind}'", graph=graph)
        return _of_kind(kind, path, second, wanted, {**given, **cut})
    _refuse("files", **cut)
    return _on_graph(_from_path(path, second, wanted, given), graph)


def _opened(source: Any) -> Any:
    """A source whose rows are in memory: of a set of torch its rows, not one column alone."""
    source = opened(source)
    refuse_series(source[0] if isinstance(source, tuple) and source else source)
    return source


def _check_place(source: Any) -> None:
    """Refuse what is neither data nor a name or path."""
    if not isinstance(source, str | Path):
        raise InputError("no data source", received=type(source).__name__ + _tensor_hint(source),
                         do="give a name, a path, or (inputs, targets)")  # fmt: skip


def _on_graph(data: Data, graph: str | Path | None) -> Data:
    """Rows of a file as nodes of the graph of another one, if there is one."""
    if graph is None:
        return data
    edges = existing(graph)
    return replace(nodes_data(data, edges), source={**data.source, "graph": str(edges)})


def _beside(data: Data, graph: Any) -> Data:
    """Sequences in memory with a graph among their features."""
    if graph is None:
        return data
    if data.kind != "sequence" or not isinstance(data.inputs, np.ndarray):
        raise UsageError("a graph stands beside sequences, or is given in the place of inputs",
                         where="graph", received=data.kind,
                         do="give kind='sequence', or cy.load((graph, targets))")  # fmt: skip
    if not isinstance(graph, Graph):
        raise InputError("no graph", where="graph", received=type(graph).__name__,
                         do="give cy.graph_of(nodes, edges)")  # fmt: skip
    if graph.nodes != data.inputs.shape[2]:
        raise InputError("the graph has not a node for each feature", where="graph",
                         received=f"{graph.nodes}, {data.inputs.shape[2]} features")  # fmt: skip
    made = replace(data, graph=graph)
    return finished(made, Targets(data.task, data.targets, data.classes), None)


def reload(source: Mapping[str, Any]) -> Data:
    """Read the same rows again.

    Args:
        source: `Data.source` of the rows, possibly from a run folder.

    Raises:
        InputError: the rows were given in memory, or the source is not one of ours.

    Example:
        >>> reload(load("iris").source) == load("iris")
        True
    """
    if not source:
        raise InputError(
            "the data was given in memory and is not stored",
            where="run",
            do="give it again in Python: data=cy.load((inputs, targets))",
        )
    options = dict(source)
    place = options.pop("load", None)
    unknown = sorted(set(options) - set(OPTIONS))
    if not isinstance(place, str) or unknown:
        raise InputError(
            "the recorded data source cannot be read",
            received=", ".join(unknown)[:60] or repr(place)[:60],
            do="give the data again",
        )
    try:
        return load(place, **options)
    except InputError as error:
        if error.code != "source-not-found":
            raise
        raise InputError(
            "the data of the run is not where it was",
            where=short(place if len(place) <= 60 else "..." + place[-57:], 60),
            do="say where it is now: --data SOURCE (in Python: data=)",
            code=error.code,
        ) from None


def moved(source: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A source that is somewhere else now; a second file that is gone is looked for beside it.

    Args:
        source: `Data.source` of a run.
        place: where its data is now.

    Example:
        >>> moved({"load": "old/a.csv", "test": "old/b.csv"}, "new/a.csv")["test"]
        'new/b.csv'
    """
    found = {**source, "load": place}
    test, target = found.get("test"), str(found.get("target"))
    if test and not Path(test).exists():
        found["test"] = str(Path(place).parent / Path(test).name)
    if is_numpy_file(place) and is_numpy_file(target) and not Path(target).exists():
        found["target"] = str(Path(place).parent / Path(target).name)
    return found


def existing(source: str | Path) -> Path:
    """The path of a file or folder that is there.

    Raises:
        InputError: it is not; the nearest name is given.

    Example:
        >>> existing(".").is_absolute()
        True
    """
    shown = str(source)
    if not shown.isascii() and "\\ud" in ascii(shown):  # bytes that the locale cannot read
        raise InputError(
            "the name of the source is no text here",
            received=ascii(shown)[:60],
            do="rename it, or set PYTHONUTF8=1",
        )
    advice = "give a path, or a named set such as digits"
    try:
        path = Path(source).expanduser()
        if shown and path.exists():
            return path.resolve()
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        near = [entry.name for entry in beside if not entry.name.startswith(".")][:1000]
        names = [*named_sets(), *ALIASES, *registered("toy")] if path.parent == Path() else []
        close = nearest(path.name, [*near, *names]) if shown else ""
        advice = close if close.startswith("did") else advice
    except (OSError, ValueError, RuntimeError) as error:
        advice = f"{error}"[:60] + ": check the path"
    raise InputError(
        "no such file, folder or named data set",
        received=short(shown if len(shown) <= 60 else "..." + shown[-57:], 60),
        do=advice[:80],
        code="source-not-found",
    )


def _from_name(known: str, wanted: Wanted, kind: str | None, given: dict[str, Any]) -> Data:
    """A named set, a toy set, or windows of a named table."""
    name = given["name"]
    if is_toy(known):
        _refuse("toy sets", target=wanted.target, columns=wanted.columns, kind=kind, **{
            option: value for option, value in given.items() if option != "name"
        })  # fmt: skip
        return toy_data(known, name)
    named = replace(wanted, name=name or known)
    if kind == "sequence" and known in SETS and SETS[known].task:
        _refuse("windows", tokens=given["tokens"], task=given["task"], columns=wanted.columns)
        steps, horizon = given["steps"], given["horizon"]
        source = _source(known, wanted.target, None, kind=kind, name=name, steps=steps,
                         horizon=horizon)  # fmt: skip
        named = replace(named, target=wanted.target or SETS[known].target)
        return table_windows(named_cells(known)[0], (steps or STEPS, horizon or 1), named, source)
    _refuse("named sets", kind=kind, **{n: given[n] for n in ("tokens", "steps", "horizon")})
    data = load_named(known, named)
    return replace(data, source=_source(known, wanted.target, wanted.columns, task=given["task"],
                                        name=name))  # fmt: skip


def _of_kind(
    kind: str, path: Path, second: Path | None, wanted: Wanted, given: dict[str, Any]
) -> Data:
    """Data from a file of which the user says what it is."""
    if kind not in FILE_KINDS:
        raise UsageError("a file is of no such kind", where="kind", received=short(kind),
                         do=f"known: {', '.join(FILE_KINDS)}")  # fmt: skip
    _refuse(f"files of kind '{kind}'", missing=given["missing"], image_size=given["image_size"])
    name, header, tokens = (given[n] for n in ("name", "header", "tokens"))
    steps, horizon = given["steps"], given["horizon"]
    if kind == "language":
        _refuse("a running text", target=wanted.target, columns=wanted.columns, test=second,
                header=header, horizon=horizon)  # fmt: skip
        source = _source(path, kind=kind, tokens=tokens, steps=steps, name=name)
        return language_file(path, tokens, steps, wanted, source)
    _refuse(f"files of kind '{kind}'", tokens=tokens)
    cells, _ = _file_cells(path, header)
    options = {"header": header, "test": second, "task": wanted.task, "name": name, "kind": kind}
    if kind == "sequence":
        _refuse("windows", test=second, columns=wanted.columns)
        source = _source(path, wanted.target, None, **options, steps=steps, horizon=horizon)
        return table_windows(cells, (steps or STEPS, horizon or 1), wanted, source)
    _refuse("a column of texts", steps=steps, horizon=horizon)
    if second is not None:
        wanted = replace(wanted, test_from=len(cells))
        cells = stacked(cells, _file_cells(second, header)[0])
    return text_column(cells, wanted, _source(path, wanted.target, wanted.columns, **options))


def _from_path(path: Path, second: Path | None, wanted: Wanted, given: dict[str, Any]) -> Data:
    """Data from a file or folder, after refusing the options that do not suit it."""
    name, header, missing, image_size = given.values()
    if is_numpy_file(path):
        _refuse("NPZ and NPY files", test=second, header=header, image_size=image_size)
        return _from_numpy(path, wanted, missing, name)
    _refuse("files", missing=missing)
    if is_parquet(path):
        _refuse("Parquet files", image_size=image_size, header=header)
    elif path.is_dir() or is_image_zip(path):
        _refuse("images", target=wanted.target, columns=wanted.columns, header=header)
        _refuse("images", task=None if wanted.task == "classification" else wanted.task)
        images = folder_data(path, wanted.name, second, image_size)
        return replace(images, source=_source(path, test=second, name=name, image_size=image_size))
    else:
        _refuse("tables", image_size=image_size)
    return _from_file(path, second, header, wanted, name)


def _from_file(
    path: Path, second: Path | None, header: bool | None, wanted: Wanted, name: str | None
) -> Data:
    """Data from one table, or from two of which the second is for test."""
    said = wanted.columns
    cells, kinds = _file_cells(path, header)
    if second is not None:
        wanted = replace(wanted, test_from=len(cells))
        cells = stacked(cells, _file_cells(second, header)[0])
    wanted = replace(wanted, columns={**kinds, **(said or {})})
    chosen = cells.names[target_index(wanted.target, cells.names)]
    options = {"header": header, "test": second, "task": wanted.task, "name": name}
    return table_data(cells, wanted, _source(path, chosen, said, **options))


def _file_cells(path: Path, header: bool | None) -> tuple[Cells, dict[str, str]]:
    """The cells of a table, and the kinds of columns that the file declares."""
    return parquet_cells(path) if is_parquet(path) else (read_table(path, header), {})


def _from_numpy(path: Path, wanted: Wanted, missing: str | None, name: str | None) -> Data:
    """Data from an NPZ file, an NPY file, or two of them."""
    data, target = numpy_data(path, wanted, missing, existing)
    options = {"missing": missing, "task": wanted.task, "name": name}
    return replace(data, source=_source(path, target, wanted.columns, **options))


def _from_memory(source: Any, wanted: Wanted, missing: str | None, kind: str | None) -> Data:
    """Data from arrays or columns."""
    if kind is not None or (isinstance(source, tuple) and isinstance(source[0], Graph)):
        return stepwise_data(source, kind or "graph", wanted)
    if is_frame(source):
        return frame_data(source, None, wanted)
    if not isinstance(source, tuple):
        columns = dict(source.items())
        wanted = replace(wanted, target=chosen_target(wanted.target, list(columns)))
        names = tuple(str(column) for column in columns)
        if wanted.target is None:
            raise InputError(
                "columns need a target",
                where="source",
                do="give (columns, targets), or target=NAME",
            )
        at = target_index(wanted.target, names)
        target = list(columns)[at]
        labels = columns.pop(target)
        return mapping_data(columns, labels, wanted, str(target))
    if len(source) != 2:
        raise InputError(
            "arrays are given as a pair",
            where="source",
            received=f"{len(source)} values",
            do="give (inputs, targets)",
        )
    if wanted.target is not None:
        raise UsageError(
            "the targets are already given",
            where="target",
            received=short(wanted.target),
            do="leave it out",
        )
    if is_frame(source[0]):
        return frame_data(source[0], source[1], wanted)
    return array_data(source[0], source[1], wanted, missing)


def _check_missing(missing: str | None) -> None:
    """Refuse other fills than the default one: it is `prepare` that fills."""
    if missing not in (None, "median"):
        raise UsageError(
            "unknown fill of missing numbers",
            where="missing",
            received=short(missing),
            do="known: median; others are options of the preparation (--data.missing)",
        )


def _refuse(what: str, **options: Any) -> None:
    """Refuse options that do not suit what the source is."""
    for option, value in options.items():
        if value is not None:
            raise UsageError(
                f"{option} does not suit {what}",
                where=option,
                received=short(value),
                do="leave it out",
            )


def _source(place: Any, target: Any = None, columns: Any = None, **options: Any) -> dict[str, Any]:
    """What is needed to read the rows again, as plain values."""
    given = {"target": target, "columns": dict(columns) if columns else None, **options}
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in given.items() if v is not None}
    return {"load": str(place), **plain}


def _tensor_hint(source: Any) -> str:
    return " without targets" if is_tensor(source) else ""
