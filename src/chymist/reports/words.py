"""Texts whose words are worth something: colour behind each word, and its number beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chymist.reports.heat import color, ink, key
from chymist.reports.markup import Markup, join, safe, tag
from chymist.reports.svg import drawing, label, px

ACROSS, LINE, LETTER = 620.0, 46.0, 7.6  # width of a text, height of its lines, width of a letter
MOST = 120  # words of a text that are drawn


@dataclass(frozen=True)
class Weighed:
    """A text as it is drawn.

    Args:
        title: what it is and what the model says.
        words: in order.
        values: one a word.
        at: number of the word whose answer is explained, or None.
    """

    title: str
    words: tuple[str, ...]
    values: tuple[float, ...]
    at: int | None = None


def words_picture(
    description: str, texts: Sequence[Weighed], notes: Sequence[str], signed: bool = True
) -> Markup:
    """Texts one below the other: vermilion speaks for the answer, blue against it.

    Colours of each text are relative to its largest value, which stands beside its scale.

    Args:
        description: what it shows.
        texts: what to draw.
        notes: lines above them: what was done, and how far it can be believed.
        signed: whether values have a sign.

    Returns:
        An SVG element.

    Example:
        >>> drawn = words_picture("a", [Weighed("good", ("a", "film"), (0.1, -2.0))], [])
        >>> drawn.count("<rect") > 2, "-2.00" in drawn
        (True, True)
    """
    parts = [label(note, 0, 14 + 17 * place) for place, note in enumerate(notes)]
    at = 16.0 + (17 * len(notes) + 12) * bool(notes)
    for text in texts:
        made, at = _drawn(text, at, signed)
        parts.append(made)
        at += 26
    return drawing(description, at - 16, *parts, width=ACROSS)


def words_html(texts: Sequence[Weighed], signed: bool = True) -> Markup:
    """The same as text of a page: each word with its number beneath, so that it can be copied.

    Example:
        >>> "ruby" in words_html([Weighed("good", ("film",), (1.0,))])
        True
    """
    made = []
    for text in texts:
        most = _most(text)
        spans = []
        for word, value in zip(text.words[:MOST], text.values, strict=False):
            share = value / most
            style = f"background:{color(share, True)};color:{ink(share)};padding:1px 3px"
            under = tag("rt", number(value, signed), style="font-size:75%;color:inherit")
            spans.append(tag("ruby", safe(word, 40), under,
                             style=f"ruby-position:under;margin:2px;{style}"))  # fmt: skip
        made.append(tag("p", tag("strong", text.title)))
        made.append(tag("p", *spans, style="line-height:2.6"))
    return join(*made)


def words_lines(text: Weighed, signed: bool = True, most: int = MOST) -> list[str]:
    """The same for a terminal: words with their numbers, the strongest marked.

    Example:
        >>> words_lines(Weighed("good", ("a", "film"), (0.1, -2.0)))
        ['a +0.10  **film -2.00**']
    """
    limit = 0.5 * _most(text)
    cells = []
    for word, value in zip(text.words[:most], text.values, strict=False):
        cell = f"{safe_word(word)} {number(value, signed)}"
        cells.append(f"**{cell}**" if abs(value) >= limit else cell)
    lines, line = [], ""
    for cell in cells:
        if line and len(line) + len(cell) > 90:
            lines.append(line)
            line = ""
        line += ("  " if line else "") + cell
    return [*lines, line] if line else lines


def number(value: float, signed: bool = True) -> str:
    """A value with two digits after the point, or fewer where it is large.

    Example:
        >>> number(0.5), number(0.0004), number(123.4), number(0.5, signed=False)
        ('+0.50', '+0.0004', '+123', '0.50')
    """
    size = abs(value)
    text = f"{value:.2f}" if 0.005 <= size < 99.5 or size == 0 else f"{value:.0f}"
    text = f"{value:.1g}" if 0 < size < 0.005 else text
    return "+" + text if signed and value > 0 else text


def safe_word(word: str) -> str:
    """A word without control characters, of bounded length."""
    from chymist.errors import printable

    return printable(word[:40]) or "·"


def _most(text: Weighed) -> float:
    return max((abs(value) for value in text.values), default=0.0) or 1.0


def _drawn(text: Weighed, top: float, signed: bool) -> tuple[Markup, float]:
    """One text, and where the next begins."""
    most = _most(text)
    limit = number(most, False)
    ends = ("-" + limit, limit) if signed else ("0", limit)
    parts = [label(safe(text.title, 84), 0, top, kind="lead")]
    at, line = 0.0, top + 12
    for place, (word, value) in enumerate(zip(text.words[:MOST], text.values, strict=False)):
        share, shown = value / most, safe_word(word)
        room = max(_width(shown), 6.4 * len(number(value, signed))) + 9
        if at and at + room > ACROSS:
            at, line = 0.0, line + LINE
        edge = {"stroke": "#1d1d1b", "stroke_width": "1.6"} if place == text.at else {}
        parts.append(tag("rect", x=px(at), y=px(line), width=px(room - 3), height="21", rx="3",
                         fill=color(share, True), **edge))  # fmt: skip
        parts.append(tag("text", shown, x=px(at + (room - 3) / 2), y=px(line + 15.5),
                         text_anchor="middle", style=f"fill:{ink(share)}"))  # fmt: skip
        parts.append(tag("text", number(value, signed), x=px(at + (room - 3) / 2),
                         y=px(line + 34), text_anchor="middle", font_size="10.5",
                         fill="#767676"))  # fmt: skip
        at += room
    bottom = line + LINE
    left = len(text.words) - MOST
    if left > 0:
        parts.append(label(f"{left:,} further words are not drawn", 0, bottom + 12))
    parts.append(key(ACROSS - 124, bottom - 4, ends, True, least=-1.0 if signed else 0.0))
    return join(*parts), bottom + 24


def _width(word: str) -> float:
    """Pixels of a word: letters of wide scripts take two."""
    from rich.cells import cell_len

    return LETTER * cell_len(word)
