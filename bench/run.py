"""`make bench`: measure chymist beside its peers, keep the figures, draw the page.

    python -m bench.run [--quick] [--long] [--workload mlp cnn-32] [--peers chymist skorch]

Writes `bench/results.json` and `docs/benchmark.md`. Workloads that are not run keep their figures.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.peer import PEERS, ROOT, environment, save_rows
from bench.summary import FIELD
from bench.table import page
from bench.workloads import WORKLOADS, Workload

RESULTS, PAGE = ROOT / "bench/results.json", ROOT / "docs/benchmark.md"
REPEATS, LIMIT = 5, 600  # rotations; seconds after which one measurement has failed
PACKAGES = {
    "skorch": "skorch", "lightning": "lightning", "fastai": "fastai", "keras-torch": "keras",
    "keras-jax": "jax", "jax": "jax", "scikit-learn": "sklearn",
}  # fmt: skip
VERSIONS = ("torch", "numpy", "skorch", "lightning", "fastai", "keras", "jax", "scikit-learn")
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import chymist": ["-c", "import chymist"],
    "chymist --help": ["-m", "chymist", "--help"],
    "import torch": ["-c", "import torch"],
    "import skorch": ["-c", "import skorch"],
    "import lightning": ["-c", "import lightning"],
    "import fastai.learner": ["-c", "import fastai.learner"],
    "import keras (torch)": ["-c", "import keras"],
}
Setting = tuple[int, str]  # threads, malloc


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [
        line.split(":", 1)[1].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "memory_gb": round(pages / 2**30),
        "system": platform.platform(terse=True),
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Python, chymist and what is beside it."""
    import chymist

    installed = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    peers = {name: installed[name] for name in VERSIONS if name in installed}
    return {"python": platform.python_version(), "chymist": chymist.__version__, **peers}


def rotations(peers: Sequence[str], repeats: int) -> Iterator[tuple[int, str]]:
    """Who is next: all peers in turn, each time from another start."""
    for repeat in range(repeats):
        start = repeat % len(peers)
        for peer in (*peers[start:], *peers[:start]):
            yield repeat, peer


def measured(name: str, peer: str, setting: Setting, repeat: int, data: Path, quick: bool) -> dict:
    """One measurement in a fresh process."""
    threads, malloc = setting
    known = {"peer": peer, "threads": threads, "malloc": malloc, "repeat": repeat}
    words = [
        sys.executable, "-m", "bench.peer", "--peer", peer, "--workload", name, "--data", str(data),
        "--threads", str(threads), "--malloc", malloc, "--seed", str(repeat),
        "--spawned", str(time.monotonic()), *["--quick"] * quick,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            words, env=environment(peer, threads, malloc), cwd=ROOT, capture_output=True,
            text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**known, "error": f"took more than {LIMIT} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {**known, "error": last[:120].replace(str(ROOT), "").replace("|", "/")}
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return known | {key: float(f"{value:.5g}") for key, value in found.items()}


def run_workload(
    name: str, work: Workload, peers: Sequence[str], quick: bool, repeats: int
) -> dict:
    """All measurements of a workload, settings and peers taking turns."""
    absent = [p for p in peers if p in PACKAGES and not importlib.util.find_spec(PACKAGES[p])]
    present = [p for p in peers if p not in absent]
    found = {
        "title": work.title, "shows": work.shows, "rows": work.rows, "valid": work.valid,
        "epochs": work.epochs, "batch": work.batch, "tolerance": work.tolerance, "quick": quick,
        "members": work.members, "folds": work.folds,
        "repeats": repeats, "absent": absent, "date": datetime.date.today().isoformat(),
        "machine": machine(), "versions": versions(), "records": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        data = save_rows(work, Path(scratch) / "rows.npz")
        for repeat, peer in rotations(present, repeats):
            for setting in work.settings:
                record = measured(name, peer, setting, repeat, data, quick)
                found["records"].append(record)
                say(name, record, work)
    return found


def say(name: str, record: dict, work: Workload) -> None:
    """One line per measurement, so that progress can be seen."""
    value = record.get(FIELD[work.shows])
    shown = record["error"] if value is None else f"{value:.2f}  accuracy {record['accuracy']:.3f}"
    who = f"{record['peer']:<13}{record['threads']} {record['malloc']:<8}"
    print(f"{name:<15}{record['repeat'] + 1}  {who}{shown}", flush=True)


def run_imports(repeats: int, quick: bool) -> dict:
    """Start-up commands in fresh processes that take turns."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    around = environment("keras-torch", 2, "default")
    for _, name in rotations(list(COMMANDS), repeats):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *COMMANDS[name]], env=around, capture_output=True, check=False
        )
        if done.returncode == 0:
            times[name].append(time.perf_counter() - began)
    commands = {
        name: [round(f(seconds), 4) for f in (statistics.median, min, max)]
        for name, seconds in times.items() if seconds
    }  # fmt: skip
    return {
        "commands": commands, "repeats": repeats, "quick": quick, "machine": machine(),
        "versions": versions(), "date": datetime.date.today().isoformat(),
    }  # fmt: skip


def keep(results: dict) -> None:
    """Write the figures and the page."""
    order = [name for name in WORKLOADS if name in results["workloads"]]
    results["workloads"] = {name: results["workloads"][name] for name in order}
    text = json.dumps(results, indent=1)
    RESULTS.write_text(compact(text) + "\n")
    PAGE.write_text(page(results))


def compact(text: str) -> str:
    """Indented JSON with each innermost object on one line."""
    return re.sub(r"\{[^{}]*\}", lambda found: " ".join(found.group().split()), text)


def chosen(quick: bool, long: bool) -> list[str]:
    """The workloads of a form of the benchmark."""
    kept = {n: w for n, w in WORKLOADS.items() if long or not w.long}
    return [n for n, w in kept.items() if w.brief or not quick]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Read the arguments and run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short form: some five minutes")
    parser.add_argument("--long", action="store_true", help="also the 20 epochs")
    parser.add_argument("--full", action="store_true", help="every setting of every workload")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        choices=(1, 2),
        default=[1, 2],
        help="only these; figures with other numbers of threads are kept",
    )
    parser.add_argument("--workload", nargs="+", choices=[*WORKLOADS, "imports"])
    parser.add_argument("--peers", nargs="+", choices=PEERS)
    parser.add_argument("--repeats", type=int)
    given = parser.parse_args()
    repeats = given.repeats or (1 if given.quick else REPEATS)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"workloads": {}}
    names = given.workload or chosen(given.quick, given.long)
    for name in names:
        if name == "imports":
            continue
        work = WORKLOADS[name]
        work = work.quick() if given.quick else work.full() if given.full else work
        work = replace(work, settings=tuple(s for s in work.settings if s[0] in given.threads))
        if not work.settings:
            continue
        peers = [p for p in work.peers if not given.peers or p in given.peers]
        before = results["workloads"].get(name, {"records": [], "quick": given.quick})
        kept = [r for r in before["records"] if r["threads"] not in given.threads]
        found = run_workload(name, work, peers, given.quick, repeats)
        found["records"] += kept if before["quick"] == given.quick else []
        results["workloads"][name] = found
        keep(results)
    if not given.workload or "imports" in given.workload:
        results["imports"] = run_imports(max(repeats, 3), given.quick)
        keep(results)
    print(f"figures in {RESULTS.relative_to(ROOT)}, tables in {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
