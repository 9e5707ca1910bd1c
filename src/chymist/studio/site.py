"""What the studio was asked to show, where it can be reached, and the secrets of its visitors."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
MOST_KEYS = 8  # that pages have asked for and nobody has used


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class Site:
    """A studio that is about to be opened.

    Every address with a key opens the studio once, in one browser, which gets the session as a
    cookie. All of it is made anew at every start and kept in memory only: a file could be read,
    and a cookie that outlives the server could be collected by whoever takes the port next.

    Args:
        folders: run folders, or folders that hold run folders; read again for every answer.
        port: on loopback.
        told: called with a fresh address after that of the terminal was used.
    """

    folders: tuple[Path, ...]
    port: int
    told: Callable[[str], object] = field(default=lambda address: None, repr=False)
    session: str = field(default_factory=_secret, repr=False, init=False)
    _key: str = field(default_factory=_secret, repr=False, init=False)
    _others: deque[str] = field(
        default_factory=lambda: deque(maxlen=MOST_KEYS), repr=False, init=False
    )

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """What is to be opened in a browser; the terminal shows it."""
        return f"{self.origin}/?key={self._key}"

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies are not separated by port, so it carries the port."""
        return f"chymist-{self.port}"

    @property
    def nonce(self) -> str:
        """What requests that change something carry in a header; no other site can read it."""
        return hmac.new(self.session.encode(), b"nonce", hashlib.sha256).hexdigest()

    def renew(self) -> None:
        """Make the address of the terminal another one."""
        self._key = _secret()

    def another(self) -> str:
        """A further address, for a browser that has none."""
        self._others.append(_secret())
        return f"{self.origin}/?key={self._others[-1]}"

    def use(self, key: str) -> bool:
        """Whether a key opens the studio; it does so once."""
        if same(key, self._key):
            self.renew()
            self.told(self.address)
            return True
        found = [other for other in self._others if same(key, other)]
        for other in found:
            self._others.remove(other)
        return bool(found)


def same(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
