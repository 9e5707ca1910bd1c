"""Words to a task that is under way: the worker reads them while it computes."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

INBOX: SimpleQueue[dict[str, Any]] = SimpleQueue()  # of the one task of a worker process
