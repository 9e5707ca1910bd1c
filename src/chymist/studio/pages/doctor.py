"""What is wrong with a run: cards, experiments and remedies."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.studio.asking import ask_quick, language_of
from chymist.studio.folders import trained
from chymist.studio.jobs import Jobs
from chymist.studio.replies import body_of, reply

Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,60}$")]


class Fix(msgspec.Struct, forbid_unknown_fields=True):
    """Which finding is to be cured."""

    code: Code


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A request without options."""


class Cancel(msgspec.Struct, forbid_unknown_fields=True):
    """Which command is to be ended."""

    number: int


async def doctor(request: Request) -> Response:
    """`GET /api/runs/{run}/doctor?lang=`: the findings of a run, and what was looked at."""
    folder = trained(request.app.state.folders.find(request.path_params["run"]))
    lang = language_of(request)
    return reply(await ask_quick(request, "diagnosis", folder=str(folder), lang=lang))


async def why(request: Request) -> Response:
    """`GET /api/why/{code}?lang=`: what a code means."""
    code = request.path_params["code"][:60]
    return reply(await ask_quick(request, "why", code=code, lang=language_of(request)))


async def jobs(request: Request) -> Response:
    """`GET /api/runs/{run}/doctor/jobs`: experiments and remedies that were started here."""
    name = request.path_params["run"]
    request.app.state.folders.find(name)
    return reply({"jobs": _jobs(request).of(name)})


async def experiments(request: Request) -> Response:
    """`POST /api/runs/{run}/doctor/experiments`: `chymist diagnose RUN --experiments`."""
    await body_of(request, Nothing)
    return _started(request, "experiments", "--experiments")


async def fix(request: Request) -> Response:
    """`POST /api/runs/{run}/doctor/fix`: `chymist diagnose RUN --fix CODE`, a new run."""
    wanted = await body_of(request, Fix)
    return _started(request, "fix", f"--fix={wanted.code}")


async def cancel(request: Request) -> Response:
    """`POST /api/runs/{run}/doctor/cancel`: end a command that was started here."""
    wanted = await body_of(request, Cancel)
    return reply(_jobs(request).cancel(request.path_params["run"], wanted.number))


def _started(request: Request, kind: str, option: str) -> Response:
    name = request.path_params["run"]
    folder = request.app.state.folders.find(name)
    return reply(_jobs(request).start(name, kind, ["diagnose", str(folder.absolute()), option]))


def _jobs(request: Request) -> Jobs:
    state = request.app.state
    if not hasattr(state, "jobs"):
        state.jobs = Jobs()
    found: Jobs = state.jobs
    return found


ROUTES = (
    Route("/api/why/{code}", why),
    Route("/api/runs/{run}/doctor", doctor),
    Route("/api/runs/{run}/doctor/jobs", jobs),
    Route("/api/runs/{run}/doctor/experiments", experiments, methods=["POST"]),
    Route("/api/runs/{run}/doctor/fix", fix, methods=["POST"]),
    Route("/api/runs/{run}/doctor/cancel", cancel, methods=["POST"]),
)
