"""The answers of a run on its validation rows."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.errors import UsageError
from chymist.studio.asking import language_of
from chymist.studio.folders import trained
from chymist.studio.replies import reply
from chymist.values import whole_number

MOST = 2**40  # of a number in a query


def number_of(request: Request, name: str) -> int | None:
    """A whole number of the query, or None.

    Raises:
        UsageError: it is none.
    """
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal() or len(text) > 12:
        raise UsageError("not a whole number", where=name, received=text[:40])
    return whole_number(int(text), name, 0, MOST)


async def asked(request: Request, task: str, **options: Any) -> Response:
    """The answer of a task about the run of a request; options that are None are left out."""
    folder = trained(request.app.state.folders.find(request.path_params["run"]))
    given = {name: value for name, value in options.items() if value is not None}
    workshop = request.app.state.workshops["explain"]
    return reply(await workshop.ask(task, {"folder": str(folder), **given}))


async def show_predictions(request: Request) -> Response:
    """`GET /api/runs/{run}/predictions`: matrix, rates, calibration, residuals."""
    return await asked(request, "predictions", lang=language_of(request))


async def show_examples(request: Request) -> Response:
    """`GET /api/runs/{run}/predictions/examples`: rows of a cell, or the most costly ones."""
    query = request.query_params
    row = number_of(request, "row")
    if row == 0:
        raise UsageError("rows are counted from 1", where="row", received="0")
    return await asked(
        request, "examples", true=number_of(request, "true"), said=number_of(request, "said"),
        which=query.get("which"), order=query.get("order"), offset=number_of(request, "offset"),
        count=number_of(request, "count"), row=None if row is None else row - 1,
    )  # fmt: skip


async def show_slices(request: Request) -> Response:
    """`GET /api/runs/{run}/predictions/slices?column=NAME`."""
    column = request.query_params.get("column", "")
    return await asked(request, "slices", column=column, lang=language_of(request))


ROUTES = (
    Route("/api/runs/{run}/predictions", show_predictions),
    Route("/api/runs/{run}/predictions/examples", show_examples),
    Route("/api/runs/{run}/predictions/slices", show_slices),
)
