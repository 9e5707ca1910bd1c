"""Why a run answers as it does."""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.errors import UsageError
from chymist.studio.asking import language_of
from chymist.studio.folders import trained
from chymist.studio.pages.predictions import asked, number_of
from chymist.studio.replies import lines

LONGEST = 20_000  # characters of a text


async def show_methods(request: Request) -> Response:
    """`GET /api/runs/{run}/explain`: what can be asked, and what it costs."""
    return await asked(request, "explainable")


async def show_row(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/row?method=NAME&row=N`: lines of JSON, the answer last."""
    query = request.query_params
    return _told(
        request, "explain-row", method=query.get("method", ""), row=_row(request),
        target=query.get("target") or None, position=number_of(request, "position"),
        column=query.get("column") or None, lang=language_of(request),
    )  # fmt: skip


async def explain_own(request: Request) -> Response:
    """`POST /api/runs/{run}/explain/own?method=NAME`: the body is an image file, or a text."""
    content = b"".join([part async for part in request.stream()])
    query = request.query_params
    given: dict[str, Any] = {"method": query.get("method", ""), "lang": language_of(request),
                             "target": query.get("target") or None}  # fmt: skip
    if request.headers.get("content-type", "").startswith("text/plain"):
        try:
            given["text"] = content.decode()[:LONGEST]
        except UnicodeDecodeError:
            raise UsageError("the text is no UTF-8", where="text") from None
    else:
        given["image"] = base64.b64encode(content).decode()
    return _told(request, "explain-row", **given)


async def show_network(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/network?row=N`: the layers."""
    return await asked(request, "network", row=_row(request))


async def show_maps(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/maps?row=N&layer=NAME`: what a layer gives."""
    return await asked(request, "layer-maps", row=_row(request), layer=_layer(request),
                       offset=number_of(request, "offset"))  # fmt: skip


async def show_unit(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/unit?row=N&layer=NAME&unit=U&line=Y&column=X`."""
    places = {name: number_of(request, name) or 0 for name in ("unit", "line", "column")}
    return await asked(request, "unit", row=_row(request), layer=_layer(request), **places)


async def show_filters(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/filters?layer=NAME`: kernels as pictures."""
    return await asked(request, "filters", layer=request.query_params.get("layer") or None)


async def show_maximized(request: Request) -> Response:
    """`GET /api/runs/{run}/explain/maximize?unit=U&layer=NAME`: lines of JSON, the answer last."""
    query = request.query_params
    return _told(request, "maximize", unit=query.get("unit", ""), layer=query.get("layer") or None,
                 steps=number_of(request, "steps"))  # fmt: skip


def _told(request: Request, task: str, **options: Any) -> Response:
    """What a task says, line by line; when the reader leaves, the task is ended."""
    folder = trained(request.app.state.folders.find(request.path_params["run"]))
    given = {name: value for name, value in options.items() if value is not None}
    workshop = request.app.state.workshops["explain"]
    return lines(workshop.listen(task, {"folder": str(folder), **given}))


def _row(request: Request) -> int | None:
    """The number of a row from 0; pages count from 1.

    Raises:
        UsageError: it is no such number.
    """
    row = number_of(request, "row")
    if row == 0:
        raise UsageError("rows are counted from 1", where="row", received="0")
    return None if row is None else row - 1


def _layer(request: Request) -> str:
    return request.query_params.get("layer", "")[:200]


ROUTES = (
    Route("/api/runs/{run}/explain", show_methods),
    Route("/api/runs/{run}/explain/row", show_row),
    Route("/api/runs/{run}/explain/own", explain_own, methods=["POST"]),
    Route("/api/runs/{run}/explain/network", show_network),
    Route("/api/runs/{run}/explain/maps", show_maps),
    Route("/api/runs/{run}/explain/unit", show_unit),
    Route("/api/runs/{run}/explain/filters", show_filters),
    Route("/api/runs/{run}/explain/maximize", show_maximized),
)
