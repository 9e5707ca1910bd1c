"""`steer`: ask a run that trains to pause, save or end; its trainer does it, and writes it down."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from chymist.engine.control import ask, check_action
from chymist.engine.status import is_trained, status_of
from chymist.errors import InputError

WAIT_SECONDS = 30.0
NOW = {  # what a run without a trainer is told
    "finished": "it has ended", "stopped": "it has ended", "diverged": "it has diverged",
}  # fmt: skip


def steer(
    run: str | Path, action: str, *, by: str = "python", seconds: float = WAIT_SECONDS
) -> dict[str, Any]:
    """Ask a run that trains in another process for something, and wait for its answer.

    Pausing and saving change no bit of the result. The run answers after the step under way.

    Args:
        run: its folder.
        action: "pause", "resume" (after a pause), "checkpoint", "finish-epoch" (then end with the
            best weights), "stop" (end now with the best weights) or "stop-now" (save and end
            without a score, to be resumed).
        by: who asks, for the history of the run.
        seconds: to wait for the answer.

    Returns:
        The entry of the run's history: at, step, action, by, effect, facts.

    Raises:
        InputError: nobody trains the run, it does not answer, or the action makes no sense now.
        UsageError: there is no such action.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 steps"), cy.load("iris"))
        >>> try:
        ...     cy.steer(run.path, "pause")
        ... except cy.InputError as error:
        ...     print(error.what, "-", error.received)
        nobody trains this run - it has ended
    """
    folder = Path(run)
    check_action(action)
    check_steerable(folder)
    entry = ask(folder, action, by, partial(is_trained, folder), seconds)
    if entry.action == "refuse":
        raise InputError("the run does not do that", where=str(folder), received=action,
                         do=str(entry.facts.get("why", "")))  # fmt: skip
    return entry.to_dict()


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
