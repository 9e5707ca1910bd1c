"""The nouns of chymist: frozen, comparable values that hold data and no behaviour of their own.

`Data` is what was read, `Split` which rows are for what, `Recipe` everything that shapes a run,
`Score` a number with its interval, `Run` what came out. Verbs make them; reports draw them.
"""

from __future__ import annotations

import math
import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np
import tomli_w

from chymist.errors import InputError, UsageError, nearest
from chymist.parts import PALETTE, Part, convert, in_order, own, part

Kind = Literal["number", "category", "date", "text", "id"]
Task = Literal["classification", "regression", "tagging", "language"]
DataKind = Literal["table", "array", "image", "sequence", "text", "tokens", "graph"]
KIND_NAMES: Mapping[DataKind, str] = {
    "table": "table", "array": "array of numbers", "image": "images", "sequence": "sequences",
    "text": "texts", "tokens": "numbers of tokens", "graph": "nodes of a graph",
}  # fmt: skip
Table = Mapping[str, np.ndarray]  # raw columns: float64, or text cells as objects (None = missing)


@dataclass(frozen=True)
class Column:
    """One column of a table: name, kind, and what was seen in it."""

    name: str
    kind: Kind
    missing: int = 0
    distinct: int = 0
    note: str = ""  # why it is not used, or how it is read

    @property
    def used(self) -> bool:
        """Whether the column is a feature (text and identifiers are not)."""
        return self.kind in ("number", "category", "date")


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges among nodes that are numbered from 0: nodes are rows, or columns of a sequence.

    Args:
        nodes: how many there are.
        edges: source and target of each edge, int64 (2, edges); an edge that goes both ways is
            listed twice.
        weights: of each edge, float32 (edges,), or None if all are 1.
        features: what is known of each node, (nodes, features), or None.
        owners: where rows are whole graphs, the number of the graph that each node belongs to,
            ascending from 0, int64 (nodes,); None where rows are nodes.
        names: identifiers of the nodes, as a file gave them; empty where they are numbers.
    """

    nodes: int
    edges: np.ndarray
    weights: np.ndarray | None = None
    features: np.ndarray | None = None
    owners: np.ndarray | None = None
    names: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows of data it makes: its nodes, or the graphs that they belong to."""
        return self.nodes if self.owners is None else int(self.owners[-1]) + 1

    def __repr__(self) -> str:
        return f"Graph({self.nodes} nodes, {self.edges.shape[1]} edges)"


@dataclass(frozen=True, eq=False)
class Data:
    """Rows as they were read: raw inputs, targets and what is known about them.

    Args:
        name: short name, for headings and run folders.
        kind: "table" (columns of mixed kind), "array" (numbers), "image", "sequence" (numbers at
            every step), "text", "tokens" (numbers of words or characters) or "graph" (its nodes).
        task: "classification", "regression", "tagging" (a class for every step) or "language" (the
            next token at every step).
        inputs: table: raw columns by name, each (rows,); array: float (rows, ...);
            image: uint8 or float (rows, height, width, channels); sequence: float (rows, steps,
            features); text: texts as objects (rows,); tokens: int64 (rows, steps); graph: the
            numbers of its nodes, or of the graphs that they belong to, int64 (rows, 1).
        targets: class indices int64 (rows,), or float64 (rows,) or (rows, outputs); for tagging
            class indices int64 (rows, steps), -1 where a step has none.
        classes: class names in index order; empty for regression.
        columns: the columns of a table (or one per feature of a flat array).
        target: name of the target.
        test_rows: rows of the standard test part, or None.
        fingerprint: hash of the content, independent of file order, location and clock.
        source: what `load` needs to read the same rows again; empty for arrays.
        notes: what the reader saw and did, in sentences.
        graph: among the rows of a graph, or the features of sequences; None elsewhere.
        vocabulary: what the numbers of tokens mean.
        valid_rows: rows of the standard validation part, or None.
        labels: what else is known of each row and is no input, (rows,) by name: rows may be
            grouped by it.
        train_rows: rows of the standard training part, where some rows are in no part; or None.
    """

    name: str
    kind: DataKind
    task: Task
    inputs: Table | np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"
    test_rows: np.ndarray | None = None
    fingerprint: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    graph: Graph | None = None
    vocabulary: tuple[str, ...] = ()
    valid_rows: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    train_rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Data) and self.fingerprint == other.fingerprint
        return same and isinstance(other, Data) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def row_classes(self) -> tuple[str, ...]:
        """Names of the classes that rows have, one each; empty where steps have them, or none."""
        return self.classes if self.targets.ndim == 1 else ()

    def class_counts(self, rows: np.ndarray | None = None) -> np.ndarray:
        """How often each class occurs in some rows, or in all; at every step that has a target."""
        targets = (self.targets if rows is None else self.targets[rows]).ravel()
        found: np.ndarray = np.bincount(targets[targets >= 0], minlength=len(self.classes))
        return found

    def take(self, rows: np.ndarray) -> Table | np.ndarray:
        """Raw inputs of some rows."""
        if isinstance(self.inputs, np.ndarray):
            picked: np.ndarray = self.inputs[rows]
            return picked
        return {name: cells[rows] for name, cells in self.inputs.items()}

    def __repr__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else f"target {self.target}"
        return f"Data({self.name}: {len(self)} rows, {self.kind}, {what}, {self.fingerprint[:12]})"


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows of the data are for training, validation and test.

    Args:
        data: the data.
        train, valid, test: row numbers, int64, ascending, disjoint; valid and test may be empty;
            train repeats the rows that a bootstrap drew several times.
        seed: seed of the draw.
        method: "stratified", "plain", "grouped", "time" or "standard" in words.
        options: arguments of `cy.split` that differ from its defaults, so that the cut can be
            made again.
        groups: number of each row's group, 0..g-1, (rows of the data,), or None; rows of a group
            are not independent, and stay together.
    """

    data: Data
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    seed: int = 0
    method: str = "stratified"
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: np.ndarray | None = None

    def rows(self, name: str) -> np.ndarray:
        """Row numbers of a part: "train", "valid" or "test"."""
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        if name not in parts:
            raise UsageError(
                "unknown part of the split", received=f"'{name}'", do=nearest(name, parts)
            )
        return parts[name]

    def groups_of(self, rows: np.ndarray) -> np.ndarray | None:
        """Number of the group of some rows, or None."""
        return None if self.groups is None else self.groups[rows]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Split):
            return NotImplemented
        names = ("train", "valid", "test")
        return self.data == other.data and all(
            np.array_equal(self.rows(n), other.rows(n)) for n in names
        )

    def __hash__(self) -> int:
        return hash((self.data, self.train.tobytes(), self.valid.tobytes()))

    def __repr__(self) -> str:
        counts = f"{len(self.train)} train, {len(self.valid)} valid, {len(self.test)} test"
        return f"Split({self.data.name}: {counts}, {self.method}, seed {self.seed})"


@dataclass(frozen=True)
class Length:
    """A duration with its unit: "10 epochs" or "500 steps".

    Example:
        >>> Length.parse("10 epochs").steps(steps_per_epoch=23)
        230
    """

    count: int
    unit: Literal["epochs", "steps"]

    @classmethod
    def parse(cls, text: str | Length, where: str = "length") -> Length:
        """Read "10 epochs" or "500 steps"; a bare number is refused because it has no unit."""
        if isinstance(text, Length):
            return text
        words = str(text).split()
        unit = {"epoch": "epochs", "step": "steps"}.get(words[-1], words[-1]) if words else ""
        digits = words[0].replace("_", "") if len(words) == 2 else ""
        if unit in ("epochs", "steps") and digits.isdecimal() and 0 < int(digits) < 10**12:
            return cls(int(digits), "epochs" if unit == "epochs" else "steps")
        raise UsageError(
            "a length needs a number and a unit",
            where=where,
            received=repr(text),
            do='write "10 epochs" or "500 steps"',
        )

    def steps(self, steps_per_epoch: int) -> int:
        """The duration in optimiser steps."""
        return self.count * (steps_per_epoch if self.unit == "epochs" else 1)

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count != 1 else self.unit[:-1]}"


class Shapes(NamedTuple):
    """What a model factory needs to know: the shape of one input and the number of outputs.

    Args:
        inputs: shape of one prepared input: (features,) or (channels, height, width).
        outputs: number of outputs: classes (1 for two classes with a binary loss), or targets.
        categories: number of categories of each input that is the code of a category, 0 for other
            inputs; empty if none is.
        vocabulary: number of different tokens, if the inputs are numbers of tokens (steps,), 0
            being what fills short texts up; 0 if they are measured numbers.
        graph: what a model for graphs knows beside its inputs (`chymist.data.graphs.GraphInputs`),
            or None.
        each_step: whether outputs are wanted for every step.
    """

    inputs: tuple[int, ...]
    outputs: int
    categories: tuple[int, ...] = ()
    vocabulary: int = 0
    graph: Any = None
    each_step: bool = False


PRECISIONS = ("float32", "float64", "bfloat16", "float16")
MOST_DOTS = 32  # of one key in a recipe file; a right one has a single dot at most
PART_FIELDS = (
    "data", "model", "init", "loss", "penalty", "optimizer", "schedule", "clip", "gradient_noise",
    "stop", "augment",
)  # fmt: skip

SEVERAL = ("augment",)  # slots that take several parts, one after the other


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a run, as one value; None means the default for the kind of data.

    Args:
        model: a part (`cy.models.mlp(hidden=(128,))`), a name, an `nn.Module`, or a factory
            `lambda shapes: Net()`.
        loss: name or part of the loss.
        optimizer: name or part of the optimiser.
        schedule: name or part of the learning-rate schedule.
        batch_size: rows per step.
        length: "30 epochs" or "500 steps".
        stop: early stopping, or "none".
        clip: gradient clipping, or "none".
        gradient_noise: noise that is added to the gradient, or "none".
        augment: how training rows are changed, anew in every epoch: a part
            (`cy.augment.crop(padding=4)`), its name, a list of several, or "none".
        data: preparation of the columns (`cy.prepare(...)`).
        precision: "float32", "float64", or "bfloat16" or "float16": products in reduced precision
            (autocast), weights and moments in float32; float16 scales the gradients.
        accumulate: forward and backward passes of `batch_size` rows whose gradients make one
            step; the step gets the mean over all their rows.
        init: how the weights start (`cy.initializers.he_normal()`), or "default".
        penalty: what large weights cost (`cy.penalties.l2(strength=1e-3)`), or "none".

    Raises:
        UsageError: a name, option or value is unknown or out of range.

    Example:
        >>> recipe = Recipe(model="mlp", batch_size=64, length="30 epochs")
        >>> Recipe.from_toml(recipe.to_toml()) == recipe
        True
    """

    model: Any = None
    loss: Any = None
    optimizer: Any = None
    schedule: Any = None
    batch_size: Any = None
    length: Any = None
    stop: Any = None
    clip: Any = None
    data: Any = None
    precision: Any = None
    accumulate: Any = None
    init: Any = None
    penalty: Any = None
    gradient_noise: Any = None
    augment: Any = None

    def __post_init__(self) -> None:
        for name in PART_FIELDS:
            object.__setattr__(self, name, _as_part(name, getattr(self, name)))
        if self.length is not None:
            object.__setattr__(self, "length", Length.parse(self.length))
        if self.batch_size is not None and self.batch_size != "all":
            hint = Literal["all"] | int
            size = convert(self.batch_size, hint, "batch_size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise UsageError(
                    "a batch needs at least one row",
                    where="batch_size",
                    received=repr(self.batch_size),
                    do='give a whole number or "all"',
                )
            object.__setattr__(self, "batch_size", size)
        if self.precision not in (None, *PRECISIONS):
            raise UsageError(
                "unknown precision",
                received=repr(self.precision),
                do=nearest(str(self.precision), PRECISIONS),
            )
        if self.accumulate is not None:
            count = convert(self.accumulate, int, "accumulate")
            if count < 1:
                raise UsageError("a step needs at least one pass", where="accumulate",
                                 received=repr(count), do="give a whole number")  # fmt: skip
            object.__setattr__(self, "accumulate", count)

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed."""
        unknown = set(changes) - {f.name for f in fields(self)}
        for name in sorted(unknown):
            raise UsageError(
                "unknown recipe field",
                received=f"'{name}'",
                do=nearest(name, [f.name for f in fields(self)]),
            )
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, as plain values (the TOML form)."""
        found: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Part):
                source = {"source": value.source} if value.source else {}
                options = {
                    k: v for k, v in msgspec.to_builtins(value.options).items() if v is not None
                }
                found[item.name] = {"name": value.name, **source, **options}
            elif value is not None:
                found[item.name] = str(value) if isinstance(value, Length) else value
        return dict(sorted(found.items(), key=lambda pair: isinstance(pair[1], dict)))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Recipe:
        """A recipe from its plain form; names and options are checked."""
        known = [f.name for f in fields(cls)]
        made: dict[str, Any] = {}
        for name, value in plain.items():
            if name not in known:
                raise UsageError(
                    "unknown recipe field", received=f"'{name}'", do=nearest(name, known)
                )
            made[name] = _part_from(name, value) if name in PART_FIELDS else value
        return cls(**made)

    def to_toml(self) -> str:
        """The recipe as a TOML text."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str, where: str = "recipe") -> Recipe:
        """A recipe from a TOML text.

        Raises:
            InputError: the text is not TOML.
            UsageError: an unknown key, name or value.
        """
        try:
            _check_depth(text)
            plain = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(
                "recipe is not valid TOML",
                where=where,
                received=str(error)[:90],
                do="see `chymist fit SOURCE --print-recipe` for an example",
            ) from None
        return cls.from_dict(plain)


@dataclass(frozen=True)
class Score:
    """A number with its interval and where it comes from.

    Args:
        metric: name of the metric ("accuracy", "rmse").
        value: the number.
        low, high: 95 % interval (see `chymist.evidence.intervals` for the method per metric).
        n: rows it was computed on.
        split: "train", "valid", "test", "out-of-fold", or ".632+" (estimated from bootstraps).
        selected_on: what was chosen by looking at these rows ("val_loss"), or None. A score on
            rows that chose something is optimistic.
        groups: groups of the rows, if the interval is by group, or None.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    split: str
    selected_on: str | None = None
    groups: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The score as plain values (the JSON contract); `groups` only where there are some."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {k: v for k, v in plain.items() if k != "groups" or v is not None}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Score:
        """A score from its plain values; an end that JSON could not hold is infinite."""
        low, high = plain["low"], plain["high"]
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        return cls(**{**plain, "low": low, "high": high})

    def __str__(self) -> str:
        value, low, high = (show(self.metric, v) for v in (self.value, self.low, self.high))
        rows = f"n={self.n}" + ("" if self.groups is None else f" in {self.groups} groups")
        return f"{self.metric} {value} [{low}, {high}] ({self.split}, {rows})"


@dataclass(frozen=True)
class Floor:
    """What a trivial or cheap method reaches on the same rows."""

    name: str
    score: Score


@dataclass(frozen=True, eq=False)
class Predictions:
    """Per-example results of a model on some rows.

    Args:
        rows: row numbers in the data, (n,).
        targets: class indices (n,) or values (n,) or (n, outputs), in the units of the data.
        outputs: class probabilities (n, classes), or values like targets.
        groups: number of each row's group, (n,), if rows of a group are not independent.
        estimated: whether shares of classes are probabilities that the loss estimates; those made
            of the scores of a perceptron or a support vector machine keep their order only.
    """

    rows: np.ndarray
    targets: np.ndarray
    outputs: np.ndarray
    groups: np.ndarray | None = None
    estimated: bool = True

    @property
    def labels(self) -> np.ndarray:
        """Predicted class indices (n,), or the predicted values."""
        return (
            self.outputs.argmax(1)
            if self.outputs.ndim == 2 and self.targets.ndim == 1
            else self.outputs
        )


@dataclass(frozen=True, eq=False)
class Run:
    """What a training run gave: the model, its score, and everything needed to believe it.

    Args:
        path: run folder (a temporary one until `save`).
        recipe: the complete recipe, defaults filled in.
        split: the rows.
        seed: seed of initialisation, order and dropout.
        model: the trained `nn.Module`, best weights, in evaluation mode.
        preparation: the fitted preparation (raw inputs to tensors and back).
        score: headline score on the validation rows (training rows if there are none).
        floors: what trivial and cheap methods reach on the same rows, strongest first.
        verdict: one sentence that says who wins.
        metrics: all metrics on the same rows, by name.
        predictions: per-example results on the same rows.
        history: recorded series by name, each an array (points, 2) of step and value.
        facts: epochs, steps, seconds, samples_per_second, waiting_for_data, spent, parameters,
            threads, environment.
        findings: what the doctor found (`chymist.doctor.Finding`), the surest first.
        experiments: what the experiments of `diagnose` found, as plain values; None without.
    """

    path: Path
    recipe: Recipe
    split: Split
    seed: int
    model: Any
    preparation: Any
    score: Score
    floors: tuple[Floor, ...]
    verdict: str
    metrics: Mapping[str, float]
    predictions: Predictions
    history: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    findings: tuple[Any, ...] = ()
    experiments: Mapping[str, Any] | None = None

    # Plots and the notebook view are attached by `chymist.reports`; values draw nothing.
    views: ClassVar[dict[str, Callable[..., Any]]] = {}

    @property
    def data(self) -> Data:
        """The data of the run."""
        return self.split.data

    def save(self, folder: str | Path) -> Run:
        """Copy the run folder to a place that stays; returns the run with its new path."""
        saved: Run = self.views["save"](self, Path(folder))
        return saved

    def plot(self) -> Any:
        """Draw loss and score over the epochs; returns matplotlib axes."""
        return self.views["plot"](self)

    def _repr_html_(self) -> str:
        return str(self.views["html"](self))

    def __repr__(self) -> str:
        return f"Run({self.data.name}: {self.score}, {self.path})"


def whole_number(value: Any, where: str, low: int, high: int = 2**63 - 1) -> int:
    """A whole number of Python, from one of any kind, within a range.

    Raises:
        UsageError: it is none, or out of range.

    Example:
        >>> import numpy as np
        >>> whole_number(np.int64(3), "seed", 0)
        3
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        most = "2^63 - 1" if high == 2**63 - 1 else str(high)
        raise UsageError("not a whole number in range", where=where, received=repr(value)[:40],
                         do=f"give {low} to {most}")  # fmt: skip
    return number


def show(metric: str, value: float) -> str:
    """A metric's value as text: shares in percent, others with four significant digits.

    Example:
        >>> show("accuracy", 0.97812), show("rmse", 3.14159)
        ('97.8 %', '3.142')
    """
    if metric in SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.4g}"


def _check_depth(text: str) -> None:
    """Refuse keys of many parts: reading them takes time and memory that grow with the square."""
    if "." * MOST_DOTS in re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|[\w \t-]+", "", text):
        raise ValueError(f"a key of more than {MOST_DOTS} parts")


SHARES = frozenset({"accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "error",
                     "chunk_f1"})  # fmt: skip


def _as_part(slot: str, value: Any) -> Part | None:
    """What a user may put into a slot of the recipe, as a part."""
    if value is None or isinstance(value, Part):
        return value
    if isinstance(value, str) or (slot in SEVERAL and isinstance(value, list | tuple)):
        return _part_from(slot, value)
    if isinstance(value, Mapping):
        return _part_from(slot, value)
    if slot == "model" and callable(value):
        return own(slot, value)
    raise UsageError(
        f"not a {slot}", received=repr(value)[:80], do=f"give a name or cy.{slot}(...)"
    )


def _part_from(slot: str, value: Any) -> Part:
    """A part from its plain form: a name, or a table with `name` and options."""
    if slot in SEVERAL and not isinstance(value, Mapping):
        return in_order(slot, value)
    if not isinstance(value, Mapping):
        return part(slot, str(value))
    options = dict(value)
    name = str(options.pop("name", "prepare" if slot == "data" else ""))
    source = str(options.pop("source", ""))
    if source:  # a user's own module: only its name and hash are on record
        return Part(slot, name, (), source)
    return part(slot, name, **options)


assert set(PART_FIELDS) <= set(PALETTE)
