"""A task that shows whether the worker answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def echo(**options: Any) -> Iterator[Any]:
    """Give back what was given."""
    yield options
