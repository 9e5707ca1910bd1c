"""Maps over rows of images, tables and sequences: what in a row spoke for an answer of a run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from chymist.data import read_inputs, schema_of
from chymist.data.schema import Schema
from chymist.engine.folder import open_folder
from chymist.engine.rows import as_inputs
from chymist.errors import InputError, UsageError, nearest
from chymist.explanation import attribution, class_maps
from chymist.explanation.asking import Attributor, at_rest, slopes
from chymist.explanation.class_maps import layers, usual_layer
from chymist.losses import FORMS
from chymist.reports.numbers import number
from chymist.values import Data, Run, Split, whole_number
from chymist.verbs.chosen_rows import keep_sealed, rows_by_loss
from chymist.verbs.explanations import ExplainedRow, Explanation
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.records import finished, load_model
from chymist.verbs.trusting import (
    Question,
    checks_of,
    maps_of_random_weights,
    stands_for_nothing,
    unlearned,
    usual_checks,
)

Which = Literal["worst", "best", "first"]
METHODS: Mapping[str, Attributor] = {**class_maps.METHODS, **attribution.METHODS}
KINDS = ("image", "table", "array", "sequence")
MOST = 256  # rows of one picture
GAP = 0.05  # of what the answer gains, from which on more steps are advised


def explain_rows(
    run: Run | str | Path, rows: Any = None, *, method: str | None = None,
    target: str | int | None = None, which: Which | Sequence[int] = "worst", most: int = 8,
    checks: bool | None = None, model: Any = None, data: Data | None = None, **options: Any,
) -> Explanation:  # fmt: skip
    """What `chymist.explain` says of images, tables and sequences: a map over each row.

    Args:
        run: a run on images, a table or sequences, or its folder.
        rows, method, target, which, most, checks, model, data, **options: as in `chymist.explain`.

    Returns:
        An `Explanation`.

    Raises:
        UsageError, InputError: as in `chymist.explain`.
    """
    whole_number(most, "most", 1, MOST)
    asked = _opened(run, rows, model, data)
    found = asked.new(rows, most) if rows is not None else asked.own(which, most)
    module = asked.answering(found.prepared)
    name = method if method is not None else _usual(module, found.prepared)
    if name not in METHODS:
        raise UsageError("unknown method", where="method", received=repr(name)[:60],
                         do=nearest(str(name), METHODS))  # fmt: skip
    given = _layer_in(module, found.prepared, name, _checked(name, options))
    targets = asked.targets(target, found)
    attributor = partial(METHODS[name], **given)
    maps = attributor(module, found.prepared, targets)
    values = asked.values(maps, targets)
    question = Question(attributor, module, found.prepared, targets, maps, found.names)
    wanted = usual_checks(name, found.prepared) if checks is None else checks
    beside = maps_of_random_weights(question) if wanted else None
    made = [
        ExplainedRow(place, title, truth, said, sure, about, one, shown, other)
        for place, title, truth, said, sure, about, one, shown, other in zip(
            found.numbers, found.names, asked.truths(found), *asked.said(found),
            asked.abouts(targets), values, asked.shown(found),
            [None] * len(values) if beside is None else asked.values(beside, targets), strict=True,
        )
    ]  # fmt: skip
    layer = str(given.get("layer", "")).removeprefix(INSIDE)
    notes = (
        *unlearned(run),
        *found.notes,
        *_notes(asked, name, given, module, found.prepared, targets, maps),
    )
    return Explanation(asked.predictor.name, asked.schema.kind, name, str(target or "predicted"),
                       layer, asked.unit, tuple(made), notes,
                       asked.checks(question) if wanted else ())  # fmt: skip


class TwoSided(nn.Module):
    """A model of two classes with one output z, as one of two: -z and z, times a scale.

    With a scale of 1/2 their softmax is the model's probability, sigmoid(z).

    Example:
        >>> TwoSided(nn.Identity())(torch.ones(3, 1))[0]
        tensor([-1.,  1.])
    """

    def __init__(self, inner: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) to (batch, 2)."""
        made: Tensor = self.inner(inputs).reshape(-1, 1) * self.scale
        return torch.cat([-made, made], 1)


INSIDE = "inner."


@dataclass(frozen=True, eq=False)
class _Found:
    """Rows to explain: raw, prepared, and what is known about them."""

    raw: Any
    prepared: Tensor
    names: list[str]
    numbers: list[int | None]
    truth: np.ndarray | None
    outputs: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Asked:
    """A run that is asked, and its rows where they are known."""

    predictor: Predictor
    schema: Schema
    split: Split | None

    @property
    def unit(self) -> str:
        """Of the numbers of a map."""
        if self.schema.classes:
            return "score of the class, before softmax"
        counts = FORMS[self.predictor.recipe.loss.name].counts
        return f"logarithm of {self.schema.target}" if counts else self.schema.target

    @property
    def _scale(self) -> np.ndarray | None:
        scale = self.predictor.preparation.target_scale
        return np.array(scale) if scale else None

    def new(self, rows: Any, most: int) -> _Found:
        """New rows of the user."""
        raw, names = read_inputs(rows, self.schema)
        if not names:
            raise InputError("there are no rows", where="rows", do="give at least one")
        first = np.arange(min(most, len(names)))
        notes = (f"The first {most} of {len(names):,} rows.",) if len(names) > most else ()
        if self.schema.kind != "image":
            names = [f"new row {name}" for name in names]
        return self._found(_taken(raw, first), [names[i] for i in first], [None] * len(first),
                           None, notes)  # fmt: skip

    def own(self, which: Which | Sequence[int], most: int) -> _Found:
        """Rows of the run, none of which is a test row."""
        split = self.split
        assert split is not None  # `opened` gave it
        numbers, note = _chosen(split, self.predictor, which, most)
        names = [f"{row + 1:,}" for row in numbers]
        truth = split.data.targets[numbers]
        return self._found(split.data.take(numbers), names, numbers.tolist(), truth, (note,))

    def _found(
        self, raw: Any, names: list[str], numbers: list[Any], truth: np.ndarray | None,
        notes: tuple[str, ...],
    ) -> _Found:  # fmt: skip
        own = self.predictor
        prepared = as_inputs(own.preparation.inputs(raw, own.exact), own.dtype)
        return _Found(raw, prepared, names, numbers, truth, own.outputs([prepared]), notes)

    def answering(self, prepared: Tensor) -> nn.Module:
        """The module, with one output a class."""
        with torch.no_grad(), at_rest(self.predictor.module):
            made = self.predictor.module(prepared[:1])
        single = len(self.schema.classes) == 2 and made.reshape(1, -1).shape[1] == 1
        return TwoSided(self.predictor.module) if single else self.predictor.module

    def targets(self, target: str | int | None, found: _Found) -> Tensor:
        """Number of the output that is explained in each row."""
        names, count = self.schema.classes, len(found.names)
        if target is None or target == "predicted":
            best = found.outputs.argmax(1) if names else np.zeros(count)
            return torch.from_numpy(best.astype(np.int64))
        if target == "true":
            if found.truth is None or not names:
                raise UsageError("the true class of these rows is not known", where="target",
                                 do="leave it out, or give the name of a class")  # fmt: skip
            return torch.from_numpy(found.truth.astype(np.int64))
        return torch.full((count,), _output(target, names, found.outputs.shape[-1]))

    def abouts(self, targets: Tensor) -> list[str]:
        """Names of the answers that are explained."""
        if self.schema.classes:
            return [self.schema.classes[t] for t in targets.tolist()]
        several = len(self._scale) > 1 if self._scale is not None else False
        return [f"{self.schema.target}{f' {t + 1}' if several else ''}" for t in targets.tolist()]

    def truths(self, found: _Found) -> list[str]:
        """What is true of each row, as text."""
        if found.truth is None:
            return [""] * len(found.names)
        return self._texts(found.truth)

    def said(self, found: _Found) -> tuple[list[str], list[float | None]]:
        """What the model predicts, and how sure it is."""
        if not self.schema.classes:
            return self._texts(found.outputs), [None] * len(found.names)
        best = found.outputs.argmax(1)
        sure = found.outputs.max(1).tolist()
        return self._texts(best), sure if self.predictor.estimated else [None] * len(best)

    def _texts(self, values: np.ndarray) -> list[str]:
        if self.schema.classes:
            return [self.schema.classes[int(value)] for value in values]
        return [", ".join(number(float(v)) for v in np.ravel(one)[:4]) for one in values]

    def values(self, maps: Tensor, targets: Tensor) -> np.ndarray:
        """Maps as they are shown: one number a pixel, or a column, or a value of a step."""
        made = maps.double().cpu().numpy()
        if self._scale is not None:
            made = made * self._scale[targets.numpy()].reshape(-1, *[1] * (made.ndim - 1))
        if self.schema.kind == "image":
            return np.asarray(made.sum(1) if made.ndim == 4 else made)
        if self.schema.kind == "sequence":
            return np.asarray(made)
        widths = [feature.width for feature in self.predictor.preparation.features]
        starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        return np.asarray(np.add.reduceat(made, starts, axis=1))

    def checks(self, question: Question) -> tuple[Any, ...]:
        """How far the maps can be believed."""
        single = isinstance(question.module, TwoSided)
        classes = len(self.schema.classes) > 1 and not single
        likely = TwoSided(self.predictor.module, 0.5) if single else question.module
        bare = stands_for_nothing(question.inputs, self.split, self.predictor)
        return checks_of(question, *bare, classes, likely)

    def shown(self, found: _Found) -> list[Any]:
        """The rows as they were read; of a table the columns that the model knows."""
        features = self.predictor.preparation.features
        if self.schema.kind in ("image", "sequence"):
            return list(np.asarray(found.raw))
        if isinstance(found.raw, np.ndarray):
            return [{f.name: row[f.position] for f in features} for row in found.raw]
        return [{f.name: found.raw[f.name][i] for f in features} for i in range(len(found.names))]


def _opened(run: Run | str | Path, rows: Any, model: Any, data: Data | None) -> _Asked:
    """A run and its rows; those of the run are not needed for new ones.

    Raises:
        UsageError: rows of this kind have no map.
    """
    split: Split | None = None
    if rows is None or isinstance(run, Run):
        _, split, predictor = opened(run, model, data)
        schema = schema_of(split.data)
    else:
        saved = open_folder(run)
        finished(saved)
        if saved.schema.kind in KINDS:
            module, _ = load_model(saved, model)
            predictor = Predictor(module, saved.preparation, saved.recipe, 0)
        schema = saved.schema
    if schema.kind not in KINDS or schema.task not in ("classification", "regression"):
        raise UsageError("maps are of images, tables and sequences with one answer a row",
                         where="explain", received=f"{schema.task} of data of kind '{schema.kind}'",
                         do="take a run of classes or of values")  # fmt: skip
    return _Asked(predictor, schema, split)


def _chosen(
    split: Split, predictor: Predictor, which: Which | Sequence[int], most: int
) -> tuple[np.ndarray, str]:
    """Row numbers, and a sentence that says which they are.

    Raises:
        UsageError: there is no such choice, or one is a test row.
        InputError: the run has no validation rows.
    """
    if not isinstance(which, str):
        return _numbered(split, which if isinstance(which, Iterable) else [which])
    orders = {"worst": "largest", "best": "smallest", "first": ""}
    if which not in orders:
        raise UsageError("unknown choice of rows", where="which", received=repr(which)[:60],
                         do=nearest(which, orders))  # fmt: skip
    first = which == "first" and len(split.valid)
    rows = split.valid if first else rows_by_loss(split, predictor, which == "best")
    count, whole = min(most, len(rows)), f"{len(rows):,} validation rows"
    if which == "first":
        return rows[:count], f"The first {count} of {whole}."
    name = "loss" if split.data.classes else "error"
    return rows[:count], f"The {count} of {whole} with the {orders[which]} {name}."


def _numbered(split: Split, which: Iterable[int]) -> tuple[np.ndarray, str]:
    """Rows by their numbers.

    Raises:
        UsageError: they are no numbers, or too many, or one is a test row or beyond the data.
    """
    rows = np.array([whole_number(row, "which", 0) for row in which], np.int64)
    if len(rows) and rows.max() >= len(split.data):
        raise UsageError("no such row", where="which",
                         received=f"row {rows.max() + 1:,}, counted from 1",
                         do=f"the data have {len(split.data):,}")  # fmt: skip
    if not 0 < len(rows) <= MOST:
        raise UsageError("no rows, or more than are shown", where="which",
                         received=f"{len(rows)} rows", do=f"give 1 to {MOST}")  # fmt: skip
    keep_sealed(split, rows, "which")
    trained = int(np.isin(rows, split.train).sum())
    return rows, f"Chosen rows, {trained} of them trained on." if trained else "Chosen rows."


def _output(target: str | int, names: Sequence[str], outputs: int) -> int:
    """Number of an output from its name or number.

    Raises:
        UsageError: there is none.
    """
    if isinstance(target, str) and target in names:
        return names.index(target)
    if isinstance(target, str) and not target.isdecimal():
        raise UsageError("unknown target", where="target", received=repr(target)[:60],
                         do=nearest(target, [*names, "true", "predicted"]))  # fmt: skip
    return whole_number(int(target) if isinstance(target, str) else target, "target", 0,
                        outputs - 1)  # fmt: skip


def _usual(module: nn.Module, prepared: Tensor) -> str:
    """What explains a model where nothing was asked for."""
    if prepared.ndim == 4 and layers(module, prepared):
        return "grad-cam"
    try:
        with at_rest(module):
            slopes(module, prepared[:1], torch.zeros(1, dtype=torch.int64))
    except InputError:
        return "occlusion"
    return "integrated-gradients"


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that the method has.

    Raises:
        UsageError: one that it has not.
    """
    known = {
        key for key, one in inspect.signature(METHODS[name]).parameters.items()
        if one.kind is one.KEYWORD_ONLY
    }  # fmt: skip
    for key in options:
        if key not in known:
            owners = [
                other for other, one in METHODS.items() if key in inspect.signature(one).parameters
            ]
            raise UsageError(f"{name} has no option '{key}'", where=key,
                             do=f"it belongs to {', '.join(owners)}" if owners
                             else nearest(key, known or {"none"}))  # fmt: skip
    return {key: value for key, value in options.items() if value is not None}


def _layer_in(
    module: nn.Module, prepared: Tensor, name: str, given: dict[str, Any]
) -> dict[str, Any]:
    """The options with the name of the layer, as it is called within what answers."""
    if name != "grad-cam":
        return given
    inside = INSIDE if isinstance(module, TwoSided) else ""
    layer = f"{inside}{given['layer']}" if "layer" in given else usual_layer(module, prepared)
    return {**given, "layer": layer}


def _notes(
    asked: _Asked, name: str, given: Mapping[str, Any], module: nn.Module, prepared: Tensor,
    targets: Tensor, maps: Tensor,
) -> list[str]:  # fmt: skip
    """What else there is to know about the maps."""
    notes = []
    if name == "grad-cam":
        sizes = layers(module, prepared)[given["layer"]]
        notes.append(f"Maps of this layer are {sizes[1]} x {sizes[2]}, drawn over "
                     f"{prepared.shape[2]} x {prepared.shape[3]} pixels.")  # fmt: skip
    baseline = given.get("baseline", 0.0)
    if name in ("integrated-gradients", "occlusion") and not isinstance(baseline, Tensor):
        shift, scale = asked.predictor.preparation.pixels
        against = (f"pixels of {number(shift + scale * float(baseline))}"
                   if asked.schema.kind == "image"
                   else f"inputs that are {baseline:g} after preparation")  # fmt: skip
        notes.append(f"Compared with {against}.")
    if name == "integrated-gradients":
        gap = attribution.completeness_gap(module, prepared, targets, maps, baseline=baseline)
        whole = maps.flatten(1).sum(1)
        off = float(gap.abs().max() / (whole - gap).abs().max().clamp_min(1e-12))
        more = " More steps bring it nearer." if off > GAP else ""
        notes.append(
            f"A map adds up to what the answer gains by its row, within {100 * off:.1f} %.{more}"
        )
    return notes


def _taken(raw: Any, rows: np.ndarray) -> Any:
    return {k: v[rows] for k, v in raw.items()} if isinstance(raw, Mapping) else raw[rows]
