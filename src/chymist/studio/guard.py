"""Who may ask: host, origin and session are checked before anything is routed."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chymist.studio.site import HOST, Site

NONCE = "x-chymist-nonce"
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


class Guard:
    """Lets requests of the user's own browser through, and refuses all others.

    Args:
        app: what answers.
        site: whose key, session and nonce count.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # no WebSocket
            return await send({"type": "websocket.close", "code": 1008})

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        answer = self.refusal(scope) or self.entrance(scope)
        await (answer or self.app)(scope, receive, guarded)

    def refusal(self, scope: Scope) -> Response | None:
        """Why a request is not answered; None if it may be."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if hosts not in ([f"{HOST}:{self.site.port}"], [f"localhost:{self.site.port}"]):
            return PlainTextResponse("wrong host", 403)
        if origins not in ([], [f"http://{hosts[0]}"]):
            return PlainTextResponse("wrong origin", 403)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return PlainTextResponse("cross-site request", 403)
        if self._key(scope):
            return None
        if not _same(self._session(headers), self.site.session):
            return PlainTextResponse("open the address that chymist studio printed", 401)
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and not _same(headers.get(NONCE, ""), self.site.nonce):
            return PlainTextResponse("a change needs the header of the page", 403)
        return None

    def entrance(self, scope: Scope) -> Response | None:
        """The cookie, for who came with the key."""
        if not self._key(scope):
            return None
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self.site.cookie, self.site.session, httponly=True, samesite="strict", path="/"
        )
        return answer

    def _key(self, scope: Scope) -> bool:
        if scope["method"] != "GET" or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])
        return _same(given[0], self.site.key)

    def _session(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self.site.cookie].value if self.site.cookie in cookies else ""


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())
