"""The server as one function of requests: routes of all pages behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan

from chymist.errors import ChymistError, InputError
from chymist.studio.built import page, static_file
from chymist.studio.folders import Folders
from chymist.studio.guard import Guard
from chymist.studio.index import Index
from chymist.studio.pages import ROUTES
from chymist.studio.plays import Plays
from chymist.studio.replies import error_reply, reply
from chymist.studio.site import Site
from chymist.studio.workshop import Busy, Workshop

WORKSHOPS = ("explain",)  # what is slow must not stop what is live


def make_app(site: Site) -> ASGIApp:
    """The studio as an ASGI application.

    Args:
        site: what is shown, and who may see it.
    """
    return Guard(unguarded(site), site)


def unguarded(site: Site) -> Starlette:
    """All routes, for the guard and for tests; nothing may serve them without it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.site, app.state.folders = site, Folders(site.folders)
        app.state.index = Index(app.state.folders)
        app.state.index.rows(patience=0)  # begins to read them
        app.state.workshops = {name: Workshop() for name in WORKSHOPS}
        app.state.plays = Plays()
        try:
            yield
        finally:
            await app.state.plays.close()
            for workshop in app.state.workshops.values():
                await workshop.close()

    routes = [
        Route("/", page),
        Route("/static/{name}", static_file),
        Route("/api/session", session),
        Route("/api/link", another_link, methods=["POST"]),
        *ROUTES,
    ]
    return Application(routes, lifespan)


class Application(Starlette):
    """Routes, and the errors that are answers; what nobody foresaw is left to the guard.

    Args:
        routes: of all pages.
        lifespan: what is there while it is served.
    """

    def __init__(
        self, routes: Sequence[Route], lifespan: Lifespan[Starlette] | None = None
    ) -> None:
        handlers = {ChymistError: _failed, HTTPException: _unknown}
        super().__init__(routes=routes, lifespan=lifespan, exception_handlers=handlers)
        self.router.redirect_slashes = False

    def build_middleware_stack(self) -> ASGIApp:
        """The routes behind the answers of known errors, nothing else."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)


async def session(request: Request) -> Response:
    """`GET /api/session`: what a page has to know before it can ask for changes."""
    from chymist import __version__

    return reply({"nonce": request.app.state.site.nonce, "version": __version__})


async def another_link(request: Request) -> Response:
    """`POST /api/link`: an address that opens the studio once, for another browser."""
    return reply({"address": request.app.state.site.another()})


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChymistError)
    if isinstance(error, Busy):
        answer = error_reply(error, 503)
        answer.headers["retry-after"] = "5"
        return answer
    return error_reply(error, 404 if error.code == "no-such-address" else None)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    failed = InputError(error.detail.lower(), code=error.detail.lower().replace(" ", "-"))
    answer = error_reply(failed, error.status_code)
    answer.headers.update(error.headers or {})
    return answer
