"""From the files of `kill.py` to `results.json` and the page `docs/resume.md`.

python table.py FOLDER [--without-dropout FOLDER] [--results FILE] [--page FILE]
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from reasons import ABOUT, LOOPS, METHOD, NOT_SHOWN

PACKAGES = ("torch", "lightning", "accelerate", "torchdata", "numpy")
SCORES = ("resumed", "finished", "order_equal", "bit_equal")


def summarize(race: dict[str, Any]) -> dict[str, Any]:
    """Counts of one contestant with so many loader workers."""
    trials = race["trials"]
    return {
        "variant": race["variant"],
        "workers": race["workers"],
        "repeatable": race["repeatable"],
        "killed": len(trials),
        "kills": sum(t["kills"] for t in trials),
        "resumed": sum(any(step > 0 for step in t["resumed_from"]) for t in trials),
        **{name: sum(t[name] for t in trials) for name in SCORES[1:]},
        "what": dict(Counter(shorten(t["what"]) for t in trials).most_common()),
    }


def shorten(what: str) -> str:
    """A line of what happened without paths and advice, so that equal failures count as one."""
    error = re.match(r"([\w.]*(?:Error|Exception))\b", what)
    if not error:
        return what
    if error[1] == "ValueError":
        return f"ended with an error ({what.split(': ', 1)[-1]})"
    return f"its newest checkpoint could not be loaded ({error[1]})"


def typical(what: dict[str, int]) -> str:
    """The most frequent failure with its count, and all runs that did not end."""
    bad = {name: n for name, n in what.items() if name != "same rows, same losses"}
    if not bad:
        return "none"
    groups = Counter[str]()
    for name, count in bad.items():
        groups[name.split(" (")[0] if name.startswith("its newest") else name] += count
    most = groups.most_common(1)[0][0]
    told = [name for name in groups if name == most or name.startswith(("its newest", "ended"))]
    return "; ".join(f"{name}: {groups[name]}" for name in sorted(told, key=lambda n: n != most))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A Markdown table of contestants."""
    lines = [
        "| loop | workers | runs killed | resumed past step 0 | finished | order-equal | bit-equal"
        " | what went wrong most often |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        scores = " | ".join(str(row[name]) for name in SCORES)
        name, reason = LOOPS[row["variant"]], typical(row["what"])
        lines.append(f"| {name} | {row['workers']} | {row['killed']} | {scores} | {reason} |")
    return lines


def totals(rows: list[dict[str, Any]]) -> list[str]:
    """The short table: each contestant over all numbers of workers."""
    lines = ["| loop | runs | finished | order-equal | bit-equal |",
             "| --- | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for variant in [name for name in LOOPS if any(r["variant"] == name for r in rows)]:
        own = [r for r in rows if r["variant"] == variant]
        sums = [sum(r[name] for r in own) for name in ("killed", *SCORES[1:])]
        lines.append(f"| {LOOPS[variant]} | " + " | ".join(map(str, sums)) + " |")
    return lines


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    rows, quiet = results["races"], results["without_dropout"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    same = all(row["repeatable"] for row in rows)
    repeat = (
        "Every loop, run twice without a kill, gave the same bits: what differs below is due to "
        "the resume."
        if same
        else "Not every loop repeats itself without a kill; see results.json."
    )
    parts = [
        "# Kill and resume, side by side", "",
        "Made by `sh bench/resume_race/run.sh`; do not edit. "
        f"{results['date']}, {results['machine']}, one thread, CPU. {versions}.", "",
        METHOD, "", repeat, "", "## In short", "", *totals(rows), "",
        "## With 0 and with 2 loader workers", "", *table(rows), "",
        "## Why", "",
        *[f"- **{LOOPS[name]}.** {text}" for name, text in ABOUT.items()
          if any(r["variant"] == name for r in rows)], "",
    ]  # fmt: skip
    if quiet:
        parts += [
            "## Without dropout", "",
            "The same with dropout 0. A loop that is bit-equal here and not above restores weights,"
            " optimiser and schedule exactly, but not the noise.", "", *table(quiet), "",
        ]  # fmt: skip
    return "\n".join([*parts, "## What this does not show", "", NOT_SHOWN, ""])


def gather(folder: Path) -> list[dict[str, Any]]:
    """All results of a folder in the order of the page."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    order = list(LOOPS)
    return sorted(found, key=lambda race: (order.index(race["variant"]), race["workers"]))


def machine() -> str:
    """Processor and number of cores."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    kind = names[0].strip() if names else platform.machine()
    return f"{kind}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    """Write results and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-dropout", type=Path)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--page", type=Path, default=Path("docs/resume.md"))
    given = parser.parse_args()
    races = gather(given.folder)
    quiet = gather(given.without_dropout) if given.without_dropout else []
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "races": [summarize(race) for race in races],
        "without_dropout": [summarize(race) for race in quiet],
        "trials": [
            {"variant": race["variant"], "workers": race["workers"], "dropout": race["dropout"],
             **trial, "what": shorten(trial["what"])}
            for race in [*races, *quiet] for trial in race["trials"]
        ],
    }  # fmt: skip
    lines = json.dumps(results | {"trials": []}, indent=1)[: -len("[]\n}")]
    trials = ",\n  ".join(json.dumps(trial) for trial in results["trials"])
    given.results.write_text(f"{lines}[\n  {trials}\n ]\n}}\n")
    given.page.write_text(page(results))


if __name__ == "__main__":
    main()
