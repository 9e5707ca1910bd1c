"""Playgrounds that are open: a page each, a worker each, and one worker kept warm for the next."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import FIRST_COMPLETED, Queue, Task
from collections.abc import AsyncIterator, Mapping
from typing import Any

from chymist.errors import ChymistError, InputError
from chymist.studio.workshop import Workshop

MOST = 3  # pages at a time
PATIENCE = 5.0  # seconds that a worker may take to end its task


class Play:
    """An open page: what its worker says waits here for it.

    Args:
        workshop: whose worker trains.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.said: Queue[dict[str, Any] | None] = Queue()
        self.task: Task[None] = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for answer in self.workshop.listen("play", {}):
                self.said.put_nowait(answer)
        except ChymistError as error:
            self.said.put_nowait({"kind": "lost", "error": error.to_dict()})
        finally:
            self.said.put_nowait(None)


class Plays:
    """The open pages by their names."""

    def __init__(self) -> None:
        self.open: dict[str, Play] = {}
        self.spare: Workshop | None = None
        self._leaving: set[Task[None]] = set()

    async def enter(self) -> str:
        """Open one more; its name.

        Raises:
            InputError: there are as many as there may be.
        """
        if self.spare is None and self._leaving:  # whose warm worker is about to be free
            await asyncio.wait(self._leaving, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        if len(self.open) >= MOST:
            raise InputError("too many playgrounds are open", received=str(MOST),
                             do="close the tab of one")  # fmt: skip
        name = secrets.token_urlsafe(9)
        workshop, self.spare = self.spare or Workshop(), None
        self.open[name] = Play(workshop)
        return name

    async def hear(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """What an open page is to show; it is closed when nobody listens any more."""
        play = self.open[name]
        try:
            yield {"kind": "open", "name": name}
            while (said := await play.said.get()) is not None:
                yield said
                if said["kind"] == "frame":
                    await play.workshop.tell({"do": "seen"})
        finally:
            self._leave(name)

    async def tell(self, name: str, word: Mapping[str, Any]) -> None:
        """Say something to the worker of a page.

        Raises:
            InputError: there is no such page.
        """
        if name not in self.open:
            raise InputError("this playground is closed", do="load the page again")
        await self.open[name].workshop.tell(word)

    def _leave(self, name: str) -> None:
        play = self.open.pop(name)
        task = asyncio.create_task(self._ended(play))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _ended(self, play: Play) -> None:
        """End the task of a worker; the worker is kept for the next page, if one is wanted."""
        await play.workshop.tell({"do": "end"})
        _, late = await asyncio.wait([play.task], timeout=PATIENCE)
        if late:
            play.task.cancel()
            await asyncio.wait([play.task])
        if self.spare is None and not late:
            self.spare = play.workshop
        else:
            await play.workshop.close()

    async def close(self) -> None:
        """End all workers."""
        for play in self.open.values():
            play.task.cancel()
        for task in self._leaving:
            task.cancel()
        shops = [play.workshop for play in self.open.values()]
        for workshop in [*shops, *([self.spare] if self.spare else [])]:
            await workshop.close()
