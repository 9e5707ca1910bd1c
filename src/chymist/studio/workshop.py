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

from chymist.errors import InputError, from_dict

LARGEST_LINE = 64_000_000  # bytes of an answer


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

    async def ask(self, task: str, options: Mapping[str, Any], seconds: float = 300) -> Any:
        """The last answer of a task.

        Args:
            task: its name, see `tasks.TASKS`.
            options: of the task.
            seconds: that it may take.

        Raises:
            ChymistError: as the task does; or it took too long, or the worker died.
        """
        found = None
        async with self._free:
            try:
                async with asyncio.timeout(seconds):
                    async for answer in self._answers(task, options):
                        found = answer
            except TimeoutError:
                await self._kill()
                raise InputError("it took too long", where=task, received=f"{seconds:g} s",
                                 do="try fewer rows, or the command line") from None  # fmt: skip
            except asyncio.CancelledError:
                await self._kill()
                raise
        return found

    async def listen(self, task: str, options: Mapping[str, Any]) -> AsyncIterator[Any]:
        """The answers of a task that gives several; leaving early ends the worker."""
        async with self._free:
            done = False
            try:
                async for answer in self._answers(task, options):
                    yield answer
                done = True
            finally:
                if not done:
                    await self._kill()

    async def tell(self, word: Mapping[str, Any]) -> None:
        """Say something to the task under way, see `mail`; to nobody if there is none."""
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            with suppress(ConnectionError):  # it has just ended, as whoever listens will hear
                process.stdin.write(json.dumps({"tell": dict(word)}).encode() + b"\n")
                await process.stdin.drain()

    async def _answers(self, task: str, options: Mapping[str, Any]) -> AsyncIterator[Any]:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"task": task, "options": dict(options)}).encode() + b"\n")
        await process.stdin.drain()
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "error" in said:
                raise from_dict(said["error"])
            if "end" in said:
                return
            yield said["answer"]
        raise InputError("the worker has ended", where=task, do="try again")

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "chymist.studio.worker", stdin=PIPE, stdout=PIPE,
                limit=LARGEST_LINE, env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )  # fmt: skip
        return self._process

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def close(self) -> None:
        """End the worker."""
        await self._kill()
