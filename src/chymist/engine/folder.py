"""The run folder: everything a run was made of and everything it gave, as plain files.

    recipe.toml        the complete recipe
    data.json          where the rows came from, their columns, the fitted preparation
    split.json         row numbers of training, validation and test
    environment.json   versions, threads, seed, command
    records.sqlite     the recorded series
    checkpoints/       where the run stands, see `engine.checkpoint`
    history.json       what happened to it, see `engine.history`
    live.json          how far it is (while it trains), see `engine.status`
    control.json       what its user asks for, until it is done, see `engine.control`
    findings.json      what the doctor found, and what it looked at (when the run has ended)
    result.json        score, floors, verdict, facts (when the run has ended)
    model.safetensors  the weights of the result
    valid.npz          per-example predictions on the scored rows
    report.html        the report

A folder appears by rename when its first five entries are in it.
"""

from __future__ import annotations

import errno
import os
import platform
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

import msgspec
import numpy as np

from chymist.data import Schema, schema_of
from chymist.data.preparation import Preparation
from chymist.engine.control import discard
from chymist.engine.files import write_file
from chymist.engine.place import Place
from chymist.engine.steps import STEPWISE
from chymist.engine.store import Recorder
from chymist.engine.stored import (
    StoredEnvironment,
    damaged,
    read_as,
    read_data,
    read_recipe,
    read_result,
    read_split,
)
from chymist.errors import InputError
from chymist.values import Data, Recipe, Shapes, Split

T = TypeVar("T")

FILES = ("recipe.toml", "data.json", "split.json", "environment.json", "records.sqlite")
LOCK_SECONDS = 3.0  # to wait for a run folder that is in use
TAKEN = "run-folder-taken"  # code of the error that another number in the name avoids
IMPORTED = "imported.json"  # of a log that another program has written: `engine.imported`
RESULTS = ("findings.json", "result.json", "model.safetensors", "valid.npz", "report.html")


@dataclass(frozen=True)
class Saved:
    """A run folder as it was read back.

    Args:
        path: the folder.
        recipe: the complete recipe.
        schema: what new rows must look like.
        preparation: raw inputs to tensors and back.
        shapes: of one prepared input, and number of outputs.
        source: what `load` needs to read the rows again.
        split: method, seed and row numbers, as plain values.
        environment: versions, threads, seed, command.
        result: what the run gave; empty if it has not ended.
    """

    path: Path
    recipe: Recipe
    schema: Schema
    preparation: Preparation
    shapes: Shapes
    source: Mapping[str, Any]
    split: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any]

    def split_of(self, data: Data) -> Split:
        """The split of the run on its data, read again.

        Raises:
            InputError: the data has changed since.
        """
        if data.fingerprint != self.schema.fingerprint:
            raise InputError(
                "the data has changed since the run", where=self.schema.name,
                received=f"fingerprint {data.fingerprint[:12]}, not {self.schema.fingerprint[:12]}",
                do="restore the data, or start a new run",
            )  # fmt: skip
        train, valid, test = (
            np.array(self.split[name], np.int64) for name in ("train", "valid", "test")
        )
        last = max(int(rows[-1]) for rows in (train, valid, test) if len(rows))
        if last >= len(data):
            raise damaged(self.path / "split.json", f"row {last} of {len(data)} rows")
        seed, method, options = (self.split[name] for name in ("seed", "method", "options"))
        groups = self.split.get("groups")
        if groups is not None and len(groups) != len(data):
            raise damaged(self.path / "split.json", f"{len(groups)} groups of {len(data)} rows")
        groups = None if groups is None else np.array(groups, np.int64)
        return Split(data, train, valid, test, seed, method, options, groups)


def create_folder(
    out: Path | None, recipe: Recipe, split: Split, preparation: Preparation, shapes: Shapes,
    seed: int, place: Place, begin: Callable[[Path], object] | None = None,
) -> Path:  # fmt: skip
    """Make the folder of a run; it appears by rename, complete.

    Args:
        out: its place (absent, or an empty folder), or None for a temporary one.
        recipe: the complete recipe.
        split: the rows.
        preparation: fitted on the training rows.
        shapes: of one prepared input, and number of outputs.
        seed: seed of the run.
        place: where it is computed.
        begin: called with the draft of the folder, for a run that begins where another stood.

    Returns:
        The folder.

    Raises:
        InputError: the place is taken or not writable.
    """
    out = Path(tempfile.mkdtemp(prefix="chymist-")) if out is None else out.absolute()
    with whole_folder(out) as draft:
        (draft / "checkpoints").mkdir()
        data = split.data
        rows = {name: split.rows(name).tolist() for name in ("train", "valid", "test")}
        how = {"method": split.method, "seed": split.seed, "options": dict(split.options),
               "groups": None if split.groups is None else split.groups.tolist()}  # fmt: skip
        facts = {
            "source": data.source,
            "schema": schema_of(data).to_dict(),
            "preparation": preparation.to_dict(),
            "shapes": {"inputs": shapes.inputs, "outputs": shapes.outputs},
        }
        write_file(draft / "recipe.toml", recipe.to_toml().encode())
        write_json(draft / "data.json", facts)
        write_json(draft / "split.json", {**how, **rows})
        write_json(draft / "environment.json", environment(seed, place))
        Recorder(draft / "records.sqlite").close()
        if begin:
            begin(draft)
    return out


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A draft beside the place of a folder, which takes that place by rename, whole or not at all.

    Args:
        out: the place: absent, or an empty folder.

    Yields:
        The draft; it is removed if the block fails.

    Raises:
        InputError: the place is taken or not writable.
    """
    check_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.absolute().parent / f".tmp-{out.name}-{os.getpid()}-{secrets.token_hex(4)}"
    draft.mkdir()
    try:
        yield draft
        _take(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take(draft: Path, out: Path) -> None:
    """Rename a draft to its place; of several that want the same place one gets it."""
    try:
        if out.exists():
            out.rmdir()
        draft.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise _taken(out) from None


def _taken(out: Path) -> InputError:
    do = "choose another --out, or remove it"
    return InputError("the run folder is not empty", where=str(out), do=do, code=TAKEN)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a run folder as long as the block lasts.

    Loader workers of a trainer that was killed hold its lock for a moment longer.

    Args:
        folder: the run folder.

    Raises:
        InputError: another process trains this run.
    """
    try:
        import fcntl
    except ImportError:  # a system without such locks
        yield
        return
    handle, waited = os.open(folder, os.O_RDONLY), 0.0
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited > LOCK_SECONDS:
                    raise InputError(
                        "another process is training this run",
                        where=str(folder),
                        do="wait for it, or end it first",
                    ) from None
                sleep(0.05)
                waited += 0.05
        discard(folder)  # a request to a process that is gone
        yield
    finally:
        os.close(handle)


def check_place(out: Path) -> None:
    """Refuse a run folder that is taken or cannot be made, before any work is done.

    Raises:
        InputError: with what stands in the way.
    """
    do = "choose another --out, or remove it"
    if out.is_file():
        raise InputError("the run folder is a file", where=str(out), do=do)
    if out.is_dir() and any(out.iterdir()):
        raise _taken(out)
    near = out.absolute()
    while not near.exists():
        near = near.parent
    if not near.is_dir():
        raise InputError(
            "the run folder cannot be made", where=str(near), received="a file in the way", do=do
        )
    if not os.access(near, os.W_OK):
        raise InputError(
            "the run folder cannot be made",
            where=str(near),
            received="no permission to write there",
            do="choose another --out",
        )


def in_free_folder(name: str, work: Callable[[Path], T], parent: Path = Path("runs")) -> T:
    """Do work that makes the next free folder; if another process is faster, in the one after it.

    Args:
        name: name of the data.
        work: gets the folder, raises an error with the code `TAKEN` if it is taken by then.
        parent: where runs are.

    Returns:
        What the work returns.
    """
    while True:
        out = next_folder(name, parent)
        try:
            return work(out)
        except InputError as error:
            if error.code != TAKEN or not out.exists():
                raise


def next_folder(name: str, parent: Path = Path("runs")) -> Path:
    """The next free `runs/<data>-NNNN`."""
    clean = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:40].strip(".-") or "run"
    taken = [p.name.removeprefix(f"{clean}-") for p in parent.glob(f"{clean}-*")]
    last = max((int(n) for n in taken if n.isdecimal()), default=0)
    return parent / f"{clean}-{last + 1:04d}"


def open_folder(path: str | Path) -> Saved:
    """Read a run folder back.

    Raises:
        InputError: it is no run folder, or a file in it is damaged.
    """
    folder = Path(path)
    if (folder / IMPORTED).is_file():
        raise InputError("the run was imported: it has no model and no rows", where=str(folder),
                         do="show, report and diagnose read its curves")  # fmt: skip
    if not (folder / "recipe.toml").is_file():
        raise InputError(
            "not a run folder",
            where=str(folder),
            received="a folder" if folder.is_dir() else "nothing there",
            do="see `chymist runs` for the runs under this folder",
        )
    plain, data = read_data(folder / "data.json")
    return Saved(
        folder, read_recipe(folder / "recipe.toml"), data.schema, data.preparation,
        Shapes(
            data.shapes.inputs, data.shapes.outputs, data.preparation.categories,
            len(data.preparation.vocabulary), None, data.schema.task in STEPWISE,
        ),
        plain["source"],
        read_split(folder / "split.json"),
        read_as(folder / "environment.json", StoredEnvironment)[0],
        read_result(folder / "result.json"),
    )  # fmt: skip


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write what the run gave."""
    write_json(folder / "result.json", result)


def environment(seed: int, place: Place) -> dict[str, Any]:
    """Where the run runs: versions, machine, threads, seed, command."""
    import torch

    return {
        "id": secrets.token_hex(16),  # tells runs apart wherever their folders are moved
        "seed": seed,
        "threads": torch.get_num_threads(),
        "device": str(place.device),
        "workers": place.workers,
        "versions": versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "command": sys.argv,
    }


def run_id(folder: Path) -> str:
    """What tells one run from another: the id that it was given, else the path of its folder."""
    given = read_as(folder / "environment.json", StoredEnvironment)[1].id
    return given or str(folder.resolve())


@cache
def versions() -> dict[str, str]:
    """Versions of chymist and of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in ("chymist", "torch", "numpy", "scipy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "source"
    return found


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON, whole or not at all."""
    write_file(path, msgspec.json.format(msgspec.json.encode(content), indent=1))
