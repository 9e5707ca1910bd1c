"""Rows of several steps that are looked at one by one: their words, numbers and targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from chymist.data import read_inputs, reload, schema_of
from chymist.data.preparation import Preparation
from chymist.data.schema import Schema
from chymist.data.stop_words import without as without_stopped
from chymist.data.texts import check_tokens, tokenized
from chymist.engine.folder import open_folder
from chymist.engine.rows import as_inputs
from chymist.errors import InputError, UsageError, nearest
from chymist.explanation.words import there
from chymist.values import Data, Run, Split
from chymist.verbs.chosen_rows import worst_rows
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.records import finished, load_model


class Text(NamedTuple):
    """One row: its name, its words (or steps), its prepared form, and its target or None."""

    name: str
    words: list[str]
    numbers: torch.Tensor
    truth: Any


class Asked(NamedTuple):
    """A run that is asked about rows: what they look like, and its own where they are needed."""

    schema: Schema
    predictor: Predictor
    split: Split | None


def asked(run: Run | str | Path, rows: Any, model: Any, data: Data | None) -> Asked:
    """A run, or a run folder, whose data is read only where no new rows are given."""
    if rows is None or data is not None or isinstance(run, Run):
        _, split, predictor = opened(run, model, data)
        return Asked(schema_of(split.data), predictor, split)
    saved = open_folder(run)
    finished(saved)
    source = reload(saved.source) if saved.schema.kind == "graph" else None
    module, _ = load_model(saved, model, source)
    return Asked(saved.schema, Predictor(module, saved.preparation, saved.recipe, 0), None)


def texts_of(run: Asked, rows: Any, which: str | Sequence[int], most: int) -> list[Text]:
    """Rows that are looked at one by one.

    Args:
        run: the run.
        rows: new rows as for `predict`, or None.
        which: where there are none: "worst", the validation rows that are answered worst, or
            numbers of rows of the data, from 0.
        most: rows at most.

    Raises:
        InputError: there are no such rows, or a text without words.
        UsageError: no such choice of rows.
    """
    predictor, preparation = run.predictor, run.predictor.preparation
    if rows is not None or run.split is None:
        raw, names = read_inputs(rows, run.schema)
        truths: Any = [None] * len(raw)
    else:
        places, data = _picked(run.split, predictor, which)[:most], run.split.data
        raw, names, truths = data.take(places), [str(p + 1) for p in places], data.targets[places]
    prepared = as_inputs(preparation.inputs(raw, predictor.exact), predictor.dtype)
    made = []
    for place in range(min(len(names), most)):
        words = _words(np.asarray(raw)[place], prepared[place], preparation)
        if not words:
            raise InputError("a text without words", where=f"row {names[place]}",
                             do="leave it out")  # fmt: skip
        made.append(Text(names[place], words, prepared[place], truths[place]))
    return made


def answer_number(target: str | None, predicted: int, truth: Any, classes: Sequence[str]) -> int:
    """Number of the class that is explained; 0 where there are none.

    Args:
        target: name of a class, "true", or None for what the model answers.
        predicted: what the model answers.
        truth: number of the right class; None or below 0 where it is not known.
        classes: their names.

    Raises:
        UsageError: there is no such class, or the right one is not known.

    Example:
        >>> answer_number("b", 0, None, ("a", "b")), answer_number("true", 0, 1, ("a", "b"))
        (1, 1)
    """
    if target is None or (target == "predicted" and "predicted" not in classes):
        return predicted
    if target in classes:
        return list(classes).index(target)
    known = truth is not None and classes and truth >= 0
    if target == "true" and known:
        return int(truth)
    raise UsageError("no such class", where="target", received=f"'{target}'",
                     do=nearest(target, classes) if classes else "leave it out")  # fmt: skip


def _picked(split: Split, predictor: Predictor, which: str | Sequence[int]) -> np.ndarray:
    """Row numbers of a choice."""
    if which == "worst":
        tags = split.data.task == "tagging" and len(split.valid)
        return split.valid if tags else worst_rows(split, predictor)
    if isinstance(which, str):
        raise UsageError("no such choice of rows", where="which", received=f"'{which}'",
                         do="say worst, or give numbers of rows")  # fmt: skip
    places = np.atleast_1d(np.asarray(which))
    if places.dtype.kind not in "iu" or not len(places):
        raise UsageError("rows are given by their numbers", where="which", received=str(which),
                         do="say worst, or give numbers of rows")  # fmt: skip
    if places.min() < 0 or places.max() >= len(split.data):
        raise InputError("no such rows", where="which", received=str(which),
                         do=f"rows are 0 to {len(split.data) - 1}")  # fmt: skip
    sealed = places[np.isin(places, split.test)]
    if len(sealed):
        raise UsageError("test rows are sealed", where="which",
                         received=f"row {sealed[0] + 1:,} of the data",
                         do="take training or validation rows, or new ones")  # fmt: skip
    return places


def _words(raw: Any, numbers: torch.Tensor, preparation: Preparation) -> list[str]:
    """The words of a text as they were written, as many as the model reads; numbers of steps."""
    if preparation.kind == "sequence":
        return [str(step + 1) for step in range(len(numbers))]
    length = int(there(numbers[None]).sum())
    if preparation.kind == "text":
        tokens = tokenized(raw, check_tokens(preparation.tokens))
        return without_stopped(tokens, frozenset(preparation.stop_words))[:length]
    known = preparation.vocabulary
    lines = numbers[:length].reshape(length, -1)
    return ["/".join(known[n] if n < len(known) else f"#{n}" for n in line.tolist()[:1])
            for line in lines]  # fmt: skip
