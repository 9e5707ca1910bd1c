"""How much hangs on each threshold: rules are asked again with it halved and doubled.

Nothing is trained again: the record of a run is kept, and the rules read it with other limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.faults.harness import Outcome, alarms
from chymist.doctor import Watcher
from chymist.doctor.finding import ranked
from chymist.doctor.rules import findings_of
from chymist.doctor.rules.limits import LIMITS, Limits

# Shares whose end is 1, and ratios whose end is 1: the distance to it is halved and doubled.
OF_ONE = (
    "stuck", "shrink", "dropout_alone", "repeated", "telling", "next_telling", "entropy", "apart",
    "ordered_alone", "leap", "nearly_all", "dropout_times", "mode_times", "rise", "spread",
    "leap_norm",
)  # fmt: skip


def variants() -> Iterator[tuple[str, Limits]]:
    """(name and value, limits) with one threshold moved.

    Example:
        >>> dict(variants())["rise=1.2"].rise
        1.2
    """
    for name, value in asdict(LIMITS).items():
        for factor in (0.5, 2.0):
            moved = 1 + (value - 1) * factor if name in OF_ONE else value * factor
            moved = round(moved) if isinstance(value, int) else float(f"{moved:.4g}")
            yield f"{name}={moved:g}", replace(LIMITS, **{name: moved})


def said_of(watcher: Watcher) -> dict[str, dict[str, str]]:
    """What would have been said with each threshold moved, where that differs."""
    record = watcher.record
    last = record.probes[-1] if record.probes else None

    def said(limits: Limits) -> dict[str, str]:
        return alarms(ranked(findings_of(record, last, watcher.train, watcher.valid, limits)))

    usual = said(LIMITS)
    found = {name: said(limits) for name, limits in variants()}
    return {name: other for name, other in found.items() if list(other) != list(usual)}


def sensitivity(runs: Sequence[Outcome], moved: Sequence[dict[str, dict[str, str]]]) -> Any:
    """For each moved threshold how many runs change: {name: {"missed": n, ...}}.

    Args:
        runs: as they were judged.
        moved: for each run, what would have been said instead.

    Returns:
        "missed" and "wrong" count faulty runs that were named rightly and would be silent, or have
        another code first; "righter" those that would be named rightly instead; "alarms" healthy
        ones and twins with a finding, "quieter" those without one any more.
    """
    table = {name: dict.fromkeys(("missed", "wrong", "righter", "alarms", "quieter"), 0)
             for name, _ in variants()}  # fmt: skip
    for run, others in zip(runs, moved, strict=True):
        for name, said in others.items():
            row = table[name]
            if run.kind != "faulty":
                row["alarms"] += bool(said) and not run.said
                row["quieter"] += bool(run.said) and not said
                continue
            right = {*run.fault, *run.accept}
            was, now = (next(iter(c), "") in right for c in (run.said, said))
            row["missed"] += was and not said
            row["wrong"] += was and bool(said) and not now
            row["righter"] += now and not was
    return table


def told(table: dict[str, dict[str, int]], runs: int) -> str:
    """The thresholds that matter, one in a line."""
    lines = [f"thresholds halved and doubled, {runs} runs; those not named change nothing:"]
    for name, row in table.items():
        if any(row.values()):
            lines.append(f"  {name:24}" + ", ".join(f"{n} {v}" for n, v in row.items() if v))
    return "\n".join(lines)
