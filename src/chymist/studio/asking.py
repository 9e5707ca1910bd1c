"""What routes have in common: the language asked for, and the worker for short questions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from chymist.studio.workshop import Workshop

EXPLAIN = "explain"
QUICK = "quick"  # answers in well under a second, so that nobody waits for an explanation


def language_of(request: Request) -> str:
    """The language of the query: "en" or "zh"."""
    return "zh" if request.query_params.get("lang") == "zh" else "en"


def warm(request: Request) -> None:
    """Have the worker for short questions started, if nobody has."""
    request.app.state.workshops.setdefault(QUICK, Workshop()).warm()


async def ask_quick(request: Request, task: str, **options: Any) -> Any:
    """The answer of a short task, by a worker that does nothing else.

    The worker for long ones begins meanwhile: a page that computes has both.

    Args:
        request: of the page.
        task: its name, see `tasks.TASKS`.
        options: of the task.
    """
    workshops = request.app.state.workshops
    workshops.setdefault(EXPLAIN, Workshop()).warm()
    return await workshops.setdefault(QUICK, Workshop()).ask(task, options)
