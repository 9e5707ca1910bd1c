"""The page of the first five minutes says what its commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chymist.cli import main
from tools.make_first_minutes import BLOCK, PICTURES, commands, shown

PAGE = Path(__file__).parent.parent / "docs" / "first-five-minutes.md"
TEXT = PAGE.read_text("utf-8")
SLOW = ("--fix", "compare")  # these verbs have tests of their own


def labels(output: str) -> list[str]:
    """The words that begin the lines, without what depends on the machine."""
    found = re.findall(r"^[A-Z][a-z]+\b", output, re.MULTILINE)
    return [word for word in found if word not in ("Train", "Note")]


def test_the_page_has_a_command_for_each_question() -> None:
    words = [shlex.split(command)[1] for command in commands(TEXT)]
    assert words == ["fit", "explain", "explain", "diagnose", "fit", "diagnose", "compare"]
    pictures = set(PICTURES.findall(TEXT))
    assert pictures == {"first-worst.svg"}
    assert all((PAGE.parent / "pictures" / name).is_file() for name in pictures)


def test_each_output_is_that_of_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    for found in BLOCK.finditer(TEXT):
        words = shlex.split(found["command"])[1:]
        if any(word in SLOW for word in words):
            continue
        assert main(words) == 0
        printed = shown(capsys.readouterr().out)
        assert labels(printed) == labels(found["output"]), found["command"]
    assert (tmp_path / "first" / "report.html").is_file()
    assert (tmp_path / "first-worst.svg").read_text().startswith("<svg")
