"""The ledger of looks: counts, concurrent writers, damage, unusable folders."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run
from sys import executable

import numpy as np
import pytest

from chymist.errors import InputError
from chymist.evidence.ledger import Looks, ledger_file, look, peek, state_folder

ROWS = np.array([5, 1, 9])


def test_looks_are_counted_per_data_and_rows(tmp_path):
    assert peek("data", ROWS, tmp_path) == Looks(0, 0)
    assert str(look("data", ROWS, "a", tmp_path)) == "look 1, 1 run"
    assert str(look("data", ROWS, "a", tmp_path)) == "look 2, 1 run"
    assert str(look("data", ROWS[::-1], "b", tmp_path)) == "look 3, 2 runs"
    assert peek("data", ROWS, tmp_path) == Looks(3, 2)
    assert look("other", ROWS, "a", tmp_path) == Looks(1, 1)
    assert look("data", ROWS[:2], "a", tmp_path) == Looks(1, 1)
    assert look("data", ROWS.astype(np.int32), "a", tmp_path) == Looks(4, 2)


def test_a_line_is_json_with_run_and_time(tmp_path):
    look("data", ROWS, 'a "b"\n\x1b', tmp_path)
    lines = ledger_file("data", ROWS, tmp_path).read_text().splitlines()
    entry = json.loads(lines[0])
    assert len(lines) == 1
    assert entry["run"] == 'a "b"\n\x1b'
    assert entry["at"].endswith("+00:00")


@pytest.mark.parametrize(
    "damage", [b"{half a li", b"not json\n", b"\x00\xff\xfe\n", b"[]\n", b"7\n"]
)
def test_damaged_lines_are_looks(tmp_path, damage):
    look("data", ROWS, "a", tmp_path)
    with ledger_file("data", ROWS, tmp_path).open("ab") as file:
        file.write(damage)
    assert peek("data", ROWS, tmp_path) == Looks(2, 1)
    assert look("data", ROWS, "b", tmp_path) == Looks(3, 2)
    assert peek("data", ROWS, tmp_path) == Looks(3, 2)


def test_only_damage_is_still_one_run(tmp_path):
    path = ledger_file("data", ROWS, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"???\n")
    assert peek("data", ROWS, tmp_path) == Looks(1, 1)


def test_threads_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: look("data", ROWS, f"run-{i % 4}", tmp_path), range(80)))
    assert sorted(found.count for found in made) == list(range(1, 81))
    assert peek("data", ROWS, tmp_path) == Looks(80, 4)


def test_processes_lose_nothing(tmp_path):
    script = (
        "import sys, numpy as np\n"
        "from chymist.evidence.ledger import look\n"
        "for i in range(40): look('data', np.array([1, 5, 9]), sys.argv[2], sys.argv[1])\n"
    )
    source = str(Path(__file__).parent.parent / "src")
    with ThreadPoolExecutor(3) as pool:
        made = pool.map(
            lambda name: run(
                [executable, "-c", script, str(tmp_path), name], cwd=source, check=True
            ),
            "abc",
        )
        assert len(list(made)) == 3
    assert peek("data", ROWS, tmp_path) == Looks(120, 3)


def test_an_unwritable_folder_says_what_to_do(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for action in (lambda: look("data", ROWS, "a", blocked), lambda: peek("data", ROWS, blocked)):
        with pytest.raises(InputError, match="set CHYMIST_HOME") as caught:
            action()
        assert caught.value.exit_code == 1


def test_state_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("CHYMIST_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert state_folder() == tmp_path / ".local" / "state" / "chymist"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_folder() == tmp_path / "xdg" / "chymist"
    monkeypatch.setenv("CHYMIST_HOME", str(tmp_path / "own"))
    assert state_folder() == tmp_path / "own"
    look("data", ROWS, "a")
    assert len(list((tmp_path / "own" / "looks").glob("*.jsonl"))) == 1
