"""HTTP/1.1 with limits that stand before any request: connections, and the time of their heads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from chymist.studio.guard import HEADERS

MOST_CONNECTIONS = 256  # ten tabs have sixty
HEAD_SECONDS = 10.0  # from the first byte of a request to the end of its head
KEEP_ALIVE = 320  # seconds: browsers close first, so that no request meets a closing connection


class Protocol(H11Protocol):
    """A connection; what is no request is refused with the same headers as everything else."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connects."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Bytes come; a head has to become whole in time."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._done()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ends."""
        self._done()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What no application has seen."""
        headers = [*HEADERS, (b"content-type", b"text/plain; charset=utf-8"),
                   (b"cache-control", b"no-store"), (b"connection", b"close")]  # fmt: skip
        with suppress(h11.LocalProtocolError):  # an answer has begun: it just ends
            head = h11.Response(status_code=400, headers=headers,
                                reason=HTTPStatus(400).phrase.encode())  # fmt: skip
            for event in (head, h11.Data(data=b"no HTTP/1.1 request"), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait(self) -> None:
        self._done()
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _done(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it.

    Args:
        app: with its guard.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=1, timeout_keep_alive=KEEP_ALIVE,
            http=Protocol, ws="none", lifespan="on",
        ))  # fmt: skip

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield
