"""What a list of runs says of a run folder, read without torch: no weights, no rows, no points.

`list_runs` of the verbs opens folders and checks them whole; this reads as much as a line of a list
shows, so that thousands of folders are read in a moment.
"""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chymist.engine.files import read_file
from chymist.engine.history import FILE as HISTORY
from chymist.engine.history import ending_of, read_history
from chymist.engine.kinds import KINDS, kind_of, state_of
from chymist.engine.sketch import Sketch, sketch_of
from chymist.engine.status import status_of
from chymist.errors import ChymistError

RECORD = "records.sqlite"
UNREADABLE = (
    ChymistError,
    OSError,
    ValueError,
    RecursionError,
    msgspec.MsgspecError,
    sqlite3.Error,
)
T = TypeVar("T")


class Named(msgspec.Struct, frozen=True):
    """Data, a model or an entry, of which the list takes the name."""

    name: str = ""
    fingerprint: str = ""


class Scored(msgspec.Struct, frozen=True):
    """A score as a file holds it; an end that JSON could not hold is null."""

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    split: str = ""
    selected_on: str | None = None


class FloorScore(msgspec.Struct, frozen=True):
    """A floor."""

    name: str
    score: Scored


class RunFacts(msgspec.Struct, frozen=True):
    """Facts of a result."""

    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0


class Result(msgspec.Struct, frozen=True):
    """`result.json`, as far as it is listed."""

    status: str
    score: Scored | None = None
    floors: list[FloorScore] = []
    verdict: str = ""
    metrics: dict[str, float | None] = {}
    facts: RunFacts = RunFacts()


class Found(msgspec.Struct, frozen=True):
    """A finding, as far as it is a badge."""

    code: str
    level: str


class Findings(msgspec.Struct, frozen=True):
    """`findings.json`, as far as it is listed."""

    findings: list[Found]


class Schema(msgspec.Struct, frozen=True):
    """What rows look like, as far as it is listed."""

    name: str
    fingerprint: str


class DataFile(msgspec.Struct, frozen=True):
    """`data.json`, as far as it is listed."""

    schema: Schema


class Environment(msgspec.Struct, frozen=True):
    """`environment.json`, as far as it is listed."""

    seed: int
    versions: dict[str, str] = {}


class StudyFacts(msgspec.Struct, frozen=True):
    """How a study was carried out."""

    model: str = ""
    seconds: float = 0.0


class StudyHow(msgspec.Struct, frozen=True):
    """How a study was measured."""

    seeds: int = 0


class Best(msgspec.Struct, frozen=True):
    """The best recipe of a search."""

    model: Named = Named()


class Study(msgspec.Struct, frozen=True):
    """What the files of studies have for the list; the rest is passed over."""

    name: str = ""
    data: Named = Named()
    score: Scored | None = None
    verdict: str = ""
    facts: StudyFacts = StudyFacts()
    how: StudyHow = StudyHow()
    seconds: float = 0.0
    rows: list[Named] = []
    best: Best = Best()


@dataclass(frozen=True)
class RunRow:
    """One folder of runs, as a list shows it.

    Args:
        name: of the folder, as the list calls it.
        kind: "fit", "cv", "compare", "search", "race", "population" or "import".
        state: see `engine.status`.
        when: seconds since 1970: when it was begun, or a study was written.
        data, fingerprint: of the rows.
        model: name, of a study all of them.
        recipe: hash of the recipe; "" of a study.
        code: version of chymist, and the hash of a model of the user's own.
        seed: of a run.
        seeds: how many a study has.
        score: metric, value, low, high, n, split, selected_on; None if there is none.
        floor: name and value of the strongest floor.
        beaten: what the verdict says of it: "beaten", "not beaten" or "cannot tell".
        verdict: the sentence.
        findings: code and level of each.
        epochs, steps, seconds: that it took so far.
        length: that its recipe asks for.
        metrics: last value by name, of the result and of the record.
        fields: options of the recipe by dotted name.
        sketch: the main series, drawn small.
    """

    name: str
    kind: str
    state: str
    when: float
    data: str = ""
    fingerprint: str = ""
    model: str = ""
    recipe: str = ""
    code: str = ""
    seed: int | None = None
    seeds: int = 0
    score: Mapping[str, Any] | None = None
    floor: Mapping[str, Any] | None = None
    beaten: str = ""
    verdict: str = ""
    findings: tuple[tuple[str, str], ...] = ()
    epochs: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    length: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    sketch: Sketch | None = None


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Time of change (ns) and size of every entry of a folder; a row is read again if they differ.

    Example:
        >>> import tempfile
        >>> files_in(Path(tempfile.mkdtemp()))
        {}
    """
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                told = entry.stat()
                found[entry.name] = (told.st_mtime_ns, told.st_size)
    except OSError:
        return {}
    return found


def read_row(folder: Path, name: str = "") -> RunRow:
    """The row of a folder; what cannot be read is a row with the state "damaged".

    Args:
        folder: of a run or study.
        name: to call it; "" is the name of the folder.
    """
    files = files_in(folder)
    kind = kind_of(files)
    mark = next((mark for mark in KINDS if mark in files), "")
    row: dict[str, Any] = {
        "name": name or folder.name, "kind": kind, "state": "damaged",
           "when": files[mark][0] / 1e9 if mark else 0.0}  # fmt: skip
    reader = {"fit": _of_run, "import": _of_log}.get(kind, _of_study)
    with suppress(*UNREADABLE):
        row |= reader(folder, files, mark)
    return RunRow(**row)


def _of_run(folder: Path, files: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The row of one training."""
    text = read_file(folder / "recipe.toml")
    recipe = tomllib.loads(text.decode())
    data = _decoded(folder / "data.json", DataFile).schema
    environment = _decoded(folder / mark, Environment)
    result = _decoded(folder / "result.json", Result) if "result.json" in files else None
    found = (
        _decoded(folder / "findings.json", Findings) if "findings.json" in files else Findings([])
    )
    sketch = sketch_of(folder / RECORD)
    now = None if result else status_of(folder)
    fields = flat_fields(recipe)
    own = str(fields.get("model.source", ""))
    row: dict[str, Any] = {
        "state": now.state if now else _ended(folder, files, result),
        "data": data.name, "fingerprint": data.fingerprint,
        "model": str(fields.get("model", "")), "recipe": hashlib.sha256(text).hexdigest()[:12],
        "code": " ".join([environment.versions.get("chymist", ""), own]).strip(),
        "seed": environment.seed, "findings": tuple((f.code, f.level) for f in found.findings),
        "epochs": sketch.epochs, "steps": sketch.steps, "length": str(recipe.get("length", "")),
        "metrics": dict(sketch.last), "fields": fields, "sketch": sketch,
    }  # fmt: skip
    return row | (_of_result(result, row["metrics"]) if result else {})


def _ended(folder: Path, files: Mapping[str, Any], result: Result | None) -> str:
    """How a run that has a result has ended; the same words as of `engine.status`."""
    said = result.status if result else ""
    stopped = said == "finished" and HISTORY in files and ending_of(read_history(folder))
    return "stopped" if stopped else said


def _of_result(result: Result, metrics: Mapping[str, float]) -> dict[str, Any]:
    """What a result adds to the row of a run."""
    known = {k: math.nan if v is None else v for k, v in result.metrics.items()}
    floor = result.floors[0] if result.floors else None
    found: dict[str, Any] = {
        "score": _plain(result.score), "verdict": result.verdict, "beaten": beaten(result.verdict),
        "floor": floor and {"name": floor.name, "value": floor.score.value},
        "metrics": {**metrics, **known},
    }  # fmt: skip
    if result.status == "finished":
        found |= {"epochs": result.facts.epochs, "steps": result.facts.steps,
                  "seconds": result.facts.seconds}  # fmt: skip
    return found


def _of_study(folder: Path, files: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The row of many trainings."""
    study = _decoded(folder / mark, Study)
    models = [study.facts.model] if study.facts.model else [row.name for row in study.rows]
    return {
        "state": state_of(folder), "data": study.data.name, "fingerprint": study.data.fingerprint,
        "model": ", ".join(name for name in models if name) or study.best.model.name,
        "score": _plain(study.score), "seconds": study.facts.seconds or study.seconds,
        "verdict": study.verdict, "beaten": beaten(study.verdict), "seeds": study.how.seeds,
    }  # fmt: skip


def _of_log(folder: Path, files: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The row of an imported log."""
    log, sketch = _decoded(folder / mark, Study), sketch_of(folder / RECORD)
    return {"state": "finished", "data": log.name, "steps": sketch.steps,
            "metrics": dict(sketch.last), "sketch": sketch}  # fmt: skip


def beaten(verdict: str) -> str:
    """What a verdict says of the strongest floor; "" if it says nothing of one.

    Example:
        >>> beaten("cnn is better than the strongest floor, majority class, by 5.1 points.")
        'beaten'
    """
    if " is better than the strongest floor" in verdict:
        return "beaten"
    if " is WORSE than the strongest floor" in verdict:
        return "not beaten"
    return "cannot tell" if verdict.startswith("cannot tell") or "says the same as" in verdict \
        else ""  # fmt: skip


def flat_fields(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a recipe by dotted name; a part's own name stands for the part.

    Example:
        >>> flat_fields({"batch_size": 64, "optimizer": {"name": "adam", "lr": 0.1}})
        {'batch_size': 64, 'optimizer': 'adam', 'optimizer.lr': 0.1}
    """
    found: dict[str, Any] = {}
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            inner = flat_fields(value)
            found |= {name: inner.pop("name")} if "name" in inner else {}
            found |= {f"{name}.{key}": one for key, one in inner.items()}
        else:
            found[name] = value
    return found


def _decoded(path: Path, kind: type[T]) -> T:
    return msgspec.json.decode(read_file(path), type=kind)


def _plain(score: Scored | None) -> dict[str, Any] | None:
    return None if score is None else msgspec.to_builtins(score)
