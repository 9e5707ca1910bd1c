"""The tools of the house: counting sizes, and setting up on a machine that lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_sizes import LIMITS, Measure, check, measure, too_big

ROOT = Path(__file__).resolve().parent.parent


def sizes(source: str) -> dict[tuple[str, str], int]:
    return {(m.name, m.rule): m.size for m in measure("a.py", source)}


def test_docstrings_comments_and_blank_lines_are_free() -> None:
    source = '"""Module."""\n\n# why\ndef f():\n    """Two\n    lines."""\n    # why\n\n'
    source += "    return (\n        1\n    )\n"
    assert sizes(source) == {("", "file"): 4, ("f", "function"): 4}


def test_text_that_is_no_docstring_counts() -> None:
    assert sizes('text = """a\nb\nc"""\n') == {("", "file"): 3}


@pytest.mark.parametrize(
    ("head", "arguments"),
    [
        ("class A:\n    def __init__(self, a, b, *, c): pass", 3),
        ("@dataclass\nclass A:\n    a: int\n    b: int = 1\n    c: int = field(init=False)", 2),
        ("@dataclass(frozen=True)\nclass A:\n    a: int\n    b: int", 0),
        ("class A(NamedTuple):\n    a: int\n    b: int", 0),
        ("class A:\n    pass", 0),
    ],
)
def test_arguments_of_constructors(head: str, arguments: int) -> None:
    assert sizes(head)["A", "arguments"] == arguments


def test_public_methods_are_counted() -> None:
    source = "class A:\n    def a(self): pass\n    def _b(self): pass\n    async def c(self): pass"
    assert sizes(source)["A", "public methods"] == 2


@pytest.mark.parametrize("rule", sorted(LIMITS))
def test_the_limit_itself_is_allowed(rule: str) -> None:
    assert too_big(Measure("a.py", "a", 1, rule, LIMITS[rule])) == ""
    assert "the limit is" in too_big(Measure("a.py", "a", 1, rule, LIMITS[rule] + 1))


def test_only_the_loop_may_be_longer() -> None:
    assert too_big(Measure("src/chymist/engine/loop.py", "train", 1, "function", 90)) == ""
    assert too_big(Measure("src/chymist/engine/loop.py", "other", 1, "function", 90)) != ""


def test_a_folder_is_checked(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    body = "".join(f"    x = {i}\n" for i in range(40))
    (tmp_path / "src" / "a.py").write_text("def f():\n" + body)
    count, problems = check(tmp_path, ["src"])
    assert count == 1
    assert problems[0] == "src/a.py:1: f: function 41, the limit is 40"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that the set-up needs, in a folder whose name has a space."""
    folder = tmp_path / "a folder"
    (folder / "tools").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "tools/setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def set_up(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "tools/setup.sh", "run"],
        cwd=project,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_an_old_python_is_one_clear_line(project: Path) -> None:
    old = project / "python3.9"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.9.2 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    done = set_up(project, PYTHON=str(old))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "3.9.2" in done.stderr
    assert not (project / ".venv").exists()


def test_no_python_is_one_clear_line(project: Path) -> None:
    done = set_up(project, PYTHON="no-such-python")
    assert done.returncode == 1
    assert "no Python found as no-such-python" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_failed_installation_shows_why_and_is_never_ready(project: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(project)}
    done = set_up(project, PYTHON=sys.executable, **nowhere)
    assert done.returncode == 1
    assert "The user requested (constraint) hatchling" in done.stderr
    assert "Retry" in done.stderr
    assert not list((project / ".venv").glob("ready-*"))


def test_a_ready_environment_is_left_alone(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(sys.executable)
    key = subprocess.run(
        ["sh", "-c", 'echo "$(cat pyproject.toml constraints.txt | cksum) $PWD"'],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    (project / ".venv" / "ready-run").write_text(key.stdout)
    done = set_up(project, PYTHON="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
