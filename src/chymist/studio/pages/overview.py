"""A run at a glance: how it stands, what it gave, what its user may ask of it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.control import request as ask_trainer
from chymist.engine.status import is_trained, status_of
from chymist.errors import InputError, UsageError, nearest
from chymist.studio.asking import ask_quick, language_of
from chymist.studio.launching import Launcher, free_name
from chymist.studio.overviews import branches_of, overview_of
from chymist.studio.replies import body_of, reply

WAIT_SECONDS = 20.0  # for the answer of a trainer
CHANGED = ("model", "loss", "penalty", "optimizer", "schedule", "clip", "gradient_noise", "stop",
           "augment", "length")  # fmt: skip
Field = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}(\.[a-z_0-9]{1,40})?$")]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]{1,200}$")]


class Steer(msgspec.Struct, forbid_unknown_fields=True):
    """What the trainer of a run is asked for."""

    action: Annotated[str, msgspec.Meta(max_length=40)]


class Branch(msgspec.Struct, forbid_unknown_fields=True):
    """From where a branch begins, and what is changed of the recipe, as on a command line."""

    step: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None
    changes: Annotated[dict[Field, Text], msgspec.Meta(max_length=40)] = {}


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A request without options."""


def overview(request: Request) -> Response:
    """`GET /api/runs/{run}?lang=`: what there is to see of a run or a study."""
    folder = request.app.state.folders.find(request.path_params["run"])
    return reply(overview_of(folder, language_of(request)))


def branches(request: Request) -> Response:
    """`GET /api/runs/{run}/branches`: the runs that have branched from it."""
    folders = request.app.state.folders
    folder = folders.find(request.path_params["run"])
    return reply({"branches": branches_of(folder, folders.all())})


async def again(request: Request) -> Response:
    """`GET /api/runs/{run}/again`: what differs from the defaults; command and script."""
    folder = request.app.state.folders.find(request.path_params["run"])
    return reply(await ask_quick(request, "again", folder=str(folder)))


async def steer(request: Request) -> Response:
    """`POST /api/runs/{run}/steer`: ask its trainer, and wait for the answer."""
    wanted = await body_of(request, Steer)
    folder = request.app.state.folders.find(request.path_params["run"])
    asked = partial(ask_trainer, folder, wanted.action, "studio", WAIT_SECONDS)
    return reply((await run_in_threadpool(asked)).to_dict())


async def resume(request: Request) -> Response:
    """`POST /api/runs/{run}/resume`: `chymist resume RUN`, a process of its own."""
    await body_of(request, Nothing)
    folder = request.app.state.folders.find(request.path_params["run"])
    status = status_of(folder)
    if not status.resumable:
        raise InputError("the run cannot be resumed", received=f"it is {status.state}",
                         do="resume one that was interrupted")  # fmt: skip
    words = ["resume", str(folder.absolute())]
    await _launcher(request).start(words, partial(is_trained, folder))
    return reply(status_of(folder).to_dict())


async def branch(request: Request) -> Response:
    """`POST /api/runs/{run}/branch`: `chymist branch RUN`, a process of its own."""
    wanted = await body_of(request, Branch)
    for name in wanted.changes:
        slot = name.partition(".")[0]
        if slot not in CHANGED:
            raise UsageError("a branch cannot change this", received=name,
                             do=nearest(slot, CHANGED))  # fmt: skip
    folders = request.app.state.folders
    folder = folders.find(request.path_params["run"]).absolute()
    out = free_name(folder)
    words = ["branch", str(folder), f"--out={out}"]
    words += [] if wanted.step is None else [f"--step={wanted.step}"]
    words += [f"--{name.replace('_', '-') if '.' not in name else name}={text}"
              for name, text in wanted.changes.items()]  # fmt: skip
    await _launcher(request).start(words, partial(is_trained, out))
    shown = [name for name, path in folders.all().items() if path.absolute() == out]
    return reply({"run": shown[0] if shown else None, "folder": str(out)})


def _launcher(request: Request) -> Launcher:
    state = request.app.state
    if not hasattr(state, "launcher"):
        state.launcher = Launcher()
    found: Launcher = state.launcher
    return found


ROUTES = (
    Route("/api/runs/{run}", overview),
    Route("/api/runs/{run}/branches", branches),
    Route("/api/runs/{run}/again", again),
    Route("/api/runs/{run}/steer", steer, methods=["POST"]),
    Route("/api/runs/{run}/resume", resume, methods=["POST"]),
    Route("/api/runs/{run}/branch", branch, methods=["POST"]),
)
