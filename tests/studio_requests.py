"""Requests to the studio without a socket, and an application that counts what reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import Headers
from starlette.routing import Route

from chymist.studio.app import unguarded
from chymist.studio.guard import HEADERS
from chymist.studio.site import Site

PORT = 7077
METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
)


@dataclass(frozen=True)
class Asked:
    """A request as the server hands it on."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    query: str = ""
    body: bytes = b""
    version: str = "1.1"
    raw: bytes | None = None

    def scope(self) -> dict[str, Any]:
        raw = self.path.encode() if self.raw is None else self.raw
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.version, "method": self.method, "scheme": "http",
            "path": self.path, "raw_path": raw, "query_string": self.query.encode(),
            "root_path": "", "headers": [(n.encode(), v.encode("latin-1")) for n, v in self.headers],
            "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", PORT), "state": {},
        }  # fmt: skip

    def without(self, name: str) -> Asked:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))

    def having(self, name: str, value: str) -> Asked:
        return replace(self.without(name), headers=(*self.without(name).headers, (name, value)))

    def twice(self, name: str, value: str) -> Asked:
        return replace(self, headers=(*self.headers, (name, value)))


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


async def asked_of(app: Any, request: Asked, most: int = 0) -> Answer:
    """An answer, without a socket; one that does not end is left after so many bytes or a second."""
    found, left = Answer(), [request.body]
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.status, found.headers = message["status"], Headers(raw=list(message["headers"]))
        else:
            found.body += message.get("body", b"")
            if not message.get("more_body") or (most and len(found.body) > most):
                gone.set()

    if most:
        asyncio.get_running_loop().call_later(1.0, gone.set)
    await app(request.scope(), receive, send)
    return found


class Recorder:
    """Stands in the place of every handler and counts."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(f"{scope['method']} {scope['path']}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})


def paths(site: Site) -> list[str]:
    """An address of every route."""
    routes = unguarded(site).routes
    assert all(type(route) is Route for route in routes), "a kind of route that the matrix lacks"
    found = [route.path for route in routes if isinstance(route, Route)]
    return sorted({filled(path, "digits-0001") for path in found} | {"/nowhere", "/api/nowhere"})


def filled(path: str, value: str) -> str:
    """A route's path with its parameters put in."""
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + value + path[end + 1 :]
    return path


def good(site: Site, method: str, path: str) -> Asked:
    """A request of the studio's own page."""
    host = f"127.0.0.1:{site.port}"
    headers = [("host", host), ("cookie", f"{site.cookie}={site.session}"),
               ("sec-fetch-site", "same-origin")]  # fmt: skip
    if method not in ("GET", "HEAD"):
        headers += [("origin", f"http://{host}"), ("x-chymist-nonce", site.nonce),
                    ("content-type", "application/json")]  # fmt: skip
    return Asked(method, path, tuple(headers), body=b"{}" if method == "POST" else b"")


def assert_sealed(answer: Answer) -> None:
    """Every answer has each of the headers once, and none that opens it to others."""
    for name, value in HEADERS:
        assert answer.headers.getlist(name.decode()) == [value.decode()]
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "server" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
