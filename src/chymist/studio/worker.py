"""The worker process of a workshop: reads tasks as lines of JSON, writes their answers as such."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from chymist.errors import ChymistError, InputError, OutOfMemory
from chymist.studio.mail import INBOX
from chymist.studio.replies import tagged

LARGEST_LINE = 64_000_000  # bytes of an answer
NICE = 5  # training goes first

Tasks = Mapping[str, Callable[..., Iterator[Any]]]


class Worker:
    """Does tasks one after the other, and stops one when it is told to.

    Args:
        tasks: by name.
        told: takes the answers.
    """

    def __init__(self, tasks: Tasks, told: BinaryIO) -> None:
        self.tasks, self.told = tasks, told
        self.asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.stopped = 0  # tasks up to this number

    def listen(self, asked: BinaryIO) -> None:
        """Take note of what is asked; without anybody who asks the process ends, at once."""
        for line in asked:
            wanted = json.loads(line)
            if "tell" in wanted:
                INBOX.put(wanted["tell"])
            elif "stop" in wanted:
                self.stopped = wanted["stop"]
            else:
                self.asked.put(wanted)
        os._exit(0)  # also in the middle of a task: the server is gone

    def work(self) -> None:
        """Do what is asked, for ever."""
        while True:
            wanted = self.asked.get()
            self.do(wanted["number"], wanted["task"], wanted["options"])

    def do(self, number: int, task: str, options: Mapping[str, Any]) -> None:
        """Do one task and tell every answer of it."""
        try:
            for answer in self.tasks[task](**options):
                self.tell({"number": number, "answer": answer})
                if self.stopped >= number:
                    break
            self.tell({"number": number, "end": True})
        except BaseException as error:  # whatever it is, the server waits for a line
            found = _as_chymist(error, task)
            said = {**found.to_dict(), "kind": type(found).__name__}
            self.tell({"number": number, "error": said})

    def tell(self, said: Mapping[str, Any]) -> None:
        """One line for the server."""
        line = json.dumps(tagged(said), allow_nan=False).encode() + b"\n"
        if len(line) > LARGEST_LINE:
            raise InputError("the answer is too large", received=f"{len(line):,} bytes",
                             do="try fewer rows")  # fmt: skip
        self.told.write(line)
        self.told.flush()


def _as_chymist(error: BaseException, task: str) -> ChymistError:
    if isinstance(error, ChymistError):
        return error
    said = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, MemoryError) or "allocate memory" in said:
        return OutOfMemory("not enough memory", where=task, received=said, do="try fewer rows")
    return InputError("something unforeseen went wrong", where=task, received=said,
                      do="please report it", code="unforeseen")  # fmt: skip


def step_back() -> None:
    """Let training go first: on the processor, and where memory is short."""
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def main() -> None:
    """Serve the process that started this one; what tasks print goes to standard error."""
    asked, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    step_back()
    worker = Worker({}, told)
    threading.Thread(target=worker.listen, args=(asked,), daemon=True).start()
    from chymist.studio.tasks import (
        TASKS,
    )  # takes seconds; the end of the server is heard meanwhile

    worker.tasks = TASKS
    worker.tell({"number": 0, "ready": True})
    worker.work()


if __name__ == "__main__":
    main()
