"""The server as one function of requests: routes of all pages behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from chymist.errors import ChymistError, InputError
from chymist.studio.folders import Folders
from chymist.studio.guard import Guard
from chymist.studio.pages import ROUTES
from chymist.studio.plays import Plays
from chymist.studio.replies import error_reply, reply
from chymist.studio.site import Site
from chymist.studio.workshop import Workshop

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
WORKSHOPS = ("explain",)  # what is slow must not stop what is live


def make_app(site: Site) -> ASGIApp:
    """The studio as an ASGI application.

    Args:
        site: what is shown, and who may see it.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.site, app.state.folders = site, Folders(site.folders)
        app.state.workshops = {name: Workshop() for name in WORKSHOPS}
        app.state.plays = Plays()
        yield
        await app.state.plays.close()
        for workshop in app.state.workshops.values():
            await workshop.close()

    routes = [
        Route("/", static_file),
        Route("/static/{name}", static_file),
        Route("/api/session", session),
        *ROUTES,
    ]
    handlers = {ChymistError: _failed}
    return Guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers), site)


async def static_file(request: Request) -> Response:
    """A file of the built pages, by its name in the folder."""
    name = request.path_params.get("name", "index.html")
    files = {path.name: path for path in Path(str(resources.files(__package__))).glob("static/*")}
    if name not in files:
        raise InputError("no such file", received=name[:60])
    kind = TYPES.get(files[name].suffix, "application/octet-stream")
    return Response(files[name].read_bytes(), media_type=kind,
                    headers={"cache-control": "no-cache"})  # fmt: skip


async def session(request: Request) -> Response:
    """What a page has to know before it can ask for changes."""
    from chymist import __version__

    return reply({"nonce": request.app.state.site.nonce, "version": __version__})


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChymistError)
    return error_reply(error)
