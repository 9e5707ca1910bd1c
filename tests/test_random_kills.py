"""A run that is killed at any moment, again and again, gives the same bits as one left in peace."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import (
    Server,
    differences,
    fingerprint,
    keep_figures,
    leftovers,
    newest_step,
    record_problems,
)

JOBS = ("mlp-adam", "cnn-sgd", "lstm-adam", "mlp-sgd", "cnn-adam", "lstm-sgd")
WORKERS = (None, 0, 1, 2)
LENGTH = "160 steps"
EVERY = 0.02  # seconds between checkpoints


class Peace:
    """What each job gives when it is left in peace, and the seconds that it takes."""

    def __init__(self, server: Server, place: Path) -> None:
        self.server, self.place = server, place
        self.found: dict[str, tuple[dict[str, Any], float]] = {}

    def of(self, name: str) -> tuple[dict[str, Any], float]:
        """Fingerprint and seconds of a job."""
        if name not in self.found:
            folder, began = self.place / name, time.perf_counter()
            ending = self.server.train(folder, job_name=name, length=LENGTH, every=EVERY)
            assert ending.code == 0, ending
            self.found[name] = fingerprint(folder), time.perf_counter() - began
        return self.found[name]


@pytest.fixture(scope="module")
def peace(server: Server, swift: Path) -> Peace:
    return Peace(server, swift)


def plan(chance: random.Random, seconds: float) -> Iterator[dict[str, Any]]:
    """How the processes of one run die, one after the other: up to five of them."""
    for _ in range(chance.randint(1, 5)):
        kind = chance.choice(("time", "time", "save", "evaluation", "step"))
        if kind == "time":
            yield {"kill_after": chance.uniform(0.0, 0.7) * seconds, "saved": chance.random() < 0.8}
        elif kind == "save":
            at, how = chance.randint(1, 60), chance.choice(("kill", "torn"))
            first = f"event {chance.randint(1, 40)}"
            yield {"inject": {"below": "/checkpoints", "at": at, "how": how, "first": first}}
        elif kind == "evaluation":
            yield {"die": kind, "after": chance.randint(1, 12)}
        else:  # in the first step, after a resume that is not the first one either
            yield {"die": kind, "after": 1}


def killed(
    server: Server, folder: Path, kill_after: float | None = None, saved: bool = False, **words: Any
) -> bool:
    """Start or continue a run and kill it, from within or so long after its start or first save.

    Returns:
        Whether it was killed; False if it ended before.
    """
    pid = server.start("train", folder.parent, folder=folder, every=EVERY, length=LENGTH, **words)
    while saved and newest_step(folder) == 0 and server.wait(pid, 0.01).state == "runs":
        pass
    if kill_after is not None and server.wait(pid, kill_after).state != "ended":
        os.kill(pid, signal.SIGKILL)
    ending = server.end(pid)
    assert ending.signal == 9 or ending.code == 0, ending
    return ending.signal == 9


def one_run(
    server: Server, folder: Path, name: str, seed: int, workers: int | None,
    reference: dict[str, Any], seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """Kill a run by a plan, let it end, and compare it with the one that was left in peace."""
    progress = folder.with_name("progress")
    words: dict[str, Any] = {"job_name": name, "progress": progress, "workers": workers}
    found: dict[str, Any] = {"kills": 0, "resumed": 0, "lost": [], "problems": []}
    for death in plan(random.Random(seed), seconds):
        progress.write_text("0")
        if not killed(server, folder, **death, **words):
            break
        found["kills"] += 1
        if (folder / "records.sqlite").exists():
            found["problems"] += record_problems(folder / "records.sqlite")
        saved = newest_step(folder)
        found["resumed"] += saved > 0
        found["lost"].append(max(0, int(progress.read_text()) - saved))
    ending = server.train(folder, every=EVERY, length=LENGTH, **words)
    if ending.code != 0:
        found["problems"].append(f"it does not resume: {ending}")
        return found
    found["problems"] += [f"damaged: {p}" for p in ending.answer.get("problems", [])]
    found["problems"] += differences(reference, fingerprint(folder)) + leftovers(folder)
    found["problems"] += record_problems(folder / "records.sqlite")
    return found


def many_runs(
    server: Server, swift: Path, peace: Peace, kills: int, first_seed: int
) -> dict[str, Any]:
    """Runs over all jobs and numbers of workers, until so many processes were killed."""
    figures: dict[str, Any] = {
        "kills": 0,
        "runs": 0,
        "equal": 0,
        "resumed": 0,
        "lost": [],
        "problems": [],
    }
    while figures["kills"] < kills:
        seed = first_seed + figures["runs"]
        name, workers = JOBS[seed % len(JOBS)], WORKERS[seed // 2 % len(WORKERS)]
        folder = swift / f"run-{seed}"
        found = one_run(server, folder, name, seed, workers, *peace.of(name))
        shutil.rmtree(folder, ignore_errors=True)
        figures["runs"] += 1
        figures["equal"] += not found["problems"]
        for key in ("kills", "resumed", "lost"):
            figures[key] += found[key]
        figures["problems"] += [f"{seed} {name} workers {workers}: {p}" for p in found["problems"]]
    return figures


def test_twenty_kills(server: Server, swift: Path, peace: Peace) -> None:
    found = many_runs(server, swift, peace, 20, first_seed=0)
    assert found["problems"] == []
    assert found["resumed"] > 10


@pytest.mark.hard
def test_two_hundred_kills(server: Server, swift: Path, peace: Peace) -> None:
    began = time.perf_counter()
    found = many_runs(server, swift, peace, 200, first_seed=1000)
    assert found["problems"] == []
    assert found["resumed"] > 100
    lost = sorted(found.pop("lost"))
    found |= {"lost_steps": {"median": lost[len(lost) // 2], "most": lost[-1]}}
    keep_figures("random_kills", found | {"seconds": round(time.perf_counter() - began)})
