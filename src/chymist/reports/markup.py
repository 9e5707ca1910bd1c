"""HTML and SVG as text that escapes by itself: what is not `Markup` is escaped when it is placed.

Names and cells come from files of others. They are cut to a length, control characters and
direction overrides are shown as their codes, and angle brackets are inert.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from html import escape

from chymist.errors import printable
from chymist.reports.saying import ENGLISH, Say

TEXT = 600  # characters of a sentence; longer ones end in an ellipsis
CELL = 120  # characters of one cell or name
ROWS = 200  # rows of one table; the caption says how many there are
LONG = 40  # characters of a value, with its markup, that takes the room of two
VOID = frozenset({"meta", "img", "br", "hr"})


class Markup(str):
    """Text that is already markup and is placed as it is."""

    __slots__ = ()


def safe(content: object, limit: int = TEXT) -> Markup:
    r"""Anything as markup: inert, in one line, of bounded length.

    Args:
        content: `Markup` stays as it is; anything else is turned to text and escaped.
        limit: characters at most.

    Example:
        >>> safe("<b>\u202e"), safe("a" * 9, limit=5), safe(Markup("<b>"))
        ('&lt;b&gt;\\u202e', 'aaaa…', '<b>')
    """
    if isinstance(content, Markup):
        return content
    text = str(content)
    text = printable(text[: 2 * limit])  # an escaped character is longer, never shorter
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return Markup(escape(text))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element.

    Args:
        name: its name.
        *children: what it holds; escaped unless it is `Markup`.
        **attributes: a trailing underscore is dropped, others become hyphens; None is left out,
            True is written without value.

    Example:
        >>> tag("td", "a < b", class_="n")
        '<td class="n">a &lt; b</td>'
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(key if value is True else f'{key}="{_attribute(value)}"')
    start = "<" + " ".join(words) + ">"
    return Markup(start) if name in VOID else Markup(f"{start}{join(*children)}</{name}>")


def join(*parts: object) -> Markup:
    """Parts one after the other; what is not `Markup` is escaped."""
    return Markup("".join(safe(part) for part in parts))


def block(text: str, limit: int = 20_000) -> Markup:
    r"""Text of several lines, as it is, with everything else inert.

    Example:
        >>> block("a\n\t<b>\x07")
        '<pre tabindex="0">a\n    &lt;b&gt;\\x07</pre>'
    """
    cut = text[:limit] + ("\n… (cut)" if len(text) > limit else "")
    lines = (printable(line.expandtabs(4)) for line in cut.split("\n"))
    return tag("pre", Markup(escape("\n".join(lines))), tabindex="0")


def data_name(content: object, limit: int = 60) -> Markup:
    """A name from the data, set apart from the direction of the text around it."""
    return tag("bdi", safe(content, limit))


def table(
    heads: Sequence[object],
    rows: Sequence[Sequence[object]],
    numbers: Container[int] = (),
    limit: int = ROWS,
    say: Say = ENGLISH,
) -> Markup:
    """A table that scrolls sideways where it is wide.

    Args:
        heads: names of the columns.
        rows: cells; escaped unless they are `Markup`.
        numbers: positions of the columns that are aligned to the right.
        limit: rows at most; a line below says how many were left out.
        say: the language.

    Example:
        >>> table(["a"], [["<"]], numbers={0}).count("&lt;")
        1
    """
    kinds = ["n" if i in numbers else None for i in range(len(heads))]
    head = join(*(tag("th", h, scope="col", class_=k) for h, k in zip(heads, kinds, strict=True)))
    lines = [
        tag(
            "tr",
            *(tag("td", safe(cell, CELL), class_=k) for cell, k in zip(row, kinds, strict=True)),
        )
        for row in rows[:limit]
    ]
    made = tag("table", tag("thead", tag("tr", head)), tag("tbody", *lines))
    more = len(rows) - limit
    rest = say(
        "The first {limit} of {all} rows; {more} are left out.",
        limit=f"{limit:,}", all=f"{len(rows):,}", more=f"{more:,}",
    )  # fmt: skip
    note = tag("p", rest, class_="note") if more > 0 else ""
    return join(tag("div", made, class_="scroll", tabindex="0"), note)


def details(summary: str, *children: object) -> Markup:
    """Something that is folded away until it is asked for."""
    return tag("details", tag("summary", summary), *children)


def figure(
    title: object, picture: object, caption: object = "", twin: object = "", say: Say = ENGLISH
) -> Markup:
    """A picture with a sentence as its title, a caption, and its numbers as a folded table."""
    note = tag("p", caption, class_="note") if caption else ""
    numbers = details(say("The numbers"), twin) if twin else ""
    return tag("figure", tag("figcaption", title), picture, note, numbers)


def stored(sentence: str, say: Say, limit: int = TEXT) -> Markup:
    """A sentence that a run holds in English, in the language of the report if it is known there.

    Example:
        >>> from chymist.reports.saying import saying
        >>> stored("as it was", saying("zh"))
        '<span lang="en">as it was</span>'
    """
    told = say.again(sentence)
    return coded(told, limit) if told else tag("span", coded(sentence, limit), lang="en")


def coded(text: str, limit: int = TEXT) -> Markup:
    """A sentence whose names between back quotes are set as code.

    Example:
        >>> coded("see `a<b` here"), coded("a ` b")
        ('see <code>a&lt;b</code> here', 'a ` b')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", safe(text, limit)))


def pairs(items: Sequence[tuple[object, object]]) -> Markup:
    """Names and values as a description list."""
    made = [
        tag("div", tag("dt", n), tag("dd", v), class_="wide" if len(str(v)) > LONG else None)
        for n, v in items
    ]
    return tag("dl", *made)


def _attribute(value: object) -> str:
    return str(value) if isinstance(value, Markup) else escape(printable(str(value)[:100_000]))
