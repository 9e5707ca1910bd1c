"""The members of a population: while they train and after, as curves, dots and a table."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.kinds import population_state
from chymist.engine.member_record import DIVERGED, FILE, MemberSeries, read_members
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence.bands import band_of
from chymist.evidence.studies import PopulationRecord, differing
from chymist.metrics import find
from chymist.reports.about_folds import population_intervals, population_sentence
from chymist.reports.numbers import metric_name
from chymist.reports.saying import Say, saying
from chymist.studio.asking import language_of
from chymist.studio.replies import reply
from chymist.values import show

STATEMENT = "population.json"
MOST_COLUMNS = 400  # of a picture; of more epochs each column has the least and greatest value
NO_SERIES = MemberSeries(0, {}, {})


def population(request: Request) -> Response:
    """`GET /api/runs/{run}/population?points=`: nothing new if there are as many points."""
    folder = request.app.state.folders.find(request.path_params["run"])
    say, found = saying(language_of(request)), record_of(folder)
    series = _series(folder)
    state = population_state(folder)
    points = sum(len(values) for _, _, values in series.series.values())
    mark = f"{state} {points} {len(series.ends)}"
    if request.query_params.get("mark") == mark:
        return reply({"mark": mark, "same": True})
    whole = _whole(found, series, state, say)
    return reply({"mark": mark, "state": state, "points": points, **whole})


def curves(request: Request) -> Response:
    """`GET /api/runs/{run}/population/curves?series=`: members, columns, epoch of each, values."""
    folder = request.app.state.folders.find(request.path_params["run"])
    name = request.query_params.get("series", "train_loss")
    all_of_them = _series(folder).curves()
    if name not in all_of_them:
        raise UsageError("no such series", received=name[:60], do=nearest(name[:60], all_of_them))
    whole = all_of_them[name]
    epochs, drawn = folded(whole)
    band = band_of(whole)
    at = (epochs - 1).astype(int)
    rows = [epochs, *drawn, band.mean[at], band.low[at], band.high[at]]
    head = np.array([len(drawn), len(epochs), whole.shape[1]], "<i4").tobytes()
    return Response(head + np.array(rows, "<f4").tobytes(), media_type="application/octet-stream",
                    headers={"cache-control": "no-store"})  # fmt: skip


def folded(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values as they are drawn, at most 400 columns, without losing an extreme.

    Args:
        whole: (members, epochs).

    Returns:
        Epochs (columns,), and values (members, columns): of many epochs the least and the greatest
        value of each stretch, one after the other.

    Example:
        >>> folded(np.arange(1000.0)[None])[1].shape
        (1, 400)
    """
    length = whole.shape[1]
    if length <= MOST_COLUMNS:
        return np.arange(1.0, length + 1), whole
    ends = np.linspace(0, length, MOST_COLUMNS // 2 + 1).astype(int)
    epochs, columns = [], []
    for start, stop in pairwise(ends.tolist()):
        part = whole[:, start:stop]
        none = np.isnan(part).all(1)
        least = np.where(none, np.nan, np.fmin.reduce(part, axis=1))
        epochs += [start + 1.0, float(stop)]
        columns += [least, np.where(none, np.nan, np.fmax.reduce(part, axis=1))]
    return np.array(epochs), np.array(columns).T


def record_of(folder: Path) -> PopulationRecord:
    """What a folder says of its population.

    Raises:
        InputError: it holds none, or a damaged one.
    """
    try:
        plain = json.loads((folder / STATEMENT).read_text())
        return msgspec.convert(plain, PopulationRecord, strict=False)
    except FileNotFoundError:
        raise InputError("this is no population", where=folder.name,
                         do="look at its overview") from None  # fmt: skip
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise InputError("the table of the population cannot be read", where=folder.name,
                         received=str(error)[:80]) from None  # fmt: skip


def _series(folder: Path) -> MemberSeries:
    """The curves of the members; none of a folder from before they were kept so."""
    path = folder / FILE
    if path.is_file():
        return read_members(path)
    return _old(folder / "curves.npz", _stamp(folder / "curves.npz"))


@lru_cache(4)
def _old(path: Path, stamp: float) -> MemberSeries:
    """Curves as they were kept before."""
    if not stamp:
        return NO_SERIES
    try:
        with np.load(path, allow_pickle=False) as file:
            kept = {name: np.asarray(file[name], np.float64) for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError("the curves cannot be read", where=path.name,
                         received=type(error).__name__) from None  # fmt: skip
    series, count = {}, 0
    for name, values in kept.items():
        rows, columns = np.nonzero(~np.isnan(values))
        series[name] = rows.astype(np.int32), columns.astype(np.int64) + 1, values[rows, columns]
        count = max(count, len(values))
    return MemberSeries(count, series, {})


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _whole(found: PopulationRecord, series: MemberSeries, state: str, say: Say) -> dict[str, Any]:
    """Members, what differs between them, and what can be said of all."""
    watched = series_of(found, series)
    now = _last(series, watched)
    counts = np.zeros(len(found.members), int)
    if now:
        counts = np.bincount(series.series[watched][0], minlength=len(counts))
    shown = show if watched == f"val_{found.metric}" or not found.state else _plain
    differs = differing({str(n): recipe for n, recipe in enumerate(found.recipes)})
    members = []
    for one in found.members:
        ended = series.ends.get(one.member, ("", 0))[0]
        lost = one.error is not None or ended == DIVERGED
        standing = "diverged" if lost else state if state != "running" else ended or "running"
        value = one.score.score.value if one.score else now.get(one.member)
        members.append({
            "member": one.member, "seed": one.seed, "recipe": one.recipe, "state": standing,
            "epochs": one.epochs or int(counts[one.member]),
            "value": value, "said": "" if value is None else shown(found.metric, value),
            "low": one.score.score.low if one.score else None,
            "high": one.score.score.high if one.score else None,
            "error": (one.error or {}).get("what", ""),
            "differs": {name: _word(values[one.recipe]) for name, values in differs.items()},
        })  # fmt: skip
    return {
        "metric": found.metric, "name": metric_name(found.metric, say),
        "greater": bool(find(found.metric).greater_is_better),
        "data": found.data.name, "members": members, "differs": list(differs),
        "series": list(series.series), "watched": watched,
        "sentences": _said(found, now, watched, state, say),
    }  # fmt: skip


def series_of(found: PopulationRecord, series: MemberSeries) -> str:
    """The series that stands for the score while members train."""
    wanted = (f"val_{found.metric}", "val_loss", "train_loss")
    return next((name for name in wanted if name in series.series), "")


def _last(series: MemberSeries, name: str) -> dict[int, float]:
    """The last value of each member."""
    if not name:
        return {}
    members, _, values = series.series[name]
    return dict(zip(members.tolist(), values.tolist(), strict=True))


def _plain(metric: str, value: float) -> str:
    """A number that is no score."""
    return f"{value:.4g}"


def _word(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool)) or value is None else str(value)


def _said(
    found: PopulationRecord, now: dict[int, float], watched: str, state: str, say: Say
) -> list[str]:
    """What can be said of all members: with the words of the report, or as they stand."""
    scored = [one.score.score for one in found.members if one.score is not None]
    if scored:
        rows = say("{n} rows", n=f"{scored[0].n:,}")
        values = np.array([score.value for score in scored])
        return [population_sentence(found, values, say), *population_intervals(found, rows, say)]
    finite = np.array([value for value in now.values() if np.isfinite(value)])
    if not len(finite):
        return [say("No member has ended an epoch yet.") if state == "running"
                else say("Every member diverged.")]  # fmt: skip
    said = [population_sentence(found, finite, say)] if watched == f"val_{found.metric}" else []
    if state == "running":
        said.append(say("So far: members train, and all of this may change."))
    else:
        said.append(say("It was interrupted: this is how far its members came, and none was kept."))
    return said


async def script(request: Request) -> Response:
    """`GET /api/runs/{run}/population/script`: Python that trains the same population."""
    folder = await run_in_threadpool(request.app.state.folders.find, request.path_params["run"])
    workshop = request.app.state.workshops["explain"]
    return reply(await workshop.ask("population_script", {"folder": str(folder)}))


ROUTES = (
    Route("/api/runs/{run}/population", population),
    Route("/api/runs/{run}/population/curves", curves),
    Route("/api/runs/{run}/population/script", script),
)  # fmt: skip
