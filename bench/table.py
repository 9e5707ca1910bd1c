"""From summaries to the Markdown page `docs/benchmark.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.summary import Cell, Goal, find, goals_of, share_of, summarize

HEAD = """# Benchmark

Made by `make bench` from `bench/results.json`; do not edit.

Every figure is the median of measurements in fresh processes that take turns: all peers once, then
all again, each time from another start. One thread means one processor, two threads two. Every
peer trains the same network from initial weights of the same distribution with Adam (rate 0.001,
constant) on the same rows in batches of the same size in random order, and computes loss and
accuracy on the validation rows after every epoch. A peer whose accuracy is further from the median
of all than the tolerance has done other work and is marked.

The clock runs from the call, with prepared arrays in memory, to the end of the last epoch with its
validation. Before it, each process trains for two batches, so that what happens once in a process
(imports on first use) is in the table of the first step and not here; what is compiled anew for
every model (JAX) is inside. For chymist the call is `cy.fit`: preparation and check of the rows,
building and trying the model, the run folder on disk, the record of every step and the checkpoints
are inside. After the last epoch it also scores, fits floors and saves; the seconds of the whole are
given below each table, and the peers do nothing of the kind.

"tuned" sets `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_` (1 GiB) and `MALLOC_TOP_PAD_` (64
MiB) of the C library, for every peer alike; `cy.fit` itself sets the two thresholds while it
trains, for everybody who calls it, unless the environment says otherwise. "N x" is how many times
as fast chymist is under the same setting. "after epoch 1" is the speed of the later epochs alone.
Peers run as their documentation shows: Lightning with the default `Trainer` without logger,
checkpoints and progress bar, Keras by `fit`, skorch with a fixed validation set, fastai with
torch's Adam, scikit-learn by one `partial_fit` per epoch (its initial weights are its own).
"expert" is a hand-written loop with tensors in memory, `index_select`, fused Adam, channels last
and a check of every loss; "tutorial" is the usual loop over `DataLoader`.

Populations are many trainings in one call: folds, seeds, rates. There every peer trains and scores
on the same rows, standardised by the rows trained on (MNIST: pixels in [0, 1]), without validation
in between. The clock runs from prepared arrays in memory to the scores of all held-out rows:
cutting folds (chymist only; the others are given its folds), preparation, building, compiling
(JAX), training and prediction are inside, imports are not, nor those that torch puts off to the
first optimiser. Accuracy is that of all held-out rows. "second call" is the same again in the same
process: what JAX takes when it need not compile. A peer that is too slow trains every tenth member
and its seconds are multiplied; that is said beside it, and its tolerance is sqrt(10) times as
large. "chymist" is `cy.cross_validate(..., floors=False)`; for seeds and rates on one split it is
the list of jobs (`chymist.verbs.jobs`) that its searches and comparisons are made of. "skorch" is
`cross_val_score` of a pipeline with a `StandardScaler`, "expert" and "tutorial" are the loops
above, one member after the other, without the check of losses, "jax" is `vmap` over members and
`scan` over steps in one jitted program, "chymist-loop" is `cy.cross_validate(executor="loop")`.
"""


def page(results: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        results: what `bench.run` keeps: workloads by name with settings and records.
    """
    parts, goals = [], []
    for name, found in results["workloads"].items():
        cells = summarize(found["records"], found["shows"], found["tolerance"])
        short = " (short form: provisional)" if found["quick"] else ""
        goals += [(goal, short) for goal in goals_of(name, cells)]
        parts.append(section(found, cells))
    if results.get("imports"):
        parts.append(imports_table(results["imports"]))
    return "\n".join([HEAD, goals_table(goals), *parts])


def goals_table(goals: Sequence[tuple[Goal, str]]) -> str:
    """Promises and what was measured."""
    lines = ["## Promises", "", "| what | promised | measured | |", "|---|---|---|---|"]
    for goal, short in goals:
        sign = ">=" if goal.at_least else "<="
        met = "met" if goal.met else "not met"
        lines.append(
            f"| {goal.says}{short} | {sign} {goal.wanted:g} x | {goal.value:.2f} x | {met} |"
        )
    return "\n".join([*lines, ""])


def section(found: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """One workload: heading, table, and where it was measured."""
    draw = {
        "speed": speed_table, "start": plain_table, "memory": plain_table,
        "population": population_table,
    }[found["shows"]]  # fmt: skip
    absent = found.get("absent") or []
    notes = [f"Not installed, hence not measured: {', '.join(absent)}."] if absent else []
    return "\n".join([f"## {found['title']}", "", draw(found, cells), "", *notes, where(found), ""])


def speed_table(found: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """Rows per second of each peer under each setting."""
    rows, epochs = found["rows"], found["epochs"]
    settings = sorted({(c.threads, c.malloc) for c in cells})
    first = settings[0]
    heads = [f"{t} thread{'s' * (t > 1)}{', tuned' * (m == 'tuned')}" for t, m in settings]
    names = ["rows/s", *heads, f"after epoch 1 ({heads[0]})", "accuracy", "peak MB", ""]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for peer in dict.fromkeys(c.peer for c in cells):
        mine = {(c.threads, c.malloc): c for c in cells if c.peer == peer}
        shown = [_rate(mine.get(s), rows * epochs, peer) for s in settings]
        sample = mine.get(first) or next(iter(mine.values()))
        later = f"{rows * (epochs - 1) / sample.later:,.0f}" if sample.later else "–"
        tail = [later, _number(sample.accuracy, ".3f"), _number(sample.peak, ",.0f")]
        lines.append(f"| {' | '.join([peer, *shown, *tail, _note(mine.values())])} |")
    ours = find(cells, "chymist", *first)
    whole = ""
    if ours and ours.whole and ours.value:
        whole = (
            f"\n\n{heads[0]}: training takes chymist {ours.value:.2f} s; the whole of `cy.fit`,"
            f" with score, floors and saved files, {ours.whole:.2f} s."
        )
    return "\n".join(lines) + whole


def population_table(found: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """Seconds of each peer for all trainings under each setting."""
    settings = sorted({(c.threads, c.malloc) for c in cells})
    heads = [f"{t} thread{'s' * (t > 1)}" for t, _ in settings]
    names = ["s", *heads, f"second call ({heads[0]})", "accuracy", "peak MB", ""]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for peer in dict.fromkeys(c.peer for c in cells):
        mine = {(c.threads, c.malloc): c for c in cells if c.peer == peer}
        sample = mine.get(settings[0]) or next(iter(mine.values()))
        shown = [_seconds(mine.get(s), peer) for s in settings]
        tail = [_number(sample.again, ".2f"), _number(sample.accuracy, ".4f")]
        tail += [_number(sample.peak, ",.0f"), _note(mine.values()) or _partly(sample, found)]
        lines.append(f"| {' | '.join([peer, *shown, *tail])} |")
    return "\n".join(lines)


def _partly(cell: Cell, found: Mapping[str, Any]) -> str:
    """That seconds were told from some of the trainings."""
    if not cell.value or cell.trained == found["members"]:
        return ""
    share = found["members"] / cell.trained
    return f"trained {cell.trained} of {found['members']}, seconds times {share:g}"


def plain_table(found: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """One figure per peer: seconds or megabytes."""
    unit, form = ("MB", ",.0f") if found["shows"] == "memory" else ("s", ".2f")
    lines = [f"| | {unit} | from | to | multiple of chymist's | |", "|" + "---|" * 6]
    for cell in cells:
        numbers = [_number(v, form) for v in (cell.value, cell.low, cell.high)]
        ratio = _number(cell.ratio, ".2f")
        lines.append(f"| {cell.peer} | {' | '.join(numbers)} | {ratio} | {_note([cell])} |")
    return "\n".join(lines)


def imports_table(found: Mapping[str, Any]) -> str:
    """Seconds of commands in fresh processes."""
    lines = ["## Start-up", "", "| command | s | from | to |", "|---|---|---|---|"]
    for command, (value, low, high) in found["commands"].items():
        lines.append(f"| {command} | {value:.3f} | {low:.3f} | {high:.3f} |")
    return "\n".join([*lines, "", where(found), ""])


def where(found: Mapping[str, Any]) -> str:
    """Machine, versions, date, and how much was measured."""
    said = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    machine = found["machine"]
    most = max(found["repeats"], *(r.get("repeat", 0) + 1 for r in found.get("records", ())), 1)
    upto = f" to {most}" if most > found["repeats"] else ""
    counts = f"Medians of {found['repeats']}{upto}. " if most > 1 else "Measured once. "
    if found.get("shows") == "population":
        counts += (
            f"{found['members']} trainings on {found['rows']:,} rows"
            f"{' but those held out' if found['folds'] else ''}, tolerance of accuracy"
            f" {found['tolerance']:g}. "
        )
    elif "rows" in found:
        counts += (
            f"{found['rows']:,} training rows, {found['valid']:,} validation rows, tolerance of"
            f" accuracy {found['tolerance']:g}. "
        )
    share = share_of(found.get("records", ()))
    if share is not None:
        counts += f"Processes of one thread had {share:.0%} of their processor. ".replace("%", " %")
    short = "Short form on a machine that may be busy: provisional. " if found["quick"] else ""
    return (
        f"{short}{counts}{found['date']}; {machine['processor']}, {machine['processors']}"
        f" processors, {machine['memory_gb']} GB, load {machine['load']} before; {said}."
    )


def _rate(cell: Cell | None, rows: int, peer: str) -> str:
    if cell is None or not cell.value:
        return "–"
    ratio = f" ({cell.ratio:.2f} x)" if cell.ratio and peer != "chymist" else ""
    return f"{rows / cell.value:,.0f}{ratio}"


def _seconds(cell: Cell | None, peer: str) -> str:
    if cell is None or not cell.value:
        return "–"
    ratio = f" ({cell.ratio:.2f} x)" if cell.ratio and peer != "chymist" else ""
    return f"{cell.value:.2f}{ratio}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _note(cells: Any) -> str:
    """Why figures are missing or do not count."""
    for cell in cells:
        if cell.error:
            return f"failed: {cell.error}"
        if not cell.comparable:
            return "not comparable: another accuracy"
    return ""
