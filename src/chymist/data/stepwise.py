"""Rows of several steps: texts, numbers of tokens, measured sequences, and nodes of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.data.cells import short
from chymist.data.features import fit_scale
from chymist.data.graphs import fit_nodes
from chymist.data.stop_words import stop_words, without
from chymist.data.texts import Tokens, as_text, fit_length, fit_vocabulary, tokenized
from chymist.errors import InputError, UsageError
from chymist.values import Data


@dataclass(frozen=True)
class TextOptions:
    """How texts become numbers: see `chymist.data.preparation.prepare`."""

    tokens: Tokens = "words"
    vocabulary: int = 20_000
    fewest: int = 1
    steps: int | None = None
    stop_words: tuple[str, ...] = ()


def fit_stepwise(data: Data, rows: np.ndarray, scale: str, texts: TextOptions) -> dict[str, Any]:
    """What is fitted on training rows of such data, as fields of a `Preparation`.

    Args:
        data: of kind "text", "tokens", "sequence" or "graph".
        rows: training rows.
        scale: of the features of a sequence: "auto" and "standard" are (x - mean) / deviation over
            rows and steps, "minmax" is (x - min) / (max - min).
        texts: how texts are cut, and what is known of them.

    Example:
        >>> data = Data("two", "text", "classification", np.array(["a b", "b"], object), np.eye(2))
        >>> fit_stepwise(data, np.arange(2), "auto", TextOptions())["vocabulary"]
        ('', '<unknown>', 'b', 'a')
    """
    inputs = data.inputs
    assert isinstance(inputs, np.ndarray)
    if data.kind == "text":
        whole = [tokenized(as_text(inputs[row], int(row)), texts.tokens) for row in rows]
        stopped = stop_words(texts.stop_words)
        cut = [without(text, frozenset(stopped)) for text in whole]
        length = data.targets.shape[1] if data.targets.ndim > 1 else fit_length(cut, texts.steps)
        vocabulary = fit_vocabulary(cut, texts.vocabulary, texts.fewest)
        longer = sum(len(text) > length for text in cut)
        kept = sum(bool(text) and text[0].lower() in stopped for text in cut) if stopped else 0
        notes = [f"{longer:,} of {len(cut):,} texts are cut to {length} tokens"] if longer else []
        notes += [f"{kept:,} texts of stop words alone keep them"] if kept else []
        return {"shape": (length,), "vocabulary": vocabulary, "tokens": texts.tokens,
                "stop_words": stopped, "notes": tuple(notes)}  # fmt: skip
    if data.kind == "sequence":
        values = inputs[rows].reshape(-1, inputs.shape[2]).astype(np.float64)
        pairs = (0.0, 1.0) if scale in ("none", "pixel") else None
        names = [column.name for column in data.columns] or [
            str(n + 1) for n in range(len(values.T))
        ]
        steps = tuple(
            pairs or fit_scale(column, scale, name)
            for name, column in zip(names, values.T, strict=True)
        )
        return {"shape": inputs.shape[1:], "steps": steps}
    fitted = fit_nodes(data.graph, rows, scale) if data.kind == "graph" and data.graph else ()
    return {"shape": inputs.shape[1:], "vocabulary": data.vocabulary, "steps": fitted}


def scaled_steps(
    raw: Any, shape: tuple[int, ...], steps: tuple[tuple[float, float], ...],
    dtype: type[np.floating],
) -> np.ndarray:  # fmt: skip
    """Sequences with every feature scaled.

    Args:
        raw: (rows, steps, features).
        shape: (steps, features) of the training rows.
        steps: shift and scale of each feature.
        dtype: of the result.

    Raises:
        InputError: another shape, or a number that is too large once it is scaled.

    Example:
        >>> scaled_steps(np.ones((1, 2, 1)), (2, 1), ((0.0, 2.0),), np.float32).tolist()
        [[[0.5], [0.5]]]
    """
    check_shape(raw, shape)
    shift, scale = np.array(steps, np.float64).T
    with np.errstate(over="ignore"):
        made: np.ndarray = np.ascontiguousarray((raw - shift) / scale, dtype)
    if not np.isfinite(made).all():
        row, step, feature = np.argwhere(~np.isfinite(made))[0]
        raise InputError("a number is too large", received=f"{raw[row, step, feature]:.3g}",
                         where=f"row {row + 1}, step {step + 1}, feature {feature + 1}",
                         do="correct it, or change its unit")  # fmt: skip
    return made


def checked_numbers(raw: Any, shape: tuple[int, ...], known: int) -> np.ndarray:
    """Numbers of tokens or nodes as they are.

    Args:
        raw: (rows, ...), whole.
        shape: of a training row.
        known: number of different ones; 0 leaves it unchecked.

    Raises:
        InputError: another shape, or a number that is not known.

    Example:
        >>> checked_numbers(np.array([[0, 1]]), (2,), 2)
        array([[0, 1]])
    """
    check_shape(raw, shape)
    if raw.dtype.kind not in "iu" or (raw.size and not raw.min() >= 0):
        raise InputError("tokens and nodes are numbers from 0", where="new rows",
                         received=f"dtype {raw.dtype}")  # fmt: skip
    if known and raw.size and int(raw.max()) >= known:
        raise InputError("a token is not in the vocabulary", where="new rows",
                         received=str(int(raw.max())), do=f"give 0 to {known - 1}")  # fmt: skip
    numbers: np.ndarray = np.ascontiguousarray(raw, np.int64)
    return numbers


def check_shape(raw: Any, shape: tuple[int, ...]) -> None:
    """Refuse rows of another shape than the training rows."""
    found = getattr(raw, "shape", ())[1:]
    if found != tuple(shape):
        raise InputError("inputs have another shape than the training rows", where="new rows",
                         received=short(f"shape {found}"), do=f"give {shape}")  # fmt: skip


def check_single(data: Data, who: str) -> None:
    """Refuse data with a target at every step where one target a row is meant.

    Args:
        data: the data.
        who: needs it, with a verb: "bagging needs".

    Raises:
        UsageError: every step has a target.

    Example:
        >>> data = Data("one", "array", "classification", np.eye(2), np.arange(2))
        >>> check_single(data, "this needs")
    """
    if data.task in ("tagging", "language"):
        raise UsageError(f"{who} one target a row", where="data", received=f"{data.task} data",
                         do="cross_validate, compare and search know targets of steps")  # fmt: skip


def check_measured(data: Data, who: str) -> None:
    """Refuse tokens and nodes, whose numbers are names, where measured numbers are meant.

    Args:
        data: the data.
        who: needs them, with a verb: "k-means needs".

    Raises:
        UsageError: the inputs are names.

    Example:
        >>> data = Data("one", "array", "classification", np.eye(2), np.arange(2))
        >>> check_measured(data, "this needs")
    """
    if data.kind in ("text", "tokens", "graph"):
        raise UsageError(f"{who} measured numbers", where="data",
                         received=f"data of kind '{data.kind}'",
                         do="give the features as a matrix")  # fmt: skip
