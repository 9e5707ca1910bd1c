"""The list of runs: filtered, sorted and folded here, so that a page asks for what it shows."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.run_filter import FIELDS
from chymist.errors import UsageError
from chymist.studio.folders import is_run
from chymist.studio.index import Asked, Index, lines_of, names_of
from chymist.studio.replies import reply

LONGEST = 8_000  # characters of a query


def list_runs(request: Request) -> Response:
    """`GET /api/runs`: the lines that are asked for; 304 if nothing has changed since."""
    index: Index = request.app.state.index
    asked = asked_of(request)
    rows = index.rows()
    query = hashlib.sha256(request.url.query.encode()).hexdigest()[:12]
    mark = f'"{id(index):x}-{index.version}-{index.unread}-{query}"'
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers={"etag": mark})
    answer = reply({**lines_of(rows, asked), "unread": index.unread, "busy": index.busy,
                    "script": script_of(request.app.state.site.folders, asked.filter)})  # fmt: skip
    answer.headers["etag"] = mark
    return answer


def columns(request: Request) -> Response:
    """`GET /api/columns?search=`: names of metrics and fields of recipes, some of them."""
    search = request.query_params.get("search", "")[:200]
    found = names_of(request.app.state.index.rows(), search)
    return reply({**found, "fields": list(FIELDS)})


def asked_of(request: Request) -> Asked:
    """The query of a request for lines.

    Raises:
        UsageError: it is too long, or has another form.
    """
    if len(request.url.query) > LONGEST:
        raise UsageError("the request is too large", received=f"over {LONGEST:,} characters")
    query = request.query_params
    plain: dict[str, Any] = {name: query[name] for name in query if name in Asked.__struct_fields__}
    for name in ("open", "columns"):
        plain[name] = tuple(query.getlist(name))
    try:
        asked = msgspec.convert(plain, Asked, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError("the request has another form", received=str(error)[:120]) from None
    if asked.start < 0 or asked.count < 0:
        raise UsageError("the request has another form", received="a negative place")
    return asked


def script_of(folders: tuple[Path, ...], text: str) -> dict[str, str]:
    """Python and the command that list the same runs."""
    parents = list(dict.fromkeys(str(f.parent if is_run(f) else f) for f in folders)) or ["runs"]
    given = f", filter={text!r}" if text else ""
    lines = ["import chymist as cy", ""]
    for parent in parents:
        lines.append(f"for run in cy.list_runs({parent!r}{given}):")
        lines.append('    print(run["run"], run["state"], run.get("score"), run.get("verdict"))')
    words = [["chymist", "runs", parent, *(["--filter", text] if text else [])]
             for parent in parents]  # fmt: skip
    return {"python": "\n".join([*lines, ""]), "command": "\n".join(map(shlex.join, words))}


ROUTES = (Route("/api/runs", list_runs), Route("/api/columns", columns))
