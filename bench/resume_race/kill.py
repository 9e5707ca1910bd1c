"""The kill script, the same for every contestant.

    python kill.py VARIANT [--kills 25] [--workers 0 2] [--out FOLDER]

A child trains. It is killed (SIGKILL to it and its loader workers) at a moment drawn from a seed:
inside an epoch, at the end of one, while a checkpoint is being written, or twice in one run, the
second time soon after the resume. It is started again with its library's own way of resuming until
it ends. Then its diary and its final fingerprints are compared with those of the uninterrupted
run. Children are forked from this process, which has imported the library but trained nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import compare
import numpy as np
import torch
from common import DROPOUT, EVERY, PER_EPOCH, SEED, TOTAL

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chymist": ("chymist_loop", {}),
    "lightning": ("lightning_loop", {"loader": "plain"}),
    "lightning-stateful": ("lightning_loop", {"loader": "stateful"}),
    "lightning-stateful-seeded": ("lightning_loop", {"loader": "seeded"}),
    "accelerate": ("accelerate_loop", {"stateful": False, "careful": False}),
    "accelerate-careful": ("accelerate_loop", {"stateful": False, "careful": True}),
    "accelerate-stateful": ("accelerate_loop", {"stateful": True, "careful": False}),
    "accelerate-stateful-careful": ("accelerate_loop", {"stateful": True, "careful": True}),
    "torch-stateful": ("stateful_loop", {"generator": False, "late": False}),
    "torch-stateful-generator": ("stateful_loop", {"generator": True, "late": False}),
    "torch-stateful-late": ("stateful_loop", {"generator": False, "late": True}),
}
LIMIT = 120.0  # seconds after which a child counts as hung
POLL = 0.0008


class Moment(NamedTuple):
    """When to kill a child.

    Args:
        kind: "step" (its diary reaches a step), "save" (after that, something changes among its
            files), "soon" (so many steps after its start).
        step: the step, or how many.
        delay: seconds to wait after the sign.
    """

    kind: str
    step: int
    delay: float


def plan(workers: int, number: int) -> tuple[str, list[Moment]]:
    """The name and the moments of one trial: the same for every contestant."""
    draw = random.Random(f"{SEED} {workers} {number}")
    somewhere = Moment("step", draw.randrange(EVERY + 2, TOTAL - 25), draw.uniform(0, 0.004))
    name = ("inside an epoch", "inside an epoch", "end of an epoch", "inside a save", "twice")
    kind = name[number % len(name)]
    if kind == "end of an epoch":
        epoch = draw.randrange(1, TOTAL // PER_EPOCH)
        return kind, [Moment("step", PER_EPOCH * epoch, draw.uniform(0, 0.015))]
    if kind == "inside a save":
        return kind, [somewhere._replace(kind="save", delay=draw.uniform(0, 0.006))]
    if kind == "twice":
        second = Moment("soon", draw.randrange(1, 25), draw.uniform(0, 0.004))
        return kind, [somewhere._replace(step=min(somewhere.step, TOTAL - 60)), second]
    return kind, [somewhere]


def run_child(train: Callable[..., None], folder: Path, workers: int, options: Any) -> None:
    """Body of a child: a fresh process as far as it can tell."""
    os.setsid()
    log = os.open(folder / "child.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    random.seed()
    np.random.seed()  # noqa: NPY002
    train(folder, workers, **options)


def wait_for(moment: Moment, folder: Path, child: Any) -> bool:
    """Wait until the moment has come; False if the child ended before."""
    place = folder / "steps.log"
    place.touch()
    until = time.monotonic() + LIMIT
    count, step, rest = 0, 0, b""
    with place.open("rb") as diary:
        diary.seek(0, os.SEEK_END)
        while child.is_alive() and time.monotonic() < until:
            *lines, rest = (rest + diary.read()).split(b"\n")
            count += len(lines)
            step = int(lines[-1].split(b" ")[0]) if lines else step
            if (count if moment.kind == "soon" else step) >= moment.step:
                break
            time.sleep(POLL)
    if moment.kind == "save":
        before = _files(folder)
        while child.is_alive() and _files(folder) == before and time.monotonic() < until:
            time.sleep(POLL)
    time.sleep(moment.delay)
    return bool(child.is_alive() and time.monotonic() < until)


def _files(folder: Path) -> set[str]:
    """Names of all files but the diary; a file that comes or goes is the sign of a save."""
    found = {"/".join([at, name]) for at, _, names in os.walk(folder) for name in names}
    return {name for name in found if not name.endswith((".log", "-wal", "-shm", "-journal"))}


def trial(variant: str, workers: int, moments: list[Moment], folder: Path) -> dict[str, Any]:
    """Run a child to its end through its kills; what it left and how it went."""
    home, options = VARIANTS[variant]
    train = importlib.import_module(home).train
    context = multiprocessing.get_context("fork")
    folder.mkdir(parents=True)
    kills, starts = 0, []
    for moment in [*moments, None]:
        child = context.Process(target=run_child, args=(train, folder, workers, options))
        starts.append(len(_diary(folder)))
        child.start()
        if moment is not None:
            kills += wait_for(moment, folder, child)
        else:
            child.join(LIMIT)
        code = None if child.is_alive() else child.exitcode
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)
        child.join()
        if code is not None and (code != 0 or moment is None or (folder / "final.json").exists()):
            break
    final = folder / "final.json"
    log = (folder / "child.log").read_text("utf-8", "replace").strip()
    return {
        "kills": kills,
        "final": json.loads(final.read_text()) if final.exists() else {},
        "steps": _diary(folder),
        "starts": starts,
        "error": "" if final.exists() else (log.splitlines() or ["hung"])[-1][:200],
    }


def _diary(folder: Path) -> list[compare.Step]:
    place = folder / "steps.log"
    return compare.read_diary(place.read_text()) if place.exists() else []


def judge(reference: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A trial against the uninterrupted run."""
    wanted, steps = reference["steps"], compare.effective(found["steps"])
    finished = bool(found["final"])
    other = compare.first_other_loss(wanted, steps)
    return {
        "kills": found["kills"],
        "resumed_from": compare.resumed_from(found["steps"], found["starts"]),
        "finished": finished,
        "order_equal": finished and compare.order_equal(wanted, steps),
        "bit_equal": finished and compare.bit_equal(reference["final"], found["final"]),
        "first_other_loss": other,
        "what": compare.describe(wanted, steps, PER_EPOCH) if finished else found["error"],
    }


def race(variant: str, workers: int, kills: int, scratch: Path) -> dict[str, Any]:
    """All trials of a contestant with so many loader workers."""
    reference, again = (trial(variant, workers, [], scratch / name) for name in ("ref", "again"))
    if not reference["final"]:
        raise SystemExit(f"{variant}: the uninterrupted run failed: {reference['error']}")
    trials: list[dict[str, Any]] = []
    number = 0
    while len(trials) < kills and number < 3 * kills:
        kind, moments = plan(workers, number)
        folder = scratch / f"trial-{number}"
        found = trial(variant, workers, moments, folder)
        number += 1
        shutil.rmtree(folder)
        if found["kills"] or not found["final"]:  # else it had ended before it could be killed
            trials.append({"number": number - 1, "kind": kind} | judge(reference, found))
    return {
        "variant": variant, "workers": workers, "dropout": DROPOUT, "steps": TOTAL,
        "repeatable": judge(reference, again)["bit_equal"], "trials": trials,
    }  # fmt: skip


def main() -> None:
    """Race one contestant and write a file of results for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--out", type=Path, default=Path("race"))
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    importlib.import_module(VARIANTS[given.variant][0])
    for workers in given.workers:
        scratch = Path(tempfile.mkdtemp(prefix="race-"))
        try:
            found = race(given.variant, workers, given.kills, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        place = given.out / f"{given.variant}-{workers}.json"
        place.write_text(json.dumps(found, indent=1))
        score = {name: sum(t[name] for t in found["trials"]) for name in
                 ("finished", "order_equal", "bit_equal")}  # fmt: skip
        print(given.variant, workers, len(found["trials"]), score, flush=True)


if __name__ == "__main__":
    main()
