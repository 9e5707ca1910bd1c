"""The side of the tests: asks the server of `kill_child` for processes, and judges what is left."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Of the last checkpoint. It may stand before the last evaluation or after it, as a save happened to
# fall; what the evaluation gave is compared through the result and the series.
TENSORS = ("model", "optimizer", "random")
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Ending:
    """How a process ended.

    Args:
        state: "ended", "stands" (it stopped itself) or "runs" (it still does).
        signal: number of the signal that killed it, or None.
        code: its exit code, or None.
        answer: what its call returned.
        output: what it printed.
    """

    state: str
    signal: int | None = None
    code: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    output: str = ""


class Server:
    """A process with torch loaded that forks others; see `kill_child`."""

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        home.mkdir(parents=True)
        self.output = folder / "output"
        self.ended: dict[int, Ending] = {}
        places = {"HOME": str(home), "CHYMIST_HOME": str(home / "chymist")}
        places["CUDA_VISIBLE_DEVICES"] = ""  # a process that has used a GPU cannot be forked
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill_child", str(folder / "warm")], cwd=ROOT,
            env={**os.environ, **places, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()

    def start(self, call: str, cwd: Path, output: str = "", **words: Any) -> int:
        """Start a call in a process of its own, which prints to a file; returns its number."""
        self.output.unlink(missing_ok=True)
        where = {"cwd": str(cwd), "output": output or str(self.output)}
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in words.items()}
        pid = int(self._ask({"do": "start", "call": call, "words": plain, **where})["pid"])
        self.ended.pop(pid, None)  # numbers come again
        return pid

    def wait(self, pid: int, limit: float = 60.0) -> Ending:
        """How a process ended, or what it does when the limit (s) is over."""
        if pid not in self.ended:
            found = self._ask({"do": "wait", "pid": pid, "limit": limit})
            printed = self.output.read_text() if self.output.exists() else ""
            ending = Ending(**found, output=printed)
            if ending.state != "ended":
                return ending
            self.ended[pid] = ending
        return self.ended[pid]

    def end(self, pid: int, limit: float = 60.0) -> Ending:
        """How a process ended; one that does not is killed, and an error."""
        ending = self.wait(pid, limit)
        if ending.state != "ended":
            os.kill(pid, signal.SIGKILL)
            self.wait(pid)
            raise AssertionError(f"the process {ending.state} after {limit} s: {ending.output}")
        return ending

    def train(self, folder: Path, kill_after: float | None = None, **words: Any) -> Ending:
        """Start or continue a run, and kill it after some seconds."""
        pid = self.start("train", folder.parent, folder=folder, **words)
        if kill_after is not None:
            if self.wait(pid, kill_after).state != "ended":
                os.kill(pid, signal.SIGKILL)
            else:
                raise AssertionError("the run had ended before it was killed")
        return self.end(pid)

    def until_saved(self, pid: int, folder: Path, more_than: int = 0, limit: float = 60.0) -> None:
        """Wait until a run has saved a checkpoint after so many steps."""
        end = time.monotonic() + limit
        while newest_step(folder) <= more_than:
            assert self.wait(pid, 0.01).state == "runs", "the run ended too early"
            assert time.monotonic() < end, "no checkpoint appears"

    def close(self) -> None:
        """End the server."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


def fingerprint(folder: Path) -> dict[str, Any]:
    """Everything that a run gave, as hashes: weights, last tensors, every recorded number, score."""
    last = max(folder.glob("checkpoints/step-*"))
    base = sqlite3.connect(folder / "records.sqlite")
    rows = base.execute("SELECT series, steps, data FROM blocks WHERE level = 0 ORDER BY id")
    series: dict[str, bytes] = {}
    for name, steps, data in rows:  # where blocks end depends on when they were flushed
        pairs = np.stack([np.frombuffer(steps, np.int64), np.frombuffer(data, np.int64)], 1)
        series[name] = series.get(name, b"") + pairs.tobytes()
    base.close()
    result = json.loads((folder / "result.json").read_text())
    plain = json.loads((last / "state.json").read_text())
    counters = plain.pop("counters")
    tensors = {f"last {n}": _hash((last / f"{n}.safetensors").read_bytes()) for n in TENSORS}
    return {
        "steps": [last.name, counters["step"], result["facts"]["steps"]],
        "weights": _hash((folder / "model.safetensors").read_bytes()),
        **tensors,
        "last rate": counters["rate"],
        "last random numbers": plain,
        "series": {name: _hash(content) for name, content in sorted(series.items())},
        "score": result["score"],
        "best epoch": result["facts"]["best_epoch"],
        "files": sorted(p.name for p in folder.iterdir()),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs between two fingerprints."""
    return [f"{name} differs" for name in one if one[name] != other.get(name)]


def leftovers(folder: Path) -> list[str]:
    """Drafts that nobody will finish."""
    found = [*folder.glob(".tmp-*"), *folder.glob("checkpoints/.tmp-*")]
    return [f"{p.name} is left" for p in found]


def record_problems(path: Path) -> list[str]:
    """What is wrong with a record: damage, half rows, steps out of order or twice."""
    base = sqlite3.connect(path)
    try:
        problems = [t for (t,) in base.execute("PRAGMA integrity_check") if t != "ok"]
        last: dict[str, int] = {}
        for name, points, steps, data in base.execute(
            "SELECT series, points, steps, data FROM blocks WHERE level = 0 ORDER BY id"
        ):
            numbers = np.frombuffer(steps, np.int64)
            if len(steps) != 8 * points or len(data) != 8 * points:
                problems.append(f"a half row in {name}")
            if (np.diff(numbers) <= 0).any() or numbers[0] <= last.get(name, 0):
                problems.append(f"steps of {name} are out of order")
            last[name] = int(numbers[-1])
    finally:
        base.close()
    return problems


def judge(
    server: Server, folder: Path, reference: dict[str, Any], resumed: set[int], **words: Any
) -> list[str]:
    """Resume what a fault has left, and say what is wrong with it.

    Args:
        server: gives the process.
        folder: the run folder.
        reference: fingerprint of the run that was left in peace.
        resumed: steps that it may be resumed from.
        **words: as `kill_child.train` takes them.
    """
    ending = server.train(folder, **words)
    if ending.code != 0:
        return [f"it does not resume: {ending.answer.get('error', ending.output[-300:])}"]
    problems = [f"damaged: {p}" for p in ending.answer["problems"]]
    if ending.answer["resumed_from"] not in resumed:
        problems.append(f"resumed from step {ending.answer['resumed_from']}")
    return problems + differences(reference, fingerprint(folder)) + leftovers(folder)


def newest_step(folder: Path) -> int:
    """Step of the newest checkpoint; 0 if there is none."""
    return max((int(p.name[5:]) for p in folder.glob("checkpoints/step-*")), default=0)


def copy_of(folder: Path, name: str) -> Path:
    """A copy of a run folder beside it, in place of an older one."""
    copy = folder.with_name(name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def keep_figures(name: str, figures: dict[str, Any]) -> None:
    """Add to the figures of the hard tests that are kept, with date and machine."""
    path = ROOT / "tests" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept |= {"date": time.strftime("%Y-%m-%d"), "machine": _machine(), **figures}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def _machine() -> str:
    import torch

    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return f"{where}, Python {platform.python_version()}, torch {torch.__version__}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def strace_refusal() -> str:
    """Why strace cannot be used here; nothing if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        tracer = _attach(sleeper.pid, ["-e", "trace=none"], os.devnull)
        tracer.terminate()
        tracer.communicate()
    except AssertionError as error:
        return f"strace is not allowed here: {error}"
    finally:
        sleeper.kill()
        sleeper.wait()
    return ""


def _attach(pid: int, words: list[str], log: str) -> subprocess.Popen[str]:
    """A strace that has taken hold of a process."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-s", "0", "-o", log, *words, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr
    line = tracer.stderr.readline()
    if " attached" not in line:
        tracer.kill()
        tracer.communicate()
        raise AssertionError(line.strip()[:100])
    return tracer


CHANGES = "write pwrite64 writev fsync fdatasync rename renameat renameat2 unlink unlinkat mkdir mkdirat rmdir ftruncate"
TRACED = ",".join("?" + name for name in f"open openat creat {CHANGES}".split())


def strace(
    server: Server, folder: Path, log: Path, inject: str = "", stand_at: tuple[int, ...] = (1,),
    **words: Any,
) -> Ending:  # fmt: skip
    """Start or continue a run, under strace from one of its events on, to another or to its end.

    Args:
        server: gives the process.
        folder: the run folder.
        log: what strace writes.
        inject: a fault in strace's words, or none.
        stand_at: the event from which on strace watches; and the one at which the run is killed.
        **words: as `kill_child.train` takes them.
    """
    pid = server.start("train", folder.parent, folder=folder, stand_at=stand_at, **words)
    assert server.wait(pid).state == "stands"
    faults = ["-e", f"inject={inject}"] if inject else []
    tracer = _attach(pid, ["-e", f"trace={TRACED}", *faults], str(log))
    os.kill(pid, signal.SIGCONT)
    ending = server.wait(pid)
    if ending.state != "ended":
        os.kill(pid, signal.SIGKILL)
        assert len(stand_at) == 2, f"the process {ending.state}: {ending.output}"
        ending = server.end(pid)
    tracer.communicate()
    return ending
