"""Are the fresh healthy programs healthy? Their scores beside their bars, without a doctor.

python -m bench.faults.admit [--only NAME ...] [--seeds 0 1 2] [--jobs 2]
"""

from __future__ import annotations

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

from bench.faults.harness import train
from bench.faults.healthy_fresh_aims import FRESH_HEALTHY


class Nobody:
    """A doctor that looks at nothing."""

    def step(self, *_: Any) -> None:
        """Nothing."""

    def epoch(self, **_: Any) -> None:
        """Nothing."""


def scores(name: str, seeds: list[int]) -> tuple[list[float], float]:
    """Scores of a program over seeds, and the seconds of one run."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    case = next(c for c in FRESH_HEALTHY if c.name == name)
    began = time.perf_counter()
    out = [train(case.build(seed), seed, Nobody())[0] for seed in seeds]
    return out, (time.perf_counter() - began) / len(seeds)


def main() -> None:
    """One line for each program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    cases = [c for c in FRESH_HEALTHY if not args.only or c.name in args.only]
    with ProcessPoolExecutor(args.jobs) as pool:
        runs = pool.map(scores, [c.name for c in cases], [args.seeds] * len(cases))
        for case, (got, seconds) in zip(cases, runs, strict=True):
            word = "ok " if min(got) >= case.bar else "LOW"
            shown = " ".join(f"{v:5.2f}" for v in got)
            print(
                f"{word} {case.name:22} {shown}  bar {case.bar:4.2f}  {seconds:4.1f}s", flush=True
            )


if __name__ == "__main__":
    main()
