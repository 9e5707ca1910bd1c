"""The record of a run whose writer is killed while somebody reads it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults import Server, differences, fingerprint, keep_figures, record_problems

JOB: dict[str, Any] = {"job_name": "mlp-sgd", "length": "1200 steps", "every": 0.03}


@pytest.fixture(scope="module")
def reference(server: Server, swift: Path) -> tuple[dict[str, Any], float]:
    """What the run gives when it is left in peace, and the seconds that it takes."""
    began = time.perf_counter()
    assert server.train(swift / "whole", **JOB).code == 0
    return fingerprint(swift / "whole"), time.perf_counter() - began


def killed_under_a_reader(
    server: Server, folder: Path, chance: random.Random, seconds: float
) -> bool:
    """Start or continue the run and kill it while a reader holds the record open."""
    pid = server.start("train", folder.parent, folder=folder, **JOB)
    while not (folder / "records.sqlite").exists():
        time.sleep(0.005)
    reader = sqlite3.connect(f"file:{folder}/records.sqlite?mode=ro", uri=True)
    try:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM blocks").fetchall()
        running = server.wait(pid, chance.uniform(0.0, seconds)).state == "runs"
        if running:
            os.kill(pid, signal.SIGKILL)
            assert server.end(pid).signal == 9
        # whoever reads sees one state until he looks again
        assert reader.execute("SELECT count(*) FROM blocks").fetchall() == before
    finally:
        reader.close()
    return running


def many_kills(
    server: Server, swift: Path, reference: tuple[dict[str, Any], float], kills: int
) -> dict[str, Any]:
    """Runs that are killed again and again under a reader, until so many were."""
    chance = random.Random(7)
    figures: dict[str, Any] = {"kills": 0, "runs": 0, "equal": 0, "problems": []}
    while figures["kills"] < kills:
        folder, wrong = swift / f"run-{figures['runs']}", []
        for _ in range(10):
            if not killed_under_a_reader(server, folder, chance, reference[1] / 3):
                break
            figures["kills"] += 1
            wrong += record_problems(folder / "records.sqlite")
        ending = server.train(folder, **JOB)
        wrong += [] if ending.code == 0 else [f"{ending}"]
        wrong += differences(reference[0], fingerprint(folder)) + gaps(folder)
        wrong += record_problems(folder / "records.sqlite")
        figures["runs"] += 1
        figures["equal"] += not wrong
        figures["problems"] += wrong
        shutil.rmtree(folder)
    return figures


def gaps(folder: Path) -> list[str]:
    """Whether the steps of the losses are 1, 2, 3, ... to the last."""
    base = sqlite3.connect(folder / "records.sqlite")
    rows = base.execute("SELECT steps FROM blocks WHERE series = 'loss' AND level = 0 ORDER BY id")
    steps = np.concatenate([np.frombuffer(data, np.int64) for (data,) in rows])
    base.close()
    return [] if (steps == np.arange(1, len(steps) + 1)).all() else ["steps are missing"]


def test_twenty_kills_under_a_reader(server: Server, swift: Path, reference: Any) -> None:
    assert many_kills(server, swift, reference, 20)["problems"] == []


@pytest.mark.hard
def test_two_hundred_kills_under_a_reader(server: Server, swift: Path, reference: Any) -> None:
    began = time.perf_counter()
    found = many_kills(server, swift, reference, 200)
    assert found["problems"] == []
    keep_figures("record_kills", found | {"seconds": round(time.perf_counter() - began)})
