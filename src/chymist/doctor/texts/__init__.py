"""What every code of the doctor means, in English and Chinese, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chymist.doctor.texts import (
    chinese_data,
    chinese_optimization,
    english_data,
    english_optimization,
)
from chymist.doctor.texts.text import Text as Text
from chymist.errors import UsageError, nearest

ENGLISH = {**english_optimization.OPTIMIZATION, **english_data.DATA}
CHINESE = {**chinese_optimization.OPTIMIZATION, **chinese_data.DATA}
LANGUAGES: Mapping[str, Mapping[str, Text]] = MappingProxyType({"en": ENGLISH, "zh": CHINESE})
CODES: Mapping[str, Mapping[str, Text]] = MappingProxyType(
    {code: {name: texts[code] for name, texts in LANGUAGES.items()} for code in ENGLISH}
)
HEADS = {
    "en": ("What it means", "By what it is seen", "The rule behind it", "Example", "What to do",
           "What it is not"),
    "zh": ("含义", "信号", "背后的规律", "例子", "怎么办", "容易混淆的情况"),
}  # fmt: skip


def why(code: str, lang: str = "en") -> Text:
    """What a code means: signal, rule, example, remedy, and what it is not.

    Args:
        code: of a finding, as "lr_too_high".
        lang: "en" or "zh".

    Raises:
        UsageError: an unknown code or language.

    Example:
        >>> why("overfitting").title, why("overfitting", "zh").title
        ('training rows are learned by heart', '过拟合')
    """
    if lang not in LANGUAGES:
        raise UsageError("unknown language", where="lang", received=f"'{lang}'",
                         do=nearest(lang, LANGUAGES))  # fmt: skip
    if code not in CODES:
        raise UsageError("unknown code", received=f"'{code}'", do=nearest(code, CODES))
    return CODES[code][lang]


def page_of(code: str, lang: str = "en") -> str:
    """An explanation as plain text: a title, and a paragraph for each of its parts.

    Example:
        >>> print(page_of("symmetric_init", "zh").splitlines()[0])
        symmetric_init: 对称初始化
    """
    text = why(code, lang)
    parts = (text.meaning, text.signal, text.rule, text.example, text.remedy, text.traps)
    lines = [f"{head}\n  {part}" for head, part in zip(HEADS[lang], parts, strict=True)]
    return "\n\n".join([f"{code}: {text.title}", *lines])
