"""Runs beside each other, and the reports of studies; both are computed by the worker."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.errors import UsageError
from chymist.studio.replies import reply

MOST = 40  # runs


async def compare(request: Request) -> Response:
    """`GET /api/compare?run=A&run=B`: who is better, and how sure that is."""
    names = list(dict.fromkeys(request.query_params.getlist("run")))
    if not 2 <= len(names) <= MOST:
        raise UsageError("a comparison takes several runs", received=str(len(names)),
                         do=f"choose 2 to {MOST} in the list of runs")  # fmt: skip
    folders = [str(request.app.state.folders.find(name)) for name in names]
    options = {"folders": folders, "lang": request.query_params.get("lang", "en")}
    return reply(await request.app.state.workshops["explain"].ask("compare", options))


async def study(request: Request) -> Response:
    """`GET /api/runs/{run}/study`: the report of a comparison, cross-validation, search, ..."""
    folder = request.app.state.folders.find(request.path_params["run"])
    options = {"folder": str(folder), "lang": request.query_params.get("lang", "en")}
    return reply(await request.app.state.workshops["explain"].ask("study", options))


ROUTES = (Route("/api/compare", compare), Route("/api/runs/{run}/study", study))
