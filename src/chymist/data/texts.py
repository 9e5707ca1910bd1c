"""Texts as numbers of tokens: how they are cut, which are known, and how long a text may be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from chymist.data.cells import short
from chymist.data.stop_words import without
from chymist.errors import InputError, UsageError

Tokens = Literal["words", "characters", "spaces"]
FILL, UNKNOWN = 0, 1  # numbers of what fills a text up, and of a token that no training row had
SPECIAL = ("", "<unknown>")
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
LONGEST = 0.99  # share of the training texts that are not cut, where no length is given


def tokenized(text: str, tokens: Tokens = "words") -> list[str]:
    """A text as its tokens.

    Args:
        text: the text.
        tokens: "words": words in lower case, and signs one by one; "characters"; or "spaces":
            what stands between spaces, as it is.

    Returns:
        The tokens, in order.

    Example:
        >>> tokenized("It's far. Far!")
        ["it's", 'far', '.', 'far', '!']
        >>> tokenized("New York", "spaces")
        ['New', 'York']
    """
    if tokens == "characters":
        return list(text)
    return WORD.findall(text.lower()) if tokens == "words" else text.split()


def fit_vocabulary(
    texts: Iterable[Sequence[str]], most: int = 20_000, fewest: int = 1
) -> tuple[str, ...]:
    """The tokens that are known, the most frequent first; equally frequent ones by spelling.

    Args:
        texts: tokens of each training text.
        most: number of tokens at most, without the two that stand for nothing and for unknown.
        fewest: times that a token must occur.

    Returns:
        "", "<unknown>", and the tokens: the place of each is its number.

    Example:
        >>> fit_vocabulary([["b", "a"], ["a", "c"]], most=2)
        ('', '<unknown>', 'a', 'b')
    """
    counts = Counter(token for text in texts for token in text if token not in SPECIAL)
    known = sorted((token for token in counts if counts[token] >= fewest),
                   key=lambda token: (-counts[token], token))  # fmt: skip
    return (*SPECIAL, *known[:most])


def fit_length(texts: Sequence[Sequence[str]], steps: int | None) -> int:
    """Number of tokens that a text is filled up or cut to.

    Args:
        texts: tokens of each training text.
        steps: the number, if it is given; None covers 99 % of the training texts.

    Example:
        >>> fit_length([["a"], ["a", "b", "c"]], None)
        3
    """
    if steps is not None:
        return steps
    lengths = np.sort([len(text) for text in texts])
    return max(1, int(lengths[max(0, int(np.ceil(LONGEST * len(lengths))) - 1)]))


def to_numbers(
    texts: Any, vocabulary: Sequence[str], steps: int, tokens: Tokens, stopped: Sequence[str] = ()
) -> np.ndarray:
    """Texts as numbers of tokens, filled up with 0 at the end.

    Args:
        texts: texts, (rows,).
        vocabulary: as `fit_vocabulary` gives it.
        steps: tokens of a text; later ones are cut off.
        tokens: how texts are cut.
        stopped: stop words, which are left out unless the text has no others.

    Returns:
        (rows, steps), int64.

    Raises:
        InputError: a cell is no text.

    Example:
        >>> to_numbers(["a b", "c"], ("", "<unknown>", "a", "b"), 3, "spaces").tolist()
        [[2, 3, 0], [1, 0, 0]]
    """
    number = {token: place for place, token in enumerate(vocabulary)}
    made = np.full((len(texts), steps), FILL, np.int64)
    left_out = frozenset(stopped)
    for row, text in enumerate(texts):
        found = without(tokenized(as_text(text, row), tokens), left_out)[:steps]
        made[row, : len(found)] = [number.get(token, UNKNOWN) for token in found]
    return made


def as_text(text: Any, row: int) -> str:
    """A cell that must be a text.

    Raises:
        InputError: it is none.
    """
    if not isinstance(text, str):
        raise InputError("a text is missing", where=f"row {row + 1}", received=short(text),
                         do="leave the row out, or write a word such as none")  # fmt: skip
    return text


def check_tokens(tokens: str) -> Tokens:
    """How texts are cut, if it is one of the known ways.

    Raises:
        UsageError: it is not.
    """
    if tokens not in get_args(Tokens):
        raise UsageError("unknown way to cut texts", where="data.tokens", received=short(tokens),
                         do=f"known: {', '.join(get_args(Tokens))}")  # fmt: skip
    return tokens  # type: ignore[return-value]
