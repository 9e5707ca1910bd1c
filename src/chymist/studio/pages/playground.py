"""The playground: one stream of what there is to show for each page, and words to its worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chymist.errors import InputError
from chymist.studio.folders import is_run
from chymist.studio.plays import Plays
from chymist.studio.replies import body_of, reply, tagged

Short = Annotated[str, msgspec.Meta(max_length=200)]


class Rows(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Where rows come from: a named or toy set, a run of the studio, or a CSV text."""

    source: Short = ""
    run: Short = ""
    csv: Annotated[str, msgspec.Meta(max_length=900_000)] = ""
    name: Short = ""
    target: Short = ""
    numbers: Annotated[list[Short], msgspec.Meta(max_length=100)] = []


class Start(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="start"):
    """Train this, from the beginning."""

    n: int
    data: Rows
    recipe: dict[str, Any]
    axes: Annotated[list[Short], msgspec.Meta(max_length=2)] = []
    only: bool = False
    plane: Literal["columns", "pca"] = "columns"
    valid: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.3
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    speed: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1
    paused: bool = False


class Pause(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="pause"):
    """Wait after the step under way."""


class Resume(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="resume"):
    """Go on."""


class Step(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="step"):
    """Take some steps, then wait."""

    steps: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class Epoch(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="epoch"):
    """Go on to the end of the epoch, then wait."""


class Speed(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="speed"):
    """Steps from picture to picture; 0 for as many as there is time for."""

    speed: Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class Seeds(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="seeds"):
    """Train it with other seeds as well."""

    seeds: Annotated[int, msgspec.Meta(ge=1, le=10)]


class Save(msgspec.Struct, forbid_unknown_fields=True, tag_field="do", tag="save"):
    """Make a run folder of it."""


Word = Start | Pause | Resume | Step | Epoch | Speed | Seeds | Save


async def enter(request: Request) -> Response:
    """`POST /api/play`: open a playground; lines of JSON until the page is closed."""
    plays: Plays = request.app.state.plays
    name = await plays.enter()

    async def lines() -> AsyncIterator[bytes]:
        async for said in plays.hear(name):
            yield json.dumps(tagged(said), allow_nan=False).encode() + b"\n"

    return StreamingResponse(
        lines(), media_type="application/x-ndjson", headers={"cache-control": "no-store"}
    )


async def tell(request: Request) -> Response:
    """`POST /api/play/{name}`: a word to the playground."""
    word: Word = await body_of(request, cast(Any, Word))
    told = msgspec.to_builtins(word)
    if isinstance(word, Start) and word.data.run:
        told["data"]["folder"] = str(request.app.state.folders.find(word.data.run))
    if isinstance(word, Save):
        told["into"] = str(_place(request.app.state.site.folders))
    await request.app.state.plays.tell(request.path_params["name"], told)
    return reply({"told": told["do"]})


def _place(folders: tuple[Path, ...]) -> Path:
    """The first folder of the studio that holds runs, and is none itself.

    Raises:
        InputError: it shows single runs only.
    """
    for folder in folders:
        if not is_run(folder):
            return folder
    raise InputError("there is no folder to save runs in", received="single runs only",
                     do="open the studio on a folder of runs")  # fmt: skip


ROUTES = (
    Route("/api/play", enter, methods=["POST"]),
    Route("/api/play/{name}", tell, methods=["POST"]),
)
