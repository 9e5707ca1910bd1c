"""One measurement in a fresh process: train once, print one line of JSON.

    python -m bench.peer --peer skorch --workload mlp --threads 1 --malloc default

The line holds seconds (from the call to the end of the last epoch with its validation), the same
after the first epoch, the whole call, accuracy and loss on the validation rows, peak memory. Of
populations: seconds of the whole call, and of a second one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import populations
from bench.workloads import WORKLOADS, Workload

MODULES = {
    "chymist": "chymist_fit", "expert": "expert", "tutorial": "tutorial", "skorch": "skorch_fit",
    "lightning": "lightning_fit", "fastai": "fastai_fit", "keras-torch": "keras_fit",
    "keras-jax": "keras_fit", "scikit-learn": "sklearn_fit",
}  # fmt: skip
PEERS = tuple(dict.fromkeys([*MODULES, *populations.MODULES]))
ROOT = Path(__file__).resolve().parent.parent
GIGABYTE = str(1 << 30)
TUNED = {
    "MALLOC_MMAP_THRESHOLD_": GIGABYTE, "MALLOC_TRIM_THRESHOLD_": GIGABYTE,
    "MALLOC_TOP_PAD_": str(64 << 20),
}  # fmt: skip


def environment(peer: str, threads: int, malloc: str) -> dict[str, str]:
    """The environment of a measurement: threads, malloc settings, backend; the rest is kept."""
    kept = {k: v for k, v in os.environ.items() if k not in TUNED}
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    kept |= dict.fromkeys(names, count)
    kept["PYTHONPATH"] = str(ROOT / "src")
    kept |= {"KERAS_BACKEND": peer.removeprefix("keras-") if "keras" in peer else "torch"}
    return kept | (TUNED if malloc == "tuned" else {})


def pin(threads: int) -> None:
    """Keep to as many processors as threads, because not every peer can be told a number."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def measure(peer: str, workload: Workload, folder: Path, seed: int, spawned: float) -> dict:
    """Train once and say how it went."""
    import numpy as np

    from bench.task import Clock, Task

    with np.load(folder) as file:
        rows = {name: file[name] for name in ("x", "y", "xv", "yv")}
    train = importlib.import_module(f"bench.peers.{MODULES[peer]}").train
    if workload.shows == "speed":  # what happens once in a process belongs to "first-step"
        few = {name: array[: 2 * workload.batch] for name, array in rows.items()}
        train(Task(replace(workload, epochs=1), **few, seed=seed, clock=Clock()))
    task = Task(workload, **rows, seed=seed, clock=Clock())
    task.clock.begin()
    scores = train(task)
    ended = time.perf_counter()
    now = time.monotonic()
    began, first, last = task.clock.began, task.clock.epochs[0], task.clock.epochs[-1]
    accuracy, loss = quality(scores, rows["yv"])
    return {
        "seconds": last.wall - began.wall,
        "cpu": last.cpu - began.cpu,
        "later": last.wall - first.wall,
        "whole": ended - began.wall,
        "since_start": now - (ended - last.wall) - spawned,
        "accuracy": accuracy,
        "loss": loss,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def quality(scores, targets) -> tuple[float, float]:
    """Accuracy and cross entropy of class scores (rows, classes)."""
    import numpy as np

    top = scores.max(1, keepdims=True)
    normal = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
    right = float((scores.argmax(1) == targets).mean())
    return right, float(-normal[np.arange(len(targets)), targets].mean())


def main() -> None:
    """Read the arguments, set the environment (which needs a fresh start), measure."""
    spawned = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer", required=True, choices=PEERS)
    parser.add_argument("--workload", required=True, choices=WORKLOADS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--malloc", choices=("default", "tuned"), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="rows made before; made afresh if left out")
    parser.add_argument("--spawned", type=float, default=spawned)
    given = parser.parse_args()
    wanted = environment(given.peer, given.threads, given.malloc)
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", "bench.peer", *sys.argv[1:]], wanted)
    pin(given.threads)
    workload = WORKLOADS[given.workload]
    workload = workload.quick() if given.quick else workload
    with tempfile.TemporaryDirectory() as scratch:
        path = given.data or save_rows(workload, Path(scratch) / "rows.npz")
        train = populations.measure if workload.shows == "population" else measure
        print(json.dumps(train(given.peer, workload, path, given.seed, given.spawned)))


def save_rows(workload: Workload, path: Path) -> Path:
    """Make the rows of a workload and keep them in a file."""
    import numpy as np

    from bench.workloads import rows_of

    np.savez(path, **rows_of(workload))
    return path


if __name__ == "__main__":
    main()
