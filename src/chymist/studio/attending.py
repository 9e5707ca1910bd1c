"""Answering for as long as somebody waits: limits of what is sent, and an end when it is left."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chymist.errors import ChymistError, InputError, UsageError
from chymist.studio.checks import LARGEST_BODY

BODY_SECONDS = 20.0  # until a request is there


async def attended(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, and stop when its client goes.

    Args:
        app: what answers; it is cancelled when nobody waits any more.
        scope: of the request.
        receive: gives the body; the app is told an error where it is too large or too slow.
        send: takes the answer.
    """
    came: asyncio.Queue[Message | ChymistError] = asyncio.Queue()
    whole, answered = False, False

    async def take() -> Message:
        found = await came.get()
        if isinstance(found, ChymistError):
            raise found
        return found

    async def give(message: Message) -> None:
        nonlocal answered
        if message["type"] == "http.response.start" and not whole:
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        answered = message["type"] == "http.response.body" and not message.get("more_body")
        await send(message)

    async def listen() -> None:
        nonlocal whole
        try:
            await _body(receive, came)
            whole = True
        except ChymistError as error:
            came.put_nowait(error)
        while (await receive())["type"] != "http.disconnect":
            pass
        came.put_nowait({"type": "http.disconnect"})

    listening = asyncio.create_task(listen())
    answering = asyncio.ensure_future(app(scope, take, give))
    try:
        await asyncio.wait({listening, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and not answered:
            answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        if not answering.cancelled():
            answering.result()
    finally:
        listening.cancel()
        answering.cancel()


async def _body(receive: Receive, came: asyncio.Queue[Message | ChymistError]) -> None:
    """Hand on a body, part by part."""
    size, more = 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                size += len(message.get("body", b""))
                if size > LARGEST_BODY:
                    raise UsageError("the request is too large", code="too-large",
                                     received=f"over {LARGEST_BODY:,} bytes")  # fmt: skip
                came.put_nowait(message)
                more = message.get("more_body", False)
    except TimeoutError:
        raise InputError("the request did not end", received=f"{BODY_SECONDS:g} s",
                         do="send it again", code="too-slow") from None  # fmt: skip
