"""A process that computes for the server: started when first needed, replaced when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from chymist.errors import ChymistError, InputError, from_dict
from chymist.studio.worker import LARGEST_LINE

MOST_WAITING = 8  # tasks, beside the one that is done
GRACE = 1.0  # seconds that a task has to stop after nobody waits for it
START = 120.0  # seconds that a worker has to import what tasks need


class Busy(InputError):
    """Too many tasks wait already; later there may be room."""


class Workshop:
    """Asks a worker process for one task after the other.

    Example:
        >>> import asyncio
        >>> async def asked():
        ...     workshop = Workshop()
        ...     found = await workshop.ask("echo", {"x": 1})
        ...     await workshop.close()
        ...     return found
        >>> asyncio.run(asked())
        {'x': 1}
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._free = asyncio.Lock()
        self._waiting = 0
        self._number = 0  # of the task that was asked for last
        self._doing = 0  # number of the task that the worker is at; 0: none
        self._ready = False  # whether the worker has imported what tasks need
        self._closed = False
        self._settling: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Start the worker in the background, so that the first question finds it ready."""
        if not (self._closed or self._process or self._free.locked()):
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        async with self._free:
            with suppress(ChymistError, OSError):  # whoever asks first is told
                await self._running("warm")

    async def ask(self, task: str, options: Mapping[str, Any], seconds: float = 300) -> Any:
        """The last answer of a task; it is stopped when the one who asks is cancelled.

        Args:
            task: its name, see `tasks.TASKS`.
            options: of the task.
            seconds: that it may take, without the time that it waits for others.

        Raises:
            Busy: too many wait already.
            ChymistError: as the task does; or it took too long, or the worker died.
        """
        found = None
        async for answer in self.listen(task, options, seconds):
            found = answer
        return found

    async def listen(
        self, task: str, options: Mapping[str, Any], seconds: float | None = None
    ) -> AsyncIterator[Any]:
        """The answers of a task that gives several; leaving early stops the task.

        Args:
            task: its name.
            options: of the task.
            seconds: that it may take; None: as long as somebody listens.

        Raises:
            ChymistError: as `ask`.
        """
        if self._waiting >= MOST_WAITING:
            raise Busy("too many tasks wait", received=f"{self._waiting}",
                       do="try again in a moment")  # fmt: skip
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._begin(task, options)
            limit = asyncio.get_running_loop().time() + seconds if seconds else None
            while (said := await self._said(task, limit)) is not None:
                yield said
        finally:
            if self._doing:
                self._settling = asyncio.create_task(self._settle())
            else:
                self._free.release()

    async def tell(self, word: Mapping[str, Any]) -> None:
        """Say something to the task under way, see `mail`; to nobody if there is none."""
        if self._process is not None and self._process.returncode is None:
            await self._tell(self._process, {"tell": dict(word)})

    async def _begin(self, task: str, options: Mapping[str, Any]) -> None:
        process = await self._running(task)
        self._number += 1
        self._doing = self._number
        await self._tell(process, {"number": self._doing, "task": task, "options": dict(options)})

    async def _said(self, task: str, limit: float | None) -> Any:
        """The next answer; None after the last."""
        process = self._process
        if process is None or process.stdout is None:
            raise InputError("the studio is closing", where=task)
        while True:
            try:
                async with asyncio.timeout_at(limit):
                    line = await process.stdout.readline()
            except TimeoutError:
                raise InputError("it took too long", where=task,
                                 do="try fewer rows, or the command line") from None  # fmt: skip
            if not line.endswith(b"\n"):
                raise await self._lost(process, task)
            said = json.loads(line)
            if said["number"] != self._doing:
                continue
            if "answer" in said:
                return said["answer"]
            self._doing = 0
            if "error" in said:
                raise from_dict(said["error"])
            return None

    async def _lost(self, process: Process, task: str) -> InputError:
        """The worker is gone in the middle of a task; the next one gets another."""
        code = await process.wait()
        self._process, self._doing = None, 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return InputError("the process that computes has ended", where=task, received=how,
                          do="try again; if it was short of memory, with fewer rows")  # fmt: skip

    async def _settle(self) -> None:
        """Have a task stopped that nobody waits for; the worker lives on where it can."""
        try:
            async with asyncio.timeout(GRACE):
                if self._process is not None:
                    await self._tell(self._process, {"stop": self._doing})
                while self._doing:
                    await self._said("", None)
        except TimeoutError:
            await self._kill()
        except ChymistError:  # it has ended in its own way
            pass
        finally:
            self._doing = 0
            self._free.release()
            self.warm()

    async def _tell(self, process: Process, what: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(what).encode() + b"\n")
        try:
            await process.stdin.drain()
        except ConnectionError:  # what it has to say is read, or found missing, after this
            return

    async def _running(self, task: str) -> Process:
        """A worker that can be asked; whoever leaves earlier does not stop it from becoming one."""
        if self._process is None or self._process.returncode is not None:
            self._ready = False
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "chymist.studio.worker", stdin=PIPE, stdout=PIPE,
                limit=LARGEST_LINE + 1_000, env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )  # fmt: skip
        process = self._process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START):
                if not self._ready and not await process.stdout.readline():
                    raise await self._lost(process, task)
        except TimeoutError:
            await self._kill()
            raise InputError("the process that computes does not start", where=task,
                             do="try again when the machine has less to do") from None  # fmt: skip
        self._ready = True
        return process

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def close(self) -> None:
        """End the worker, whatever it does."""
        self._closed = True
        await self._kill()
        under_way = [task for task in (self._settling, self._warming) if task is not None]
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._kill()
