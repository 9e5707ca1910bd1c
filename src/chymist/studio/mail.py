"""Words to a task that is under way: the worker reads them while it computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

INBOX: SimpleQueue[dict[str, Any]] = SimpleQueue()  # of the one task of a worker process
END = {"do": "end"}


def wishes(asked: BinaryIO) -> Iterator[dict[str, Any]]:
    """The tasks that are asked for; words to a task go to the inbox as they come.

    Args:
        asked: lines of JSON: {"task", "options"}, or {"tell": word}.

    Yields:
        The tasks, until nobody can ask any more; the inbox is then told to end.
    """
    tasks: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def read() -> None:
        for line in asked:
            said = json.loads(line)
            if "tell" in said:
                INBOX.put(said["tell"])
            else:
                tasks.put(said)
        INBOX.put(END)
        tasks.put(None)

    Thread(target=read, daemon=True).start()
    while (wanted := tasks.get()) is not None:
        yield wanted
