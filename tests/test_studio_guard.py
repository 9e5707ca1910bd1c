"""Who may ask the studio: every route, every method, everything that can be wrong with a request.

The matrix is made from the routes of the application, so that a new route is in it at once. What
may reach a handler is counted by an application that stands in the place of all handlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.studio import attending
from chymist.studio.app import Application, unguarded
from chymist.studio.checks import CHECKS, Check
from chymist.studio.guard import Guard
from chymist.studio.replies import reply
from chymist.studio.site import Site
from tests.studio_requests import (
    METHODS,
    PORT,
    Answer,
    Asked,
    Recorder,
    asked_of,
    assert_sealed,
    good,
    paths,
)


@pytest.fixture(scope="module")
def site() -> Site:
    return Site((), PORT)


def wrong(site: Site, method: str, path: str) -> Iterator[tuple[str, Asked]]:
    """The same request with one thing wrong, and what it is."""
    fine = good(site, method, path)
    host = f"127.0.0.1:{site.port}"
    for name in ("evil.example", f"evil.example:{site.port}", "127.0.0.1", "127.0.0.1:80", "",
                 f"127.0.0.1:{site.port}.evil.example", f"[::1]:{site.port}", f"0.0.0.0:{site.port}",
                 f"127.0.0.1.:{site.port}", f"LOCALHOST.evil:{site.port}", f"127.1:{site.port}",
                 f"user@127.0.0.1:{site.port}", f"127.0.0.1:{site.port}, evil.example"):  # fmt: skip
        yield "host", fine.without("origin").having("host", name)
    yield "host", fine.without("origin").without("host")
    for name in ("http://evil.example", "null", "", f"https://{host}", "http://127.0.0.1",
                 f"http://{host}.evil.example", f"http://{host}/", f"http://localhost:{site.port}",
                 f"http://127.0.0.1:{site.port + 1}", "file://", "chrome-extension://x"):  # fmt: skip
        yield "origin", fine.having("origin", name)
    for name in (
        "cross-site",
        "same-site",
        "",
        "Same-Origin",
        "same-origin, cross-site",
        "nonsense",
    ):
        yield "site", fine.having("sec-fetch-site", name)
    yield from wrong_forms(site, fine)
    yield from wrong_secrets(site, fine)


def wrong_forms(site: Site, fine: Asked) -> Iterator[tuple[str, Asked]]:
    """Of a good request: other protocols, doubled headers, odd paths, odd lengths."""
    path, host = fine.path, f"127.0.0.1:{site.port}"
    for version in ("1.0", "0.9", "2", "2.0", "3"):
        yield "version", replace(fine, version=version)
    for word in ("websocket", "h2c", "TLS/1.0", ""):
        yield "version", fine.having("upgrade", word).having("connection", "Upgrade")
    yield "version", fine.having("connection", "keep-alive, Upgrade")
    for name, value in fine.headers:
        yield "twice", fine.twice(name, value)
    yield "twice", fine.having("origin", f"http://{host}").twice("origin", "http://evil.example")
    yield "large", fine.having("x-large", "a" * 40_000)
    yield "large", replace(fine, headers=(*fine.headers, *((f"x-{n}", "1") for n in range(100))))
    for raw in disguised(path):
        yield "path", replace(fine, raw=raw, path=decoded(raw))
    yield "path", replace(fine, query="a" * 9_000)
    for length in ("1000001", "9" * 15, "9" * 30, "-1", "1e3", "", "²", "0x10"):
        yield "length", fine.having("content-length", length)
    if fine.method in ("GET", "HEAD"):
        yield "length", fine.having("content-length", "5")
        yield "length", fine.having("transfer-encoding", "chunked")


def wrong_secrets(site: Site, fine: Asked) -> Iterator[tuple[str, Asked]]:
    """Of a good request: no session or another one, no nonce or another one."""
    old = Site((), site.port)
    yield "session", fine.without("cookie")
    for value in ("", f"{site.cookie}=", f"{site.cookie}={old.session}", f"{site.cookie}=é",
                  f"other={site.session}", f"chymist-{site.port + 1}={site.session}",
                  f"{site.cookie}={site.session[:-1]}", f"{site.cookie}={site.session}x",
                  f"{site.cookie}={site.nonce}", f"{site.cookie.upper()}={site.session}"):  # fmt: skip
        yield "session", fine.having("cookie", value)
    if fine.method not in ("GET", "HEAD"):
        yield "nonce", fine.without("x-chymist-nonce")
        for value in (
            "",
            old.nonce,
            site.session,
            site.nonce[:-1],
            site.nonce + "0",
            site.nonce.upper(),
            "é",
        ):
            yield "nonce", fine.having("x-chymist-nonce", value)


def disguised(path: str) -> list[bytes]:
    """Other ways to write a path, or to leave it."""
    plain = path.encode()
    ups = (b"..", b".", b"%2e%2e", b"%2E.", b"..%2f..", b"..%5c..", b"..\\..", b"", b"%00", b"%0d%0a",
           b"%c0%ae%c0%ae", b"%e0%80%ae", b"%ff", b"%2f", b"%5C", b"\\", b"%7f", b"%e2%80%ae", b"%01")  # fmt: skip
    inside = [plain.rstrip(b"/") + b"/" + up + plain for up in ups]
    return [
        *inside, b"/x/.." + plain, b"/." + plain, b"/" + plain, b"http://evil.example" + plain,
        b"http://127.0.0.1:7077" + plain, b"*", b"evil.example:443", b"", plain[1:] or b"?",
        plain + b"/" * 3, b"/" + b"a" * 3_000,
    ]  # fmt: skip


def decoded(raw: bytes) -> str:
    """As the server does it."""
    return unquote(raw.decode("ascii"))


def escaped(site: Site, checks: Iterable[Check] = CHECKS) -> dict[str, int]:
    """How many wrong requests reach a handler, by what is wrong with them; and that right ones do."""
    recorder = Recorder()
    app = Guard(recorder, site, checks)
    reached: dict[str, int] = {}

    async def all_of_it() -> None:
        for path in paths(site):
            for method in METHODS:
                known = method in ("GET", "HEAD", "POST")
                answer = await asked_of(app, good(site, method, path))
                assert (answer.status == 200) == known or checks is not CHECKS, (method, path)
                recorder.reached.clear()
                cases = wrong(site, method, path)
                for kind, request in cases if known else [("method", good(site, method, path))]:
                    answer = await asked_of(app, request)
                    reached[kind] = reached.get(kind, 0) + len(recorder.reached)
                    if not recorder.reached:
                        assert 400 <= answer.status <= 505
                        assert b"secret" not in answer.body
                        assert_sealed(answer)
                    recorder.reached.clear()

    asyncio.run(all_of_it())
    return reached


def test_every_route_refuses_everything_wrong_before_a_handler(site: Site) -> None:
    reached = escaped(site)
    kinds = {
        "host",
        "origin",
        "site",
        "session",
        "version",
        "twice",
        "path",
        "length",
        "nonce",
        "large",
        "method",
    }
    assert set(reached) == kinds
    assert not any(reached.values()), reached


@pytest.mark.parametrize("dropped", CHECKS, ids=lambda check: check.__name__)
def test_the_matrix_fails_without_any_one_of_the_checks(dropped: Check) -> None:
    owner = {
        "known_host": "host", "same_origin": "origin", "same_site": "site", "plain_path": "path",
        "known_session": "session", "known_version": "version", "single_headers": "twice",
        "small_body": "length", "known_nonce": "nonce", "known_method": "method",
        "small_headers": "large",
    }  # fmt: skip
    reached = escaped(Site((), PORT), [check for check in CHECKS if check is not dropped])
    assert reached[owner[dropped.__name__]] > 0, reached


def test_a_websocket_is_closed_before_anything(site: Site) -> None:
    recorder, sent = Recorder(), []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {**good(site, "GET", "/").scope(), "type": "websocket"}
    asyncio.run(Guard(recorder, site)(scope, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert not recorder.reached


def key_in(address: str) -> str:
    return address.split("?")[1]


def test_a_key_opens_one_browser_once() -> None:
    told: list[str] = []
    site = Site((), PORT, told=told.append)
    first, recorder = key_in(site.address), Recorder()
    app = Guard(recorder, site)

    def come(query: str, method: str = "GET", **headers: str) -> Answer:
        request = good(site, method, "/").without("cookie").having("sec-fetch-site", "none")
        for name, value in headers.items():
            request = request.having(name.replace("_", "-"), value)
        return asyncio.run(asked_of(app, replace(request, query=query)))

    assert come(first, "HEAD").status == 401
    assert come(first, host="evil.example").status == 403
    assert come(first, origin="http://evil.example").status == 403
    assert come(first, sec_fetch_site="cross-site").status == 403
    assert come(first + "x").status == 401
    assert come("key=").status == 401
    assert not told
    answer = come(first)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie == f"{site.cookie}={site.session}; HttpOnly; Path=/; SameSite=strict"
    assert_sealed(answer)
    again = come(first)
    assert again.status == 401
    assert b"used before" in again.body
    assert told == [site.address]  # the terminal has a fresh one
    assert key_in(told[0]) != first
    # Who is in already is led away from the key, and does not use it up.
    answer = come(key_in(told[0]), cookie=f"a={{; {site.cookie}=old; {site.cookie}={site.session}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "set-cookie" not in answer.headers
    assert come(key_in(told[0])).status == 303
    other = [key_in(site.another()) for _ in range(10)]
    assert [come(key).status for key in other] == [401] * 2 + [303] * 8
    assert [come(key).status for key in other] == [401] * 10
    assert recorder.reached == []


def test_secrets_are_new_for_every_studio_and_not_shown() -> None:
    one, two = Site((), PORT), Site((), PORT)
    assert len({one.session, two.session, one.nonce, two.nonce, one.address, two.address}) == 6
    assert min(len(one.session), len(one.nonce)) >= 32
    assert not any(secret in repr(one) for secret in (one.session, one.nonce, key_in(one.address)))


def test_every_answer_of_the_real_routes_is_sealed(site: Site) -> None:
    app = Guard(unguarded(site), site)

    async def ask() -> None:
        for path in paths(site):
            for method in METHODS:
                assert_sealed(await asked_of(app, good(site, method, path)))
        missing = await asked_of(app, good(site, "GET", "/nowhere"))
        assert (missing.status, missing.headers["content-type"]) == (404, "application/json")
        wrong = await asked_of(app, good(site, "POST", "/api/session"))
        assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
        slash = await asked_of(app, good(site, "GET", "/api/session/"))
        assert slash.status == 400

    asyncio.run(ask())


def small(site: Site, handler: Any) -> Guard:
    return Guard(Application([Route("/x", handler, methods=["GET", "POST"])]), site)


def test_what_nobody_foresaw_is_one_honest_line(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(request: Request) -> Response:
        raise KeyError("no\x1b[31m")

    answer = asyncio.run(asked_of(small(site, broken), good(site, "GET", "/x")))
    assert answer.status == 500
    assert b"something unforeseen went wrong" in answer.body
    assert b"Traceback" not in answer.body
    assert_sealed(answer)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "test_studio_guard.py" in said
    assert "KeyError" in said
    assert "\x1b" not in said


def test_a_body_that_grows_too_large_is_refused_while_it_comes(site: Site) -> None:
    read: list[int] = []

    async def taking(request: Request) -> Response:
        read.append(len(await request.body()))
        return reply(read)

    app = small(site, taking)
    answer = asyncio.run(asked_of(app, replace(good(site, "POST", "/x"), body=b"x" * 1_000_001)))
    assert answer.status == 413
    assert b'"code": "too-large"' in answer.body
    assert answer.headers["connection"] == "close"
    answer = asyncio.run(asked_of(app, replace(good(site, "POST", "/x"), body=b"x" * 1_000_000)))
    assert answer.body == b"[1000000]"
    assert "connection" not in answer.headers


def test_a_body_that_does_not_end_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending, "BODY_SECONDS", 0.05)

    async def taking(request: Request) -> Response:
        await request.body()
        raise AssertionError("it has no end")

    async def ask() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        await small(site, taking)(good(site, "POST", "/x").scope(), receive, send)
        return sent

    sent = asyncio.run(asyncio.wait_for(ask(), 5))
    assert sent[0]["status"] == 408
    assert b"did not end" in sent[1]["body"]


def test_work_ends_when_the_client_goes(site: Site) -> None:
    ended = []

    async def working(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(True)
            raise
        return reply({})

    async def ask() -> None:
        left = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if left:
                return left.pop()
            await asyncio.sleep(0.02)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError("nobody is there")

        await small(site, working)(good(site, "GET", "/x").scope(), receive, send)

    asyncio.run(asyncio.wait_for(ask(), 5))
    assert ended == [True]


def test_a_second_session_is_no_session(site: Site) -> None:
    other = Guard(Recorder(), Site((), PORT))
    answer = asyncio.run(asked_of(other, good(site, "GET", "/api/runs")))
    assert answer.status == 401
