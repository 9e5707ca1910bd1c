"""The command line on streams that are closed, full, broken or ASCII only: real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chymist.cli import main

CHYMIST = [sys.executable, "-m", "chymist"]
NARROW = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
FULL = Path("/dev/full")


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of sh in which $C is the command."""
    command = f'C="{sys.executable} -m chymist"; {line}'
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env={**os.environ, **env}
    )


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["--version", "nosuch --json", "sets --json"])
def test_a_full_standard_output_is_one_line_and_exit_five(words: str) -> None:
    found = shell(f"$C {words} > /dev/full")
    assert found.returncode == 5, found.stderr
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith("chymist: ")
    assert "No space left on device" in found.stderr


@pytest.mark.parametrize(
    "line",
    ["$C sets | head -n 1", "$C --version | true", "$C nosuch --json | true",
     "$C --version >&-", "$C runs >&-", "$C nosuch --json >&-", "$C nosuch >&- 2>&-"],
)  # fmt: skip
def test_a_reader_that_has_gone_is_no_traceback(line: str) -> None:
    found = shell(line)
    assert "Traceback" not in found.stderr
    assert "Exception ignored" not in found.stderr
    assert len(found.stderr.splitlines()) <= 1


def test_an_error_of_a_closed_output_keeps_its_code() -> None:
    assert shell("$C nosuch >&-").returncode == 2
    assert shell("$C --version >&-").returncode == 0


def test_ascii_streams_get_question_marks_and_json_stays_exact(tmp_path: Path) -> None:
    table = "größe,b\n" + "".join(f"{i % 9},{'äb'[i % 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(table, "utf-8")
    (tmp_path / "maß.csv").write_text(table, "utf-8")

    def asked(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*CHYMIST, *words], cwd=tmp_path, capture_output=True, env={**os.environ, **NARROW}
        )

    done = asked("fit", "t.csv", "--model", "softmax", "--length", "2 epochs", "--out", "run")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"gr??e" in done.stdout
    failed = asked("fit", "t.csv", "--target", "zzz", "--json")
    assert failed.stdout.isascii()
    assert "größe" in json.loads(failed.stdout)["error"]["do"]
    unnamed = asked("fit", "maß.csv")
    assert unnamed.returncode == 1
    assert b"PYTHONUTF8" in unnamed.stderr
    assert unnamed.stderr.count(b"\n") == 1


def test_printed_numbers_of_the_model_are_those_of_the_answer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["fit", "digits", "--model", "softmax", "--length", "3 epochs", "--json"]
    assert main(words) == 0
    captured = capsys.readouterr()
    parameters = json.loads(captured.out)["model"]["parameters"]
    assert f" {parameters:,} parameters" in captured.err
    assert "1,077 train · 360 valid · 360 test" in captured.err
