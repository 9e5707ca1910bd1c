"""Named sets whose rows have several steps: texts, tagged sentences, running texts, recordings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chymist.data.archives import Listing, list_files
from chymist.data.speech import last_frames, log_mel, read_wav
from chymist.data.streams import END, STEPS, cut_in_order, stream_data
from chymist.data.tables import read_bytes
from chymist.data.tabular import Wanted, finished
from chymist.data.tagged import tagged_data, tagged_sentences
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Column, Data

RATE, FRAMES = 8000, 100  # of spoken digits: samples a second, frames of a row (a second)
OFFICIAL = 5  # recordings of each digit and speaker that are for test, the first ones
RECORDING = re.compile(r"(?:.*/)?(\d)_(\w+)_(\d+)\.wav")
QUESTIONS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")


def _shakespeare(paths: list[Path], name: str) -> Data:
    text = decoded(read_bytes(paths[0]), paths[0].name)
    return stream_data(cut_in_order(text), Wanted(name=name), STEPS["characters"])


def _ptb(paths: list[Path], name: str) -> Data:
    parts = []
    for path in paths:
        lines = decoded(read_bytes(path), path.name).splitlines()
        parts.append([token for line in lines for token in (*line.split(), END)])
    return stream_data(parts, Wanted(name=name), STEPS["words"])


def _trec(paths: list[Path], name: str) -> Data:
    listing = list_files(paths[0])
    texts, labels, ends = [], [], []
    for file in ("qc/train.txt", "qc/test.txt"):
        for line in _content(listing, file).decode("latin-1").splitlines():
            label, _, text = line.partition(" ")
            coarse = label.partition(":")[0]
            if coarse not in QUESTIONS:
                raise _damaged(file, f"a line that begins with '{label[:20]}'")
            texts.append(text.strip())
            labels.append(QUESTIONS.index(coarse))
        ends.append(len(texts))
    return _texts(texts, labels, QUESTIONS, name, "question", ends[0])


def _polarity(paths: list[Path], name: str) -> Data:
    listing = list_files(paths[0])
    texts, labels = [], []
    for label, end in enumerate(("neg", "pos")):
        content = _content(listing, f"sentence_polarity/rt-polarity.{end}").decode("latin-1")
        lines = content.strip("\n").split("\n")
        texts += [line.strip() for line in lines]
        labels += [label] * len(lines)
    return _texts(texts, labels, ("negative", "positive"), name, "sentence", None)


def _texts(
    texts: list[str], labels: list[int], classes: tuple[str, ...], name: str, column: str,
    test_from: int | None,
) -> Data:  # fmt: skip
    inputs = np.empty(len(texts), object)
    inputs[:] = texts
    targets = Targets("classification", np.array(labels, np.int64), classes)
    data = Data(name, "text", "classification", inputs, targets.values, classes,
                (Column(column, "text"),))  # fmt: skip
    return finished(data, targets, test_from)


def _conll(paths: list[Path], name: str) -> Data:
    listing = list_files(paths[0])
    parts = [
        tagged_sentences(_content(listing, file).decode("latin-1"), file)
        for file in ("conll2000/train.txt", "conll2000/test.txt")
    ]
    return tagged_data(parts, ("word", "POS"), "chunk", Wanted(name=name))


def _digits(paths: list[Path], name: str) -> Data:
    listing = list_files(paths[0])
    found = [match for file in listing.files if (match := RECORDING.fullmatch(file))]
    if len(found) < 2:
        raise _damaged(paths[0].name, f"{len(found)} recordings")
    order = sorted(found, key=lambda m: (int(m[3]) < OFFICIAL, m[2], int(m[1]), int(m[3])))
    inputs = np.stack([
        last_frames(log_mel(read_wav(listing.read(m[0]), m[0], RATE), RATE), FRAMES) for m in order
    ])  # fmt: skip
    classes = tuple(str(digit) for digit in range(10))
    targets = Targets("classification", np.array([int(m[1]) for m in order], np.int64), classes)
    data = Data(name, "sequence", "classification", inputs, targets.values, classes,
                target="digit", labels={"speaker": np.array([m[2] for m in order])})  # fmt: skip
    first = sum(int(m[3]) >= OFFICIAL for m in order)
    return finished(data, targets, first if 0 < first < len(order) else None)


def decoded(content: bytes, name: str) -> str:
    """A text from the bytes of a file.

    Raises:
        InputError: they are no UTF-8.

    Example:
        >>> decoded("é".encode(), "a.txt")
        'é'
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the text is not UTF-8", where=name, received=f"byte {error.start + 1}",
                         do="store it as UTF-8") from None  # fmt: skip


def _content(listing: Listing, name: str) -> bytes:
    """A file of a zip, with line ends as \\n."""
    if name not in listing.files:
        raise _damaged(listing.label, f"no {name}")
    return listing.read(name).replace(b"\r\n", b"\n")


def _damaged(where: str, found: str) -> InputError:
    return InputError("the file is not the published one", where=where, received=found,
                      do="fetch it again")  # fmt: skip


READERS: dict[str, Callable[[list[Path], str], Data]] = {
    "conll2000": _conll, "fsdd": _digits, "ptb": _ptb, "sentence_polarity": _polarity,
    "tinyshakespeare": _shakespeare, "trec": _trec,
}  # fmt: skip
