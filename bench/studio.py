"""The studio beside TensorBoard and MLflow on the same numbers, in one headless Chromium.

    python -m bench.studio --mlflow /path/to/venv/bin/python

makes 1,000 runs of 100 metrics and one run of 1,000,000 points in the form of each (folders as
`fit` writes them, event files, an SQLite store), serves all three, opens them in turns, and prints
medians: milliseconds from the address to the first rows of the list, and to a drawn curve. MLflow
is installed in an environment of its own:

    python -m venv ENV && ENV/bin/pip install mlflow==3.17.2
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.event_files import messages
from chymist.engine.store import Recorder, read_series
from chymist.reports.event_files import EventFile
from tests.browser import Browser
from tests.run_folders import DISTINCT, make_run, make_runs
from tests.studio import studio_of

LONG = 1_000_000
SPIKE = 777_777  # the step of one value that is far above all others
ROW = "tbody tr .spark path"  # of the studio
CARD = "scalar-card line-chart svg path, scalar-card canvas"  # of TensorBoard
LINK, LINE = "a[href*='/runs/']", ".js-plotly-plot .scatterlayer path.js-line"  # of MLflow
SEEN = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"


def long_series() -> np.ndarray:
    """A loss of a million steps with one spike."""
    steps = np.arange(LONG)
    values = np.exp(-steps / 2e5) + 0.05 * np.random.default_rng(0).random(LONG)
    values[SPIKE] = 25.0
    return values


def write_chymist(place: Path, runs: int, metrics: int, points: int) -> None:
    """Folders as `fit` writes them."""
    made = make_runs(place / "many", runs, series=metrics, points=points)
    assert len(made) == runs
    long = make_run(place / "long" / "long", series=3, points=5)
    (long / "records.sqlite").unlink()
    with Recorder(long / "records.sqlite") as record:
        for step, value in enumerate(long_series().tolist()):
            record.add("loss", step, value)


def write_tensorboard(place: Path, source: Path) -> None:
    """The same series as event files, by the writer of `cy.to_tensorboard`."""
    if not messages():
        return
    folders = sorted((source / "many").iterdir())
    for number, folder in enumerate(folders):
        out = place / "many" / folder.name
        out.mkdir(parents=True)
        if number >= DISTINCT:  # the records are copies too
            like = next((place / "many" / folders[number % DISTINCT].name).iterdir())
            shutil.copyfile(like, out / like.name)
            continue
        with EventFile(out) as file:
            for name, points in read_series(folder / "records.sqlite").items():
                for step, value in points.tolist():
                    file.scalars(int(step), {name: value})
    (place / "long" / "long").mkdir(parents=True)
    with EventFile(place / "long" / "long") as file:
        for step, value in enumerate(long_series().tolist()):
            file.scalars(step, {"loss": value})


def write_mlflow(place: Path, source: Path, python: str) -> None:
    """The same series in MLflow's store: its client makes the tables, rows are written directly.

    To log them by the client, point by point, would take hours.
    """
    place.mkdir(parents=True)
    uri = f"sqlite:///{place / 'mlflow.db'}"
    code = (f"import mlflow; mlflow.set_tracking_uri({uri!r})\n"
            "for name in ('many', 'long'):\n"
            "    mlflow.set_experiment(name)\n"
            "    with mlflow.start_run(run_name='first'):\n"
            "        mlflow.log_metric('loss', 1.0, step=0)\n")  # fmt: skip
    subprocess.run([python, "-c", code], check=True, cwd=place, capture_output=True)
    with sqlite3.connect(place / "mlflow.db") as base:
        ids = dict(base.execute("SELECT name, experiment_id FROM experiments").fetchall())
        folders = sorted((source / "many").iterdir())
        known = [{name: points.tolist() for name, points in
                  read_series(folder / "records.sqlite").items()}
                 for folder in folders[:DISTINCT]]  # fmt: skip
        for number, folder in enumerate(folders):
            _mlflow_run(base, ids["many"], folder.name, number, known[number % DISTINCT])
        _mlflow_run(base, ids["long"], "long", 0,
                    {"loss": list(enumerate(long_series().tolist()))})  # fmt: skip


def _mlflow_run(
    base: sqlite3.Connection, experiment: int, name: str, number: int, series: dict[str, Any]
) -> None:
    """One run: a copy of the row that the client has written, and its points."""
    cursor = base.execute("SELECT * FROM runs LIMIT 1")
    heads = [one[0] for one in cursor.description]
    row = dict(zip(heads, cursor.fetchone(), strict=True))
    run = f"{experiment:02x}{number:030x}"
    when = 1_700_000_000_000 + 60_000 * number
    row |= {"run_uuid": run, "name": name, "experiment_id": experiment, "start_time": when,
            "end_time": when + 1_500}  # fmt: skip
    marks = ",".join("?" * len(heads))
    base.execute(f"INSERT INTO runs ({','.join(heads)}) VALUES ({marks})",
                 [row[head] for head in heads])  # fmt: skip
    base.execute("INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.runName', ?, ?)",
                 (name, run))  # fmt: skip
    fields = "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)"
    for key, points in series.items():
        rows = [(key, value, when + n, int(step), run) for n, (step, value) in enumerate(points)]
        base.executemany(f"INSERT INTO metrics {fields}", rows)
        base.execute(f"INSERT INTO latest_metrics {fields}", rows[-1])


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(words: list[str], port: int, path: str = "/") -> Iterator[str]:
    """A server of somebody else, once it answers."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    try:
        for _ in range(1200):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).read()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def seconds_to(shown: Browser, address: str, selector: str, count: int, state: str) -> float:
    """Seconds from an address to so many elements that are seen; infinite after a minute."""
    with shown.visit("about:blank") as (page, _):
        begun = time.perf_counter()
        try:
            page.goto(address, wait_until="commit", timeout=60_000)
            page.locator(selector).nth(count - 1).wait_for(state=state, timeout=60_000)
            page.evaluate(SEEN)
        except Exception as error:  # a page that never comes is a result
            print(f"  {address[:60]}: {str(error).splitlines()[0][:80]}", file=sys.stderr)
            return math.inf
        return time.perf_counter() - begun


def measure(work: Path, tries: int, mlflow: str, home: Path) -> dict[str, Any]:
    """Medians of all tries, by what is measured and tool."""
    taken: dict[str, dict[str, list[float]]] = {"list": {}, "curve": {}}
    shown = Browser(home)
    with ExitStack() as stack:
        tools = _tools(stack, work, mlflow)
        for what, rounds in (("list", tries), ("curve", tries)):
            for _ in range(rounds):
                for name, look in tools[what].items():
                    taken[what].setdefault(name, []).append(look(shown))
        shown.close()
    return {what: {name: _told(values) for name, values in of.items()}
            for what, of in taken.items()}  # fmt: skip


def _told(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "worst": max(values), "tries": len(values)}


def _tools(
    stack: ExitStack, work: Path, mlflow: str
) -> dict[str, dict[str, Callable[[Browser], float]]]:
    """What opens the list, and the curve, in each tool."""
    many = stack.enter_context(studio_of(work / "chymist" / "many"))
    long = stack.enter_context(studio_of(work / "chymist" / "long"))
    while many.get("/api/runs")["unread"]:
        time.sleep(0.1)
    boards = []
    for name in ("many", "long"):
        port = free_port()
        words = [sys.executable, "-m", "tensorboard.main", "--logdir",
                 str(work / "tensorboard" / name), "--port", str(port)]  # fmt: skip
        boards.append(stack.enter_context(served(words, port)))
    _wait_for_tensorboard(boards, work)
    tools: dict[str, dict[str, Callable[[Browser], float]]] = {
        "list": {
            "chymist": lambda b: seconds_to(b, many.address, ROW, 10, "attached"),
            "TensorBoard": lambda b: seconds_to(
                b, f"{boards[0]}/#timeseries", "tb-data-table-content-row", 10, "visible"),
        },
        "curve": {
            "chymist": lambda b: _studio_curve(b, long.address),
            "TensorBoard": lambda b: seconds_to(
                b, f"{boards[1]}/#timeseries", CARD,
                1, "attached"),
        },
    }  # fmt: skip
    if mlflow:
        _add_mlflow(stack, tools, work / "mlflow" / "mlflow.db", mlflow)
    return tools


def _add_mlflow(
    stack: ExitStack, tools: dict[str, dict[str, Callable[[Browser], float]]], base: Path,
    python: str,
) -> None:  # fmt: skip
    """The list and the curve in MLflow."""
    port = free_port()
    with sqlite3.connect(base) as store:
        ids = dict(store.execute("SELECT name, experiment_id FROM experiments").fetchall())
        run = store.execute("SELECT run_uuid FROM runs WHERE name = 'long'").fetchone()[0]
    words = [python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{base}",
             "--port", str(port), "--workers", "1"]  # fmt: skip
    address = stack.enter_context(served(words, port, "/health"))
    tools["list"]["MLflow"] = lambda b: seconds_to(
        b, f"{address}/#/experiments/{ids['many']}/runs", LINK, 10, "attached")  # fmt: skip
    tools["curve"]["MLflow"] = lambda b: seconds_to(
        b, f"{address}/#/experiments/{ids['long']}/runs/{run}/model-metrics",
        LINE, 1, "attached")  # fmt: skip


def _studio_curve(shown: Browser, address: str) -> float:
    """Seconds from the address of the curves to the drawn curve; the session is there already."""
    with shown.visit(address) as (page, _):
        base = page.url.split("#")[0]
        begun = time.perf_counter()
        page.goto("about:blank")
        page.goto(f"{base}#/runs/long/curves", wait_until="commit")
        page.locator("canvas").first.wait_for(timeout=60_000)
        page.evaluate(SEEN)
        return time.perf_counter() - begun


def _wait_for_tensorboard(boards: list[str], work: Path) -> None:
    """Wait until it has read its files, which it does after it answers."""
    wanted = [len(list((work / "tensorboard" / name).iterdir())) for name in ("many", "long")]
    for address, count in zip(boards, wanted, strict=True):
        for _ in range(600):
            with suppress(OSError, ValueError):
                answer = urllib.request.urlopen(f"{address}/data/runs", timeout=60).read()
                if len(json.loads(answer)) >= count:
                    break
            time.sleep(0.5)


def main() -> None:
    """Make the stores that are not there, measure, print."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "studio-bench")
    told.add_argument("--mlflow", default="", help="Python of an environment with mlflow")
    for name, default in (("runs", 1_000), ("metrics", 100), ("points", 10), ("tries", 5)):
        told.add_argument(f"--{name}", type=int, default=default)
    options = told.parse_args()
    work = options.work
    made: list[tuple[str, Callable[[], None]]] = [
        ("chymist", lambda: write_chymist(work / "chymist", options.runs, options.metrics,
                                          options.points)),
        ("tensorboard", lambda: write_tensorboard(work / "tensorboard", work / "chymist")),
    ]  # fmt: skip
    if options.mlflow:
        made.append(("mlflow", lambda: write_mlflow(work / "mlflow", work / "chymist",
                                                    options.mlflow)))  # fmt: skip
    for name, make in made:
        if not (work / name).exists():
            begun = time.perf_counter()
            make()
            print(f"{name} written in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    found = measure(work, options.tries, options.mlflow, Path(tempfile.mkdtemp()))
    for what, of in found.items():
        for name, one in of.items():
            ratio = one["median"] / of["chymist"]["median"]
            print(f"{what:6} {name:12} median {one['median']:7.2f} s, worst {one['worst']:7.2f} s"
                  f" of {one['tries']}, {ratio:5.1f} times chymist")  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
