"""Sentences of a report in a language: templates are looked up, then filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from chymist.reports.chinese import STORED, WORDS

FIELD = re.compile(r"\{(\w+)\}")
# Fields of stored sentences that are such words themselves; the others are names and numbers.
NESTED = frozenset({"floor", "size", "rows", "verdict", "metric", "method", "parts", "kind", "why",
                    "about", "design", "rest"})  # fmt: skip
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Say:
    """What says the sentences of a report in a language.

    Called with an English template and its values it fills in the template's translation. A
    template that has no translation is said in English.

    Args:
        lang: "en" or "zh".
        known: translations by their English templates.
        stored: templates of sentences that runs hold in English, and their translations.

    Example:
        >>> saying("en")("{n} of {all} rows", n=3, all=10)
        '3 of 10 rows'
    """

    lang: str
    known: Mapping[str, str]
    stored: Mapping[str, str]

    def __call__(self, template: str, /, **values: object) -> str:
        return self.known.get(template, template).format(**values)

    def word(self, name: str) -> str:
        """A name of chymist's own, as "majority class"; others stay as they are.

        Example:
            >>> saying("zh").word("test"), saying("zh").word("{other}")
            ('测试', '{other}')
        """
        return self.known.get(name, name)

    def counted(self, n: int, one: str, many: str, **values: object) -> str:
        """A template for one thing or for several, with their number as {n}.

        Example:
            >>> saying("en").counted(2000, "{n} row", "{n} rows")
            '2,000 rows'
        """
        return self(one if n == 1 else many, n=f"{n:,}", **values)

    def again(self, sentence: str) -> str:
        """A sentence that a run holds in English, or nothing if it cannot be said in the language.

        It is taken apart by the templates of such sentences, so its numbers and names stay as they
        are.

        Example:
            >>> saying("zh").again("column 'age' is skewed: its logarithm is used")
            '“age”列分布偏斜：取其对数'
        """
        if self.lang == "en":
            return sentence
        if sentence in self.known:
            return self.known[sentence]
        for shape, template in _shapes(self.lang):
            if (found := shape.fullmatch(sentence)) is not None:
                parts = found.groupdict()
                nested = {n: self.again(parts[n]) or parts[n] for n in NESTED & parts.keys()}
                return template.format(**parts | nested)
        return ""


@cache
def _shapes(lang: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The templates of stored sentences, as patterns; those with the most letters come first."""
    stored = LANGUAGES[lang].stored
    order = sorted(stored, key=lambda template: -len(FIELD.sub("", template)))
    return tuple((_pattern(template), stored[template]) for template in order)


def _pattern(template: str) -> re.Pattern[str]:
    """A template as a pattern; a field that comes again must be the same text."""
    made, seen = "", set()
    for number, part in enumerate(FIELD.split(template)):
        if number % 2 == 0:
            made += re.escape(part)
        else:
            made += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
            seen.add(part)
    return re.compile(made, re.DOTALL)


LANGUAGES: Mapping[str, Say] = MappingProxyType(
    {"en": Say("en", NOTHING, NOTHING), "zh": Say("zh", WORDS, STORED)}
)
ENGLISH = LANGUAGES["en"]


def saying(lang: str) -> Say:
    """What says the sentences of a report in a language.

    Args:
        lang: "en" or "zh".

    Example:
        >>> saying("zh")("Verdict")
        '结论'
    """
    return LANGUAGES[lang]
