"""The worker process of a workshop: reads tasks as lines of JSON, writes their answers as such."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from chymist.errors import ChymistError
from chymist.studio.mail import wishes
from chymist.studio.replies import tagged


def work(asked: BinaryIO, told: BinaryIO) -> None:
    """Do tasks until nobody asks any more."""
    for wanted in wishes(asked):
        for said in _done(wanted["task"], wanted["options"]):
            told.write(json.dumps(tagged(said), allow_nan=False).encode() + b"\n")
            told.flush()


def _done(task: str, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from chymist.studio.tasks import TASKS

    try:
        for answer in TASKS[task](**options):
            yield {"answer": answer}
        yield {"end": True}
    except ChymistError as error:
        yield {"error": {**error.to_dict(), "kind": type(error).__name__}}


def main() -> None:
    """Serve the process that started this one; what tasks print goes to standard error."""
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    work(sys.stdin.buffer, told)


if __name__ == "__main__":
    main()
