"""The model of a run as a graph."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.errors import UsageError
from chymist.studio.asking import ask_quick, language_of
from chymist.studio.replies import reply


async def architecture(request: Request) -> Response:
    """`GET /api/runs/{run}/architecture?depth=&lang=`: the graph, drawn and node by node."""
    folder = request.app.state.folders.find(request.path_params["run"])
    given = request.query_params.get("depth", "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 3):
        raise UsageError("not a depth", received=given[:20], do="a number such as 2")
    options = {"folder": str(folder), "depth": int(given) if given else None}
    return reply(await ask_quick(request, "picture", **options, lang=language_of(request)))


ROUTES = (Route("/api/runs/{run}/architecture", architecture),)
