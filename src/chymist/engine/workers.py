"""Worker processes that are forked: they inherit what they work on, rather than being sent it.

A worker carries out tasks, which are numbers, and answers with bytes. Whatever goes wrong in it is
seen as an answer that does not come.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from time import sleep

import torch

Work = Callable[[int], Iterable[bytes]]

DONE = b""  # the message that ends the answer to a task


@dataclass(frozen=True, eq=False)
class Worker:
    """A process that waits for tasks.

    Args:
        process: the process.
        line: tasks go out on it, answers come in.
    """

    process: BaseProcess
    line: Connection


def can_fork() -> bool:
    """Whether processes can be forked that train: Linux, no device beside the CPU, no worker here.

    Devices, and the threads that PyTorch keeps for them, do not survive a fork.
    """
    return (
        sys.platform == "linux"
        and not torch.accelerator.is_available()
        and not current_process().daemon
    )


@contextmanager
def forked(work: Work, count: int, threads: int) -> Iterator[list[Worker]]:
    """Worker processes for a while; then all of them are killed, whatever they are doing.

    Args:
        work: what a task is answered with; called in the workers.
        count: of processes; there may be fewer, if the machine allows no more.
        threads: of torch in each of them.
    """
    team: list[Worker] = []
    try:
        with suppress(OSError, RuntimeError):  # no more processes or threads, or no memory for them
            for _ in range(count):
                team.append(_started(work, threads))
        yield team
    finally:
        for worker in team:
            worker.process.kill()
        for worker in team:
            worker.process.join()
            worker.line.close()


def _started(work: Work, threads: int) -> Worker:
    """One more worker.

    It is forked from a thread of its own. OpenMP's threads belong to the thread that called for
    them, and a fork leaves them behind: whoever counts on them afterwards waits for ever.
    """
    ours, theirs = Pipe()
    process = get_context("fork").Process(
        target=_serve, args=(work, theirs, ours, threads, os.getpid()), daemon=True
    )

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the worker inherits it
        process.start()

    with theirs, ThreadPoolExecutor(1, "fork") as starter:
        starter.submit(start).result()
    return Worker(process, ours)


def _serve(work: Work, line: Connection, other: Connection, threads: int, parent: int) -> None:
    """What a worker does: answer one task after the other until it is killed."""
    try:
        obey(parent)
        other.close()  # so that the line ends when the parent lets go of it
        torch.set_num_threads(threads)
        while True:
            for message in work(int.from_bytes(line.recv_bytes())):
                line.send_bytes(message)
            print(end="", flush=True)  # what the user's own code has printed
            line.send_bytes(DONE)
    finally:
        os._exit(1)  # without a word: the error shows where the task is carried out again


def obey(parent: int) -> None:
    """Make this process a worker: it leaves Ctrl-C to its parent, and ends when that has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        sleep(0.5)
    os._exit(1)


def answers(
    team: Sequence[Worker], tasks: Iterable[int], patience: float | None = None
) -> Iterator[tuple[int, bytes]]:
    """The messages of all tasks as they come, with `DONE` at the end of each.

    Tasks are given out in their order, to whoever is idle. One whose worker dies ends without
    `DONE`; those that nobody is left for do not begin.

    Args:
        team: idle workers.
        tasks: numbers, >= 0.
        patience: seconds without any message after which nothing more is waited for.

    Yields:
        Task and message.
    """
    left, idle = deque(tasks), [worker.line for worker in team]
    busy: dict[Connection, int] = {}
    while True:
        while left and idle:
            line = idle.pop()
            with suppress(OSError):  # it has died while it had nothing to do
                line.send_bytes(left[0].to_bytes(8))
                busy[line] = left.popleft()
        ready = wait(list(busy), patience) if busy else []
        if not ready:
            return
        for line in busy.keys() & ready:
            task = busy[line]
            try:
                message = line.recv_bytes()
            except (EOFError, OSError):
                del busy[line]
                continue
            if message == DONE:
                del busy[line]
                idle.append(line)
            yield task, message
