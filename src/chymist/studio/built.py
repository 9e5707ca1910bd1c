"""The built pages as they are sent: by name, compressed once, kept by browsers while true."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from chymist.errors import InputError

FOLDER = Path(str(resources.files("chymist.studio"))) / "static"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
}
HASHED = re.compile(r"-[A-Z0-9]{8}\.(js|css)$")  # another content has another name
FEW = 1_000  # bytes that are not worth compressing


def page(request: Request) -> Response:
    """`GET /`: the one page, which loads all others."""
    return _sent("index.html", request)


def static_file(request: Request) -> Response:
    """`GET /static/{name}`: a file of the built pages."""
    return _sent(request.path_params["name"], request)


def _sent(name: str, request: Request) -> Response:
    files = {path.name: path for path in FOLDER.glob("*") if path.suffix in TYPES}
    if not files:
        raise InputError("the pages are not built", where=FOLDER.name,
                         do="sh tools/web.sh build")  # fmt: skip
    if name not in files or not files[name].is_file() or files[name].is_symlink():
        raise InputError("no such file", received=name[:60], code="no-such-address")
    told = files[name].stat()
    content, packed, tag = _content(files[name], told.st_mtime_ns, told.st_size)
    kept = "max-age=31536000, immutable" if HASHED.search(name) else "no-cache"
    headers = {"cache-control": kept, "etag": tag, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if packed and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = packed, "gzip"
    return Response(content, media_type=TYPES[files[name].suffix], headers=headers)


@lru_cache(maxsize=256)
def _content(path: Path, changed: int, size: int) -> tuple[bytes, bytes, str]:
    """A file, the same compressed if that is worth it, and what names this content."""
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if len(content) > FEW else b""
    return content, packed, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
