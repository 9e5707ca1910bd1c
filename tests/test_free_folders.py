"""Runs that start at once get a folder each."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chymist.engine import folder
from chymist.engine.folder import in_free_folder, whole_folder
from chymist.errors import InputError


def test_threads_that_race_get_a_folder_each(tmp_path: Path) -> None:
    def work(out: Path) -> Path:
        with whole_folder(out) as draft:
            (draft / "made").write_text(out.name)
        return out

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: in_free_folder("x", work, tmp_path), range(40)))
    names = [f"x-{n:04d}" for n in range(1, 41)]
    assert sorted(path.name for path in made) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all((path / "made").read_text() == path.name for path in made)


def test_other_errors_are_not_tried_again(tmp_path: Path) -> None:
    tried: list[Path] = []

    def work(out: Path) -> None:
        tried.append(out)
        raise InputError("something else")

    with pytest.raises(InputError, match="something else"):
        in_free_folder("x", work, tmp_path)
    assert len(tried) == 1


def test_a_place_that_is_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"

    def work() -> None:
        with whole_folder(out) as draft:
            (draft / "mine").touch()
            out.mkdir()
            (out / "theirs").touch()

    with pytest.raises(InputError, match="not empty") as failure:
        work()
    assert failure.value.code == folder.TAKEN
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["run", "theirs"]


def test_processes_that_start_at_once_both_end(tmp_path: Path) -> None:
    rows = "".join(f"{i % 9},{'ab'[i % 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    words = ["fit", "t.csv", "--model", "softmax", "--length", "1 epochs", "--json"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "chymist", *words], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    answers = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], answers
    runs = sorted(Path(json.loads(out)["run"]).name for out, _ in answers)
    assert runs == ["t-0001", "t-0002"]
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == runs
