"""What is new in the runs that a page watches, as one stream of server-sent events.

The server keeps nothing: every event says in its `id` how far each series has been sent, and
whoever comes back with that, to this server or to the next, goes on from there. Rows are read from
the records at most ten times a second, as many as there are: a page that is slow gets fewer and
larger events, never fewer rows.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from chymist.engine.kinds import state_of
from chymist.errors import ChymistError, InputError, UsageError
from chymist.studio.folders import Folders
from chymist.studio.identity import RECORD, Stamp, identity, stamp
from chymist.studio.replies import tagged
from chymist.studio.series import Record, reading

FRAME_SECONDS = 0.1  # between two events, at least
BEAT_SECONDS = 15.0  # without an event, after which a sign of life is sent
STATE_SECONDS = 1.0  # between two looks at the state of runs
MOST_PAIRS, MOST_RUNS = 400, 60  # watched by one stream
MOST_ROWS = 20_000  # of one event
FAR = 50_000  # rows behind, from which on a frame is asked for instead
MOST_STREAMS = 24
START = -(2**62)  # before every step
YOUNG = 0.1  # seconds: a file that was written so recently may be written again under one stamp
WRITTEN = (RECORD, f"{RECORD}-wal")
TOLD = ("environment.json", "imported.json", "result.json", "history.json")


@dataclass
class Source:
    """A run that is watched, and how far its series have been sent.

    Args:
        run: its name.
        keys: names of its series.
        identity: of the folder whose points were sent; empty at first.
        sent: the last step of each series that was sent.
    """

    run: str
    keys: tuple[str, ...]
    identity: str = ""
    sent: dict[str, int] = field(default_factory=dict)
    seen: Stamp = ()
    replaced: bool = False
    folder: Path | None = None
    state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cursor(self) -> str:
        """How far its series have been sent, as a text."""
        return f"{self.identity}:{','.join(str(self.sent.get(key, '')) for key in self.keys)}"

    def go_on(self, cursor: str) -> None:
        """Take up where an earlier stream ended.

        Raises:
            UsageError: the text is no cursor of these series.
        """
        self.identity, _, steps = cursor.partition(":")
        given = steps.split(",")
        if len(given) != len(self.keys) or len(self.identity) > 16:
            raise UsageError("no cursor of this stream", received=cursor[:60])
        for key, step in zip(self.keys, given, strict=True):
            if step:
                self.sent[key] = _step(step)


def _step(text: str) -> int:
    try:
        return int(text[:20])
    except ValueError:
        raise UsageError("no cursor of this stream", received=text[:60]) from None


class Follower:
    """Reads what is new for one stream.

    Args:
        folders: of all runs.
        watch: names of series by name of run.
        cursor: of the last event that was received; empty for all there is.
        states: whether changes of the states of all runs are told.
    """

    def __init__(
        self, folders: Folders, watch: Mapping[str, tuple[str, ...]], cursor: str = "",
        states: bool = False,
    ) -> None:  # fmt: skip
        self._folders = folders
        self.sources = [Source(run, keys) for run, keys in watch.items()]
        if cursor:
            texts = cursor.split(";")
            if len(texts) != len(self.sources):
                raise UsageError("no cursor of this stream", received=cursor[:60])
            for source, text in zip(self.sources, texts, strict=True):
                source.go_on(text)
        self._states: dict[str, tuple[Stamp, str]] | None = {} if states else None
        self._looked = 0.0

    @property
    def cursor(self) -> str:
        """How far everything has been sent."""
        return ";".join(source.cursor for source in self.sources)

    def poll(self) -> list[tuple[str, Any]]:
        """Names and contents of events: what is new since the last call."""
        rows: list[Any] = []
        again: list[str] = []
        events: list[tuple[str, Any]] = []
        looked = time.monotonic() - self._looked > STATE_SECONDS
        for source in self.sources:
            try:
                again += [source.run] * (self._changed(source, looked) or self._read(source, rows))
            except ChymistError:  # between two states: seen again at the next call
                source.seen = ()
            if looked and (state := self._state(source)) != source.state:
                source.state = state
                events.append(("state", {"run": source.run, **state}))
        if again:
            events.insert(0, ("resync", {"runs": again}))
        if rows:
            events.append(("points", {"rows": rows}))
        if looked:
            self._looked = time.monotonic()
            if self._states is not None and (changed := self._changes()):
                events.append(("runs", {"states": changed}))
        return events

    def _changed(self, source: Source, looked: bool) -> bool:
        """Whether another folder has taken the place of a run's."""
        if source.folder is None or looked:
            source.folder = self._folders.find(source.run)
            found = identity(source.folder)
            if found != source.identity:
                known, source.identity = source.identity, found
                source.sent, source.seen, source.replaced = {}, (), bool(known)
                return bool(known)
        return False

    def _read(self, source: Source, rows: list[Any]) -> bool:
        """Append what is new of a run: its name, series, identity, steps, values.

        Returns:
            Whether there is so much that it is not sent: it is to be asked for.
        """
        room = MOST_ROWS - sum(len(row[3]) for row in rows)
        if source.folder is None or room <= 0:
            return False
        now = stamp(source.folder, WRITTEN)
        if now == source.seen:
            return False
        with reading(source.folder / RECORD) as record:
            far = any(record.behind(key, source.sent.get(key, START)) > FAR for key in source.keys)
            if far or source.replaced:
                ends = {key: record.last(key) for key in source.keys}
                source.sent = {key: step for key, step in ends.items() if step is not None}
                source.replaced = False
            room = self._new(source, record, rows, room)
        newest = max((one[1] for one in now if one), default=0)
        settled = room > 0 and time.time_ns() - newest > YOUNG * 1e9
        source.seen = now if settled else ()
        return far

    @staticmethod
    def _new(source: Source, record: Record, rows: list[Any], room: int) -> int:
        for key in source.keys:
            if room <= 0:
                break
            steps, values = record.after(key, source.sent.get(key, START), room)
            if len(steps):
                rows.append([source.run, key, source.identity, steps.tolist(), values.tolist()])
                source.sent[key] = int(steps[-1])
                room -= len(steps)
        return room

    def _state(self, source: Source) -> dict[str, Any]:
        """What a folder shows of its run."""
        if source.folder is None:
            return {"state": "missing"}
        written = [one[1] for one in stamp(source.folder, WRITTEN) if one]
        return {"state": state_of(source.folder), "written": max(written, default=0) / 1e9}

    def _changes(self) -> dict[str, str | None]:
        """States of runs that are new or have changed; None for a run that is gone."""
        assert self._states is not None
        found: dict[str, tuple[Stamp, str]] = {}
        for name, folder in self._folders.all().items():
            now = stamp(folder, TOLD)
            known = self._states.get(name)
            ended = known and known[0] == now and now[2] is not None
            found[name] = known if known and ended else (now, state_of(folder))
        changed = {
            name: one[1] for name, one in found.items() if one != self._states.get(name)
        } | dict.fromkeys(self._states.keys() - found.keys())
        self._states = found
        return changed


class Stream(StreamingResponse):
    """A stream that is counted while it lasts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        state.streams = getattr(state, "streams", 0) + 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            state.streams -= 1


async def stream(request: Request) -> Response:
    """`GET /api/stream?watch={"RUN": ["loss"]}&after=CURSOR&runs=1`: what is new, as it comes."""
    if getattr(request.app.state, "streams", 0) >= MOST_STREAMS:
        raise InputError("too many pages are open", received=f"{MOST_STREAMS} streams",
                         do="close some of them")  # fmt: skip
    query = request.query_params
    cursor = request.headers.get("last-event-id") or query.get("after", "")
    watch = watched(query.get("watch", "{}"))
    follower = Follower(request.app.state.folders, watch, cursor, "runs" in query)
    return Stream(_events(follower), media_type="text/event-stream",
                  headers={"cache-control": "no-store", "x-accel-buffering": "no"})  # fmt: skip


def watched(text: str) -> dict[str, tuple[str, ...]]:
    """What a stream is asked for.

    Raises:
        UsageError: it has another form, or is too much.

    Example:
        >>> watched('{"digits-0001": ["loss"]}')
        {'digits-0001': ('loss',)}
    """
    try:
        found = msgspec.json.decode(text, type=dict[str, tuple[str, ...]])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise UsageError("the request has another form", received=str(error)[:120]) from None
    pairs = sum(map(len, found.values()))
    if pairs > MOST_PAIRS or len(found) > MOST_RUNS:
        raise UsageError("too much is watched at once", received=f"{pairs} series",
                         do=f"at most {MOST_PAIRS} of {MOST_RUNS} runs")  # fmt: skip
    return found


async def _events(follower: Follower) -> AsyncIterator[bytes]:
    """Events as bytes, for as long as somebody reads them."""
    yield b"retry: 500\n\n"
    spoken = time.monotonic()
    while True:
        began = time.monotonic()
        said = await run_in_threadpool(follower.poll)
        if said:
            yield b"".join(_written(*event, follower.cursor) for event in said)
            spoken = time.monotonic()
        elif time.monotonic() - spoken > BEAT_SECONDS:
            yield b": still here\n\n"
            spoken = time.monotonic()
        spent = time.monotonic() - began
        await asyncio.sleep(max(FRAME_SECONDS - spent, spent, 0.02))


def _written(name: str, content: Any, cursor: str) -> bytes:
    text = json.dumps(tagged(content), allow_nan=False)
    return f"id: {cursor}\nevent: {name}\ndata: {text}\n\n".encode()
