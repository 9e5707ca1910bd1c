"""What stands above every page of a run: its kind and how it stands."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.kinds import kind_in, state_of
from chymist.studio.asking import warm
from chymist.studio.replies import reply


async def frame(request: Request) -> Response:
    """`GET /api/runs/{run}/frame`: kind and state of a run; who looks at one soon asks more."""
    found = await run_in_threadpool(_frame, request)
    warm(request)
    return reply(found)


def _frame(request: Request) -> dict[str, str]:
    folder = request.app.state.folders.find(request.path_params["run"])
    return {"kind": kind_in(folder), "state": state_of(folder)}


ROUTES = (Route("/api/runs/{run}/frame", frame),)
