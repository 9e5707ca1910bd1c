"""Sentences of a report in a language: templates are looked up, then filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chymist.reports.chinese import WORDS as CHINESE

Say = Callable[..., str]

LANGUAGES: Mapping[str, Mapping[str, str]] = MappingProxyType({"en": {}, "zh": CHINESE})


def saying(lang: str) -> Say:
    """What says the sentences of a report in a language.

    Args:
        lang: "en" or "zh".

    Returns:
        A function of an English template and its values: `say("{n} rows", n=3)`. A template that
        has no translation is said in English.

    Example:
        >>> saying("en")("{n} of {all} rows", n=3, all=10)
        '3 of 10 rows'
    """
    known = LANGUAGES[lang]

    def say(template: str, /, **values: object) -> str:
        return known.get(template, template).format(**values)

    return say
