"""A running text as rows that follow each other, for models that say what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chymist.data.tabular import Wanted, check_rows, finished
from chymist.data.targets import Targets
from chymist.data.texts import FILL, SPECIAL, UNKNOWN, Tokens, fit_vocabulary, tokenized
from chymist.errors import InputError
from chymist.values import Data

END = "<eos>"  # the token that ends a line, where a text is cut into words
STEPS: dict[str, int] = {"characters": 64, "words": 35, "spaces": 35}  # tokens of a row
VALID, TEST = 0.05, 0.05  # shares of a text that is not cut into parts already


def stream_data(
    parts: Sequence[Sequence[str]], wanted: Wanted, steps: int, *, fewest: int = 1,
    notes: tuple[str, ...] = (),
) -> Data:  # fmt: skip
    """Rows of a running text, each token with the one that follows it as its target.

    The vocabulary is that of the training part. The first token of a part follows the last one of
    the part before it, so that every token but the very first is a target once. The last row of a
    part is filled up with 0, and has no targets there.

    Args:
        parts: tokens for training, validation and test; the last two may be empty.
        wanted: name of the data.
        steps: tokens of a row.
        fewest: times that a token must occur in the training part to be known.
        notes: what the reader saw and did.

    Returns:
        Data of kind "tokens" and task "language", with its standard parts.

    Raises:
        InputError: too few tokens.

    Example:
        >>> data = stream_data([list("abcab"), list("ca"), list("b")], Wanted(name="abc"), 2)
        >>> data.inputs.tolist(), data.targets.tolist()
        ([[2, 3], [4, 2], [3, 4], [2, 0]], [[3, 4], [2, 3], [4, 2], [3, -1]])
        >>> data.valid_rows.tolist(), data.test_rows.tolist()
        ([2], [3])
    """
    if len(parts[0]) < 3:
        raise InputError("a text of at least three tokens is needed", where=wanted.name,
                         received=f"{len(parts[0])} in the training part")  # fmt: skip
    vocabulary = fit_vocabulary([parts[0]], len(parts[0]), fewest)
    number = {token: place for place, token in enumerate(vocabulary)}
    number |= dict.fromkeys(SPECIAL, UNKNOWN)
    coded = [np.array([number.get(t, UNKNOWN) for t in part], np.int64) for part in parts]
    unknown = sum(int((part == UNKNOWN).sum()) for part in coded)
    rows, before = [], coded[0][:1]
    for place, part in enumerate(coded):
        targets = part[1:] if place == 0 else part
        rows.append(_rows(np.concatenate([before, targets]), steps))
        before = part[-1:] if len(part) else before
    inputs, targets = (np.concatenate([pair[n] for pair in rows]) for n in range(2))
    check_rows(len(inputs), wanted.name)
    ends = np.cumsum([len(pair[0]) for pair in rows])
    said = " / ".join(f"{len(part):,}" for part in parts)
    told = [
        f"{said} tokens for training / validation / test, {len(vocabulary) - 2:,} different "
        "(two more classes: no token, unknown)"
    ]
    told += [f"{unknown:,} tokens are unknown"] * bool(unknown)
    data = Data(wanted.name, "tokens", "language", inputs, targets, vocabulary,
                target="next token", vocabulary=vocabulary, notes=(*notes, *told))  # fmt: skip
    data = finished(data, Targets("language", targets, vocabulary), None)
    standard = [np.arange(ends[n - 1], ends[n], dtype=np.int64) for n in (1, 2)]
    valid, test = (part if len(part) else None for part in standard)
    return replace(data, valid_rows=valid, test_rows=test)


def language_tokens(text: str, tokens: Tokens) -> list[str]:
    """A running text as tokens; words are followed by a mark where a line ends.

    Args:
        text: the text.
        tokens: as in `chymist.data.texts.tokenized`.

    Example:
        >>> language_tokens("To be.", "words")
        ['to', 'be', '.', '<eos>']
        >>> language_tokens("be", "characters")
        ['b', 'e']
    """
    if tokens == "characters":
        return list(text)
    return [t for line in text.splitlines() for t in (*tokenized(line, tokens), END)]


def cut_in_order(tokens: Sequence[str]) -> list[Sequence[str]]:
    """A text as training, validation and test part: 90, 5 and 5 % in order.

    Example:
        >>> [len(part) for part in cut_in_order("a" * 1115394)]
        [1003854, 55770, 55770]
    """
    first = int(len(tokens) * (1 - VALID - TEST) + 1e-9)
    second = first + (len(tokens) - first) // 2
    return [tokens[:first], tokens[first:second], tokens[second:]]


def _rows(stream: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets (rows, steps) of a stream of numbers."""
    count = len(stream) - 1
    rows = -(-count // steps)
    inputs, targets = (np.full(rows * steps, fill, np.int64) for fill in (FILL, -1))
    inputs[:count], targets[:count] = stream[:-1], stream[1:]
    return inputs.reshape(rows, steps), targets.reshape(rows, steps)
