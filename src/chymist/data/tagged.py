"""Sentences whose words have tags: columns of a text file, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.data.cells import short
from chymist.data.tabular import Wanted, finished
from chymist.data.targets import Targets
from chymist.data.texts import FILL, UNKNOWN, fit_vocabulary
from chymist.errors import InputError
from chymist.values import Column, Data

FEWEST = 2  # times that a token must occur in training: rarer ones teach what unknown means

Sentence = list[list[str]]  # of each word its columns, the tag last


def tagged_sentences(text: str, name: str) -> list[Sentence]:
    """Sentences of a text in columns.

    Args:
        text: a line for each word, its columns apart by spaces, the tag last.
        name: of the file, for messages.

    Raises:
        InputError: lines of different length, or no tag.

    Example:
        >>> tagged_sentences("He PRP B-NP\\nran VBD B-VP\\n\\nYes UH O\\n", "a.txt")[1]
        [['Yes', 'UH', 'O']]
    """
    found: list[Sentence] = [[]]
    columns = 0
    for number, line in enumerate(text.split("\n")):
        cells = line.split()
        columns = columns or len(cells)
        if not cells:
            found += [[]] if found[-1] else []
        elif len(cells) != columns or columns < 2:
            raise InputError("a word needs its columns and its tag",
                             where=f"{name}, line {number + 1}", received=short(line),
                             do="give as many columns in each line")  # fmt: skip
        else:
            found[-1].append(cells)
    return [sentence for sentence in found if sentence]


def tagged_data(
    parts: Sequence[Sequence[Sentence]], columns: tuple[str, ...], target: str, wanted: Wanted
) -> Data:
    """Sentences as numbers of tokens, one for each column, with a tag for each step.

    One vocabulary holds the tokens of all columns, those of later ones with the column's name. It
    is that of the training part, without tokens that occur once.

    Args:
        parts: sentences for training, and perhaps for test.
        columns: names of the columns before the tag.
        target: name of the tag.
        wanted: name of the data.

    Returns:
        Data of kind "tokens" and task "tagging": inputs (rows, steps, columns).

    Raises:
        InputError: other columns, or no sentence.

    Example:
        >>> parts = [[[["He", "PRP", "B-NP"]], [["ran", "VBD", "B-VP"], ["He", "PRP", "B-NP"]]]]
        >>> data = tagged_data(parts, ("word", "POS"), "chunk", Wanted())
        >>> data.vocabulary, data.inputs.tolist()
        (('', '<unknown>', 'He', 'POS=PRP'), [[[2, 3], [0, 0]], [[1, 1], [2, 3]]])
    """
    sentences = [sentence for part in parts for sentence in part]
    if not sentences or len(sentences[0][0]) != len(columns) + 1:
        raise InputError("no tagged sentences", where=wanted.name,
                         do="give a word, its columns and its tag in each line")  # fmt: skip
    named = [[_named(word, columns) for word in sentence] for sentence in sentences]
    known = [[token for word in sentence for token in word] for sentence in named[: len(parts[0])]]
    vocabulary = fit_vocabulary(known, sum(map(len, known)), FEWEST)
    number = {token: place for place, token in enumerate(vocabulary)}
    classes = tuple(sorted({word[-1] for sentence in sentences for word in sentence}))
    tag = {name: place for place, name in enumerate(classes)}
    steps = max(map(len, sentences))
    inputs = np.full((len(sentences), steps, len(columns)), FILL, np.int64)
    targets = np.full((len(sentences), steps), -1, np.int64)
    for row, (sentence, words) in enumerate(zip(sentences, named, strict=True)):
        inputs[row, : len(words)] = [[number.get(t, UNKNOWN) for t in word] for word in words]
        targets[row, : len(words)] = [tag[word[-1]] for word in sentence]
    data = Data(wanted.name, "tokens", "tagging", inputs, targets, classes,
                tuple(Column(name, "text") for name in columns), target,
                vocabulary=vocabulary)  # fmt: skip
    first = len(parts[0]) if len(parts) > 1 else None
    return finished(data, Targets("tagging", targets, classes), first)


def _named(word: list[str], columns: tuple[str, ...]) -> list[str]:
    """The tokens of a word: the first as it is, others with the name of their column."""
    return [word[0], *(f"{name}={cell}" for name, cell in zip(columns[1:], word[1:], strict=False))]


def sentences_of(lines: Sequence[str], name: str, columns: tuple[str, ...]) -> list[Sentence]:
    """New sentences, without tags.

    Either a line holds a word, its columns apart by spaces, and an empty line ends the sentence;
    a tag behind them is left aside. Or a line holds a sentence, its words apart by spaces, and the
    columns of a word by slashes: `He/PRP ran/VBD`. Where a word is all that a step has, lines of
    one word are the first of these.

    Args:
        lines: of a file, or sentences.
        name: of the file, for messages.
        columns: names of the columns of a word.

    Returns:
        Of each sentence its words, of each word its columns.

    Raises:
        InputError: no words, or words without their columns.

    Example:
        >>> sentences_of(["He/PRP ran/VBD", "Yes/UH"], "a.txt", ("word", "POS"))
        [[['He', 'PRP'], ['ran', 'VBD']], [['Yes', 'UH']]]
        >>> sentences_of(["He PRP", "", "Yes UH"], "a.txt", ("word", "POS"))
        [[['He', 'PRP']], [['Yes', 'UH']]]
    """
    count, rows = len(columns), [line.split() for line in lines]
    if not any(rows):
        raise InputError("there are no sentences", where=name,
                         do="give a sentence a line")  # fmt: skip
    whole = [[word.rsplit("/", count - 1) for word in row] for row in rows if row]
    if all(len(word) == count and all(word) for sentence in whole for word in sentence) and (
        count > 1 or any(len(sentence) > 1 for sentence in whole)
    ):
        return whole
    found: list[Sentence] = [[]]
    for number, row in enumerate(rows):
        if row and len(row) not in (count, count + 1):
            wanted = " ".join(columns)
            raise InputError(
                f"a word needs {wanted}", where=f"{name}, line {number + 1}",
                received=short(lines[number]),
                do=f"give a line for each word, '{wanted}', and an empty line after a sentence; or "
                f"a line for each sentence, its words as {'/'.join(columns)}",
            )  # fmt: skip
        if row:
            found[-1].append(row[:count])
        elif found[-1]:
            found.append([])
    return [sentence for sentence in found if sentence]


def sentence_numbers(
    sentences: Sequence[Sentence], columns: tuple[str, ...], vocabulary: Sequence[str], steps: int
) -> np.ndarray:
    """New sentences as numbers of tokens, (rows, steps, columns), filled up with 0.

    Args:
        sentences: as `sentences_of` gives them.
        columns: names of the columns.
        vocabulary: of the training sentences; other words are unknown.
        steps: words of the longest sentence that the model takes.

    Raises:
        InputError: a sentence is longer.

    Example:
        >>> sentence_numbers([[["He", "PRP"]]], ("word", "POS"), ("", "", "He"), 2).tolist()
        [[[2, 1], [0, 0]]]
    """
    number = {token: place for place, token in enumerate(vocabulary)}
    made = np.full((len(sentences), steps, len(columns)), FILL, np.int64)
    for row, sentence in enumerate(sentences):
        if len(sentence) > steps:
            raise InputError("a sentence is longer than all of training",
                             where=f"new rows, sentence {row + 1}",
                             received=f"{len(sentence)} words",
                             do=f"cut it into parts of at most {steps}")  # fmt: skip
        named = [_named(word, columns) for word in sentence]
        made[row, : len(named)] = [[number.get(t, UNKNOWN) for t in word] for word in named]
    return made
