"""Stop words: frequent words that say little of what a text is about, by language."""

from __future__ import annotations

from collections.abc import Collection, Sequence

ENGLISH = (
    "a about after all also am an and any are as at be because been before being but by can could "
    "did do does doing down during each few for from further had has have having he her here hers "
    "him his how i if in into is it its itself just me more most my of off on once only or other "
    "our out over own same she should so some such than that the their them then there these they "
    "this those through to too under until up very was we were what when where which while who "
    "whom why will with would you your"
)
GERMAN = (
    "aber alle als also am an auch auf aus bei bin bis bist da damit dann das dass dem den der des "
    "dich die dir du durch ein eine einem einen einer eines er es euch für hat hatte ich ihm ihn "
    "ihr im in ist ja jede kann man mein mich mir mit nach noch nun nur ob oder sehr sein sich sie "
    "sind so über um und uns unter vom von vor war was wenn wer wie wir wird zu zum zur"
)
CHINESE = "的 了 和 是 在 也 就 都 而 及 与 着 或 把 被 这 那 之 吗 呢 吧 啊"
LISTS = {name: tuple(text.split()) for name, text in
         (("english", ENGLISH), ("german", GERMAN), ("chinese", CHINESE))}  # fmt: skip


def stop_words(named: Sequence[str]) -> tuple[str, ...]:
    """The words that names of lists and single words stand for, in lower case, sorted.

    Negations stand in no list: they turn what a text says.

    Args:
        named: "english", "german" or "chinese" (single characters), and words.

    Example:
        >>> stop_words(["Film", "the"]), len(stop_words(["english"])) > 100
        (('film', 'the'), True)
    """
    found = {word.lower() for name in named for word in LISTS.get(name.lower(), (name,))}
    return tuple(sorted(found))


def without(tokens: list[str], stopped: Collection[str]) -> list[str]:
    """The tokens of a text that are no stop words; all of them, where none would be left.

    Example:
        >>> without(["The", "film"], {"the"}), without(["the"], {"the"})
        (['film'], ['the'])
    """
    return [token for token in tokens if token.lower() not in stopped] or tokens
