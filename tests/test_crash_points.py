"""A save that is killed, or fails, at each of its calls leaves a run that resumes to the same bits.

Faults come from two sides: from within Python (everywhere, also writes that are torn in the
middle) and from the kernel by strace (where it is installed and allowed).
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults import (
    Server,
    copy_of,
    fingerprint,
    judge,
    keep_figures,
    strace,
    strace_refusal,
)
from tests.save_protocol import Call, protocol_problems, read_strace

JOB: dict[str, Any] = {"job_name": "mlp-adam", "length": "12 steps"}
BEFORE, SAVED = 5, 6  # steps of the newest checkpoint before and after the save in question
SQLITE = "disk I/O error"  # all that SQLite says when a flush fails, whatever the reason
REFUSAL = strace_refusal()


@pytest.fixture(scope="module")
def reference(server: Server, swift: Path) -> dict[str, Any]:
    """What the run gives when it is left in peace."""
    assert server.train(swift / "whole", **JOB).code == 0
    return fingerprint(swift / "whole")


@pytest.fixture(scope="module")
def base(server: Server, swift: Path) -> Path:
    """A run that stands after step 5, with as many checkpoints as are kept."""
    ending = server.train(swift / "base", every=-1, stop_at=BEFORE + 1, **JOB)
    assert ending.code == 130, ending
    return swift / "base"


@pytest.fixture(scope="module")
def calls(server: Server, base: Path) -> list[Call]:
    """The calls of one save, as Python makes them."""
    return calls_of_a_save(server, base)


def calls_of_a_save(server: Server, base: Path, **words: Any) -> list[Call]:
    """The calls between the first and the second event of a run that saves after each."""
    watch = {"below": "/checkpoints", "last": "event 2"}
    ending = server.train(copy_of(base, "calls"), every=-1, stop_at=2, inject=watch, **JOB, **words)
    return [Call(*call) for call in ending.answer["calls"]]


def changes(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.name not in ("open", "read")]


def points(calls: list[Call], how: str, stride: int) -> list[tuple[int, Call]]:
    """Numbers of the calls at which a fault is tried: every one that it suits, or some."""
    numbered = enumerate(changes(calls), 1)
    return [(n, call) for n, call in numbered if how != "torn" or call.name == "write"][::stride]


def fault(server: Server, folder: Path, at: int, how: str, **words: Any) -> tuple[Any, list[str]]:
    """Let the call with this number go wrong; how it ended, and what is wrong with that."""
    watch = {"below": "/checkpoints", "at": at, "how": how, "last": "event 2"}
    ending = server.train(folder, every=-1, stop_at=2, inject=watch, **JOB, **words)
    killed = how in ("kill", "torn")
    problems = [] if (ending.signal == 9) == killed else [f"{ending}"]
    return ending, problems if killed else problems + said(ending, folder, how)


def said(ending: Any, folder: Path, how: str) -> list[str]:
    """Whether an error of the disk was told in one line, or did no harm."""
    answer = ending.answer
    if answer.get("exit") == 130:  # the run went on: then what it wanted to save is there
        names = [p.name for p in folder.glob("checkpoints/step-*/MANIFEST.json")]
        kept = {p.parent.name for p in folder.glob("checkpoints/step-*/MANIFEST.json")}
        missing = f"step-{SAVED:08d}" not in kept
        return [f"goes on without a checkpoint: {names}"] if missing and not ending.output else []
    line = answer.get("error", "")
    wrong = "\n" in line or not line or "Traceback" in ending.output
    if how in ("ENOSPC", "EDQUOT") and not (answer.get("exit") == 5 or SQLITE in line):
        wrong = True
    return [f"{how} is not told: {answer} {ending.output[-300:]}"] if wrong else []


def test_a_save_follows_the_protocol(calls: list[Call]) -> None:
    assert protocol_problems(calls) == []
    assert len(changes(calls)) >= 20


def keeping_problems(server: Server, base: Path, **words: Any) -> list[str]:
    """Whether two more saves leave the last two checkpoints and nothing else."""
    folder = copy_of(base, "trial")
    ending = server.train(folder, every=-1, stop_at=2, **JOB, **words)
    names = sorted(p.name for p in (folder / "checkpoints").iterdir())
    expected = [f"step-{SAVED:08d}", f"step-{SAVED + 1:08d}"]
    wrong = [] if ending.code == 130 else [f"{ending}"]
    return wrong if names == expected else [*wrong, f"kept are {names}"]


def test_system_calls_are_read_from_what_strace_writes() -> None:
    text = """71 openat(AT_FDCWD</a>, "b/new", O_WRONLY|O_CREAT, 0666) = 3</a/b/new>
71 openat(AT_FDCWD</a>, "/a/b/old", O_RDONLY|O_CLOEXEC) = 4</a/b/old>
71 write(3</a/b/new>, ""..., 12) = 12
71 fsync(3</a/b/new>) = 0
71 rename("/a/b/new", "/a/b/old") = 0
71 unlinkat(5</a/b>, "c", AT_REMOVEDIR) = 0
71 +++ killed by SIGKILL +++"""
    assert read_strace(text) == [
        ("openat", Call("open", "/a/b/new")),
        ("openat", Call("read", "/a/b/old")),
        ("write", Call("write", "/a/b/new")),
        ("fsync", Call("fsync", "/a/b/new")),
        ("rename", Call("rename", "/a/b/new", "/a/b/old")),
        ("unlinkat", Call("rmdir", "/a/b/c")),
    ]


def test_the_last_two_are_kept(server: Server, base: Path) -> None:
    assert keeping_problems(server, base) == []


def error_problems(server: Server, base: Path, how: str, at: int, **words: Any) -> list[str]:
    """Whether an error of the disk in a save is told."""
    folder = copy_of(base, "trial")
    return fault(server, folder, at, how, **words)[1]


@pytest.mark.parametrize(("how", "stride"), [("kill", 1), ("torn", 1), ("ENOSPC", 1), ("EIO", 3)])
def test_a_fault_at_every_call_of_a_save(
    server: Server, base: Path, reference: dict[str, Any], calls: list[Call], how: str, stride: int
) -> None:
    problems = []
    for at, call in points(calls, how, stride):
        folder = copy_of(base, "trial")
        _, wrong = fault(server, folder, at, how)
        wrong += judge(server, folder, reference, {BEFORE, SAVED, SAVED + 1}, **JOB)
        problems += [(at, call, w) for w in wrong]
    assert problems == []


STRIDES = [4, pytest.param(1, marks=pytest.mark.hard)]
LAST = "event 15"  # 12 steps and 3 evaluations


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", ["kill", "torn"])
def test_faults_at_the_calls_that_begin_a_run(
    server: Server, swift: Path, reference: dict[str, Any], how: str, stride: int
) -> None:
    """The folder is absent or whole; either way the same command or `resume` gives the run."""
    watch: dict[str, Any] = {"below": str(swift), "first": "", "last": "event 1"}
    shutil.rmtree(swift / "begun", ignore_errors=True)
    seen = server.train(swift / "begun", inject=watch, **JOB).answer["calls"]
    problems = []
    for at, call in points([Call(*c) for c in seen], how, stride):
        shutil.rmtree(swift / "begun")
        server.train(swift / "begun", inject=watch | {"at": at, "how": how}, **JOB)
        names = {p.name for p in (swift / "begun").glob("*")}
        wrong = [] if not names or names >= BEGUN else [f"half a folder: {names}"]
        wrong += judge(server, swift / "begun", reference, {0}, **JOB)
        problems += [(at, call, w) for w in wrong]
    assert problems == []
    assert seen


BEGUN = {
    "recipe.toml",
    "data.json",
    "split.json",
    "environment.json",
    "records.sqlite",
    "checkpoints",
}


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", ["kill", "torn"])
def test_faults_at_the_calls_that_end_a_run(
    server: Server, swift: Path, reference: dict[str, Any], how: str, stride: int
) -> None:
    """Last checkpoint, weights, predictions, result, report: all are there after `resume`."""
    folder = swift / "ended"
    watch: dict[str, Any] = {"below": str(folder), "first": LAST}
    shutil.rmtree(folder, ignore_errors=True)
    seen = server.train(folder, inject=watch, **JOB).answer["calls"]
    problems = []
    for at, call in points([Call(*c) for c in seen], how, stride):
        shutil.rmtree(folder)
        server.train(folder, inject=watch | {"at": at, "how": how}, **JOB)
        wrong = judge(server, folder, reference, set(range(13)), **JOB)
        problems += [(at, call, w) for w in wrong]
    assert problems == []
    assert seen


needs_strace = pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL or "strace works")


def straced_calls(server: Server, base: Path) -> list[tuple[str, Call]]:
    """The system calls of one save, record included, that read or change a file of the run."""
    folder, log = copy_of(base, "calls"), base.with_name("calls.log")
    strace(server, folder, log, stand_at=(1, 2), every=-1, **JOB)
    return [(name, call) for name, call in read_strace(log.read_text()) if str(folder) in call.path]


@needs_strace
def test_the_kernel_sees_the_same_protocol(server: Server, base: Path) -> None:
    found = [call for _, call in straced_calls(server, base) if "/checkpoints" in call.path]
    assert protocol_problems(found) == []


def faults_in_the_kernel(
    server: Server, base: Path, reference: dict[str, Any], how: str, stride: int
) -> tuple[list[str], dict[str, int]]:
    """Let system calls of a save go wrong, every one or some; problems, and tries per call."""
    problems, tried, seen = [], Counter(), Counter()
    found = []
    for name, call in straced_calls(server, base):
        seen[name] += 1
        if call.name not in ("open", "read"):
            found.append((name, call, seen[name]))
    for name, call, count in found[::stride]:
        folder = copy_of(base, "trial")
        log, inject = folder.with_name("trial.log"), f"{name}:{how}:when={count}"
        ending = strace(server, folder, log, inject, every=-1, stop_at=2, **JOB)
        killed = how == "signal=KILL"
        wrong = [] if (ending.signal == 9) == killed else [f"{ending}"]
        wrong += [] if killed else said(ending, folder, how.removeprefix("error="))
        wrong += judge(server, folder, reference, {BEFORE, SAVED, SAVED + 1}, **JOB)
        problems += [f"{inject} {call}: {w}" for w in wrong]
        tried[name] += 1
    return problems, dict(tried)


KINDS = ["signal=KILL", "error=ENOSPC", "error=EIO"]


@needs_strace
@pytest.mark.parametrize(
    ("how", "stride"), [("signal=KILL", 1), ("error=ENOSPC", 5), ("error=EIO", 5)]
)
def test_faults_at_system_calls_of_a_save(
    server: Server, base: Path, reference: dict[str, Any], how: str, stride: int
) -> None:
    problems, tried = faults_in_the_kernel(server, base, reference, how, stride)
    assert problems == []
    assert sum(tried.values()) >= 25 / stride


@pytest.mark.hard
@needs_strace
@pytest.mark.parametrize("how", [*KINDS, "error=EDQUOT"])
def test_faults_at_every_system_call_of_a_save(
    server: Server, base: Path, reference: dict[str, Any], how: str
) -> None:
    problems, tried = faults_in_the_kernel(server, base, reference, how, stride=1)
    assert problems == []
    keep_figures("crash_points", {how: {"tried": tried, "passed": sum(tried.values())}})
