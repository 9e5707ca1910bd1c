"""Tables, bars and sparklines for terminals."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from chymist.reports.text import bar, sparkline, table

CELLS = st.text(max_size=30) | st.integers() | st.floats()


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), st.integers(20, 120), st.booleans())
def test_no_line_is_wider_than_the_terminal(
    rows: list[tuple[object, ...]], width: int, plain: bool
) -> None:
    lines = table(rows, ["name", "value", "note"], width, plain).split("\n")
    assert len(lines) == len(rows) + 2
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_wide_column_is_cut_with_an_ellipsis() -> None:
    lines = table([["x" * 50, 1], ["y", 20]], ["name", "n"], 20, plain=False).split("\n")
    assert lines[2] == "x" * 15 + "…   1"
    assert lines[3] == "y" + " " * 17 + "20"


def test_numbers_are_aligned_to_the_right_and_texts_to_the_left() -> None:
    text = table([["a", "1,000"], ["bb", "7 %"]], ["name", "rows"], 40, plain=True)
    assert text.split("\n") == ["name   rows", "----  -----", "a     1,000", "bb      7 %"]


def test_wide_characters_take_two_places() -> None:
    lines = table([["日本", "x"], ["a", "y"]], ["name", "z"], 40, plain=True).split("\n")
    assert lines[2:] == ["日本  x", "a     y"]


def test_control_characters_are_shown() -> None:
    assert "\\x1b[31m" in table([["\x1b[31m"]], ["name"], 40)


def test_an_empty_table_has_a_header() -> None:
    assert table([], ["name", "rows"], 40, plain=True) == "name  rows\n----  ----"


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([1, 1], "▁▁"), ([0, 7], "▁█"), ([1e308, -1e308], "█▁"), ([float("inf"), 0], "x▁")],
)
def test_sparkline(values: list[float], drawn: str) -> None:
    assert sparkline(values, plain=False) == drawn


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, "...."), (1, "####"), (2, "####"), (-1, "...."), (float("nan"), "....")],
)
def test_bar(share: float, drawn: str) -> None:
    assert bar(share, 4, plain=True) == drawn


@pytest.mark.parametrize(("encoding", "drawn"), [("ascii", "_@"), ("utf-8", "▁█")])
def test_the_terminal_decides_about_block_characters(
    encoding: str, drawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert sparkline([0, 1]) == drawn
