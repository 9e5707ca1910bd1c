"""Generated sentences whose tags follow from their words."""

from __future__ import annotations

import numpy as np

import chymist as cy
from chymist.data.tabular import Wanted
from chymist.data.tagged import tagged_data, tagged_sentences


def tagged_words(sentences: int) -> cy.Data:
    """Sentences of two to six words w0 to w4; odd ones are V and a chunk, even ones N and none."""
    draw = np.random.default_rng(0)
    lines = []
    for _ in range(sentences):
        for word in draw.integers(0, 5, draw.integers(2, 7)):
            lines.append(f"w{word} {'NV'[word % 2]} {'B-X' if word % 2 else 'O'}")
        lines.append("")
    texts = [tagged_sentences("\n".join(lines), "t")]
    return tagged_data(texts, ("word", "POS"), "chunk", Wanted(name="t"))
