"""What there is to say about one code, in one language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """An explanation of a code.

    Args:
        title: a few words.
        meaning: what is wrong.
        signal: by what it is seen.
        rule: of the course, or of the mathematics, that is behind it.
        example: a small one, with numbers where there are some.
        remedy: what to do.
        traps: what looks like it and is not.
    """

    title: str
    meaning: str
    signal: str
    rule: str
    example: str
    remedy: str
    traps: str
