"""What the files of a run folder must hold; checked whole when the folder is opened.

Nothing here believes a file: what is missing, of another type, out of range or in contradiction is
one line that names the file, before a verb has done any work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from chymist.data import Schema
from chymist.data.preparation import Preparation
from chymist.engine.files import read_file
from chymist.engine.ignored import as_read
from chymist.errors import ChymistError, InputError
from chymist.optim import is_solved
from chymist.values import Recipe

T = TypeVar("T")
Whole = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Size = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
Seed = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


@dataclass(frozen=True)
class StoredSplit:
    """`split.json`: how the rows were cut, and their numbers."""

    method: str
    seed: Seed
    options: dict[str, Any]
    train: Annotated[list[Whole], msgspec.Meta(min_length=1)]
    valid: list[Whole]
    test: list[Whole]
    groups: list[Whole] | None = None


@dataclass(frozen=True)
class StoredEnvironment:
    """`environment.json`, as far as a verb relies on it."""

    seed: Seed
    threads: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    versions: dict[str, str]
    id: str = ""
    device: str = "cpu"
    workers: Annotated[int, msgspec.Meta(ge=0, le=4096)] | None = None


@dataclass(frozen=True)
class StoredSource:
    """What `load` needs to read the rows again; all of it is absent for arrays."""

    load: str = ""
    target: str | int | None = None
    columns: dict[str, str] | None = None
    header: bool | None = None
    test: str | None = None
    missing: str | None = None
    name: str | None = None
    task: str | None = None
    image_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None


@dataclass(frozen=True)
class StoredShapes:
    """Shape of one prepared input, and number of outputs."""

    inputs: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=3)]
    outputs: Size


@dataclass(frozen=True)
class StoredData:
    """`data.json`."""

    source: StoredSource
    schema: Schema
    preparation: Preparation
    shapes: StoredShapes


@dataclass(frozen=True)
class StoredScore:
    """A score; an end that JSON could not hold is null."""

    metric: str
    value: float
    low: float | None
    high: float | None
    n: Whole
    split: str
    selected_on: str | None


@dataclass(frozen=True)
class StoredFloor:
    """A floor."""

    name: str
    score: StoredScore


@dataclass(frozen=True)
class StoredFacts:
    """What there is to say about the training."""

    steps: Whole
    epochs: float
    seconds: float
    parameters: Whole
    threads: Whole
    samples_per_second: float
    waiting_for_data: float
    steps_per_epoch: Size
    best_epoch: float | None
    versions: dict[str, str]
    filled: dict[str, int]
    notes: list[str] = field(default_factory=list)  # not there in older runs
    spent: dict[str, float] = field(default_factory=dict)  # nor this


@dataclass(frozen=True)
class StoredResult:
    """`result.json` of a run that has ended well."""

    score: StoredScore
    floors: list[StoredFloor]
    verdict: str
    metrics: dict[str, float | None]
    facts: StoredFacts


@dataclass(frozen=True)
class StoredError:
    """An error as it was said."""

    what: str
    where: str
    received: str
    do: str


@dataclass(frozen=True)
class StoredFailure:
    """`result.json` of a run that has diverged."""

    error: StoredError


@dataclass(frozen=True)
class StoredState:
    """The part of every `result.json`."""

    status: str


# Keys of a preparation or schema that runs made before there were these do not have.
YOUNGER = frozenset({"tokens", "vocabulary", "steps"})

# How a run can end; a new status gets its form here, or no verb reads its folder.
ENDS: dict[str, type[Any]] = {"finished": StoredResult, "diverged": StoredFailure}


def read_json(path: Path) -> Any:
    """Plain values from a JSON file of a run.

    Raises:
        InputError: it is missing or no JSON.
    """
    try:
        return msgspec.json.decode(read_file(path))
    except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from None


def read_as(path: Path, kind: type[T]) -> tuple[dict[str, Any], T]:
    """Plain values from a JSON file of a run, and the same values as what they must be.

    Raises:
        InputError: it is missing, no JSON, or holds something else.
    """
    plain = read_json(path)
    return plain, checked(path, plain, kind)


def checked(path: Path, plain: Any, kind: type[T]) -> T:
    """Plain values as what they must be.

    Raises:
        InputError: they are something else.
    """
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise damaged(path, str(error)) from None


def read_recipe(path: Path) -> Recipe:
    """The complete recipe of a run.

    Raises:
        InputError: it is no recipe, or a field is not set.
    """
    try:
        recipe = Recipe.from_toml(read_file(path).decode(), path.name)
    except (ChymistError, OSError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
    # Runs made before there were these have one pass, no noise, no penalty, and the usual start.
    younger = {"accumulate", "augment", "gradient_noise", "init", "penalty"}
    if recipe.optimizer is not None:
        recipe = as_read(recipe)
        younger |= {"schedule"} if is_solved(recipe) else set()
    missing = [
        name for name, value in vars(recipe).items() if value is None and name not in younger
    ]
    if missing:
        raise damaged(path, f"no {', '.join(missing)}")
    return recipe


def read_split(path: Path) -> dict[str, Any]:
    """The split of a run, as plain values.

    Raises:
        InputError: rows are listed twice or not in order.
    """
    plain, split = read_as(path, StoredSplit)
    parts = [np.array(rows, np.int64) for rows in (split.train, split.valid, split.test)]
    rows = np.concatenate(parts)
    if len(np.unique(rows)) != len(rows) or any((np.diff(part) < 0).any() for part in parts):
        raise damaged(path, "row numbers that are not in order, or listed twice")
    return plain


def read_data(path: Path) -> tuple[dict[str, Any], StoredData]:
    """Source, schema, preparation and shapes of a run.

    Raises:
        InputError: a key is missing, or they contradict each other.
    """
    plain, data = read_as(path, StoredData)
    for name in ("schema", "preparation"):
        again = msgspec.json.decode(msgspec.json.encode(getattr(data, name)))
        kept = {
            key: value for key, value in again.items() if key not in YOUNGER or key in plain[name]
        }
        if kept != plain[name]:
            raise damaged(path, f"keys of {name} that are missing or unknown")
    for problem in _contradictions(data):
        raise damaged(path, problem)
    return plain, data


def read_result(path: Path) -> dict[str, Any]:
    """What a run gave, as plain values; empty if it has not ended.

    Raises:
        InputError: something is missing in it.
    """
    if not path.exists():
        return {}
    plain, state = read_as(path, StoredState)
    if state.status not in ENDS:  # resume would train over it
        raise damaged(path, f"an unknown status '{state.status[:40]}'")
    checked(path, plain, ENDS[state.status])
    if state.status == "finished":
        metrics = {k: math.nan if v is None else v for k, v in plain["metrics"].items()}
        plain["metrics"] = metrics
    return plain


def damaged(path: Path, found: str) -> InputError:
    """The error that a file of a run cannot be used.

    Args:
        path: the file.
        found: what is wrong in it.
    """
    return InputError(
        "a file of the run is damaged",
        where=str(path),
        received=found.splitlines()[0][:90] if found else "",
        do="restore it, or run fit again",
    )


def _contradictions(data: StoredData) -> Iterator[str]:
    """What schema, preparation and shapes say against each other."""
    schema, made = data.schema, data.preparation
    if made.kind != schema.kind:
        yield "schema and preparation are of different kinds"
    if bool(schema.classes) != (schema.task != "regression"):
        yield "task and classes differ"
    if bool(schema.classes) == bool(made.target_scale):
        yield "targets are neither classes nor scaled values"
    if len(made.target_shift) != len(made.target_scale):
        yield "shifts and scales of targets differ in number"
    outputs = len(schema.classes) or len(made.target_scale)
    if data.shapes.outputs not in ({1, 2} if outputs == 2 else {outputs}):
        yield f"{data.shapes.outputs} outputs, not {outputs}"
    image = made.kind == "image"
    if (image and len(schema.shape) != len(made.shape)) or min(made.shape, default=1) < 1:
        yield "the shape of an input"
    if data.shapes.inputs != made.input_shape:
        yield f"inputs {data.shapes.inputs}, not {made.input_shape}"
    yield from _column_problems(data)


def _column_problems(data: StoredData) -> Iterator[str]:
    """What is wrong with the columns of a table or array."""
    made, names = data.preparation, [column.name for column in data.schema.columns]
    if len(set(names)) != len(names):
        yield "columns of the same name"
    if made.kind == "array" and made.columns != len(names):
        yield f"{made.columns} columns, not {len(names)}"
    for feature in made.features:
        if feature.name not in names or not 0 <= feature.position < len(names):
            yield "a feature of no column"
        if not feature.kept and isinstance(feature.fill, str) != (feature.kind == "category"):
            yield "a fill that does not suit its column"
    scales = [made.pixels[1], *made.target_scale, *(feature.scale for feature in made.features)]
    if not all(scale > 0 for scale in scales):
        yield "a scale that is not positive"
