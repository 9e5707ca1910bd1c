"""The stream: every row once, whoever is killed, however slow the reader, however many streams."""

from __future__ import annotations

import http.client
import json
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from chymist.engine.store import Recorder
from chymist.errors import UsageError
from chymist.studio import stream
from chymist.studio.folders import Folders
from chymist.studio.identity import identity
from chymist.studio.stream import Follower, watched
from tests.studio import Studio, studio_of


def make_run(folder: Path, number: str = "a") -> Path:
    """A run folder with nothing but what tells it as one."""
    folder.mkdir(parents=True)
    (folder / "environment.json").write_text(json.dumps({"id": number}))
    Recorder(folder / "records.sqlite").close()
    return folder


@contextmanager
def writer(folder: Path, rows: int, rate: float = math.inf) -> Iterator[threading.Thread]:
    """A trainer of sorts: so many rows of a loss that is its own step, at so many a second."""

    def write() -> None:
        with Recorder(folder / "records.sqlite") as record:
            began, flushed = time.perf_counter(), 0.0
            for step in range(1, rows + 1):
                record.add("loss", step, float(step))
                if time.perf_counter() - flushed > 0.05:
                    record.flush()
                    flushed = time.perf_counter()
                time.sleep(max(0.0, began + step / rate - time.perf_counter()))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


class Listener:
    """A client of the stream, which can go away and come back with the last id that it got."""

    def __init__(self, studio: Studio, run: str, key: str = "loss") -> None:
        self.studio, self.last, self.got = studio, "", list[int]()
        self.query = urlencode({"watch": json.dumps({run: [key]})})
        self.events: list[tuple[str, Any]] = []

    def hear(self, until: int, seconds: float = 30.0) -> None:
        """Listen until so many rows have come; a server that dies ends it early."""
        link = http.client.HTTPConnection("127.0.0.1", self.studio.port, timeout=seconds)
        headers = {"cookie": self.studio.cookie} | (
            {"last-event-id": self.last} if self.last else {}
        )
        try:
            link.request("GET", f"/api/stream?{self.query}", headers=headers)
            answer = link.getresponse()
            assert answer.status == 200, answer.read()
            event: dict[str, str] = {}
            while len(self.got) < until:
                line = answer.readline().decode()
                if not line:
                    return
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:  # a whole event, never a part of one
                    self.take(event["event"], json.loads(event["data"]))
                    self.last = event["id"]
                    event = {}
        except (OSError, http.client.HTTPException):
            return
        finally:
            link.close()

    def take(self, name: str, data: Any) -> None:
        """An event that came whole."""
        self.events.append((name, data))
        if name == "points":
            for _, _, _, steps, values in data["rows"]:
                assert [float(v) for v in values] == steps
                self.got += steps


def killed(runs: Path, kills: int) -> None:
    """A client hears a run while the server is killed again and again, and another takes over."""
    rows = 600 * (kills + 1)
    folder = make_run(runs / "one")
    with studio_of(runs) as studio, writer(folder, rows, 300):
        listener = Listener(studio, "one")
        listener.hear(200)
        for number in range(kills):
            killer = threading.Timer(
                0.3 + 0.05 * number, os.kill, (studio.server(), signal.SIGKILL)
            )
            killer.start()
            listener.hear(rows, 5.0)  # until it breaks off
            killer.join()
            began, goal = time.perf_counter(), min(rows, len(listener.got) + 100)
            while len(listener.got) < goal:
                listener.hear(goal)
            assert time.perf_counter() - began < 3
        listener.hear(rows)
    assert listener.got == list(range(1, rows + 1))


def test_every_row_comes_once_though_the_server_is_killed(tmp_path: Path) -> None:
    killed(tmp_path / "runs", 1)


def test_every_row_comes_once_from_another_studio(tmp_path: Path) -> None:
    folder, rows = make_run(tmp_path / "one"), 1000
    with writer(folder, rows, 500):
        with studio_of(tmp_path) as first:
            listener = Listener(first, "one")
            listener.hear(100)
        with studio_of(tmp_path, port=first.port) as other:
            listener.studio = other
            listener.hear(rows)
    assert listener.got == list(range(1, rows + 1))


@pytest.mark.hard
def test_every_row_comes_once_though_the_server_is_killed_five_times(tmp_path: Path) -> None:
    killed(tmp_path / "runs", 5)


def test_a_folder_that_took_the_place_of_another_is_told(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    with writer(folder, 20):
        pass
    follower = Follower(Folders([tmp_path]), {"one": ("loss",)})
    first = dict(follower.poll())
    assert first["points"]["rows"] == [
        ["one", "loss", identity(folder), list(range(1, 21)), [float(n) for n in range(1, 21)]]
    ]
    cursor = follower.cursor
    shutil.rmtree(folder)
    with writer(make_run(folder, "b"), 30):
        pass
    later = Follower(Folders([tmp_path]), {"one": ("loss",)}, cursor)
    told = later.poll()
    assert told[0] == ("resync", {"runs": ["one"]})
    assert "points" not in dict(told)  # they are asked for as a frame
    assert later.poll() == []
    assert later.cursor == f"{identity(folder)}:30"


def test_a_run_that_goes_back_sends_no_step_twice(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "one")
    with writer(folder, 40):
        pass
    follower = Follower(Folders([tmp_path]), {"one": ("loss",)})
    follower.poll()
    with Recorder(folder / "records.sqlite") as record:
        record.truncate(25, 25)
        for step in range(26, 45):
            record.add("loss", step, float(step))
    rows = dict(follower.poll())["points"]["rows"]
    assert rows[0][3] == [41, 42, 43, 44]


def test_what_is_far_behind_is_asked_for_and_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FAR", 1000)
    monkeypatch.setattr(stream, "MOST_ROWS", 300)
    folder = make_run(tmp_path / "one")
    with writer(folder, 5000):
        pass
    behind = Follower(Folders([tmp_path]), {"one": ("loss",)}, f"{identity(folder)}:10")
    assert dict(behind.poll())["resync"] == {"runs": ["one"]}
    near = Follower(Folders([tmp_path]), {"one": ("loss",)}, f"{identity(folder)}:4200")
    sizes = [sum(len(row[3]) for row in dict(near.poll())["points"]["rows"]) for _ in range(3)]
    assert sizes == [300, 300, 200]  # an event is never larger; the rest comes with the next


def test_states_and_new_runs_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STATE_SECONDS", 0.0)
    make_run(tmp_path / "one")
    follower = Follower(Folders([tmp_path]), {}, states=True)
    assert set(dict(follower.poll())["runs"]["states"]) == {"one"}
    assert follower.poll() == []
    make_run(tmp_path / "two")
    (tmp_path / "one" / "result.json").write_text('{"status": "diverged"}')
    told = dict(follower.poll())["runs"]["states"]
    assert told["one"] == "diverged"
    assert set(told) == {"one", "two"}
    shutil.rmtree(tmp_path / "two")
    assert dict(follower.poll())["runs"]["states"] == {"two": None}


@pytest.mark.parametrize(
    "words", ["[]", '{"a": 1}', "{", json.dumps({f"r{n}": ["k"] * 10 for n in range(100)})]
)
def test_a_watch_of_another_form_is_refused(words: str) -> None:
    with pytest.raises(UsageError):
        watched(words)


@pytest.mark.parametrize("cursor", ["a:1,2", "a:x", "a:1;b:2", "x" * 40 + ":1", ":" + "9" * 30])
def test_a_cursor_of_another_form_is_refused_or_passed(tmp_path: Path, cursor: str) -> None:
    make_run(tmp_path / "one")
    if cursor.startswith(":9"):
        Follower(Folders([tmp_path]), {"one": ("loss",)}, cursor).poll()  # a step beyond all
        return
    with pytest.raises(UsageError):
        Follower(Folders([tmp_path]), {"one": ("loss",)}, cursor)


def test_twenty_watched_runs_are_cheap_while_nothing_happens(tmp_path: Path) -> None:
    for number in range(20):
        with writer(make_run(tmp_path / f"run-{number}"), 200):
            pass
    names = {f"run-{number}": ("loss", "rate") for number in range(20)}
    follower = Follower(Folders([tmp_path]), names)
    follower.poll()
    time.sleep(0.15)
    follower.poll()  # all files are older now than a clock tick
    began = time.process_time()
    for _ in range(20):
        assert follower.poll() == []
    assert (time.process_time() - began) / 20 < 0.02  # 1 ms alone on a core


def memory(process: int) -> int:
    """Bytes that a process holds."""
    text = Path(f"/proc/{process}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_streams_end_with_their_clients_and_slow_ones_cost_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs" / "one")
    with studio_of(tmp_path / "runs") as studio, writer(folder, 4000, 2000):
        query = urlencode({"watch": json.dumps({"one": ["loss"]})})
        links = []
        for _ in range(stream.MOST_STREAMS):  # they ask and never read
            link = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=20)
            link.request("GET", f"/api/stream?{query}", headers={"cookie": studio.cookie})
            links.append((link, link.getresponse()))
        before = memory(studio.server())
        status, _, said = studio.ask(f"/api/stream?{query}")
        assert status == 422
        assert b"too many pages" in said
        time.sleep(1.0)
        assert memory(studio.server()) - before < 40e6
        for link, answer in links:
            answer.close()
            link.close()
        end = time.monotonic() + 5
        while True:  # those places are free again
            listener = Listener(studio, "one")
            try:
                listener.hear(50)
                break
            except AssertionError:
                assert time.monotonic() < end
                time.sleep(0.1)
        studio.process.send_signal(signal.SIGINT)
        assert studio.process.wait(10) == 0
