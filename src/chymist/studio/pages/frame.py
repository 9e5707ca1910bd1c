"""What stands above every page of a run: its kind and how it stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.kinds import kind_in, state_of
from chymist.studio.replies import reply


def frame(request: Request) -> Response:
    """`GET /api/runs/{run}/frame`: kind and state of a run."""
    folder = request.app.state.folders.find(request.path_params["run"])
    return reply({"kind": kind_in(folder), "state": state_of(folder)})


ROUTES = (Route("/api/runs/{run}/frame", frame),)
