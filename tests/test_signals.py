"""Signals, closed terminals and lost readers end a run so that it can be continued exactly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Ending, Server, differences, fingerprint, leftovers

FIT = ["fit", "iris", "--model", "mlp", "--model.dropout", "0.2", "--length", "1500 steps",
       "--threads", "1", "--out"]  # fmt: skip
EVERY = 0.02


@pytest.fixture(scope="module")
def reference(server: Server, swift: Path) -> dict[str, Any]:
    """What the command gives when it is left in peace."""
    pid = server.start("command", swift, words=[*FIT, "whole"], every=EVERY)
    ending = server.end(pid)
    assert ending.code == 0, ending
    return fingerprint(swift / "whole")


@pytest.fixture
def folder(swift: Path, request: pytest.FixtureRequest) -> Path:
    """Where a run of the test goes."""
    name = "".join(c for c in request.node.name if c.isalnum())
    return swift / name


def started(server: Server, folder: Path, output: str = "") -> int:
    """A command that trains, has saved something, and is not at its end."""
    words = [*FIT, folder.name]
    pid = server.start("command", folder.parent, output, words=words, every=EVERY)
    server.until_saved(pid, folder)
    return pid


def check_continued(server: Server, folder: Path, reference: dict[str, Any]) -> None:
    """`chymist resume` goes on from a checkpoint, to the same bits."""
    words = ["resume", folder.name, "--json"]
    pid = server.start("command", folder.parent, words=words, every=EVERY)
    ending = server.end(pid)
    assert ending.code == 0, ending
    answer = json.loads(next(t for t in ending.output.splitlines() if t.startswith("{")))
    assert answer["resumed_from"] > 0
    assert differences(reference, fingerprint(folder)) + leftovers(folder) == []


def check_said(ending: Ending, text: str) -> None:
    """The process ended with 130 and said something in one line."""
    assert ending.code == 130, ending
    lines = [line for line in ending.output.splitlines() if text in line]
    assert len(lines) == 1, ending.output
    assert lines[0].startswith("chymist: ")
    assert "Traceback" not in ending.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(
    server: Server, folder: Path, reference: dict[str, Any], number: int
) -> None:
    pid = started(server, folder)
    os.kill(pid, number)
    check_said(server.end(pid, 10), f"chymist resume {folder.name}")
    check_continued(server, folder, reference)


def test_a_second_signal_stops_at_once(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    pid = started(server, folder)
    os.kill(pid, signal.SIGSTOP)  # so that both arrive within one step
    assert server.wait(pid).state == "stands"
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    check_said(server.end(pid, 10), "stopped at once")
    check_continued(server, folder, reference)


def test_a_run_that_is_stopped_and_continued(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    pid = started(server, folder)
    for _ in range(3):
        os.kill(pid, signal.SIGSTOP)
        if server.wait(pid).state == "ended":
            break
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    ending = server.end(pid)
    assert ending.code == 0, ending
    assert differences(reference, fingerprint(folder)) + leftovers(folder) == []


def test_a_closed_terminal(server: Server, folder: Path, reference: dict[str, Any]) -> None:
    """The terminal goes away: the kernel sends SIGHUP, and printing fails from then on."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    words = [*FIT, folder.name]
    pid = server.start("command", folder.parent, os.ttyname(theirs), words=words, every=EVERY)
    shown = b""
    while not list(folder.glob("checkpoints/step-*")):
        with contextlib.suppress(BlockingIOError):
            shown += os.read(ours, 65536)
        assert server.wait(pid, 0.01).state == "runs"
    os.close(theirs)
    os.close(ours)
    ending = server.end(pid, 10)
    assert ending.signal == signal.SIGHUP or ending.code not in (0, None), ending
    assert b"Model" in shown
    check_continued(server, folder, reference)


def piped(server: Server, folder: Path) -> int:
    """A command that prints to a pipe whose reader has gone, and trains."""
    pipe = folder.with_name(folder.name + "-pipe")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    words = [*FIT, folder.name]
    pid = server.start("command", folder.parent, str(pipe), words=words, every=EVERY)
    while not list(folder.glob("checkpoints/step-*")):
        with contextlib.suppress(BlockingIOError):
            os.read(reader, 65536)
        assert server.wait(pid, 0.01).state == "runs"
    os.close(reader)
    return pid


def test_a_reader_that_goes_away(server: Server, folder: Path, reference: dict[str, Any]) -> None:
    """Exit code 0 only if the run has ended."""
    ending = server.end(piped(server, folder))
    assert (folder / "result.json").exists() == (ending.code == 0), ending
    check_continued(server, folder, reference)


def test_a_signal_after_the_reader_went_away(
    server: Server, folder: Path, reference: dict[str, Any]
) -> None:
    """That nobody hears what is said about the signal must not look like success."""
    pid = piped(server, folder)
    os.kill(pid, signal.SIGTERM)
    assert server.end(pid, 10).code == 130
    check_continued(server, folder, reference)
