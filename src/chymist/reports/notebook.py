"""What a notebook shows of a report: its verdict and its pictures, cut out of the page itself.

So the numbers in a notebook are those of the report.
"""

from __future__ import annotations

import re

from chymist.reports.markup import Markup, join, tag

MOST = 100_000  # bytes of one object in a notebook
ROOM = 1_000  # of them for what stands around
WIDE = "max-width:640px"
SECTION = re.compile(r'<section id="([a-z_-]+)"[^>]*><h2[^>]*>.*?</h2>(.*?)</section>', re.DOTALL)
PICTURE = re.compile(r"<(figure|article)>.*?</\1>", re.DOTALL)
TWIN = re.compile(r"<details>.*?</details>", re.DOTALL)
HEADING = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
VERDICT = re.compile(r'<p class="verdict">.*?</p>', re.DOTALL)
INSIDE = re.compile(r'(<(?!svg)[^>]*?) class="[^"]*"')


def glance(page: str, more: str = "") -> Markup:
    """The heading of a report, its verdict and the pictures and cards of its other sections.

    Args:
        page: a report, made by `page`.
        more: a small table that stands below the verdict.

    Returns:
        Static markup of at most 100 kB. Folded tables are left out where they do not fit, then
        the last pictures; a line says how many.

    Example:
        >>> from chymist.reports.page import page
        >>> made = page("t", "e", Markup("Two"), [("verdict", "V", tag("p", "a is better"))])
        >>> glance(made)
        '<div style="max-width:640px"><p><strong>Two</strong></p><p>a is better</p></div>'
    """
    sections = dict(SECTION.findall(page))
    verdict = str(sections.pop("verdict", ""))
    pictures = [one.group() for rest in sections.values() for one in PICTURE.finditer(rest)]
    found = HEADING.search(page)
    heading = tag("p", tag("strong", Markup(found.group(1)))) if found else ""
    more = more if _size(more) < MOST // 4 else ""
    for form in (verdict, TWIN.sub("", verdict), "".join(VERDICT.findall(verdict))):
        verdict = form
        if _size(form) < MOST // 2:
            break
    kept, left = _fitting(pictures, MOST - ROOM - _size(heading + verdict + more))
    note = tag("p", tag("small", f"{left} more in the report.")) if left else ""
    return tag("div", heading, Markup(_plain("".join([verdict, more, *kept]))), note, style=WIDE)


def pictures_of(figures: str) -> list[Markup]:
    """The drawings of figures, without their captions and tables."""
    return [Markup(one) for one in re.findall(r"<svg.*?</svg>", figures, re.DOTALL)]


def _fitting(pictures: list[str], room: int) -> tuple[list[str], int]:
    """Pictures in their order while there is room, and how many are left out."""
    kept: list[str] = []
    if sum(map(_size, pictures)) > room:
        pictures = [TWIN.sub("", one) for one in pictures]
    for one in pictures:
        if _size(one) <= room:
            kept.append(one)
            room -= _size(one)
    return kept, len(pictures) - len(kept)


def _plain(markup: str) -> str:
    """Markup without the classes of the report's style sheet; its sentence stands out."""
    said = markup.replace('<p class="verdict">', '<p style="font-size:1.15em">')
    return INSIDE.sub(r"\1", said)


def _size(markup: str) -> int:
    return len(markup.encode())


def linked(place: str, address: str) -> Markup:
    """A line that names the file of a report, as a link where the notebook can follow it.

    Args:
        place: its path, as a reader knows it.
        address: relative to the notebook; "" if it lies elsewhere.
    """
    name = tag("code", place)
    return tag("p", join("Report: ", tag("a", name, href=address) if address else name))
