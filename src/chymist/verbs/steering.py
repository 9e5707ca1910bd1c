"""`steer`: ask a run that trains to pause, save or end; its trainer does it, and writes it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chymist.engine.control import request

WAIT_SECONDS = 30.0


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
    return request(Path(run), action, by, seconds).to_dict()
