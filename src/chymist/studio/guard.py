"""Who may ask: every request is checked before anything is routed, every answer is sealed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chymist.errors import InputError, printable
from chymist.studio.attending import attended
from chymist.studio.checks import CHECKS, Check, Refusal, key_of, known_session
from chymist.studio.replies import error_reply
from chymist.studio.site import Site

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
LAST = {"connection": "close", "cache-control": "no-store"}


class Guard:
    """Lets requests of the user's own browser through, and refuses all others.

    Args:
        app: what answers.
        site: whose keys, session and nonce count.
        checks: all of them must be passed.
    """

    def __init__(self, app: ASGIApp, site: Site, checks: Iterable[Check] = CHECKS) -> None:
        self.app, self.site, self.checks = app, site, tuple(checks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # no WebSocket
            return await send({"type": "websocket.close", "code": 1008})
        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        answer = self.answer(scope)
        if answer:
            return await answer(scope, receive, sealed)
        try:
            await attended(self.app, scope, receive, sealed)
        except Exception as error:  # the one catch-all of the server
            failed = unforeseen(error)
            if begun:  # half an answer must not look like a whole one
                raise
            await error_reply(failed, 500)(scope, receive, sealed)

    def answer(self, scope: Scope) -> Response | None:
        """A refusal, or the cookie for who came with a key; None where a page is to answer."""
        headers = Headers(scope=scope)
        key = key_of(scope)
        for check in self.checks:
            refused = check(self.site, scope, headers)
            if refused and check is known_session and key and self.site.use(key):
                return self.entrance()
            if refused:
                return refusal(refused)
        return RedirectResponse("/", 303, {"cache-control": "no-store"}) if key else None

    def entrance(self) -> Response:
        """The cookie, and the way to an address without a key."""
        answer = RedirectResponse("/", 303, {"cache-control": "no-store"})
        answer.set_cookie(
            self.site.cookie, self.site.session, httponly=True, samesite="strict", path="/"
        )
        return answer


def refusal(refused: Refusal) -> Response:
    """A refusal as an answer, after which the connection ends."""
    return PlainTextResponse(refused[1], refused[0], LAST)


def unforeseen(error: Exception) -> InputError:
    """An error that nobody has thought of, as one line; the terminal is told where it arose."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last)
    said = printable(f"{type(error).__name__}: {error}"[:160])
    with suppress(OSError, ValueError):  # the terminal may be closed
        print(f"chymist: in the studio, {place}: {said}", file=sys.stderr, flush=True)
    return InputError("something unforeseen went wrong", where=place, received=said,
                      do="please report it", code="unforeseen")  # fmt: skip
