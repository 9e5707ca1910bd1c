"""The studio asked over raw sockets: what no browser sends, and what takes its time."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chymist.studio import protocol
from chymist.studio.app import unguarded
from chymist.studio.guard import HEADERS, Guard
from chymist.studio.protocol import Server
from chymist.studio.server import listen
from chymist.studio.site import Site
from tests.studio_requests import Recorder, filled

CANARY = b"a canary that nobody may read"


@dataclass
class Served:
    """A server in a thread, with the studio's guard and protocol."""

    site: Site
    recorder: Recorder

    def say(self, content: bytes, seconds: float = 10) -> bytes:
        """All that comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.site.port), timeout=seconds) as link:
            link.sendall(content)
            found = b""
            while part := link.recv(65_536):
                found += part
            return found

    def head(self, method: str = "GET", path: str = "/api/runs", version: str = "1.1") -> bytes:
        """A good request's head, without its last line; the connection ends after the answer."""
        lines = [f"{method} {path} HTTP/{version}", f"Host: 127.0.0.1:{self.site.port}",
                 f"Cookie: {self.site.cookie}={self.site.session}", "Connection: close",
                 f"X-Chymist-Nonce: {self.site.nonce}"]  # fmt: skip
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def served(app: Any, site: Site, listening: socket.socket) -> Iterator[None]:
    server = Server(Guard(app, site))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


class Counting(Recorder):
    """Counts, and answers when the server starts and stops."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            return await super().__call__(scope, receive, send)
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})


@pytest.fixture(scope="module")
def counted() -> Iterator[Served]:
    with listen(0) as listening:
        site, recorder = Site((), listening.getsockname()[1]), Counting()
        running = served(recorder, site, listening)
        next(running)
        yield Served(site, recorder)
        next(running, None)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    """The whole application over a folder of runs, a canary beside it."""
    runs = tmp_path / "runs"
    run = runs / "digits-0001"
    run.mkdir(parents=True)
    (run / "environment.json").write_text("{}")
    (tmp_path / "canary.txt").write_bytes(CANARY)
    (runs / "linked").symlink_to(tmp_path)
    (run / "linked.svg").symlink_to(tmp_path / "canary.txt")
    with listen(0) as listening:
        site = Site((runs,), listening.getsockname()[1])
        running = served(unguarded(site), site, listening)
        next(running)
        yield Served(site, Recorder()), tmp_path
        next(running, None)


def refused(counted: Served, content: bytes) -> bytes:
    """The answer to a request that must reach no handler, sealed as all answers are."""
    counted.recorder.reached.clear()
    answer = counted.say(content)
    assert not counted.recorder.reached
    assert answer[9:10] in (b"4", b"5"), answer[:200]
    for name, value in HEADERS:
        assert answer.count(name + b": " + value) == 1, answer
    assert b"access-control" not in answer.lower()
    assert b"secret" not in answer
    return answer


def test_a_good_request_over_a_socket(counted: Served) -> None:
    answer = counted.say(counted.head() + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"secret" in answer
    assert b"\r\nserver:" not in answer.lower()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/runs HTTP/1.0\r\n\r\n",
        b"GET /api/runs\r\n\r\n",
        b"GET /api/runs HTTP/1.1\r\n\r\n",
        b"GET /api/runs HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 20 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(counted: Served, head: bytes) -> None:
    refused(counted, head)


@pytest.mark.parametrize(
    "more",
    [
        b"Host: evil.example\r\n",
        b"host : evil.example\r\n",
        b"Origin: http://evil.example\r\n",
        b"Origin: null\r\n",
        b"Sec-Fetch-Site: cross-site\r\n",
        b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
        b"Cookie: other=1\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\nContent-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"X-Large: " + b"a" * 70_000 + b"\r\n",
        b"no colon\r\n",
        b"X-Nul: a\x00b\r\n",
    ],
)
def test_one_odd_header_is_refused(counted: Served, more: bytes) -> None:
    refused(counted, counted.head() + more + b"\r\n")


def test_http_1_0_with_all_secrets_is_refused(counted: Served) -> None:
    assert b"HTTP/1.1 only" in refused(counted, counted.head(version="1.0") + b"\r\n")


def test_no_continue_for_what_is_too_large(counted: Served) -> None:
    head = counted.head("POST") + b"Content-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"
    answer = refused(counted, head)
    assert b" 413 " in answer
    assert b"100 Continue" not in answer


def test_a_second_request_on_a_refused_connection_is_not_read(counted: Served) -> None:
    evil = b"GET /api/runs HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    answer = refused(counted, evil + counted.head() + b"\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_one_connection_serves_many_requests(counted: Served) -> None:
    good = counted.head().replace(b"Connection: close\r\n", b"") + b"\r\n"
    answer = counted.say(good * 50 + counted.head() + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 51


def test_who_sends_too_slowly_is_left(counted: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", counted.site.port), timeout=5) as link:
        link.settimeout(0.01)
        answer = b"nothing yet"
        for sign in itertools.cycle(counted.head().replace(b"\r\n", b"x")):
            try:
                link.sendall(bytes([sign]))
                answer = link.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not answer:
                break
        assert time.monotonic() - begun < 4
    assert counted.say(b"") == b""  # silence is left as well
    # One that has begun in time is served however slow its first half was.
    assert b"200 OK" in counted.say(counted.head() + b"\r\n")


def test_too_many_connections_are_let_go(counted: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 20)
    where = ("127.0.0.1", counted.site.port)
    links = [socket.create_connection(where, timeout=5) for _ in range(40)]
    lost = 0
    for link in links[20:]:
        try:
            lost += link.recv(1) == b""
        except ConnectionError:
            lost += 1
    assert lost == 20
    for link in links:
        link.close()
    for _ in range(100):  # until the server has noticed
        try:
            if b"200 OK" in counted.say(counted.head() + b"\r\n"):
                return
        except ConnectionError:
            time.sleep(0.05)
    pytest.fail("it does not recover")


SLASHES = (
    "/",
    "%2f",
    "%2F",
    "\\",
    "%5c",
    "%5C",
    "%252f",
    "%255c",
    "%c0%af",
    "%e2%81%84",
    "//",
    "/./",
    ";/",
    "%00/",
)
DOTS = ("..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
        "%uff0e%uff0e", "...", "..%00", "..;", "%ef%bc%8e%ef%bc%8e", ". .", "..%20", ".%00.")  # fmt: skip
GOALS = (
    "canary.txt",
    "canary%2etxt",
    "digits-0001/../../canary.txt",
    "runs/../canary.txt",
    "linked/canary.txt",
)
STARTS = ("", "digits-0001", "linked", "x", "file:", "C:", "~", "/", "%2f", ".")


def encodings(whole: Path, most: int) -> Sequence[str]:
    """Ways out of a folder, as addresses: the plain ones first, then a sample of all."""
    target = str(whole / "canary.txt")
    fixed = [target, target[1:], f"file://{target}", target.replace("/", "%2f"), "linked.svg",
             "linked", "linked/canary.txt", "linked%2fcanary.txt", "..", ".", "%2e%2e", "~root"]  # fmt: skip
    every = [
        start + slash * bool(start) + slash.join([dots] * depth) + slash + goal
        for start, slash, dots, depth, goal in itertools.product(
            STARTS, SLASHES, DOTS, (1, 2, 3, 6, 12), GOALS
        )
    ]
    random.Random(0).shuffle(every)
    return [*fixed, *every[: most - len(fixed)]]


def parameters(site: Site) -> list[str]:
    """Every route with each of its parameters open, the others filled."""
    found = []
    for route in unguarded(site).routes:
        path: str = route.path  # type: ignore[attr-defined]
        for part in [part for part in path.split("/") if part.startswith("{")]:
            before, after = path.split(part, 1)
            found.append(filled(before, "digits-0001") + "\0" + filled(after, "digits-0001"))
        if "{" not in path:
            found.append(path.rstrip("/") + "/\0")
    return found


def walk(real: tuple[Served, Path], most: int) -> int:
    """Ask for the canary in every way through every parameter; how often that was tried."""
    here, whole = real
    tried = 0
    ways = encodings(whole, most)
    for place in parameters(here.site):
        keeping = here.head("GET", place + "\0").replace(b"Connection: close\r\n", b"") + b"\r\n"
        before, _, after = keeping.replace(place.encode(), b"\1").partition(b"\1\0")
        with socket.create_connection(("127.0.0.1", here.site.port), timeout=20) as link:
            for way in ways:
                said = place.replace("\0", way).encode("latin-1").replace(b" ", b"%20")
                try:
                    answer = one_answer(link, before + said + after)
                except ConnectionError:
                    answer = b""
                if not answer or b"connection: close" in answer.lower():
                    link.close()
                    link = socket.create_connection(("127.0.0.1", here.site.port), timeout=20)
                assert CANARY not in answer, said
                assert not answer.startswith(b"HTTP/1.1 5"), (said, answer)
                tried += 1
            link.close()
    return tried


def one_answer(link: socket.socket, content: bytes) -> bytes:
    link.sendall(content)
    found = b""
    while b"\r\n\r\n" not in found:
        part = link.recv(65_536)
        if not part:
            return found
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    told = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while told and len(body) < int(told[0].split(b":")[1]):
        body += link.recv(65_536)
    return head + b"\r\n\r\n" + body


def test_no_way_leads_out_of_the_folders(real: tuple[Served, Path]) -> None:
    assert walk(real, 60) >= 60 * 4


@pytest.mark.hard
def test_no_way_leads_out_of_the_folders_in_thousands(real: tuple[Served, Path]) -> None:
    assert walk(real, 2_000) >= 2_000 * 4


def test_the_canary_can_be_found(real: tuple[Served, Path]) -> None:
    here, whole = real
    assert (whole / "runs/digits-0001/linked.svg").read_bytes() == CANARY
    assert b"digits-0001" in here.say(here.head() + b"\r\n")
    assert b'"linked"' not in here.say(here.head() + b"\r\n")
