"""What the worker process computes: one function a task, which yields its answers as plain values.

A task calls verbs; it may import torch, and nothing that the server imports may import a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chymist.studio.tasks.populations import population_script
from chymist.studio.tasks.trial import echo

TASKS: Mapping[str, Callable[..., Iterator[Any]]] = {
    "echo": echo,
    "population_script": population_script,
}
