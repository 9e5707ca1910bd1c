"""Requests and answers as values: JSON without NaN, bodies of a known form and size, errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from chymist.errors import ChymistError, UsageError

T = TypeVar("T")

LARGEST_BODY = 1_000_000  # bytes of a request


def reply(value: Any, status: int = 200) -> Response:
    """A JSON answer; numbers that are not finite are the texts "NaN", "Infinity", "-Infinity".

    Example:
        >>> reply({"loss": float("nan")}).body
        b'{"loss": "NaN"}'
    """
    text = json.dumps(tagged(value), allow_nan=False)
    return Response(text, status, media_type="application/json",
                    headers={"cache-control": "no-store"})  # fmt: skip


def tagged(value: Any) -> Any:
    """A value with numbers that are not finite as texts.

    Example:
        >>> tagged({"a": [1.0, float("-inf")]})
        {'a': [1.0, '-Infinity']}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(name): tagged(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [tagged(one) for one in value]
    return value


async def body_of(request: Request, form: type[T]) -> T:
    """The body of a request.

    Args:
        request: with a JSON body.
        form: a msgspec struct; unknown fields and wrong types are refused.

    Raises:
        UsageError: it is too large, or has another form.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_BODY:
            raise UsageError("the request is too large", received=f"over {LARGEST_BODY:,} bytes")
    try:
        return msgspec.json.decode(bytes(content), type=form)
    except msgspec.MsgspecError as error:
        raise UsageError("the request has another form", received=str(error)[:120]) from None


def error_reply(error: ChymistError) -> Response:
    """An error as an answer: the same fields as of the command line."""
    return reply({"error": error.to_dict()}, 400 if error.exit_code != 1 else 422)
