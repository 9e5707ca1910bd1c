"""`make faults`: is the doctor right? Faulty programs, their twins and healthy ones, and baselines.

    python -m bench.faults.run [--only NAME ...] [--doctors doctor] [--seeds 3] [--jobs 2]
                               [--sensitivity]

Where the environment variable CHYMIST_FAULTS names a folder that holds another suite of the same
kind (`faultbench.py`, `cases_dev.py`), its cases are run as well. Writes `bench/faults.json` and
`docs/doctor-measured.md`; what was not measured this time stays in both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.faults.baselines import AutoTrainer, DeepDiagnosis
from bench.faults.cases import CASES
from bench.faults.cases_fresh_2 import FRESH
from bench.faults.cases_fresh_3 import FRESH_3
from bench.faults.harness import Case, Outcome, examine
from bench.faults.healthy_fresh_3 import FRESH_HEALTHY_3
from bench.faults.healthy_fresh_aims import FRESH_HEALTHY
from bench.faults.page import RATES, page
from bench.faults.sensitivity import said_of, sensitivity
from bench.faults.sensitivity import told as sensitive_lines
from chymist.doctor import ExperimentWatcher, Watcher

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "bench/faults.json"
DOCTORS: dict[str, Callable[..., Any]] = {
    "doctor": Watcher,
    "experiments": ExperimentWatcher,
    "AutoTrainer": AutoTrainer,
    "DeepDiagnosis": DeepDiagnosis,
}
SUITES: dict[str, tuple[Case, ...]] = {
    "own": CASES,
    "fresh": (*FRESH, *FRESH_HEALTHY),
    "fresh again": (*FRESH_3, *FRESH_HEALTHY_3),
}
Job = tuple[str, str, str, int, bool, bool]  # suite, case, doctor, seed, twin, sensitivity
Moved = dict[str, dict[str, str]]


@cache
def other_suite() -> tuple[Any, dict[str, Any]]:
    """The suite that the environment names: its module and its cases."""
    folder = os.environ.get("CHYMIST_FAULTS", "")
    if not folder:
        return None, {}
    sys.path.insert(0, folder)
    suite = importlib.import_module("faultbench")
    return suite, {case.id: case for case in importlib.import_module("cases_dev").CASES}


def work(job: Job) -> tuple[Outcome | None, Moved]:
    """One run and what other thresholds would say; None where a seed does not show the fault."""
    *which, sensitive = job
    made: list[Any] = []

    def doctor(**known: Any) -> Any:
        made.append(DOCTORS[which[2]](**known))
        return made[-1]

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = one_run(*which, doctor)
        sensitive = sensitive and made and isinstance(made[0], Watcher)
        return outcome, said_of(made[0]) if sensitive else {}


def one_run(
    suite: str, name: str, _: str, seed: int, twin: bool, doctor: Callable[..., Any]
) -> Outcome | None:
    """One run of either suite."""
    if suite in SUITES:
        return examine(next(c for c in SUITES[suite] if c.name == name), seed, twin, doctor)
    module, cases = other_suite()
    theirs, run = cases[name], module.watch(cases[name], seed, twin, doctor)
    if run["kind"] == "not shown":
        return None
    kind = "healthy" if theirs.kind.endswith("healthy") else "twin" if twin else "faulty"
    return Outcome(
        name,
        seed,
        kind,
        theirs.fault,
        theirs.accept,
        run["found"],  # type: ignore[arg-type]
        float("nan"),
        run["own"],
        run["cost"],
        run["error"] or "",
    )


def jobs_of(suite: str, doctor: str, args: argparse.Namespace) -> list[Job]:
    """All runs of a suite."""
    cases = {c.name: c.fault for c in SUITES.get(suite, ())}
    if suite not in SUITES:
        cases = {name: case.fault for name, case in other_suite()[1].items()}
    return [
        (suite, name, doctor, seed, twin, args.sensitivity)
        for name, fault in cases.items()
        if not args.only or name in args.only
        for twin in ((False, True) if fault else (False,))
        for seed in range(args.seeds)
    ]


def rate(runs: Sequence[Outcome], test: Callable[[Outcome], bool]) -> dict[str, float | int]:
    """Share of runs that pass: the mean over cases, with a 95 % bootstrap interval over cases."""
    passed: dict[str, list[bool]] = {}
    for run in runs:
        passed.setdefault(run.name, []).append(test(run))
    if not passed:
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "cases": 0}
    means = np.array([np.mean(v) for v in passed.values()])
    draws = np.random.default_rng(0).integers(0, len(means), (2000, len(means)))
    low, high = np.quantile(means[draws].mean(1), (0.025, 0.975))
    return {
        "value": round(float(means.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "cases": len(means),
    }


def names(run: Outcome, depth: int, lenient: bool) -> bool:
    """Whether one of the first findings carries a right label."""
    right = {*run.fault, *(run.accept if lenient else ())}
    return bool(right & set(list(run.said)[:depth]))


def summary(runs: Sequence[Outcome]) -> dict[str, Any]:
    """The rates of one doctor on one suite."""
    faulty = [r for r in runs if r.kind == "faulty"]
    out: dict[str, Any] = {
        f"false alarm, {word}": rate([r for r in runs if r.kind in kinds], lambda r: bool(r.said))
        for word, kinds in (
            ("healthy", ("healthy",)),
            ("twin", ("twin",)),
            ("all", ("healthy", "twin")),
        )
    }
    out["recall"] = rate(faulty, lambda r: bool(r.said))
    for depth in (1, 3):
        out[f"top {depth}"] = rate(faulty, lambda r, depth=depth: names(r, depth, True))
        out[f"top {depth}, strict"] = rate(faulty, lambda r, depth=depth: names(r, depth, False))
    sure = [(r, c) for r in runs for c, level in r.said.items() if level == "certain"]
    wrong = [
        (r.name, r.kind, c) for r, c in sure if r.kind != "faulty" or c not in (*r.fault, *r.accept)
    ]
    out["certain"] = {"said": len(sure), "wrong": wrong}
    out["errors"] = sorted({f"{r.name}: {r.error}" for r in runs if r.error})
    return out


def told(run: Outcome) -> str:
    """One line about a run."""
    want = "/".join(run.fault) if run.kind == "faulty" else "-"
    good = names(run, 1, True) if run.kind == "faulty" else not run.said
    said = " ".join(f"{c}{'!' if level == 'certain' else ''}" for c, level in run.said.items())
    return (
        f"{'ok ' if good else 'BAD'} {run.name:24} {run.kind:7} {run.score:6.2f} "
        f"{run.seconds:4.1f}s +{run.watched:3.1f}s want {want} said {said or '-'} {run.error}"
    )


def table(results: dict[str, dict[str, Any]]) -> str:
    """The rates of all doctors side by side."""
    lines = [f"{'':24}" + "".join(f"{name:>28}" for name in results)]
    for row in RATES:
        cells = [
            f"{r[row]['value']:.2f} [{r[row]['low']:.2f}, {r[row]['high']:.2f}]"
            for r in results.values()
        ]
        lines.append(f"{row:24}" + "".join(f"{cell:>28}" for cell in cells))
    sure = [f"{len(r['certain']['wrong'])} of {r['certain']['said']}" for r in results.values()]
    lines.append(f"{'certain and wrong':24}" + "".join(f"{cell:>28}" for cell in sure))
    return "\n".join(lines)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    suites, doctors = [*SUITES, "other"], [*DOCTORS]
    parser.add_argument("--suites", nargs="*", choices=suites, default=suites)
    parser.add_argument("--doctors", nargs="*", choices=doctors, default=doctors)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sensitivity", action="store_true", help="move each threshold")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=KEPT)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.jobs) as pool:
        for suite in args.suites:
            if suite == "other" and not other_suite()[1]:
                continue
            results = {doctor: judged(pool, suite, doctor, args) for doctor in args.doctors}
            print(f"\n{suite}: {args.seeds} seed(s)\n{table(results)}\n")
            if not args.only:
                keep(args.out, suite, results)


def judged(
    pool: ProcessPoolExecutor, suite: str, doctor: str, args: argparse.Namespace
) -> dict[str, Any]:
    """One doctor on one suite: its rates."""
    runs, moved = [], []
    for run, others in pool.map(work, jobs_of(suite, doctor, args)):
        if run is not None:
            runs.append(run)
            moved.append(others)
            print(told(run), flush=True)
    found = {"seeds": args.seeds, "date": date.today().isoformat(), **summary(runs)}
    if args.sensitivity and doctor == "doctor":
        rows = sensitivity(runs, moved)
        found["sensitivity"] = {name: row for name, row in rows.items() if any(row.values())}
        print(sensitive_lines(rows, len(runs)))
    return found


def keep(path: Path, suite: str, results: dict[str, Any]) -> None:
    """Write what was measured beside what was measured before, and the page that shows it."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept[suite] = {**kept.get(suite, {}), **results}
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    if path == KEPT:
        (ROOT / "docs/doctor-measured.md").write_text(page(kept), "utf-8")


if __name__ == "__main__":
    main()
