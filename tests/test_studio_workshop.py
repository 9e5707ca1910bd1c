"""The process that computes for the studio: what it does, and what happens when it fails."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from chymist.errors import ChymistError, InputError, OutOfMemory, UsageError
from chymist.studio import worker, workshop
from chymist.studio.worker import Worker
from chymist.studio.workshop import Busy, Workshop

# A worker whose tasks do what no task should; the protocol is the real one.
ODD = """
import os, sys, time, types
from chymist.errors import UsageError
from chymist.studio.mail import INBOX

def count(most=3, pause=0.0):
    for number in range(most):
        print("noise on standard output")
        os.write(1, b"more noise\\n")
        yield number
        time.sleep(pause)

def die(how=9):
    yield "begun"
    os.kill(os.getpid(), how)
    time.sleep(60)

def leave(): sys.exit(3); yield
def wrong(): raise UsageError("no such layer", received="'conv9'", do="try conv1"); yield
def odd(): raise ValueError("bad\\x1b[31m"); yield
def strange(): yield {1, 2}
def large(): yield "x" * 2_000_000
def hang(): time.sleep(600); yield
def memory(): raise MemoryError(); yield
def none(): return; yield
def listening(): sys.stdin.read(); yield "end of input"
def nan(): yield float("nan")
def echo(**given): yield given
def hear():
    while True:
        yield INBOX.get()

tasks = sys.modules["chymist.studio.tasks"] = types.ModuleType("tasks")
tasks.TASKS = dict(count=count, die=die, leave=leave, wrong=wrong, odd=odd, strange=strange,
    large=large, hang=hang, memory=memory, none=none, listening=listening, nan=nan, echo=echo, hear=hear)
from chymist.studio import worker
worker.LARGEST_LINE = 1_000_000
worker.main()
"""


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec

    async def instead(program: str, *words: str, **options: Any) -> Any:
        assert words == ("-P", "-m", "chymist.studio.worker")
        return await start(program, "-c", ODD, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", instead)


def within(work: Callable[[Workshop], Awaitable[Any]], seconds: float = 30) -> Any:
    """What some work with a workshop gives."""

    async def whole() -> Any:
        shop = Workshop()
        try:
            return await asyncio.wait_for(work(shop), seconds)
        finally:
            await shop.close()

    return asyncio.run(whole())


async def number_of(shop: Workshop) -> int:
    await shop.ask("echo", {})
    assert shop._process is not None
    return shop._process.pid


@pytest.mark.parametrize(
    ("task", "kind", "said"),
    [
        ("wrong", UsageError, "no such layer: got 'conv9'; try conv1"),
        ("odd", InputError, r"ValueError: bad\x1b[31m"),
        ("strange", InputError, "not JSON serializable"),
        ("large", InputError, "the answer is too large"),
        ("memory", OutOfMemory, "not enough memory"),
        ("leave", InputError, "SystemExit: 3"),
        ("nothing-of-that-name", InputError, "KeyError"),
        ("die", InputError, "the process that computes has ended, in die: got signal 9; try again"),
    ],
)
@pytest.mark.usefixtures("odd")
def test_what_fails_is_one_line_and_the_next_task_works(
    task: str, kind: type[ChymistError], said: str
) -> None:
    async def work(shop: Workshop) -> None:
        for _ in range(2):
            with pytest.raises(kind) as failed:
                await shop.ask(task, {})
            assert said in failed.value.line()
            assert "\n" not in failed.value.line()
            assert await shop.ask("echo", {"x": 1}) == {"x": 1}

    within(work)


@pytest.mark.usefixtures("odd")
def test_prints_inputs_and_odd_numbers_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    async def work(shop: Workshop) -> None:
        assert [said async for said in shop.listen("count", {})] == [0, 1, 2]
        assert await shop.ask("count", {}) == 2
        assert await shop.ask("none", {}) is None
        assert await shop.ask("listening", {}) == "end of input"
        assert await shop.ask("nan", {}) == "NaN"

    within(work)
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.count("noise") == 12


@pytest.mark.usefixtures("odd")
def test_a_task_that_takes_too_long_is_ended() -> None:
    async def work(shop: Workshop) -> None:
        before = await number_of(shop)
        with pytest.raises(InputError, match="it took too long, in hang"):
            await shop.ask("hang", {}, seconds=0.1)
        assert await number_of(shop) != before
        assert not alive(before)

    within(work)


@pytest.mark.usefixtures("odd")
def test_a_task_that_nobody_waits_for_stops_and_the_worker_lives_on() -> None:
    async def work(shop: Workshop) -> None:
        before = await number_of(shop)
        async for number in shop.listen("count", {"most": 10_000, "pause": 0.01}):
            if number == 3:
                break
        assert await number_of(shop) == before
        asking = asyncio.create_task(shop.ask("count", {"most": 10_000, "pause": 0.01}))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await number_of(shop) == before
        asking = asyncio.create_task(shop.ask("hang", {}))
        await asyncio.sleep(0.1)
        asking.cancel()  # this one does not listen
        assert await number_of(shop) != before

    within(work)


@pytest.mark.usefixtures("odd")
def test_a_worker_that_begins_outlives_a_question_that_nobody_waits_for() -> None:
    async def work(shop: Workshop) -> None:
        asking = asyncio.create_task(shop.ask("hang", {}))
        while shop._process is None:
            await asyncio.sleep(0.001)
        begun = shop._process.pid
        asking.cancel()  # while it imports
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await number_of(shop) == begun

    within(work)


@pytest.mark.usefixtures("odd")
def test_a_worker_is_there_before_it_is_asked_and_after_it_was_ended() -> None:
    async def work(shop: Workshop) -> None:
        shop.warm()
        shop.warm()
        while not shop._ready:
            await asyncio.sleep(0.01)
        assert shop._process is not None
        before = shop._process.pid
        assert await number_of(shop) == before
        with pytest.raises(InputError, match="it took too long"):
            await shop.ask("hang", {}, seconds=0.1)
        assert shop._settling is not None
        await shop._settling
        assert not alive(before)
        while not shop._ready:
            await asyncio.sleep(0.01)
        assert alive(shop._process.pid)
        await shop.close()
        shop.warm()
        assert shop._process is None

    within(work)


@pytest.mark.usefixtures("odd")
def test_words_reach_a_task_under_way() -> None:
    async def work(shop: Workshop) -> None:
        await shop.tell({"lost": True})  # there is nobody yet
        heard = shop.listen("hear", {})
        asking = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0.5)
        await shop.tell({"do": "go"})
        assert await asking == {"do": "go"}

    within(work)


@pytest.mark.usefixtures("odd")
def test_few_wait_and_more_are_refused_at_once() -> None:
    async def work(shop: Workshop) -> None:
        first = asyncio.create_task(shop.ask("count", {"most": 5, "pause": 0.1}))
        await asyncio.sleep(0)
        others = [
            asyncio.create_task(shop.ask("echo", {"x": x})) for x in range(workshop.MOST_WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="too many tasks wait"):
            await shop.ask("echo", {})
        assert await first == 4
        assert await asyncio.gather(*others) == [{"x": x} for x in range(workshop.MOST_WAITING)]
        assert await shop.ask("echo", {"x": 1}) == {"x": 1}

    within(work)


@pytest.mark.usefixtures("odd")
def test_closing_ends_worker_and_task() -> None:
    async def work(shop: Workshop) -> int:
        number = await number_of(shop)
        asking = asyncio.create_task(shop.ask("hang", {}))
        await asyncio.sleep(0.1)
        await shop.close()
        with pytest.raises(InputError):
            await asking
        return number

    assert not alive(within(work))


def test_a_worker_ends_with_its_server_even_in_the_middle_of_a_task() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ODD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'{"number": 1, "task": "count", "options": {"most": 1}}\n')
    process.stdin.write(b'{"number": 2, "task": "hang", "options": {}}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == {"number": 0, "ready": True}
    assert json.loads(process.stdout.readline()) == {"number": 1, "answer": 0}
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.mark.usefixtures("odd")
@pytest.mark.skipif(not os.path.exists("/proc/self/oom_score_adj"), reason="as Linux does it")
def test_training_goes_first() -> None:
    async def work(shop: Workshop) -> tuple[int, str, int]:
        number = await number_of(shop)
        with open(f"/proc/{number}/oom_score_adj") as file:
            return os.getpriority(os.PRIO_PROCESS, number), file.read(), os.getsid(number)

    nice, memory, session = within(work)
    assert nice == min(os.getpriority(os.PRIO_PROCESS, 0) + worker.NICE, 19)
    assert int(memory) >= 500
    assert session != os.getsid(0)  # Ctrl-C is not for it


def test_an_answer_is_one_line_for_each_value() -> None:
    told = io.BytesIO()

    def counting(most: int) -> Iterator[int]:
        yield from range(most)

    Worker({"count": counting}, told).do(7, "count", {"most": 2})
    said = [json.loads(line) for line in told.getvalue().splitlines()]
    assert said == [
        {"number": 7, "answer": 0},
        {"number": 7, "answer": 1},
        {"number": 7, "end": True},
    ]


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
