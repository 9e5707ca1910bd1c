"""Opening the studio: a socket on loopback, a server, and a process that minds the server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from chymist.errors import InputError, UsageError
from chymist.studio.site import HOST, Site

if TYPE_CHECKING:
    from chymist.studio.protocol import Server

PORT = 7077  # or the next free one
RESTARTS = 5  # of a server that dies, within
SOON = 60.0  # seconds


def serve(site: Site, listening: socket.socket, opened: Callable[[], object]) -> None:
    """Serve the studio until Ctrl-C, SIGTERM or the end of the terminal.

    The socket and the secrets belong to this process, the server is a child of it: if that is
    killed, another one takes its place, and open pages go on where they were.

    Args:
        site: what is shown, and who may see it.
        listening: where, see `listen`.
        opened: called once, when it can be reached.

    Raises:
        InputError: the extra `chymist[studio]` is not installed, or the server dies every time.
    """
    make_server = _prepared(site)
    if not hasattr(os, "fork"):
        opened()
        with suppress(KeyboardInterrupt):  # how it is meant to end
            return make_server().run([listening])
    minder = _Minder(lambda: _serve_here(make_server(), listening, minder))
    with minder.listening():
        minder.start()
        opened()
        while (code := minder.wait()) and not minder.asked:
            minder.count(code)
            site.renew()  # the server may have used the old one
            site.told(site.address)
            minder.start()


class _Minder:
    """Starts the process that serves, waits for it, and hands on what is to end it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work, self.asked, self.child = work, 0, 0
        self.begun: list[float] = []
        self.life, self.held = os.pipe()  # at the end of this process, `life` ends for the child

    def start(self) -> None:
        """Fork the process that serves; it ends with this one."""
        self.begun.append(time.monotonic())
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with warnings.catch_warnings():  # threads of a maths library, which knows of forks
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            self._live()
        self.child = child
        if self.asked:  # in between
            self._hand_on(signal.SIGTERM)

    def _live(self) -> None:
        code = 1
        try:
            self.child = 0
            os.close(self.held)
            self.work()
            code = 0
        finally:  # whatever happens, this process never goes on where its parent was
            if error := sys.exc_info()[1]:
                with suppress(OSError, ValueError):
                    print(f"chymist: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(code)

    def wait(self) -> int:
        """How the server has ended: its exit code, or minus its signal."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        self.child = 0
        return code

    def count(self, code: int) -> None:
        """Say that the server died, or give up when it does so again and again."""
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self.begun = [one for one in self.begun if time.monotonic() - one < SOON]
        if len(self.begun) > RESTARTS:
            raise InputError("the server of the studio has ended", received=how,
                             do="please report it")  # fmt: skip
        with suppress(OSError, ValueError):
            print(f"chymist: the server has ended ({how}), another one goes on",
                  file=sys.stderr, flush=True)  # fmt: skip

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While signals are handed on; nothing of the studio is left after it."""
        before = {one: signal.signal(one, self._end) for one in endings()}
        try:
            yield
        finally:
            if self.child:
                self._hand_on(signal.SIGTERM)
                self.wait()
            for one, handler in before.items():
                signal.signal(one, handler)
            os.close(self.life)
            os.close(self.held)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        self._hand_on(signal.SIGTERM if self.asked == 1 else signal.SIGKILL)

    def _hand_on(self, number: signal.Signals) -> None:
        if self.child:
            with suppress(ProcessLookupError):
                os.kill(self.child, number)


def endings() -> list[signal.Signals]:
    """Signals that end the studio; the end of the terminal does not under `nohup`."""
    found = [signal.SIGINT, signal.SIGTERM]
    closed: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if closed and signal.getsignal(closed) is not signal.SIG_IGN:
        found.append(closed)
    return found


def _serve_here(server: Server, listening: socket.socket, minder: _Minder) -> None:
    def end(*signalled: object) -> None:
        server.should_exit = True

    async def run() -> None:
        asyncio.get_running_loop().add_reader(minder.life, end)
        await server.serve([listening])

    for one in endings():
        signal.signal(one, end)
    if minder.asked:  # before these listened
        end()
    asyncio.run(run())


def _prepared(site: Site) -> Callable[[], Server]:
    """Makes a server; what is missing is said before anything is opened."""
    try:
        from chymist.studio.app import make_app
        from chymist.studio.protocol import Server
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in ("uvicorn", "starlette", "h11", "anyio"):
            raise
        raise InputError("the studio is not installed", received=f"no module {error.name}",
                         do="pip install 'chymist[studio]'") from None  # fmt: skip
    return lambda: Server(make_app(site))


def listen(port: int | None) -> socket.socket:
    """A socket that accepts connections from this machine.

    Args:
        port: its number; 0 for any free one; None for 7077 or the next free one.

    Raises:
        InputError: it is taken.
        UsageError: there is no such port.
    """
    if port is not None and not 0 <= port < 65_536:
        raise UsageError("no such port", where="--port", received=str(port),
                         do="take one from 1024 to 65535, or 0 for any free one")  # fmt: skip
    wanted = range(PORT, PORT + 20) if port is None else [port]
    for number in wanted:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)  # Windows lets others in without
        found.setsockopt(socket.SOL_SOCKET, alone or socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, number))
            found.listen(128)
            return found
        except OSError as error:
            found.close()
            why = error.strerror
    raise InputError("the port cannot be used", where="--port", received=f"{wanted[0]}: {why}",
                     do="take another, or --port 0 for any free one")  # fmt: skip
