"""From measurements to medians, ratios and a judgement of equal quality. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.workloads import HIGH_LEVEL

Record = Mapping[str, Any]  # one measurement, see `bench.peer`, with peer, threads and malloc
OURS = "chymist"


@dataclass(frozen=True)
class Cell:
    """One peer under one setting.

    Args:
        peer, threads, malloc: who, and how.
        value: median of what the workload shows: seconds, seconds from the start, or megabytes.
        low, high: smallest and largest measurement.
        repeats: number of measurements.
        ratio: value / chymist's value under the same setting (above 1: chymist is better), or None.
        later: median seconds of the epochs after the first; None for a single epoch.
        whole: median seconds of the whole call.
        accuracy: median accuracy on the validation rows (of populations: on all held-out rows).
        peak: median peak memory of the process in megabytes.
        comparable: whether the accuracy is within the tolerance of the median of all peers.
        again: of populations: median seconds of a second call in the same process, or None.
        trained: of populations: members that were trained to tell the seconds of all.
        error: why there is no value, or "".
    """

    peer: str
    threads: int
    malloc: str
    value: float | None
    low: float | None = None
    high: float | None = None
    repeats: int = 0
    ratio: float | None = None
    later: float | None = None
    whole: float | None = None
    accuracy: float | None = None
    peak: float | None = None
    comparable: bool = True
    again: float | None = None
    trained: int = 1
    error: str = ""


@dataclass(frozen=True)
class Goal:
    """A promise and what was measured: `value` is to be at least (or at most) `wanted`."""

    says: str
    value: float
    wanted: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted


FIELD = {
    "speed": "seconds", "start": "since_start", "memory": "peak_mb", "population": "seconds",
}  # fmt: skip
# How many times as fast as a peer chymist is promised to be.
POPULATIONS = {
    "cv10": {"tutorial": 5, "skorch": 5, "expert": 3, "jax": 1},
    "cv100": {"tutorial": 20, "skorch": 20, "expert": 7, "jax": 1},
    "sweep": {"expert": 20}, "seeds": {"expert": 2}, "cnn-folds": {"chymist-loop": 0.95},
}  # fmt: skip


def summarize(records: Iterable[Record], shows: str, tolerance: float) -> list[Cell]:
    """Cells of one workload, in the order in which they were measured.

    Args:
        records: measurements of one workload.
        shows: "speed", "start", "memory" or "population".
        tolerance: largest distance of an accuracy from the median of all peers; of a peer that
            trained one of n members, sqrt(n) times as much.
    """
    groups: dict[tuple[str, int, str], list[Record]] = {}
    for record in records:
        key = (record["peer"], record["threads"], record["malloc"])
        groups.setdefault(key, []).append(record)
    good = {key: [r for r in group if "error" not in r] for key, group in groups.items()}
    values = {k: median(r[FIELD[shows]] for r in group) for k, group in good.items() if group}
    most = max((_trained(g) for g in good.values() if g), default=1)
    full = [g for g in good.values() if g and _trained(g) == most]
    usual = median(median(r["accuracy"] for r in g) for g in full) if full else 0.0
    cells = []
    for key, group in groups.items():
        if key not in values:
            cells.append(Cell(*key, value=None, error=str(group[0]["error"])))
            continue
        ours = values.get((OURS, *key[1:]))
        ratio = values[key] / ours if ours else None
        allowed = tolerance * math.sqrt(most / _trained(good[key]))  # fewer rows, more chance
        cells.append(_cell(key, good[key], FIELD[shows], ratio, usual, allowed))
    return cells


def _trained(group: Sequence[Record]) -> int:
    """Members that were trained; 1 of what is no population."""
    return int(group[0].get("trained", 1))


def _cell(
    key: tuple[str, int, str], group: Sequence[Record], name: str, ratio: float | None,
    usual: float, tolerance: float,
) -> Cell:  # fmt: skip
    shown = [r[name] for r in group]
    accuracy, later = (median(r[n] for r in group) for n in ("accuracy", "later"))
    second = [r["again"] for r in group if "again" in r]
    return Cell(
        *key, median(shown), min(shown), max(shown), len(group), ratio, later or None,
        median(r["whole"] for r in group), accuracy, median(r["peak_mb"] for r in group),
        abs(accuracy - usual) <= tolerance, median(second) if second else None,
        _trained(group),
    )  # fmt: skip


def share_of(records: Iterable[Record]) -> float | None:
    """Median share of their processor that processes of one thread had; 1 on a quiet machine."""
    alone = [r for r in records if r["threads"] == 1 and "error" not in r]
    return median(r["cpu"] / r["seconds"] for r in alone) if alone else None


def find(cells: Iterable[Cell], peer: str, threads: int, malloc: str) -> Cell | None:
    """The cell of a peer under a setting, if it has a value."""
    for cell in cells:
        if (cell.peer, cell.threads, cell.malloc) == (peer, threads, malloc):
            return cell if cell.value else None
    return None


def fastest(cells: Iterable[Cell], peers: Sequence[str], threads: int, malloc: str) -> Cell | None:
    """The fastest of some peers among those that did the same work."""
    found = [find(cells, peer, threads, malloc) for peer in peers]
    fit = [cell for cell in found if cell and cell.comparable]
    return min(fit, key=lambda cell: cell.value or 0.0, default=None)


def goals_of(name: str, cells: Sequence[Cell]) -> list[Goal]:
    """What is promised about a workload, beside what was measured."""
    if name == "memory":
        return _memory_goals(cells)
    if name in POPULATIONS:
        return _population_goals(name, cells)
    if name not in ("mlp", "mlp-full", "mlp-long", "cnn-32", "cnn-128"):
        return []
    goals = []
    for threads in sorted({cell.threads for cell in cells}):
        ours = find(cells, OURS, threads, "default")
        expert = find(cells, "expert", threads, "default")
        where = f"{name}, {threads} thread{'s' * (threads > 1)}"
        if not ours or not ours.value:
            continue
        best = fastest(cells, HIGH_LEVEL, threads, "default")
        if best and best.value:
            goals.append(Goal(f"{where}: beside {best.peer}", best.value / ours.value, 1.3))
        if expert and expert.value and name.startswith("mlp"):
            goals.append(Goal(f"{where}: beside the expert", expert.value / ours.value, 0.97))
        tuned = fastest(cells, HIGH_LEVEL, threads, "tuned")
        if tuned and tuned.value and name.startswith("cnn"):
            says = f"{where}: beside {tuned.peer} with malloc settings"
            goals.append(Goal(says, tuned.value / ours.value, 1.0))
    return goals


def _population_goals(name: str, cells: Sequence[Cell]) -> list[Goal]:
    goals = []
    for threads in sorted({cell.threads for cell in cells}):
        where = f"{name}, {threads} thread{'s' * (threads > 1)}"
        ours = fastest(cells, (OURS,), threads, "default")
        for peer, wanted in POPULATIONS[name].items():
            other = fastest(cells, (peer,), threads, "default")
            if ours and ours.value and other and other.value:
                goals.append(Goal(f"{where}: beside {peer}", other.value / ours.value, wanted))
    return goals


def _memory_goals(cells: Sequence[Cell]) -> list[Goal]:
    goals = []
    for cell in cells:
        expert = find(cells, "expert", cell.threads, cell.malloc)
        if cell.peer == OURS and cell.value and expert and expert.value:
            says = "peak memory of a process that fits MNIST, as a multiple of the expert's"
            goals.append(Goal(says, cell.value / expert.value, 1.3, at_least=False))
    return goals
