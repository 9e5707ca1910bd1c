"""What every request must be before it is routed: one function a check, each of them alone.

A check gives the status and the sentence of a refusal, or None. They know no route: what they let
through is decided by the browser that asks, never by what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from chymist.studio.site import HOST, Site, same

NONCE = "x-chymist-nonce"
READS = ("GET", "HEAD")
METHODS = (*READS, "POST")
LARGEST_BODY = 1_000_000  # bytes of a request
MOST_HEADERS, LARGEST = 100, 32_000  # headers, and bytes of all of them
LONGEST_PATH, LONGEST_QUERY = 2_000, 8_000  # characters
ONCE = (
    "host", "origin", "cookie", "sec-fetch-site", NONCE, "content-length", "content-type",
    "transfer-encoding", "last-event-id",
)  # fmt: skip

Refusal = tuple[int, str]
Check = Callable[[Site, Scope, Headers], Refusal | None]


def known_version(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """HTTP/1.1 and no other protocol behind it."""
    if scope["http_version"] != "1.1":
        return 505, "HTTP/1.1 only"
    if "upgrade" in headers or "upgrade" in headers.get("connection", "").lower():
        return 400, "no other protocol is spoken here"
    return None


def known_method(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """Reading and posting, nothing else."""
    return None if scope["method"] in METHODS else (405, "no such method")


def single_headers(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """What decides is said once."""
    if any(len(headers.getlist(name)) > 1 for name in ONCE):
        return 400, "a header is there twice"
    return None


def small_headers(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """Headers of a browser, however many cookies others have left on this machine."""
    if len(headers.raw) > MOST_HEADERS or sum(len(n) + len(v) for n, v in headers.raw) > LARGEST:
        return 431, "the headers are too large: delete the cookies of this address"
    return None


def known_host(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """The names of this machine, so that a name that was bent to it is refused."""
    hosts = [f"{HOST}:{site.port}", f"localhost:{site.port}"]
    return None if headers.get("host") in hosts else (403, "wrong host")


def same_origin(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """The pages of this very address."""
    allowed = (None, f"http://{headers.get('host')}")
    return None if headers.get("origin") in allowed else (403, "wrong origin")


def same_site(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """What the browser itself says of who asks."""
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return None
    return 403, "another page has led here: paste the address into a new tab"


def plain_path(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """A path in its one plain form, so that what is checked is what is routed."""
    path, raw = str(scope["path"]), bytes(scope.get("raw_path") or scope["path"].encode())
    odd = any(not sign.isprintable() or sign in "\\\ufffd" for sign in path)
    hidden = path.count("/") != raw.count(b"/")  # a slash that was written as a code
    if not raw.startswith(b"/") or odd or hidden or len(raw) > LONGEST_PATH:
        return 400, "the path is not in its plain form"
    parts = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in parts) and path != "/":
        return 400, "the path is not in its plain form"
    return (400, "the address is too long") if len(scope["query_string"]) > LONGEST_QUERY else None


def small_body(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """No body with what only reads, and no large one."""
    told = headers.get("content-length", "0")
    if not (told.isascii() and told.isdigit()) or len(told) > 15:
        return 400, "no such length"
    if scope["method"] in READS and (int(told) or "transfer-encoding" in headers):
        return 400, "a request that only reads has no body"
    return (413, "the request is too large") if int(told) > LARGEST_BODY else None


def known_session(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """A browser that came with a key once."""
    if any(same(given, site.session) for given in _cookies(headers, site.cookie)):
        return None
    if key_of(scope):
        return 401, "this address was used before: take the newest that chymist studio has printed"
    return 401, "open the address that chymist studio has printed"


def known_nonce(site: Site, scope: Scope, headers: Headers) -> Refusal | None:
    """A page that could read what this server said, where something is to change."""
    if scope["method"] in READS or same(headers.get(NONCE, ""), site.nonce):
        return None
    return 403, "a change needs the header of the page"


# The browser first, then who it is; the key of an address stands for the session only.
CHECKS: tuple[Check, ...] = (
    known_version, known_method, single_headers, small_headers, known_host, same_origin,
    same_site, plain_path, small_body, known_session, known_nonce,
)  # fmt: skip


def key_of(scope: Scope) -> str:
    """The key of an address that opens the studio; nothing for any other request."""
    if scope["method"] != "GET" or scope["path"] != "/":
        return ""
    query: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"))
    return query.get("key", [""])[0]


def _cookies(headers: Headers, name: str) -> list[str]:
    """Values of a cookie; others of this machine, of whatever form, are passed over."""
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return [value for found, _, value in pairs if found == name]
