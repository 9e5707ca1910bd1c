"""The page of the course names what exists, and leaves out nothing of the parts that are built."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.cli.options import VERBS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "course.md"

# Entries on data, models, losses, optimisers, regularisation, mathematics, derivatives, evaluation,
# tools.
ENTRIES = (
    "S029-S032 S034 S042 S043 S063 S072 S076-S090 S112 S114 S117-S122 S124-S144 S146 S147 S152-S160"
    " S165-S195 S197-S220 S222-S235 S237-S273 S275-S288 S290-S296 S298 S301-S316"
    " S336-S352 S373 S414-S476 S493 S496"
)
EXAMPLES = "W01-W92 W95-W98"  # W93 is about drivers, W94 about attacks


def expanded(text: str) -> list[str]:
    """Ids in a text, ranges written out: "S001, S003-S005"."""
    found = []
    for kind, low, high in re.findall(r"\b([SW])(\d+)(?:-[SW](\d+))?\b", text):
        numbers = range(int(low), int(high or low) + 1)
        found += [f"{kind}{number:0{len(low)}}" for number in numbers]
    return found


@cache
def rows() -> list[tuple[str, str, str, str]]:
    lines = PAGE.read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    made = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    assert all(len(cells) in (3, 4) for cells in made), "a row has four columns"
    return [tuple([*cells, ""][:4]) for cells in made]  # type: ignore[misc]


def named(row: tuple[str, str, str, str]) -> list[str]:
    """Entries of a row; what stands in brackets is said of them."""
    return [i for i in expanded(re.sub(r"\(.*?\)", "", row[0])) if i.startswith("S")]


def test_every_entry_stands_in_one_row() -> None:
    found = [i for row in rows() for i in named(row)]
    twice = sorted({i for i in found if found.count(i) > 1})
    assert not twice
    missing = sorted(set(expanded(ENTRIES)) - set(found))
    assert not missing


def test_entries_have_a_name_a_test_and_a_page() -> None:
    for row in rows():
        if set(named(row)) & set(expanded(ENTRIES)):
            assert "`" in row[1] or row[1] == "code that runs on the page", row[0]
            assert re.search(r"`test_\w+\.py", row[2]), row[0]
            assert re.search(r"\]\([\w-]+\.md\)", row[3]), row[0]


def test_tests_and_pages_exist() -> None:
    for row in rows():
        for name, test in re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", row[2]):
            text = (ROOT / "tests" / name).read_text("utf-8")
            assert not test or f"def {test}(" in text, (name, test)
        for page in re.findall(r"\]\(([\w./-]+)\)", row[3]):
            assert (ROOT / "docs" / page).exists(), page


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_names_resolve(row: tuple[str, str, str, str]) -> None:
    space: Any = cy
    for token in re.findall(r"`([^`]+)`", row[1]):
        space = resolved(token, space)


def resolved(token: str, space: Any) -> Any:
    """Look a name up; what it stands in is where the next short name is looked up first."""
    if token.startswith("chymist "):
        assert token.split()[1] in VERBS, token
        return space
    if re.fullmatch(r"[\w./-]+\.(toml|safetensors|npz)", token):
        return space  # a file of a run folder
    if ".py" in token:
        path, _, name = token.partition(":")
        assert (ROOT / "src" / "chymist" / path).exists(), token
        assert not name or f"def {name}(" in (ROOT / "src/chymist" / path).read_text("utf-8"), token
        return space
    if token.startswith("run."):
        assert token.split(".")[1] in {f.name for f in fields(cy.Run)}, token
        return space
    if "=" in token and "(" not in token:  # an option
        option = token.partition("=")[0]
        functions = (cy.fit, cy.cross_validate, cy.models.mlp, cy.optim.sgd)
        known = {name for f in functions for name in inspect.signature(f).parameters}
        assert option in known | {f.name for f in fields(cy.Recipe)}, token
        return space
    *path, last = token.partition("(")[0].removeprefix("cy.").split(".")
    if path:
        space = import_module(f"chymist.{'.'.join(path)}") if path != ["cy"] else cy
        assert hasattr(space, last), token
        return space
    for place in (space, cy):
        if hasattr(place, last):
            found = getattr(place, last)
            return found if inspect.ismodule(found) else place
    assert last in {f.name for f in fields(cy.Recipe)}, token
    return space


def test_every_example_stands_in_a_test() -> None:
    files = [p for p in (ROOT / "tests").glob("test_*.py") if p != Path(__file__)]
    found = set(expanded(" ".join(path.read_text("utf-8") for path in files)))
    assert not sorted(set(expanded(EXAMPLES)) - found)


def test_ranges() -> None:
    assert expanded("S001, S003-S005 and W9-W11") == ["S001", "S003", "S004", "S005",
                                                      "W9", "W10", "W11"]  # fmt: skip


# Claims that are wrong, and contradictions, on the same parts.
CLAIMS = (
    "C016 C023 C024 C034 C044 C047 C089 C092 C096 C153 C165 C180 C182 C184 C196 C200 C213 C215"
    " C218 C242 C245 C246 C247 C269 C285 C305 C317 C337 C344 C372 C374 C389"
    " X01 X04 X05 X06 X07 X08 X09 X11 X12 X13 X16 X17 X19 X20 X21 X24 X25 X27 X28 X29 X30 X32 X33"
    " X34 X39 X40 X41 X43 X44 X46 X48 X49 X50"
)


def test_corrections_are_shown_by_tests() -> None:
    text = (ROOT / "docs" / "corrections.md").read_text("utf-8")
    found = []
    for line in text.splitlines():
        if not re.match(r"\| [CX]\d", line):
            continue
        ids, *_, shown = [cell.strip() for cell in line.strip("|").split(" | ")]
        found += re.findall(r"\b[CX]\d+", ids)
        (where,) = re.findall(r"`(test_\w+\.py)::(\w+)`", shown)
        assert f"def {where[1]}(" in (ROOT / "tests" / where[0]).read_text("utf-8"), where
    assert not sorted(set(CLAIMS.split()) - set(found))
    assert not sorted({one for one in found if found.count(one) > 1})
