"""Requests and answers as values: JSON without NaN, bodies of a known form and size, errors."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chymist.errors import ChymistError, UsageError

T = TypeVar("T")


def reply(value: Any, status: int = 200) -> Response:
    """A JSON answer; numbers that are not finite are the texts "NaN", "Infinity", "-Infinity".

    Example:
        >>> reply({"loss": float("nan")}).body
        b'{"loss": "NaN"}'
    """
    return Response(_text(value), status, media_type="application/json",
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
    """The body of a request; its size and its time are limited before.

    Args:
        request: with a JSON body.
        form: a msgspec struct; unknown fields and wrong types are refused.

    Raises:
        UsageError: it has another form.
    """
    content = b"".join([part async for part in request.stream()])
    try:
        return msgspec.json.decode(content, type=form)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UsageError("the request has another form", received=str(error)[:120]) from None


def query_of(request: Request, form: type[T]) -> T:
    """The query of an address.

    Args:
        request: with texts such as `?from=10&to=20`.
        form: a msgspec struct; numbers are read from their texts, unknown names are refused.

    Raises:
        UsageError: it has another form.
    """
    try:
        return msgspec.convert(dict(request.query_params), form, strict=False)
    except (msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise UsageError("the query has another form", received=str(error)[:120]) from None


def lines(answers: AsyncIterator[Any]) -> Response:
    """An answer that grows: a line of JSON for each value; the last has `end` or `error`.

    Args:
        answers: as of `Workshop.listen`; closed when the client goes.
    """

    async def told() -> AsyncIterator[bytes]:
        try:
            async for answer in answers:
                yield _text({"answer": answer}).encode() + b"\n"
            yield b'{"end": true}\n'
        except ChymistError as error:
            yield _text({"error": error.to_dict()}).encode() + b"\n"
        finally:
            if isinstance(answers, AsyncGenerator):
                await answers.aclose()

    return StreamingResponse(told(), headers={"cache-control": "no-store"},
                             media_type="application/x-ndjson")  # fmt: skip


def error_reply(error: ChymistError, status: int | None = None) -> Response:
    """An error as an answer: the same fields as of the command line."""
    known = 413 if error.code == "too-large" else 408 if error.code == "too-slow" else 0
    usual = known or (400 if error.exit_code != 1 else 422)
    return reply({"error": error.to_dict()}, status or usual)


def _text(value: Any) -> str:
    return json.dumps(tagged(value), allow_nan=False)
