"""Requests to a run that trains: one file in its folder, which its trainer takes away.

Whoever asks makes `control.json`, whole and only if none is waiting; the trainer looks for it
between two steps, does what it says, writes that into the run's history and removes the file. So a
request is never lost, and nobody but the trainer changes the run. Imports no torch.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from chymist.engine.files import check_ordinary
from chymist.engine.history import Entry, read_history
from chymist.engine.status import is_trained, status_of
from chymist.errors import InputError, UsageError, nearest

FILE = "control.json"
LARGEST = 4096  # bytes of a request
NOW = {  # what a run without a trainer is told
    "finished": "it has ended", "stopped": "it has ended", "diverged": "it has diverged",
}  # fmt: skip
POLL_SECONDS = 0.05  # between two looks for an answer

ACTIONS = {  # what a run can be asked for, and what that does
    "pause": "waits after the step under way; memory is kept; the result stays the same to the bit",
    "resume": "goes on where it paused; the result is the same to the bit",
    "checkpoint": "saves where the run stands and reads it back; the result stays the same",
    "finish-epoch": "ends after the epoch under way, keeps the best weights and scores them",
    "stop": "ends after the step under way, keeps the best weights and scores them",
    "stop-now": "saves and ends without a score; chymist resume goes on bit-identically",
}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user of a run wants.

    Args:
        id: by which its answer is found in the history.
        action: one of `ACTIONS`.
        by: who asks: "command", "studio" or "python".
    """

    id: str
    action: str
    by: str


def check_action(action: str) -> str:
    """The action, if there is one of that name.

    Raises:
        UsageError: there is none.
    """
    if action not in ACTIONS:
        raise UsageError("unknown action", received=f"'{action}'", do=nearest(action, ACTIONS))
    return action


def request(folder: Path, action: str, by: str, seconds: float) -> Entry:
    """Ask the trainer of a run for something that it does, and wait until it has answered.

    Args:
        folder, action, by, seconds: as for `ask`.

    Raises:
        InputError: nobody trains the run, it does not answer, or the action makes no sense now.
        UsageError: there is no such action.
    """
    check_action(action)
    check_steerable(folder)
    entry = ask(folder, action, by, partial(is_trained, folder), seconds)
    if entry.action == "refuse":
        raise InputError("the run does not do that", where=str(folder), received=action,
                         do=str(entry.facts.get("why", "")))  # fmt: skip
    return entry


def check_steerable(folder: Path) -> None:
    """Refuse a folder that no process trains.

    Raises:
        InputError: it is none of a run of `fit`, or nobody trains it.
    """
    if not (folder / "environment.json").is_file():
        raise InputError("only runs of fit and branch can be steered", where=str(folder),
                         received="a folder" if folder.is_dir() else "nothing there",
                         do="see chymist runs")  # fmt: skip
    found = status_of(folder)
    if found.state in ("starting", "running", "paused"):
        return
    do = f"chymist resume {folder}" if found.resumable else f"chymist show {folder}"
    raise InputError("nobody trains this run", where=str(folder),
                     received=NOW.get(found.state, f"it is {found.state}"), do=do)  # fmt: skip


def ask(folder: Path, action: str, by: str, alive: Callable[[], bool], seconds: float) -> Entry:
    """Ask the trainer of a run for something, and wait until it has answered.

    Args:
        folder: of the run.
        action: one of `ACTIONS`.
        by: who asks.
        alive: whether a process trains the run.
        seconds: to wait.

    Returns:
        The entry of the history that says what was done.

    Raises:
        InputError: nobody trains the run, or it does not answer in time.
    """
    request = Request(secrets.token_hex(8), check_action(action), by)
    end = time.monotonic() + seconds
    put = False
    try:
        while True:
            put = put or _put(folder, request)
            lives = alive()  # before the history is read: the last answer comes before the end
            for entry in reversed(read_history(folder)):
                if entry.request == request.id:
                    put = False  # its trainer has taken it
                    return entry
            if not lives:
                raise InputError("the run has ended before it could answer", where=str(folder),
                                 received=action, do=f"chymist show {folder}")  # fmt: skip
            if time.monotonic() > end:
                raise InputError("the run does not answer", where=str(folder),
                                 received=f"nothing within {seconds:g} s",
                                 do="its steps may take longer; try again")  # fmt: skip
            time.sleep(POLL_SECONDS)
    finally:
        if put:
            _take_back(folder, request)


def _put(folder: Path, request: Request) -> bool:
    """Make the file of a request, unless another is waiting; whether it was made."""
    draft = folder / f".tmp-control-{request.id}"
    try:
        draft.write_bytes(msgspec.json.encode(request))
        os.link(draft, folder / FILE)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _take_back(folder: Path, request: Request) -> None:
    """Remove a request that nobody has taken."""
    if waiting(folder) == request:
        discard(folder)


def waiting(folder: Path) -> Request | None:
    """The request that waits in a folder; None if there is none, or none that can be read."""
    path = folder / FILE
    try:
        check_ordinary(path)
        with path.open("rb") as stream:
            found = msgspec.json.decode(stream.read(LARGEST), type=Request)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.action in ACTIONS else None


def discard(folder: Path) -> None:
    """Remove the request that waits in a folder, whatever it is."""
    with suppress(OSError):
        (folder / FILE).unlink()
