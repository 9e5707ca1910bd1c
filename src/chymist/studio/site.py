"""What the studio was asked to show, and where it can be reached."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """A studio that is about to be opened.

    Args:
        folders: run folders, or folders that hold run folders; read again for every answer.
        port: on loopback.
        key: of the address that opens the studio.
        session: what the browser keeps as a cookie from then on.
        nonce: what requests that change something carry in a header.
    """

    folders: tuple[Path, ...]
    port: int
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """What is to be opened in a browser."""
        return f"{self.origin}/?key={self.key}"

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies are not separated by port, so it carries the port."""
        return f"chymist-{self.port}"
