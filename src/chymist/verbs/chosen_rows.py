"""Rows that a run is looked at with: some of its own, new ones, or those that it answers worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chymist.data import read_inputs, schema_of
from chymist.engine.rows import EVALUATION_BATCH, in_turn
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.reports.examples import row_losses
from chymist.values import Data, Split
from chymist.verbs.predicting import Predictor

BATCH_VALUES = 2**22  # of inputs that go through a model at once


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some rows, raw and prepared, with what is known of them.

    Args:
        names: what to call each: its number from 1 in the data, or the name of a new row.
        numbers: their numbers in the data from 0; None for new rows.
        raw: raw inputs.
        inputs: prepared inputs.
        outputs: probabilities (n, classes), or values in raw units.
        said: the answer of the run to each, in words.
        truth: the target of each in words; None for new rows.
    """

    names: tuple[str, ...]
    numbers: np.ndarray | None
    raw: Any
    inputs: Tensor
    outputs: np.ndarray
    said: tuple[str, ...]
    truth: tuple[str, ...] | None

    def captions(self) -> tuple[str, ...]:
        """Name, truth and answer of each row, line by line."""
        truth = self.truth if self.truth is not None else (None,) * len(self.names)
        return tuple(
            f"row {name}\n" + (f"true {true}\n" if true is not None else "") + f"said {said}"
            for name, true, said in zip(self.names, truth, self.said, strict=True)
        )


def choose_rows(split: Split, predictor: Predictor, rows: Any, most: int) -> ChosenRows:
    """The rows that were asked for, or the validation rows that are answered worst.

    Args:
        split: of the run.
        predictor: of the run.
        rows: numbers of rows in the data from 0; or new rows, as `predict` takes them; or None.
        most: rows that are chosen for None.

    Raises:
        InputError: new rows do not fit, or there are no validation rows.
        UsageError: the data have no such row, it is a test row, or it has no single answer.
    """
    data = split.data
    if data.targets.ndim > 1 and data.classes:
        raise UsageError("rows must have one answer each", where="run", received=data.task,
                         do="give a run of classes or of values")  # fmt: skip
    numbers = worst_rows(split, predictor, most) if rows is None else _numbers(rows, data)
    if numbers is not None:
        keep_sealed(split, numbers, "rows")
    if numbers is None:
        raw, found = read_inputs(rows, schema_of(data))
        names, inputs = tuple(map(str, found)), torch.cat(list(predictor.batches(raw)))
    else:
        raw, names = data.take(numbers), tuple(f"{n + 1:,}" for n in numbers.tolist())
        inputs = torch.cat(list(in_turn(predictor.rows(data, numbers))))
    outputs = predictor.outputs(inputs.split(batch_for(inputs.shape[1:])))
    truth = None if numbers is None else _worded(data, data.targets[numbers])
    answers = outputs.argmax(1) if data.classes else outputs
    return ChosenRows(names, numbers, raw, inputs, outputs, _worded(data, answers), truth)


def batch_for(shape: tuple[int, ...]) -> int:
    """Rows that go through a model at once: fewer of large ones, so that memory is bounded."""
    return max(1, min(EVALUATION_BATCH, BATCH_VALUES // max(1, int(np.prod(shape)) * 8)))


def worst_rows(split: Split, predictor: Predictor, most: int | None = None) -> np.ndarray:
    """Numbers of the validation rows with the largest loss, the worst first.

    Raises:
        InputError: there are none.
    """
    return rows_by_loss(split, predictor)[:most]


def rows_by_loss(split: Split, predictor: Predictor, best: bool = False) -> np.ndarray:
    """Numbers of the validation rows in the order of their loss; of values that of their error.

    Args:
        split: of the run.
        predictor: of the run.
        best: whether the smallest loss comes first; rows of the same loss stay in their order.

    Raises:
        InputError: there are none.
    """
    if not len(split.valid):
        raise InputError("the run has no validation rows", where=split.data.name,
                         do="say which rows, or fit with --valid 0.2")  # fmt: skip
    losses = row_losses(predictor.results(split, split.valid), split.data.classes)
    losses = np.nan_to_num(losses, nan=np.inf)
    rows: np.ndarray = split.valid[np.argsort(losses if best else -losses, kind="stable")]
    return rows


def keep_sealed(split: Split, rows: np.ndarray, where: str) -> None:
    """Refuse test rows: to look at them one by one is a look that nobody counts.

    Args:
        split: of the run.
        rows: their numbers.
        where: the argument that has them.

    Raises:
        UsageError: one of them is a test row.
    """
    sealed = rows[np.isin(rows, split.test)]
    if len(sealed):
        raise UsageError("test rows are sealed", where=where,
                         received=f"row {sealed[0] + 1:,} of the data",
                         do="give validation or training rows")  # fmt: skip


def drawn_rows(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of some rows, drawn without replacement, in ascending order."""
    if len(rows) <= most:
        return np.sort(rows)
    drawn = generator(seed, "rows looked at").choice(len(rows), most, replace=False)
    return np.sort(rows[drawn])


def batches_of(data: Data, predictor: Predictor, numbers: np.ndarray) -> Iterator[Tensor]:
    """Prepared inputs of some rows, in batches whose size bounds the memory."""
    yield from in_turn(predictor.rows(data, numbers), batch_for(predictor.preparation.input_shape))


def _numbers(rows: Any, data: Data) -> np.ndarray | None:
    """Numbers of rows, if that is what was given.

    Raises:
        UsageError: the data have no such row.
    """
    if isinstance(rows, int | np.integer):
        rows = [rows]
    if isinstance(rows, str | bytes) or not isinstance(rows, list | tuple | range | np.ndarray):
        return None
    found = np.asarray(rows)
    if found.ndim != 1 or found.dtype.kind not in "iu" or not len(found):
        return None
    if found.min() < 0 or found.max() >= len(data):
        raise UsageError("the data have no such row", where="rows",
                         received=str(int(found.min() if found.min() < 0 else found.max())),
                         do=f"give 0 to {len(data) - 1:,}")  # fmt: skip
    return found.astype(np.int64)


def _worded(data: Data, values: np.ndarray) -> tuple[str, ...]:
    """Classes by their names, values by four digits."""
    if data.classes:
        return tuple(data.classes[int(n)] for n in values)
    lines = np.asarray(values).reshape(len(values), -1)
    return tuple(", ".join(f"{v:.4g}" for v in line[:4]) for line in lines)


def pixel_range(split: Split) -> tuple[float, float]:
    """Least and largest possible raw pixel: 0 and 255 for bright bytes, else as in training rows.

    Raises:
        UsageError: the data are no images.
    """
    data = split.data
    if data.kind != "image" or not isinstance(data.inputs, np.ndarray):
        raise UsageError("only of images there is a picture", where="run",
                         received=f"{data.kind} data", do="give a run on images")  # fmt: skip
    some = np.asarray(data.take(drawn_rows(split.train, 1000, 0)))
    low, high = float(some.min()), float(some.max())
    if some.dtype == np.uint8:
        return 0.0, 255.0 if high > 127 else max(high, 1.0)
    return low, high if high > low else low + 1
