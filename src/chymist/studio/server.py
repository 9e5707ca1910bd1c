"""Opening the studio: a socket on loopback, and the server behind it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from chymist.errors import InputError
from chymist.studio.site import HOST, Site

PORT = 7077  # or the next free one


def serve(folders: Sequence[Path], port: int | None, opened: Callable[[Site], object]) -> None:
    """Serve the studio until Ctrl-C or SIGTERM.

    Args:
        folders: run folders, or folders that hold run folders.
        port: on loopback; 0 for any free one; None for 7077 or the next free one.
        opened: called with the site when it can be reached.

    Raises:
        InputError: the port is taken, or the extra `chymist[studio]` is not installed.
    """
    try:
        import uvicorn

        from chymist.studio.app import make_app
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette"):
            raise
        raise InputError("the studio is not installed", received=f"no module {error.name}",
                         do="pip install 'chymist[studio]'") from None  # fmt: skip
    with _listening(port) as listening:
        site = Site(tuple(folders), listening.getsockname()[1])
        config = uvicorn.Config(
            make_app(site), log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=1, http="h11", ws="none",
        )  # fmt: skip
        opened(site)
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):  # how it is meant to end
            uvicorn.Server(config).run([listening])


def _listening(port: int | None) -> socket.socket:
    """A socket that accepts connections from this machine."""
    wanted = range(PORT, PORT + 20) if port is None else [port]
    for number in wanted:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, number))
            found.listen(128)
            return found
        except OSError as error:
            found.close()
            why = error.strerror
    raise InputError("the port cannot be used", where="--port", received=f"{wanted[0]}: {why}",
                     do="take another, or --port 0 for any free one")  # fmt: skip
