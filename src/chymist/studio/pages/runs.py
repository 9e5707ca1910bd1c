"""The list of runs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.studio.replies import reply


async def list_runs(request: Request) -> Response:
    """`GET /api/runs`: every run folder."""
    return reply({"runs": [{"name": name} for name in request.app.state.folders.all()]})


ROUTES = (Route("/api/runs", list_runs),)
