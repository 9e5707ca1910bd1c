"""Isolation of every test from the machine: folders, network, threads."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples on every machine and every day.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")

# Read before the tests' own environment hides it, and before a test changes its folder.
DATA = os.environ.get("CHYMIST_DATA", "")
FOLDER = Path(DATA).resolve()
LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture
def chymist_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real data sets, $CHYMIST_DATA; the test is skipped where there is none."""
    if not DATA:
        pytest.skip("CHYMIST_DATA is not set: no folder with the real data sets")
    if not FOLDER.is_dir():
        pytest.skip("CHYMIST_DATA names no folder")
    monkeypatch.setenv("CHYMIST_DATA", str(FOLDER))
    return FOLDER


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A home of its own for every test, one thread, and no data but what it asks for."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")  # whatever terminal the tests are run from
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("CHYMIST_HOME", str(home / "chymist"))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.delenv("CHYMIST_DATA", raising=False)
    one_thread()
    yield
    one_thread()


def one_thread() -> None:
    """Results of tests do not depend on the number of cores; torch is not imported for that."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that connects to another machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test connects to another machine: {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Gives processes that are there to be killed, see `kill_child`."""
    if sys.platform != "linux":
        pytest.skip("processes are forked, stopped and looked at as Linux allows it")
    from tests.faults import Server

    found = Server(tmp_path_factory.mktemp("server"))
    yield found
    found.close()


@pytest.fixture(scope="module")  # its loop of events must not run beside another's
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium, see `tests.browser`; the test is skipped where there is none."""
    from tests.browser import Browser, refusal

    if reason := refusal():
        pytest.skip(reason)
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is such a place: flushing hundreds of files takes no time."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path_factory.mktemp("swift")
        return
    with tempfile.TemporaryDirectory(prefix="chymist-", dir=memory) as folder:
        yield Path(folder)
