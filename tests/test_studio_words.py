"""Every sentence of the studio's pages is said in both languages, with the same fields."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "web/src"
FIELD = re.compile(r"\{(\w+)\}")
TEXT = r'"((?:[^"\\]|\\.)*)"'
CALL = re.compile(rf"(?<![\w.])t\(\s*{TEXT}")
CHOICE = re.compile(rf"(?<![\w.])t\([^\"()]*\?\s*{TEXT}\s*:\s*{TEXT}\s*[,)]")
PAIR = re.compile(rf"^\s*{TEXT}\s*:\s*{TEXT},?\s*$", re.MULTILINE)
# Words that tables of the kit hold for t(word): labels of pages and of states.
TABLES = (
    ("kit/pages.ts", re.compile(r'label: "([^"]*)"|\["[a-z]*", "([A-Z][^"]*)"\]')),
    ("kit/state.tsx", re.compile(rf": \[{TEXT}, ")),
)
LATIN = {"chymist", "studio", "csv", "svg", "png", "python", "nan", "inf"}


def sources() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*.ts*")) if not p.name.startswith("zh")]


def said(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\")


def templates() -> set[str]:
    """Every template that a page says."""
    found: set[str] = set()
    for path in sources():
        text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
        found |= {said(one) for one in CALL.findall(text)}
        found |= {said(one) for pair in CHOICE.findall(text) for one in pair}
    for place, shape in TABLES:
        for groups in shape.findall((SOURCE / place).read_text()):
            found |= {said(one) for one in ([groups] if isinstance(groups, str) else groups) if one}
    return found


def dictionaries() -> dict[str, dict[str, str]]:
    """The translations, by file."""
    return {
        path.name: {said(en): said(zh) for en, zh in PAIR.findall(path.read_text())}
        for path in sorted((SOURCE / "kit").glob("zh-*.ts"))
    }


def chinese() -> dict[str, str]:
    return {en: zh for one in dictionaries().values() for en, zh in one.items()}


def test_every_template_is_said_in_chinese_with_the_same_fields() -> None:
    found, known = templates(), chinese()
    assert len(found) > 50
    assert sorted(found - known.keys()) == []
    other = [t for t in found if set(FIELD.findall(t)) != set(FIELD.findall(known[t]))]
    assert other == []


def test_every_dictionary_is_merged_and_every_pair_is_read() -> None:
    merged = (SOURCE / "kit/zh.ts").read_text()
    for name, pairs in dictionaries().items():
        text = (SOURCE / "kit" / name).read_text()
        (export,) = re.findall(r"export const (\w+)", text)
        assert f"...{export}" in merged, name
        assert len(pairs) == len(re.findall(r'^\s*"', text, re.MULTILINE)), f"{name}: one a line"


def test_no_translation_is_unused_or_says_two_things() -> None:
    every = "\n".join(path.read_text() for path in sources())
    unused = [t for t in chinese() if t.replace('"', '\\"') not in every]
    assert unused == []
    seen: dict[str, str] = {}
    for name, pairs in dictionaries().items():
        for template, translation in pairs.items():
            assert seen.setdefault(template, translation) == translation, (name, template)


def test_no_template_is_put_together_from_pieces() -> None:
    assert [path.name for path in sources() if re.search(r"(?<![\w.])t\(`", path.read_text())] == []


def test_a_translation_holds_no_english() -> None:
    bare = {t: re.sub(r"\{\w+\}|`[^`]*`", "", zh).lower() for t, zh in chinese().items()}
    long = {t: set(re.findall(r"[a-z_]{5,}", text)) - LATIN for t, text in bare.items()}
    assert {t: words for t, words in long.items() if words} == {}
