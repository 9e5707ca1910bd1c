"""`chymist studio` as a command: how it starts, ends, and what it survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from chymist.cli import main
from tests.studio import Studio, studio_of

LINUX = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="processes as on Linux")


def command(*words: str, program: Sequence[str] = ("-m", "chymist")) -> subprocess.Popen[str]:
    """The command, on a free port."""
    return subprocess.Popen(
        [sys.executable, *program, "studio", "--port", "0", *words], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def gone(number: int, seconds: float = 10) -> bool:
    """Whether a process ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if "\nState:\tZ" in Path(f"/proc/{number}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def ask(studio: Studio) -> int:
    """The status of the list of runs; 0 if nobody answers."""
    try:
        return studio.ask("/api/runs")[0]
    except OSError:
        return 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 1, "no such folder, in nowhere: got nothing there; name a run folder"),
        ([__file__], 1, "got a file; name a run folder"),
        (["--port", "70000"], 2, "no such port, in --port: got 70000"),
        (["--port", "-1"], 2, "no such port, in --port: got -1"),
        (["--port", "x"], 2, "--port"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["studio", *words]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with studio_of(tmp_path) as studio:
        assert main(["studio", str(tmp_path), "--port", str(studio.port)]) == 1
        said = capsys.readouterr().err
        assert f"got {studio.port}: Address already in use; take another, or --port 0" in said


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    words = (
        "import sys; sys.modules['uvicorn'] = None; from chymist.cli import main; sys.exit(main())"
    )
    process = command(str(tmp_path), program=("-c", words))
    out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (
        said
        == "chymist: the studio is not installed: got no module uvicorn; pip install 'chymist[studio]'\n"
    )
    assert out == ""


@pytest.mark.parametrize(
    ("number", "quiet"), [("SIGINT", True), ("SIGTERM", False), ("SIGHUP", False)]
)
def test_an_empty_folder_is_shown_and_every_end_is_a_clean_one(
    number: str, quiet: bool, tmp_path: Path
) -> None:
    if not hasattr(signal, number):
        pytest.skip("no such signal here")
    if signal.getsignal(getattr(signal, number)) is signal.SIG_IGN:
        pytest.skip("under nohup the end of the terminal is no end")
    process = command(str(tmp_path), *(["--quiet"] if quiet else []))
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(1 if quiet else 3)]
    assert lines[0].startswith("Studio  http://127.0.0.1:")
    if not quiet:
        assert lines[1] == f"Runs    none yet in {tmp_path}; they appear when they begin\n"
        assert lines[2] == "Ends    with Ctrl-C; runs that train go on\n"
    process.send_signal(getattr(signal, number))
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out, said) == (0, "", "")


def test_the_usual_folder_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with studio_of() as studio:
        assert studio.get("/api/runs")["runs"] == []
        run = tmp_path / "runs/digits-0001"
        run.mkdir(parents=True)
        (run / "environment.json").write_text("{}")
        end = time.monotonic() + 10
        while [row["name"] for row in studio.get("/api/runs")["runs"]] != ["digits-0001"]:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_json_is_one_object_and_all_else_is_on_the_other_stream(tmp_path: Path) -> None:
    process = command(str(tmp_path), "--json")
    assert process.stdout
    told = json.loads(process.stdout.readline())
    assert set(told) == {"address", "port", "runs"}
    studio = Studio(told["address"], told["port"], process)
    studio.enter()
    assert studio.stop() == 0
    out, said = process.communicate(timeout=20)
    assert out == ""
    assert f"Studio  {told['address']}\n" in said
    again = [line for line in said.splitlines() if line.startswith("Again")]
    assert len(again) == 1
    assert told["address"] not in again[0]


def test_every_link_opens_one_browser(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        used = "/" + studio.first.split("/", 3)[3]
        assert studio.ask(used, headers={"cookie": ""})[0] == 401
        fresh = "/" + studio.address.split("/", 3)[3]
        assert studio.ask(fresh, headers={"cookie": ""})[0] == 303
        assert studio.ask(fresh, headers={"cookie": ""})[0] == 401
        assert ask(studio) == 200


@LINUX
def test_a_server_that_is_killed_is_replaced_and_pages_go_on(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        for _ in range(3):
            number = studio.server()
            os.kill(number, signal.SIGKILL)
            begun = time.monotonic()
            while ask(studio) != 200:  # the same cookie, at the same address
                assert time.monotonic() - begun < 5
                time.sleep(0.02)
            assert studio.server() != number
        assert studio.post("/api/link", None)["address"].startswith("http://127.0.0.1")
        assert studio.stop() == 0


@LINUX
def test_a_server_that_dies_at_once_is_given_up(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        while studio.process.poll() is None:
            try:
                os.kill(studio.server(), signal.SIGKILL)
            except (IndexError, ProcessLookupError, FileNotFoundError):
                time.sleep(0.01)
        assert studio.process.returncode == 1


@LINUX
def test_nothing_is_left_when_the_command_is_killed(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        number = studio.server()
        os.kill(studio.process.pid, signal.SIGKILL)
        assert gone(number)


@LINUX
def test_the_server_holds_no_torch(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        studio.ask("/")
        for number in (studio.process.pid, studio.server()):
            held = Path(f"/proc/{number}/maps").read_text()
            assert "libpython" in held or "python" in held
            assert "libtorch" not in held


def test_routes_and_command_import_no_torch() -> None:
    code = (
        "import sys\n"
        "import chymist.cli, chymist.cli.studio, chymist.studio.app, chymist.studio.protocol\n"
        "print(sorted({'torch', 'scipy', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@LINUX
def test_it_serves_with_every_stream_closed_and_without_a_terminal(tmp_path: Path) -> None:
    words = 'exec 0<&- 1>&- 2>&-; exec nohup "$@"'
    with studio_of(tmp_path) as other:
        port = other.port
        assert other.stop() == 0  # nothing of it answers any more
    process = subprocess.Popen(
        ["sh", "-c", words, "sh", sys.executable, "-m", "chymist", "studio", str(tmp_path),
         "--port", str(port)], start_new_session=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        studio, end = Studio("", port, process), time.monotonic() + 20
        while ask(studio) != 401:
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)  # nohup has taken it away
        time.sleep(0.2)
        assert ask(studio) == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@LINUX
def test_the_server_opens_no_connection(tmp_path: Path) -> None:
    with studio_of(tmp_path) as studio:
        for path in ("/", "/api/runs", "/api/session", "/nowhere"):
            studio.ask(path)
        inodes = set()
        for link in Path(f"/proc/{studio.server()}/fd").iterdir():
            try:
                told = os.readlink(link)
            except FileNotFoundError:  # closed meanwhile
                continue
            if told.startswith("socket:["):
                inodes.add(told[8:-1])
        tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6")]
        rows = [
            row.split()
            for table in tables
            if table.exists()
            for row in table.read_text().splitlines()[1:]
        ]
        mine = [row for row in rows if row[9] in inodes]
        assert [row[1] for row in mine if row[3] == "0A"] == [f"0100007F:{studio.port:04X}"]
        assert all(row[1] == f"0100007F:{studio.port:04X}" for row in mine)  # none goes out


def test_it_starts_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with studio_of(tmp_path) as studio:
        taken = time.monotonic() - begun
        assert ask(studio) == 200
    assert taken < 5  # 0.4 s on a machine with nothing else to do
