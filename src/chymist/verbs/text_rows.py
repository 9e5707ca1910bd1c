"""Rows of several steps that are looked at one by one: their words, numbers and targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from chymist.data import read_inputs, schema_of
from chymist.data.preparation import Preparation
from chymist.data.stop_words import without as without_stopped
from chymist.data.texts import check_tokens, tokenized
from chymist.engine.rows import as_inputs
from chymist.errors import InputError, UsageError
from chymist.explanation.words import there
from chymist.metrics import surprise
from chymist.values import Data, Split
from chymist.verbs.predicting import Predictor


class Text(NamedTuple):
    """One row: its name, its words (or steps), its prepared form, and its target or None."""

    name: str
    words: list[str]
    numbers: torch.Tensor
    truth: Any


def texts_of(
    split: Split, predictor: Predictor, rows: Any, which: str | Sequence[int], most: int
) -> list[Text]:
    """Rows that are looked at one by one.

    Args:
        split: rows of the run.
        predictor: of the run.
        rows: new rows as for `predict`, or None.
        which: where there are none: "worst", the validation rows that are answered worst, or
            numbers of rows of the data, from 0.
        most: rows at most.

    Raises:
        InputError: there are no such rows, or a text without words.
        UsageError: no such choice of rows.
    """
    data, preparation = split.data, predictor.preparation
    if rows is not None:
        raw, names = read_inputs(rows, schema_of(data))
        truths: Any = [None] * len(raw)
    else:
        places = _picked(split, predictor, which)[:most]
        raw, names, truths = data.take(places), [str(p + 1) for p in places], data.targets[places]
    prepared = as_inputs(preparation.inputs(raw, predictor.exact), predictor.dtype)
    made = []
    for place in range(min(len(names), most)):
        words = _words(np.asarray(raw)[place], prepared[place], preparation, data)
        if not words:
            raise InputError("a text without words", where=f"row {names[place]}",
                             do="leave it out")  # fmt: skip
        made.append(Text(names[place], words, prepared[place], truths[place]))
    return made


def _picked(split: Split, predictor: Predictor, which: str | Sequence[int]) -> np.ndarray:
    """Row numbers of a choice."""
    if which == "worst":
        return _worst(split, predictor)
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
    return places


def _worst(split: Split, predictor: Predictor) -> np.ndarray:
    """Validation rows, those that are answered worst first."""
    if not len(split.valid):
        raise InputError("the run has no validation rows", where=split.data.name,
                         do="give texts, or numbers of rows")  # fmt: skip
    if split.data.task == "tagging":
        return split.valid
    found = predictor.results(split, split.valid)
    if split.data.classes:
        losses = surprise(found.targets, found.outputs)
    else:
        losses = np.abs(found.outputs - found.targets).reshape(len(found.rows), -1).mean(1)
    worst: np.ndarray = split.valid[np.argsort(-losses, kind="stable")]
    return worst


def _words(raw: Any, numbers: torch.Tensor, preparation: Preparation, data: Data) -> list[str]:
    """The words of a text as they were written, as many as the model reads; numbers of steps."""
    if preparation.kind == "sequence":
        return [str(step + 1) for step in range(len(numbers))]
    length = int(there(numbers[None]).sum())
    if preparation.kind == "text":
        tokens = tokenized(raw, check_tokens(preparation.tokens))
        return without_stopped(tokens, frozenset(preparation.stop_words))[:length]
    known = preparation.vocabulary or data.vocabulary
    lines = numbers[:length].reshape(length, -1)
    return ["/".join(known[n] if n < len(known) else f"#{n}" for n in line.tolist()[:1])
            for line in lines]  # fmt: skip
