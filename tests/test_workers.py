"""Worker processes: answers in order, deaths, the end of a parent, threads after a fork."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import active_children
from pathlib import Path
from time import perf_counter, sleep

import pytest
import torch

from chymist.engine.workers import DONE, answers, can_fork, forked

pytestmark = pytest.mark.skipif(not can_fork(), reason="nothing can be forked here")


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """A worker that hangs fails its test."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("a worker hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not active_children()


def letters(task: int) -> Iterator[bytes]:
    for place in range(task):
        yield f"{task}:{place}".encode()


def test_messages_of_a_task_keep_their_order() -> None:
    with forked(letters, 2, 1) as team:
        for _ in range(2):  # workers wait for more
            found = list(answers(team, [3, 1, 0, 2]))
            for task in (0, 1, 2, 3):
                expected = [*letters(task), DONE]
                assert [text for number, text in found if number == task] == expected


def test_tasks_run_at_once() -> None:
    reader, writer = os.pipe()

    def meet(task: int) -> tuple[bytes, ...]:
        if task == 1:
            os.read(reader, 1)  # waits for the other
        else:
            os.write(writer, b"x")
        return ()

    with forked(meet, 2, 1) as team:
        assert sorted(answers(team, [1, 2])) == [(1, DONE), (2, DONE)]


def killed(task: int) -> Iterator[bytes]:
    yield b"first"
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def failing(task: int) -> Iterator[bytes]:
    yield b"first"
    if task == 2:
        raise ValueError("of the user's own")


@pytest.mark.parametrize("work", [killed, failing])
@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_dies_ends_its_task_only(
    work: Callable[[int], Iterator[bytes]], count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with forked(work, count, 1) as team:
        found = list(answers(team, range(5)))
        again = list(answers(team, [7]))
    done = [task for task, message in found if message == DONE]
    assert (2, b"first") in found
    assert sorted(done) == ([0, 1, 3, 4] if count == 2 else [0, 1])
    assert again == ([(7, b"first"), (7, DONE)] if count == 2 else [])
    assert capfd.readouterr() == ("", "")


def test_a_message_that_is_cut_short_is_none() -> None:
    def work(task: int) -> Iterator[bytes]:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
        yield b"whole"
        while True:
            yield bytes(100_000_000)

    with forked(work, 1, 1) as team:
        found = list(answers(team, [0]))
    assert found[0] == (0, b"whole")
    assert {len(message) for _, message in found[1:]} <= {100_000_000}


def test_whoever_does_not_answer_is_not_waited_for_and_all_end_with_the_team() -> None:
    def stuck(task: int) -> tuple[bytes, ...]:
        while True:
            sleep(60)

    began = perf_counter()
    with forked(stuck, 2, 1) as team:
        pids = [worker.process.pid or 0 for worker in team]
        assert list(answers(team, [0, 1], patience=0.1)) == []
    assert perf_counter() - began < 20
    assert not any(map(alive, pids))


def test_ctrl_c_ends_all_and_reaches_nobody_else() -> None:
    def work(task: int) -> Iterator[bytes]:
        os.kill(os.getpid(), signal.SIGINT)  # as the terminal does
        yield b"still there"
        while True:
            sleep(60)

    pids: list[int] = []

    def interrupted() -> None:
        with forked(work, 2, 1) as team:
            pids.extend(worker.process.pid or 0 for worker in team)
            for _ in answers(team, [0, 1]):
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(pids) == 2
    assert not any(map(alive, pids))


@pytest.mark.parametrize("busy", [True, False])
def test_workers_end_with_a_parent_that_is_killed(busy: bool) -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:

        def work(task: int) -> Iterator[bytes]:
            os.write(writer, b"%d\n" % os.getpid())
            while busy:
                sleep(60)
            yield b""

        with forked(work, 2, 1) as team:
            list(answers(team, [0, 1]))
            sleep(60)
        os._exit(0)
    text = b""
    while text.count(b"\n") < 2:
        text += os.read(reader, 100)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    until = perf_counter() + 10
    pids = set(map(int, text.split()))
    while perf_counter() < until and any(map(alive, pids)):
        sleep(0.05)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("threads", [1, 2])
def test_products_after_a_fork_from_a_process_with_threads(threads: int) -> None:
    """OpenMP's threads are not forked; a worker that counts on them would wait for ever."""
    matrix = torch.randn(400, 400, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = torch.softmax(matrix @ matrix, 1).sum().item()  # starts them

        def work(task: int) -> Iterator[bytes]:
            value = torch.softmax(matrix @ matrix, 1).sum().item()
            yield f"{torch.get_num_threads()} {value}".encode()

        for _ in range(3):
            with forked(work, 2, threads) as team:
                found = [m.split() for _, m in answers(team, [0, 1]) if m != DONE]
            assert [int(n) for n, _ in found] == [threads, threads]
            assert [float(v) for _, v in found] == pytest.approx([expected] * 2, rel=1e-6)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
