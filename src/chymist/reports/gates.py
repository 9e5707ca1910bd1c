"""Traces of gates over the steps of a row: a heat map a gate, and the words beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chymist.reports.charts import fit
from chymist.reports.heat import cells, every, key
from chymist.reports.markup import Markup, tag
from chymist.reports.svg import COLORS, Scale, drawing, label, path, px

LEFT, WIDE, UNIT = 86.0, 520.0, 6.0  # room at the left, width of all steps, height of a unit


def gates_picture(
    description: str, words: Sequence[str], traces: Mapping[str, np.ndarray],
    lines: Mapping[str, np.ndarray], gates: Sequence[str], units: Sequence[int],
) -> Markup:  # fmt: skip
    """One heat map for each trace, units downwards and steps across, with a line below it.

    Args:
        description: what it shows.
        words: one a step.
        traces: (steps, units) by name.
        lines: (steps,) by name: mean of a gate, or length of memory or state.
        gates: names whose values are in [0, 1]; others have a sign.
        units: numbers of the units that are drawn.

    Returns:
        An SVG element.
    """
    steps = len(words)
    wide = min(WIDE, 26.0 * steps)
    step, at = wide / steps, 34.0
    parts = [label(f"{fit(description, 80)}; {len(units)} units that change most", 0, 13,
                   kind="title")]  # fmt: skip
    for name, values in traces.items():
        signed = name not in gates
        most = float(np.abs(values).max()) if signed else 1.0
        ends = (f"-{most:.2g}", f"{most:.2g}") if signed else ("0", "1")
        height = UNIT * values.shape[1]
        parts.append(label(name, LEFT - 8, at + 12, "end", "lead"))
        parts.append(cells(values.T, LEFT, at, (step, UNIT), (-most if signed else 0.0, most),
                           signed))  # fmt: skip
        parts.append(key(LEFT + wide + 14, at, ends, signed, 74))
        at += height + 4
        if name in lines:
            parts += _below(name, lines[name], step, at, name in gates)
            at += 26
        at += 8
    parts += _words(words, step, at)
    longest = max(map(len, words))
    height = at + (18 if step >= 8.0 * longest + 6 else 9 + 5.6 * min(longest, 16))
    return drawing(description, height, *parts, width=LEFT + wide + 110)


def _below(name: str, values: np.ndarray, step: float, top: float, gate: bool) -> list[Markup]:
    """The mean of a gate, or the length of a vector, as a line."""
    high = 1.0 if gate else float(values.max()) or 1.0
    y = Scale(0.0, high, top + 22, top + 2)
    points = [(LEFT + step * (n + 0.5), y(float(v))) for n, v in enumerate(values)]
    frame = tag("line", x1=px(LEFT), x2=px(LEFT + step * len(values)), y1=px(y.start),
                y2=px(y.start), class_="axis", stroke=COLORS["axis"])  # fmt: skip
    said = "mean" if gate else "length"
    ends = f"{values.min():.2f} to {values.max():.2f}"
    return [frame, path([points], "s2"), label(said, LEFT - 8, top + 17, "end"),
            label(ends, LEFT + step * len(values) + 14, top + 17)]  # fmt: skip


def _words(words: Sequence[str], step: float, top: float) -> list[Markup]:
    """Words beneath their steps: upright where they find room, else downwards."""
    if step >= 8.0 * max(map(len, words)) + 6:
        return [label(word, LEFT + step * (n + 0.5), top + 12, "middle", "lead")
                for n, word in enumerate(words)]  # fmt: skip
    made = []
    for place in every(words, step, 13.0):
        at = LEFT + step * (place + 0.5) - 4
        made.append(tag("text", fit(words[place], 18), class_="lead", fill="#767676",
                        transform=f"translate({px(at)} {px(top + 2)}) rotate(60)",
                        font_size="11.5"))  # fmt: skip
    return made
