"""Series of a run: what there is, each as a frame, the mean of several runs, and what is new."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.kinds import state_of
from chymist.errors import ChymistError, InputError, UsageError
from chymist.evidence.bands import band_of
from chymist.studio.identity import RECORD, identity, stamp
from chymist.studio.replies import reply
from chymist.studio.series import (
    MOST_COLUMNS,
    Frame,
    Listed,
    frame_of,
    reading,
    shifted,
    smoothed,
    with_smooth,
)
from chymist.studio.stream import stream

CLOCK = "times.sqlite"
EPOCH_SERIES = ("train_loss", "val_loss")
BAND_POINTS, BAND_RUNS = 400, 60


def series(request: Request) -> Response:
    """`GET /api/runs/{run}/series`: what there is; with `key=`, one series as a frame."""
    folder = request.app.state.folders.find(request.path_params["run"])
    query = request.query_params
    if "key" not in query:
        return reply(overview(folder))
    px = int(_number(query.get("px"), 1200))
    if not 1 <= px <= MOST_COLUMNS:
        raise UsageError("no such number of columns", received=str(px),
                         do=f"1 to {MOST_COLUMNS}")  # fmt: skip
    low, high = (_number(query.get(name), None) for name in ("from", "to"))
    x, half = query.get("x", "step"), _number(query.get("smooth"), 0.0)
    found = frame(folder, query["key"], px, low, high, x)
    facts: dict[str, Any] = {"id": identity(folder), "x": x}
    if half >= 1 and x != "time":
        found, facts["mean"] = smooth(folder, query["key"], found, half, x)
    content = found.encode(**facts)
    return Response(content, media_type="application/octet-stream",
                    headers={"cache-control": "no-store"})  # fmt: skip


def _number(text: str | None, otherwise: Any) -> Any:
    if text is None:
        return otherwise
    with suppress(ValueError):
        found = float(text)
        if np.isfinite(found):
            return found
    raise UsageError("not a number", received=text[:40])


def frame(
    folder: Path, key: str, px: int, low: float | None = None, high: float | None = None,
    x: str = "step",
) -> Frame:  # fmt: skip
    """A series of a run as it is drawn.

    Args:
        folder: of the run.
        key: name of the series.
        px: columns, at most.
        low: of the range of x.
        high: of the range of x.
        x: "step", "epoch", or "time" where the log of another program told it.
    """
    scale = 1.0
    if x == "epoch":
        scale = 1 / (steps_per_epoch(folder) or 1)
    elif x not in ("step", "time"):
        raise UsageError("no such axis", received=x[:40], do="step, epoch or time")
    low, high = (None if end is None else end / scale for end in (low, high))
    with reading(folder / RECORD) as record:
        if x == "time" or (folder / "imported.json").is_file():  # steps as somebody wrote them
            steps, values = record.all(key)
            if not len(steps):
                raise InputError("no such series", received=key[:60], do="see the list of series")
            at = _times(folder, key) if x == "time" else steps.astype(np.float64)
            return frame_of(at, values, px, low, high)
        return shifted(record.frame(key, px, low, high), scale)


def smooth(folder: Path, key: str, found: Frame, half: float, x: str) -> tuple[Frame, list[float]]:
    """A frame with its exponential mean over all points of the series, not over what is drawn.

    Args:
        folder: of the run.
        key: name of the series.
        found: the frame.
        half: points after which a value counts half.
        x: "step" or "epoch".

    Returns:
        The frame, and half, total and weight, by which the mean goes on with further points.
    """
    with reading(folder / RECORD) as record:
        steps, values = record.all(key)
    scale = 1 / (steps_per_epoch(folder) or 1) if x == "epoch" else 1.0
    order = np.argsort(steps, kind="stable")
    means = smoothed(values[order], half)
    drawn = with_smooth(found, steps[order] * scale, means.values)
    return drawn, [half, means.total, means.weight]


def _times(folder: Path, key: str) -> np.ndarray:
    """When each point was written, in seconds since the first."""
    if not (folder / CLOCK).is_file():
        raise UsageError("the run has no clock", received="x=time", do="x=step")
    with reading(folder / CLOCK) as record:
        firsts = [record.all(one.key)[1] for one in record.listed()]
        times = record.all(key)[1]
    start = min((np.nanmin(t) for t in firsts if (~np.isnan(t)).any()), default=0.0)
    return times - start


def overview(folder: Path) -> dict[str, Any]:
    """What series a run has, over what they can be drawn, and what happened to it."""
    found: list[Listed] = []
    if (folder / RECORD).is_file():
        with reading(folder / RECORD) as record:
            found = record.listed()
    imported = _read(folder / "imported.json")
    written = [one[1] for one in stamp(folder, (RECORD, f"{RECORD}-wal")) if one]
    per_epoch = None if imported else steps_per_epoch(folder)
    return {
        "series": [one._asdict() for one in found], "id": identity(folder),
        "unit": imported.get("unit", "step"), "steps_per_epoch": per_epoch,
        "clock": (folder / CLOCK).is_file(),
        "state": state_of(folder), "written": max(written, default=0) / 1e9,
        "marks": marks(folder), "imported": bool(imported),
    }  # fmt: skip


def steps_per_epoch(folder: Path) -> int | None:
    """Steps of an epoch, once one has ended."""
    facts = _read(folder / "result.json").get("facts")
    if isinstance(facts, Mapping) and isinstance(facts.get("steps_per_epoch"), int):
        return int(facts["steps_per_epoch"]) or None
    with suppress(ChymistError), reading(folder / RECORD) as record:
        for one in record.listed():
            if one.key in EPOCH_SERIES and one.first > 0:
                return one.first
    return None


def marks(folder: Path) -> list[dict[str, Any]]:
    """What happened to a run at some step: checkpoints, findings, what its user asked for."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("checkpoints/step-*")):
        if path.name[5:].isdigit():
            found.append({"step": int(path.name[5:]), "kind": "checkpoint", "says": ""})
    for one in _read(folder / "findings.json").get("findings", ()):
        steps = one.get("evidence", {}).get("steps") if isinstance(one, Mapping) else None
        step = steps[0] if isinstance(steps, list) and steps else steps
        if isinstance(step, (int, float)):
            found.append({"step": step, "kind": "finding", "says": str(one.get("code", ""))})
    entries = _read(folder / "history.json", list)
    for one in entries if isinstance(entries, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("step"), int):
            action = str(one.get("action", ""))
            if action not in ("start", "end", "checkpoint"):
                found.append({"step": one["step"], "kind": "history", "says": action})
    return found


def _read(path: Path, kind: type = dict) -> Any:
    """What a JSON file of a run holds; nothing if it is not there or damaged."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=kind)
    return kind()


def band(request: Request) -> Response:
    """`GET /api/band?runs=["A", "B"]&key=loss`: the mean of runs, with its band, by step."""
    query = request.query_params
    try:
        names = msgspec.json.decode(query.get("runs", "[]"), type=tuple[str, ...])
    except msgspec.MsgspecError as error:
        raise UsageError("not a list of runs", received=str(error)[:80]) from None
    if len(names) > BAND_RUNS:
        raise UsageError("too many runs", received=str(len(names)), do=f"at most {BAND_RUNS}")
    folders = [request.app.state.folders.find(name) for name in names]
    return reply(band_between(folders, query.get("key", "loss")))


def band_between(folders: list[Path], key: str) -> dict[str, Any]:
    """Mean and band of a series of several runs, at steps that all or some of them have.

    Args:
        folders: of the runs.
        key: name of the series.

    Returns:
        Columns "step", "mean", "low", "high", "runs"; and of how many steps these are a choice.
    """
    curves = []
    for folder in folders:
        with reading(folder / RECORD) as record:
            curves.append(record.all(key))
    every = np.unique(np.concatenate([steps for steps, _ in curves] or [np.zeros(0)]))
    chosen = np.unique(np.linspace(0, len(every) - 1, min(len(every), BAND_POINTS)).round())
    at = every[chosen.astype(np.int64)]
    values = np.full((len(curves), len(at)), np.nan)
    for row, (steps, found) in zip(values, curves, strict=True):
        _, ours, theirs = np.intersect1d(at, steps, return_indices=True)
        row[ours] = found[theirs]
    drawn = band_of(values)
    return {"step": at.tolist(), "mean": drawn.mean.tolist(), "low": drawn.low.tolist(),
            "high": drawn.high.tolist(), "runs": drawn.runs.tolist(),
            "steps": len(every)}  # fmt: skip


def script(request: Request) -> Response:
    """`GET /api/runs/{run}/series/script?key=loss`: Python that reads a series and draws it."""
    folder = request.app.state.folders.find(request.path_params["run"])
    keys = request.query_params.get("key", "loss").split(",")
    path = json.dumps(str(folder / RECORD))
    return reply({"python": SCRIPT.format(path=path, keys=json.dumps(keys))})


SCRIPT = """\
from pathlib import Path

import matplotlib.pyplot as plt
from chymist.engine.store import read_series

series = read_series(Path({path}))
fig, axes = plt.subplots()
for key in {keys}:
    steps, values = series[key].T
    axes.plot(steps, values, label=key)
axes.set_xlabel("step")
axes.legend()
plt.show()
"""

ROUTES = (
    Route("/api/runs/{run}/series", series),
    Route("/api/runs/{run}/series/script", script),
    Route("/api/band", band),
    Route("/api/stream", stream),
)
