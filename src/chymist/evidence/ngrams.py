"""Counting as a language model: interpolated Kneser-Ney."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
DISCOUNT = 0.75


def kneser_ney(
    inputs: Array, targets: Array, new_inputs: Array, new_targets: Array, tokens: int, order: int
) -> Array:
    """Probability of each new target by interpolated Kneser-Ney with one discount D.

    P_n(w | h) = max(c(h w) - D, 0) / c(h) + D N(h .) / c(h) P_(n-1)(w | h'), where h' is h without
    its first token and N(h .) the number of different tokens after h. The highest order counts
    occurrences, lower ones the different tokens before h w; below the first order all tokens are
    alike.

    Args:
        inputs: numbers of tokens, (n,), each followed by its target; they follow each other.
        targets: (n,), -1 where there is none.
        new_inputs, new_targets: likewise, of the text that is scored, (m,).
        tokens: number of different tokens.
        order: tokens of an n-gram; 1 looks at no context.

    Returns:
        Probabilities of the new targets that are there, (m',).

    Example:
        >>> text = np.array([0, 1, 0, 1, 0, 2])
        >>> made = kneser_ney(text[:-1], text[1:], text[:1], text[1:2], 3, 2)
        >>> made.round(4).tolist()
        [0.5833]

    Source: Kneser, Ney 1995; Chen, Goodman 1999, An empirical study of smoothing techniques.
    """
    split = len(inputs)
    words = np.concatenate([targets, new_targets])
    before = np.concatenate([inputs, new_inputs])
    there = words >= 0
    train = there & (np.arange(len(words)) < split)
    asked = there & ~train
    grams, contexts = _numbered(before, np.where(there, words, 0), tokens, order)
    chances = np.full(int(asked.sum()), 1 / tokens)
    for n in range(order):
        gram, context = grams[n], contexts[n]
        count = _counts(gram[train], gram.max() + 1)
        if n + 1 < order:  # different tokens before it
            longer = grams[n + 1]
            first = np.unique(longer[train], return_index=True)[1]
            count = _counts(gram[train][first], gram.max() + 1)
        kinds, index = np.unique(gram[train], return_index=True)
        owner = context[train][index]
        size = context.max() + 1
        total = np.bincount(owner, count[kinds], size)
        different = np.bincount(owner, minlength=size)
        at, mine = context[asked], count[gram[asked]]
        known = total[at] > 0
        whole = np.where(known, total[at], 1)
        found = (np.maximum(mine - DISCOUNT, 0) + DISCOUNT * different[at] * chances) / whole
        chances = np.where(known, found, chances)
    return chances


def unigram(targets: Array, new_targets: Array, tokens: int) -> Array:
    """Probability of each new target by its share in training, one occurrence being added.

    Args:
        targets: numbers of tokens, (n,), -1 where there is none.
        new_targets: likewise, (m,).
        tokens: number of different tokens.

    Returns:
        Probabilities of the new targets that are there, (m',).

    Example:
        >>> unigram(np.array([0, 0, 1, -1]), np.array([0, 2]), 3).tolist()
        [0.5, 0.16666666666666666]
    """
    often = np.bincount(targets[targets >= 0], minlength=tokens) + 1.0
    chances: Array = (often / often.sum())[new_targets[new_targets >= 0]]
    return chances


def _numbered(
    before: Array, words: Array, tokens: int, order: int
) -> tuple[list[Array], list[Array]]:
    """A number for the n-gram that ends with each word, and for its context, for every length."""
    contexts = [np.zeros(len(words), np.int64)]
    for n in range(order - 1):  # the context of n + 1 tokens: one more before that of n
        older = np.concatenate([np.zeros(n, np.int64), before[: len(before) - n]])
        pairs = older * (int(contexts[-1].max()) + 1) + contexts[-1]
        contexts.append(np.unique(pairs, return_inverse=True)[1])
    grams = [np.unique(c * tokens + words, return_inverse=True)[1] for c in contexts]
    return grams, contexts


def _counts(numbers: Array, size: int) -> Array:
    return np.bincount(numbers, minlength=size)
